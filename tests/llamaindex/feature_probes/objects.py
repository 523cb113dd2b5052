"""Probes: messages, settings, and the life of an object."""

import asyncio
import base64
import copy
import json
import logging
import os
import pickle
from unittest import mock

from llama_index.core.base.llms.types import (
    AudioBlock,
    CacheControl,
    CachePoint,
    ChatMessage,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index_instrumentation import get_dispatcher

HI = [ChatMessage(content="Hi")]
KEY = "sk-very-secret"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Page>>endobj\ntrailer<<>>\n%%EOF\n"
WAV = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\0\0\0"
SOUNDS = {"model": "doubao-seed-2-0-lite-260428"}


def sent_content(side, *blocks, **fields):
    """What of these blocks arrives; a word if nothing does."""
    return _sent(side, [ChatMessage(role="user", blocks=list(blocks))], **fields)


def _sent(side, messages, **fields):
    error = side.error(lambda: side.llm(max_retries=0, **fields).chat(messages))
    if not side.emulator.requests:
        return f"an error ({type(error).__name__})"
    return "refused by the service" if error else side.body()["messages"][-1]["content"]


def said(content, right):
    if content == right:
        return "sent"
    return content if isinstance(content, str) and content else "dropped"


def film(side):
    url = "https://example.com/a.mp4?sig=1"
    content = sent_content(side, VideoBlock(url=url, fps=2))
    return said(content, [{"type": "video_url", "video_url": {"url": url, "fps": 2}}])


def sound(side):
    content = sent_content(side, AudioBlock(audio=WAV, format="wav"), **SOUNDS)
    data = {"data": base64.b64encode(WAV).decode(), "format": "wav"}
    return said(content, [{"type": "input_audio", "input_audio": data}])


def document(side):
    content = sent_content(side, DocumentBlock(data=PDF, title="a.pdf"))
    url = f"data:application/pdf;base64,{base64.b64encode(PDF).decode()}"
    return said(content, [{"type": "file", "file": {"file_data": url, "filename": "a.pdf"}}])


def tool_picture(side):
    url = "https://example.com/a.png"
    call = ToolCallBlock(tool_call_id="call_1", tool_name="camera", tool_kwargs={})
    result = ChatMessage(
        role="tool",
        blocks=[TextBlock(text="Look."), ImageBlock(url=url)],
        additional_kwargs={"tool_call_id": "call_1"},
    )
    messages = [*HI, ChatMessage(role="assistant", blocks=[call]), result]
    picture = {"type": "image_url", "image_url": {"url": url}}
    content = _sent(side, messages)
    if isinstance(content, str):
        return "dropped" if content in {"", "Look."} else content
    return "sent" if picture in content else "dropped"


def cache_point(side):
    block = CachePoint(cache_control=CacheControl(type="ephemeral"))
    content = sent_content(side, TextBlock(text="Hi"), block)
    return "left out" if content in ("Hi", [{"type": "text", "text": "Hi"}]) else content


def unknown_block(side):
    class HologramBlock(TextBlock.__base__):
        block_type: str = "hologram"

    message = ChatMessage.model_construct(role="user", blocks=[HologramBlock()])
    message.additional_kwargs = {}
    error = side.error(lambda: side.llm(max_retries=0).chat([message]))
    if error is None:
        return "dropped"
    return "an error that names it" if "Hologram" in str(error) else "an error"


def joined_texts(side):
    content = sent_content(side, TextBlock(text="a"), TextBlock(text="b"))
    return "as in `message.content`" if content == "a\nb" else f"`{json.dumps(content)}`"


def window(side):
    return f"{side.kind(model='doubao-seed-2-1-pro-260915', api_key=KEY).metadata.context_window:,}"


def function_calling(side):
    known = side.kind(model="ep-20260101000000-abcde", api_key=KEY).metadata
    return "on" if known.is_function_calling_model else "off"


def endpoint(side):
    address = "base_url" if side.kind.__name__ == "Doubao" else "api_base"
    fields = {"model": "doubao-seed-2-1-pro-260915", address: side.emulator.base_url}
    side.error(lambda: side.kind(api_key=KEY, **fields).chat(HI))
    path = side.emulator.requests[-1].path
    return "`/chat/completions`" if path.endswith("/chat/completions") else "`/completions`: 404"


def temperature(side):
    side.llm().chat(HI)
    return f"{side.body()['temperature']} is sent" if "temperature" in side.body() else "not sent"


def precedence(side):
    side.llm(max_tokens=100).chat(HI, max_tokens=50)
    return "the call's" if side.body().get("max_tokens") == 50 else "the constructor's"


def misspelt(side):
    return "refused" if side.error(lambda: side.llm(temprature=1)) else "ignored"


def other_key(side):
    with mock.patch.dict(os.environ, {"OPENAI_API_KEY": "sk-of-another-vendor"}):
        side.error(lambda: side.llm(api_key=None).chat(HI))
    leaked = [r for r in side.emulator.requests if "another" in r.headers["authorization"]]
    return "`OPENAI_API_KEY` is sent" if leaked else "an error"


def pickled(side):
    llm = side.llm()
    llm.chat(HI)
    error, records = None, []
    handler = logging.Handler(logging.WARNING)
    handler.emit = records.append
    logging.getLogger().addHandler(handler)
    try:
        data = pickle.dumps(llm)
        with mock.patch.dict(os.environ, {"ARK_API_KEY": "sk-of-the-worker"}):
            pickle.loads(data).chat(HI)  # noqa: S301 - made two lines above
    except Exception as caught:
        error = caught
    logging.getLogger().removeHandler(handler)
    if error is not None:
        return "fails"
    words = ["works", "with the key inside" if KEY.encode() in data else "without the key"]
    return ", ".join([*words, *(["warnings logged"] if records else [])])


def deep_copied(side):
    llm = side.llm()
    llm.chat(HI)
    error = side.error(lambda: copy.deepcopy(llm).chat(HI))
    return "works" if error is None else "fails"


def as_dict(side):
    return "not in it" if KEY not in json.dumps(side.llm().to_dict(), default=str) else "in it"


def several_loops(side):
    llm = side.llm(max_retries=0)
    errors = [side.error(lambda: asyncio.run(llm.achat(HI))) for _ in range(3)]
    return "calls fail" if any(errors) else "works"


class _Events(BaseEventHandler):
    names: list[str]

    def handle(self, event, **_):
        self.names.append(event.class_name())


def events(side):
    handler, root = _Events(names=[]), get_dispatcher()
    root.add_event_handler(handler)
    try:
        side.llm().complete("Hi")
    finally:
        root.event_handlers.remove(handler)
    ends = [name for name in handler.names if name.endswith("EndEvent")]
    return f"{len(ends)} end: {', '.join(name.removesuffix('EndEvent') for name in ends)}"


def filtered(side):
    side.emulator.answer("I wi", finish_reason="content_filter")
    response = side.llm().chat(HI)
    told = response.additional_kwargs.get("finish_reason") == "content_filter"
    return "the text and the reason" if told else "the text"


PROBES = {
    "`VideoBlock`": (film, "sent"),
    "`AudioBlock`": (sound, "sent"),
    "`DocumentBlock` (PDF)": (document, "sent"),
    "A picture that a tool returns": (tool_picture, "sent"),
    "`CachePoint`": (cache_point, "left out"),
    "A block of an unknown kind": (unknown_block, "an error that names it"),
    "Two `TextBlock`s `a`, `b`": (joined_texts, "as in `message.content`"),
    "Filtered answers": (filtered, "the text and the reason"),
    "Context window of a known model": (window, "1,048,576"),
    "Function calling of an `ep-…` model, by default": (function_calling, "on"),
    "`chat` with the default settings asks": (endpoint, "`/chat/completions`"),
    "Temperature, if none is set": (temperature, "not sent"),
    "`max_tokens` of constructor and call": (precedence, "the call's"),
    "A misspelt argument": (misspelt, "refused"),
    "Without a key": (other_key, "an error"),
    "A pickle of a used object": (pickled, "works, without the key"),
    "A deep copy of a used object": (deep_copied, "works"),
    "The key in `to_dict()`": (as_dict, "not in it"),
    "Three `asyncio.run` with one object, without retries": (several_loops, "works"),
    "Events of one `complete`": (events, "1 end: LLMCompletion"),
}
