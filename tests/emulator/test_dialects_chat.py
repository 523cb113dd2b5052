"""The chat dialects of the emulator: the paths, bodies and refusals of seeds 000 and 001."""

import json

import httpx
import pytest

from doubao_emulator import __version__

LITE = "doubao-seed-1-6-lite-251015"
HELLO = {"model": LITE, "messages": [{"role": "user", "content": "hello"}]}
KEY = {"Authorization": "Bearer k"}
CHATS = {"xroute": "", "anyfast": "/v1", "openai-compatible": ""}


def ask(emulator, provider, body=HELLO, headers=KEY):
    url = f"{emulator.base_url_of(provider)}{CHATS[provider]}/chat/completions"
    return httpx.post(url, json=body, headers=headers)


def events(answer):
    return [json.loads(line[6:]) for line in answer.text.split("\n\n")[:-2]]


def test_each_dialect_has_a_place_of_its_own(emulator):
    host = emulator.world.origin
    assert emulator.base_url_of("xroute") == f"{host}/xroute/openai/v1"
    assert emulator.base_url_of("anyfast") == f"{host}/anyfast"
    assert emulator.base_url_of("agentsflare") == f"{host}/agentsflare/byteplus/v3"
    assert emulator.base_url_of("openai-compatible") == f"{host}/openai-compatible/v1"
    assert emulator.base_url_of("ark") == emulator.base_url
    assert emulator.base_url_of("byteplus") == emulator.byteplus_base_url


def test_a_dialect_that_there_is_not_is_refused_with_the_names_of_those_that_are(emulator):
    with pytest.raises(ValueError, match=r"'anyfast'.*'xroute'"):
        emulator.base_url_of("openrouter")


@pytest.mark.parametrize("provider", CHATS)
def test_an_answer_has_what_the_page_lists_and_nothing_of_arks(emulator, provider):
    emulator.answer("Hello.")
    answer = ask(emulator, provider)
    body = answer.json()
    assert body.keys() == {"id", "object", "created", "model", "choices", "usage"}
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello."},
            "finish_reason": "stop",
        }
    ]
    assert body["usage"].keys() == {"prompt_tokens", "completion_tokens", "total_tokens"}
    assert (body["object"], body["model"]) == ("chat.completion", LITE)
    assert answer.headers["x-doubao-emulator"] == __version__
    assert "x-request-id" not in answer.headers


@pytest.mark.parametrize("provider", CHATS)
def test_a_stream_is_of_openais_chunks(emulator, provider):
    emulator.answer("Hello you.", tool_calls=[("look", {"at": 1})])
    body = {**HELLO, "stream": True, "stream_options": {"include_usage": True}}
    answer = ask(emulator, provider, body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.endswith("data: [DONE]\n\n")
    chunks = events(answer)
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
    assert "".join(each["delta"].get("content", "") for each in choices) == "Hello you."
    calls = [each["delta"]["tool_calls"][0] for each in choices if "tool_calls" in each["delta"]]
    assert [call["function"]["name"] for call in calls] == ["look"]
    assert choices[-1]["finish_reason"] == "tool_calls"
    # Anyfast's page prints no event, so clients must do without what it may not say.
    assert any("usage" in chunk for chunk in chunks) is (provider != "anyfast")


@pytest.mark.parametrize("provider", CHATS)
def test_reasoning_comes_beside_the_answer(emulator, provider):
    emulator.answer("Yes.", reasoning="Let me think.")
    body = {**HELLO, "thinking": {"type": "enabled"}}
    message = ask(emulator, provider, body).json()["choices"][0]["message"]
    assert message["reasoning_content"] == "Let me think."
    emulator.answer("Yes.", reasoning="Let me think.")
    deltas = [
        chunk["choices"][0]["delta"]
        for chunk in events(ask(emulator, provider, {**body, "stream": True}))
    ]
    assert "".join(each.get("reasoning_content", "") for each in deltas) == "Let me think."


@pytest.mark.parametrize("provider", CHATS)
def test_a_tool_call_is_in_the_message(emulator, provider):
    emulator.answer(tool_calls=[("look", '{"at": 1}')])
    choice = ask(emulator, provider).json()["choices"][0]
    (call,) = choice["message"]["tool_calls"]
    assert call["function"] == {"name": "look", "arguments": '{"at": 1}'}
    assert choice["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("provider", CHATS)
@pytest.mark.parametrize(
    ("change", "headers", "status"),
    [
        ({}, {}, 401),
        ({}, {"Authorization": "Basic k"}, 401),
        ({"model": "no-such-model"}, KEY, 404),
        ({"messages": []}, KEY, 400),
        ({"temperature": 3}, KEY, 400),
    ],
)
def test_a_refusal_is_a_code_and_a_message(emulator, provider, change, headers, status):
    answer = ask(emulator, provider, {**HELLO, **change}, headers)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error.keys() == {"code", "message"}
    assert all(isinstance(value, str) and value for value in error.values())


@pytest.mark.parametrize("provider", ["xroute", "anyfast"])
def test_only_what_a_page_shows_is_there(emulator, provider):
    for path in ("/embeddings", "/moderations"):
        url = f"{emulator.base_url_of(provider)}{CHATS[provider]}{path}"
        answer = httpx.post(url, json={"input": "a"}, headers=KEY)
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "NotFound.Path"


def test_the_answers_of_one_place_are_dictated_like_those_of_another(emulator):
    emulator.answer(body={"choices": []})
    assert ask(emulator, "anyfast").json() == {"choices": []}
    emulator.answer(events=["one", "[DONE]"])
    assert ask(emulator, "xroute").text == "data: one\n\ndata: [DONE]\n\n"


def embed(emulator, **fields):
    url = f"{emulator.base_url_of('openai-compatible')}/embeddings"
    return httpx.post(url, json=fields, headers=KEY)


def test_embeddings_have_the_printed_shape(emulator):
    answer = embed(emulator, model="doubao-seed-1.6-embedding", input=["tea", "tea", "coffee"])
    first, second, third = (item["embedding"] for item in answer.json()["data"])
    assert first == second != third
    assert all(isinstance(number, float) for number in first)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"model": "another", "input": ["a"]}, 404),
        ({"model": "doubao-seed-1.6-embedding", "input": "a"}, 400),
        ({"model": "doubao-seed-1.6-embedding", "input": [1]}, 400),
        (
            {
                "model": "doubao-seed-1.6-embedding",
                "input": ["a"],
                "encoding_format": "base64",
            },
            400,
        ),
    ],
)
def test_the_guide_knows_one_embedding_model_and_two_fields(emulator, fields, status):
    assert embed(emulator, **fields).status_code == status


def test_a_moderation_has_openais_shape(emulator):
    url = f"{emulator.base_url_of('openai-compatible')}/moderations"
    answer = httpx.post(url, json={"input": "EMULATED SENSITIVE CONTENT"}, headers=KEY).json()
    (result,) = answer["results"]
    assert result["flagged"] is True
    assert result["categories"].keys() == result["category_scores"].keys()
    assert [name for name, hit in result["categories"].items() if hit] == ["violence"]
    harmless = httpx.post(url, json={"input": "tea"}, headers=KEY).json()["results"][0]
    assert (harmless["flagged"], any(harmless["categories"].values())) == (False, False)


def test_an_emulated_fault_speaks_the_dialect(emulator):
    with emulator.fault("rate_limit", retry_after=2):
        answer = ask(emulator, "anyfast")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert answer.json()["error"].keys() == {"code", "message"}
