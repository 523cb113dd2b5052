"""Every fault of the emulator, by both drivers: what is repeated, raised and kept."""

from __future__ import annotations

import httpx
import pytest

from doubao_core import (
    AmbiguousSubmit,
    ConnectionFailed,
    ConnectionLost,
    DoubaoError,
    Malformed,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    ServerError,
    Stalled,
    Timeout,
    Truncated,
)

SEED = "doubao-seed-2-1-pro-260915"
CHAT = {"model": SEED, "messages": [{"role": "user", "content": "Hello"}]}
FILM = {
    "model": "doubao-seedance-2-0-fast-260128",
    "content": [{"type": "text", "text": "A cat yawns"}],
}
PICTURES = {
    "model": "doubao-seedream-4-0-250828",
    "prompt": "two cats",
    "size": "1K",
    "sequential_image_generation": "auto",
    "sequential_image_generation_options": {"max_images": 2},
}
WORDS = "one two three four five six"

PAID = {
    "film": lambda client: client.create_video(**FILM),
    "pictures": lambda client: client.create_images(**PICTURES),
    "picture stream": lambda client: list(client.stream_images(**PICTURES)),
    "upload": lambda client: client.upload_file(b"x", filename="a.txt"),
}
SAFE = {
    "chat": lambda client: client.chat(**CHAT),
    "chat stream": lambda client: list(client.stream_chat(**CHAT)),
    "task": lambda client: client.list_videos(),
    "models": lambda client: client.list_models(),
}
paid = pytest.mark.parametrize("call", PAID.values(), ids=PAID)
safe = pytest.mark.parametrize("call", SAFE.values(), ids=SAFE)


def posts(emulator):
    return sum(request.method == "POST" for request in emulator.requests)


def collect(stream):
    """Read a stream to its failure; gives what had come, and the failure."""
    events = []
    try:
        events.extend(stream)
    except DoubaoError as error:
        return events, error
    return events, None


@paid
@pytest.mark.parametrize("fault", ["lost_answer", "reset_before_answer"])
def test_a_paid_request_whose_answer_was_lost_is_sent_once(client, emulator, naps, call, fault):
    with emulator.fault(fault), pytest.raises(AmbiguousSubmit) as caught:
        call(client)
    assert (len(emulator.requests), naps) == (1, [])
    assert caught.value.gateway == "ark"
    assert caught.value.intent["operation"] == caught.value.operation
    assert isinstance(caught.value.__cause__, ConnectionLost)


def test_a_lost_answer_to_a_paid_create_leaves_one_task_that_can_be_found(client, emulator):
    with emulator.fault("lost_answer"), pytest.raises(AmbiguousSubmit) as caught:
        client.create_video(**FILM)
    assert caught.value.intent == {"operation": "videos.create", "body": FILM}
    assert posts(emulator) == 1
    assert client.list_videos().total == 1


@paid
def test_a_gateway_failure_after_a_paid_request_is_ambiguous(client, emulator, naps, call):
    with emulator.fault("server_error", status=502), pytest.raises(AmbiguousSubmit) as caught:
        call(client)
    assert (len(emulator.requests), naps, caught.value.status) == (1, [], 502)


@paid
def test_a_failure_that_the_service_reports_itself_is_not_ambiguous(client, emulator, naps, call):
    with emulator.fault("server_error"), pytest.raises(ServerError) as caught:
        call(client)
    assert (len(emulator.requests), naps) == (1, [])
    assert caught.value.code == "InternalServiceError"


@paid
def test_a_paid_request_that_was_refused_for_its_rate_is_sent_again(client, emulator, naps, call):
    with emulator.fault("rate_limit", times=1):
        call(client)
    assert (posts(emulator), len(naps)) == (2, 1)


@pytest.mark.parametrize("call", list(PAID.values())[:2], ids=list(PAID)[:2])
def test_a_paid_answer_that_cannot_be_read_is_ambiguous(client, emulator, naps, call):
    with emulator.fault("malformed_json"), pytest.raises(AmbiguousSubmit) as caught:
        call(client)
    assert isinstance(caught.value.__cause__, Malformed)
    assert (len(emulator.requests), naps) == (1, [])


@paid
def test_a_paid_request_that_times_out_is_ambiguous(make_client, emulator, naps, call):
    client = make_client(base_url=emulator.base_url, timeout=0.15)
    with emulator.fault("stall"), pytest.raises(AmbiguousSubmit) as caught:
        call(client)
    assert isinstance(caught.value.__cause__, Timeout)
    assert (len(emulator.requests), naps) == (1, [])


@safe
@pytest.mark.parametrize(
    "fault", ["reset_before_answer", "lost_answer", "server_error", "rate_limit"]
)
def test_a_safe_request_outlives_two_failures(client, emulator, naps, call, fault):
    with emulator.fault(fault, times=2):
        assert call(client)
    assert (len(emulator.requests), len(naps)) == (3, 2)
    assert 0.375 <= naps[0] <= 0.5
    assert 0.75 <= naps[1] <= 1.0
    ids = [request.headers["x-client-request-id"] for request in emulator.requests]
    assert len(set(ids)) == 3


