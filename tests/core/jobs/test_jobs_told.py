"""What a person is told on the way: a task that is gone, a lease that lasts, a slip in a name."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from doubao_core import Client, ConfigError
from doubao_core.cli import main
from doubao_core.jobs import Jobs, State
from doubao_core.studio import VideoResult

TASKS = "/contents/generations/tasks"
# Dies while it watches its film, and leaves the lease that it held.
_KILLED = """
import json, os, signal, sys
from doubao_core.jobs import Jobs
from doubao_core.studio import VideoOrder

settings, request = json.loads(sys.argv[1])
events = Jobs(**settings).run(VideoOrder.from_request(request), key="scene-1")
next(events)
next(events)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def forget(emulator, key):
    """Let the service forget a task, as an emulator does that is started again."""

    def forget(task_id):
        with Client(base_url=emulator.base_url, api_key=key) as client:
            client.get_video(task_id)
            client.delete_video(task_id)

    return forget


@pytest.fixture
def doubao(emulator, tmp_path, monkeypatch, capsys, key):
    """Run ``doubao jobs …`` on the ledger of the test; gives its code, output and complaints."""
    monkeypatch.setenv("ARK_API_KEY", key)
    monkeypatch.setenv("DOUBAO_BASE_URL", emulator.base_url)
    monkeypatch.setenv("DOUBAO_LEDGER", f"sqlite:///{tmp_path}/jobs.sqlite3")

    def doubao(command, *words):
        code = main(["jobs", command, "--output-dir", str(tmp_path / "results"), *words])
        return code, *capsys.readouterr()

    return doubao


def test_a_task_that_is_gone_is_said_with_the_way_out(jobs, forget, film, emulator):
    job = jobs.submit(film, key="scene 1")
    forget(job.task_id)
    job = jobs.wait("scene 1", timeout=0)
    assert (job.state, job.status) == (State.ACCEPTED, "gone")
    assert "which is gone: the service knows no such task any more" in job.text
    assert "`doubao jobs cancel 'scene 1'`" in job.text
    assert "queued" not in job.text
    assert ".." not in job.text
    assert jobs.get("scene 1").text == job.text
    # A look that sees the task takes it all back.
    other = jobs.client.create_video(model=film.model, content=film.content, **film.options)
    if not isinstance(jobs.jobs, Jobs):
        other = jobs.runner.run(other)
    ledger = jobs.jobs._ledger
    ledger.note(ledger.get("scene 1"), task_id=other.id)
    assert jobs.wait("scene 1").state is State.DONE


def test_a_task_that_is_gone_is_given_up_and_made_anew(jobs, forget, film, creates):
    forget(jobs.submit(film, key="scene-1").task_id)
    # Whose task was never missed may be shown late.
    assert jobs.cancel("scene-1").state is State.ACCEPTED
    jobs.resume()
    with pytest.raises(ConfigError, match="only one that is held, failed or cancelled"):
        jobs.release("scene-1")
    job = jobs.cancel("scene-1")
    assert job.state is State.CANCELLED
    assert "knows no such task" in job.text
    assert jobs.release("scene-1").state is State.NEW
    assert creates() == 1
    assert [each.state for each in jobs.resume()] == [State.DONE]
    assert creates() == 2


def test_a_task_that_is_there_again_is_not_given_up(jobs, film):
    jobs.submit(film, key="scene-1")
    ledger = jobs.jobs._ledger
    ledger.note(ledger.get("scene-1"), status="gone")
    assert jobs.cancel("scene-1").state is State.ACCEPTED
    assert jobs.wait("scene-1").state is State.DONE


def test_a_look_that_fails_is_one_sentence_and_no_task_is_gone(jobs, film, emulator):
    jobs.submit(film, key="scene-1")
    with emulator.fault("server_error", path=TASKS):
        job = jobs.wait("scene-1", timeout=0)
    assert "could not be read" in job.text
    assert ".." not in job.text
    assert job.status != "gone"


def test_resume_tells_what_moves(jobs, film):
    told = []
    jobs.submit(film, key="scene-1")
    jobs.resume(on_status=lambda *each: told.append(each))
    assert ("scene-1", "queued") in told
    assert told[-1] == ("scene-1", "done")


def test_the_command_says_that_a_person_must_decide_of_what_is_gone(doubao, jobs, forget, film):
    forget(jobs.submit(film, key="scene-1").task_id)
    code, out, err = doubao("resume")
    assert code == 4
    assert "`doubao jobs cancel scene-1`" in out
    assert err.endswith("scene-1: gone\n")
    assert doubao("show", "scene-1")[0] == 4
    assert doubao("cancel", "scene-1")[0] == 0
    assert doubao("release", "scene-1")[0] == 0
    assert doubao("wait", "scene-1")[0] == 0


def test_resume_says_whom_it_waits_for_and_what_moves(doubao, emulator, tmp_path, film, key, slow):
    settings = {
        "ledger": f"sqlite:///{tmp_path}/jobs.sqlite3",
        "output_dir": str(tmp_path / "results"),
        "base_url": emulator.base_url,
        "api_key": key,
        "poll_interval": 0.01,
        "lease": 600,
    }
    program = [sys.executable, "-c", _KILLED, json.dumps([settings, film.request()])]
    assert subprocess.run(program, check=False).returncode < 0
    code, out, err = doubao("resume", "--timeout", "0")
    where, waits, *moves = err.splitlines()
    assert code == 3
    assert where == f"Results go to {tmp_path / 'results'} (--output-dir)."
    assert waits.startswith("scene-1: another process works on it; if that one died")
    assert moves == ["scene-1: queued"]
    assert "scene-1" in out
    code, out, err = doubao("resume", "--timeout", "0", "--json")
    assert (json.loads(out)[0]["key"], err) == ("scene-1", "")


def test_what_has_ended_is_not_waited_for(doubao, jobs, film):
    assert isinstance(jobs.run(film, key="scene-1")[-1], VideoResult)
    assert doubao("resume") == (0, "Nothing is left to do.\n", "")
    code, _, err = doubao("wait", "scene-1")
    assert (code, err) == (0, "")


def test_a_ledger_without_a_scheme_is_corrected(doubao):
    code, _, err = doubao("list", "--ledger", "b.sqlite3")
    assert code == 2
    assert "use sqlite:///b.sqlite3 or" in err
    assert "ledger=" not in err
    _, _, err = doubao("list", "--ledger", "u:secret@h")
    assert "secret" not in err


def test_a_ledger_that_cannot_be_read_is_said_without_a_programs_words(doubao, tmp_path):
    (tmp_path / "jobs.sqlite3").write_bytes(b"no database" * 100)
    code, _, err = doubao("list")
    assert code == 2
    assert "cannot be read" in err
    assert "ledger=" not in err


def test_the_help_says_where_files_go(capsys):
    with pytest.raises(SystemExit):
        main(["jobs", "resume", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "default: where the program that ordered each job saves" in said
