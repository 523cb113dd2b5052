"""Each page of docs/ with examples: they run, one after the other, against the emulator."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)
PAGES = [page for page in sorted(DOCS.glob("*.md")) if EXAMPLE.search(page.read_text())]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_run(page, emulator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOUBAO_PROVIDER", "emulator")
    monkeypatch.setenv("DOUBAO_BASE_URL", emulator.base_url)
    namespace = {"__name__": page.stem}
    for example in EXAMPLE.finditer(page.read_text()):
        line = page.read_text()[: example.start(1)].count("\n")
        exec(compile("\n" * line + example.group(1), page.name, "exec"), namespace)  # noqa: S102


def test_there_are_pages_with_examples():
    assert PAGES
