"""The table in docs/differences.md: each cell is what happens when it is run.

Every line has a probe in `feature_probes/`: it does the same with either class, against the same
server, and returns the words that belong into the class's cell, and the words that are right. When
a cell fails because the peer has become better, the page changes. To print the table as it is now:
``pytest -s tests/llamaindex/test_differential.py``.
"""

import gc
import importlib.util
import re
import sys
from pathlib import Path
from unittest import mock

import pytest
from llama_index.llms.openai_like import OpenAILike

from llamaindex_doubao import Doubao

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs" / "differences.md"
HEADER = "| | `Doubao` | `OpenAILike` | |\n|---|---|---|---|\n"
ROW = re.compile(r"\| (.+?) \| (.+?) \| (.+?) \| (.+?) \|")

# Connections that the peer's clients leave open.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


class Side:
    """One of the two classes; what a probe works with."""

    def __init__(self, kind, emulator):
        self.kind = kind
        self.emulator = emulator

    def llm(self, **fields):
        settings = {"model": "doubao-seed-2-1-pro-260915", "api_key": "sk-very-secret", **fields}
        if self.kind is Doubao:
            return Doubao(**{"base_url": self.emulator.base_url, **settings})
        peer = {"is_chat_model": True, "is_function_calling_model": True}
        return OpenAILike(api_base=self.emulator.base_url, **{**peer, **settings})

    def body(self):
        """The last request."""
        return self.emulator.requests[-1].body

    def error(self, call):
        """What a call raises, or None."""
        try:
            call()
        except Exception as error:
            return error
        return None


def _probes():
    for file in sorted((HERE / "feature_probes").glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"differential_{file.stem}", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield from module.PROBES.items()


PROBES = dict(_probes())


@pytest.fixture(scope="module")
def printed():
    """Rows that ran; printed as a table at the end, which ``-s`` shows."""
    rows = {}
    yield rows
    lines = [rows[name] for name in PROBES if name in rows]
    sys.stdout.write("\n\n" + HEADER + "\n".join(lines) + "\n")


@pytest.mark.parametrize("name", PROBES)
def test_a_line_says_what_happens_and_we_are_equal_or_better(name, emulator, monkeypatch, printed):
    # The peer waits up to a minute between its attempts.
    monkeypatch.setattr("time.sleep", lambda _: None)
    probe, right = PROBES[name]
    # The peer's clients and their half-made copies complain when they are collected.
    with mock.patch("sys.unraisablehook"):
        ours, theirs = (_cell(probe, kind, emulator) for kind in (Doubao, OpenAILike))
        gc.collect()
    verdict = "equal" if ours == theirs else "better"
    printed[name] = row = f"| {name} | {ours} | {theirs} | {verdict} |"
    assert ours == right
    assert row in PAGE.read_text().splitlines()


def _cell(probe, kind, emulator):
    emulator.reset()
    return probe(Side(kind, emulator))


def test_the_page_has_these_lines_and_no_others():
    table = PAGE.read_text().split(HEADER)[1].split("\n\n")[0]
    assert [ROW.fullmatch(line)[1] for line in table.strip().splitlines()] == list(PROBES)
