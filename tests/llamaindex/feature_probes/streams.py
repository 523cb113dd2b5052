"""Probes: reasoning, streams, tokens, failures."""

import asyncio

from llama_index.core.base.llms.types import ChatMessage, ThinkingBlock
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.tools import FunctionTool

from doubao_emulator import Emulator

HI = [ChatMessage(content="Hi")]
THOUGHT = "The moon pulls."


def event(delta, *, usage=None, **choice):
    return {
        "id": "0217abc",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": "doubao-seed-2-1-pro-260915",
        "choices": [{"index": 0, "delta": {"role": "assistant", **delta}, **choice}],
        "usage": usage,
    }


def thoughts(message):
    return "".join(
        block.content or "" for block in message.blocks if isinstance(block, ThinkingBlock)
    )


def gathered(llm, messages=HI):
    async def gather():
        return [each async for each in await llm.astream_chat(messages)]

    return asyncio.run(gather())


def reasoning(side):
    side.emulator.answer("Tides.", reasoning=THOUGHT)
    message = side.llm().chat(HI).message
    return "in a `ThinkingBlock`" if thoughts(message) == THOUGHT else "lost"


def reasoning_tokens(side):
    side.emulator.answer("Tides.", reasoning=THOUGHT)
    blocks = side.llm().chat(HI).message.blocks
    counted = [block.num_tokens for block in blocks if isinstance(block, ThinkingBlock)]
    return "counted" if counted and counted[0] else "not counted"


def reasoning_in_streams(side):
    events = [event({"reasoning_content": "The moon "}), event({"reasoning_content": "pulls."})]
    ending = [event({"content": "Tides."}), event({"content": ""}, finish_reason="stop"), "[DONE]"]
    side.emulator.answer(events=[*events, *ending], times=2)
    told = []
    for responses in (list(side.llm().stream_chat(HI)), gathered(side.llm())):
        deltas = [each.additional_kwargs.get("thinking_delta") or "" for each in responses]
        told.append("".join(deltas))
    if told == [THOUGHT, THOUGHT]:
        return "whole, blocking and async"
    return "lost" if not any(told) else "parts are lost"


def reasoning_in_a_tool_loop(side):
    def weather(city: str) -> str:
        """Weather of a city."""
        return f"It is sunny in {city}."

    tools, llm = [FunctionTool.from_defaults(weather)], side.llm()
    question = ChatMessage(content="What is the weather in Paris?")
    called = llm.chat_with_tools(tools, chat_history=[question]).message
    (call,) = called.additional_kwargs["tool_calls"]
    call_id = call["id"] if isinstance(call, dict) else call.id
    result = ChatMessage(role="tool", content="sun", additional_kwargs={"tool_call_id": call_id})
    llm.chat_with_tools(tools, chat_history=[question, called, result])
    sent = side.body()["messages"][1]
    if sent.get("reasoning_content") and sent.get("encrypted_content", "").startswith("dj"):
        return "sent back, with its seal"
    return "sent back, without its seal" if "reasoning_content" in sent else "not sent back"


def reasoning_of_completions(side):
    side.emulator.answer("Tides.", reasoning=THOUGHT)
    extra = side.llm().complete("Hi").additional_kwargs
    return "beside the text" if THOUGHT in extra.values() else "lost"


def usage_of_streams(side):
    last = list(side.llm().stream_chat(HI))[-1]
    raw = last.raw if isinstance(last.raw, dict) else last.raw.model_dump()
    usage = raw.get("usage")
    return "in the last response" if usage and usage["total_tokens"] else "not asked for"


def counted_tokens(side):
    counter = TokenCountingHandler(tokenizer=str.split)
    llm = side.llm(callback_manager=CallbackManager([counter]))
    side.emulator.answer("Tides.", usage={"prompt_tokens": 100, "completion_tokens": 7})
    for _ in llm.stream_chat(HI):
        pass
    exact = (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (100, 7)
    return "exact" if exact else "estimated"


def details_of_usage(side):
    details = {"prompt_tokens_details": {"cached_tokens": 64}}
    side.emulator.answer("Tides.", usage=details)
    extra = side.llm().chat(HI).additional_kwargs
    known = [name for name in ("cached_tokens", "finish_reason") if extra.get(name)]
    return "in `additional_kwargs`" if len(known) == 2 else "only in `raw`"


def cut_streams(side):
    events = [event({"content": "Tides come "}), event({"content": "and"})]
    side.emulator.answer(events=events)
    error = side.error(lambda: list(side.llm(max_retries=0).stream_chat(HI)))
    if error is None:
        return "half an answer, as if whole"
    return "an error with the text that came" if error.partial else "an error"


def errors_in_streams(side):
    failure = {"error": {"code": "InternalServiceError", "message": "It failed."}}
    side.emulator.answer(events=[event({"content": "Tides"}), failure])
    error = side.error(lambda: list(side.llm(max_retries=0).stream_chat(HI)))
    if error is None:
        return "ignored"
    kept = getattr(error, "partial", "") == "Tides"
    return "an error with the text that came" if kept else "an error, the text is lost"


def _requests(side, fault, **fields):
    with side.emulator.fault(fault):
        assert side.error(lambda: side.llm(**fields).chat(HI))
    return len(side.emulator.requests)


def spent_quota(side):
    count = _requests(side, "quota")
    return f"asked {count} time{'s' * (count > 1)}"


def three_retries(side):
    return f"{_requests(side, 'server_error', max_retries=3)} requests"


def left_streams(side):
    """With a server of its own, to count connections."""
    with Emulator() as emulator:
        emulator.answer(events=[event({"content": "x"})] * 1000, interval=0.01)
        side.emulator, shared = emulator, side.emulator

        async def cancelled():
            begun = asyncio.Event()

            async def read():
                async for _ in await llm.astream_chat(HI):
                    begun.set()

            task = asyncio.create_task(read())
            await begun.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for _ in range(30):
                await asyncio.sleep(0.01)
                if not emulator.connections:
                    break
            return emulator.connections

        llm = side.llm()
        still_open = asyncio.run(cancelled())
        side.emulator = shared
    return "closes the connection" if not still_open else "leaves it open"


PROBES = {
    "Reasoning": (reasoning, "in a `ThinkingBlock`"),
    "Reasoning tokens": (reasoning_tokens, "counted"),
    "Reasoning in streams (`thinking_delta`)": (reasoning_in_streams, "whole, blocking and async"),
    "Reasoning in a tool loop": (reasoning_in_a_tool_loop, "sent back, with its seal"),
    "Reasoning of completions": (reasoning_of_completions, "beside the text"),
    "Usage of a stream": (usage_of_streams, "in the last response"),
    "`TokenCountingHandler` on a stream": (counted_tokens, "exact"),
    "Cached tokens and finish reason": (details_of_usage, "in `additional_kwargs`"),
    "A stream that is cut": (cut_streams, "an error with the text that came"),
    "An error inside a stream": (errors_in_streams, "an error with the text that came"),
    "A spent quota (429)": (spent_quota, "asked 1 time"),
    "`max_retries=3` on a failing service": (three_retries, "4 requests"),
    "Cancelling a stream": (left_streams, "closes the connection"),
}
