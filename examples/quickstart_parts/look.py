"""The look that the pages of the examples share."""

from __future__ import annotations

from pathlib import Path


def style(module: str) -> str:
    """Give the style of a page: the shared rules, and ``page.css`` beside the file *module*."""
    rules = (Path(__file__).with_name("look.css"), Path(module).with_name("page.css"))
    return "".join(each.read_text(encoding="utf-8") for each in rules)
