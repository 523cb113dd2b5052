"""Reading a script: a title, a style, and a scene under each heading."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quickstart_parts.failures import BadInput

_STYLE = "Style:"
_MOTION = "Motion:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One picture, and the film that begins with it.

    Attributes:
        number: Place in the script, from 1.
        picture: What is seen, with the style of the whole script.
        motion: What happens.
    """

    number: int
    title: str
    picture: str
    motion: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """All scenes, in order."""

    title: str
    scenes: tuple[Scene, ...]


def read_script(file: Path) -> Script:
    """Read a Markdown file: ``# title``, ``Style: …``, and for each scene ``## name`` with text.

    In a scene the paragraph ``Motion: …`` says what happens; without one the text does.

    Raises:
        BadInput: It cannot be read, or has no scene.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the script {str(file)!r} cannot be read: {error}") from error
    opening, *parts = f"\n{text}".split("\n## ")
    style = _marked(_paragraphs(opening), _STYLE)
    scenes = tuple(_scene(number, part, style) for number, part in enumerate(parts, start=1))
    if not scenes:
        raise BadInput(f"the script {str(file)!r} has no scene: begin each with a line '## name'")
    titles = [each[2:].strip() for each in _paragraphs(opening) if each.startswith("# ")]
    return Script(title=titles[0] if titles else file.stem, scenes=scenes)


def _scene(number: int, part: str, style: str) -> Scene:
    title, _, rest = part.partition("\n")
    paragraphs = _paragraphs(rest)
    seen = " ".join(each for each in paragraphs if not each.startswith(_MOTION))
    if not seen:
        raise BadInput(f"scene {number}, {title.strip()!r}, does not say what is seen")
    motion = _marked(paragraphs, _MOTION) or seen
    return Scene(
        number=number,
        title=title.strip(),
        picture=f"{seen} {style}".strip(),
        motion=motion,
    )


def _paragraphs(text: str) -> list[str]:
    return [" ".join(each.split()) for each in text.split("\n\n") if each.strip()]


def _marked(paragraphs: list[str], mark: str) -> str:
    found = (each.removeprefix(mark).strip() for each in paragraphs if each.startswith(mark))
    return next(found, "")
