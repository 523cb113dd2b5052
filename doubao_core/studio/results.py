"""What a tool call made: everything for the program, and a few words for the model.

Results are plain data, so that checkpoints, ledgers and logs can keep them (``to_dict``). The texts
for a model name files and task ids, never URLs: a signed URL that a model must copy comes out
wrong.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from doubao_core.operation import JSON
from doubao_core.prices import Estimate
from doubao_core.studio import display
from doubao_core.studio.explain import fact


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeImage:
    """One picture of a call, or why there is none.

    Attributes:
        index: Place in the group, from 0.
        path: The file it was saved to, if that is one of this machine.
        location: Where it was saved: the path, or the URL in its store, without secrets.
        name: Its file name there, by which a model refers to it.
        url: Where the service keeps it until ``expires_at``; a data URL if it came without a URL
            and could not be saved.
        expires_at: When the URL stops to work, in UTC.
        size: ``"<width>x<height>"`` in pixels, as the service says.
        media_type: What the file is, by its bytes.
        bytes: Size of the file.
        error: Why it was not made, or was made but could not be saved (then there is a URL).
        layer: Of a picture that was taken apart: place, name and box of this layer (ark.md 14.2).
    """

    index: int
    path: Path | None = None
    location: str | None = None
    name: str | None = None
    url: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    size: str | None = None
    media_type: str | None = None
    bytes: int | None = None
    error: str | None = None
    layer: JSON | None = None

    @property
    def charged(self) -> bool:
        """Whether it was made, saved or not."""
        return self.location is not None or self.url is not None

    @property
    def handle(self) -> str:
        """Its file name, with what tells it from the others of a call."""
        layer = fact((self.layer or {}).get("name") or "?").strip("?")
        words = ", ".join(filter(None, (self.size and fact(self.size), layer)))
        return f"{self.name} ({words})" if words else str(self.name)

    def to_dict(self) -> JSON:
        """Give it as JSON has it; it holds the URL, which opens the picture until it expires."""
        return _plain(self)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` gave."""
        return cls(**_read(cls, given))

    def _repr_html_(self) -> str:
        return display.figure(self.path, self.media_type, self.caption)

    @property
    def caption(self) -> str:
        """What a person is told below it."""
        what = ", ".join(filter(None, (self.location, self.size)))
        return " ".join(filter(None, (what or f"Picture {self.index + 1}", self.error)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageResult:
    """What ``generate_image`` made.

    Attributes:
        usage: The service's ``usage`` object: pictures made, tokens (ark.md 14.2).
        estimate: What was to be paid by the list price, before the request.
        cost: What it came to by the list price and the service's count; no bill.
        problem: What was lost on the way, although pictures came.
    """

    model: str
    prompt: str
    images: tuple[MadeImage, ...]
    usage: JSON = field(default_factory=dict)
    request_id: str | None = None
    estimate: Estimate | None = field(default=None, repr=False)
    cost: Estimate | None = field(default=None, repr=False)
    problem: str | None = None

    @property
    def saved(self) -> tuple[MadeImage, ...]:
        """The pictures that are files now, here or in a store."""
        return tuple(image for image in self.images if image.location is not None)

    @property
    def expires_at(self) -> datetime | None:
        """When the first URL stops to work."""
        known = [image.expires_at for image in self.images if image.expires_at is not None]
        return min(known, default=None)

    @property
    def text(self) -> str:
        """What to tell the model."""
        names = [each.handle for each in self.saved]
        said = []
        if names:
            said.append(f"Made {_count(len(names), 'picture')}: {', '.join(names)}.")
            said.append("To edit or reuse one, pass its file name in images.")
        said += [
            f"Picture {each.index + 1} was made and paid for but not saved; its URL is in the "
            f"result that the program gets. Do not make it again. {each.error}"
            if each.charged
            else f"Picture {each.index + 1} failed: {each.error}"
            for each in self.images
            if each.error
        ]
        said += [self.problem] if self.problem else []
        return " ".join(said)

    def to_dict(self) -> JSON:
        """Give it as JSON has it; it holds URLs, which open the pictures until they expire."""
        return {**_plain(self), "images": [image.to_dict() for image in self.images]}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` gave."""
        images = tuple(MadeImage.from_dict(each) for each in given["images"])
        return cls(**{**_read(cls, given), "images": images})

    def _repr_html_(self) -> str:
        pictures = [
            display.figure(each.path, each.media_type, each.caption) for each in self.images
        ]
        return display.panel(pictures, _footing(self.problem, self.cost or self.estimate))


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoResult:
    """What ``generate_video`` or ``check_video`` found.

    Attributes:
        task_id: The handle; the service keeps the task for 7 days.
        status: As the service last said it: ``queued``, ``running``, ``succeeded``; ``queued``
            too if it could not be asked after the task was accepted (``problem`` says why).
        path: The file of the film, once it has succeeded, if that is one of this machine.
        location: Where the film was saved: the path, or the URL in its store, without secrets.
        name: Its file name there.
        last_frame: The file of its last picture, if that was asked for, on this machine.
        last_frame_location: Likewise, wherever it is.
        last_frame_name: Its file name there, by which a model refers to it.
        url: Where the service keeps the film until ``expires_at``.
        last_frame_url: The same for the last picture.
        expires_at: When the URLs stop to work, in UTC; a look-up by id gives fresh ones.
        media_type: What the file is, by its bytes.
        bytes: Size of the file.
        seconds: How long was waited.
        usage: The service's ``usage`` object.
        estimate: What was to be paid by the list price, before the request.
        cost: What it came to by the list price and the service's count; no bill.
        task: The task as the service describes it.
        problem: What went wrong on our side, although the task is fine.
    """

    task_id: str
    status: str
    model: str = ""
    path: Path | None = None
    location: str | None = None
    name: str | None = None
    last_frame: Path | None = None
    last_frame_location: str | None = None
    last_frame_name: str | None = None
    url: str | None = field(default=None, repr=False)
    last_frame_url: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    media_type: str | None = None
    bytes: int | None = None
    seconds: float = 0.0
    usage: JSON = field(default_factory=dict)
    estimate: Estimate | None = field(default=None, repr=False)
    cost: Estimate | None = field(default=None, repr=False)
    task: JSON = field(default_factory=dict, repr=False)
    problem: str | None = None

    @property
    def text(self) -> str:
        """What to tell the model."""
        later = (
            f"Task id {fact(self.task_id)}: call check_video with it later. Do not submit it "
            "again: that would cost a second time."
        )
        if self.status != "succeeded":
            why = f" {self.problem}" if self.problem else ""
            return f"The video is still running (status {fact(self.status)}).{why} {later}"
        if self.name is None:
            why = self.problem or "The service gave no address for it."
            return f"The video is made, but the file could not be fetched. {why} {later}"
        facts = f" ({self._facts})" if self._facts else ""
        said = f"The video is ready: {self.name}{facts}. Task id {fact(self.task_id)}."
        if self.last_frame_name is not None:
            said += (
                f" Its last picture is {self.last_frame_name}; pass that name as first_frame to "
                "continue."
            )
        if self.task.get("draft"):
            said += " It is a draft: pass the task id as draft_task to make it in full."
        return f"{said} {self.problem}" if self.problem else said

    def to_dict(self) -> JSON:
        """Give it as JSON has it; it holds URLs, which open the film until they expire."""
        return _plain(self)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` gave."""
        return cls(**_read(cls, given))

    def _repr_html_(self) -> str:
        what = ", ".join(filter(None, (self.location or self.status, self._facts)))
        film = display.figure(self.path, self.media_type, f"{self.task_id}: {what}")
        return display.panel([film], _footing(self.problem, self.cost or self.estimate))

    @property
    def _facts(self) -> str:
        duration = self.task.get("duration")
        words = [f"{fact(duration)} s"] if duration else []
        words += [fact(self.task[each]) for each in ("resolution", "ratio") if self.task.get(each)]
        return ", ".join(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a task is; ``seconds`` since it was submitted."""

    task_id: str
    status: str
    seconds: float


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _footing(problem: str | None, price: Estimate | None) -> str:
    return " ".join(filter(None, (problem, price.text if price else "")))


def _plain(result: MadeImage | ImageResult | VideoResult) -> JSON:
    return {each.name: _as_json(getattr(result, each.name)) for each in dataclasses.fields(result)}


def _as_json(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value.to_dict() if isinstance(value, Estimate) else value


_READERS: Mapping[str, Any] = {
    "path": Path,
    "last_frame": Path,
    # LangGraph's checkpoints make a mapping of a result, with its values as they are.
    "expires_at": lambda value: datetime.fromisoformat(str(value)),
    "estimate": Estimate.from_dict,
    "cost": Estimate.from_dict,
}


def _read(kind: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    # What a later version wrote besides is passed over, so that its ledgers stay readable.
    known = {each.name for each in dataclasses.fields(kind)} & given.keys()
    return {
        name: given[name] if given[name] is None else _READERS.get(name, _same)(given[name])
        for name in known
    }


def _same(value: Any) -> Any:
    return value
