"""What a tool call made: everything for the program, and a few words for the model.

Results are plain data, so that checkpoints and logs can keep them. The texts for a model name files
and task ids, never URLs: a signed URL that a model must copy comes out wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from doubao_core.operation import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeImage:
    """One picture of a call, or why there is none.

    Attributes:
        index: Place in the group, from 0.
        path: The file it was saved to.
        url: Where the service keeps it for 24 hours; a data URL if it came without a URL and could
            not be saved.
        size: ``"<width>x<height>"`` in pixels, as the service says.
        media_type: What the file is, by its bytes.
        bytes: Size of the file.
        error: Why it was not made, or was made but could not be saved (then there is a URL).
    """

    index: int
    path: Path | None = None
    url: str | None = field(default=None, repr=False)
    size: str | None = None
    media_type: str | None = None
    bytes: int | None = None
    error: str | None = None

    @property
    def charged(self) -> bool:
        """Whether it was made, saved or not."""
        return self.path is not None or self.url is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageResult:
    """What ``generate_image`` made.

    Attributes:
        usage: The service's ``usage`` object: pictures made, tokens (ark.md 14.2).
    """

    model: str
    prompt: str
    images: tuple[MadeImage, ...]
    usage: JSON = field(default_factory=dict)
    request_id: str | None = None

    @property
    def saved(self) -> tuple[MadeImage, ...]:
        """The pictures that are files now."""
        return tuple(image for image in self.images if image.path is not None)

    @property
    def text(self) -> str:
        """What to tell the model."""
        names = [f"{each.path.name} ({each.size})" for each in self.images if each.path]
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
        return " ".join(said)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoResult:
    """What ``generate_video`` or ``check_video`` found.

    Attributes:
        task_id: The handle; the service keeps the task for 7 days.
        status: As the service last said it: ``queued``, ``running``, ``succeeded``; ``queued``
            too if it could not be asked after the task was accepted (``problem`` says why).
        path: The file of the film, once it has succeeded.
        last_frame: The file of its last picture, if that was asked for.
        url: Where the service keeps the film for 24 hours.
        last_frame_url: The same for the last picture.
        media_type: What the file is, by its bytes.
        bytes: Size of the file.
        seconds: How long was waited.
        usage: The service's ``usage`` object.
        task: The task as the service describes it.
        problem: What went wrong on our side, although the task is fine.
    """

    task_id: str
    status: str
    model: str = ""
    path: Path | None = None
    last_frame: Path | None = None
    url: str | None = field(default=None, repr=False)
    last_frame_url: str | None = field(default=None, repr=False)
    media_type: str | None = None
    bytes: int | None = None
    seconds: float = 0.0
    usage: JSON = field(default_factory=dict)
    task: JSON = field(default_factory=dict, repr=False)
    problem: str | None = None

    @property
    def text(self) -> str:
        """What to tell the model."""
        later = (
            f"Task id {self.task_id}: call check_video with it later. Do not submit it again: that "
            "would cost a second time."
        )
        if self.status != "succeeded":
            why = f" {self.problem}" if self.problem else ""
            return f"The video is still running (status {self.status}).{why} {later}"
        if self.path is None:
            why = self.problem or "The service gave no address for it."
            return f"The video is made, but the file could not be fetched. {why} {later}"
        said = f"The video is ready: {self.path.name} ({self._facts}). Task id {self.task_id}."
        if self.last_frame is not None:
            said += (
                f" Its last picture is {self.last_frame.name}; pass that name as first_frame to "
                "continue."
            )
        return f"{said} {self.problem}" if self.problem else said

    @property
    def _facts(self) -> str:
        duration = self.task.get("duration")
        facts = [self.task.get("resolution"), self.task.get("ratio")]
        return ", ".join(([f"{duration} s"] if duration else []) + [each for each in facts if each])


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a task is; ``seconds`` since it was submitted."""

    task_id: str
    status: str
    seconds: float


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
