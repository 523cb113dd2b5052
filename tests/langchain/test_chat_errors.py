"""Every failure is the core's error and LangChain's at once, and says what is known of it."""

from __future__ import annotations

import inspect
import pickle
import socket
import time
import traceback
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from langchain_core import exceptions as chain
from langchain_core.callbacks import BaseCallbackHandler

from doubao_core import errors as core
from langchain_doubao import ChatDoubao, errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doubao_emulator import Emulator

CORE = [
    kind
    for _, kind in inspect.getmembers(core, inspect.isclass)
    if kind.__module__ == core.__name__ and issubclass(kind, core.DoubaoError)
]


@pytest.mark.parametrize("kind", CORE)
def test_each_core_error_has_a_class_that_is_both(kind: type[core.DoubaoError]) -> None:
    """And it keeps its fields, also through a pickle."""
    error = kind("It broke.", status=418, code="Teapot", param="pot", request_id="0217", body={})
    error.partial = "half"
    twin = errors.both(error)
    assert type(twin).__name__ == kind.__name__
    assert isinstance(twin, kind)
    assert isinstance(twin, chain.ModelError)
    assert vars(twin) == vars(error)
    assert str(twin) == str(error)
    # Made two lines above.
    assert vars(pickle.loads(pickle.dumps(twin))) == vars(error)  # noqa: S301
    assert twin.response.status_code == twin.status_code == 418
    assert twin.response.headers["x-request-id"] == "0217"


def test_an_error_without_an_answer_shows_no_response() -> None:
    assert not hasattr(errors.both(core.ConnectionFailed("no route")), "response")


PROMPT = "What does the heron say?"
KEY = "sk-7f6e5d4c3b2a1908"
WAYS = ("invoke", "stream", "ainvoke", "astream")


async def asked(model: ChatDoubao, way: str, prompt: str = PROMPT) -> None:
    """Use a model in one of four ways, to the end."""
    if way == "invoke":
        model.invoke(prompt)
    elif way == "stream":
        list(model.stream(prompt))
    elif way == "ainvoke":
        await model.ainvoke(prompt)
    else:
        [_ async for _ in model.astream(prompt)]


class Failure(NamedTuple):
    """A way to fail, and what it is raised as.

    The cause is a fault with its parameters, an answer's body, or fields of the model.
    """

    theirs: type[chain.ModelError]
    ours: type[core.DoubaoError]
    retryable: bool
    status: int | None = None
    code: str | None = None
    param: str | None = None
    fault: dict[str, Any] = {}  # noqa: RUF012 - never changed
    error: dict[str, Any] | None = None
    body: dict[str, Any] | None = None
    model: dict[str, Any] = {}  # noqa: RUF012 - never changed

    @contextmanager
    def caused(self, emulator: Emulator) -> Iterator[None]:
        body = {"error": {"message": "No.", **self.error}} if self.error else self.body
        if body:
            emulator.answer(body=body)
        with emulator.fault(**self.fault) if self.fault else nullcontext():
            yield


