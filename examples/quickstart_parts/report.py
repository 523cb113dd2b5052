"""Writing what was found out: ``answer.md``, ``answer.json`` and ``index.html``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from quickstart_parts import page
from quickstart_parts.failures import BadInput
from quickstart_parts.result import Result
from quickstart_parts.service import Service


def prepare(folder: Path) -> None:
    """Make the output folder and see that files can be written, before anything is paid for.

    Raises:
        BadInput: They cannot.
    """
    trial = folder / ".quickstart-trial"
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()


def write(results: Sequence[Result], service: Service, folder: Path) -> Path:
    """Write all three files and give back the page."""
    index = folder / "index.html"
    with _writing(folder):
        (folder / "answer.md").write_text(_markdown(results, service, folder), encoding="utf-8")
        (folder / "answer.json").write_text(_json(results, service, folder), encoding="utf-8")
        index.write_text(page.render(results, service, folder), encoding="utf-8")
    return index


@contextmanager
def _writing(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(
            f"cannot write into {str(folder)!r} ({error.strerror}): choose a folder with --out"
        ) from error


def _markdown(results: Sequence[Result], service: Service, folder: Path) -> str:
    lines = [f"# {results[0].question}", "", f"Answered by {service.title}, {service.chat}.", ""]
    for result in results:
        lines += _markdown_part(result, folder)
    return "\n".join(lines)


def _markdown_part(result: Result, folder: Path) -> Iterator[str]:
    yield from (f"## {result.framework}", "")
    if result.failure:
        yield from (f"> {result.failure}", "")
    yield from (result.answer, "")
    for number, source in enumerate(result.sources, start=1):
        yield f"{number}. {source.file}, {source.place}"
    yield ""
    if result.image:
        yield from (f"![picture]({_relative(result.image, folder)})", "")
    if result.video:
        yield from (f"[video]({_relative(result.video, folder)})", "")
    for usage in result.usage:
        yield f"- {usage.step}: {usage.input_tokens} tokens in, {usage.output_tokens} out"
    yield ""


def _json(results: Sequence[Result], service: Service, folder: Path) -> str:
    content = {
        "question": results[0].question,
        "service": service.title,
        "provider": service.provider,
        "results": [_plain(result, folder) for result in results],
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _plain(result: Result, folder: Path) -> dict[str, object]:
    return dataclasses.asdict(result) | {
        "image": result.image and _relative(result.image, folder),
        "video": result.video and _relative(result.video, folder),
    }


def _relative(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()
