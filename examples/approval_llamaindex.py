"""A person approves a picture or film before it is paid, in the events of a LlamaIndex agent.

    python examples/approval_llamaindex.py "Make a short video of fog over a tea garden."

Without a key this runs on the local emulator. The agent waits before anything is sent. Answer yes,
no, a reason, or JSON with other arguments; the tool goes on with that.
"""

from __future__ import annotations

import asyncio

from approval_parts import person
from llama_index.core.agent.workflow import FunctionAgent, ToolCallResult
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.workflow import HumanResponseEvent
from quickstart_parts.service import VIDEO_RESOLUTION, choose

from llamaindex_doubao import Doubao, DoubaoToolSpec
from llamaindex_doubao.tools import ApprovalRequiredEvent


async def main() -> None:
    """Run the agent, and answer what it asks."""
    wanted = person.arguments(__doc__ or "")
    service = choose()
    print(next(service.opening_lines(media=False)))
    spec = DoubaoToolSpec(
        provider=service.provider,
        image_model=service.image,
        video_model=service.video,
        output_dir=wanted.out,
        approval="event",
        fixed={"generate_video": {"resolution": VIDEO_RESOLUTION}},
    )
    llm = Doubao(model=service.chat, provider=service.provider)
    agent = FunctionAgent(llm=llm, tools=spec.to_tool_list())

    handler = agent.run(wanted.task, memory=ChatMemoryBuffer.from_defaults(llm=llm))
    async for event in handler.stream_events():
        if isinstance(event, ApprovalRequiredEvent):
            # In a thread: who thinks about it must not hold up the rest of the program.
            answer = await asyncio.to_thread(person.decides, event.model_dump(), wanted.answer)
            handler.ctx.send_event(
                HumanResponseEvent(question_id=event.question_id, response=answer)
            )
        elif isinstance(event, ToolCallResult):
            print(f"\ntool: {event.tool_output.content}")
    print(f"\nai: {await handler}")
    await spec.aclose()
    await llm.aclose()


if __name__ == "__main__":
    asyncio.run(main())
