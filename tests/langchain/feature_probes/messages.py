"""Probes: what messages hold, tools, structured output."""

import base64
import copy
import io
import wave

import langchain_openai
from langchain.agents import create_agent
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool
from PIL import Image
from pydantic import BaseModel

from langchain_doubao import DoubaoToolkit

# Takes pictures, films, sound and PDF.
OMNIVORE = "doubao-seed-2-1-lite-260915"
# Standard blocks and the wire's parts for them; the parts may be used as blocks, too.
WIRE = {"video": "video_url", "image": "image_url", "audio": "input_audio", "file": "file"}
WIRE |= {kind: kind for kind in WIRE.values()}
HALF = '{"name": "Lyon", "population": 52'


class City(BaseModel):
    """A city."""

    name: str
    population: int


def _picture(kind):
    file = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


def _sound():
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16_000))
    return base64.b64encode(file.getvalue()).decode()


def _ask(side, messages):
    """Send messages; give what was sent, or the error."""
    error = side.error(lambda: side.invoke(side.model(model=OMNIVORE), messages))
    return error or side.emulator.requests[-1].body["messages"]


def _lacking(side, block, wanted):
    """What of *wanted* does not reach the service when a message has *block*, or the error."""
    sent = _ask(side, [HumanMessage([{"type": "text", "text": "What is this?"}, block])])
    if isinstance(sent, Exception):
        return f"`{type(sent).__name__}`"
    value = sent[0]["content"][1][WIRE[block["type"]]]
    return ", ".join(f"`{name}` dropped" for name in wanted if value.get(name) != wanted[name])


def _block(block, wanted):
    """Make the probe of a standard block that should become a part with *wanted* in it."""

    def probe(side):
        if not (lacking := _lacking(side, block, wanted)):
            return "yes"
        kind = WIRE[block["type"]]
        if not _lacking(side, {"type": kind, kind: wanted}, wanted):
            return f"no: {lacking} (the wire's `{kind}` passes)"
        return f"no: {lacking}"

    return probe


FILM = {"type": "video", "url": "https://example.com/a.mp4", "extras": {"fps": 0.5}}
PICTURE = {"type": "image", "url": "https://example.com/a.png", "extras": {"detail": "low"}}
PDF = {"type": "file", "base64": _picture("PDF"), "mime_type": "application/pdf"}
PDF_URL = {"type": "file", "url": "https://example.com/a.pdf", "mime_type": "application/pdf"}
SOUND = {"type": "audio", "base64": _sound(), "mime_type": "audio/wav"}
SOUND_URL = {"type": "audio", "url": "https://example.com/a.wav"}


def image_in_a_tool_result(side):
    data = _picture("PNG")
    called = AIMessage("", tool_calls=[{"name": "plot", "args": {}, "id": "call_1"}])
    result = {"type": "image", "base64": data, "mime_type": "image/png"}
    sent = _ask(
        side, [HumanMessage("Plot it"), called, ToolMessage([result], tool_call_id="call_1")]
    )
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    return "yes" if sent[2]["content"] == [picture] else str(sent)


def unknown_block(side):
    sent = _ask(side, [HumanMessage([{"type": "hologram", "url": "https://example.com/a"}])])
    assert isinstance(sent, Exception)
    if isinstance(sent, ValueError) and "hologram" in str(sent):
        assert not side.emulator.requests
        return "yes: `ValueError` that names it"
    return "no: sent, and refused by the service" if side.emulator.requests else str(sent)


def chinese_arguments(side):
    called = AIMessage("", tool_calls=[{"name": "f", "args": {"城市": "巴黎"}, "id": "call_1"}])
    sent = _ask(side, [HumanMessage("Go"), called, ToolMessage("5", tool_call_id="call_1")])
    text = sent[1]["tool_calls"][0]["function"]["arguments"]
    return "yes" if "巴黎" in text else f"no: `{text}`"


def messages_unchanged(side):
    messages = [
        HumanMessage([{"type": "text", "text": "Look"}, PICTURE]),
        AIMessage(
            [{"type": "text", "text": "A"}], tool_calls=[{"name": "f", "args": {}, "id": "1"}]
        ),
        ToolMessage([{"type": "text", "text": "done"}], tool_call_id="1"),
    ]
    before = copy.deepcopy(messages)
    _ask(side, messages)
    return "yes" if messages == before else "no"


