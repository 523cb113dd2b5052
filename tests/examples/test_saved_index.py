"""The saved index as its users run it: built by one process, asked by another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "saved_index.py"
QUESTION = "When and where was the first Fresnel lens lit?"


@pytest.fixture
def run(emulator, tmp_path):
    """Run the script with a key, in an empty folder; the service is the emulator."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONUTF8": "1",
            "ARK_API_KEY": "test-key",
            "DOUBAO_BASE_URL": emulator.base_url,
        }
        return subprocess.run(
            [sys.executable, SCRIPT, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=50,
            check=False,
        )

    return run


def test_another_process_loads_both_indexes_and_embeds_the_question_only(run, emulator, tmp_path):
    built = run("build", "index")
    assert (built.returncode, built.stderr) == (0, "")
    assert [line.split(":")[0] for line in built.stdout.splitlines()] == ["LangChain", "LlamaIndex"]
    assert (tmp_path / "index" / "langchain.json").is_file()
    embedded = len(emulator.requests)
    assert embedded > 10

    asked = run("ask", "index", QUESTION)
    assert (asked.returncode, asked.stderr) == (0, "")
    assert [request.body["input"] for request in emulator.requests[embedded:]] == [
        [{"type": "text", "text": QUESTION}]
    ] * 2
    found = asked.stdout.split("LlamaIndex,")
    assert len(found) == 2
    assert all("1823" in each and "Cordouan" in each for each in found)


def test_an_index_that_is_not_there_is_told_in_a_sentence(run):
    asked = run("ask", "nowhere", QUESTION)
    assert asked.returncode == 1
    assert asked.stderr.startswith("saved_index: ")
    assert "nowhere" in asked.stderr
    assert "Traceback" not in asked.stderr
