"""What may be passed to the methods of the tool spec, for editors and type checkers.

The same names as in :mod:`doubao_core.studio.arguments`, which says what each means; a test
compares them.
"""

from __future__ import annotations

from typing import Literal, TypedDict


class ImageGiven(TypedDict, total=False):
    """Arguments of ``generate_image`` beside the prompt."""

    size: str | None
    max_images: int | None
    images: list[str] | None
    seed: int | None
    watermark: bool | None
    output_format: Literal["png", "jpeg"] | None
    background: Literal["opaque", "transparent"] | None
    layers: bool | None
    optimize_prompt: Literal["standard", "fast"] | None
    web_search: bool | None
    guidance_scale: float | None
    optimize_thinking: Literal["auto", "enabled", "disabled"] | None


class VideoGiven(TypedDict, total=False):
    """Arguments of ``generate_video`` beside the prompt."""

    duration: int | None
    ratio: str | None
    resolution: str | None
    first_frame: str | None
    last_frame: str | None
    reference_images: list[str] | None
    reference_videos: list[str] | None
    reference_audios: list[str] | None
    generate_audio: bool | None
    seed: int | None
    watermark: bool | None
    return_last_frame: bool | None
    draft: bool | None
    draft_task: str | None
    task_type: Literal["auto", "reference", "edit", "extend"] | None
    frames: int | None
    camera_fixed: bool | None
    web_search: bool | None
    output_format: Literal["mp4", "mov"] | None
    service_tier: Literal["default", "flex"] | None
    priority: int | None
    execution_expires_after: int | None
    callback_url: str | None
    safety_identifier: str | None