OVERFLOW = "Total tokens of image and text exceed max message tokens"
FAILURES = {
    "wrong key": Failure(
        chain.ModelAuthenticationError,
        core.AuthenticationError,
        False,
        401,
        "AuthenticationError",
        model={"api_key": "None"},
    ),
    "overdue": Failure(
        chain.ModelPermissionDeniedError,
        core.InsufficientCredits,
        False,
        200,
        "AccountOverdueError",
        error={"code": "AccountOverdueError"},
    ),
    "forbidden": Failure(
        chain.ModelPermissionDeniedError,
        core.PermissionDenied,
        False,
        403,
        fault={"name": "server_error", "status": 403},
    ),
    "model not open": Failure(
        chain.ModelPermissionDeniedError,
        core.PermissionDenied,
        False,
        404,
        "ModelNotOpen",
        fault={"name": "model_not_open"},
    ),
    "wrong value": Failure(
        chain.ModelInvalidRequestError,
        core.InvalidRequest,
        False,
        400,
        "InvalidParameter",
        "temperature",
        model={"extra_body": {"temperature": 3}},
    ),
    "unprocessable": Failure(
        chain.ModelInvalidRequestError,
        core.InvalidRequest,
        False,
        422,
        fault={"name": "server_error", "status": 422},
    ),
    "refused content": Failure(
        chain.ModelInvalidRequestError,
        core.ContentRejected,
        False,
        200,
        "InputTextSensitiveContentDetected",
        error={"code": "InputTextSensitiveContentDetected"},
    ),
    "overflow by code": Failure(
        chain.ContextOverflowError,
        core.ContextOverflow,
        False,
        200,
        "OutofContextError",
        error={"code": "OutofContextError"},
    ),
    "overflow by text": Failure(
        chain.ContextOverflowError,
        core.ContextOverflow,
        False,
        200,
        "InvalidParameter",
        "messages",
        error={"code": "InvalidParameter", "message": OVERFLOW, "param": "messages"},
    ),
    "no such model": Failure(
        chain.ModelNotFoundError,
        core.NotFound,
        False,
        404,
        "InvalidEndpointOrModel.NotFound",
        model={"model": "doubao-nope"},
    ),
    **{
        code: Failure(
            chain.ModelRateLimitError,
            core.RateLimited,
            True,
            429,
            code,
            fault={"name": "rate_limit", "code": code},
        )
        for code in ("RateLimitExceeded.EndpointTPMExceeded", "ServerOverloaded")
    },
    **{
        code: Failure(
            chain.ModelRateLimitError,
            core.QuotaExceeded,
            False,
            429,
            code,
            fault={"name": "quota", "code": code},
        )
        for code in ("SetLimitExceeded", "AccountQuotaExceeded", "QuotaExceeded")
    },
    "server error": Failure(
        chain.ModelAPIError,
        core.ServerError,
        True,
        500,
        "InternalServiceError",
        fault={"name": "server_error"},
    ),
    "bad gateway": Failure(
        chain.ModelAPIError,
        core.ServerError,
        True,
        502,
        fault={"name": "server_error", "status": 502},
    ),
    "broken JSON": Failure(
        chain.ModelAPIError, core.Malformed, True, fault={"name": "malformed_json"}
    ),
    "no choices": Failure(chain.ModelAPIError, core.Malformed, True, body={"choices": []}),
    "reset": Failure(
        chain.ModelConnectionError,
        core.ConnectionLost,
        True,
        fault={"name": "reset_before_answer"},
    ),
    "no byte": Failure(
        chain.ModelTimeoutError,
        core.Timeout,
        True,
        fault={"name": "stall"},
        model={"timeout": 0.05},
    ),
}
IN_A_STREAM = {
    "server error": Failure(
        chain.ModelAPIError,
        core.ServerError,
        True,
        code="InternalServiceError",
        fault={"name": "error_mid_stream", "after_events": 2},
    ),
    "refused content": Failure(
        chain.ModelInvalidRequestError,
        core.ContentRejected,
        False,
        code="OutputTextSensitiveContentDetected",
        fault={
            "name": "error_mid_stream",
            "after_events": 2,
            "code": "OutputTextSensitiveContentDetected",
        },
    ),
    "reset": Failure(
        chain.ModelConnectionError,
        core.Truncated,
        True,
        fault={"name": "reset_mid_stream", "after_events": 2},
    ),
    "no end marker": Failure(
        chain.ModelConnectionError,
        core.Truncated,
        True,
        fault={"name": "truncated_stream", "after_events": 2},
    ),
    "no byte": Failure(
        chain.ModelTimeoutError,
        core.Timeout,
        True,
        fault={"name": "stall", "after_events": 2},
        model={"timeout": 0.05},
    ),
}
EVERY = [
    *((f"{name}, {way}", failure, way) for name, failure in FAILURES.items() for way in WAYS),
    *(
        (f"{name} in a stream, {way}", failure, way)
        for name, failure in IN_A_STREAM.items()
        for way in ("stream", "astream")
    ),
]


