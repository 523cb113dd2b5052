"""What observers see: each call once, exact token counts, and never a secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock
from llama_index.core.callbacks import CallbackManager, CBEventType, TokenCountingHandler
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index_instrumentation import get_dispatcher
from pydantic import BaseModel

from doubao_core import Truncated

if TYPE_CHECKING:
    from llamaindex_doubao import Doubao

HI = [ChatMessage(content="hi")]
KEY = "sk-very-secret"
HEADER = "header-secret"
USAGE = {"prompt_tokens": 1234, "completion_tokens": 567, "total_tokens": 1801}
METHODS = [
    prefix + kind for kind in ("chat", "complete") for prefix in ("", "a", "stream_", "astream_")
]


class City(BaseModel):
    name: str


class _Recorder(BaseEventHandler):
    events: list[Any]

    def handle(self, event: Any, **_: Any) -> None:
        self.events.append(event)


class _Payloads(BaseCallbackHandler):
    """Keeps what LlamaIndex's older callbacks are told."""

    def __init__(self) -> None:
        super().__init__([], [])
        self.told: list[tuple[str, CBEventType, Any]] = []

    def on_event_start(self, event_type: Any, payload: Any = None, **_: Any) -> str:
        self.told.append(("start", event_type, payload))
        return ""

    def on_event_end(self, event_type: Any, payload: Any = None, **_: Any) -> None:
        self.told.append(("end", event_type, payload))

    def start_trace(self, trace_id: str | None = None) -> None:
        """Not looked at."""

    def end_trace(self, trace_id: str | None = None, trace_map: Any = None) -> None:
        """Not looked at."""


@pytest.fixture
def recorded():
    """Events of LlamaIndex's instrumentation, as they happen."""
    recorder, root = _Recorder(events=[]), get_dispatcher()
    root.add_event_handler(recorder)
    yield recorder.events
    root.event_handlers.remove(recorder)


@pytest.fixture
def spans():
    """Spans of LlamaIndex's instrumentation, as they end."""
    handler, root = SimpleSpanHandler(), get_dispatcher()
    root.add_span_handler(handler)
    yield handler.completed_spans
    root.span_handlers.remove(handler)


@pytest.fixture
def counter() -> TokenCountingHandler:
    """A counter whose own tokenizer would give other numbers."""
    return TokenCountingHandler(tokenizer=str.split)


async def use(llm: Doubao, method: str, argument: Any = None, **options: Any) -> Any:
    """Call *method* and give its last response."""
    question: Any = argument or ("hi" if "complete" in method else HI)
    result = getattr(llm, method)(question, **options)
    if method.startswith("a"):
        result = await result
    if "astream" in method:
        return [each async for each in result][-1]
    return list(result)[-1] if "stream" in method else result


@pytest.mark.parametrize("method", METHODS)
async def test_each_call_is_seen_exactly_once(make_llm, recorded, spans, method):
    """Shows R000-53."""
    payloads = _Payloads()
    llm = make_llm(callback_manager=CallbackManager([payloads]))
    await use(llm, method, temperature=0.5)
    names = [event.class_name() for event in recorded]
    family = "LLMCompletion" if "complete" in method else "LLMChat"
    ends = [name for name in names if not name.endswith("InProgressEvent")]
    assert ends == [f"{family}StartEvent", f"{family}EndEvent"]
    assert any(name.endswith("InProgressEvent") for name in names) is ("stream" in method)
    assert [(when, kind) for when, kind, _ in payloads.told] == [
        ("start", CBEventType.LLM),
        ("end", CBEventType.LLM),
    ]
    assert [span.id_.split("-")[0] for span in spans] == [f"Doubao.{method}"]


@pytest.mark.parametrize("method", METHODS)
def test_nothing_below_the_decorators_looks_decorated(llm, method):
    """A second ``__wrapped__`` would make LlamaIndex skip all events (llamaindex.md 9)."""
    wrapped = getattr(type(llm), method)
    while hasattr(wrapped, "__wrapped__"):
        wrapped = wrapped.__wrapped__
    assert wrapped.__module__ == "llamaindex_doubao.llm"


