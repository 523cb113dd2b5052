"""One vocabulary for both adapters: turns in, an `Answer` out, by four styles of calling.

The tests here never name a framework. A conversation is a text, or a list of turns:

* ``("system" | "user", content)`` and ``("tool", call_id, content)``,
* an `Answer` that was given before, with all that it holds.

Content is a text or a list of parts. A part is a text or a dict: ``kind`` (image, video, audio or
file), ``url`` or ``data``, and ``detail``, ``fps`` or ``name``.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import StructuredTool
from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatMessage,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, Field

from langchain_doubao import ChatDoubao
from llamaindex_doubao import Doubao

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator

MODEL = "doubao-seed-2-1-lite-260915"
STYLES = ("plain", "async plain", "stream", "async stream")
MIME_TYPES = {
    "image": "image/png",
    "video": "video/mp4",
    "audio": "audio/wav",
    "file": "application/pdf",
}
BLOCKS = {
    "image": (ImageBlock, "image"),
    "video": (VideoBlock, "video"),
    "audio": (AudioBlock, "audio"),
    "file": (DocumentBlock, "data"),
}


@dataclass(kw_only=True)
class Answer:
    """What an answer means, whichever framework holds it.

    Attributes:
        text: What the model says.
        reasoning: Its chain of thought, as far as it is shown.
        seal: The sealed chain of thought, which goes back unchanged.
        calls: ``(id, name, arguments)`` of each tool call; arguments are the text of the model
            where that is no JSON object.
        usage: ``(prompt, completion, total, cached, reasoning)`` tokens.
        finish_reason: Why it ended.
        model: Name of the model that answered.
        pieces: New text of each chunk, if it was streamed.
        message: The framework's own message.
    """

    text: str
    reasoning: str
    seal: str
    calls: list[tuple[str, str, Any]]
    usage: tuple[int | None, ...] | None
    finish_reason: str | None
    model: str | None
    pieces: list[str]
    message: Any


class City(BaseModel):
    """Arguments of ``get_weather``."""

    city: str = Field(description="Name of a city.")


class Nothing(BaseModel):
    """Arguments of ``get_time``."""


def get_weather(city: str) -> str:
    return f"It is sunny in {city}."


def get_time() -> str:
    return "noon"


TOOLS: dict[str, tuple[Callable[..., str], type[BaseModel], str]] = {
    "get_weather": (get_weather, City, "Weather of a city."),
    "get_time": (get_time, Nothing, "Time of day."),
}


class LangChain:
    """``ChatDoubao`` in the neutral vocabulary."""

    make = ChatDoubao
    names = MappingProxyType({"more_options": "model_kwargs", "send_thinking": "send_reasoning"})
    modes = MappingProxyType(
        {"function": "function_calling", "schema": "json_schema", "object": "json_mode"}
    )

    async def ask(self, model: Any, style: str, turns: list[Any], **options: Any) -> Answer:
        if tools := options.pop("tools", ()):
            model = model.bind_tools(
                [self._tool(name) for name in tools],
                tool_choice=options.pop("tool_choice", None),
                parallel_tool_calls=options.pop("parallel", True),
            )
        messages = [self._message(turn) for turn in turns]
        match style:
            case "plain":
                return self._answer(model.invoke(messages, **options), [])
            case "async plain":
                return self._answer(await model.ainvoke(messages, **options), [])
            case "stream":
                chunks = list(model.stream(messages, **options))
            case _:
                chunks = [each async for each in model.astream(messages, **options)]
        whole = chunks[0]
        for chunk in chunks[1:]:
            whole = whole + chunk
        return self._answer(whole, [chunk.text for chunk in chunks])

    async def fill(
        self, settings: dict[str, Any], schema: type[BaseModel], prompt: str, mode: str, style: str
    ) -> Any:
        model = ChatDoubao(**settings).with_structured_output(schema, method=self.modes[mode])
        match style:
            case "plain":
                return model.invoke(prompt)
            case "async plain":
                return await model.ainvoke(prompt)
            case "stream":
                return list(model.stream(prompt))[-1]
            case _:
                return [each async for each in model.astream(prompt)][-1]

    async def opened(self, model: Any) -> Any:
        return model.astream("Hi")

    def _answer(self, message: Any, pieces: list[str]) -> Answer:
        thoughts = [block for block in message.content_blocks if block["type"] == "reasoning"]
        sealed = (block.get("extras", {}).get("encrypted_content", "") for block in thoughts)
        told = message.usage_metadata
        return Answer(
            text=message.text,
            reasoning="".join(block["reasoning"] for block in thoughts),
            seal="".join(sealed),
            calls=[
                (call["id"], call["name"], call["args"])
                for call in [*message.tool_calls, *message.invalid_tool_calls]
            ],
            usage=told
            and (
                told["input_tokens"],
                told["output_tokens"],
                told["total_tokens"],
                told.get("input_token_details", {}).get("cache_read"),
                told.get("output_token_details", {}).get("reasoning"),
            ),
            finish_reason=message.response_metadata.get("finish_reason"),
            model=message.response_metadata.get("model_name"),
            pieces=pieces,
            message=message,
        )

    def _tool(self, name: str) -> StructuredTool:
        function, arguments, description = TOOLS[name]
        return StructuredTool.from_function(
            function, name=name, description=description, args_schema=arguments
        )

    def _message(self, turn: Any) -> Any:
        match turn:
            case Answer():
                return turn.message
            case ("system", content):
                return SystemMessage(self._content(content))
            case ("user", content):
                return HumanMessage(self._content(content))
            case ("tool", call_id, content):
                return ToolMessage(self._content(content), tool_call_id=call_id)
        raise AssertionError(turn)

    def _content(self, content: Any) -> Any:
        if isinstance(content, str):
            return content
        return [
            {"type": "text", "text": part} if isinstance(part, str) else self._block(**part)
            for part in content
        ]

    def _block(
        self, kind: str, *, url: str = "", data: bytes = b"", name: str = "", **extras: Any
    ) -> dict[str, Any]:
        block = {"type": kind, "extras": {**extras, **({"filename": name} if name else {})}}
        if url:
            return {**block, "url": url}
        encoded = base64.b64encode(data).decode()
        return {**block, "base64": encoded, "mime_type": MIME_TYPES[kind]}


class LlamaIndex:
    """``Doubao`` in the neutral vocabulary."""

    make = Doubao
    names = MappingProxyType({"more_options": "additional_kwargs"})
    modes = MappingProxyType(
        {"function": "function", "schema": "json_schema", "object": "json_object"}
    )

    async def ask(self, model: Any, style: str, turns: list[Any], **options: Any) -> Answer:
        prefix = {"async plain": "a", "stream": "stream_", "async stream": "astream_"}
        method = getattr(model, prefix.get(style, "") + "chat")
        messages: Any = [self._message(turn) for turn in turns]
        if tools := options.pop("tools", ()):
            method = getattr(model, prefix.get(style, "") + "chat_with_tools")
            options["chat_history"], messages = messages, [self._tool(name) for name in tools]
            options["allow_parallel_tool_calls"] = options.pop("parallel", True)
        answer = method(messages, **options)
        if style.startswith("async"):
            answer = await answer
        if "stream" not in style:
            return self._answer([answer])
        if style == "stream":
            return self._answer(list(answer))
        return self._answer([each async for each in answer])

    async def fill(
        self, settings: dict[str, Any], schema: type[BaseModel], prompt: str, mode: str, style: str
    ) -> Any:
        model = Doubao(**settings, structured_output=self.modes[mode])
        template = PromptTemplate(prompt)
        match style:
            case "plain":
                return model.structured_predict(schema, template)
            case "async plain":
                return await model.astructured_predict(schema, template)
            case "stream":
                return list(model.stream_structured_predict(schema, template))[-1]
            case _:
                objects = await model.astream_structured_predict(schema, template)
                return [each async for each in objects][-1]

    async def opened(self, model: Any) -> Any:
        return await model.astream_chat([ChatMessage(content="Hi")])

    def _answer(self, responses: list[Any]) -> Answer:
        last = responses[-1]
        blocks, told = last.message.blocks, last.additional_kwargs
        thoughts = [block for block in blocks if isinstance(block, ThinkingBlock)]
        kinds = ("prompt", "completion", "total", "cached", "reasoning")
        usage = tuple(told.get(f"{kind}_tokens") for kind in kinds)
        return Answer(
            text=last.message.content or "",
            reasoning="".join(block.content for block in thoughts),
            seal="".join(
                block.additional_information.get("encrypted_content", "") for block in thoughts
            ),
            calls=[
                (block.tool_call_id, block.tool_name, block.tool_kwargs)
                for block in blocks
                if isinstance(block, ToolCallBlock)
            ],
            usage=usage if any(usage) else None,
            finish_reason=told.get("finish_reason"),
            model=told.get("model"),
            pieces=[response.delta for response in responses if response.delta is not None],
            message=last.message,
        )

    def _tool(self, name: str) -> FunctionTool:
        function, arguments, description = TOOLS[name]
        return FunctionTool.from_defaults(
            function, name=name, description=description, fn_schema=arguments
        )

    def _message(self, turn: Any) -> Any:
        match turn:
            case Answer():
                return turn.message
            case ("tool", call_id, content):
                extra = {"tool_call_id": call_id}
                return ChatMessage(
                    role="tool", blocks=self._blocks(content), additional_kwargs=extra
                )
            case (role, content):
                # Blocks hold whole frames per second only (llamaindex.md 3.2).
                parts = [part for part in content if isinstance(part, dict)]
                rate = next((part["fps"] for part in parts if "fps" in part), None)
                extra = {"doubao": {"fps": rate}} if rate else {}
                return ChatMessage(role=role, blocks=self._blocks(content), additional_kwargs=extra)
        raise AssertionError(turn)

    def _blocks(self, content: Any) -> list[Any]:
        parts = [content] if isinstance(content, str) else content
        return [
            TextBlock(text=part) if isinstance(part, str) else self._block(**part) for part in parts
        ]

    def _block(
        self, kind: str, *, url: str = "", data: bytes = b"", name: str = "", **extras: Any
    ) -> Any:
        block, field = BLOCKS[kind]
        extras.pop("fps", None)
        named = {"title": name} if name else {}
        source: dict[str, Any] = {"url": url} if url else {field: data}
        return block(**source, **named, **extras)


ADAPTERS = {"langchain": LangChain(), "llamaindex": LlamaIndex()}


@dataclass
class Talk:
    """Conversations by one adapter in one style, against the emulator."""

    adapter: Any
    style: str
    emulator: Emulator

    @property
    def streams(self) -> bool:
        return "stream" in self.style

    def settings(self, **settings: Any) -> dict[str, Any]:
        """Give the constructor arguments for a model on the emulator, under the class's names."""
        common = {"model": MODEL, "api_key": "test-key", "max_retries": 0}
        common["base_url"] = self.emulator.base_url
        names = self.adapter.names
        return {names.get(name, name): value for name, value in (common | settings).items()}

    def make(self, **settings: Any) -> Any:
        """Make a model on the emulator."""
        return self.adapter.make(**self.settings(**settings))

    async def ask(self, turns: Any = "Hi", model: Any = None, **options: Any) -> Answer:
        """Ask a model, by default a new one."""
        conversation = [("user", turns)] if isinstance(turns, str) else turns
        model = self.make() if model is None else model
        return await self.adapter.ask(model, self.style, conversation, **options)

    async def fill(self, schema: type[BaseModel], prompt: str, mode: str, **settings: Any) -> Any:
        """Ask for an object."""
        return await self.adapter.fill(self.settings(**settings), schema, prompt, mode, self.style)

    def body(self) -> dict[str, Any]:
        """Give the last request without what only says that it is streamed."""
        body = dict(self.emulator.requests[-1].body)
        streamed = (body.pop("stream", None), body.pop("stream_options", None))
        assert streamed == ((True, {"include_usage": True}) if self.streams else (None, None))
        return body


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ARK_API_KEY", "BYTEPLUS_API_KEY", "DOUBAO_PROVIDER", "DOUBAO_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> Any:
    return ADAPTERS[request.param]


@pytest.fixture(params=STYLES)
def talk(adapter: Any, emulator: Emulator, request: pytest.FixtureRequest) -> Talk:
    return Talk(adapter, request.param, emulator)


@pytest.fixture(params=STYLES[2:])
def streamed(adapter: Any, emulator: Emulator, request: pytest.FixtureRequest) -> Talk:
    return Talk(adapter, request.param, emulator)


@pytest.fixture
def talks(adapter: Any, emulator: Emulator) -> list[Talk]:
    """All styles at once, for what one object does in several."""
    return [Talk(adapter, style, emulator) for style in STYLES]
