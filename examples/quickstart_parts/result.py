"""What one framework has found out and made; both fill the same form."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from doubao_core.studio import ImageResult, VideoResult
from quickstart_parts.failures import NothingMade


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A passage that was given to the model, with its similarity to the question."""

    file: str
    place: str
    text: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one step used, in tokens as the service counted them."""

    step: str
    model: str
    input_tokens: int
    output_tokens: int


@dataclass(slots=True, kw_only=True)
class Result:
    """A framework's results; what was reached before a failure stays.

    Attributes:
        caption: What the agent says about its picture and video.
        problems: What the agent's tools could not do, in their words.
        failure: The sentence that says why something is missing; empty if nothing is.
    """

    framework: str
    question: str
    answer: str = ""
    reasoning: str = ""
    sources: list[Source] = field(default_factory=list)
    image: Path | None = None
    image_prompt: str = ""
    video: Path | None = None
    video_prompt: str = ""
    caption: str = ""
    usage: list[Usage] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    failure: str = ""

    def used(self, step: str, model: str, input_tokens: int, output_tokens: int = 0) -> None:
        """Note what a step used."""
        self.usage.append(
            Usage(step=step, model=model, input_tokens=input_tokens, output_tokens=output_tokens)
        )

    def keep_image(self, made: ImageResult) -> None:
        """Keep the picture of a tool's result."""
        for picture in made.saved:
            self.image = picture.path
            self.image_prompt = made.prompt
        if not made.saved:
            self.problems.append(made.text)
        self.used("picture", made.model, 0, made.usage.get("output_tokens", 0))

    def keep_video(self, made: VideoResult) -> None:
        """Keep the video of a tool's result; it may also say that the video is not ready yet."""
        if made.path:
            self.video = made.path
            self.used("video", made.model, 0, made.usage.get("completion_tokens", 0))
        else:
            self.problems.append(made.text)

    def check_media(self) -> None:
        """See that both files are there.

        Raises:
            NothingMade: One is missing; the text gives the tools' reasons.
        """
        files = {"picture": self.image, "video": self.video}
        missing = [name for name, file in files.items() if file is None]
        if missing:
            reasons = " ".join(self.problems) or "it did not call the tool"
            raise NothingMade(f"the agent made no {' and no '.join(missing)}: {reasons}")