@safe
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_safe_request_is_sent_once_more_than_its_retries(
    make_client, emulator, naps, call, retries
):
    client = make_client(base_url=emulator.base_url, max_retries=retries)
    with emulator.fault("server_error", status=503), pytest.raises(ServerError) as caught:
        call(client)
    assert (len(emulator.requests), len(naps)) == (retries + 1, retries)
    assert (caught.value.status, caught.value.code, caught.value.gateway) == (503, None, "ark")


@safe
def test_a_connection_that_keeps_dying_is_reported(client, emulator, call):
    with emulator.fault("reset_before_answer"), pytest.raises(ConnectionLost) as caught:
        call(client)
    assert len(emulator.requests) == 3
    assert (caught.value.gateway, caught.value.status) == ("ark", None)
    assert caught.value.operation


@safe
def test_retry_after_is_obeyed(client, emulator, naps, call):
    with emulator.fault("rate_limit", times=1, retry_after=7):
        assert call(client)
    assert naps == [7.0]


@safe
def test_a_retry_after_beyond_patience_gives_up_at_once(client, emulator, naps, call):
    with emulator.fault("rate_limit", retry_after=121), pytest.raises(RateLimited) as caught:
        call(client)
    assert (len(emulator.requests), naps, caught.value.retry_after) == (1, [], 121.0)


@safe
@pytest.mark.parametrize("code", ["SetLimitExceeded", "QuotaExceeded", "AccountQuotaExceeded"])
def test_a_quota_is_never_tried_again(client, emulator, naps, call, code):
    with emulator.fault("quota", code=code), pytest.raises(QuotaExceeded) as caught:
        call(client)
    assert (len(emulator.requests), naps) == (1, [])
    assert (caught.value.status, caught.value.code) == (429, code)


@safe
def test_a_model_that_is_not_open_is_not_tried_again(client, emulator, naps, call):
    with emulator.fault("model_not_open"), pytest.raises(PermissionDenied):
        call(client)
    assert (len(emulator.requests), naps) == (1, [])


@pytest.mark.parametrize("name", ["chat", "task", "models"])
def test_an_answer_that_is_not_json_is_malformed_and_not_asked_for_again(
    client, emulator, naps, name
):
    with emulator.fault("malformed_json"), pytest.raises(Malformed, match="not JSON") as caught:
        SAFE[name](client)
    assert (len(emulator.requests), naps, caught.value.gateway) == (1, [], "ark")


@pytest.mark.parametrize("after", [1, 4])
@pytest.mark.parametrize(
    ("fault", "params", "kind"),
    [
        ("reset_mid_stream", {}, Truncated),
        ("truncated_stream", {}, Truncated),
        ("truncated_stream", {"cut": True}, Truncated),
        ("error_mid_stream", {}, ServerError),
        ("error_mid_stream", {"code": "ServerOverloaded"}, RateLimited),
        ("malformed_json", {}, Malformed),
    ],
)
def test_a_stream_that_breaks_after_an_event_fails_once_and_keeps_what_came(
    client, emulator, naps, after, fault, params, kind
):
    emulator.answer(WORDS)
    with emulator.fault(fault, after_events=after, **params):
        events, failure = collect(client.stream_chat(**CHAT))
    assert type(failure) is kind
    # A reset may overtake bytes that were sent before it.
    assert len(events) == after or fault == "reset_mid_stream"
    assert failure.partial == "".join(event.content for event in events)
    assert (failure.gateway, failure.operation) == ("ark", "chat.create")
    assert (len(emulator.requests), naps) == (1, [])


@pytest.mark.parametrize(
    ("fault", "params"),
    [
        ("reset_mid_stream", {}),
        ("truncated_stream", {}),
        ("truncated_stream", {"cut": True}),
        ("error_mid_stream", {}),
        ("error_mid_stream", {"code": "ServerOverloaded"}),
    ],
)
def test_a_stream_that_breaks_before_its_first_event_is_opened_again(
    client, emulator, naps, fault, params
):
    with emulator.fault(fault, times=1, after_events=0, **params):
        events, failure = collect(client.stream_chat(**CHAT))
    assert failure is None
    assert events[-1].finish_reason == "stop"
    assert (len(emulator.requests), len(naps)) == (2, 1)


def test_a_stream_that_keeps_breaking_is_given_up(client, emulator, naps):
    with emulator.fault("truncated_stream", after_events=0):
        events, failure = collect(client.stream_chat(**CHAT))
    assert (events, type(failure), failure.partial) == ([], Truncated, "")
    assert (len(emulator.requests), len(naps)) == (3, 2)


