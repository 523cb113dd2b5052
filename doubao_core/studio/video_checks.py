"""What a video model can do, against what was asked of it, purely (ark.md 15.1, 15.2, 15.6)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from doubao_core.errors import ConfigError
from doubao_core.operation import identifier
from doubao_core.prices.films import settings_in
from doubao_core.studio.arguments import VideoArguments
from doubao_core.studio.models import RATIOS, VideoModel

ADAPTIVE = "adaptive"
CHOOSE = -1
"""As a duration: the model chooses."""
DRAFT_RESOLUTION = "480p"
FPS = 24
_FRAMES = (29, 289)
_PICTURES = ("first_frame", "last_frame", "reference_images")
_MATERIAL = (*_PICTURES, "reference_videos", "reference_audios")
_OF_THE_DRAFT = (
    *_MATERIAL,
    "duration",
    "frames",
    "ratio",
    "seed",
    "generate_audio",
    "draft",
    "task_type",
    "camera_fixed",
    "web_search",
)
"""What a film that is made from a draft takes from it, so that it is not sent again."""


def lacks(limits: VideoModel | None) -> frozenset[str]:
    """Name the arguments that the model does not take; none if the model is unknown."""
    if limits is None:
        return frozenset()
    able = {
        "last_frame": limits.last_frame,
        "reference_images": bool(limits.references),
        "reference_videos": bool(limits.clips),
        "reference_audios": bool(limits.clips),
        "generate_audio": limits.audio,
        "draft": limits.draft,
        "draft_task": limits.draft,
        "task_type": bool(limits.task_types),
        "frames": limits.frames,
        "camera_fixed": limits.camera_fixed,
        "priority": limits.priority,
        "web_search": limits.web_search,
    }
    return frozenset(name for name, can in able.items() if not can)


def check_one(name: str, value: Any, limits: VideoModel, model: str) -> None:
    """Refuse a value of one argument that no call could have.

    Raises:
        ConfigError: The model does not take it.
    """
    # What asks for what holds anyway is taken, and not sent.
    if not value or value == "default":
        return
    if name == "output_format" and value not in limits.formats:
        raise ConfigError(f"{model} makes {' or '.join(limits.formats)}, not {value}")
    if name == "service_tier" and not limits.flex:
        raise ConfigError(f"{model} takes no service_tier={value}: leave it out")
    if name == "frames":
        _check_frames(value, limits, model)
    elif name == "callback_url":
        _check_callback(value)
    elif name == "generate_audio" and not limits.audio:
        raise ConfigError(f"{model} makes no sound: leave generate_audio out")
    elif name == "reference_images":
        _check_number(name, len(value), limits.references, model)
    elif name in {"reference_videos", "reference_audios"}:
        _check_number(name, len(value), limits.clips, model)
    elif name in lacks(limits):
        raise ConfigError(f"{model} takes no {name}: leave it out")


def check(wanted: VideoArguments, limits: VideoModel | None, model: str) -> None:
    """Refuse what does not go together, and what the model does not do.

    Raises:
        ConfigError: The text says what to change.
    """
    _check_modes(wanted)
    _check_pairs(wanted)
    if limits is None:
        return
    for name in type(wanted).model_fields:
        check_one(name, getattr(wanted, name), limits, model)
    if wanted.reference_audios and not (
        limits.audio_alone or wanted.reference_images or wanted.reference_videos
    ):
        raise ConfigError(
            f"{model} takes no reference_audios alone: add reference_images or reference_videos"
        )
    if wanted.web_search and any(getattr(wanted, name) for name in _MATERIAL):
        raise ConfigError("web_search goes with a prompt alone: leave it or the pictures out")


def check_ratio(wanted: VideoArguments, limits: VideoModel | None, model: str) -> None:
    """Refuse a ratio that there is not, or not with these pictures.

    Raises:
        ConfigError: The text says which there are.
    """
    ratio = wanted.ratio
    if ratio is None or limits is None:
        return
    check_ratio_name(ratio, limits)
    follows = wanted.first_frame or wanted.task_type in {"edit", "extend"}
    if limits.follows_frame and follows and ratio != ADAPTIVE:
        what = "first_frame" if wanted.first_frame else "the video"
        raise ConfigError(
            f"{model} keeps the ratio of {what}: leave ratio out, or use another picture or video"
        )
    if ratio == ADAPTIVE and not limits.adaptive_text and not wanted.first_frame:
        raise ConfigError(f"{model} needs a fixed ratio here: {', '.join(RATIOS)}")


def check_ratio_name(ratio: str | None, limits: VideoModel | None) -> None:
    """Refuse what is no ratio of a known model; others may have more.

    Raises:
        ConfigError: The text says which there are.
    """
    if limits is not None and ratio is not None and ratio not in {*RATIOS, ADAPTIVE}:
        raise ConfigError(f"ratio must be {', '.join(RATIOS)} or {ADAPTIVE}, not {ratio!r}")


def check_prompt(prompt: str, limited: Collection[str]) -> None:
    """Refuse a setting in the prompt where a developer limits it: there it is not checked.

    Args:
        prompt: What a model wrote; ``--dur 15`` in it is a duration (ark.md 15.1).
        limited: The arguments that the developer limits or fixes.

    Raises:
        ConfigError: The text says where the setting belongs.
    """
    for name in settings_in(prompt):
        if name in limited:
            raise ConfigError(
                f"the prompt sets {name} by itself, and {name} is limited here: take the -- "
                "setting out of the prompt"
            )


def check_edit(wanted: VideoArguments, *, may_choose: bool) -> None:
    """Refuse an edit or an extension without a film, and an edit with a length of its own.

    Args:
        wanted: What was asked for.
        may_choose: Whether the developer leaves the length to the model.

    Raises:
        ConfigError: The text says what to change.
    """
    if wanted.task_type not in {"edit", "extend"}:
        return
    if not wanted.reference_videos:
        raise ConfigError(f"task_type={wanted.task_type} needs a video in reference_videos")
    if wanted.task_type == "edit" and wanted.duration != CHOOSE:
        if not may_choose:
            raise ConfigError(
                "task_type=edit keeps the length of the video, and only shorter films are allowed "
                "here: do not edit"
            )
        if wanted.duration is not None:
            raise ConfigError("task_type=edit keeps the length of the video: leave duration out")


def check_draft_task(wanted: VideoArguments, fixed: Collection[str]) -> None:
    """Refuse what a film takes from its draft; what a developer fixed for all films is passed over.

    Raises:
        ConfigError: The model set it, too, or the id cannot be one.
    """
    identifier("draft_task", wanted.draft_task or "")
    again = [name for name in _OF_THE_DRAFT if getattr(wanted, name) and name not in fixed]
    if again:
        raise ConfigError(f"draft_task keeps what the draft has: leave out {', '.join(again)}")


def _check_modes(wanted: VideoArguments) -> None:
    """Refuse three ways to use pictures that do not mix (ark.md 15.2)."""
    if wanted.last_frame and not wanted.first_frame:
        raise ConfigError("last_frame needs a first_frame: give both, or only first_frame")
    references = [name for name in _MATERIAL[2:] if getattr(wanted, name)]
    if wanted.first_frame and references:
        raise ConfigError(f"first_frame and {references[0]} do not go together: use one of the two")
    if wanted.camera_fixed and references:
        raise ConfigError(f"camera_fixed does not go with {references[0]}: leave it out")


def _check_pairs(wanted: VideoArguments) -> None:
    if wanted.frames is not None and wanted.duration is not None:
        raise ConfigError("frames and duration both say the length: give one of the two")
    if wanted.priority and wanted.service_tier == "flex":
        raise ConfigError("priority does not go with service_tier=flex: leave one out")
    if wanted.draft and wanted.resolution and wanted.resolution.lower() != DRAFT_RESOLUTION:
        raise ConfigError(f"a draft has {DRAFT_RESOLUTION}: leave resolution out")
    if wanted.draft and wanted.service_tier == "flex":
        raise ConfigError("a draft does not go with service_tier=flex: leave one out")


def _check_number(name: str, count: int, most: int, model: str) -> None:
    if count > most:
        instead = ": use first_frame" if name == "reference_images" and not most else ""
        raise ConfigError(f"{model} takes {most or 'no'} {name}, not {count}{instead}")


def _check_frames(frames: int, limits: VideoModel, model: str) -> None:
    fewest, most = _FRAMES
    if not limits.frames:
        raise ConfigError(f"{model} takes no frames: say the duration in seconds")
    if not fewest <= frames <= most or frames % 4 != 1:
        below = max(fewest, min(most, frames - (frames - 1) % 4))
        raise ConfigError(
            f"frames must be {fewest} to {most} and 25 + 4n, such as {below}, not {frames}"
        )


def _check_callback(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise ConfigError("callback_url must be an http(s) URL")
