"""Starting, stopping and sharing the emulator; its command line."""

import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager

import httpx
import pytest

import doubao_emulator
from doubao_emulator import Emulator, __main__, server, shared_base_url

KEY = {"Authorization": "Bearer k"}


def models(base_url):
    return httpx.get(f"{base_url}/models", headers=KEY).status_code


def test_it_starts_on_a_free_port_and_stops_without_a_trace():
    before = threading.active_count()
    with Emulator() as emulator:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/api/v3", emulator.base_url)
        assert emulator.byteplus_base_url.endswith("/byteplus/api/v3")
        assert models(emulator.base_url) == models(emulator.byteplus_base_url) == 200
    assert threading.active_count() == before
    with pytest.raises(httpx.ConnectError):
        models(emulator.base_url)


def test_start_and_stop_may_be_repeated():
    emulator = Emulator()
    emulator.stop()
    url = emulator.start().base_url
    assert emulator.start().base_url == url
    emulator.stop()
    emulator.stop()
    with emulator:
        assert models(emulator.base_url) == 200


def test_two_emulators_do_not_know_each_other():
    with Emulator() as first, Emulator() as second:
        models(first.base_url)
        assert (len(first.requests), len(second.requests)) == (1, 0)


def test_a_taken_port_is_an_os_error():
    with Emulator() as emulator:
        port = int(emulator.world.origin.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            Emulator(port=port).start()


def test_open_connections_are_counted(emulator):
    before = emulator.connections
    with httpx.Client(headers=KEY) as client:
        client.get(f"{emulator.base_url}/models")
        assert emulator.connections == before + 1


def test_stopping_ends_a_stalled_answer():
    emulator = Emulator().start()
    emulator.world.faults.arm("stall")
    errors = []

    def ask():
        try:
            models(emulator.base_url)
        except httpx.TransportError as error:
            errors.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    while not emulator.requests:
        time.sleep(0.005)
    emulator.stop()
    asking.join(5)
    assert not asking.is_alive()


def test_reset_forgets_what_tests_left_behind(emulator):
    emulator.answer("left")
    emulator.world.faults.arm("quota")
    kept = emulator.requests
    models(emulator.base_url)
    emulator.reset()
    assert emulator.requests == []
    assert emulator.requests is kept
    assert models(emulator.base_url) == 200
    assert not emulator.world.answers


@pytest.fixture
def shared(monkeypatch):
    fresh = server._Shared()
    monkeypatch.setattr(server, "_shared", fresh)
    yield fresh
    fresh.stop()


def test_the_shared_emulator_is_started_once_by_many_threads(shared):
    urls = []
    threads = [threading.Thread(target=lambda: urls.append(shared_base_url())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(urls) == 8
    assert len(set(urls)) == 1
    assert models(urls[0]) == 200


def test_the_shared_emulator_can_be_stopped_and_comes_back(shared):
    shared_base_url()
    shared.stop()
    assert models(shared_base_url()) == 200


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_process_has_its_own_shared_emulator(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("This system cannot start processes this way.")
    code = f"""
        import multiprocessing
        from doubao_emulator import shared_base_url
        import httpx

        def ask(results):
            url = shared_base_url()
            key = {{"Authorization": "Bearer k"}}
            results.put((url, httpx.get(url + "/models", headers=key).status_code))

        if __name__ == "__main__":
            mine = shared_base_url()
            context = multiprocessing.get_context("{method}")
            results = context.Queue()
            child = context.Process(target=ask, args=(results,))
            child.start()
            url, status = results.get(timeout=20)
            child.join(20)
            print(url != mine, status, child.exitcode)
    """
    done = run_script(code)
    assert (done.stdout.strip(), done.stderr) == ("True 200 0", "")


def run_script(code):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "script.py")
        script.write_text(textwrap.dedent(code))
        return subprocess.run(
            [sys.executable, "-W", "error", str(script)],
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )


def test_a_process_ends_cleanly_with_its_shared_emulator_running():
    done = run_script("from doubao_emulator import shared_base_url; print(shared_base_url())")
    assert (done.returncode, done.stderr) == (0, "")


@contextmanager
def command(*arguments):
    process = subprocess.Popen(
        [sys.executable, "-m", "doubao_emulator", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_one_line_and_serves_until_stopped(name):
    with command("--port", "0") as process:
        line = process.stdout.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+/api/v3", line).group()
        assert models(url) == 200
        process.send_signal(name)
        rest, errors = process.communicate(timeout=10)
    assert (process.returncode, rest, errors) == (0, "", "")


def test_the_command_says_in_one_sentence_that_the_port_is_taken(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert __main__.main(["--port", str(port)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"127.0.0.1:{port}" in said
    assert "--port" in said


def test_a_missing_extra_is_named(monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith("doubao_emulator.server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(doubao_emulator, "server")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ImportError, match=r'pip install "\.\[emulator\]"'):
        _ = doubao_emulator.Emulator
    assert __main__.main([]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = doubao_emulator.nothing
