"""Whatever fails is the same error of the core, after the same number of requests."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from doubao_core import errors

KEY = "ark-very-secret-key"


def refusal(code: str, kind: str, message: str = "No.") -> dict[str, Any]:
    """A body that is an error although its status says 200 (ark.md 2.3)."""
    text = f"{message} Request id: 0217abc"
    return {"error": {"code": code, "message": text, "param": "", "type": kind}}


# Fault, or body, or settings and question; class; status; code.
FAILURES: dict[str, tuple[Any, type[errors.DoubaoError], int | None, str | None]] = {
    "no key that the service knows": (
        {"api_key": "None"},
        errors.AuthenticationError,
        401,
        "AuthenticationError",
    ),
    "no such model": (
        {"model": "doubao-nope"},
        errors.NotFound,
        404,
        "InvalidEndpointOrModel.NotFound",
    ),
    "a model that is not open": (
        "model_not_open",
        errors.PermissionDenied,
        404,
        "ModelNotOpen",
    ),
    "too many requests": (
        "rate_limit",
        errors.RateLimited,
        429,
        "RateLimitExceeded.EndpointTPMExceeded",
    ),
    "a spent quota": ("quota", errors.QuotaExceeded, 429, "SetLimitExceeded"),
    "a failing service": ("server_error", errors.ServerError, 500, "InternalServiceError"),
    "bad JSON": ("malformed_json", errors.Malformed, None, None),
    "a lost connection": ("reset_before_answer", errors.ConnectionLost, None, None),
    "an overdue account": (
        refusal("AccountOverdueError", "Forbidden"),
        errors.InsufficientCredits,
        None,
        "AccountOverdueError",
    ),
    "no permission": (
        refusal("AccessDenied", "Forbidden"),
        errors.PermissionDenied,
        None,
        "AccessDenied",
    ),
    "a wrong argument": (
        refusal("InvalidParameter", "BadRequest"),
        errors.InvalidRequest,
        None,
        "InvalidParameter",
    ),
    "a prompt that is too long": (
        refusal("OutofContextError", "BadRequest"),
        errors.ContextOverflow,
        None,
        "OutofContextError",
    ),
    "too long, in other words": (
        refusal("InvalidParameter", "BadRequest", "Total tokens exceed max message tokens."),
        errors.ContextOverflow,
        None,
        "InvalidParameter",
    ),
    "refused content": (
        "EMULATED SENSITIVE CONTENT",
        errors.ContentRejected,
        400,
        "InputTextSensitiveContentDetected",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_failure_is_the_same_error(talk, name):
    """Shows R000-32."""
    cause, kind, status, code = FAILURES[name]
    settings, question, fault = {"api_key": KEY}, "Hi", nullcontext()
    if isinstance(cause, dict) and "error" in cause:
        talk.emulator.answer(**({"events": [cause]} if talk.streams else {"body": cause}))
    elif isinstance(cause, dict):
        settings |= cause
    elif cause.isupper():
        question = cause
    else:
        fault = talk.emulator.fault(cause)
    with fault, pytest.raises(errors.DoubaoError) as caught:
        await talk.ask(question, talk.make(**settings))
    error = caught.value
    assert isinstance(error, kind)
    assert type(error).__name__ == kind.__name__
    assert error.code == code
    if status is not None:
        assert error.status == error.status_code == status
    if code is not None:
        assert error.request_id
    assert KEY not in f"{error!r}{error}{vars(error)}"
    assert len(talk.emulator.requests) == 1


async def test_a_missing_key_is_told_before_anything_is_sent(talk):
    with pytest.raises(errors.ConfigError, match=r'ARK_API_KEY.*provider="emulator"'):
        await talk.ask(model=talk.make(api_key=None))
    assert not talk.emulator.requests


@pytest.mark.parametrize("retries", [0, 1, 3])
async def test_n_retries_are_n_more_requests(talk, retries):
    with talk.emulator.fault("rate_limit", retry_after=0), pytest.raises(errors.RateLimited):
        await talk.ask(model=talk.make(max_retries=retries))
    assert len(talk.emulator.requests) == retries + 1


async def test_two_retries_are_the_default(talk):
    with talk.emulator.fault("rate_limit", retry_after=0), pytest.raises(errors.RateLimited):
        await talk.ask(model=talk.make(max_retries=None))
    assert len(talk.emulator.requests) == 3


async def test_an_answer_after_a_retry_is_an_answer(talk):
    with talk.emulator.fault("rate_limit", retry_after=0, times=1):
        talk.emulator.answer("Hello.")
        assert (await talk.ask(model=talk.make(max_retries=1))).text == "Hello."
    first, second = talk.emulator.requests
    assert (first.body, first.size) == (second.body, second.size)


@pytest.mark.parametrize("fault", ["quota", "model_not_open"])
async def test_what_would_fail_again_is_not_repeated(talk, fault):
    with talk.emulator.fault(fault), pytest.raises(errors.RequestError):
        await talk.ask(model=talk.make(max_retries=3))
    assert len(talk.emulator.requests) == 1


async def test_a_silent_service_is_a_timeout_and_not_asked_again(talk):
    with talk.emulator.fault("stall"), pytest.raises(errors.Timeout):
        await talk.ask(model=talk.make(timeout=0.05, max_retries=3))
    assert len(talk.emulator.requests) == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("truncated_stream", errors.Truncated),
        ("reset_mid_stream", errors.Truncated),
        ("malformed_json", errors.Malformed),
        ("error_mid_stream", errors.ServerError),
    ],
)
async def test_a_stream_that_breaks_keeps_what_had_come(streamed, fault, kind):
    streamed.emulator.answer("The quick brown fox jumps over the lazy dog.")
    model = streamed.make(thinking="disabled", max_retries=3)
    with streamed.emulator.fault(fault, after_events=3), pytest.raises(kind) as caught:
        await streamed.ask(model=model)
    assert type(caught.value).__name__ == kind.__name__
    assert caught.value.partial
    assert "The quick brown fox jumps over".startswith(caught.value.partial)
    assert len(streamed.emulator.requests) == 1


@pytest.mark.parametrize("ending", [[], ["[DONE]"]], ids=["no end", "no finish reason"])
async def test_half_a_call_is_no_answer(streamed, ending):
    fragment = {"index": 0, "id": "call_1", "function": {"name": "get_time", "arguments": "{"}}
    deltas = [{"content": "Look."}, {"tool_calls": [fragment]}]
    events = [{"id": "0217", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    streamed.emulator.answer(events=[*events, *ending])
    with pytest.raises(errors.Truncated) as caught:
        await streamed.ask()
    assert caught.value.partial == "Look."


async def test_a_stream_that_never_began_is_asked_for_again(streamed):
    streamed.emulator.answer("Hello.")
    with streamed.emulator.fault("reset_before_answer", times=1):
        assert (await streamed.ask(model=streamed.make(max_retries=1))).text == "Hello."
    assert len(streamed.emulator.requests) == 2
