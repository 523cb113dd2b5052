"""Reads a video request as strictly as ark.md 15.1 and 15.6 say, per model and mode.

A value that asks for what holds anyway (``draft: false`` on a model without drafts) is accepted;
one that asks for what the model lacks is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from doubao_emulator import prompt_hints, video_content, video_settings
from doubao_emulator.errors import invalid_parameter, unsupported_parameter
from doubao_emulator.media_models import RATIOS, VideoModel
from doubao_emulator.render_video import FPS, Film
from doubao_emulator.video_settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator.clouds import Cloud
    from doubao_emulator.media_models import Size
    from doubao_emulator.state import World
    from doubao_emulator.video_content import Content
    from doubao_emulator.wire import JSON, Fields

DEFAULT_EXPIRY_S = 172_800
_EXPIRY_S = (3600, 259_200)
_LONGEST_SAFETY_ID = 64
_REUSED = ("ratio", "duration", "frames", "seed", "generate_audio")
_CHOSEN_SECONDS = 5
_CHOSEN_RATIO = "16:9"
_PIXELS_PER_TOKEN = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRequest:
    """A request that passed every check, with every open choice made.

    Attributes:
        model: The real model, also when an endpoint was named.
        content: What the film is made of.
        resolution: Level as asked or by default.
        ratio: Real ratio, never ``adaptive``.
        size: Width and height in pixels.
        frames: Number of frames.
        counted: Whether the request gave `frames` rather than a duration.
        seed: Seed, -1 for none.
        camera_fixed: Whether the camera stands still.
        watermark: Whether the service's mark is drawn.
        generate_audio: Whether there is sound.
        return_last_frame: Whether the last frame is wanted as a picture.
        draft: Whether this is a preview.
        service_tier: ``default`` or ``flex``.
        execution_expires_after: Seconds after which an unfinished task expires.
        priority: Place in the queue.
        callback_url: Where changes of state are posted.
        safety_identifier: The caller's own mark of its user.
        tools: Tools offered to the model, as sent.
        output_format: ``mp4`` or ``mov``.
        task_failure: Code and message of a mistake that shows only later (ark.md 15.2).
    """

    model: VideoModel
    content: Content
    resolution: str
    ratio: str
    size: Size
    frames: int
    counted: bool
    seed: int
    camera_fixed: bool
    watermark: bool
    generate_audio: bool
    return_last_frame: bool
    draft: bool
    service_tier: str
    execution_expires_after: int
    priority: int
    callback_url: str | None
    safety_identifier: str | None
    tools: tuple[JSON, ...]
    output_format: Literal["mp4", "mov"]
    task_failure: tuple[str, str] | None

    @property
    def seconds(self) -> int:
        """Length in whole seconds, as the service states it."""
        return self.frames // FPS

    def usage(self) -> dict[str, JSON]:
        """Return the tokens of ark.md 15.4: width x height x (24 x seconds + 1) / 1024.

        Reference films count with their length as far as it is known, which it is for films that
        this emulator made.
        """
        width, height = self.size
        watched = sum(round(clip.seconds or 0) for clip in self.content.videos)
        tokens = width * height * (self.frames + FPS * watched) // _PIXELS_PER_TOKEN
        usage: dict[str, JSON] = {"completion_tokens": tokens, "total_tokens": tokens}
        if self.tools:
            # The emulator searches nothing, and says so.
            usage["tool_usage"] = {"web_search": 0}
        return usage

    def made(self) -> dict[str, JSON]:
        """Return what a finished task says of its film."""
        length = {"frames": self.frames} if self.counted else {"duration": self.seconds}
        return {
            "resolution": self.resolution,
            "ratio": self.ratio,
            **length,
            "framespersecond": FPS,
        }

    def echo(self) -> dict[str, JSON]:
        """Return what every answer repeats of the request, where it applies (ark.md 15.4)."""
        model = self.model
        optional = {
            "generate_audio": self.generate_audio if model.audio else None,
            "draft": self.draft,
            "draft_task_id": self.content.draft_task_id,
            "priority": self.priority if model.priority else None,
            "output_format": self.output_format if len(model.formats) > 1 else None,
            "tools": list(self.tools) or None,
            "safety_identifier": self.safety_identifier,
        }
        return {
            "service_tier": self.service_tier,
            "execution_expires_after": self.execution_expires_after,
            **{name: value for name, value in optional.items() if value is not None},
        }

    def film(self, seed: int) -> Film:
        """Return the film to render; reads the input pictures, which may take a moment."""
        content = self.content
        width, height = self.size
        return Film(
            prompt=content.prompt.text,
            width=width,
            height=height,
            frames=self.frames,
            seed=seed,
            audio=self.generate_audio,
            watermark=self.watermark,
            still_camera=self.camera_fixed,
            first_frame=content.first.read() if content.first else None,
            last_frame=content.last.read() if content.last else None,
            references=tuple(picture.read() for picture in content.images),
            container=self.output_format,
        )


def parse(
    world: World, cloud: Cloud, fields: Fields, *, drafted: Callable[[str], VideoRequest]
) -> VideoRequest:
    """Check a request.

    Args:
        world: Its links to earlier results are resolved.
        cloud: Where the model is looked up.
        fields: The body.
        drafted: Returns what the draft with this task id was made of, or refuses.

    Raises:
        ArkError: 404 for an unknown model, 400 for anything else that is wrong.
    """
    model = cloud.find(fields.required_string("model"), VideoModel)
    content = video_content.parse(world, model, fields)
    if content.draft_task_id is None:
        return _build(Settings(model, content, fields))
    return _finish_draft(model, content.draft_task_id, fields, drafted(content.draft_task_id))


def _finish_draft(
    model: VideoModel, task_id: str, fields: Fields, draft: VideoRequest
) -> VideoRequest:
    """Make a draft in full: everything but the resolution is the draft's (ark.md 15.6)."""
    if draft.model.id != model.id:
        raise invalid_parameter("model", f"the draft was made with model {draft.model.id}.")
    for name in _REUSED:
        if fields.has(name):
            raise invalid_parameter(name, "it is taken from the draft and cannot be set again.")
    content = replace(draft.content, draft_task_id=task_id)
    request = _build(Settings(model, content, fields))
    return replace(
        request,
        ratio=draft.ratio,
        size=model.sizes[request.resolution][draft.ratio],
        frames=draft.frames,
        seed=draft.seed,
        generate_audio=draft.generate_audio,
        task_failure=None,
    )


