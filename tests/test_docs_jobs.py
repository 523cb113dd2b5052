"""docs/jobs.md says what the crash tests show, and its recipes are at least Python."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")
CASES = tomllib.loads((ROOT / "tests" / "crash" / "cases.toml").read_text(encoding="utf-8"))["case"]
# The recipes need servers and packages that are not here, so they are marked `py`, not `python`.
RECIPES = re.findall(r"```py\n(.*?)```", PAGE, re.DOTALL)


def row(case):
    states = f"`{case['left']}` | `{case['resumed']}`".replace("`none`", "not written")
    return f"| {case['name']} | {states} | {case['creates']} | {case['happens']} |"


def test_the_table_has_exactly_the_cases_that_the_crash_tests_run():
    wanted = "\n".join(map(row, CASES))
    shown = re.search(r"\|-[-|]*-\|\n((?:\| .* \|\n)*)", PAGE.split("## What a crash costs")[1])
    assert shown
    # Copy the left side into the page if a case was added or changed.
    assert wanted.splitlines() == shown[1].splitlines()


def test_the_number_of_cases_is_said_as_it_is():
    assert f"{len(CASES)} cases" in PAGE


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.split(maxsplit=2)[1])
def test_a_recipe_compiles(recipe):
    compile(recipe, "jobs.md", "exec")
