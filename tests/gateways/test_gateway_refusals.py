"""Every class of both frameworks takes every provider, and refuses what that one does not offer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from doubao_core import UnsupportedOperation
from doubao_core.gateways import known
from doubao_core.jobs.batch import AsyncBatch, Batch
from doubao_core.studio import ImageOrder, VideoOrder
from langchain_doubao import (
    ChatDoubao,
    DoubaoEmbeddings,
    DoubaoModeration,
    SeedanceVideoTool,
    SeedreamImageTool,
)
from llamaindex_doubao import Doubao, DoubaoEmbedding, DoubaoToolSpec
from llamaindex_doubao import DoubaoModeration as LlamaModeration

OURS = [
    *("xroute", "anyfast", "anyfast-ai", "anyfast-text", "openai-compatible", "agentsflare"),
    *("doitong", "doitong-generate-image", "doitong-rest"),
    *("seedance2api", "seedance2api-x-api-key", "vibegen"),
]


def spec_tool(name: str, **settings: Any) -> Any:
    tools = DoubaoToolSpec(image_model="m", video_model="m", **settings).to_tool_list()
    return next(tool for tool in tools if tool.metadata.name == name)


USES = {
    "chat.create": [
        lambda s, _: ChatDoubao(model="m", **s).ainvoke("hi"),
        lambda s, _: asyncio.to_thread(ChatDoubao(model="m", **s).invoke, "hi"),
        lambda s, _: asyncio.to_thread(list, ChatDoubao(model="m", **s).stream("hi")),
        lambda s, _: Doubao(model="m", **s).acomplete("hi"),
        lambda s, _: asyncio.to_thread(Doubao(model="m", **s).complete, "hi"),
    ],
    "embeddings.create": [
        lambda s, _: DoubaoEmbeddings(model="m", multimodal=False, **s).aembed_query("hi"),
        lambda s, _: asyncio.to_thread(
            DoubaoEmbeddings(model="m", multimodal=False, **s).embed_documents, ["hi"]
        ),
        lambda s, _: DoubaoEmbedding(model_name="m", multimodal=False, **s).aget_query_embedding(
            "hi"
        ),
        lambda s, _: asyncio.to_thread(
            DoubaoEmbedding(model_name="m", multimodal=False, **s).get_text_embedding, "hi"
        ),
    ],
    "embeddings.multimodal": [
        lambda s, _: DoubaoEmbeddings(model="m", multimodal=True, **s).aembed_query("hi"),
        lambda s, _: DoubaoEmbedding(model_name="m", multimodal=True, **s).aget_query_embedding(
            "hi"
        ),
    ],
    "moderations.create": [
        lambda s, _: DoubaoModeration(**s).ainvoke("hi"),
        lambda s, _: asyncio.to_thread(DoubaoModeration(**s).invoke, "hi"),
        lambda s, _: LlamaModeration(**s).acheck("hi"),
        lambda s, _: asyncio.to_thread(LlamaModeration(**s).check, "hi"),
    ],
    "images.create": [
        lambda s, to: SeedreamImageTool(
            model="m", output_dir=to, handle_tool_error=False, **s
        ).ainvoke({"prompt": "tea"}),
        lambda s, to: asyncio.to_thread(
            SeedreamImageTool(model="m", output_dir=to, handle_tool_error=False, **s).invoke,
            {"prompt": "tea"},
        ),
    ],
    "videos.create": [
        lambda s, to: SeedanceVideoTool(
            model="m", output_dir=to, handle_tool_error=False, **s
        ).ainvoke({"prompt": "tea", "duration": 5}),
    ],
}
REFUSALS = [
    pytest.param(provider, operation, use, id=f"{provider}-{operation}-{index}")
    for provider in OURS
    for operation, uses in USES.items()
    for index, use in enumerate(uses)
    if operation not in known()[provider].routes
]


@pytest.mark.parametrize(("provider", "operation", "use"), REFUSALS)
async def test_what_a_provider_lacks_is_refused_before_any_request_with_those_that_have_it(
    gate, tmp_path, provider, operation, use
):
    able = sorted(each.name for each in known().values() if operation in each.routes)
    with pytest.raises(Exception, match=f"does not offer {operation}") as caught:
        await use(gate.settings(provider), tmp_path)
    assert f"{', '.join(able)} do" in str(caught.value)
    assert gate.asked == []


@pytest.mark.parametrize("provider", ["xroute", "openai-compatible"])
@pytest.mark.parametrize("tool", ["generate_image", "generate_video"])
async def test_the_tools_of_llama_index_refuse_as_well(gate, tmp_path, provider, tool):
    made = spec_tool(tool, output_dir=tmp_path, **gate.settings(provider))
    try:
        answer = await made.acall(prompt="tea")
    except UnsupportedOperation as error:
        said = str(error)
    else:
        assert answer.is_error
        said = answer.content
    assert "does not offer" in said
    assert "seedance2api" in said
    assert gate.asked == []


@pytest.mark.parametrize(
    ("provider", "order"),
    [
        ("xroute", ImageOrder(model="m", prompt="tea")),
        ("doitong", VideoOrder(model="m", content=[{"type": "text", "text": "tea"}])),
    ],
)
@pytest.mark.parametrize("kind", [Batch, AsyncBatch])
def test_jobs_refuse_as_well(gate, tmp_path, provider, order, kind):
    settings = {
        **gate.settings(provider),
        "ledger": f"sqlite:///{tmp_path}/jobs.db",
        "output_dir": tmp_path,
        "poll_interval": 0.02,
    }

    def blocking():
        with Batch("b", **settings) as batch:
            batch.add(order, key="one")
            return list(batch.as_completed())

    async def awaiting():
        async with AsyncBatch("b", **settings) as batch:
            await batch.add(order, key="one")
            return [done async for done in batch.as_completed()]

    try:
        (done,) = blocking() if kind is Batch else asyncio.run(awaiting())
    except UnsupportedOperation as error:
        said = str(error)
    else:
        said = str(done.problem)
    assert "does not offer" in said
    assert gate.asked == []
