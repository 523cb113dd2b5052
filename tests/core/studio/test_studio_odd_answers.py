"""What was paid for is not lost to an answer that is odd, hostile or broken off; over real HTTP."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from doubao_core import AmbiguousSubmit
from doubao_core.studio import ImageResult, Studio, VideoResult

STREAMED = {"max_images": 2, "model": "doubao-seedream-4-0-250828"}


class Answering(BaseHTTPRequestHandler):
    """Answers as the test says, and with a picture under /file.png."""

    protocol_version = "HTTP/1.1"

    def _serve(self):
        self.rfile.read(int(self.headers["content-length"] or 0))
        path = self.path.partition("?")[0]
        self.server.asked.append((self.command, path))
        status, headers, body = self._answer(path)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, path):
        if path.endswith("/file.png"):
            return 200, {}, self.server.picture
        answer = self.server.answer(self.command, path)
        if isinstance(answer, bytes):
            return 200, {"content-type": "text/event-stream"}, answer
        status, headers, body = answer if isinstance(answer, tuple) else (200, {}, answer)
        return status, {"content-type": "application/json", **headers}, json.dumps(body).encode()

    def do_GET(self):
        self._serve()

    def do_POST(self):
        self._serve()

    def do_DELETE(self):
        self._serve()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def service(png):
    """Serve the API as ``service.answer(method, path)`` says, and a picture under /file.png."""
    running = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    running.daemon_threads = True
    running.url = f"http://127.0.0.1:{running.server_port}"
    running.file, running.asked = f"{running.url}/file.png", []
    running.picture = png(64, 64)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def odd_studio(make_studio, service):
    """Make a studio of the service."""

    def make(**options):
        return make_studio(base_url=service.url, **options)

    return make


def paid(service):
    return sum(method == "POST" for method, _ in service.asked)


async def made_by(studio, order, service):
    """Give the result of a picture call that was paid once, having shown all its faces."""
    result = await studio.images(order)
    assert paid(service) == 1
    assert result.text
    assert result._repr_html_()
    assert ImageResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result
    return result


ODD = [None, 5, "text", [], {}, [5], {"a": 1}, 1e30, True, ""]


@pytest.mark.parametrize(
    "odd", [None, 5, "text", [], {}, {"url": 5}, {"b64_json": {}}, {"url": ""}]
)
async def test_an_item_that_is_none_costs_no_other_picture(odd_studio, service, pictures, odd):
    service.answer = lambda *_: {"data": [odd, {"url": service.file}]}
    result = await made_by(odd_studio(), pictures(), service)
    assert [each.location is not None for each in result.images] == [False, True]
    assert "neither a picture nor a reason" in result.images[0].error


@pytest.mark.parametrize("odd", ODD)
async def test_an_odd_field_costs_no_picture(odd_studio, service, pictures, odd):
    names = ("size", "output_format", "image_index", "created", "z_index", "name", "error_code")
    item = {"url": service.file, **dict.fromkeys(names, odd)}
    around = dict.fromkeys(("usage", "model", "created", "id", "tools", "status"), odd)
    service.answer = lambda *_: {**around, "data": [item]}
    result = await made_by(odd_studio(), pictures(), service)
    assert [each.media_type for each in result.images] == ["image/png"]


@pytest.mark.parametrize("odd", [*ODD, 10**9, -1])
async def test_an_odd_usage_costs_no_picture_and_no_memory(odd_studio, service, pictures, odd):
    usage = dict.fromkeys(
        ("generated_images", "input_images", "output_tokens", "total_tokens"), odd
    )
    service.answer = lambda *_: {"usage": usage, "data": [{"url": service.file, "size": "64x64"}]}
    result = await made_by(odd_studio(), pictures(), service)
    assert result.saved
    assert result.cost.text


async def test_an_answer_without_any_picture_or_reason_is_ambiguous(odd_studio, service, pictures):
    service.answer = lambda *_: {"data": [None, {}]}
    with pytest.raises(AmbiguousSubmit):
        await odd_studio().images(pictures())
    assert paid(service) == 1


async def test_pictures_of_one_index_are_all_kept(odd_studio, service, pictures):
    service.answer = lambda *_: {"data": [{"url": service.file, "image_index": 0}] * 3}
    result = await made_by(odd_studio(), pictures(), service)
    assert len({each.name for each in result.saved}) == 3


async def test_a_streamed_order_answered_at_once_keeps_the_good_ones(odd_studio, service, pictures):
    service.answer = lambda *_: {"data": [None, {"url": service.file}], "usage": "x"}
    result = await made_by(odd_studio(), pictures(**STREAMED), service)
    assert len(result.saved) == 1


async def test_a_stream_that_cannot_be_read_further_is_never_ordered_again(
    odd_studio, service, pictures
):
    event = {
        "type": "image_generation.partial_succeeded",
        "image_index": "first",
        "url": service.file,
        "usage": "x",
        "model": ["x"],
        "size": 3,
    }
    service.answer = lambda *_: b"data: %s\n\ndata: 5\n\n" % json.dumps(event).encode()
    result = await made_by(odd_studio(), pictures(**STREAMED), service)
    assert len(result.saved) == 1
    assert "broke off" in result.problem


async def test_a_picture_of_an_unknown_type_is_kept_in_the_result(odd_studio, service, pictures):
    """It was paid for; a program that knows the type can still write it."""
    content = base64.b64encode(b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(2000)).decode()
    service.answer = lambda *_: {"data": [{"b64_json": content}]}
    order = pictures(rules={"response_format": "b64_json"})
    (image,) = (await made_by(odd_studio(), order, service)).images
    assert image.url == f"data:application/octet-stream;base64,{content}"
    assert image.charged
    assert content[:60] not in repr(image)


def task(service, **fields):
    return {
        "id": "cgt-1",
        "status": "succeeded",
        "content": {"video_url": service.file},
        **fields,
    }


def film_service(service, *states, create=None):
    """Answer the submission, then each state, the last for ever."""
    left = list(states)

    def answer(method, _):
        if method == "POST":
            return {"id": "cgt-1"} if create is None else create
        return {} if method == "DELETE" else left.pop(0) if len(left) > 1 else left[0]

    service.answer = answer


async def film_by(studio, order, service):
    result = (await studio.film(order))[-1]
    assert paid(service) == 1
    assert not any(method == "DELETE" for method, _ in service.asked)
    assert result.text
    assert result._repr_html_()
    assert VideoResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result
    return result


@pytest.mark.parametrize("odd", ODD)
async def test_odd_fields_of_a_task_cost_no_film(odd_studio, service, film, odd, monkeypatch):
    monkeypatch.setattr("doubao_core.polling.schedule.SHORTEST", 0.01)
    names = (
        *("model", "usage", "created_at", "updated_at", "resolution", "duration", "ratio"),
        *("progress", "service_tier", "seed", "draft", "generate_audio", "tools"),
    )
    fields = dict.fromkeys(names, odd)
    running = task(service, status="running", content=odd, **fields)
    film_service(
        service, running, running, task(service, **fields), create={"id": "cgt-1", **fields}
    )
    # Without an interval of the user: the pauses follow what the task says.
    studio = odd_studio(poll_interval=None, wait_timeout=30.0)
    result = await film_by(studio, film(), service)
    assert result.name == "cgt-1.png"


@pytest.mark.parametrize("odd", [5, ["x"], {"a": 1}, None, ""])
async def test_an_odd_status_is_waited_out(odd_studio, service, film, odd):
    film_service(service, task(service, status=odd), task(service))
    assert (await film_by(odd_studio(), film(), service)).name == "cgt-1.png"


async def test_a_task_id_may_be_a_number(odd_studio, service, film):
    film_service(service, task(service, id=17), create={"id": 17})
    assert (await film_by(odd_studio(), film(), service)).task_id == "17"


@pytest.mark.parametrize("odd", [5, {}, ["x"], "", None])
async def test_an_odd_address_is_said_and_the_task_kept(odd_studio, service, film, odd):
    film_service(service, task(service, content={"video_url": odd}))
    result = await film_by(odd_studio(), film(), service)
    assert "gave no address" in result.text
    assert "cgt-1" in result.text


@pytest.mark.parametrize("seconds", ["inf", "999999999999", "1e300"])
async def test_a_pause_without_end_does_not_end_the_look_ups(odd_studio, service, film, seconds):
    """The task goes on and was paid for: who waits is told so, with its id."""
    refusal = (
        429,
        {"retry-after": seconds},
        {"error": {"code": "RateLimitExceeded", "message": "-"}},
    )
    film_service(service, refusal, task(service))
    result = await film_by(odd_studio(wait_timeout=0.1), film(), service)
    assert result.status == "queued"
    assert "Do not submit it again" in result.text


async def test_an_interval_longer_than_a_lock_can_wait_is_kept(odd_studio, service, film):
    film_service(service, task(service, status="running"))
    studio = odd_studio(poll_interval=1e12, wait_timeout=0.1)
    assert (await film_by(studio, film(), service)).status == "running"


@pytest.mark.parametrize("length", [1, 250])
async def test_films_of_like_ids_are_not_taken_for_each_other(odd_studio, service, film, length):
    """A result is found again by its name, and not every id can be a name of a file."""
    names = []
    for task_id in (f"{'c' * length}:1", f"{'c' * length}-1", f"{'c' * length}@1"):
        last = {"video_url": service.file, "last_frame_url": service.file}
        film_service(service, task(service, id=task_id, content=last), create={"id": task_id})
        result = (await odd_studio().film(film()))[-1]
        names += [result.name, result.last_frame_name]
    assert len(set(names)) == 6
    assert sum(path == "/file.png" for _, path in service.asked) == 6


async def test_a_film_that_cannot_be_watched_is_told_with_its_task(
    odd_studio, service, film, monkeypatch
):
    film_service(service, task(service))
    studio = odd_studio()

    def refuse(*_, **__):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        # Where the look-ups begin: a thread for the one studio, a task for the other.
        if isinstance(studio.studio, Studio):
            patch.setattr(threading.Thread, "start", _but(threading.Thread.start, refuse))
        else:
            patch.setattr("doubao_core.polling.poller._AsyncRounds._look", refuse)
        result = (await studio.film(film()))[-1]
    assert "look-ups" in result.problem
    assert "cgt-1" in result.text
    assert not any(method == "DELETE" for method, _ in service.asked)


def _but(start, refuse):
    """Start any thread but the poller's."""
    return lambda thread: (refuse if thread.name == "doubao-poller" else start)(thread)
