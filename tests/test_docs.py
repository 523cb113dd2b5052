"""The pages of docs/: their examples run, in order, against the emulator, and their links lead."""

import re
from pathlib import Path

import pytest

from doubao_core import gateways

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]+)?\)")
PAGES = [page for page in sorted(DOCS.glob("*.md")) if EXAMPLE.search(page.read_text())]
LINKED = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


@pytest.fixture
def _added_here(monkeypatch):
    """Forget the providers that an example adds to this process."""
    monkeypatch.setattr(gateways, "_ADDED", {})
    yield
    gateways.known.cache_clear()


# Core calls its own v3 events a beta.
@pytest.mark.filterwarnings("ignore:.*is in beta")
# What LlamaIndex's workflows do among themselves.
@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
@pytest.mark.filterwarnings("ignore:is_running called from within a step")
# Ray Data warns of its own settings.
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")
# Qdrant's, in the mode that keeps nothing.
@pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")
@pytest.mark.usefixtures("_added_here")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_run(page, emulator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("ARK_API_KEY", "BYTEPLUS_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOUBAO_PROVIDER", "emulator")
    monkeypatch.setenv("DOUBAO_BASE_URL", emulator.base_url)
    namespace = {"__name__": page.stem}
    for example in EXAMPLE.finditer(page.read_text()):
        line = page.read_text()[: example.start(1)].count("\n")
        exec(compile("\n" * line + example.group(1), page.name, "exec"), namespace)  # noqa: S102


def test_there_are_pages_with_examples():
    assert PAGES


def _anchors(page):
    """The anchors that GitHub gives to a page's headings."""
    for heading in re.findall(r"^#+ (.+)$", EXAMPLE.sub("", page.read_text()), re.MULTILINE):
        yield "#" + re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_links_to_files_and_sections_lead_somewhere(page):
    for target, anchor in LINK.findall(page.read_text()):
        if "://" in target:
            continue
        file = page.parent / target if target else page
        assert file.exists(), target
        assert not anchor or anchor in set(_anchors(file)), anchor


@pytest.mark.parametrize(
    "name", ["langchain.md", "llamaindex.md", "embeddings.md", "media.md", "errors.md"]
)
def test_every_feature_of_a_page_is_in_its_table_of_contents(name):
    page = DOCS / name
    contents, _ = page.read_text().split("\n## ", 1)
    listed = [anchor for target, anchor in LINK.findall(contents) if anchor and not target]
    assert listed == list(_anchors(page))[1:]
