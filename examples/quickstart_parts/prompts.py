"""What the models are told; the same for both frameworks."""

from __future__ import annotations

from collections.abc import Sequence

from quickstart_parts.result import Source
from quickstart_parts.service import IMAGE_SIZE, VIDEO_RESOLUTION, VIDEO_SECONDS

MOST_PASSAGES = 4

ANSWERER = (
    "You answer questions from excerpts of documents, and from nothing else. Write plain text in "
    "the language of the question, five sentences at most, and name the excerpts that you used by "
    "their numbers in square brackets. If they do not hold the answer, say so."
)
ILLUSTRATOR = (
    "You illustrate answers with one picture and one short film. First look up with "
    "search_documents what is to be seen, then call generate_image once and generate_video once, "
    "with prompts that describe a scene without any text in it. Then say in two sentences what "
    "they show."
)
FIXED_IMAGE = {"size": IMAGE_SIZE, "watermark": False}
FIXED_VIDEO = {"duration": VIDEO_SECONDS, "resolution": VIDEO_RESOLUTION, "watermark": False}


def question_with_context(question: str, sources: Sequence[Source]) -> str:
    """Put the passages that were found in front of the question."""
    excerpts = "\n\n".join(
        f"[{number}]\nsource: {source.file}, {source.place}\n\n{source.text}"
        for number, source in enumerate(sources, start=1)
    )
    return f"Excerpts:\n\n{excerpts}\n\nQuestion: {question}"


def illustration_task(question: str, answer: str) -> str:
    """Ask the agent for its picture and its film."""
    return (
        f"Use search_documents to look up: {question}\nThen use generate_image to draw it, and "
        f"then use generate_video to make a short film of the same scene.\n\n"
        f"The reader already knows this answer: {answer}"
    )
