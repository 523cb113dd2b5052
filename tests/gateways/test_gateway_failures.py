"""What gateways say wrong or in odd places, over HTTP: which error it is, and what it costs."""

from __future__ import annotations

import json
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from doubao_core import (
    AmbiguousSubmit,
    ConfigError,
    ContentRejected,
    DoubaoError,
    InsufficientCredits,
    InvalidRequest,
    Malformed,
    NotFound,
    Plan,
    ProfileWarning,
    QuotaExceeded,
    RateLimited,
    ServerError,
    UnsupportedOperation,
)

HELLO = [{"role": "user", "content": "hi"}]
IMITATORS = ["xroute", "openai-compatible", "anyfast"]
TEXT = [{"type": "text", "text": "tea"}]
CODES = [
    ("rate_limit_exceeded", RateLimited),
    ("insufficient_quota", QuotaExceeded),
    ("content_filter", ContentRejected),
    ("ServerOverloaded", RateLimited),
    ("odd", InvalidRequest),
]


def chat(client):
    return client.chat(model="m", messages=HELLO)


def stream(client):
    return client.stream_chat(model="m", messages=HELLO)


def picture(**fields):
    return lambda client: client.create_images(**{"model": "seedream", "prompt": "tea", **fields})


def film(**fields):
    asked = {"model": "seedance-2.0", "content": TEXT, "duration": 5, **fields}
    return lambda client: client.create_video(**asked)


def events(gate, *said):
    lines = b"".join(b"data: %s\n\n" % json.dumps(each).encode() for each in said)
    gate.answers.append((200, {"Content-Type": "text/event-stream"}, lines))


@pytest.mark.parametrize(("code", "kind"), CODES)
@pytest.mark.parametrize("provider", IMITATORS)
def test_an_error_inside_a_stream_is_classed_by_the_gateways_codes(ask, gate, provider, code, kind):
    text = {"choices": [{"index": 0, "delta": {"content": "Hel"}}]}
    events(gate, text, {"error": {"code": code, "message": "No more."}})
    with pytest.raises(DoubaoError, match="No more") as caught:
        ask(gate.settings(provider), stream)
    assert (type(caught.value), caught.value.partial) == (kind, "Hel")
    assert (caught.value.code, caught.value.gateway) == (code, provider)


@pytest.mark.parametrize("provider", IMITATORS)
def test_a_stream_that_begins_with_a_used_up_quota_is_not_opened_again(ask, gate, provider, naps):
    """R000-30."""
    events(gate, {"error": {"code": "insufficient_quota", "message": "Pay first."}})
    with pytest.raises(QuotaExceeded):
        ask(gate.settings(provider, max_retries=2), stream)
    assert (len(gate.asked), naps) == (1, [])


@pytest.mark.parametrize("how", [chat, stream])
@pytest.mark.parametrize(("code", "kind"), CODES)
@pytest.mark.parametrize("provider", IMITATORS)
def test_an_error_under_a_good_status_is_classed_by_the_gateways_codes(
    ask, gate, provider, code, kind, how
):
    gate.answer({"error": {"code": code, "message": "No more."}})
    with pytest.raises(DoubaoError, match="No more") as caught:
        ask(gate.settings(provider), how)
    assert type(caught.value) is kind


@pytest.mark.parametrize("status", [502, 504])
@pytest.mark.parametrize(
    ("provider", "how", "body"),
    [
        ("anyfast", film(), {"error": {"code": "bad_gateway", "message": "Upstream."}}),
        ("agentsflare", film(), {"error": {"code": "BadGateway", "message": "Upstream."}}),
        ("doitong", picture(), {"errors": [{"message": "No.", "extensions": {"code": "BAD"}}]}),
        ("seedance2api", film(), {"status": "error", "error": {"code": "BAD", "message": "No."}}),
        ("vibegen", film(duration=8), {"error": "No."}),
    ],
)
def test_what_a_relay_lost_may_have_been_accepted_whatever_it_calls_it(
    ask, gate, status, provider, how, body
):
    """R003-25: 502 and 504 come from between, so the create is not sent again, and not a no."""
    gate.answer(body, status)
    with pytest.raises(AmbiguousSubmit) as caught:
        ask(gate.settings(provider, max_retries=2), how)
    assert caught.value.status == status
    assert len(gate.asked) == 1


