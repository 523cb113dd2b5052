"""The job with LlamaIndex: a vector index, a streamed answer, and an agent with media tools."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from llama_index.core import Document, VectorStoreIndex
from llama_index.core.agent.workflow import AgentOutput, FunctionAgent, ToolCall, ToolCallResult
from llama_index.core.llms import ChatMessage
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.tools import FunctionTool, ToolOutput

from doubao_core.studio import ImageResult
from llamaindex_doubao import Doubao, DoubaoEmbedding, DoubaoToolSpec
from llamaindex_doubao.tools import ResultBlock
from quickstart_parts import prompts, terminal
from quickstart_parts.documents import Section
from quickstart_parts.result import Result, Source
from quickstart_parts.service import POLL_SECONDS, Service

CHUNK_TOKENS = 256
CHUNK_OVERLAP = 32
MOST_STEPS = 30


def run(result: Result, sections: Sequence[Section], service: Service, folder: Path | None) -> None:
    """Fill in *result*; with a *folder*, also have a picture and a video made and put there."""
    embeddings = DoubaoEmbedding(model_name=service.embedding, provider=service.provider)
    model = Doubao(model=service.chat, provider=service.provider)
    try:
        index = _index(sections, embeddings)
        result.sources = _search(index, result.question)
        _answer(result, model)
        terminal.sources(result.sources)
        if folder is not None:
            asyncio.run(_illustrate(result, model, index, service, folder))
    finally:
        result.used("embeddings", service.embedding, embeddings.usage.prompt_tokens)


def _index(sections: Sequence[Section], embeddings: DoubaoEmbedding) -> VectorStoreIndex:
    documents = [
        Document(text=each.text, metadata={"file": each.file, "place": each.place})
        for each in sections
    ]
    splitter = SentenceSplitter(chunk_size=CHUNK_TOKENS, chunk_overlap=CHUNK_OVERLAP)
    return VectorStoreIndex.from_documents(
        documents, transformations=[splitter], embed_model=embeddings
    )


def _search(index: VectorStoreIndex, query: str) -> list[Source]:
    retriever = index.as_retriever(similarity_top_k=prompts.MOST_PASSAGES)
    return [
        Source(text=found.text, score=found.score or 0.0, **found.metadata)
        for found in retriever.retrieve(query)
    ]


def _answer(result: Result, model: Doubao) -> None:
    """Stream the reasoning and the answer to the terminal."""
    messages = [
        ChatMessage(role="system", content=prompts.ANSWERER),
        ChatMessage(content=prompts.question_with_context(result.question, result.sources)),
    ]
    spent: dict[str, int] = {}
    with terminal.Transcript(result) as transcript:
        for chunk in model.stream_chat(messages):
            transcript.think(chunk.additional_kwargs.get("thinking_delta") or "")
            transcript.say(chunk.delta or "")
            spent = chunk.additional_kwargs
    result.used("answer", model.model, spent["prompt_tokens"], spent["completion_tokens"])


async def _illustrate(
    result: Result, model: Doubao, index: VectorStoreIndex, service: Service, folder: Path
) -> None:
    """Let an agent look things up and make one picture and one video."""
    with terminal.VideoBar() as bar:
        media_tools = DoubaoToolSpec(
            provider=service.provider,
            image_model=service.image,
            video_model=service.video,
            output_dir=folder,
            fixed={"generate_image": prompts.FIXED_IMAGE, "generate_video": prompts.FIXED_VIDEO},
            max_image_jobs=1,
            max_video_jobs=1,
            poll_interval=POLL_SECONDS,
            on_progress=bar.show,
            show=(),
        )
        agent = FunctionAgent(
            llm=model,
            tools=[_search_tool(index), *media_tools.to_tool_list()],
            system_prompt=prompts.ILLUSTRATOR,
        )
        task = prompts.illustration_task(result.question, result.answer)
        run = agent.run(user_msg=task, max_iterations=MOST_STEPS)
        outputs: list[AgentOutput] = []
        async for event in run.stream_events():
            _watch(event, result)
            if isinstance(event, AgentOutput):
                outputs.append(event)
        await run
    _count(result, model.model, outputs)
    result.check_media()


def _search_tool(index: VectorStoreIndex) -> FunctionTool:
    def search_documents(query: str) -> str:
        """Search the user's documents; gives the passages that fit the query best."""
        return "\n\n".join(source.text for source in _search(index, query))

    return FunctionTool.from_defaults(search_documents)


def _watch(event: object, result: Result) -> None:
    """Report an event of the agent, and keep what its tools made."""
    if isinstance(event, AgentOutput):
        result.caption = event.response.content or ""
    elif isinstance(event, ToolCall):
        terminal.tool_call(event.tool_name, event.tool_kwargs)
        if event.tool_name == "generate_video":
            result.video_prompt = event.tool_kwargs.get("prompt", "")
    elif isinstance(event, ToolCallResult):
        _keep(event.tool_output, result)


def _keep(output: ToolOutput, result: Result) -> None:
    if output.is_error:
        result.problems.append(output.content)
    elif isinstance(output.raw_output, list) and isinstance(output.raw_output[0], ResultBlock):
        made = output.raw_output[0].result
        if isinstance(made, ImageResult):
            result.keep_image(made)
        else:
            result.keep_video(made)


def _count(result: Result, model: str, outputs: Sequence[AgentOutput]) -> None:
    usages = [output.raw["usage"] for output in outputs if output.raw and output.raw.get("usage")]
    result.used(
        "agent",
        model,
        sum(usage["prompt_tokens"] for usage in usages),
        sum(usage["completion_tokens"] for usage in usages),
    )
