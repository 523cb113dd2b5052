"""Resolution, ratio, duration and seed of a video: body fields first, then prompt flags.

The body is strict, flags in the prompt are weak (ark.md 15.1): a bad flag is dropped, except that
resolution and duration are checked wherever they stand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doubao_emulator.errors import invalid_parameter, unsupported_parameter
from doubao_emulator.media_models import RATIOS

if TYPE_CHECKING:
    from doubao_emulator.media_models import VideoModel
    from doubao_emulator.video_content import Content
    from doubao_emulator.wire import JSON, Fields

_DRAFT_RESOLUTION = "480p"
_FRAMES = (29, 289)
_LARGEST_SEED = 2_147_483_647
_CHOICE = -1
_EDIT_SECONDS = (4, 30)
_FOLLOWS_FRAME = (
    "For first-frame or first-last-frame generation, the output ratio follows the first-frame "
    "image, use adaptive."
)
_EDITING = re.compile(r"\b(?:edit|replace|remove|erase)\b|编辑|替换|去掉|移除", re.IGNORECASE)
_EXTENDING = re.compile(r"\b(?:extend|continue|prolong)\b|延长|续写|接着", re.IGNORECASE)
_TASKS = {"edit": "video editing", "extend": "video extension", "reference": "reference to video"}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one request, wherever they were given."""

    model: VideoModel
    content: Content
    fields: Fields

    def weak(self, name: str) -> bool:
        """Say whether the setting comes from the prompt, where mistakes are swallowed."""
        return not self.fields.has(name) and name in self.content.prompt.settings

    def flag(self, name: str) -> JSON:
        """Return what the prompt sets, None when the body rules or the prompt is silent."""
        return self.content.prompt.settings[name] if self.weak(name) else None

    def param(self, name: str) -> str:
        """Return the path of the setting as error messages print it."""
        return self.content.prompt.param(name) if self.weak(name) else name

    def boolean(self, name: str) -> bool | None:
        """Read a switch from the body or the prompt."""
        return bool(self.flag(name)) if self.weak(name) else self.fields.boolean(name)


def resolution(settings: Settings, *, draft: bool) -> str:
    """Return the resolution level.

    Raises:
        ArkError: 400 for a level that the model lacks, or another than 480p for a draft.
    """
    model = settings.model
    given = settings.flag("resolution") or settings.fields.string("resolution")
    if given is None:
        return _DRAFT_RESOLUTION if draft else model.default_resolution
    level = "4k" if given == "4K" else given
    if level not in model.sizes:
        allowed = ", ".join(model.sizes)
        raise invalid_parameter(
            settings.param("resolution"),
            f"`{given[:32]}` is not supported by model {model.family} in "
            f"{settings.content.mode}, use one of {allowed}.",
        )
    if draft and level != _DRAFT_RESOLUTION:
        raise invalid_parameter(
            settings.param("resolution"), f"a draft must be {_DRAFT_RESOLUTION}."
        )
    return str(level)


def ratio(settings: Settings) -> str:
    """Return the ratio as asked for, possibly ``adaptive``.

    Raises:
        ArkError: 400 for an unknown ratio, or one that the mode does not take.
    """
    model, mode = settings.model, settings.content.mode
    usual = "adaptive" if mode != "t2v" else model.default_ratio
    flag = settings.flag("ratio")
    if flag is not None:
        return usual if _wrong_ratio(settings, flag) else str(flag)
    given = settings.fields.string("ratio", choices=(*RATIOS, "adaptive"))
    if given is None:
        return usual
    wrong = _wrong_ratio(settings, given)
    if wrong is not None:
        raise invalid_parameter("ratio", wrong)
    return given


def _wrong_ratio(settings: Settings, given: str) -> str | None:
    model, mode = settings.model, settings.content.mode
    if given == "adaptive" and mode == "t2v" and not model.adaptive_text:
        return f"adaptive is not supported by model {model.family} in t2v."
    if given != "adaptive" and mode == "i2v" and model.adaptive_only:
        return _FOLLOWS_FRAME
    return None


def duration(settings: Settings) -> int:
    """Return the length in seconds, -1 when the model chooses.

    Raises:
        ArkError: 400 outside the model's range, in the words of ark.md 15.2.
    """
    model = settings.model
    flag = settings.flag("duration")
    given = settings.fields.integer("duration") if flag is None else flag
    if given is None:
        return model.default_seconds
    if given == _CHOICE and model.chooses_seconds:
        return _CHOICE
    low, high = model.seconds
    if low <= given <= high:
        return int(given)
    bound = f"less than or equal to {high}" if given > high else f"greater than or equal to {low}"
    raise invalid_parameter(
        settings.param("duration"),
        f"the parameter duration specified in the request must be {bound} "
        f"for model {model.family} in {settings.content.mode}.",
    )


