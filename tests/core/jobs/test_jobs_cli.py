"""``doubao jobs``: what a person sees and decides, its exit codes, and that it prints no secret."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from doubao_core.cli import main
from doubao_core.jobs import Jobs
from doubao_core.studio import ImageOrder, VideoOrder
from doubao_emulator import AfterSeconds

KEY = "sk-live-9f8e7d6c5b4a3210"
TASKS, FILES = "/contents/generations/tasks", "/media/"
FILM = VideoOrder(
    model="doubao-seedance-1-0-pro-250528",
    content=[{"type": "text", "text": "a lighthouse"}],
    options={"duration": 2, "resolution": "480p"},
)
PICTURE = ImageOrder(
    model="doubao-seedream-4-0-250828", prompt="a lighthouse", options={"size": "1024x1024"}
)


@pytest.fixture
def where(tmp_path):
    where = {"ledger": f"sqlite:///{tmp_path}/jobs.sqlite3", "output_dir": str(tmp_path / "made")}
    with Jobs(**where) as jobs:
        assert jobs.list() == []
    return where


@pytest.fixture
def jobs(where, emulator):
    with Jobs(
        base_url=emulator.base_url,
        api_key=KEY,
        patience=0,
        poll_interval=0.01,
        max_retries=0,
        **where,
    ) as jobs:
        yield jobs


@pytest.fixture
def doubao(where, emulator, monkeypatch, capsys):
    """Run ``doubao jobs …`` on the ledger of the test; gives its code and what it printed."""
    monkeypatch.setenv("ARK_API_KEY", KEY)
    monkeypatch.setenv("DOUBAO_BASE_URL", emulator.base_url)
    monkeypatch.setenv("DOUBAO_LEDGER", where["ledger"])

    def doubao(command, *words):
        code = main(["jobs", command, "--output-dir", where["output_dir"], *words])
        out, err = capsys.readouterr()
        assert KEY not in out + err
        assert FILES not in out + err
        return code, out or err

    return doubao


@pytest.fixture
def held(jobs, emulator):
    """A film whose answer was lost and whose task cannot be found."""
    with emulator.fault("reset_before_answer", path=TASKS, times=1):
        jobs.submit(FILM, key="scene-1")
    assert jobs.resume()[0].state == "held"


def test_list_shows_a_table_or_json(doubao, jobs):
    jobs.submit(FILM, key="scene-1")
    list(jobs.run(PICTURE, key="cover"))
    code, out = doubao("list")
    heading, *rows = out.splitlines()
    assert code == 0
    assert heading.split() == ["KEY", "STATE", "KIND", "TASK", "UPDATED", "MODEL"]
    task_id = jobs.get("scene-1").task_id
    cells = ["scene-1", "accepted", "video", task_id]
    assert rows[0].split()[:4] == cells
    assert rows[1].split()[:4] == ["cover", "done", "image", "-"]
    assert heading.index("STATE") == rows[0].index("accepted") == rows[1].index("done")
    code, out = doubao("list", "--state", "done", "--json")
    assert [each["key"] for each in json.loads(out)] == ["cover"]


def test_an_empty_ledger_has_nothing_to_show_or_do(doubao):
    code, out = doubao("list")
    assert (code, len(out.splitlines())) == (0, 1)
    assert doubao("resume") == (0, "Nothing is left to do.\n")
    assert doubao("resume", "--json") == (0, "[]\n")


def test_show_and_wait_tell_how_a_job_stands(doubao, jobs):
    job = jobs.submit(FILM, key="scene-1")
    code, out = doubao("show", "scene-1")
    assert code == 3
    assert f"is task {job.task_id}, which is queued" in out
    code, out = doubao("wait", "scene-1")
    assert code == 0
    assert "The video is ready" in out
    code, out = doubao("show", "scene-1", "--json")
    shown = json.loads(out)
    assert code == 0
    assert shown["result"]["location"] == jobs.get("scene-1").result.location


def test_wait_gives_up_when_it_is_told_to(doubao, jobs, emulator, monkeypatch):
    monkeypatch.setattr(emulator.world, "progress", AfterSeconds(3600))
    jobs.submit(FILM, key="scene-1")
    code, out = doubao("wait", "scene-1", "--timeout", "0")
    assert code == 3
    assert "queued" in out


def test_resume_finishes_what_was_left(doubao, jobs):
    for number in range(2):
        jobs.submit(FILM, key=f"scene-{number}")
    code, out = doubao("resume")
    assert code == 0
    assert [line.partition(":")[0] for line in out.splitlines()] == ["scene-0", "scene-1"]


def test_the_exit_code_says_when_a_person_is_needed(doubao, held):
    code, out = doubao("resume")
    assert code == 4
    assert "most likely none was created" in out
    assert doubao("show", "scene-1")[0] == 4
    assert doubao("wait", "scene-1")[0] == 4


def test_a_bad_end_is_told_with_its_reason(doubao, jobs, emulator):
    with emulator.fault("task_failed", path=TASKS, times=1):
        jobs.submit(FILM, key="scene-1")
    for command in ("wait", "show"):
        code, out = doubao(command, "scene-1")
        assert code == 1
        assert "Content moderation refused it" in out


def test_release_lets_a_held_job_be_made(doubao, held, jobs):
    code, out = doubao("release", "scene-1")
    assert code == 0
    assert "was not sent yet" in out
    assert doubao("resume")[0] == 0
    assert jobs.get("scene-1").state == "done"


def test_release_takes_a_task_for_a_held_job(doubao, held, jobs):
    task = jobs.client.create_video(model=FILM.model, content=FILM.content, **FILM.options)
    assert doubao("release", "scene-1", "--task", task.id)[0] == 0
    assert doubao("wait", "scene-1")[0] == 0
    assert jobs.get("scene-1").task_id == task.id


def test_cancel_withdraws_what_is_queued_and_says_what_is_not(doubao, jobs, emulator, monkeypatch):
    jobs.submit(FILM, key="runs")
    code, out = doubao("cancel", "runs")
    assert code == 3
    assert "could not be withdrawn" in out
    monkeypatch.setattr(emulator.world, "progress", AfterSeconds(3600))
    jobs.submit(FILM, key="waits")
    code, out = doubao("cancel", "waits")
    assert code == 0
    assert "was cancelled" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "nobody"], "there is no job 'nobody'"),
        (["list", "--ledger", "sqlite:///nowhere/at/all.db"], "there is no ledger at"),
        (["list", "--ledger", "postgresql://u:secret@127.0.0.1:1/d"], "postgresql://127.0.0.1:1/d"),
        (["release", "nobody"], "there is no job"),
    ],
)
def test_what_cannot_be_tried_is_one_sentence(doubao, words, said):
    code, out = doubao(*words)
    assert code == 2
    assert out.startswith("doubao: ")
    assert said in out
    assert "secret" not in out
    assert len(out.splitlines()) == 1


def test_wrong_words_are_explained(doubao, capsys):
    for words in ([], ["jobs"], ["jobs", "list", "--state", "lost"]):
        with pytest.raises(SystemExit) as end:
            main(words)
        assert end.value.code == 2
        assert "usage: doubao" in capsys.readouterr().err


def test_a_look_up_that_fails_is_not_the_jobs_end(doubao, jobs, emulator):
    with emulator.fault("lost_answer", path=TASKS, times=1):
        jobs.submit(FILM, key="scene-1")
    with emulator.fault("model_not_open"):
        code, out = doubao("wait", "scene-1")
    assert code == 2
    assert "not activated" in out


def test_it_is_a_program(where):
    command = [sys.executable, "-m", "doubao_core.cli", "jobs", "list", "--ledger", where["ledger"]]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("KEY")


def test_an_interrupt_is_no_traceback(doubao, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Jobs, "resume", interrupted)
    monkeypatch.setattr(Jobs, "list", interrupted)
    assert doubao("list") == (130, "")


@pytest.mark.parametrize("words", [["list"], ["resume"], ["show", "scene-1"]])
def test_a_ledger_that_is_not_there_is_said_and_not_made(tmp_path, monkeypatch, capsys, words):
    """A slip in its name would otherwise read as "nothing is left to do"."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DOUBAO_LEDGER", raising=False)
    assert main(["jobs", *words]) == 2
    assert main(["jobs", *words, "--ledger", "sqlite:///typo.sqlite3"]) == 2
    assert capsys.readouterr().err.count("there is no ledger at") == 2
    assert list(tmp_path.iterdir()) == []
