"""A person approves a picture or film before it is paid, with LangGraph's ``interrupt``.

    python examples/approval_langgraph.py "Make a short video of fog over a tea garden."

Without a key this runs on the local emulator. The agent stops before anything is sent. Answer yes,
no, a reason, or JSON with other arguments; the graph goes on with that.
"""

from __future__ import annotations

from approval_parts import person
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from quickstart_parts.service import VIDEO_RESOLUTION, choose

from langchain_doubao import ChatDoubao, DoubaoToolkit


def main() -> None:
    """Run the agent until it neither asks nor works."""
    wanted = person.arguments(__doc__ or "")
    service = choose()
    print(next(service.opening_lines(media=False)))
    toolkit = DoubaoToolkit(
        provider=service.provider,
        image_model=service.image,
        video_model=service.video,
        output_dir=wanted.out,
        approval="interrupt",
        video_options={"fixed": {"resolution": VIDEO_RESOLUTION}},
    )
    model = ChatDoubao(model=service.chat, provider=service.provider)
    # In production a checkpointer that outlives the process: the answer may come tomorrow.
    agent = create_agent(model, toolkit.get_tools(), checkpointer=InMemorySaver())
    thread = {"configurable": {"thread_id": "approval"}}

    state = agent.invoke({"messages": [("user", wanted.task)]}, thread)
    while questions := state.get("__interrupt__"):
        answers = {each.id: person.decides(each.value, wanted.answer) for each in questions}
        state = agent.invoke(Command(resume=answers), thread)
    for message in state["messages"]:
        if message.type in {"tool", "ai"} and message.text:
            print(f"\n{message.type}: {message.text}")


if __name__ == "__main__":
    main()
