"""From the arguments of ``generate_video`` to a task, checked before it costs (ark.md 15)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from doubao_core.errors import ConfigError
from doubao_core.studio.arguments import (
    Arguments,
    VideoArguments,
    refused_as,
    settled,
    without,
)
from doubao_core.studio.models import RATIOS, VideoModel, video_model
from doubao_core.studio.references import References

_ADAPTIVE = "adaptive"
_CHOOSE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoOrder:
    """A checked task: ``create_video(model=…, content=…, **options)``."""

    model: str
    content: Sequence[Mapping[str, Any]] = field(repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRules:
    """What a developer allows, beside what the model can do.

    Attributes:
        most_seconds: Longest film; ``None`` for the model's own limit.
        resolutions: The only resolutions that are allowed; empty allows the model's.
        fixed: Arguments that the developer decides.
        extra_body: Fields of the request that no argument covers.
    """

    model: str
    references: References
    most_seconds: int | None = None
    resolutions: Sequence[str] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    extra_body: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Refuse settings with which no call, or not every allowed one, could succeed."""
        limits = video_model(self.model)
        if limits is not None:
            self._check_settings(limits)
        checks: dict[str, Callable[[Any, VideoModel | None], object]] = {
            "duration": self._check_duration,
            "ratio": lambda ratio, _: _check_ratio(ratio),
            "resolution": self._resolution,
            "generate_audio": self._audio,
        }
        for name, value in settled(VideoArguments, self.fixed).items():
            if check := checks.get(name):
                with refused_as("fixed"):
                    check(value, limits)

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
        if self.resolutions:
            allowed = self._allowed_resolutions()
            said = f"Resolution: {' or '.join(allowed)}; must be given."
            notes["resolution"] = {"description": said, "type": "string", "enum": allowed}
        return without(VideoArguments, self.fixed, notes)

    def order(self, wanted: VideoArguments) -> VideoOrder:
        """Turn arguments into a task.

        Raises:
            ConfigError: The model or the developer does not allow it; the text says what is.
        """
        limits = video_model(self.model)
        if not wanted.prompt.strip():
            raise ConfigError("prompt is empty: say what happens in the video")
        _check_modes(wanted)
        self._check_duration(wanted.duration, limits)
        if limits is not None:
            self._check_model(wanted, limits)
        options: dict[str, Any] = {
            "duration": wanted.duration,
            "ratio": self._ratio(wanted, limits),
            "resolution": self._resolution(wanted.resolution, limits),
            "generate_audio": self._audio(wanted.generate_audio, limits),
            "seed": wanted.seed,
            "watermark": wanted.watermark,
            "return_last_frame": wanted.return_last_frame,
            "extra_body": self.extra_body,
        }
        return VideoOrder(model=self.model, content=self._content(wanted), options=options)

    def _content(self, wanted: VideoArguments) -> list[Mapping[str, Any]]:
        pictures = [
            ("first_frame", wanted.first_frame),
            ("last_frame", wanted.last_frame),
            *(("reference_image", each) for each in wanted.reference_images or ()),
        ]
        return [
            {"type": "text", "text": wanted.prompt},
            *(
                {"type": "image_url", "image_url": {"url": self.references.url(name)}, "role": role}
                for role, name in pictures
                if name
            ),
        ]

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
            usual = limits.default_seconds if limits else _CHOOSE
            return most is None or shortest <= usual <= longest
        if duration == _CHOOSE:
            return most is None and (limits is None or limits.chooses)
        return shortest <= duration <= longest

    def _seconds(self, most: int | None, limits: VideoModel | None) -> tuple[int, int]:
        shortest, longest = limits.seconds if limits else (1, most or 1)
        return shortest, min(longest, most or longest)

    def _check_model(self, wanted: VideoArguments, limits: VideoModel) -> None:
        references = len(wanted.reference_images or ())
        if references > limits.references:
            raise ConfigError(
                f"{self.model} takes {limits.references or 'no'} reference_images, not "
                f"{references}{'' if limits.references else ': use first_frame'}"
            )
        if wanted.last_frame and not limits.last_frame:
            raise ConfigError(f"{self.model} takes no last_frame: leave it out")

    def _ratio(self, wanted: VideoArguments, limits: VideoModel | None) -> str | None:
        ratio = wanted.ratio
        if ratio is None:
            return None
        _check_ratio(ratio)
        if limits is None:
            return ratio
        if limits.follows_frame and wanted.first_frame and ratio != _ADAPTIVE:
            raise ConfigError(
                f"{self.model} keeps the ratio of first_frame: leave ratio out, or use another "
                "picture"
            )
        if ratio == _ADAPTIVE and not limits.adaptive_text and not wanted.first_frame:
            raise ConfigError(f"{self.model} needs a fixed ratio here: {', '.join(RATIOS)}")
        return ratio

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

    def _audio(self, audio: bool | None, limits: VideoModel | None) -> bool | None:
        if audio is None or limits is None or limits.audio:
            return audio
        if audio:
            raise ConfigError(f"{self.model} makes no sound: leave generate_audio out")
        return None


def _check_ratio(ratio: str | None) -> None:
    if ratio is not None and ratio not in {*RATIOS, _ADAPTIVE}:
        raise ConfigError(f"ratio must be {', '.join(RATIOS)} or {_ADAPTIVE}, not {ratio!r}")


def _span(shortest: int, longest: int) -> str:
    return str(shortest) if shortest == longest else f"{shortest} to {longest}"


def _check_modes(wanted: VideoArguments) -> None:
    """Refuse what the service refuses: three ways to use pictures that do not mix (ark.md 15.2)."""
    if wanted.last_frame and not wanted.first_frame:
        raise ConfigError("last_frame needs a first_frame: give both, or only first_frame")
    if wanted.first_frame and wanted.reference_images:
        raise ConfigError("first_frame and reference_images do not go together: use one of the two")
