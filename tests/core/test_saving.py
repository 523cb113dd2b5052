"""Pictures that come inside an answer go to storage over real HTTP, with both clients."""

from __future__ import annotations

import base64
import json
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from doubao_core import AmbiguousSubmit, ConfigError, ContentRejected, Malformed, RateLimited
from doubao_core.media import Saved, storage

SEEDREAM = "doubao-seedream-4-0-250828"
ONE = {"model": SEEDREAM, "prompt": "a red cat", "size": "1K", "response_format": "b64_json"}
GROUP = {
    **ONE,
    "prompt": "three cats, three pictures",
    "sequential_image_generation": "auto",
    "sequential_image_generation_options": {"max_images": 3},
}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
TEXT = base64.b64encode(PNG).decode()


@pytest.fixture
def server():
    """Serve answers as they are scripted: lists of (status, headers, blocks of the body)."""
    script, asked = [], []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            status, headers, blocks = script.pop(0)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            # Or the client may take the connection for one that can be used again.
            self.send_header("connection", "close")
            self.end_headers()
            for block in blocks:
                self.wfile.write(block)
                self.wfile.flush()
            self.close_connection = True

        def log_message(self, *arguments):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.script, running.asked = script, asked
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def client_of(server, make_client):
    """Return a client of the scripted server."""
    return make_client(base_url=f"http://127.0.0.1:{server.server_port}/api/v3")


def answer(*items, **more):
    return json.dumps({"model": SEEDREAM, "data": list(items), **more}).encode()


def whole(body, status=200, size=None, **headers):
    length = {"content-length": str(len(body) if size is None else size)}
    return status, {"content-type": "application/json", **length, **headers}, [body]


def test_a_picture_goes_to_a_file_while_the_answer_arrives(client, emulator, tmp_path):
    made = client.create_images_into(tmp_path, name="cat", **ONE)
    (image,), (saved,) = made.answer.images, made.saved
    assert saved.path == tmp_path / "cat.jpeg"
    assert list(tmp_path.iterdir()) == [saved.path]
    assert (image.b64_json, image.url, image.error) == (None, None, None)
    assert "b64_json" not in image.raw
    assert image.size
    assert made.answer.usage.generated_images == 1
    plain = client.create_images(**ONE).images[0]
    assert len(base64.b64decode(plain.b64_json)) == saved.size
    assert emulator.requests[-2].body == emulator.requests[-1].body


def test_pictures_with_urls_are_left_where_they_are(client, tmp_path):
    made = client.create_images_into(tmp_path, **{**GROUP, "response_format": "url"})
    assert made.saved == (None, None, None)
    assert all(image.url for image in made.answer.images)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_picture_of_a_group_keeps_its_slot(client, emulator, tmp_path):
    with emulator.fault("group_image_failed", index=1):
        made = client.create_images_into(tmp_path, **GROUP)
    first, failed, last = made.saved
    assert (first.name, failed, last.name) == ("image.jpeg", None, "image-1.jpeg")
    assert isinstance(made.answer.images[1].error, ContentRejected)


def test_the_pictures_of_a_stream_are_saved_before_their_events(client, emulator, tmp_path):
    seen = []
    with (
        emulator.fault("group_image_failed", index=1),
        closing(client.stream_images_into(tmp_path, name="cat", **GROUP)) as events,
    ):
        for made in events:
            seen.append(made)
            if made.saved is not None:
                assert made.saved.path.stat().st_size == made.saved.size
    assert [each.event.type.rpartition(".")[2] for each in seen] == [
        "partial_succeeded",
        "partial_failed",
        "partial_succeeded",
        "completed",
    ]
    assert [each.saved and each.saved.name for each in seen] == [
        "cat.jpeg",
        None,
        "cat-1.jpeg",
        None,
    ]
    assert all("b64_json" not in each.event.raw for each in seen)
    assert isinstance(seen[1].event.image.error, ContentRejected)
    assert seen[-1].event.usage.generated_images == 2


def test_a_stream_that_is_left_leaves_what_was_given_out_and_nothing_else(client, tmp_path):
    events = client.stream_images_into(tmp_path, **GROUP)
    first = next(events)
    events.close()
    assert list(tmp_path.iterdir()) == [first.saved.path]


