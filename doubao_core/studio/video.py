"""From the arguments of ``generate_video`` to a task, checked before it costs (ark.md 15)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from doubao_core.errors import ConfigError
from doubao_core.studio import video_checks
from doubao_core.studio.arguments import (
    Arguments,
    VideoArguments,
    asked,
    hidden,
    refused_as,
    settled,
    without,
)
from doubao_core.studio.models import VideoModel, check_kind, video_model
from doubao_core.studio.orders import VideoOrder
from doubao_core.studio.references import FRAME_LIMITS, References, check_body
from doubao_core.studio.video_checks import CHOOSE, DRAFT_RESOLUTION, FPS

_SEARCH = ({"type": "web_search"},)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRules:
    """What a developer allows, beside what the model can do.

    Attributes:
        most_seconds: Longest film; ``None`` for the model's own limit.
        resolutions: The only resolutions that are allowed; empty allows the model's. A draft has
            480p in any case.
        fixed: Arguments that the developer decides.
        shown: Rarely used arguments that the model may set, too: see ``VideoArguments.rare``.
        extra_body: Fields of the request that no argument covers.
    """

    model: str
    references: References
    most_seconds: int | None = None
    resolutions: Sequence[str] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    shown: Sequence[str] = ()
    extra_body: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Refuse settings with which no call, or not every allowed one, could succeed."""
        check_kind(self.model, "generate_video", "video")
        limits = video_model(self.model)
        if limits is not None:
            self._check_settings(limits)
        self._hidden()
        checks: dict[str, Callable[[Any, VideoModel | None], object]] = {
            "duration": self._check_duration,
            "ratio": video_checks.check_ratio_name,
            "resolution": self._resolution,
        }
        for name, value in settled(VideoArguments, self.fixed).items():
            with refused_as("fixed"):
                if check := checks.get(name):
                    check(value, limits)
                if limits is not None:
                    video_checks.check_one(name, value, limits, self.model)

    def _check_settings(self, limits: VideoModel) -> None:
        shortest = limits.seconds[0]
        if self.most_seconds is not None and self.most_seconds < shortest:
            raise ConfigError(
                f"max_duration={self.most_seconds} is too short: {self.model} makes films of "
                f"{shortest} seconds and more"
            )
        for resolution in self.resolutions:
            if resolution.lower() not in limits.resolutions:
                raise ConfigError(
                    f"resolutions= cannot be: {self.model} makes "
                    f"{' or '.join(limits.resolutions)}, not {resolution!r}"
                )

    def schema(self) -> type[Arguments]:
        """Give the arguments that the model may set, with what is allowed in their words."""
        limits = video_model(self.model)
        notes: dict[str, Any] = {}
        if self.most_seconds is not None:
            shortest, longest = self._seconds(self.most_seconds, limits)
            must = "" if self._fits(None, limits) else "; must be given"
            said = f"Length in seconds: {_span(shortest, longest)}{must}."
            bounds = {"type": "integer", "minimum": shortest, "maximum": longest}
            notes["duration"] = {"description": said, **bounds}
        elif limits is not None:
            chosen = f", or {CHOOSE} for what fits the prompt" if limits.chooses else ""
            said = f"Length in seconds: {_span(*limits.seconds)}{chosen}."
            notes["duration"] = {"description": said, "type": "integer"}
        if allowed := self._allowed_resolutions() or list(limits.resolutions if limits else ()):
            must = "must be given" if self.resolutions else "higher costs more"
            said = f"Resolution: {' or '.join(allowed)}; {must}."
            notes["resolution"] = {"description": said, "type": "string", "enum": allowed}
        return without(VideoArguments, self._hidden(), notes)

    def asked(self, given: Mapping[str, Any]) -> VideoOrder:
        """Turn what a model wrote into a task; what is fixed wins, what is hidden is refused.

        Raises:
            ConfigError: As for :meth:`order`.
        """
        return self.order(asked(VideoArguments, given, self.fixed, self._hidden()))

    def order(self, wanted: VideoArguments) -> VideoOrder:
        """Turn arguments into a task.

        Raises:
            ConfigError: The model or the developer does not allow it; the text says what is.
        """
        limits = video_model(self.model)
        if wanted.draft_task:
            return self._finished_draft(wanted, limits)
        if not wanted.prompt.strip():
            raise ConfigError("prompt is empty: say what happens in the video")
        video_checks.check_prompt(wanted.prompt, self._limited)
        video_checks.check(wanted, limits, self.model)
        video_checks.check_ratio(wanted, limits, self.model)
        video_checks.check_edit(wanted, may_choose=self.most_seconds is None)
        self._check_length(wanted, limits)
        content = self._content(wanted)
        options = {
            "duration": wanted.duration,
            "ratio": wanted.ratio,
            "resolution": self._draft_or(wanted, limits),
            "generate_audio": wanted.generate_audio if _makes_sound(limits) else None,
            "seed": wanted.seed,
            "frames": wanted.frames,
            "camera_fixed": wanted.camera_fixed or None,
            "draft": wanted.draft or None,
            "omni_reference_task_type": wanted.task_type,
            "tools": _SEARCH if wanted.web_search else None,
            **self._either_way(wanted, limits),
        }
        if wanted.task_type == "edit":
            options["duration"] = CHOOSE
        return VideoOrder(model=self.model, content=content, options=options)

    def _finished_draft(self, wanted: VideoArguments, limits: VideoModel | None) -> VideoOrder:
        """Make a draft in full: its prompt and settings are the draft's (ark.md 15.6)."""
        video_checks.check_draft_task(wanted, self.fixed)
        if limits is not None:
            for name in ("draft_task", "output_format", "service_tier", "priority"):
                video_checks.check_one(name, getattr(wanted, name), limits, self.model)
        options = {
            "resolution": self._resolution(wanted.resolution, limits),
            **self._either_way(wanted, limits),
        }
        content = [{"type": "draft_task", "draft_task": {"id": wanted.draft_task}}]
        return VideoOrder(model=self.model, content=content, options=options)

    def _either_way(self, wanted: VideoArguments, limits: VideoModel | None) -> dict[str, Any]:
        """Give what is asked for a film from scratch and for one from a draft alike."""
        several = limits is None or len(limits.formats) > 1
        return {
            "watermark": wanted.watermark,
            "return_last_frame": self._last_frame(wanted),
            "output_format": wanted.output_format if several else None,
            "service_tier": wanted.service_tier,
            "priority": wanted.priority or None,
            "execution_expires_after": wanted.execution_expires_after,
            "callback_url": wanted.callback_url,
            "safety_identifier": wanted.safety_identifier,
            "extra_body": self.extra_body,
        }

    def _last_frame(self, wanted: VideoArguments) -> bool | None:
        if not (wanted.draft and wanted.return_last_frame):
            return wanted.return_last_frame
        if "return_last_frame" in self.fixed:
            # Meant for whole films.
            return None
        raise ConfigError("a draft gives no last frame: leave return_last_frame out")

    def _draft_or(self, wanted: VideoArguments, limits: VideoModel | None) -> str | None:
        if wanted.draft:
            return DRAFT_RESOLUTION
        return self._resolution(wanted.resolution, limits)

    def _content(self, wanted: VideoArguments) -> list[Mapping[str, Any]]:
        pictures = [
            ("first_frame", wanted.first_frame),
            ("last_frame", wanted.last_frame),
            *(("reference_image", each) for each in wanted.reference_images or ()),
        ]
        material = [
            *(
                _part("image", role, self.references.picture(name, FRAME_LIMITS))
                for role, name in pictures
                if name
            ),
            *(
                _part("video", "reference_video", self.references.film(name))
                for name in wanted.reference_videos or ()
            ),
            *(
                _part("audio", "reference_audio", self.references.sound(name))
                for name in wanted.reference_audios or ()
            ),
        ]
        check_body([wanted.prompt, *(part[part["type"]]["url"] for part in material)])
        return [{"type": "text", "text": wanted.prompt}, *material]

    @property
    def lacks(self) -> frozenset[str]:
        """The arguments that the model does not take; none if it is unknown."""
        return video_checks.lacks(video_model(self.model))

    @property
    def _limited(self) -> frozenset[str]:
        """The arguments that are not left to the model."""
        limited = {*self.fixed, *(["resolution"] if self.resolutions else [])}
        return frozenset(limited | ({"duration", "frames"} if self.most_seconds else set()))

    def _hidden(self) -> frozenset[str]:
        return hidden(VideoArguments, self.fixed, self.shown, self.lacks)

    def _check_length(self, wanted: VideoArguments, limits: VideoModel | None) -> None:
        if wanted.frames is None:
            # An edit takes the film's own length, which check_edit allows or not.
            self._check_duration(CHOOSE if wanted.task_type == "edit" else wanted.duration, limits)
        elif self.most_seconds is not None and math.ceil(wanted.frames / FPS) > self.most_seconds:
            raise ConfigError(
                f"frames may be {self.most_seconds * FPS} at most, not {wanted.frames}"
            )

    def _check_duration(self, duration: int | None, limits: VideoModel | None) -> None:
        if self._fits(duration, limits):
            return
        said = f"{_span(*self._seconds(self.most_seconds, limits))} seconds"
        if duration is None:
            raise ConfigError(f"say the duration: {said}")
        raise ConfigError(f"duration must be {said}, not {duration}")

    def _fits(self, duration: int | None, limits: VideoModel | None) -> bool:
        most = self.most_seconds
        if limits is None and most is None:
            return True
        shortest, longest = self._seconds(most, limits)
        if duration is None:
            # What the model does by itself is bounded by its own limit, not by the developer's.
            usual = limits.default_seconds if limits else CHOOSE
            return most is None or shortest <= usual <= longest
        if duration == CHOOSE:
            return most is None and (limits is None or limits.chooses)
        return shortest <= duration <= longest

    def _seconds(self, most: int | None, limits: VideoModel | None) -> tuple[int, int]:
        shortest, longest = limits.seconds if limits else (1, most or 1)
        return shortest, min(longest, most or longest)

    def _resolution(self, resolution: str | None, limits: VideoModel | None) -> str | None:
        allowed = self._allowed_resolutions() or list(limits.resolutions if limits else ())
        if resolution is None:
            if self.resolutions:
                raise ConfigError(f"say the resolution: {' or '.join(allowed)}")
            return None
        resolution = resolution.lower()
        if allowed and resolution not in allowed:
            raise ConfigError(f"resolution must be {' or '.join(allowed)}, not {resolution!r}")
        return resolution

    def _allowed_resolutions(self) -> list[str]:
        return [each.lower() for each in self.resolutions]


def _part(kind: str, role: str, url: str) -> dict[str, Any]:
    return {"type": f"{kind}_url", f"{kind}_url": {"url": url}, "role": role}


def _makes_sound(limits: VideoModel | None) -> bool:
    return limits is None or limits.audio


def _span(shortest: int, longest: int) -> str:
    return str(shortest) if shortest == longest else f"{shortest} to {longest}"