@pytest.mark.parametrize("method", METHODS)
async def test_no_observer_is_told_a_secret(make_llm, recorded, method):
    payloads = _Payloads()
    llm = make_llm(
        api_key=KEY,
        default_headers={"X-Team": HEADER},
        callback_manager=CallbackManager([payloads]),
    )
    await use(llm, method)
    seen = "".join(event.model_dump_json() for event in recorded)
    seen += repr(payloads.told) + json.dumps(llm.to_payload())
    assert KEY not in seen
    assert HEADER not in seen
    assert recorded[0].model_dump()["model_dict"]["model_name"] == llm.model


@pytest.mark.parametrize("method", METHODS)
async def test_tokens_are_counted_as_the_service_counted_them(emulator, make_llm, counter, method):
    emulator.answer("Tea is green.", reasoning="hm", usage=USAGE)
    await use(make_llm(callback_manager=CallbackManager([counter])), method)
    assert counter.prompt_llm_token_count == 1234
    assert counter.completion_llm_token_count == 567
    assert len(counter.llm_token_counts) == 1


@pytest.mark.parametrize("method", METHODS[:4])
async def test_pictures_and_calls_are_counted_by_the_service_too(
    emulator, make_llm, counter, method
):
    """LlamaIndex's own estimate would download the picture."""
    emulator.answer(tool_calls=[("f", {"a": 1})], usage=USAGE)
    picture = ImageBlock(url="https://example.com/tea.png")
    question = [ChatMessage(blocks=[TextBlock(text="see"), picture])]
    await use(make_llm(callback_manager=CallbackManager([counter])), method, question)
    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (1234, 567)


async def test_structured_answers_are_seen_and_counted_once(
    emulator, make_llm, counter, recorded, spans
):
    emulator.answer('{"name": "Paris"}', usage=USAGE, times=4)
    llm, prompt = make_llm(callback_manager=CallbackManager([counter])), PromptTemplate("City?")
    llm.structured_predict(City, prompt)
    await llm.astructured_predict(City, prompt)
    list(llm.stream_structured_predict(City, prompt))
    _ = [each async for each in await llm.astream_structured_predict(City, prompt)]
    assert counter.total_llm_token_count == 4 * 1801
    names = [event.class_name() for event in recorded]
    for family in ("LLMStructuredPredict", "LLMChat"):
        assert names.count(f"{family}StartEvent") == names.count(f"{family}EndEvent") == 4
    called = [span.id_.split("-")[0] for span in spans]
    for method in ("structured_predict", "astructured_predict"):
        assert called.count(f"Doubao.{method}") == 1
        assert called.count(f"Doubao.stream_{method}".replace("stream_a", "astream_")) == 1


async def test_calls_with_tools_are_counted_once(emulator, make_llm, counter):
    def clock() -> str:
        """Time of day."""
        return "noon"

    emulator.answer(tool_calls=[("clock", {})], usage=USAGE, times=2)
    llm = make_llm(callback_manager=CallbackManager([counter]))
    tools = [FunctionTool.from_defaults(fn=clock)]
    assert str(llm.predict_and_call(tools, user_msg="?")) == "noon"
    assert str(await llm.apredict_and_call(tools, user_msg="?")) == "noon"
    assert counter.total_llm_token_count == 2 * 1801


@pytest.mark.parametrize("method", [each for each in METHODS if "stream" in each])
async def test_a_stream_that_breaks_is_reported_with_its_error(
    emulator, make_llm, recorded, method
):
    emulator.answer(events=[{"choices": [{"delta": {"content": "Tea "}}]}])
    with pytest.raises(Truncated):
        await use(make_llm(api_key=KEY), method)
    names = [event.class_name() for event in recorded]
    assert names[-1] == "ExceptionEvent"
    assert isinstance(recorded[-1].exception, Truncated)
    assert not any(name.endswith("EndEvent") for name in names)


async def test_one_permit_of_the_rate_limiter_is_taken_per_call(make_llm):
    taken = []

    class Limiter:
        def acquire(self, num_tokens: int = 0) -> None:
            taken.append("blocking")

        async def async_acquire(self, num_tokens: int = 0) -> None:
            taken.append("async")

    llm = make_llm(rate_limiter=Limiter())
    llm.chat(HI)
    await llm.acomplete("hi")
    assert taken == ["blocking", "async"]
