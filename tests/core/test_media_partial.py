"""What a killed save leaves is removed by the next save of the same file, and by no other."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import pytest

from doubao_core import AsyncClient, Client, media
from doubao_core.media import partial
from doubao_core.media.remote import Remote

SECONDS = 50
# Run by another interpreter: fetches a film, and is killed or let go on meanwhile.
WORKER = """
import asyncio, sys
from doubao_core import AsyncClient, Client

url, where, name, driver = sys.argv[1:]

async def fetch():
    async with AsyncClient(base_url=url, api_key="k") as client:
        return await client.download(url + "/film.mp4", where, name=name)

if driver == "async":
    saved = asyncio.run(fetch())
else:
    with Client(base_url=url, api_key="k") as client:
        saved = client.download(url + "/film.mp4", where, name=name)
print(saved.name)
"""
FILM = b"\0\0\0\x18ftypmp42" + bytes(64 * 1024)


class Slowly(BaseHTTPRequestHandler):
    """Gives a half of a film, and the other when the test says so."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", str(len(FILM)))
        self.end_headers()
        self.wfile.write(FILM[: len(FILM) // 2])
        self.server.go_on.wait(SECONDS)
        self.close_connection = True
        # Whoever was killed does not listen any more.
        with suppress(OSError):
            self.wfile.write(FILM[len(FILM) // 2 :])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def service():
    running = ThreadingHTTPServer(("127.0.0.1", 0), Slowly)
    running.daemon_threads = True
    running.go_on = threading.Event()
    running.url = f"http://127.0.0.1:{running.server_port}"
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.go_on.set()
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture(params=["sync", "async"])
def driver(request):
    return request.param


@pytest.fixture
def begun(service, tmp_path, driver):
    """Start a process that saves a film, and wait until it has written a half of it."""
    started = []

    def begun(name="film"):
        command = [sys.executable, "-c", WORKER, service.url, str(tmp_path), name, driver]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        wait_for(lambda: [each for each in halves(tmp_path, name) if each.stat().st_size])
        return started[-1]

    yield begun
    for each in started:
        with each:
            if each.poll() is None:
                each.kill()


def halves(folder, name="film"):
    return list(folder.glob(f".partial-{name}-*"))


def wait_for(found):
    end = time.monotonic() + SECONDS
    while not found():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def killed(process):
    os.kill(process.pid, signal.SIGKILL)
    process.wait(SECONDS)


def fetch(service, driver, where, name="film"):
    """Save the film in this process."""
    service.go_on.set()

    async def fetched():
        async with AsyncClient(base_url=service.url, api_key="k") as client:
            return await client.download(f"{service.url}/film.mp4", where, name=name)

    if driver == "async":
        return asyncio.run(fetched())
    with Client(base_url=service.url, api_key="k") as client:
        return client.download(f"{service.url}/film.mp4", where, name=name)


def test_the_next_download_removes_what_a_killed_one_left(begun, service, tmp_path, driver):
    killed(begun())
    assert len(halves(tmp_path)) == 1
    saved = fetch(service, driver, tmp_path)
    assert saved.path.read_bytes() == FILM
    assert list(tmp_path.iterdir()) == [saved.path]


def test_looking_for_a_result_finds_no_half_one_and_removes_it(begun, tmp_path):
    killed(begun())
    assert media.storage(tmp_path).find("film") is None
    assert list(tmp_path.iterdir()) == []


def test_of_two_that_save_at_once_neither_takes_the_others(begun, service, tmp_path, driver):
    """The one that is quicker leaves the half file of the other alone."""
    other = begun()
    saved = fetch(service, driver, tmp_path)
    out, _ = other.communicate(timeout=SECONDS)
    assert other.returncode == 0
    assert {saved.name, out.strip()} == {"film.mp4", "film-1.mp4"}
    assert {each.read_bytes() for each in tmp_path.iterdir()} == {FILM}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_save_that_goes_on_is_left_alone(begun, tmp_path):
    begun()
    storage = media.storage(tmp_path)
    assert storage.find("film") is None
    with storage.target("film") as target:
        target.write(FILM)
        target.commit(("video/",))
    assert len(halves(tmp_path)) == 1


def test_what_belongs_to_another_name_is_left_alone(begun, tmp_path, service, driver):
    killed(begun("film-1"))
    (tmp_path / ".partial-film-notes").write_text("somebody's own")
    fetch(service, driver, tmp_path, "film")
    assert len(halves(tmp_path, "film-1")) == 1
    assert (tmp_path / ".partial-film-notes").exists()


def test_a_pipe_or_a_link_of_such_a_name_holds_nobody_up(tmp_path):
    (tmp_path / "precious").write_text("kept")
    (tmp_path / f".partial-film-{'0' * 32}").symlink_to(tmp_path / "precious")
    os.mkfifo(tmp_path / f".partial-film-{'1' * 32}")
    assert media.storage(tmp_path).find("film") is None
    assert (tmp_path / "precious").read_text() == "kept"


def test_where_there_are_no_locks_nothing_is_removed(tmp_path, monkeypatch):
    """Nobody could tell whether its process is alive."""

    def unknown(*_):
        raise OSError(37, "No locks available")

    path, file = partial.begin(tmp_path, ".partial-film-")
    file.close()
    monkeypatch.setattr("doubao_core.media.partial.fcntl.flock", unknown)
    with media.storage(tmp_path).target("film") as target:
        target.write(FILM)
        saved = target.commit(("video/",))
    assert sorted(tmp_path.iterdir()) == sorted([path, saved.path])


def test_a_file_that_is_swept_before_it_was_locked_is_begun_again(tmp_path, monkeypatch):
    real, swept = partial._locked, []

    def late(number, *, wait):
        if wait and not swept:
            swept.append(True)
            partial.sweep(tmp_path, ".partial-film-")
        return real(number, wait=wait)

    monkeypatch.setattr(partial, "_locked", late)
    path, file = partial.begin(tmp_path, ".partial-film-")
    assert swept
    assert list(tmp_path.iterdir()) == [path]
    file.close()


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Give the folder where files wait for their upload."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def left(place, temporary, name="film"):
    """Leave what a process leaves that is killed while it uploads."""
    path, file = partial.begin(temporary, place.waiting(name), private=True)
    file.close()
    unfinished = place.partial(path.name.rpartition("-")[2])
    fsspec.filesystem("memory").pipe_file(unfinished, FILM[:100])
    return unfinished


def stored(place):
    return sorted(each.rpartition("/")[2] for each in place.files.ls(place.location, detail=False))


def test_a_killed_upload_is_removed_on_both_sides(temporary):
    place = Remote("memory://partial/both")
    place.make_folder()
    left(place, temporary)
    with place.target("film") as target:
        target.write(FILM)
        target.commit(("video/",))
    assert stored(place) == ["film.mp4"]
    left(place, temporary)
    assert place.find("film").name == "film.mp4"
    assert stored(place) == ["film.mp4"]
    assert list(temporary.iterdir()) == []


def test_an_upload_that_goes_on_and_those_of_other_places_are_left_alone(temporary):
    place, other = Remote("memory://partial/one"), Remote("memory://partial/other")
    for each in (place, other):
        each.make_folder()
    left(other, temporary)
    path, file = partial.begin(temporary, place.waiting("film"), private=True)
    assert place.find("film") is None
    assert path.exists()
    assert path.stat().st_mode & 0o077 == 0
    assert len(stored(other)) == 1
    file.close()


def test_a_store_that_cannot_be_reached_keeps_the_trace_for_the_next_time(temporary, monkeypatch):
    place = Remote("memory://partial/later")
    place.make_folder()
    left(place, temporary)

    def unreachable(*_, **__):
        raise RuntimeError("no route to the store")

    with monkeypatch.context() as broken:
        broken.setattr(type(place.files), "rm_file", unreachable)
        place.sweep("film")
    assert len(list(temporary.iterdir())) == len(stored(place)) == 1
    place.sweep("film")
    assert list(temporary.iterdir()) == stored(place) == []