def test_an_event_without_its_blank_line_counts_as_come(client, emulator, naps):
    """It is given out when the body ends, and a stream is never opened again after that."""
    emulator.answer(events=[b'data: {"choices":[{"delta":{"content":"a"}}]}'])
    events, failure = collect(client.stream_chat(**CHAT))
    assert ([event.content for event in events], failure.partial) == (["a"], "a")
    assert type(failure) is Truncated
    assert (len(emulator.requests), naps) == (1, [])


def test_what_comes_after_the_end_marker_does_not_matter(client, emulator):
    good = ['{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}', "[DONE]", "{broken"]
    emulator.answer(events=good)
    events, failure = collect(client.stream_chat(**CHAT))
    assert (len(events), failure) == (1, None)


@pytest.mark.parametrize(
    ("fault", "after", "kept"),
    [("truncated_stream", 1, 1), ("reset_mid_stream", 1, 1), ("error_mid_stream", 1, 1)],
)
def test_a_picture_stream_that_breaks_gives_out_what_was_paid(client, emulator, fault, after, kept):
    with emulator.fault(fault, after_events=after):
        events, failure = collect(client.stream_images(**PICTURES))
    assert isinstance(failure, (AmbiguousSubmit, ServerError))
    assert len(events) == kept or fault == "reset_mid_stream"
    assert posts(emulator) == 1


@pytest.mark.parametrize("name", ["chat", "chat stream", "models"])
def test_a_server_that_says_nothing_is_a_timeout_and_not_asked_again(
    make_client, emulator, naps, name
):
    client = make_client(base_url=emulator.base_url, timeout=0.15)
    with emulator.fault("stall"), pytest.raises(Timeout) as caught:
        SAFE[name](client)
    assert type(caught.value) is Timeout
    assert (len(emulator.requests), naps, caught.value.gateway) == (1, [], "ark")


def test_a_stream_that_falls_silent_is_a_timeout_that_keeps_what_came(make_client, emulator):
    emulator.answer(WORDS)
    client = make_client(base_url=emulator.base_url, timeout=0.15)
    with emulator.fault("stall", after_events=5):
        events, failure = collect(client.stream_chat(**CHAT))
    assert type(failure) is Timeout
    assert len(events) == 5
    assert failure.partial == "".join(event.content for event in events)


def test_a_stream_that_only_sends_comments_is_stalled(make_client, emulator):
    emulator.answer(
        events=['{"choices":[{"delta":{"content":"a"}}]}', *[b": ping\n\n"] * 200], interval=0.02
    )
    client = make_client(base_url=emulator.base_url, timeout=0.15)
    events, failure = collect(client.stream_chat(**CHAT))
    assert type(failure) is Stalled
    assert (len(events), failure.partial) == (1, "a")


def test_comments_between_events_do_no_harm(make_client, emulator):
    good = ['{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}', "[DONE]"]
    emulator.answer(events=[*[b": ping\n\n"] * 3, *good], interval=0.02)
    client = make_client(base_url=emulator.base_url, timeout=0.15)
    events, failure = collect(client.stream_chat(**CHAT))
    assert (len(events), failure) == (1, None)


def test_a_plain_answer_to_a_streamed_request_is_malformed(client, emulator, naps):
    emulator.answer(body={"choices": []})
    events, failure = collect(client.stream_chat(**CHAT))
    assert (events, type(failure)) == ([], Malformed)
    assert "asked for an event stream, got 'application/json" in str(failure)
    assert naps == []


def test_an_error_under_status_200_is_raised_for_a_stream_too(client, emulator):
    emulator.answer(body={"error": {"code": "ModelNotOpen", "message": "no"}})
    events, failure = collect(client.stream_chat(**CHAT))
    assert (events, type(failure), failure.code) == ([], PermissionDenied, "ModelNotOpen")


@pytest.mark.parametrize("call", [*PAID.values(), *SAFE.values()], ids=[*PAID, *SAFE])
def test_a_refused_connection_is_tried_again_even_if_paid(make_client, unused_port, naps, call):
    client = make_client(base_url=f"http://127.0.0.1:{unused_port}/api/v3")
    with pytest.raises(ConnectionFailed, match="cannot connect") as caught:
        call(client)
    assert (len(naps), caught.value.gateway, caught.value.status) == (2, "ark", None)


@pytest.fixture
def unused_port():
    """Find a port on which nobody listens."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("body", [b"<html>Hello</html>", b"", b"[]"])
def test_a_page_in_the_place_of_a_stream_is_named(answering, body):
    def answer(request):
        return httpx.Response(200, content=body, headers={"content-type": "text/html"})

    with pytest.raises(Malformed, match="asked for an event stream, got 'text/html'"):
        list(answering(answer).stream_chat(**CHAT))


def test_the_content_type_of_a_stream_may_be_in_any_case(answering):
    def answer(request):
        body = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
        kind = "Text/Event-Stream; Charset=UTF-8"
        return httpx.Response(200, content=body, headers={"content-type": kind})

    assert list(answering(answer).stream_chat(**CHAT))[-1].finish_reason == "stop"
