"""The approval examples as their users run them: processes of their own, without a key."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(params=["langgraph", "llamaindex"])
def run(request, emulator, tmp_path):
    """Run an example with what a person says, at the terminal or in advance."""

    def run(*arguments: str, said: str = "") -> str:
        inherited = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        settings = {"DOUBAO_PROVIDER": "emulator", "DOUBAO_BASE_URL": emulator.base_url}
        done = subprocess.run(
            [sys.executable, EXAMPLES / f"approval_{request.param}.py", *arguments],
            cwd=tmp_path,
            env={**inherited, **settings, "HOME": str(tmp_path), "PYTHONUTF8": "1"},
            input=said,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=55,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def creates(emulator: Any) -> list[Any]:
    return [
        each for each in emulator.requests if each.method == "POST" and "generations" in each.path
    ]


def test_a_yes_at_the_terminal_makes_the_film_once(run, emulator, tmp_path):
    said = run(said="yes\n")
    assert "Estimated cost:" in said
    assert "The video is ready" in said
    (film,) = (tmp_path / "out/approval").glob("*.mp4")
    with av.open(film) as opened:
        frame = next(opened.decode(video=0))
    assert (frame.width, frame.height) == (864, 480)
    assert len(creates(emulator)) == 1


def test_a_refusal_sends_nothing_and_reaches_the_model(run, emulator):
    said = run("--answer", "too dear")
    assert 'The user said: "too dear"' in said
    assert creates(emulator) == []


def test_other_arguments_are_what_is_sent(run, emulator):
    run("--answer", '{"duration": 8}')
    (create,) = creates(emulator)
    assert create.body["duration"] == 8
    assert create.body["resolution"] == "480p"
