"""The README is true: its snippets run, and what it says of commands is what the scripts do."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import langchain_doubao
import llamaindex_doubao

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def _first_code_block(heading):
    section = README.split(f"\n## {heading}\n", 1)[1]
    return re.search(r"```\w*\n(.*?)```", section, re.DOTALL).group(1).strip()


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_each_snippet_runs_on_the_emulator_without_a_key(snippet, emulator, tmp_path, monkeypatch):
    monkeypatch.delenv("ARK_API_KEY", raising=False)
    monkeypatch.setenv("DOUBAO_PROVIDER", "emulator")
    monkeypatch.setenv("DOUBAO_BASE_URL", emulator.base_url)
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", snippet],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert emulator.requests
    assert ("agent" not in snippet) or list((tmp_path / "out" / "media").glob("*.jp*g"))


def test_there_is_a_snippet_for_chat_rag_and_agent_of_both_frameworks():
    for package in ("langchain_doubao", "llamaindex_doubao"):
        assert sum(package in snippet for snippet in SNIPPETS) == 3


def test_the_classes_of_what_there_is_are_exported_by_their_packages():
    table = README.split("| | LangChain | LlamaIndex |\n", 1)[1].split("\n\n", 1)[0]
    cells = [line.strip("| ").split(" | ") for line in table.splitlines()[1:]]
    for column, package in ((1, langchain_doubao), (2, llamaindex_doubao)):
        named = {name for row in cells for name in re.findall(r"`(\w+)`", row[column])}
        exported = {name: getattr(package, name) for name in package.__all__}
        assert named == {name for name, it in exported.items() if not issubclass(it, Exception)}


def test_the_table_of_extras_is_what_can_be_installed_and_every_example_is_named():
    table = README.split("| extra | what for |\n", 1)[1].split("\n\n", 1)[0]
    cells = [line.split("|")[1] for line in table.splitlines()[1:]]
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert sorted(named) == sorted(extras["optional-dependencies"])
    assert all(f"`{script.name}`" in README for script in (ROOT / "examples").glob("*.py"))


def test_the_models_to_start_with_are_what_the_table_says():
    row = README.split("\nModels to start with", 1)[1].split("|---|---|---|---|\n", 1)[1]
    catalogue = json.loads((ROOT / "doubao_core" / "catalogue.json").read_text())
    models = re.findall(r"`([\w-]+)`", row.splitlines()[0])
    families = [catalogue["families"][catalogue["models"][model]["family"]] for model in models]
    assert [family["kind"] for family in families] == ["chat", "embedding", "image", "video"]


@pytest.mark.parametrize("heading", ["Quick start", "Tests"])
def test_the_commands_are_one_line_and_their_script_exists(heading):
    command = _first_code_block(heading)
    assert "\n" not in command
    interpreter, script = command.split()
    assert interpreter == "python3"
    assert (ROOT / script).is_file()


def test_continuous_integration_runs_the_readmes_test_command():
    awk = re.search(r"command=\$\((.*)\)", (ROOT / ".ci/run").read_text()).group(1)
    found = subprocess.run(
        ["bash", "-c", awk], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == _first_code_block("Tests")
