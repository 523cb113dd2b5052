"""The bytes of a streamed chat answer (ark.md 4.4), and scripted answers."""

import http.client
import json

import httpx
import pytest

from doubao_emulator import chat_stream, tokens

SUMMARY = "doubao-seed-2-1-pro-260915"
RAW = "doubao-seed-2-0-pro-260215"
PLAIN = "doubao-1-5-pro-32k-250115"
HELLO = [{"role": "user", "content": "hello"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
KEY = {"Authorization": "Bearer k"}


@pytest.fixture
def post(emulator):
    with httpx.Client(base_url=emulator.base_url, headers=KEY) as client:

        def send(**body):
            return client.post("/chat/completions", json={"messages": HELLO, **body})

        yield send


@pytest.fixture
def stream(post):
    """Return the decoded chunks of a stream, after checking its frame."""

    def read(**body):
        answer = post(stream=True, **body)
        assert answer.headers["content-type"] == "text/event-stream"
        *frames, last, rest = answer.content.split(b"\n\n")
        assert (last, rest) == (b"data: [DONE]", b"")
        assert all(frame.startswith(b"data: {") and b"\n" not in frame for frame in frames)
        return [json.loads(frame.removeprefix(b"data: ")) for frame in frames]

    return read


def deltas(chunks):
    return [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]


def joined(chunks, key):
    return "".join(delta.get(key) or "" for delta in deltas(chunks))


def test_a_stream_of_a_summary_model_in_full(emulator, stream):
    emulator.answer("Hello!", reasoning="A greeting.", usage={"total_tokens": 42})
    chunks = stream(model=SUMMARY)
    common = {
        "id": chunks[0]["id"],
        "created": chunks[0]["created"],
        "model": SUMMARY,
        "service_tier": "default",
        "object": "chat.completion.chunk",
        "usage": None,
    }
    sealed = chunks[1]["choices"][0]["delta"]["encrypted_content"]
    said = [
        {"delta": {"content": "", "reasoning_content": "A greeting.", "role": "assistant"}},
        {
            "delta": {
                "content": "",
                "encrypted_content": sealed,
                "reasoning_content": "",
                "role": "assistant",
            }
        },
        {"delta": {"content": "Hell", "role": "assistant"}},
        {"delta": {"content": "o!", "role": "assistant"}},
        {"delta": {"content": "", "role": "assistant"}, "finish_reason": "stop"},
    ]
    assert chunks == [{"choices": [{**choice, "index": 0}], **common} for choice in said]
    assert sealed.startswith("dj")


def test_content_is_present_and_finish_reason_absent_until_the_end(stream):
    chunks = stream(model=RAW)
    choices = [chunk["choices"][0] for chunk in chunks]
    assert all(choice["delta"]["role"] == "assistant" for choice in choices)
    assert all("content" in choice["delta"] for choice in choices)
    assert ["finish_reason" in choice for choice in choices] == [False] * (len(chunks) - 1) + [True]
    assert not any("logprobs" in choice for choice in choices)


def test_reasoning_comes_first_in_several_fragments(stream):
    kinds = [
        "reasoning" if delta.get("reasoning_content") else "content"
        for delta in deltas(stream(model=RAW))
    ]
    assert kinds.count("reasoning") > 2
    assert kinds == sorted(kinds, reverse=True)


def test_a_stream_says_the_same_as_a_plain_answer(post, stream):
    plain = post(model=RAW).json()["choices"][0]["message"]
    chunks = stream(model=RAW)
    assert joined(chunks, "content") == plain["content"]
    assert joined(chunks, "reasoning_content") == plain["reasoning_content"]


def test_a_tool_call_is_streamed_by_index(emulator, stream):
    emulator.answer(
        tool_calls=[("get_weather", {"city": "北京"}), ("get_weather", {"city": "Oslo"})]
    )
    chunks = stream(model=PLAIN, tools=[WEATHER])
    entries = [delta["tool_calls"][0] for delta in deltas(chunks) if "tool_calls" in delta]
    for index, text in enumerate([' {"city": "北京"}', ' {"city": "Oslo"}']):
        first, *rest = [entry for entry in entries if entry["index"] == index]
        assert first["function"] == {"arguments": "", "name": "get_weather"}
        assert first["type"] == "function"
        assert first["id"].startswith("call_")
        assert all(entry.keys() == {"function", "index"} for entry in rest)
        assert all(entry["function"].keys() == {"arguments"} for entry in rest)
        assert len(rest) > 1
        assert "".join(entry["function"]["arguments"] for entry in rest) == text
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_usage_comes_in_one_chunk_without_choices_when_asked(stream):
    chunks = stream(model=RAW, stream_options={"include_usage": True})
    assert chunks[-1]["choices"] == []
    usage = chunks[-1]["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert all(chunk["usage"] is None for chunk in chunks[:-1])


def test_usage_so_far_comes_in_every_chunk_when_asked(stream):
    chunks = stream(model=RAW, stream_options={"include_usage": True, "chunk_include_usage": True})
    spent = [chunk["usage"]["completion_tokens"] for chunk in chunks]
    assert spent == sorted(spent)
    assert spent[0] > 0
    assert spent[-2] == spent[-1]


@pytest.mark.parametrize("model", ["glm-5-2-260617", "deepseek-v4-pro-ga-260813"])
def test_some_models_send_usage_unasked(stream, model):
    assert stream(model=model)[-1]["usage"] is not None
    assert stream(model=model, stream_options={"include_usage": False})[-1]["usage"] is None


def test_log_probabilities_are_streamed_with_the_content(stream):
    chunks = stream(model=PLAIN, logprobs=True, top_logprobs=2)
    entries = [
        entry
        for chunk in chunks
        for entry in chunk["choices"][0].get("logprobs", {}).get("content", [])
    ]
    assert "".join(entry["token"] for entry in entries) == joined(chunks, "content")
    assert all(len(entry["top_logprobs"]) == 2 for entry in entries)
    assert all(bytes(entry["bytes"]).decode() == entry["token"] for entry in entries)


@pytest.mark.parametrize(
    "text", ["", "a", "Hello there, world", "灯塔高约一百米", "e\u0301👩\u200d🚀x"]
)
def test_fragments_join_to_the_text_and_keep_characters_whole(text):
    pieces = list(chat_stream.fragments(text, (1,)))
    assert "".join(pieces) == text
    assert not any(piece.startswith(("\u0301", "\u200d", "🚀")) for piece in pieces)


def test_stop_words_cut_the_answer_and_are_not_returned(emulator, post):
    emulator.answer("one two three two")
    choice = post(model=PLAIN, stop=["three", " two"]).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one", "stop")


def test_max_tokens_bounds_the_answer_but_not_the_thought(emulator, post):
    emulator.answer("one two three four five", reasoning="a b c d e f g")
    answer = post(model=RAW, max_tokens=3).json()
    message = answer["choices"][0]["message"]
    assert message["content"] == "one two three"
    assert message["reasoning_content"] == "a b c d e f g"
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 10
    assert answer["usage"]["completion_tokens_details"] == {"reasoning_tokens": 7}


def test_max_completion_tokens_bounds_both(emulator, post):
    for limit, content, reasoning in [(9, "one two", 7), (4, "", 4)]:
        emulator.answer("one two three four five", reasoning="a b c d e f g")
        answer = post(model=RAW, max_completion_tokens=limit).json()
        assert answer["choices"][0]["message"]["content"] == content
        assert answer["choices"][0]["finish_reason"] == "length"
        assert answer["usage"]["completion_tokens_details"] == {"reasoning_tokens": reasoning}
        assert answer["usage"]["completion_tokens"] == limit


def test_a_tool_call_over_the_limit_ends_in_half_an_argument(emulator, post):
    emulator.answer(tool_calls=[("get_weather", {"city": "Oslo and its fjord"})])
    choice = post(model=PLAIN, tools=[WEATHER], max_tokens=6).json()["choices"][0]
    arguments = choice["message"]["tool_calls"][0]["function"]["arguments"]
    assert choice["finish_reason"] == "length"
    assert tokens.count(arguments) == 6
    assert not arguments.endswith("}")


def test_a_scripted_turn_may_end_by_the_content_filter(emulator, post):
    emulator.answer("I can", finish_reason="content_filter")
    assert post(model=PLAIN).json()["choices"][0]["finish_reason"] == "content_filter"


def test_a_scripted_body_is_sent_as_it_stands(emulator, post):
    emulator.answer(body={"any": "thing"}, times=2)
    emulator.answer(body=b"not json")
    assert [post(model=PLAIN).content for _ in range(3)] == [
        b'{"any":"thing"}',
        b'{"any":"thing"}',
        b"not json",
    ]


def test_a_scripted_answer_does_not_excuse_a_wrong_request(emulator, post):
    emulator.answer("kept")
    assert post(model=PLAIN, temperature=9).status_code == 400
    assert post(model=PLAIN).json()["choices"][0]["message"]["content"] == "kept"


@pytest.mark.parametrize("burst", [False, True])
def test_scripted_events_are_sent_as_they_stand(emulator, post, burst):
    emulator.answer(events=[{"a": 1}, "b", b"data: {", b'"c"', b"}\n\n"], burst=burst)
    assert post(model=PLAIN, stream=True).content == b'data: {"a":1}\n\ndata: b\n\ndata: {"c"}\n\n'


def test_scripted_bytes_are_written_where_the_script_splits_them(emulator):
    emulator.answer(events=[b'data: {"x":"\xe7\x81', b'\xaf"}', b"\n", b"\n"], interval=0.02)
    connection = http.client.HTTPConnection(
        emulator.world.origin.removeprefix("http://"), timeout=5
    )
    body = json.dumps({"model": PLAIN, "messages": HELLO, "stream": True})
    connection.request("POST", "/api/v3/chat/completions", body, KEY)
    answer = connection.getresponse()
    pieces = []
    while piece := answer.read1():
        pieces.append(piece)
    connection.close()
    assert pieces == [b'data: {"x":"\xe7\x81', b'\xaf"}', b"\n", b"\n"]


def test_a_slow_stream_ends_when_the_client_leaves(emulator, soon):
    emulator.answer(events=["x"] * 10_000, interval=0.01)
    body = {"model": PLAIN, "messages": HELLO, "stream": True}
    url = f"{emulator.base_url}/chat/completions"
    with httpx.Client(headers=KEY) as client, client.stream("POST", url, json=body) as answer:
        next(answer.iter_raw())
    assert soon(lambda: emulator.connections == 0)
