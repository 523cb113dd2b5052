"""Every failure is the core's error and LangChain's at once, and middleware acts on it."""

from __future__ import annotations

import inspect
import pickle
import time
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core import exceptions as chain
from langchain_core.callbacks import BaseCallbackHandler

from doubao_core import errors as core
from langchain_doubao import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao

CORE = [
    kind
    for _, kind in inspect.getmembers(core, inspect.isclass)
    if kind.__module__ == core.__name__
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


def body(code: str, message: str = "No.") -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "param": "", "type": "x"}}


OVERFLOW = "Total tokens of image and text exceed max message tokens"
# fault or body, LangChain's class, the core's class, whether a retry may help
FAILURES: dict[str, tuple[Any, type, type, bool]] = {
    "rate_limit": ("rate_limit", chain.ModelRateLimitError, core.RateLimited, True),
    "quota": ("quota", chain.ModelRateLimitError, core.QuotaExceeded, False),
    "server_error": ("server_error", chain.ModelAPIError, core.ServerError, True),
    "model_not_open": (
        "model_not_open",
        chain.ModelPermissionDeniedError,
        core.PermissionDenied,
        False,
    ),
    "reset_before_answer": (
        "reset_before_answer",
        chain.ModelConnectionError,
        core.DoubaoError,
        True,
    ),
    "malformed_json": ("malformed_json", chain.ModelAPIError, core.Malformed, True),
    "overflow by code": (
        body("OutofContextError"),
        chain.ContextOverflowError,
        core.ContextOverflow,
        False,
    ),
    "overflow by text": (
        body("InvalidParameter", OVERFLOW),
        chain.ContextOverflowError,
        core.ContextOverflow,
        False,
    ),
    "refused content": (
        body("InputTextSensitiveContentDetected"),
        chain.ModelInvalidRequestError,
        core.ContentRejected,
        False,
    ),
    "no choices": ({"choices": []}, chain.ModelAPIError, core.Malformed, True),
}


def failing(emulator: Emulator, failure: Any) -> Any:
    from contextlib import nullcontext

    if isinstance(failure, str):
        return emulator.fault(failure)
    emulator.answer(body=failure, times=4)
    return nullcontext()


