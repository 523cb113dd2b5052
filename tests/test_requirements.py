"""The table of the seed documents' requirements is complete, and each that must be built is."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "requirements.py"


@pytest.fixture(scope="module")
def requirements():
    spec = importlib.util.spec_from_file_location("requirements", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_ability_is_a_row(requirements):
    ids = [row["id"] for row in requirements.rows()]
    counts = {"R000": 56, "R001": 15, "R002": 20, "R003": 34, "R004": 48}
    assert ids == [
        f"{seed}-{number:02}" for seed, count in counts.items() for number in range(1, count + 1)
    ]


def test_what_must_be_built_is_tested(requirements):
    shown = requirements.tests()
    untested = [
        row["id"]
        for row in requirements.rows()
        if row["treatment"] == "must" and not shown.get(row["id"])
    ]
    assert not untested


def test_what_is_not_built_says_why(requirements):
    told = {"opt": "shown or said", "doc": "said", "no": "said"}
    shown = requirements.tests()
    assert not [
        row["id"]
        for row in requirements.rows()
        if row["treatment"] in told and not row["note"] and not shown.get(row["id"])
    ]


def test_tests_name_rows_that_there_are(requirements):
    known = {row["id"] for row in requirements.rows()}
    assert not {name: places for name, places in requirements.tests().items() if name not in known}


def test_the_page_is_fresh(requirements):
    assert requirements.PAGE.read_text(encoding="utf-8") == requirements.page()
