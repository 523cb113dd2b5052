"""What a model can do, in LangChain's words; the facts are the core's (ark.md 20)."""

from __future__ import annotations

from langchain_core.language_models import ModelProfile

from doubao_core import catalogue

_EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]


def profile(model: str) -> ModelProfile | None:
    """Describe *model*; ``None`` for endpoint ids and models that are not in the catalogue."""
    facts = catalogue.find(model)
    if facts is None or facts.kind != "chat":
        return None
    described = ModelProfile(
        name=facts.name,
        text_inputs=True,
        text_outputs=True,
        image_inputs="image" in facts.inputs,
        image_url_inputs="image" in facts.inputs,
        image_tool_message="image" in facts.inputs,
        video_inputs="video" in facts.inputs,
        audio_inputs="audio" in facts.inputs,
        pdf_inputs="file" in facts.inputs,
        pdf_tool_message="file" in facts.inputs,
        attachment=len(facts.inputs) > 1,
        reasoning_output="enabled" in facts.thinking,
        tool_calling=facts.tools,
        tool_choice=facts.tools,
        tool_call_streaming=facts.tools,
        structured_output=facts.structured_output,
        temperature=True,
        mid_conversation_system_messages=True,
    )
    if facts.max_input_tokens is not None:
        described["max_input_tokens"] = facts.max_input_tokens
    if facts.max_output_tokens is not None:
        described["max_output_tokens"] = facts.max_output_tokens
    if facts.default_effort is not None:
        described["reasoning_effort_levels"] = list(_EFFORTS)
        described["reasoning_effort_default"] = facts.default_effort
    return described
