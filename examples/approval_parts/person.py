"""The person who decides: at the terminal, or in advance with ``--answer``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

TASK = "Make a short video of fog that drifts over a tea garden at dawn."


def arguments(program: str) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=program)
    parser.add_argument("task", nargs="?", default=TASK, help="what to ask the agent for")
    parser.add_argument("--out", type=Path, default=Path("out/approval"), help="folder for results")
    parser.add_argument("--answer", help="what to answer, instead of asking at the terminal")
    return parser.parse_args()


def decides(question: dict[str, Any], answer: str | None) -> Any:
    """Show *question* and give the answer: a word, or arguments to change."""
    print(f"\n{question['question']}")
    said = answer or input('yes, no, why not, or JSON such as {"duration": 8}: ')
    print(f"> {said}")
    if said.lstrip().startswith("{"):
        return json.loads(said)
    return said
