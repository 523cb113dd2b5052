"""Write ``docs/requirements.md``: what the seed documents ask for, and the tests that show it.

``python3 scripts/requirements.py``. The rows are ``docs/requirements.csv``; a test says which of
them it shows by their ids in its docstring, or in that of its module for all tests of the module.
"""

from __future__ import annotations

import ast
import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROWS = ROOT / "docs" / "requirements.csv"
PAGE = ROOT / "docs" / "requirements.md"
_ID = re.compile(r"\bR\d{3}-\d{2}\b")
_TREATMENTS = {
    "must": "built and tested",
    "opt": "optional",
    "doc": "documented, no code",
    "no": "not built, for the reason given",
}
_INTRODUCTION = """\
# What the seed documents ask for

The project began with five documents (a guide to Doubao chats, and the pages of Anyfast,
Agentsflare, Doitong and seedance2api). This table lists every ability that they name: R000 is the
guide, R001 Anyfast, R002 Agentsflare, R003 Doitong, R004 seedance2api. `scripts/requirements.py`
writes it from `requirements.csv` and from the ids in the tests' docstrings;
`tests/test_requirements.py` fails when a row that must be built has no test. Nothing here was
checked against the live services.
"""


def rows() -> list[dict[str, str]]:
    """Read the rows: id, kind, treatment, capability and note."""
    with ROWS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def tests() -> dict[str, list[str]]:
    """Find the tests of each row, as ``path::name``, in order."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        where = path.relative_to(ROOT).as_posix()
        for name, text in _tests(ast.parse(path.read_text(encoding="utf-8"))):
            place = f"{where}::{name}" if name else where
            for each in dict.fromkeys(_ID.findall(text)):
                found[each].append(place)
    return found


def _tests(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Give names and docstrings of what tests; the module itself has no name."""
    yield "", ast.get_docstring(module) or ""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and (
            node.name.lower().startswith("test")
        ):
            yield node.name, ast.get_docstring(node) or ""


def page() -> str:
    """Write the page."""
    known, shown = rows(), tests()
    counts = Counter(row["treatment"] for row in known)
    lines = [_INTRODUCTION, f"{len(known)} rows:"]
    lines += [f"- **{name}**: {told}; {counts[name]}" for name, told in _TREATMENTS.items()]
    lines += [
        "",
        "| id | ability | kind | treatment | tests, or where else |",
        "|---|---|---|---|---|",
    ]
    lines += [_line(row, shown.get(row["id"], [])) for row in known]
    return "\n".join(lines) + "\n"


def _line(row: dict[str, str], places: list[str]) -> str:
    links = [f"[{_short(place)}](../{place.partition('::')[0]})" for place in places]
    told = "; ".join(filter(None, [", ".join(links), row["note"]]))
    return f"| {row['id']} | {row['capability']} | {row['kind']} | {row['treatment']} | {told} |"


def _short(place: str) -> str:
    path, _, name = place.partition("::")
    return name or Path(path).stem


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Wrote {PAGE.relative_to(ROOT)}.")