def test_a_server_error_with_a_code_of_its_own_is_an_answer(ask, gate):
    """R004-30."""
    gate.answer({"status": "error", "error": {"code": "INTERNAL_ERROR", "message": "No."}}, 500)
    with pytest.raises(ServerError):
        ask(gate.settings("seedance2api", max_retries=2), film())
    assert len(gate.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"statusCode": 429, "message": "Insufficient balance"},
        {"error": {"code": "429", "message": "Your account balance is not enough"}},
        {"error": "insufficient balance"},
        {"message": "余额不足"},
    ],
)
def test_no_money_at_agentsflare_is_not_repeated_whatever_it_stands_in(ask, gate, body, naps):
    """R002-20: only the text tells it from a limit of the rate."""
    gate.answer(body, 429)
    with pytest.raises(InsufficientCredits) as caught:
        ask(gate.settings("agentsflare", max_retries=2), film())
    assert (len(gate.asked), naps, caught.value.status) == (1, [], 429)


@pytest.mark.parametrize("status", [200, 429])
def test_a_used_up_day_at_doitong_is_not_repeated_whatever_the_status(ask, gate, status, naps):
    """R003-23, R003-15: GraphQL servers refuse with 200 as well."""
    error = {"message": "Daily limit exceeded", "extensions": {"code": "RATE_LIMITED"}}
    gate.answer({"errors": [error]}, status)
    with pytest.raises(QuotaExceeded):
        ask(gate.settings("doitong", max_retries=2), picture())
    assert (len(gate.asked), naps) == (1, [])


