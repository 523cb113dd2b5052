"""What a known model is said to refuse, refused before it is sent (ark.md 4.1, 4.2, 4.6, 20).

The facts are the catalogue's. Models that it does not know, endpoint ids (``ep-…``) and whatever
the vendor does not say pass: the service decides. What is in ``extra_body`` is not checked, because
it is for what is newer than this library, nor is what it replaces.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

from doubao_core import catalogue
from doubao_core.catalogue import OFF, ModelFacts
from doubao_core.errors import ConfigError

_RANGES = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "top_logprobs": (0, 20),
}
_FPS = (0.2, 5)
_RULED = frozenset(
    {
        *_RANGES,
        "thinking",
        "reasoning_effort",
        "max_tokens",
        "max_completion_tokens",
        "stop",
        "logprobs",
        "logit_bias",
        "tools",
        "response_format",
        "service_tier",
    }
)
_MODALITY = {"image_url": "image", "video_url": "video", "input_audio": "audio", "file": "file"}
_INSTEAD = {
    "tools": "choose a model with tools",
    "max_completion_tokens": "use max_tokens",
    "response_format.type": "ask for the format in the prompt, or choose a model that takes it",
}
_NO_CHAT = {
    "embedding": "use DoubaoEmbeddings or DoubaoEmbedding",
    "image": "use DoubaoToolkit or DoubaoToolSpec",
    "video": "use DoubaoToolkit or DoubaoToolSpec",
}
# Disabled thinking may be said twice, but not be asked for and against (ark.md 4.6).
_NO_EFFORT = frozenset({None, "none", "minimal"})
_WARNED: set[tuple[str, str]] = set()
# What may stand between the user's code and this module: a warning is to name the former.
_MACHINERY = frozenset(
    {
        *("doubao_core", "langchain_doubao", "llamaindex_doubao"),
        *("langchain", "langchain_classic", "langchain_core", "langgraph", "langsmith"),
        *("llama_index", "llama_index_instrumentation", "workflows", "wrapt"),
        *("asyncio", "concurrent", "threading"),
    }
)


def check(model: str, messages: Sequence[Mapping[str, Any]], options: Mapping[str, Any]) -> None:
    """Refuse what the catalogue says that *model* refuses, and warn of what it ignores.

    Warnings come once for each model and parameter: frameworks bind ``stop`` by themselves, so
    that an error would break chains whose user did not choose it.

    Raises:
        ConfigError: ``param`` is the parameter, the text says what to do.
    """
    facts = catalogue.find(model)
    extra = options.get("extra_body") or {}
    if facts is None or "model" in extra:
        return
    if facts.kind != "chat":
        article = "a" if facts.kind == "video" else "an"
        raise _refusal(
            facts,
            "model",
            f"is {article} {facts.kind} model, not a chat model",
            _NO_CHAT[facts.kind],
        )
    given = {
        name: options[name]
        for name in options.keys() & _RULED
        if options[name] is not None and name not in extra
    }
    if given:
        _check_options(facts, given, extra)
    for index, message in enumerate(messages):
        content = message.get("content")
        if content is not None and not isinstance(content, str) and isinstance(content, Sequence):
            _check_parts(facts, content, f"messages[{index}].content")


def _check_options(facts: ModelFacts, given: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    thinks = _check_thinking(facts, given)
    for name in sorted(facts.refuses & given.keys()):
        # An empty list asks for nothing; a penalty of zero is refused like any other.
        if given[name] or isinstance(given[name], int | float):
            raise _refusal(facts, name, "is not for this model", _INSTEAD.get(name))
    if thinks and "thinking" not in extra and "reasoning_effort" not in extra:
        _check_while_thinking(facts, given)
    _check_values(facts, given)
    _check_limits(facts, given)
    for name, (low, high) in _RANGES.items():
        if name in given:
            _check_range(facts, name, given[name], low, high)
    if given.get("top_logprobs") and not given.get("logprobs") and "logprobs" not in extra:
        raise _refusal(facts, "top_logprobs", "needs logprobs", "set logprobs to true")
    for name in sorted(facts.forced.keys() & given.keys()):
        if given[name] != (forced := facts.forced[name]):
            _warn(facts, name, f"is ignored: the model always uses {forced}")


def _check_thinking(facts: ModelFacts, given: Mapping[str, Any]) -> bool:
    """Check the two parameters about thinking; gives whether the model will think."""
    thinking, effort = given.get("thinking"), given.get("reasoning_effort")
    if isinstance(thinking, bool):
        instead = 'say "enabled" or "disabled" (to Client.chat as {"type": "enabled"})'
        raise _refusal(facts, "thinking", f"cannot be {thinking}", instead)
    kind = thinking.get("type") if isinstance(thinking, Mapping) else None
    if not isinstance(effort, str):
        effort = None
    if kind is not None and facts.thinking is not None and kind not in facts.thinking:
        offered = ", ".join(facts.thinking) or "none, it does not think"
        raise _refusal(facts, "thinking.type", f"cannot be {kind!r}", f"it takes: {offered}")
    if effort is not None and facts.thinking == ():
        raise _refusal(facts, "reasoning_effort", "is not for this model: it does not think")
    if effort is not None and facts.efforts and effort not in facts.efforts:
        offered = ", ".join(facts.efforts)
        raise _refusal(facts, "reasoning_effort", f"cannot be {effort!r}", f"it takes: {offered}")
    off = effort is not None and facts.efforts.get(effort) == OFF
    if kind == "disabled" and effort not in _NO_EFFORT and not off:
        raise _refusal(
            facts,
            "reasoning_effort",
            f"cannot be {effort!r} while thinking is disabled",
            "leave one of them out",
        )
    return facts.thinks is True and kind != "disabled" and not off


def _check_while_thinking(facts: ModelFacts, given: Mapping[str, Any]) -> None:
    for name in sorted(facts.unsupported_while_thinking & given.keys()):
        if not given[name]:
            continue
        if name == "stop":
            _warn(facts, name, "is not supported by thinking models and may be ignored")
            continue
        can_stop = "disabled" in (facts.thinking or ())
        instead = "disable thinking, or leave it out" if can_stop else None
        raise _refusal(facts, name, "is not supported while the model thinks", instead)


def _check_values(facts: ModelFacts, given: Mapping[str, Any]) -> None:
    wanted = given.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, Mapping) else None
    name = "response_format.type"
    if f"{name}={kind}" in facts.refuses:
        raise _refusal(facts, name, f"cannot be {kind!r}", _INSTEAD[name])
    if facts.flex is False and given.get("service_tier") == "flex":
        raise _refusal(
            facts, "service_tier", "cannot be 'flex'", "choose another tier, or another model"
        )


def _check_limits(facts: ModelFacts, given: Mapping[str, Any]) -> None:
    most, limit = facts.max_output_tokens, given.get("max_tokens")
    if limit is not None and "max_completion_tokens" in given:
        raise _refusal(
            facts, "max_tokens", "and max_completion_tokens exclude each other", "give one of them"
        )
    for name in ("max_tokens", "max_completion_tokens"):
        if isinstance(value := given.get(name), int) and value < 1:
            raise _refusal(facts, name, f"is {value}", "give at least 1, or leave it out")
    if most is not None and isinstance(limit, int) and limit > most:
        raise _refusal(
            facts, "max_tokens", f"is {limit}, above its limit", f"it answers {most} tokens at most"
        )
    stops = given.get("stop")
    if not isinstance(stops, str) and isinstance(stops, Sequence) and len(stops) > facts.max_stops:
        raise _refusal(facts, "stop", f"has {len(stops)} texts", f"give {facts.max_stops} at most")


def _check_parts(facts: ModelFacts, parts: Sequence[Any], path: str) -> None:
    for index, part in enumerate(parts):
        kind = part.get("type") if isinstance(part, Mapping) else None
        if not isinstance(kind, str) or kind not in _MODALITY:
            continue
        place = f"{path}[{index}].{kind}"
        if facts.takes(_MODALITY[kind]) is False:
            known = ", ".join(sorted(facts.inputs or ()))
            raise _refusal(facts, place, "is not for this model", f"it takes: {known}")
        if isinstance(payload := part.get(kind), Mapping):
            _check_media(facts, payload, place)


def _check_media(facts: ModelFacts, payload: Mapping[str, Any], place: str) -> None:
    if payload.get("fps") is not None:
        _check_range(facts, f"{place}.fps", payload["fps"], *_FPS)
    limit = payload.get("image_pixel_limit")
    if isinstance(limit, Mapping):
        low, high = limit.get("min_pixels"), limit.get("max_pixels")
        if isinstance(low, int) and isinstance(high, int) and low > high:
            raise _refusal(
                facts, f"{place}.image_pixel_limit", "has min_pixels above max_pixels", "swap them"
            )


def _check_range(facts: ModelFacts, name: str, value: Any, low: float, high: float) -> None:
    # What is no number is the service's to refuse.
    if isinstance(value, (int, float)) and not low <= value <= high:
        raise _refusal(facts, name, f"is {value}", f"give {low} to {high}")


def _refusal(facts: ModelFacts, param: str, why: str, instead: str | None = None) -> ConfigError:
    todo = instead or "leave it out"
    return ConfigError(
        f"{facts.name}: {param} {why}; {todo} (check_parameters=False sends it all the same)",
        param=param,
    )


def _warn(facts: ModelFacts, param: str, why: str) -> None:
    if (facts.name, param) in _WARNED:
        return
    text = f"{facts.name}: {param} {why}; leave it out (check_parameters=False says nothing)"
    warnings.warn(text, UserWarning, stacklevel=_callers_level())
    # Only now: whoever made warnings errors gets one each time.
    _WARNED.add((facts.name, param))


def _callers_level() -> int:
    """Find how far up the stack, seen from the caller, the user's own code is."""
    level, frame = 0, inspect.currentframe()
    while frame is not None and _is_machinery(frame):
        level, frame = level + 1, frame.f_back
    return level


def _is_machinery(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] in _MACHINERY
