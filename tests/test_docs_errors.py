"""docs/errors.md is complete and true: classes, codes, repeats, and the classes of LangChain."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from langchain_core import exceptions as chain

import doubao_core
from doubao_core import errors as core
from doubao_core.operation import Repeat, Send
from doubao_core.retry import Policy, decide, settled
from langchain_doubao import errors as both

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "errors.md").read_text(encoding="utf-8")
READS = Send(operation="chat.create", repeat=Repeat.SAFE)
CREATES = Send(operation="videos.create", body={"model": "m"}, repeat=Repeat.REFUSED_ONLY)
POLICY = Policy(max_retries=2, rand=lambda: 0.0)


def table(heading):
    """Give the cells of the rows of the last table of a section."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines[1:]]


ROWS = [(re.search(r"`(\w+)`", cells[0])[1], cells) for cells in table("The table")]
CODES = [
    (code, name)
    for name, cells in ROWS
    for code in re.findall(r"`([A-Z][A-Za-z.]{6,})`", cells[1])
    if code not in {"ValueError", "ConfigError"}
]
STATUSES = [
    (int(status), name) for name, cells in ROWS for status in re.findall(r"HTTP (\d+)", cells[1])
]


def classes(module):
    return {
        name: kind
        for name, kind in vars(module).items()
        if inspect.isclass(kind) and issubclass(kind, core.DoubaoError)
    }


def outcome(kind, send):
    return decide(send, 0, kind("no"), POLICY)


def test_every_error_of_the_core_has_one_row_below_the_class_that_it_is_caught_as():
    depth = {name: cells[0].count("– ") for name, cells in ROWS}
    assert list(depth) == [name for name, _ in ROWS]
    assert depth.keys() == classes(core).keys()
    above = []
    for name, deep in depth.items():
        above[deep:] = [getattr(core, name)]
        assert above[deep].__bases__[0] is (above[deep - 1] if deep else Exception), name


def test_every_one_can_be_imported_from_the_package():
    assert all(getattr(doubao_core, name) is kind for name, kind in classes(core).items())


@pytest.mark.parametrize(("name", "cells"), ROWS, ids=lambda value: str(value)[:20])
def test_what_is_repeated_is_what_the_retry_decision_says(name, cells):
    kind = getattr(core, name)
    reads, creates = outcome(kind, READS) is not None, outcome(kind, CREATES) is not None
    said = {(True, True): "yes", (True, False): "unless it creates", (False, False): "no"}
    assert cells[3] == said[reads, creates]


@pytest.mark.parametrize(("name", "cells"), ROWS[1:], ids=lambda value: str(value)[:20])
def test_what_may_be_paid_is_what_is_ambiguous_when_it_creates_something(name, cells):
    kind = getattr(core, name)
    # A task that ended was accepted before it was looked at.
    ended = issubclass(kind, core.JobFailed)
    perhaps = isinstance(settled(CREATES, kind("no")), core.AmbiguousSubmit) or ended
    assert cells[2] == ("perhaps" if perhaps else "no")


@pytest.mark.parametrize(("name", "cells"), ROWS, ids=lambda value: str(value)[:20])
def test_the_class_of_langchain_is_a_base_of_the_twin_and_says_whether_to_repeat(name, cells):
    said, again = re.fullmatch(r"`(\w+)`, (yes|no)", cells[5]).groups()
    twin = type(both.both(getattr(core, name)("no")))
    assert twin is getattr(both, name)
    assert twin.__bases__[-1] is getattr(chain, said)
    assert twin.is_retryable is (again == "yes")


@pytest.mark.parametrize(("code", "name"), CODES)
def test_a_code_of_the_service_is_the_class_in_whose_row_it_stands(code, name):
    # Some codes only repeat what their status says (ark.md 2.2).
    usual = 404 if name == "NotFound" else 400
    assert core.classify(usual, code, "") is getattr(core, name)
    assert core.classify(usual, f"{code}.Longer", "") is getattr(core, name)


@pytest.mark.parametrize(("status", "name"), STATUSES)
def test_a_status_without_a_code_is_the_class_in_whose_row_it_stands(status, name):
    assert core.classify(status, None, "") is getattr(core, name)


def test_no_code_and_no_status_that_the_core_decides_on_is_missing():
    assert core._BY_CODE.keys() <= {code for code, _ in CODES}
    assert core._BY_STATUS.keys() <= {status for status, _ in STATUSES}


@pytest.mark.parametrize("cells", table("Elsewhere"), ids=lambda cells: cells[0])
def test_an_error_of_another_module_is_caught_as_the_page_says(cells):
    module, _, name = cells[0].strip("`").rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    bases = [getattr(core, base, ValueError) for base in re.findall(r"`(\w+)`", cells[1])]
    assert bases
    assert all(issubclass(kind, base) for base in bases)


def test_every_attribute_of_an_error_is_explained():
    explained = {name for cells in table("What an error says") for name in _names(cells[0])}
    documented = set(re.findall(r"^        (\w+): ", core.DoubaoError.__doc__, re.MULTILINE))
    assert explained == documented | {"status_code"}


def _names(cell):
    return re.findall(r"`(\w+)`", cell)