class _Elsewhere(BaseHTTPRequestHandler):
    def _take(self):
        self.server.came.append(dict(self.headers))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def __getattr__(self, name):
        """Answer all methods of HTTP alike."""
        if not name.startswith("do_"):
            raise AttributeError(name)
        return self._take

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def elsewhere():
    """Run another server, which nobody should come to."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere) as server:
        server.came = []
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            yield server
        finally:
            server.shutdown()
            serving.join()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(
    ("provider", "how"),
    [
        ("xroute", chat),
        ("openai-compatible", stream),
        ("anyfast", film()),
        ("agentsflare", lambda client: client.get_video("cgt-1")),
        ("doitong", picture()),
        ("doitong-rest", picture()),
        ("seedance2api", lambda client: client.get_video("task-1")),
        ("seedance2api-x-api-key", film()),
        ("vibegen", film(duration=8)),
    ],
)
def test_a_redirect_is_not_followed_and_takes_no_key_along(
    ask, gate, elsewhere, status, provider, how
):
    """R000-25, R003-33."""
    gate.answer({}, status, Location=f"http://127.0.0.1:{elsewhere.server_port}/v1")
    with pytest.raises(DoubaoError):
        ask(gate.settings(provider), how)
    assert (len(gate.asked), elsewhere.came) == (1, [])


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text"},
        {"type": "image_url", "image_url": "https://pictures.example/a.png"},
        {"type": "image_url"},
        "tea",
    ],
)
def test_a_part_of_another_shape_is_an_error_of_ours_before_sending(ask, gate, part):
    """R004-19."""
    with pytest.raises(ConfigError, match="another shape than Ark"):
        ask(gate.settings("seedance2api"), film(content=[*TEXT, part]))
    assert gate.asked == []


@pytest.mark.parametrize("url", ["data:image/png;base64,iVBORw0KGgo=", "asset://a", "a.png"])
def test_a_picture_that_cannot_be_fetched_is_refused_before_sending(ask, gate, url):
    """R004-19: the page has a URL of a picture, and nothing for the picture itself."""
    part = {"type": "image_url", "image_url": {"url": url}}
    with pytest.raises(UnsupportedOperation, match="by its URL only"):
        ask(gate.settings("seedance2api"), film(content=[*TEXT, part]))
    assert gate.asked == []


def test_a_film_from_a_picture_alone_lacks_the_prompt_that_is_required(ask, gate):
    """R004-14, R004-19."""
    picture_alone = [{"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}}]
    with pytest.raises(ConfigError, match="prompt"):
        ask(gate.settings("seedance2api"), film(content=picture_alone))
    assert gate.asked == []


def test_a_warning_made_an_error_costs_no_credits(request, ask, gate):
    """R003-18: nothing was sent."""
    plan = Plan(name=request.node.nodeid, credits=10, credits_per_request=10)
    settings = gate.settings("seedance2api", plan=plan)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ProfileWarning)
        with pytest.raises(ProfileWarning):
            ask(settings, film(duration=31))
    gate.answer({"status": "accepted", "data": {"task_id": "t", "status": "queued"}})
    assert ask(settings, film()).id == "t"


@pytest.mark.parametrize("how", [chat, stream])
@pytest.mark.parametrize("provider", IMITATORS)
def test_every_failure_is_logged_and_no_secret_with_it(ask, gate, provider, how, caplog, naps):
    """R004-44: each attempt that is repeated, and the end; a program without logging shows none."""
    caplog.set_level("INFO", logger="doubao_core")
    settings = gate.settings(provider, max_retries=1)
    error = {"code": "rate_limit_exceeded", "message": f"Slow down, Bearer {settings['api_key']}."}
    for _ in range(2):
        gate.answer({"error": error}, 429)
    with pytest.raises(RateLimited):
        ask(settings, how)
    told = [each.getMessage() for each in caplog.records if each.name == "doubao_core"]
    assert len(told) == 2
    assert all(each.startswith("chat.create") and "HTTP 429" in each for each in told)
    assert provider in told[-1]
    assert settings["api_key"] not in caplog.text
    assert {each.levelname for each in caplog.records if each.name == "doubao_core"} == {"INFO"}


@pytest.mark.parametrize(("most", "asked"), [(1, 1), (2, 2)])
def test_the_second_look_up_of_a_result_counts_as_one_of_its_own(request, ask, gate, most, asked):
    """R004-33, R004-24: where look-ups count, both requests do."""
    limits = {"requests_per_hour": most, "count_look_ups": True, "patience": 0}
    plan = Plan(name=request.node.nodeid, **limits)
    done = {"task_id": "t", "status": "completed"}
    gate.answer(done)
    gate.answer({**done, "result": {"video_url": "https://films.example/a.mp4"}})
    settings = gate.settings("seedance2api", plan=plan)
    if asked == 2:
        assert ask(settings, lambda client: client.get_video("t")).video_url.endswith("a.mp4")
    with pytest.raises(QuotaExceeded):
        ask(settings, lambda client: client.get_video("t"))
    assert len(gate.asked) == asked


def test_pictures_without_an_address_are_no_success(ask, gate):
    """R004-12: paid and lost, so it is not a plain refusal."""
    shown = {"status": "success", "data": {"task_id": "t", "images": [{"id": "i", "url": None}]}}
    gate.answer(shown)
    with pytest.raises((AmbiguousSubmit, Malformed)):
        ask(gate.settings("seedance2api"), picture(model="seedream-4.5"))


PAGES = [
    b"<!DOCTYPE html><html><body><h1>404 Not Found</h1></body></html>",
    b"\n<html><head><title>404</title></head></html>",
    b"<pre>Cannot GET /byteplus/v3/contents/generations/tasks</pre>",
    b"Cannot DELETE /byteplus/v3/contents/generations/tasks/cgt-1",
    b'{"message": "Cannot GET /x", "error": "Not Found", "statusCode": 404}',
]
OPTIONAL = [
    pytest.param(lambda client: client.list_videos(), id="list"),
    pytest.param(lambda client: client.delete_video("cgt-1"), id="delete"),
]


@pytest.mark.parametrize("how", OPTIONAL)
@pytest.mark.parametrize("body", PAGES)
@pytest.mark.parametrize("status", [404, 405])
def test_a_path_that_the_proxy_lacks_is_an_operation_that_it_does_not_offer(
    ask, gate, how, body, status
):
    """R002-20: whatever the page looks like that its web server shows."""
    gate.answer(body, status, Content_Type="text/html")
    with pytest.raises(UnsupportedOperation) as caught:
        ask(gate.settings("agentsflare"), how)
    assert (caught.value.status, caught.value.gateway) == (status, "agentsflare")


@pytest.mark.parametrize("how", OPTIONAL)
def test_the_emulated_proxy_lacks_the_list_and_deleting(ask, at, how):
    with pytest.raises(UnsupportedOperation, match=r"Cannot (GET|DELETE) /"):
        ask(at("agentsflare"), how)


def test_a_task_that_the_proxy_does_not_know_is_not_found(ask, at, gate):
    """R002-20: in the upstream's words, whatever was asked."""
    with pytest.raises(NotFound):
        ask(at("agentsflare"), lambda client: client.get_video("cgt-of-nobody"))
    said = {"error": {"code": "NotFound.Task", "message": "The task does not exist."}}
    gate.answer(said, 404)
    with pytest.raises(NotFound) as caught:
        ask(gate.settings("agentsflare"), lambda client: client.delete_video("cgt-1"))
    assert type(caught.value) is NotFound
