"""Setting up says what it does: a sign of life while pip runs, and its last words when it fails."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """Return the module that makes environments, at work in a folder of the test."""
    spec = importlib.util.spec_from_file_location("environment", SCRIPTS / "environment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "CACHE", tmp_path / ".cache")
    monkeypatch.setattr(module, "DOT_EVERY", 0.01)
    return module


@pytest.fixture
def fake(tmp_path):
    """Make an environment whose Python is a shell script."""

    def make(script):
        python = tmp_path / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
        return tmp_path / ".venv"

    return make


def test_dots_come_while_pip_runs_and_its_warnings_are_not_shown(environment, fake, capfd):
    environment.pip(fake("sleep 0.05; echo WARNING: of no interest; echo another >&2"), ["."])

    out, err = capfd.readouterr()
    assert out.startswith(".")
    assert set(out) == {".", "\n"}
    assert err == ""


def test_what_pip_is_asked_for_is_passed_on(environment, fake, tmp_path):
    environment.pip(fake('echo "$@" > asked'), ["-e", ".[langchain]"])

    asked = (tmp_path / "asked").read_text()
    assert asked.startswith("-m pip install ")
    assert asked.endswith("-e .[langchain]\n")


def test_when_pip_fails_its_last_lines_are_shown_and_one_sentence(environment, fake, capfd):
    script = (
        'i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo "line $i"; done; echo ERROR: no >&2; exit 3'
    )
    with pytest.raises(SystemExit) as ended:
        environment.pip(fake(script), ["."])

    shown = capfd.readouterr().err.splitlines()
    assert shown[-1] == "ERROR: no"
    assert shown[-2] == "line 40"
    assert len(shown) == environment.LAST_LINES
    assert "pip could not install what .venv needs" in str(ended.value)
    assert "run the same line again" in str(ended.value)


def test_a_new_environment_is_announced_before_anything_takes_time(
    environment, fake, monkeypatch, capsys, tmp_path
):
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    steps = []
    monkeypatch.setattr(environment, "run", lambda command: steps.append(capsys.readouterr().out))
    monkeypatch.setattr(environment, "pip", lambda *asked: fake("exit 0"))

    environment.prepare(".venv", [], install="-e .")
    assert steps == ["Setting up .venv, once: pip installs into it, about a minute …\n"]

    environment.prepare(".venv", [], install="-e .")
    assert len(steps) == 1
    assert capsys.readouterr().out == ""


def test_the_quickstart_needs_nothing_but_the_standard_library():
    for name in ("quickstart.py", "environment.py"):
        imported = {
            line.split()[1].partition(".")[0]
            for line in (SCRIPTS / name).read_text().splitlines()
            if line.startswith(("import ", "from "))
        }
        assert imported <= sys.stdlib_module_names | {"environment"}
