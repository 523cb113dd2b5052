"""What a model can do, in LangChain's words; the facts are the core's (ark.md 20)."""

from __future__ import annotations

from typing import Any, cast

from langchain_core.language_models import ModelProfile

from doubao_core import catalogue
from doubao_core.catalogue import ModelFacts


def profile(model: str) -> ModelProfile | None:
    """Describe *model*; ``None`` for endpoint ids and models that are not in the catalogue.

    What is not known of it is left out. A later date of a known model is described as that one.
    """
    facts = catalogue.kin(model)
    if facts is None or facts.kind != "chat":
        return None
    described: dict[str, Any] = {
        "name": model,
        "text_inputs": True,
        "text_outputs": True,
        "image_outputs": False,
        "audio_outputs": False,
        "video_outputs": False,
        # A prompt that is longer than the window cannot be.
        "max_input_tokens": facts.max_input_tokens or facts.context_window,
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


def is_of_another(given: ModelProfile, model: str) -> bool:
    """Whether *given* was resolved here for another model than *model*, and is no user's own."""
    name = given.get("name") or ""
    return name != model and given == profile(name)


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
        "attachment": _attaches(facts),
    }


def _attaches(facts: ModelFacts) -> bool | None:
    if facts.inputs is None or (facts.more_inputs and len(facts.inputs) == 1):
        return None
    return len(facts.inputs) > 1
