"""docs/gateways.md says what there is: its table, its gateway of another package, its files."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import doubao_core
import doubao_emulator
import langchain_doubao
import llamaindex_doubao
from doubao_core.gateways import known

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gateways.md").read_text(encoding="utf-8")
# They speak Ark and are told of in the README.
ARKS = {"ark", "byteplus", "byteplus-eu", "emulator"}
COLUMNS = {
    "chat": "chat.create",
    "embeddings": "embeddings.create",
    "moderation": "moderations.create",
    "pictures": "images.create",
    "films": "videos.create",
}
PACKAGES = [doubao_core, doubao_emulator, langchain_doubao, llamaindex_doubao]
# What is made, written and installed in another process; it asks once in each framework.
ASK = """
import sys
from langchain_doubao import ChatDoubao
from llamaindex_doubao import Doubao

where = {"provider": "acme", "base_url": sys.argv[1]}
print(ChatDoubao(model="acme/doubao-seed-1-6-lite-251015", **where).invoke("Hello").text)
print(Doubao(model="acme/doubao-seed-1-6-lite-251015", **where).complete("Hello").text)
"""


def section(title):
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def block(language, text):
    return re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)[1]


def rows():
    """Read the table of providers."""
    lines = [line for line in section("Providers").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head, _, *body = cells
    return [dict(zip(head, each, strict=True)) for each in body]


def test_the_table_has_every_gateway():
    named = [row["`provider=`"].strip("`") for row in rows()]
    assert len(named) == len(set(named))
    assert set(named) == known().keys() - ARKS


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["`provider=`"])
def test_a_row_says_what_the_gateway_is(row):
    gateway = known()[row["`provider=`"].strip("`")]
    assert re.findall(r"`(\w+)`", row["key"]) == list(gateway.key_env)
    assert row["base URL"].strip("`") == (gateway.base_url or "yours: `base_url=")
    able = {title for title, operation in COLUMNS.items() if operation in gateway.routes}
    assert {title for title in COLUMNS if row[title] == "yes"} == able


def test_every_section_is_in_the_table_of_contents():
    contents = PAGE.split("\n- ", 1)[1].split("\n## ", 1)[0]
    listed = re.findall(r"\]\(#([^)]+)\)", contents)
    titles = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    anchors = [re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in titles]
    assert listed == anchors


def test_the_gateway_of_another_package_works_when_it_is_installed(tmp_path, emulator):
    """By an entry point alone, with the page's own blocks, in a process of its own."""
    shown = section("A gateway of your own")
    (tmp_path / "acme_gateway.py").write_text(block("python", shown))
    points = tomllib.loads(block("toml", shown))["project"]["entry-points"]
    told = tmp_path / "acme_gateway-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-gateway\nVersion: 1.0\n")
    lines = [
        line
        for group, entries in points.items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()))
    ]
    (told / "entry_points.txt").write_text("\n".join(lines))
    inherited = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    emulator.answer("From Acme.", times=2)
    ended = subprocess.run(
        [sys.executable, "-c", ASK, emulator.base_url_of("openai-compatible")],
        env={**inherited, "PYTHONPATH": path, "ACME_API_KEY": "acme-key", "HOME": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
        timeout=50,
        check=False,
    )
    assert (ended.stdout.split("\n")[:2], ended.stderr) == (["From Acme."] * 2, "")
    assert {each.headers["authorization"] for each in emulator.requests} == {"Bearer acme-key"}
    assert {each.body["model"] for each in emulator.requests} == {"doubao-seed-1-6-lite-251015"}


def words_of(path):
    """Give what a module says in code: its texts, and the last part of what it imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (each.name.rpartition(".")[2] for each in node.names)
            yield str(getattr(node, "module", None)).rpartition(".")[2]


def test_no_other_module_names_a_gateway():
    """So that adding one touches its module, its dialect, its cassettes and its tests only."""
    names = known().keys() - ARKS
    names |= {name.replace("-", "_") for name in names}
    naming = set()
    for package in PACKAGES:
        (folder,) = package.__path__
        for path in Path(folder).rglob("*.py"):
            if names.intersection(words_of(path)):
                naming.add(path.relative_to(Path(folder).parent).as_posix())
    assert {Path(each).parent.as_posix() for each in naming} == {
        "doubao_core/gateways",
        "doubao_emulator/dialects",
    }
    own = {name.replace("-", "_") for name in names}
    assert {Path(each).stem for each in naming} <= own


def test_the_files_of_the_last_gateway_are_there():
    (listed,) = re.findall(r"((?:^- .*\n)+)", section("Adding one to this project"), re.MULTILINE)
    files = re.findall(r"`([^`]+)`", listed)
    assert len(files) > 5
    assert [each for each in files if not list(ROOT.glob(each))] == []