def native_agent_output(side):
    agent = create_agent(side.model(), response_format=City)
    prompt = {"messages": [("user", "Tell me about the city of Lyon, population 522000.")]}
    found = side.invoke(agent, prompt)["structured_response"]
    assert found == City(name="Lyon", population=522_000)
    body = side.emulator.requests[0].body
    if body.get("response_format", {}).get("type") == "json_schema" and "tools" not in body:
        return "yes"
    tools = [tool["function"]["name"] for tool in body.get("tools", ())]
    return "no: a tool call" if tools == ["City"] else str(body)


def cut_arguments(side):
    side.emulator.answer(tool_calls=[("City", HALF)], finish_reason="length", times=2)
    runnable = side.model().with_structured_output(City, method="function_calling")
    results = []
    error = side.error(lambda: results.append(side.invoke(runnable)))
    streamed = side.error(lambda: results.extend(side.chunks(runnable)))
    if isinstance(error, OutputParserException) and isinstance(streamed, OutputParserException):
        return "yes"
    half = [None, City(name="Lyon", population=52)]
    return "no: `None`; streamed, half an object" if results == half else f"{error} {results}"


def cut_json(side):
    side.emulator.answer(HALF, finish_reason="length", times=2)
    runnable = side.model().with_structured_output(City, method="json_schema")
    both = side.error(lambda: side.invoke(runnable)), side.error(lambda: side.chunks(runnable))
    return "yes" if all(both) else f"no: {both}"


def media_tools(side):
    if side.kind == "ChatOpenAI":
        kinds = [kind for kind in vars(langchain_openai).values() if isinstance(kind, type)]
        return "no" if not any(issubclass(kind, BaseTool) for kind in kinds) else str(kinds)
    tools = DoubaoToolkit(
        output_dir=side.folder, base_url=side.emulator.base_url, api_key="sk-secret"
    ).get_tools()
    image = next(tool for tool in tools if tool.name == "generate_image")
    side.call(image, "invoke", {"prompt": "A tea garden"})
    assert list(side.folder.glob("*.jp*g"))
    return "yes" if len(tools) == 3 else str(tools)


def vision_embeddings(side):
    checked = {} if side.kind == "ChatDoubao" else {"check_embedding_ctx_length": False}
    embeddings = side.embeddings(model="doubao-embedding-vision-251215", **checked)
    vectors = []
    error = side.error(lambda: vectors.append(side.call(embeddings, "embed_query", "a red shoe")))
    if error is None:
        assert len(vectors[0]) == 2048
        return f"yes: `{type(embeddings).__name__}`"
    refused = getattr(error, "status_code", None) == 400
    return f"no: `{type(embeddings).__name__}` gets a 400" if refused else repr(error)


PROBES = {
    "film as a standard block, with `fps`": _block(FILM, {"url": FILM["url"], "fps": 0.5}),
    "picture as a standard block, with `detail`": _block(
        PICTURE, {"url": PICTURE["url"], "detail": "low"}
    ),
    "PDF as data": _block(PDF, {"file_data": f"data:application/pdf;base64,{PDF['base64']}"}),
    "PDF by URL": _block(PDF_URL, {"file_url": PDF_URL["url"]}),
    "sound as data": _block(SOUND, {"data": SOUND["base64"], "format": "wav"}),
    "sound by URL": _block(SOUND_URL, {"url": SOUND_URL["url"]}),
    "picture in a tool result": image_in_a_tool_result,
    "block of an unknown type is refused before sending": unknown_block,
    "Chinese tool arguments go back unescaped": chinese_arguments,
    "the caller's messages stay as they were": messages_unchanged,
    "`create_agent(response_format=…)` uses the model's own JSON mode": native_agent_output,
    "cut arguments, `function_calling`: an error": cut_arguments,
    "cut JSON, `json_schema`: an error": cut_json,
    "Seedream and Seedance as agent tools": media_tools,
    "vision embedding models": vision_embeddings,
}