def frames(settings: Settings) -> int | None:
    """Return the number of frames when it was given; it beats the duration.

    Raises:
        ArkError: 400 for a number that is not 25 + 4n in [29, 289], or on another model.
    """
    flag = settings.flag("frames")
    low, high = _FRAMES
    if flag is not None:
        fits = settings.model.frame_count and low <= flag <= high and flag % 4 == 1
        return int(flag) if fits else None
    given = settings.fields.integer("frames", low=low, high=high)
    if given is None:
        return None
    if not settings.model.frame_count:
        raise unsupported_parameter("frames", settings.model.id)
    if given % 4 != 1:
        raise invalid_parameter("frames", "it must be of the form 25 + 4n.")
    return given


def seed(settings: Settings) -> int:
    """Return the seed, -1 when it is left open.

    Raises:
        ArkError: 400 outside [-1, 2147483647].
    """
    flag = settings.flag("seed")
    if flag is not None:
        return int(flag) if -1 <= flag <= _LARGEST_SEED else -1
    given = settings.fields.integer("seed", low=-1, high=_LARGEST_SEED)
    return -1 if given is None else given


def task_failure(settings: Settings, ratio: str, seconds: int) -> tuple[str, str] | None:
    """Return code and message of what the model itself objects to, once it runs (ark.md 15.1).

    Raises:
        ArkError: 400 for an explicit task type that the request does not fit.
    """
    named = settings.fields.string("omni_reference_task_type", choices=("auto", *_TASKS))
    if named is not None and not settings.model.task_types_named:
        raise unsupported_parameter("omni_reference_task_type", settings.model.id)
    if not settings.model.task_types_named:
        return None
    guessed = _guess(settings.content)
    if named in {None, "auto"}:
        issues = _issues(guessed, ratio, seconds)
        return _constraint(guessed, issues) if issues else None
    _check_named(settings, named, ratio, seconds)
    if guessed not in {"reference", named}:
        return _mismatch(str(named), guessed)
    return None


def _check_named(settings: Settings, named: str | None, ratio: str, seconds: int) -> None:
    if named not in {"edit", "extend"}:
        return
    videos = settings.content.videos
    if not videos:
        raise invalid_parameter(
            "omni_reference_task_type", f"{named} requires at least one reference video."
        )
    low, high = _EDIT_SECONDS
    lengths = [clip.seconds for clip in videos if clip.seconds is not None]
    if named == "edit" and any(not low <= round(length) <= high for length in lengths):
        raise invalid_parameter("content", f"edit takes reference videos of {low} to {high} s.")
    if issues := _issues(named, ratio, seconds):
        raise invalid_parameter(*issues[0])


def _guess(content: Content) -> str:
    """Infer the task from the prompt, as the model does when it is left to it."""
    if content.videos and _EDITING.search(content.prompt.text):
        return "edit"
    if content.videos and _EXTENDING.search(content.prompt.text):
        return "extend"
    return "reference"


def _issues(task: str, ratio: str, seconds: int) -> list[tuple[str, str]]:
    issues = []
    if task == "edit" and seconds != _CHOICE:
        issues.append(("duration", f"`duration` must be {_CHOICE}."))
    if task in {"edit", "extend"} and ratio != "adaptive":
        issues.append(("ratio", "`ratio` must be adaptive."))
    return issues


def _constraint(task: str, issues: list[tuple[str, str]]) -> tuple[str, str]:
    listed = " ".join(f"[{number}] {text}" for number, (_, text) in enumerate(issues))
    message = (
        f"The parameter `{issues[0][0]}` specified in the request is not valid. Seedance "
        f"identified your task as {_TASKS[task]} based on your prompt. Issues: {listed}"
    )
    return "InvalidParameter.TaskTypeConstraint", message


def _mismatch(named: str, guessed: str) -> tuple[str, str]:
    message = (
        "The parameter `omni_reference_task_type` specified in the request is not valid. "
        f"Seedance identified your task as {_TASKS[guessed]} based on your prompt, not as {named}."
    )
    return "InvalidParameter.TaskTypeMismatch", message