def _build(settings: Settings) -> VideoRequest:
    model, content, fields = settings.model, settings.content, settings.fields
    draft = _read_flag(settings, "draft", offered=model.draft)
    resolution = video_settings.resolution(settings, draft=draft)
    asked_ratio = video_settings.ratio(settings)
    seconds = video_settings.duration(settings)
    frames = video_settings.frames(settings)
    ratio = _real_ratio(content, asked_ratio)
    return VideoRequest(
        model=model,
        content=content,
        resolution=resolution,
        ratio=ratio,
        size=model.sizes[resolution][ratio],
        frames=frames or FPS * (_CHOSEN_SECONDS if seconds < 0 else seconds) + 1,
        counted=frames is not None,
        seed=video_settings.seed(settings),
        camera_fixed=_read_camera(settings),
        watermark=bool(settings.boolean("watermark")),
        generate_audio=_read_audio(model, fields),
        return_last_frame=_read_last_frame(fields, draft=draft),
        draft=draft,
        service_tier=_read_tier(model, fields, draft=draft),
        execution_expires_after=_read_expiry(fields),
        priority=_read_priority(model, fields),
        callback_url=_read_callback(fields),
        safety_identifier=_read_safety_id(fields),
        tools=_read_tools(settings),
        output_format=_read_format(model, fields),
        task_failure=video_settings.task_failure(settings, asked_ratio, seconds),
    )


def _real_ratio(content: Content, asked: str) -> str:
    if asked != "adaptive":
        return asked
    if content.shape is not None:
        return prompt_hints.nearest_ratio(content.shape, RATIOS)
    return prompt_hints.ratio(content.prompt.text, RATIOS) or _CHOSEN_RATIO


def _read_flag(settings: Settings, name: str, *, offered: bool) -> bool:
    value = bool(settings.fields.boolean(name))
    if value and not offered:
        raise unsupported_parameter(name, settings.model.id)
    return value


def _read_camera(settings: Settings) -> bool:
    fixed = bool(settings.boolean("camera_fixed"))
    if not fixed:
        return False
    if not settings.model.camera_fixed or settings.content.images:
        if settings.weak("camera_fixed"):
            return False
        raise unsupported_parameter("camera_fixed", settings.model.id)
    return True


def _read_audio(model: VideoModel, fields: Fields) -> bool:
    asked = fields.boolean("generate_audio")
    if asked and not model.audio:
        raise unsupported_parameter("generate_audio", model.id)
    return model.audio if asked is None else asked


def _read_last_frame(fields: Fields, *, draft: bool) -> bool:
    wanted = bool(fields.boolean("return_last_frame"))
    if wanted and draft:
        raise invalid_parameter("return_last_frame", "a draft returns no last frame.")
    return wanted


def _read_tier(model: VideoModel, fields: Fields, *, draft: bool) -> str:
    tier = fields.string("service_tier", choices=("default", "flex")) or "default"
    if tier == "flex":
        if not model.flex:
            raise unsupported_parameter("service_tier", model.id)
        if draft:
            raise invalid_parameter("service_tier", "flex cannot be used with draft.")
    return tier


def _read_expiry(fields: Fields) -> int:
    low, high = _EXPIRY_S
    expiry = fields.integer("execution_expires_after", low=low, high=high)
    return DEFAULT_EXPIRY_S if expiry is None else expiry


def _read_priority(model: VideoModel, fields: Fields) -> int:
    # That it does not go with flex needs no rule: no model offers both.
    priority = fields.integer("priority", low=0, high=9) or 0
    if priority and not model.priority:
        raise unsupported_parameter("priority", model.id)
    return priority


def _read_callback(fields: Fields) -> str | None:
    url = fields.string("callback_url")
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise invalid_parameter("callback_url", "an http or https url is expected.")
    return url


def _read_safety_id(fields: Fields) -> str | None:
    identifier = fields.string("safety_identifier")
    if identifier is not None and len(identifier) > _LONGEST_SAFETY_ID:
        raise invalid_parameter(
            "safety_identifier", f"it must not exceed {_LONGEST_SAFETY_ID} characters."
        )
    return identifier


def _read_tools(settings: Settings) -> tuple[JSON, ...]:
    tools = settings.fields.objects("tools") or []
    if tools and not (settings.model.web_search and settings.content.mode == "t2v"):
        raise unsupported_parameter("tools", settings.model.id)
    for tool in tools:
        tool.required_string("type")
        tool.string("type", choices=("web_search",))
    return tuple(tool.data for tool in tools)


def _read_format(model: VideoModel, fields: Fields) -> Literal["mp4", "mov"]:
    name = fields.string("output_format", choices=("mp4", "mov")) or "mp4"
    if name not in model.formats:
        raise unsupported_parameter("output_format", model.id)
    return "mov" if name == "mov" else "mp4"
