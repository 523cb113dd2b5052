"""The tool spec: three tools, each blocking and async."""
# LlamaIndex finds the `ctx` parameter by its evaluated annotation, so annotations are not strings
# in this module (no `from __future__ import annotations`).

import asyncio
from typing import Any, ClassVar, Unpack

from llama_index.core.tools import FunctionTool, ToolMetadata
from llama_index.core.tools.tool_spec.base import SPEC_FUNCTION_TYPE, BaseToolSpec
from llama_index.core.workflow import Context

from doubao_core import studio
from llamaindex_doubao.tools.blocks import Block, blocks, told
from llamaindex_doubao.tools.given import ImageGiven, VideoGiven
from llamaindex_doubao.tools.options import ARGUMENTS, IMAGE, TASK, VIDEO, ToolOptions

# A parameter annotated exactly `Context` is what agents fill in; every other caller has none.
_NO_CONTEXT: Any = None


class DoubaoToolSpec(ToolOptions, BaseToolSpec):
    """Tools ``generate_image``, ``generate_video`` and ``check_video``, blocking and async.

    Results are saved to ``output_dir``. Arguments are checked against the model's limits before
    anything is sent, and a paid request is sent once. Errors say what to change; agents show them
    to the model. A video that takes longer than ``wait_timeout`` is a result: it names the task id
    for ``check_video``. A cancelled call cancels its task if that is still queued.

    .. code-block:: python

        from llama_index.core.agent.workflow import FunctionAgent
        from llamaindex_doubao import Doubao, DoubaoToolSpec

        tools = DoubaoToolSpec(output_dir="media", max_duration=5).to_tool_list()
        agent = FunctionAgent(llm=Doubao(model="doubao-seed-2-1-pro-260915"), tools=tools)

    The arguments of the constructor are the fields of
    :class:`~llamaindex_doubao.tools.options.ToolOptions`.
    """

    # The base declares an attribute of each object; it is read only, and no field.
    spec_functions: ClassVar[list[SPEC_FUNCTION_TYPE]] = [  # type: ignore[misc]
        (IMAGE, "agenerate_image"),
        (VIDEO, "agenerate_video"),
        (TASK, "acheck_video"),
    ]

    def to_tool_list(
        self,
        spec_functions: list[SPEC_FUNCTION_TYPE] | None = None,
        func_to_metadata_mapping: dict[str, ToolMetadata] | None = None,
    ) -> list[FunctionTool]:
        """Make the tools; the paid ones report to the workflow of the agent that calls them."""
        tools = super().to_tool_list(spec_functions, func_to_metadata_mapping)
        for tool in tools:
            if tool.ctx_param_name:
                # Agents replace it; other callers have no workflow to report to.
                tool.partial_params = {**tool.partial_params, tool.ctx_param_name: None}
        return tools

    # The base asks with its own list of functions; ours is fixed.
    def get_metadata_from_fn_name(
        self,
        fn_name: str,
        spec_functions: list[SPEC_FUNCTION_TYPE] | None = None,  # noqa: ARG002
    ) -> ToolMetadata:
        """Describe a tool to the model: its docstring, and the arguments that it may set."""
        name = fn_name.removeprefix("a") if fn_name not in ARGUMENTS else fn_name
        said = (getattr(self, name).__doc__ or "").strip()
        return ToolMetadata(name=name, description=said, fn_schema=self._schema(name))

    def generate_image(
        self, prompt: str = "", *, ctx: Context = _NO_CONTEXT, **given: Unpack[ImageGiven]
    ) -> list[Block]:
        """Make a picture from a description, or edit pictures; returns file names. Costs money."""
        return self._maker(IMAGE, self._image_rules()).make({"prompt": prompt, **given}, ctx)

    async def agenerate_image(
        self, prompt: str = "", *, ctx: Context = _NO_CONTEXT, **given: Unpack[ImageGiven]
    ) -> list[Block]:
        """Make a picture from a description, or edit pictures; returns file names. Costs money."""
        return await self._maker(IMAGE, self._image_rules()).amake({"prompt": prompt, **given}, ctx)

    def generate_video(
        self, prompt: str = "", *, ctx: Context = _NO_CONTEXT, **given: Unpack[VideoGiven]
    ) -> list[Block]:
        """Make a short video; takes minutes and costs money; returns file name and task id."""
        return self._maker(VIDEO, self._video_rules()).make({"prompt": prompt, **given}, ctx)

    async def agenerate_video(
        self, prompt: str = "", *, ctx: Context = _NO_CONTEXT, **given: Unpack[VideoGiven]
    ) -> list[Block]:
        """Make a short video; takes minutes and costs money; returns file name and task id."""
        return await self._maker(VIDEO, self._video_rules()).amake({"prompt": prompt, **given}, ctx)

    def check_video(self, task_id: str = "") -> list[Block]:
        """Look up a video by the task id that generate_video gave, and fetch it when it is done."""
        with told():
            found = self._studio(VIDEO).check(self._task_id(task_id))
            return blocks(found, self.show, self._desk().storage)

    async def acheck_video(self, task_id: str = "") -> list[Block]:
        """Look up a video by the task id that generate_video gave, and fetch it when it is done."""
        with told():
            found = await self._async_studio(VIDEO).check(self._task_id(task_id))
            return await asyncio.to_thread(blocks, found, self.show, self._desk().storage)

    def _task_id(self, task_id: str) -> str:
        fixed = self.fixed.get(TASK, {})
        return studio.parsed(studio.TaskArguments, {"task_id": task_id}, fixed).task_id