def test_pictures_go_to_any_storage(client):
    where = storage("memory://saving/out")
    made = client.create_images_into(where, name="cat", **ONE)
    (saved,) = made.saved
    assert saved.path is None
    assert len(where.read(saved.name, 10**8)) == saved.size


def test_a_broken_picture_has_an_error_and_the_others_live(server, client_of, tmp_path):
    broken = TEXT[:400] + "!" + TEXT[401:]
    body = answer({"b64_json": TEXT}, {"b64_json": broken}, {"b64_json": TEXT}, usage={})
    server.script.append(whole(body))
    made = client_of.create_images_into(tmp_path, **ONE)
    assert [type(each) for each in made.saved] == [Saved, Malformed, Saved]
    assert [each.b64_json for each in made.answer.images] == [None, None, None]
    assert made.saved[2].path.read_bytes() == PNG


def test_a_good_picture_that_cannot_be_saved_is_still_in_the_answer(server, client_of, tmp_path):
    (tmp_path / "file").write_text("x")
    server.script.append(whole(answer({"b64_json": TEXT})))
    made = client_of.create_images_into(tmp_path / "file" / "below", **ONE)
    assert isinstance(made.saved[0], ConfigError)
    assert made.answer.images[0].b64_json == TEXT


def test_an_answer_that_breaks_off_leaves_its_whole_pictures(server, client_of, tmp_path):
    body = answer({"b64_json": TEXT}, {"b64_json": TEXT})
    server.script.append(whole(body[: -len(TEXT) // 2], size=len(body)))
    with pytest.raises(AmbiguousSubmit) as caught:
        client_of.create_images_into(tmp_path, **ONE)
    (saved,) = caught.value.saved
    assert saved.path.read_bytes() == PNG
    assert list(tmp_path.iterdir()) == [saved.path]
    assert len(server.asked) == 1


def test_an_answer_that_is_no_json_is_ambiguous_and_leaves_nothing(server, client_of, tmp_path):
    server.script.append(whole(b'{"data": [{"b64_json": "' + TEXT.encode()))
    with pytest.raises(AmbiguousSubmit) as caught:
        client_of.create_images_into(tmp_path, **ONE)
    assert caught.value.saved == ()
    assert TEXT[:60] not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_is_repeated_and_its_body_left_as_it_is(server, client_of, tmp_path, naps):
    refused = b'{"error": {"code": "RateLimitExceeded", "message": "data b64_json"}}'
    server.script += [whole(refused, 429), whole(answer({"b64_json": TEXT}))]
    made = client_of.create_images_into(tmp_path, **ONE)
    assert made.saved[0].path.read_bytes() == PNG
    assert len(server.asked) == 2
    server.script += [whole(refused, 429)] * 3
    with pytest.raises(RateLimited, match="data b64_json"):
        client_of.create_images_into(tmp_path, **ONE)


def test_a_stream_that_breaks_off_keeps_what_it_gave_out(server, client_of, tmp_path):
    event = {"type": "image_generation.partial_succeeded", "image_index": 0, "b64_json": TEXT}
    line = b"data: " + json.dumps(event).encode() + b"\n\n"
    server.script.append((200, {"content-type": "text/event-stream"}, [line, line[:5000]]))
    events = client_of.stream_images_into(tmp_path, **ONE)
    saved = next(events).saved
    with pytest.raises(AmbiguousSubmit):
        next(events)
    assert list(tmp_path.iterdir()) == [saved.path]
    assert saved.path.read_bytes() == PNG


def test_what_is_no_json_between_events_costs_no_picture(server, client_of, tmp_path):
    """Only the saving of memory: the pictures are then decoded when their events are whole."""
    event = {"type": "image_generation.partial_succeeded", "image_index": 0, "b64_json": TEXT}
    line = b"data: " + json.dumps(event).encode() + b"\n\n"
    body = [b': it is "odd {[\n\n', line, b'event: "x\n', line, b"data: [DONE]\n\n"]
    server.script.append((200, {"content-type": "text/event-stream"}, body))
    made = list(client_of.stream_images_into(tmp_path, **ONE))
    assert [each.saved.path.read_bytes() for each in made] == [PNG, PNG]
    assert [each.event.image.b64_json for each in made] == [None, None]