@pytest.mark.parametrize(
    ("failure", "way"), [each[1:] for each in EVERY], ids=[each[0] for each in EVERY]
)
async def test_a_failure_is_raised_as_both_and_says_what_is_known(
    failure: Failure, way: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """The row of langchain.md 12, and no text of it shows the key or the prompt."""
    model = chat(**{"api_key": KEY, **failure.model})
    with failure.caused(emulator), pytest.raises(failure.theirs) as caught:
        await asked(model, way)
    error = caught.value
    assert isinstance(error, failure.ours)
    assert error.is_retryable is failure.retryable
    assert error.gateway == "ark"
    assert (error.code, error.param) == (failure.code, failure.param)
    if failure.code is not None:
        assert error.request_id
    if failure.status is not None:
        assert error.response.status_code == error.status_code == failure.status
        assert error.response.json() == {"error": error.body}
        assert error.response.headers["x-request-id"] == error.request_id
    shown = f"{error} {vars(error)} {error!r} {traceback.format_exception(error)}"
    assert KEY not in shown
    assert PROMPT not in shown


@pytest.mark.parametrize("way", WAYS)
async def test_a_service_that_is_not_there_is_a_connection_error(way: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    model = ChatDoubao(model="ep-1", api_key=KEY, base_url=f"http://127.0.0.1:{port}/api/v3")
    model.max_retries = 0
    with pytest.raises(chain.ModelConnectionError) as caught:
        await asked(model, way)
    assert isinstance(caught.value, core.ConnectionFailed)
    assert caught.value.is_retryable
    assert (caught.value.status_code, caught.value.request_id) == (None, None)
    assert not hasattr(caught.value, "response")
    assert KEY not in f"{vars(caught.value)} {traceback.format_exception(caught.value)}"


def test_a_limit_above_the_models_own_is_no_overflow(chat: Callable[..., ChatDoubao]) -> None:
    """Summarizing the conversation would not help."""
    with pytest.raises(chain.ModelInvalidRequestError) as caught:
        chat(max_tokens=10**9).invoke("Hi")
    assert not isinstance(caught.value, chain.ContextOverflowError)
    assert caught.value.param == "max_tokens"


def test_a_missing_key_is_an_error_before_anything_is_sent(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    with pytest.raises(ValueError, match=r'ARK_API_KEY.*provider="emulator"'):
        chat(api_key=None).invoke("Hi")
    with pytest.raises(errors.ConfigError, match="header"):
        chat(api_key=" ").invoke("Hi")
    assert emulator.requests == []


@pytest.mark.parametrize("fault", ["reset_mid_stream", "truncated_stream", "error_mid_stream"])
async def test_a_stream_that_breaks_is_never_a_success(
    fault: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """The text that had come is on the error, and was given out before it."""
    prompt = "The quick brown fox jumps over the lazy dog. Which animal jumps over the dog?"
    model = chat(thinking="disabled", max_retries=2)
    seen: list[str] = []
    with emulator.fault(fault, after_events=2):
        with pytest.raises(chain.ModelError) as caught:
            seen.extend(chunk.text for chunk in model.stream(prompt))
        with pytest.raises(chain.ModelError) as acaught:
            await asked(model, "astream", prompt)
    assert seen
    assert caught.value.is_retryable
    assert caught.value.partial == acaught.value.partial == "".join(seen)
    assert len(emulator.requests) == 2


async def test_filtered_content_is_a_message(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    emulator.answer("I will", finish_reason="content_filter", times=2)
    for message in (chat().invoke("Hi"), await chat().ainvoke("Hi")):
        assert message.text == "I will"
        assert message.response_metadata["finish_reason"] == "content_filter"


@pytest.mark.parametrize("way", WAYS)
async def test_failures_are_traced_with_what_the_service_said(
    way: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    class Traced(BaseCallbackHandler):
        response: Any = None

        def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
            self.response = kwargs["response"]

    traced = Traced()
    with emulator.fault("quota"), pytest.raises(core.QuotaExceeded) as caught:
        await asked(chat(callbacks=[traced]), way)
    metadata = traced.response.generations[0][0].message.response_metadata
    assert metadata["status_code"] == 429
    assert metadata["request_id"] == caught.value.request_id
    assert metadata["body"]["error"]["code"] == caught.value.code


@pytest.mark.parametrize("way", WAYS)
async def test_the_models_own_retries_honour_retry_after(
    way: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    started = time.monotonic()
    with emulator.fault("rate_limit", times=1, retry_after=0.05):
        await asked(chat(max_retries=1), way)
    assert time.monotonic() - started >= 0.05
    assert len(emulator.requests) == 2
