"""The same conversation and options are the same request, whichever adapter sends it."""

from __future__ import annotations

import base64
import io
import wave
from typing import Any

import pytest
from PIL import Image
from pydantic import SecretStr

from doubao_core import errors

HI = [{"role": "user", "content": "Hi"}]
URL = "https://example.com/a/b.mp4?sig=x%2Fy&t=1"

# Turns; messages on the wire.
CONVERSATIONS: dict[str, tuple[list[Any], list[dict[str, Any]]]] = {
    "one question": ([("user", "Hi")], HI),
    "system and question": (
        [("system", "Be brief."), ("user", "茶?")],
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "茶?"}],
    ),
    "a system message in the middle": (
        [("user", "Hi"), ("system", "Stop now."), ("user", "Why?")],
        [*HI, {"role": "system", "content": "Stop now."}, {"role": "user", "content": "Why?"}],
    ),
    "an empty question": ([("user", "")], [{"role": "user", "content": ""}]),
    "a picture by its address": (
        [("user", ["See:", {"kind": "image", "url": "https://example.com/a.png?sig=1"}])],
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "See:"},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.png?sig=1"}},
                ],
            }
        ],
    ),
    "a picture with detail": (
        [("user", [{"kind": "image", "url": "https://example.com/a.png", "detail": "low"}])],
        [
            {
                "role": "user",
                "content": [
                    {
                        "type": "image_url",
                        "image_url": {"url": "https://example.com/a.png", "detail": "low"},
                    }
                ],
            }
        ],
    ),
    "a film with half a frame per second": (
        [("user", [{"kind": "video", "url": URL, "fps": 0.5}, "What happens?"])],
        [
            {
                "role": "user",
                "content": [
                    {"type": "video_url", "video_url": {"url": URL, "fps": 0.5}},
                    {"type": "text", "text": "What happens?"},
                ],
            }
        ],
    ),
    "sound by its address": (
        [("user", [{"kind": "audio", "url": "https://example.com/sound?id=1"}])],
        [
            {
                "role": "user",
                "content": [
                    {
                        "type": "input_audio",
                        "input_audio": {"url": "https://example.com/sound?id=1"},
                    }
                ],
            }
        ],
    ),
    "a document by its address": (
        [("user", [{"kind": "file", "url": "https://example.com/a.pdf"}])],
        [
            {
                "role": "user",
                "content": [{"type": "file", "file": {"file_url": "https://example.com/a.pdf"}}],
            }
        ],
    ),
    "a picture in a system message": (
        [
            ("system", ["Logo:", {"kind": "image", "url": "https://example.com/a.png"}]),
            ("user", "Hi"),
        ],
        [
            {
                "role": "system",
                "content": [
                    {"type": "text", "text": "Logo:"},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                ],
            },
            *HI,
        ],
    ),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_a_conversation_is_the_same_on_the_wire(talk, name):
    """Shows R000-01, R000-02."""
    turns, messages = CONVERSATIONS[name]
    await talk.ask(turns)
    assert talk.body() == {"model": talk.settings()["model"], "messages": messages}


async def test_several_texts_arrive_in_one_of_two_forms(talk):
    """One framework joins them in ``message.content`` and so does its adapter."""
    await talk.ask([("user", ["Hi", "there"])])
    parts = [{"type": "text", "text": "Hi"}, {"type": "text", "text": "there"}]
    assert talk.body()["messages"] in (
        [{"role": "user", "content": parts}],
        [{"role": "user", "content": "Hi\nthere"}],
    )


@pytest.fixture(scope="session")
def files() -> dict[str, bytes]:
    """A small real file of each kind but film, which is told by its first bytes alone."""
    picture, document, sound = io.BytesIO(), io.BytesIO(), io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(picture, "PNG")
    Image.new("RGB", (64, 48), "white").save(document, "PDF")
    with wave.open(sound, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(8000)
        writer.writeframes(bytes(1600))
    return {
        "image": picture.getvalue(),
        "video": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(64),
        "audio": sound.getvalue(),
        "file": document.getvalue(),
    }


def part(kind: str, data: bytes) -> dict[str, Any]:
    """The wire's part for the bytes of a file."""
    encoded = base64.b64encode(data).decode()
    match kind:
        case "image":
            return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}
        case "video":
            url = f"data:video/mp4;base64,{encoded}"
            return {"type": "video_url", "video_url": {"url": url, "fps": 2}}
        case "audio":
            return {"type": "input_audio", "input_audio": {"data": encoded, "format": "wav"}}
    file = {"file_data": f"data:application/pdf;base64,{encoded}", "filename": "tea.pdf"}
    return {"type": "file", "file": file}


