"""Reads the `content` of a video request: words, frames, references, a draft (ark.md 15.2)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doubao_emulator import materials, media, video_prompt
from doubao_emulator.errors import invalid_parameter, missing_parameter
from doubao_emulator.moderation import check_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator.materials import Picture
    from doubao_emulator.media_models import Size, VideoModel
    from doubao_emulator.state import World
    from doubao_emulator.video_prompt import Prompt
    from doubao_emulator.wire import Fields

_FRAME_ROLES = ("first_frame", "last_frame")
_ROLES = frozenset({*_FRAME_ROLES, "reference_image"})
_MIXED = "first/last frame content cannot be mixed with reference media content."


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A reference film or sound: a link, and what is known of it.

    Attributes:
        seconds: Its length; None when it was not seen.
        size: Width and height of a film that was seen.
    """

    seconds: float | None = None
    size: Size | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a film is to be made of.

    Attributes:
        prompt: The words and the flags in them.
        first: The first frame.
        last: The last frame.
        images: Reference pictures.
        videos: Reference films.
        audios: Reference sounds.
        draft_task_id: The draft to make in full.
    """

    prompt: Prompt
    first: Picture | None
    last: Picture | None
    images: tuple[Picture, ...]
    videos: tuple[Clip, ...]
    audios: tuple[Clip, ...]
    draft_task_id: str | None

    @property
    def mode(self) -> str:
        """Return ``t2v``, ``i2v`` or ``r2v``, as error texts name the mode."""
        if self.first:
            return "i2v"
        return "r2v" if self.images or self.videos or self.audios else "t2v"

    @property
    def shape(self) -> Size | None:
        """Size of the material that an adaptive ratio follows, if it was seen."""
        candidates = (self.first, *self.images, *self.videos)
        sizes = (candidate.size for candidate in candidates if candidate is not None)
        return next((size for size in sizes if size is not None), None)


def parse(world: World, model: VideoModel, fields: Fields) -> Content:
    """Check the content of a request.

    Raises:
        ArkError: 400 with the texts of ark.md 15.2.
    """
    items = fields.objects("content")
    if items is None:
        raise missing_parameter("content")
    reader = _Reader(world, model)
    for index, item in enumerate(items):
        reader.read(index, item)
    return reader.finish()


class _Reader:
    """Collects the items of one request and checks them against each other."""

    def __init__(self, world: World, model: VideoModel) -> None:
        self._world = world
        self._model = model
        self._prompts: list[Prompt] = []
        self._pictures: list[tuple[str | None, Picture]] = []
        self._videos: list[Clip] = []
        self._audios: list[Clip] = []
        self._draft: str | None = None

    def read(self, index: int, item: Fields) -> None:
        readers: dict[str, Callable[[int, Fields], None]] = {
            "text": self._read_text,
            "image_url": self._read_image,
            "video_url": self._read_video,
            "audio_url": self._read_audio,
            "draft_task": self._read_draft,
        }
        kind = item.string("type", choices=tuple(readers))
        if kind is None:
            raise missing_parameter(item.param("type"))
        readers[kind](index, item)

    def finish(self) -> Content:
        framed = [role for role, _ in self._pictures if role != "reference_image"]
        self._check_roles()
        self._check_support(framed)
        if self._draft is None and not (self._pictures or self._videos or self._audios):
            self._require_words()
        by_role = {role or "first_frame": picture for role, picture in self._pictures}
        return Content(
            prompt=self._prompt(),
            first=by_role.get("first_frame"),
            last=by_role.get("last_frame"),
            images=tuple(picture for role, picture in self._pictures if role == "reference_image"),
            videos=tuple(self._videos),
            audios=tuple(self._audios),
            draft_task_id=self._draft,
        )

    def _read_text(self, index: int, item: Fields) -> None:
        text = item.string("text")
        if text is None:
            raise missing_parameter(item.param("text"))
        check_text(text)
        self._prompts.append(video_prompt.split(text, index))

    def _read_image(self, _index: int, item: Fields) -> None:
        role = item.string("role")
        if role is not None and role not in _ROLES:
            raise invalid_parameter("content", "invalid role specified for image content.")
        url = _url(item, "image_url")
        param = f"{item.path}.image_url.url"
        picture = materials.picture(
            self._world, url, param, limits=materials.FRAME_LIMITS, assets=True
        )
        self._pictures.append((role, picture))

    def _read_video(self, _index: int, item: Fields) -> None:
        if item.string("role") != "reference_video":
            raise invalid_parameter(
                "content", "reference media mode requires video role to be reference_video."
            )
        url = _url(item, "video_url")
        if url.startswith("data:"):
            raise invalid_parameter("content", "reference_video must be provided as a web url.")
        self._videos.append(self._linked(url, f"{item.path}.video_url.url"))

    def _read_audio(self, _index: int, item: Fields) -> None:
        if item.string("role") != "reference_audio":
            raise invalid_parameter(
                "content", "reference media mode requires audio role to be reference_audio."
            )
        url, param = _url(item, "audio_url"), f"{item.path}.audio_url.url"
        if url.startswith("data:"):
            self._audios.append(Clip(seconds=materials.sound_seconds(url, param)))
        else:
            self._audios.append(self._linked(url, param))

    def _read_draft(self, _index: int, item: Fields) -> None:
        if not self._model.draft:
            raise invalid_parameter(
                "content", f"draft_task is not supported by model {self._model.id}."
            )
        self._draft = item.required_object("draft_task").required_string("id")

    def _linked(self, url: str, param: str) -> Clip:
        file = media.own_file(self._world, url)
        if isinstance(file, media.MediaFile) and file.seconds:
            return Clip(seconds=file.seconds, size=file.size)
        if file is not None:
            raise invalid_parameter(param, "resource download failed.")
        materials.check_link(url, param, assets=True)
        return Clip()

    def _check_roles(self) -> None:
        counts = Counter(role for role, _ in self._pictures)
        if len(self._pictures) > 1 and counts[None]:
            raise invalid_parameter("content", "role must be specified for image contents.")
        for role in _FRAME_ROLES:
            if counts[role] > 1:
                raise invalid_parameter(
                    "content",
                    f"expected at most one {role.replace('_', ' ')} image content "
                    f"but got {counts[role]} instead.",
                )
        frames = counts["first_frame"] + counts["last_frame"] + counts[None]
        if frames and (counts["reference_image"] or self._videos or self._audios):
            raise invalid_parameter("content", _MIXED)
        if counts["last_frame"] and not counts["first_frame"]:
            raise invalid_parameter(
                "content", "last frame image content requires a first frame image content."
            )
        if self._draft and (self._pictures or self._videos or self._audios or self._prompts):
            raise invalid_parameter("content", "draft_task cannot be mixed with other content.")

    def _check_support(self, framed: list[str | None]) -> None:
        if "last_frame" in framed and not self._model.last_frame:
            raise invalid_parameter(
                "content", f"last frame content is not supported by model {self._model.id}."
            )
        if len(framed) < len(self._pictures) or self._videos or self._audios:
            self._check_references()

    def _check_references(self) -> None:
        """Check the reference mode; the number of pictures is not enforced (ark.md 15.2)."""
        limits = self._model.references
        if limits is None:
            raise invalid_parameter(
                "content", f"reference media content is not supported by model {self._model.id}."
            )
        if self._audios and not (self._pictures or self._videos or limits.audio_alone):
            raise invalid_parameter(
                "content", "reference audio requires a reference image or a reference video."
            )
        for name, clips, most in (
            ("video", self._videos, limits.videos),
            ("audio", self._audios, limits.audios),
        ):
            if len(clips) > most:
                raise invalid_parameter(
                    "content",
                    f"expected at most {most} reference {name} contents "
                    f"but got {len(clips)} instead.",
                )
            _check_seconds(name, clips, limits.seconds)

    def _prompt(self) -> Prompt:
        if len(self._prompts) == 1:
            return self._prompts[0]
        settings = {
            name: value for prompt in self._prompts for name, value in prompt.settings.items()
        }
        path = self._prompts[0].path if self._prompts else ""
        text = "\n".join(prompt.text for prompt in self._prompts)
        return video_prompt.Prompt(text, settings, path)

    def _require_words(self) -> None:
        if not any(prompt.text for prompt in self._prompts):
            raise missing_parameter("content.text")


def _url(item: Fields, name: str) -> str:
    return item.required_object(name).required_string("url")


def _check_seconds(name: str, clips: list[Clip], longest: int) -> None:
    known = [clip.seconds for clip in clips if clip.seconds is not None]
    # A film of n seconds has one frame more.
    if any(not _SHORTEST <= seconds <= longest + 0.1 for seconds in known):
        raise invalid_parameter(
            "content", f"each reference {name} must last {_SHORTEST} to {longest} seconds."
        )
    if sum(known) > longest + 0.1 * len(known):
        raise invalid_parameter(
            "content", f"all reference {name}s together must not exceed {longest} seconds."
        )


_SHORTEST = 2
