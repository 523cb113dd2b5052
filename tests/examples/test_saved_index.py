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
    assert asked.stderr == "saved_index: no index in 'nowhere': make one with: build nowhere\n"


def test_documents_that_are_not_there_are_told_in_a_sentence(run):
    built = run("build", "index", "--docs", "nothing")
    assert built.returncode == 1
    assert built.stderr == "saved_index: there is no folder 'nothing': give one with --docs\n"


def test_without_a_command_the_usage_is_told(run):
    ended = run()
    assert ended.returncode == 2
    assert "usage: saved_index.py" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("script", "package"),
    [
        ("saved_index", "langchain_text_splitters"),
        ("hybrid_search", "langchain_qdrant"),
        ("embed_at_scale", "pyarrow"),
        ("quickstart", "pypdf"),
    ],
)
def test_a_package_that_an_example_misses_is_named_with_what_to_install(script, package):
    path = SCRIPT.with_name(f"{script}.py")
    code = (
        f"import runpy, sys; sys.modules[{package!r}] = None; sys.path[0] = {str(path.parent)!r}; "
        f"runpy.run_path({str(path)!r}, run_name='__main__')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith(f"{script}: ")
    assert package in ended.stderr
    assert 'pip install ".[all]" in the folder of doubao-integrations' in ended.stderr