EXTRAS = {"video": {"fps": 2}, "file": {"name": "tea.pdf"}}


@pytest.mark.parametrize("kind", ["image", "video", "audio", "file"])
async def test_the_bytes_of_a_file_are_sent_as_they_are(talk, files, kind):
    file = {"kind": kind, "data": files[kind], **EXTRAS.get(kind, {})}
    await talk.ask([("user", ["Look:", file])])
    text = {"type": "text", "text": "Look:"}
    assert talk.body()["messages"][0]["content"] == [text, part(kind, files[kind])]


async def test_a_document_without_a_name_gets_the_same_one(talk, files):
    await talk.ask([("user", [{"kind": "file", "data": files["file"]}])])
    (sent,) = talk.body()["messages"][0]["content"]
    assert sent["file"]["filename"] == "document.pdf"


def schema(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool without the titles that pydantic makes of names, which only one framework drops."""

    def untitled(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            name: untitled(inner)
            for name, inner in value.items()
            if name != "title" or not isinstance(inner, str)
        }

    return untitled(tool)


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "Name of a city."}},
            "required": ["city"],
        },
    },
}
TIME = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "Time of day.",
        "parameters": {"type": "object", "properties": {}},
    },
}
NAMED = {"type": "function", "function": {"name": "get_time"}}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, None),
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ("any", "required"),
        ("get_time", NAMED),
        (NAMED, NAMED),
    ],
    ids=["not given", "auto", "none", "required", "any", "a name", "the wire's object"],
)
@pytest.mark.parametrize("parallel", [True, False])
async def test_tools_and_their_choice_are_the_same_on_the_wire(talk, choice, sent, parallel):
    tools = ["get_weather", "get_time"]
    talk.emulator.answer("Hello.")
    await talk.ask(tools=tools, tool_choice=choice, parallel=parallel)
    body = talk.body()
    assert [schema(tool) for tool in body.pop("tools")] == [WEATHER, TIME]
    expected = {"model": body["model"], "messages": HI, "parallel_tool_calls": parallel}
    assert body == expected | ({"tool_choice": sent} if sent else {})


async def test_a_choice_that_names_no_tool_is_refused_before_anything_is_sent(talk):
    with pytest.raises(ValueError, match=r"'?nope'?.*get_weather"):
        await talk.ask(tools=["get_weather"], tool_choice="nope")
    assert not talk.emulator.requests


# Constructor's, call's, what is sent.
OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "sampling": ({"temperature": 0.0, "top_p": 0.5}, {}, {"temperature": 0.0, "top_p": 0.5}),
    "a call wins": ({"temperature": 0.5}, {"temperature": 1.0}, {"temperature": 1.0}),
    "thinking by its word": ({"thinking": "disabled"}, {}, {"thinking": {"type": "disabled"}}),
    "thinking by its object": (
        {"thinking": {"type": "enabled"}},
        {},
        {"thinking": {"type": "enabled"}},
    ),
    "thinking of a call": (
        {"thinking": "enabled"},
        {"thinking": "disabled"},
        {"thinking": {"type": "disabled"}},
    ),
    "effort": (
        {"thinking": "enabled", "reasoning_effort": "low"},
        {},
        {"thinking": {"type": "enabled"}, "reasoning_effort": "low"},
    ),
    "tier": ({"service_tier": "flex"}, {}, {"service_tier": "flex"}),
    "limit": ({"max_tokens": 50}, {}, {"max_tokens": 50}),
    "the other limit of a call": (
        {"max_tokens": 50},
        {"max_completion_tokens": 900},
        {"max_completion_tokens": 900},
    ),
    "a newer field": ({}, {"extra_body": {"new_field": 1}}, {"new_field": 1}),
    "newer fields of both": (
        {"extra_body": {"new_field": 1, "other": 2}},
        {"extra_body": {"new_field": 3}},
        {"new_field": 3, "other": 2},
    ),
    "extra body wins over a field": (
        {"temperature": 0.5, "extra_body": {"temperature": 1}},
        {},
        {"temperature": 1},
    ),
    "more options": ({"more_options": {"user": "u-1"}}, {}, {"user": "u-1"}),
    "a call takes back": ({"temperature": 0.5}, {"temperature": None}, {}),
    "the highest effort": (
        {"model": "deepseek-v4-1-flash-260910", "reasoning_effort": "ultra"},
        {},
        {"reasoning_effort": "ultra"},
    ),
    "no parallel calls without tools": ({"parallel_tool_calls": False}, {}, {}),
}


@pytest.mark.parametrize("name", OPTIONS)
async def test_options_are_the_same_on_the_wire(talk, name):
    """Shows R000-03, R000-04, R000-05, R000-06, R000-07."""
    own, call, sent = OPTIONS[name]
    await talk.ask(model=talk.make(**own), **call)
    body = talk.body()
    assert body == {"model": body["model"], "messages": HI, **sent}


@pytest.mark.parametrize("stop", ["END", ["END", "STOP"]])
async def test_stops_are_the_same_on_the_wire(talk, stop):
    """Shows R000-08."""
    await talk.ask(model=talk.make(stop=stop, model="doubao-1-5-pro-32k-250115"))
    assert talk.body()["stop"] == stop


async def test_an_empty_list_of_stops_is_not_sent(talk):
    await talk.ask(model=talk.make(stop=[]))
    assert "stop" not in talk.body()


async def test_headers_and_key_are_the_same_on_the_wire(talk):
    """Shows R000-21."""
    model = talk.make(api_key=lambda: "key-of-now", default_headers={"X-Team": "tea"})
    await talk.ask(model=model)
    headers = talk.emulator.requests[-1].headers
    assert headers["authorization"] == "Bearer key-of-now"
    assert headers["x-team"] == "tea"


SECRET = "tea-is-a-secret"


@pytest.mark.parametrize("value", [SECRET, SecretStr(SECRET)], ids=["text", "secret"])
async def test_headers_of_a_call_are_headers_of_its_request_only(talk, value):
    model = talk.make(default_headers={"X-Team": "tea", "X-Other": "o"}, max_retries=1)
    with talk.emulator.fault("rate_limit", retry_after=0, times=1):
        await talk.ask(model=model, extra_headers={"x-team": value})
    await talk.ask(model=model)
    *both, later = talk.emulator.requests
    assert [each.headers["x-team"] for each in both] == [SECRET] * 2
    assert (both[0].headers["x-other"], later.headers["x-team"]) == ("o", "tea")
    assert "extra_headers" not in both[0].body
    assert SECRET not in str(both[0].body)


async def test_a_failure_does_not_show_the_headers_of_its_call(talk):
    with talk.emulator.fault("server_error"), pytest.raises(errors.ServerError) as caught:
        await talk.ask(extra_headers={"X-Ark-Trace": SECRET})
    assert SECRET not in f"{caught.value!r}{caught.value}{vars(caught.value)}"


@pytest.mark.parametrize(
    "headers",
    [{"X-Team": f"{SECRET}\n"}, {"X-Team": SecretStr(f"{SECRET}é")}, {"X Team": SECRET}, [SECRET]],
    ids=["line break", "accent", "name", "list"],
)
async def test_headers_that_cannot_be_sent_are_refused_unseen(talk, headers):
    with pytest.raises(errors.ConfigError, match="extra header") as caught:
        await talk.ask(extra_headers=headers)
    assert SECRET not in str(caught.value)
    assert not talk.emulator.requests


@pytest.mark.parametrize("name", ["extra_query", "extra_timeout", "timeout", "headers", "api_key"])
async def test_what_is_no_field_of_a_request_is_refused(talk, name):
    with pytest.raises(errors.ConfigError, match=f"^{name} is no field of a request: "):
        await talk.ask(**{name: {"X-Team": SECRET}})
    assert not talk.emulator.requests


@pytest.mark.parametrize("name", ["model", "messages", "stream", "extra_headers"])
def test_what_belongs_to_one_request_is_no_setting(adapter, name):
    """Another model would be asked than the one that traces name; and settings are written down."""
    options = {adapter.names["more_options"]: {name: {"X-Team": SECRET}, "user": "u"}}
    with pytest.raises(ValueError, match=f"cannot hold {name}: ") as caught:
        adapter.make(model="doubao-seed-2-1-lite-260915", api_key="k", **options)
    assert SECRET not in str(caught.value)
