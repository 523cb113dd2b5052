"""Pictures that came whole are files, whoever leaves, is interrupted or breaks; over real HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest

from doubao_core import AmbiguousSubmit, AsyncClient, Client, ConfigError
from doubao_core.media import Saved, storage
from doubao_core.media.folder import Folder, _FileTarget

ONE = {"model": "doubao-seedream-4-0-250828", "prompt": "cat", "response_format": "b64_json"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
TEXT = base64.b64encode(PNG).decode()


class Slow(Folder):
    """A folder on a disk that takes its time."""

    def __init__(self, path):
        super().__init__(path)
        self.begun, self.go_on = threading.Event(), threading.Event()

    def target(self, name):
        return SlowTarget(self, name)


class SlowTarget(_FileTarget):
    def __init__(self, slow, name):
        super().__init__(slow.path, name)
        self._slow = slow

    def _place(self, media_type, extension):
        self._slow.begun.set()
        assert self._slow.go_on.wait(30)
        return super()._place(media_type, extension)


class Counting(Folder):
    """A folder that says when its second file was begun."""

    def __init__(self, path):
        super().__init__(path)
        self.second, self.begun = threading.Event(), 0

    def target(self, name):
        return CountingTarget(self, name)


class CountingTarget(_FileTarget):
    def __init__(self, counting, name):
        super().__init__(counting.path, name)
        self._counting = counting

    def _begin(self):
        self._counting.begun += 1
        if self._counting.begun == 2:
            self._counting.second.set()
        return super()._begin()


class Failing(Folder):
    """A storage of a developer, whose errors are of no class of ours."""

    def target(self, name):
        return FailingTarget(self.path, name)


class FailingTarget(_FileTarget):
    def _place(self, media_type, extension):
        raise KeyError("the bucket is gone")


@pytest.fixture
def service():
    """Answer one request with blocks of bytes; ``hold`` between them keeps the rest back."""
    held = threading.Event()
    state = {"blocks": [], "type": "application/json"}

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        ]
        await reader.readexactly(sum(lengths))
        size = sum(map(len, state["blocks"])) + state.get("missing", 0)
        told = f"connection: close\r\ncontent-type: {state['type']}\r\ncontent-length: {size}"
        writer.write(f"HTTP/1.1 200 OK\r\n{told}\r\n\r\n".encode())
        with suppress(ConnectionError), closing(writer):
            for number, block in enumerate(state["blocks"]):
                if number:
                    await asyncio.to_thread(held.wait, 30)
                writer.write(block)
                await writer.drain()

    started = threading.Event()

    async def run():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        state["port"] = server.sockets[0].getsockname()[1]
        state["loop"], state["over"] = asyncio.get_running_loop(), asyncio.Event()
        started.set()
        async with server:
            await state["over"].wait()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert started.wait(30)

    def answer(*blocks, media_type="application/json", missing=0):
        state.update(blocks=blocks, type=media_type, missing=missing)
        return {"base_url": f"http://127.0.0.1:{state['port']}/v3", "api_key": "k"}

    answer.let_go = held.set
    yield answer
    held.set()
    state["loop"].call_soon_threadsafe(state["over"].set)
    thread.join()


def whole(*items):
    return json.dumps({"data": items}).encode()


def event(index=0):
    kind = "image_generation.partial_succeeded"
    said = json.dumps({"type": kind, "image_index": index, "b64_json": TEXT})
    return b"data: " + said.encode() + b"\n\n"


async def until(reached):
    assert await asyncio.to_thread(reached.wait, 30)


async def call_images(client, base_url, where):
    await client.create_images_into(where, **ONE)


async def stream_images(client, base_url, where):
    async for _ in client.stream_images_into(where, **ONE):
        pass


async def download(client, base_url, where):
    await client.download(f"{base_url}/film", where, name="film")


@pytest.mark.parametrize(
    ("work", "answer", "media_type"),
    [
        (call_images, whole({"b64_json": TEXT}), "application/json"),
        (stream_images, event() + b"data: [DONE]\n\n", "text/event-stream"),
        (download, PNG, "image/png"),
    ],
    ids=["call", "stream", "download"],
)
async def test_who_is_cancelled_saves_the_picture_that_had_come(
    service, tmp_path, work, answer, media_type
):
    where = Slow(tmp_path)
    settings = service(answer, media_type=media_type)
    async with AsyncClient(**settings) as client:
        running = asyncio.create_task(work(client, settings["base_url"], where))
        await until(where.begun)
        running.cancel()
        await asyncio.sleep(0)
        where.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await running
    (saved,) = tmp_path.iterdir()
    assert saved.read_bytes() == PNG


async def test_a_call_cancelled_in_the_middle_saves_the_pictures_before(service, tmp_path):
    body = whole({"b64_json": TEXT}, {"b64_json": TEXT})
    half = len(body) - len(TEXT) // 2
    async with AsyncClient(**service(body[:half], body[half:])) as client:
        where = Counting(tmp_path)
        call = asyncio.create_task(client.create_images_into(where, **ONE))
        await until(where.second)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    (saved,) = tmp_path.iterdir()
    assert saved.read_bytes() == PNG


def test_an_interrupt_in_the_middle_saves_the_pictures_before(service, tmp_path, monkeypatch):
    body = whole({"b64_json": TEXT}, {"b64_json": TEXT})
    half = len(body) - len(TEXT) // 2
    taken = _FileTarget.write
    seen = []

    def write(target, block):
        seen.append(target) if target not in seen else None
        if len(seen) == 2:
            raise KeyboardInterrupt
        taken(target, block)

    monkeypatch.setattr(_FileTarget, "write", write)
    with Client(**service(body[:half], body[half:])) as client, pytest.raises(KeyboardInterrupt):
        client.create_images_into(tmp_path, **ONE)
    (saved,) = tmp_path.iterdir()
    assert saved.read_bytes() == PNG


def test_a_picture_whose_event_breaks_off_is_in_the_error(service, make_client, tmp_path):
    answer = service(event(0) + event(1)[:-3], media_type="text/event-stream")
    with closing(make_client(**answer).stream_images_into(tmp_path, **ONE)) as events:
        first = next(events).saved
        with pytest.raises(AmbiguousSubmit) as caught:
            next(events)
    (second,) = caught.value.saved
    assert {first.path, second.path} == set(tmp_path.iterdir())


def test_who_leaves_a_stream_has_the_pictures_that_came(service, make_client, tmp_path):
    answer = service(event(0) + event(1) + event(2)[:5000], media_type="text/event-stream")
    with closing(make_client(**answer).stream_images_into(tmp_path, **ONE)) as events:
        next(events)
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [PNG, PNG]


def test_whatever_a_storage_raises_the_picture_is_kept(service, tmp_path):
    with Client(**service(whole({"b64_json": TEXT}))) as client:
        made = client.create_images_into(Failing(tmp_path), **ONE)
    assert isinstance(made.saved[0], ConfigError)
    assert "the bucket is gone" in str(made.saved[0])
    assert made.answer.images[0].b64_json == TEXT


def test_a_temporary_file_that_stays_loses_no_result(tmp_path, monkeypatch):
    def refuse(path, **_):
        raise OSError(30, "Read-only file system", str(path))

    with monkeypatch.context() as patch, storage(tmp_path).target("film") as target:
        target.write(PNG)
        saved = target.commit(("image/",))
        patch.setattr(Path, "unlink", refuse)
        target.__exit__(None, None, None)
    assert isinstance(saved, Saved)
    assert saved.path.read_bytes() == PNG
