"""Whole answers: what becomes of the wire's fields, by all methods alike; options; errors."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, TextBlock, ThinkingBlock

from doubao_core import AuthenticationError, ConfigError, RateLimited
from llamaindex_doubao.messages import wire_messages
from llamaindex_doubao.options import merged

HI = [ChatMessage(content="hi")]
BODY = {
    "id": "0217",
    "object": "chat.completion",
    "created": 1,
    "model": "m-1",
    "service_tier": "default",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "logprobs": None,
            "message": {
                "role": "assistant",
                "content": "茶",
                "reasoning_content": "hm",
                "encrypted_content": "djF",
            },
        }
    ],
    "usage": {
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
    },
}


async def test_every_field_of_an_answer_has_its_place(emulator, llm):
    emulator.answer(body=BODY, times=2)
    response = llm.chat(HI)
    facts = response.additional_kwargs
    assert response.message.blocks == [
        ThinkingBlock(
            content="hm", num_tokens=2, additional_information={"encrypted_content": "djF"}
        ),
        TextBlock(text="茶"),
    ]
    assert response.message.additional_kwargs == {}
    assert response.raw == BODY
    assert facts.pop("request_id")
    assert facts == {
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "total_tokens": 12,
        "cached_tokens": 3,
        "reasoning_tokens": 2,
        "finish_reason": "stop",
        "service_tier": "default",
        "model": "m-1",
    }
    assert (await llm.achat(HI)).message == response.message


async def test_all_methods_give_the_same_message_and_facts(emulator, llm, ask):
    script = {"reasoning": "hm", "tool_calls": [("f", {"a": "茶"})], "content": "Let me see."}
    emulator.answer(**script)
    expected = llm.chat(HI)
    emulator.answer(**script)
    found = await ask(llm, HI)

    def told(response: Any) -> Any:
        # Ids are new in each answer, and with them what is sealed.
        dumped = response.message.model_dump()
        dumped["additional_kwargs"].pop("tool_calls")
        dumped["blocks"][0].pop("additional_information")
        dumped["blocks"][2].pop("tool_call_id")
        return dumped, {**response.additional_kwargs, "request_id": None}

    assert told(found) == told(expected)


async def test_log_probabilities_are_given_with_their_alternatives(emulator, make_llm, sent):
    def token(text: str, logprob: float) -> dict[str, Any]:
        return {"token": text, "bytes": list(text.encode()), "logprob": logprob}

    told = {"content": [{**token("x", -0.5), "top_logprobs": [token("x", -0.5), token("y", -1)]}]}
    choice = {**BODY["choices"][0], "logprobs": told}
    emulator.answer(body={**BODY, "choices": [choice]}, times=2)
    llm = make_llm(model="doubao-1-5-pro-32k-250115", logprobs=True, top_logprobs=2)
    for response in (llm.chat(HI), await llm.achat(HI)):
        ((first, second),) = response.logprobs
        assert (first.token, first.logprob, second.token) == ("x", -0.5, "y")
    assert [(body["logprobs"], body["top_logprobs"]) for body in sent()] == [(True, 2)] * 2


async def test_a_message_that_was_stored_is_the_same_on_the_wire(emulator, llm, ask):
    emulator.answer(reasoning="hm", content="茶", tool_calls=[("f", {"a": [1, None]})])
    message = (await ask(llm, HI)).message
    stored = ChatMessage.model_validate_json(message.model_dump_json())
    assert wire_messages([stored]) == wire_messages([message])


@pytest.mark.parametrize("reason", ["length", "content_filter"])
async def test_an_answer_that_was_cut_is_kept_with_its_reason(emulator, llm, ask, reason):
    emulator.answer("As far as", finish_reason=reason)
    response = await ask(llm, HI)
    assert response.message.content == "As far as"
    assert response.additional_kwargs["finish_reason"] == reason


async def test_an_empty_answer_is_an_empty_text(emulator, llm, ask):
    emulator.answer("")
    assert (await ask(llm, HI)).message.content == ""


async def test_completions_have_the_reasoning_beside_the_text(emulator, llm):
    emulator.answer(body=BODY, times=2)
    for completion in (llm.complete("hi"), await llm.acomplete(prompt="hi")):
        assert completion.text == "茶"
        assert completion.additional_kwargs["thinking"] == "hm"
        assert completion.additional_kwargs["total_tokens"] == 12
        assert completion.raw == BODY


def test_completion_to_prompt_is_applied_unless_the_prompt_is_formatted(make_llm, sent):
    llm = make_llm(completion_to_prompt=lambda prompt: f"<{prompt}>")
    llm.complete("a")
    llm.complete("b", formatted=True)
    assert [body["messages"] for body in sent()] == [
        [{"role": "user", "content": "<a>"}],
        [{"role": "user", "content": "b"}],
    ]


async def test_nothing_is_sent_that_was_not_given(llm, ask, sent):
    await ask(llm, HI)
    (body,) = sent()
    assert set(body) <= {"model", "messages", "stream", "stream_options"}
    assert body["messages"] == [{"role": "user", "content": "hi"}]


async def test_a_call_wins_over_the_fields_and_those_over_the_extras(make_llm, ask, sent):
    llm = make_llm(
        temperature=0.2,
        max_tokens=100,
        thinking="enabled",
        extra_body={"top_p": 0.3, "user": "body"},
        additional_kwargs={"temperature": 0.9, "top_p": 0.9, "seed": 4, "user": "extras"},
    )
    await ask(llm, HI, temperature=0.4, max_completion_tokens=50, thinking=None, brand_new=1)
    (body,) = sent()
    for name in ("model", "messages", "stream", "stream_options"):
        body.pop(name, None)
    assert body == {
        "temperature": 0.4,
        "top_p": 0.3,
        "seed": 4,
        "user": "body",
        "max_completion_tokens": 50,
        "brand_new": 1,
    }


@pytest.mark.parametrize(
    ("layers", "result"),
    [
        ([{"a": {"x": 1, "y": 1}}, {"a": {"y": 2}}], {"a": {"x": 1, "y": 2}}),
        ([{"thinking": {"type": "enabled", "z": 1}}, {"thinking": "disabled"}],
         {"thinking": {"type": "disabled"}}),
        ([{"extra_body": {"a": 1}}, {"a": 2}], {"a": 2}),
        ([{"a": 2}, {"extra_body": {"a": 1}}], {"a": 1}),
        ([{"a": 1}, {"a": None}], {}),
        ([{"max_tokens": 1}, {"max_completion_tokens": 2}], {"max_completion_tokens": 2}),
        ([{"max_completion_tokens": 1}, {"max_tokens": 2}], {"max_tokens": 2}),
    ],
)  # fmt: skip
def test_how_layers_of_options_are_merged(layers, result):
    copies = [dict(layer) for layer in layers]
    assert merged(*layers) == result
    assert layers == copies


async def test_stream_options_of_a_call_are_kept_beside_ours(llm, stream, sent):
    await stream(llm, HI, stream_options={"chunk_include_usage": True})
    assert sent()[0]["stream_options"] == {"include_usage": True, "chunk_include_usage": True}


async def test_what_cannot_be_sent_fails_before_anything_is(emulator, llm, ask):
    with pytest.raises(ConfigError):
        await ask(llm, [ChatMessage(role="tool", content="x")])
    assert not emulator.requests


@pytest.mark.parametrize("wanted", [True, False])
async def test_the_method_decides_about_streaming(emulator, llm, ask, wanted):
    with pytest.raises(ConfigError, match="call stream_chat, or chat"):
        await ask(llm, HI, stream=wanted)
    assert emulator.requests == []


async def test_retries_are_counted_once(emulator, make_llm, ask):
    with emulator.fault("rate_limit", retry_after=0), pytest.raises(RateLimited):
        await ask(make_llm(max_retries=2), HI)
    assert len(emulator.requests) == 3


async def test_a_missing_key_names_its_variable_and_sends_nothing(
    emulator, make_llm, ask, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-vendor")
    with pytest.raises(ConfigError, match="ARK_API_KEY"):
        await ask(make_llm(api_key=None), HI)
    assert not emulator.requests


async def test_a_refused_key_is_not_shown(emulator, make_llm, ask):
    body = {"error": {"code": "AuthenticationError", "message": "no", "param": "", "type": "U"}}
    emulator.answer(body={**body})
    with pytest.raises(AuthenticationError) as caught:
        await ask(make_llm(api_key="sk-very-secret"), HI)
    assert "sk-very-secret" not in f"{caught.value!r}{caught.value}"
