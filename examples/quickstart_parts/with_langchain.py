"""The job with LangChain: a vector store, a streamed answer, and an agent with media tools."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    AnyMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import BaseTool, tool
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_text_splitters import RecursiveCharacterTextSplitter

from doubao_core.studio import ImageResult, VideoResult
from langchain_doubao import ChatDoubao, DoubaoEmbeddings, DoubaoToolkit
from quickstart_parts import prompts, terminal
from quickstart_parts.documents import Section
from quickstart_parts.result import Result, Source
from quickstart_parts.service import POLL_SECONDS, Service

CHUNK_CHARACTERS = 700
CHUNK_OVERLAP = 80
MOST_STEPS = 30


def run(result: Result, sections: Sequence[Section], service: Service, folder: Path | None) -> None:
    """Fill in *result*; with a *folder*, also have a picture and a video made and put there."""
    embeddings = DoubaoEmbeddings(model=service.embedding, provider=service.provider)
    model = ChatDoubao(model=service.chat, provider=service.provider)
    try:
        store = InMemoryVectorStore(embeddings)
        store.add_documents(_split(sections))
        result.sources = _search(store, result.question)
        _answer(result, model)
        terminal.sources(result.sources)
        if folder is not None:
            asyncio.run(_illustrate(result, model, store, service, folder))
    finally:
        result.used("embeddings", service.embedding, embeddings.usage.prompt_tokens)


def _split(sections: Sequence[Section]) -> list[Document]:
    splitter = RecursiveCharacterTextSplitter(
        chunk_size=CHUNK_CHARACTERS, chunk_overlap=CHUNK_OVERLAP
    )
    return splitter.split_documents(
        Document(each.text, metadata={"file": each.file, "place": each.place}) for each in sections
    )


def _search(store: InMemoryVectorStore, query: str) -> list[Source]:
    found = store.similarity_search_with_score(query, k=prompts.MOST_PASSAGES)
    return [
        Source(text=document.page_content, score=score, **document.metadata)
        for document, score in found
    ]


def _answer(result: Result, model: ChatDoubao) -> None:
    """Stream the reasoning and the answer to the terminal."""
    messages = [
        SystemMessage(prompts.ANSWERER),
        HumanMessage(prompts.question_with_context(result.question, result.sources)),
    ]
    whole = AIMessageChunk(content="")
    with terminal.Transcript(result) as transcript:
        for chunk in model.stream(messages):
            whole += chunk
            for block in chunk.content_blocks:
                if block["type"] == "reasoning":
                    transcript.think(block.get("reasoning", ""))
                elif block["type"] == "text":
                    transcript.say(block["text"])
    _count(result, "answer", model.model, [whole])


async def _illustrate(
    result: Result, model: ChatDoubao, store: InMemoryVectorStore, service: Service, folder: Path
) -> None:
    """Let an agent look things up and make one picture and one video.

    Async, because Ctrl-C then ends the wait for a video at once; ``agent.stream`` works as well.
    """
    with terminal.VideoBar() as bar:
        toolkit = DoubaoToolkit(
            provider=service.provider,
            image_model=service.image,
            video_model=service.video,
            output_dir=folder,
            image_options={"fixed": prompts.FIXED_IMAGE, "max_jobs": 1},
            video_options={
                "fixed": prompts.FIXED_VIDEO,
                "max_jobs": 1,
                "poll_interval": POLL_SECONDS,
                "on_progress": bar.show,
            },
        )
        agent = create_agent(
            model,
            [_search_tool(store), *toolkit.get_tools()],
            system_prompt=prompts.ILLUSTRATOR,
        )
        task = HumanMessage(prompts.illustration_task(result.question, result.answer))
        said: list[AIMessage] = []
        async for step in agent.astream(
            {"messages": [task]}, {"recursion_limit": MOST_STEPS}, stream_mode="updates"
        ):
            said += _watched(step, result)
    _count(result, "agent", model.model, said)
    result.check_media()


def _search_tool(store: InMemoryVectorStore) -> BaseTool:
    @tool
    def search_documents(query: str) -> str:
        """Search the user's documents; gives the passages that fit the query best."""
        return "\n\n".join(source.text for source in _search(store, query))

    return search_documents


def _watched(step: dict[str, dict[str, list[AnyMessage]]], result: Result) -> list[AIMessage]:
    """Report a step of the agent, keep what its tools made, and give the model's messages."""
    messages = [message for update in step.values() for message in update["messages"]]
    for message in messages:
        if isinstance(message, ToolMessage):
            _keep(message, result)
        elif isinstance(message, AIMessage):
            result.caption = message.text
            for call in message.tool_calls:
                terminal.tool_call(call["name"], call["args"])
                if call["name"] == "generate_video":
                    result.video_prompt = call["args"].get("prompt", "")
    return [message for message in messages if isinstance(message, AIMessage)]


def _keep(message: ToolMessage, result: Result) -> None:
    if isinstance(message.artifact, ImageResult):
        result.keep_image(message.artifact)
    elif isinstance(message.artifact, VideoResult):
        result.keep_video(message.artifact)
    elif message.status == "error":
        result.problems.append(message.text)


def _count(result: Result, step: str, model: str, messages: Sequence[AIMessage]) -> None:
    usages = [message.usage_metadata for message in messages if message.usage_metadata]
    result.used(
        step,
        model,
        sum(usage["input_tokens"] for usage in usages),
        sum(usage["output_tokens"] for usage in usages),
    )
