"""The storyboard as its users run it: whole, killed, interrupted, out of budget, rewritten."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from doubao_core.jobs import Jobs, State

EXAMPLES = Path(__file__).parents[2] / "examples"
PICTURES = "/api/v3/images/generations"
FILMS = "/api/v3/contents/generations/tasks"
SCENES = 3
SCRIPT = """# Three scenes

Style: Ink.

## One

A tower.

Motion: The camera rises.

## Two

A stair.

## Three

A lens.

Motion: It turns.
"""


class Storyboard:
    """Starts the script in an empty working folder with an empty home and no settings."""

    def __init__(self, folder):
        self.out = folder / "results"
        self.home, self.work = folder / "home", folder / "work"
        self.home.mkdir()
        self.work.mkdir()
        self.script = folder / "script.md"
        self.script.write_text(SCRIPT, encoding="utf-8")

    def start(self, *arguments, **environment):
        inherited = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        return subprocess.Popen(
            [
                *(sys.executable, EXAMPLES / "storyboard.py"),
                *(arguments or (self.script,)),
                *("--out", self.out),
            ],
            cwd=self.work,
            env={**inherited, "HOME": str(self.home), "PYTHONUTF8": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __call__(self, *arguments, **environment):
        with self.start(*arguments, **environment) as process:
            said, complaints = process.communicate()
        return process.returncode, said, complaints

    def made(self):
        kinds = sorted(each.suffix for each in (self.out / "media").iterdir())
        return kinds.count(".jpeg"), kinds.count(".mp4")


@pytest.fixture
def storyboard(tmp_path):
    return Storyboard(tmp_path)


@pytest.fixture
def service(emulator):
    """Give the environment of someone with a key, whose service is the emulator."""
    return {"ARK_API_KEY": "test-key", "DOUBAO_BASE_URL": emulator.base_url}


def creates(emulator):
    posts = [each.path for each in emulator.requests if each.method == "POST"]
    return posts.count(PICTURES), posts.count(FILMS)


def wait_until(condition):
    deadline = time.monotonic() + 50
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


@pytest.mark.timeout(180)
def test_without_a_key_the_shipped_script_is_made_on_the_emulator(storyboard):
    shipped = EXAMPLES / "storyboard_parts" / "a-day-at-the-lighthouse.md"
    code, said, complaints = storyboard(shipped, HTTP_PROXY="http://127.0.0.1:9")

    assert (code, complaints) == (0, "")
    lines = said.splitlines()
    assert lines[0].startswith("The local emulator, not Doubao (ARK_API_KEY is not set)")
    assert lines[1] == "4 scenes, 8 jobs, at most 1.46 CNY by list prices."
    assert sorted(lines[2:10]) == sorted(
        f"scene {number}: {what} ready" for number in range(1, 5) for what in ("picture", "film")
    )
    assert "Cost by list prices: 1.46 CNY (no bill was looked at)." in lines
    assert storyboard.made() == (4, 4)

    page = (storyboard.out / "index.html").read_text(encoding="utf-8")
    assert "local emulator, not by Doubao" in page
    for address in re.findall(r'(?:src|poster)="([^"]+)"', page):
        assert (storyboard.out / address).exists()
    assert page.count("<video") == 4
    assert list(storyboard.home.iterdir()) == list(storyboard.work.iterdir()) == []
    # The emulator that was started for it ends.
    assert not (storyboard.out / "emulator.address").exists()


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("at_once", "films"), [("1", 1), ("10", SCENES)])
def test_killed_in_the_middle_it_goes_on_and_creates_nothing_twice(
    at_once, films, storyboard, service, emulator
):
    arguments = (storyboard.script, "--at-once", at_once)
    with storyboard.start(*arguments, **service) as killed:
        wait_until(lambda: creates(emulator) == (SCENES, films))
        killed.send_signal(signal.SIGKILL)
    code, _, complaints = storyboard(*arguments, **service)

    assert (code, complaints) == (0, "")
    assert creates(emulator) == (SCENES, SCENES)
    assert storyboard.made() == (SCENES, SCENES)


@pytest.mark.timeout(180)
def test_offline_it_can_be_killed_too(storyboard):
    with storyboard.start(storyboard.script, "--at-once", "1") as killed:
        # One at a time, so nothing is on its way while a task is waited for.
        with Jobs(ledger=f"sqlite:///{storyboard.out}/jobs.sqlite3", provider="emulator") as jobs:
            wait_until(lambda: storyboard.out.exists() and jobs.list({State.ACCEPTED}))
        killed.send_signal(signal.SIGKILL)
    # The emulator remembers the task of the first film.
    assert (storyboard.out / "emulator.address").exists()
    code, said, complaints = storyboard(storyboard.script)
    assert (code, complaints) == (0, "")
    assert "3 pictures and 3 films" in said
    assert storyboard.made() == (SCENES, SCENES)


@pytest.mark.timeout(180)
def test_only_a_scene_that_is_written_anew_is_made_anew(storyboard, service, emulator):
    assert storyboard(**service)[0] == 0
    storyboard.script.write_text(SCRIPT.replace("A stair.", "A ladder."), encoding="utf-8")
    assert storyboard(**service)[0] == 0
    assert creates(emulator) == (SCENES + 1, SCENES + 1)


@pytest.mark.timeout(180)
def test_it_stops_before_the_budget_is_exceeded_and_goes_on_without(storyboard, service, emulator):
    code, said, complaints = storyboard(storyboard.script, "--budget", "0.45", **service)
    assert code == 1
    assert creates(emulator) == (2, 0)
    assert "the budget has no room for it" in complaints
    assert complaints.endswith(
        "with a larger --budget, or none, the same command makes the rest.\n"
    )
    assert "2 pictures and 0 films" in said
    page = (storyboard.out / "index.html").read_text(encoding="utf-8")
    assert "nothing yet" in page

    assert storyboard(**service)[0] == 0
    assert creates(emulator) == (SCENES, SCENES)


def test_interrupted_it_says_how_to_go_on(storyboard, service, emulator):
    with storyboard.start(**service) as process:
        wait_until(lambda: creates(emulator)[0])
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate()
    assert process.returncode == 130
    assert complaints.strip() == (
        "storyboard: stopped. What is made is kept; the same command goes on."
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("# Only a title\n", "has no scene"),
        ("## Empty\n\nMotion: It turns.\n", "does not say what is seen"),
    ],
)
def test_a_script_that_is_none_is_one_sentence(storyboard, text, said):
    if text is None:
        storyboard.script.unlink()
    else:
        storyboard.script.write_text(text, encoding="utf-8")
    code, _, complaints = storyboard()
    assert code == 1
    assert re.fullmatch(r"storyboard: [^\n]+\n", complaints)
    assert said in complaints


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--at-once", "0"], 2), (["--budget", "much"], 1)]
)
def test_a_wrong_setting_is_one_sentence(storyboard, arguments, code):
    ended, _, complaints = storyboard(storyboard.script, *arguments, DOUBAO_PROVIDER="emulator")
    assert ended == code
    assert re.fullmatch(r"storyboard: [^\n]+\n", complaints)
