"""Whether and how hard a model thinks, and the seal on its hidden thoughts (ark.md 4.6)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import itertools
from typing import TYPE_CHECKING

from doubao_emulator.errors import ArkError, invalid_parameter, unsupported_parameter

if TYPE_CHECKING:
    from doubao_emulator.models import ChatModel
    from doubao_emulator.wire import Fields

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
OFF = ""


def _mapping(text: str) -> dict[str, str]:
    """Read a row of the table: seven efforts in order, ``-`` for no thinking."""
    return {
        effort: OFF if level == "-" else level
        for effort, level in zip(EFFORTS, text.split(), strict=True)
    }


# Family: default effort, and what each effort becomes.
#               none minimal low medium high xhigh max
_TABLE = {
    "seed-2.1": ("high", _mapping("- - low medium high high high")),
    "seed-2.0": ("medium", _mapping("- - low medium high high high")),
    "glm-5.3": ("max", _mapping("low low low high high max max")),
    "glm-5.2": ("high", _mapping("- - high high high max max")),
    "deepseek-v4.1": ("high", {**_mapping("- low low high high high max"), "ultra": "max"}),
    "deepseek-v4-ga": ("high", _mapping("- - low low high high max")),
    "deepseek-v4": ("high", _mapping("- - low medium high xhigh max")),
}


def decide(fields: Fields, model: ChatModel, *, hard: bool) -> tuple[bool, str]:
    """Return whether the model thinks, and its effective effort.

    Args:
        fields: The request body.
        model: The model asked.
        hard: Whether `auto` should find the question worth thinking about.

    Raises:
        ArkError: 400 for a `thinking.type` or effort the model lacks, and for a contradiction.
    """
    kind = _thinking_type(fields, model)
    asked = _effort(fields, model)
    default, mapping = _TABLE.get(model.effort, ("", {}))
    effort = mapping.get(asked or default, OFF)
    if kind == "disabled" and asked not in {None, "none", "minimal"}:
        raise invalid_parameter(
            "reasoning_effort", f"`{asked}` cannot be combined with thinking `disabled`."
        )
    # ark.md 4.6 marks this conflict as unsure; refusing keeps clients on the safe side.
    if kind == "enabled" and mapping and effort == OFF:
        raise invalid_parameter(
            "reasoning_effort", f"`{asked}` cannot be combined with thinking `enabled`."
        )
    kind = kind or (model.thinking[0] if model.thinking else "disabled")
    if kind == "disabled" or (mapping and effort == OFF) or (kind == "auto" and not hard):
        return False, OFF
    return True, effort or "medium"


def _thinking_type(fields: Fields, model: ChatModel) -> str | None:
    thinking = fields.object("thinking")
    if thinking is None:
        return None
    kind = thinking.required_string("type")
    if kind not in model.thinking:
        offered = ", ".join(f"`{name}`" for name in model.thinking) or "no thinking at all"
        raise invalid_parameter(
            thinking.param("type"), f"`{kind}` is not supported by model {model.id}: {offered}."
        )
    return kind


def _effort(fields: Fields, model: ChatModel) -> str | None:
    known = (*EFFORTS, "ultra") if model.effort == "deepseek-v4.1" else EFFORTS
    effort = fields.string("reasoning_effort", choices=known)
    if effort is not None and not model.effort:
        raise unsupported_parameter("reasoning_effort", model.id)
    return effort


# One key for every emulator, so that a recorded conversation can be continued on another one.
_KEY = b"doubao emulator: seal of hidden thoughts"
_VERSION = b"v1"
_TAG_BYTES = 16


def seal(thoughts: str) -> str:
    """Return `encrypted_content` for these thoughts: opaque, and starting with ``dj``."""
    hidden = _mask(thoughts.encode())
    return base64.b64encode(_VERSION + _tag(hidden) + hidden).decode()


def verify(sealed: str, param: str) -> None:
    """Check an `encrypted_content` that came back.

    Raises:
        ArkError: 400 "Invalid signature" unless `seal` made it.
    """
    try:
        raw = base64.b64decode(sealed, validate=True)
    except binascii.Error:
        raw = b""
    start = len(_VERSION)
    tag, hidden = raw[start : start + _TAG_BYTES], raw[start + _TAG_BYTES :]
    if not raw.startswith(_VERSION) or not hmac.compare_digest(tag, _tag(hidden)):
        raise ArkError(
            status=400, code="InvalidParameter", message="Invalid signature.", param=param
        )


def _tag(hidden: bytes) -> bytes:
    return hmac.digest(_KEY, hidden, "sha256")[:_TAG_BYTES]


def _mask(plain: bytes) -> bytes:
    """Exclusive-or with a key stream: not secrecy, but nobody reads it by accident."""
    stream = (hashlib.sha256(_KEY + block.to_bytes(8)).digest() for block in itertools.count())
    return bytes(a ^ b for a, b in zip(plain, itertools.chain.from_iterable(stream), strict=False))
