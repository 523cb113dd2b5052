"""What a model can do, in LangChain's words; the facts are the core's (ark.md 20)."""

from __future__ import annotations

from typing import Any, cast

from langchain_core.language_models import ModelProfile

from doubao_core import catalogue
from doubao_core.catalogue import ModelFacts


def profile(model: str) -> ModelProfile | None:
    """Describe *model*; ``None`` for endpoint ids and models that are not in the catalogue.

    What is not known of it is left out.
    """
    facts = catalogue.find(model)
    if facts is None or facts.kind != "chat":
        return None
    described: dict[str, Any] = {
        "name": facts.name,
        "text_inputs": True,
        "text_outputs": True,
        "image_outputs": False,
        "audio_outputs": False,
        "video_outputs": False,
        "max_input_tokens": facts.max_input_tokens,
        "max_output_tokens": facts.max_output_tokens,
        "reasoning_output": facts.thinks,
        "reasoning_effort_levels": list(facts.efforts) or None,
        "reasoning_effort_default": facts.default_effort,
        "tool_calling": facts.tools,
        "tool_choice": facts.tools,
        "tool_call_streaming": facts.tools,
        "structured_output": facts.structured_output,
        "temperature": "temperature" not in facts.forced,
        "mid_conversation_system_messages": True,
        "mid_conversation_tools": False,
        **_inputs(facts),
    }
    known = {name: value for name, value in described.items() if value is not None}
    return cast("ModelProfile", known)


def _inputs(facts: ModelFacts) -> dict[str, bool | None]:
    picture, document = facts.takes("image"), facts.takes("file")
    return {
        "image_inputs": picture,
        "image_url_inputs": picture,
        "image_tool_message": picture,
        "video_inputs": facts.takes("video"),
        "audio_inputs": facts.takes("audio"),
        "pdf_inputs": document,
        "pdf_tool_message": document,
        "attachment": None if facts.inputs is None else len(facts.inputs) > 1,
    }