@pytest.mark.parametrize("name", FAILURES)
async def test_a_failure_is_raised_as_both(
    name: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    failure, theirs, ours, retryable = FAILURES[name]
    model = chat()
    with failing(emulator, failure):
        raised = []
        for call in (lambda: model.invoke("Hi"), lambda: list(model.stream("Hi"))):
            with pytest.raises(theirs) as caught:
                call()
            raised.append(caught.value)
        with pytest.raises(theirs) as caught:
            await model.ainvoke("Hi")
        raised.append(caught.value)
        with pytest.raises(theirs) as caught:
            [_ async for _ in model.astream("Hi")]
        raised.append(caught.value)
    for error in raised:
        assert isinstance(error, ours)
        assert error.is_retryable is retryable
        assert "test-key" not in repr(vars(error)) + str(error)


def test_a_limit_above_the_models_own_is_no_overflow(chat: Callable[..., ChatDoubao]) -> None:
    """Summarizing the conversation would not help."""
    with pytest.raises(chain.ModelInvalidRequestError) as caught:
        chat(max_tokens=10**9).invoke("Hi")
    assert not isinstance(caught.value, chain.ContextOverflowError)
    assert caught.value.param == "max_tokens"


def test_a_wrong_key_a_missing_model_and_a_missing_key(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    with pytest.raises(chain.ModelNotFoundError) as caught:
        chat(model="doubao-nope").invoke("Hi")
    assert caught.value.status_code == 404
    assert caught.value.code == "InvalidEndpointOrModel.NotFound"
    assert caught.value.request_id
    with pytest.raises(ValueError, match=r'ARK_API_KEY.*provider="emulator"'):
        chat(api_key=None).invoke("Hi")
    with pytest.raises(errors.ConfigError, match="header"):
        chat(api_key=" ").invoke("Hi")


@pytest.mark.parametrize("fault", ["reset_mid_stream", "truncated_stream", "error_mid_stream"])
async def test_a_stream_that_breaks_is_never_a_success(
    fault: str, emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """The text that had come is on the error, and was given out before it."""
    prompt = "The quick brown fox jumps over the lazy dog. Which animal jumps over the dog?"
    model = chat(thinking="disabled", max_retries=2)
    seen: list[str] = []

    def read() -> None:
        seen.extend(chunk.text for chunk in model.stream(prompt))

    async def aread() -> None:
        [_ async for _ in model.astream(prompt)]

    with emulator.fault(fault, after_events=2):
        with pytest.raises(chain.ModelError) as caught:
            read()
        with pytest.raises(chain.ModelError) as acaught:
            await aread()
    assert seen
    assert caught.value.is_retryable
    assert caught.value.partial == acaught.value.partial == "".join(seen)
    assert len(emulator.requests) == 2


def test_filtered_content_is_a_message(emulator: Emulator, chat: Callable[..., ChatDoubao]) -> None:
    emulator.answer("I will", finish_reason="content_filter")
    message = chat().invoke("Hi")
    assert message.text == "I will"
    assert message.response_metadata["finish_reason"] == "content_filter"


def test_failures_are_traced_with_what_the_service_said(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    class Traced(BaseCallbackHandler):
        response: Any = None

        def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
            self.response = kwargs["response"]

    traced = Traced()
    with emulator.fault("quota"), pytest.raises(core.QuotaExceeded) as caught:
        chat().invoke("Hi", {"callbacks": [traced]})
    metadata = traced.response.generations[0][0].message.response_metadata
    assert metadata["status_code"] == 429
    assert metadata["request_id"] == caught.value.request_id
    assert metadata["body"]["error"]["code"] == caught.value.code


def test_retry_middleware_repeats_what_may_help_only(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    from langchain.agents import create_agent
    from langchain.agents.middleware import ModelRetryMiddleware

    retry = ModelRetryMiddleware(max_retries=2, initial_delay=0.0, jitter=False, on_failure="error")
    agent = create_agent(chat(), [], middleware=[retry])
    question = {"messages": [("user", "Hello")]}
    with emulator.fault("server_error", times=2):
        assert agent.invoke(question)["messages"][-1].text
    assert len(emulator.requests) == 3
    with emulator.fault("quota"), pytest.raises(chain.ModelRateLimitError):
        agent.invoke(question)
    assert len(emulator.requests) == 4


def test_fallbacks_and_retries_of_runnables_see_the_classes(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """``with_fallbacks`` and ``with_retry`` are told LangChain's classes or the core's."""
    limited, spare = chat(), chat(model="doubao-seed-2-1-pro-260915")
    with emulator.fault("rate_limit", times=1):
        safe = limited.with_fallbacks([spare], exceptions_to_handle=(chain.ModelRateLimitError,))
        message = safe.invoke("Hello")
    assert message.response_metadata["model_name"] == "doubao-seed-2-1-pro-260915"
    with emulator.fault("rate_limit", times=1):
        again = limited.with_retry(
            retry_if_exception_type=(core.RateLimited,),
            wait_exponential_jitter=False,
            stop_after_attempt=2,
        )
        assert again.invoke("Hello").text


def test_a_summary_that_overflows_is_asked_for_again(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """Summarization recognizes the class, and asks with fewer messages."""
    from langchain.agents import create_agent
    from langchain.agents.middleware import SummarizationMiddleware

    middle = SummarizationMiddleware(chat(), trigger=("messages", 5), keep=("messages", 1))
    emulator.answer(body=body("OutofContextError"))
    emulator.answer("They greeted each other.")
    emulator.answer("Bye.")
    history = [
        ("user", "Hello"),
        ("ai", "Hello!"),
        ("user", "Well?"),
        ("ai", "Well."),
        ("user", "Bye"),
    ]
    state = create_agent(chat(), [], middleware=[middle]).invoke({"messages": history})
    assert state["messages"][-1].text == "Bye."
    assert "They greeted each other." in str(emulator.requests[-1].body["messages"])
    assert len(emulator.requests) == 3


def test_summarization_trusts_the_reported_tokens(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """It does so only if ``model_provider`` of the message is ``ls_provider`` of the model."""
    from langchain.agents import create_agent
    from langchain.agents.middleware import SummarizationMiddleware

    middle = SummarizationMiddleware(chat(), trigger=("tokens", 4000), keep=("messages", 1))
    emulator.answer("Hello!", usage={"prompt_tokens": 5000, "total_tokens": 5010})
    greeting = chat().invoke("Hello")
    emulator.answer("They greeted each other.")
    emulator.answer("Bye.")
    history = [("user", "Hello"), greeting, ("user", "Bye")]
    create_agent(chat(), [], middleware=[middle]).invoke({"messages": history})
    assert "They greeted each other." in str(emulator.requests[-1].body["messages"])


def test_the_models_own_retries_honour_retry_after(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    started = time.monotonic()
    with emulator.fault("rate_limit", times=1, retry_after=0.05):
        assert chat(max_retries=1).invoke("Hello").text
    assert time.monotonic() - started >= 0.05
    with emulator.fault("rate_limit", times=1, retry_after=0.05):
        assert list(chat(max_retries=1).stream("Hello"))
    assert len(emulator.requests) == 4
