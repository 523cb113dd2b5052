"""What jobs say when they cannot be used, and what they never show."""

from __future__ import annotations

import copy
import json
import sqlite3
import stat
import sys
from contextlib import closing

import pytest

from doubao_core import AsyncClient, Client, ConfigError, PermissionDenied
from doubao_core.jobs import AsyncJobs, Jobs, State
from doubao_core.jobs.job import kept, revived
from doubao_core.studio import VideoOrder

FILES = "/media/"
# Of SQLite: https://sqlite.org/pragma.html#pragma_synchronous
EXTRA = 3


def test_no_key_and_no_signed_address_is_shown_and_no_key_is_kept(jobs, tmp_path, film, pair, key):
    jobs.run(film, key="scene-1")
    jobs.run(pair, key="cover")
    for job in jobs.list():
        assert FILES not in json.dumps(job.to_dict()) + job.text + repr(job)
    for file in tmp_path.glob("jobs.sqlite3*"):
        assert key.encode() not in file.read_bytes()


def test_a_ledger_that_cannot_be_used_is_said_before_anything_is_sent(
    make_jobs, creates, tmp_path, film
):
    unreachable = make_jobs(ledger=f"sqlite:///{tmp_path}/missing/jobs.sqlite3")
    with pytest.raises(ConfigError, match=r"cannot be read: unable to open"):
        unreachable.submit(film, key="scene-1")
    make_jobs().list()
    frozen = make_jobs(ledger=f"sqlite:///file:{tmp_path}/jobs.sqlite3?mode=ro&uri=true")
    assert frozen.list() == []
    with pytest.raises(ConfigError, match=r"cannot be written: .*readonly"):
        frozen.submit(film, key="scene-1")
    assert creates() == 0


def test_a_ledger_of_a_newer_library_is_refused(make_jobs, creates, tmp_path, film):
    make_jobs().list()
    with closing(sqlite3.connect(tmp_path / "jobs.sqlite3")) as database:
        database.execute("UPDATE doubao_jobs_version SET version = 3")
        database.commit()
    with pytest.raises(ConfigError, match="has version 3 of the tables"):
        make_jobs().submit(film, key="scene-1")
    assert creates() == 0


def test_a_full_ledger_is_said_before_anything_is_sent(make_jobs, creates, tmp_path, film):
    jobs = make_jobs()
    jobs.list()
    full = make_jobs()
    engine = full.jobs._ledger._engine
    with full.jobs._ledger._reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    large = VideoOrder(model=film.model, content=[{"type": "text", "text": "x" * 100_000}])
    with pytest.raises(ConfigError, match="cannot be written: database or disk is full"):
        full.submit(large, key="scene-1")
    engine.dispose()
    assert creates() == 0


@pytest.mark.parametrize(
    ("ledger", "said"),
    [
        ("sqlite://", "in memory forgets"),
        ("sqlite:///:memory:", "in memory forgets"),
        ("mysql://u:secret@h/d", "SQLite or PostgreSQL, not in mysql"),
        ("nonsense", "no database address"),
        ("postgresql://u:secret@h:port/d", "no database address"),
        ("postgresql+secret://u@h/d", "no database address"),
    ],
)
def test_a_ledger_must_be_one_that_lasts(make_jobs, ledger, said):
    with pytest.raises(ConfigError, match=said) as failure:
        make_jobs(ledger=ledger)
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize(
    ("package", "ledger"), [("sqlalchemy", "sqlite:///jobs.db"), ("psycopg", "postgresql://h/jobs")]
)
def test_what_is_missing_is_said_with_how_to_install_it(make_jobs, monkeypatch, package, ledger):
    for module in ("leases", "ledger", "database"):
        monkeypatch.delitem(sys.modules, f"doubao_core.jobs.{module}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"need the package '{package}': pip install .*\[jobs\]"):
        make_jobs(ledger=ledger)


def test_a_client_and_its_settings_are_not_given_both(make_jobs, emulator, key):
    kind = AsyncClient if make_jobs().jobs.__class__ is AsyncJobs else Client
    client = kind(base_url=emulator.base_url, api_key=key)
    with pytest.raises(ConfigError, match=r"client= and base_url, .* were given: use one"):
        make_jobs(client=client)


def test_an_error_survives_the_ledger():
    error = PermissionDenied("no", status=404, code="ModelNotOpen", body={"code": "ModelNotOpen"})
    again = revived(json.loads(json.dumps(kept(error))))
    assert type(again) is PermissionDenied
    assert (str(again), again.body) == (str(error), error.body)
    assert type(revived({"type": "os", "message": "x"})).__name__ == "DoubaoError"


def test_a_receiver_of_callbacks_may_ask_whose_task_it_is(jobs, film):
    task_id = jobs.submit(film, key="scene-1").task_id
    assert jobs.jobs.knows(task_id)
    assert not jobs.jobs.knows("cgt-20261008171624-cr2n9")


def test_a_place_that_cannot_be_written_is_said_before_anything_is_written_or_sent(
    make_jobs, film, pair, creates, tmp_path
):
    (tmp_path / "taken").write_text("a file")
    jobs = make_jobs(output_dir=tmp_path / "taken")
    for order in (film, pair):
        with pytest.raises(ConfigError, match="nothing was sent"):
            jobs.submit(order, key="scene-1")
    assert jobs.list() == []
    assert creates() == creates("/images/generations") == 0


def test_the_same_jobs_serve_both_kinds_of_clients(make_jobs, film, emulator, key):
    jobs = make_jobs(scope="mine")
    jobs.submit(film)
    with Client(base_url=emulator.base_url, api_key=key) as client:
        other = jobs.over(client)
        assert isinstance(other, Jobs)
        assert other.client is client
        assert [job.key for job in other.list()] == [other.key_of(film)]
        other.close()
    assert isinstance(jobs.over(AsyncClient(base_url=emulator.base_url)), AsyncJobs)
    assert copy.deepcopy(jobs.jobs) is jobs.jobs


@pytest.mark.parametrize("replaced", [False, True])
def test_a_ledger_that_is_removed_under_its_user_takes_no_more_jobs(
    make_jobs, creates, tmp_path, film, other_film, replaced
):
    """What SQLite would write into the removed file is read by nobody, and would be paid again."""
    file = tmp_path / "jobs.sqlite3"
    jobs = make_jobs()
    jobs.submit(film, key="scene-1")
    for each in tmp_path.glob("jobs.sqlite3*"):
        each.rename(tmp_path / f"old-{each.name}")
    if replaced:
        make_jobs().list()
    with pytest.raises(ConfigError, match=r"jobs\.sqlite3 was removed or replaced"):
        jobs.submit(other_film, key="scene-2")
    assert creates() == 1
    assert file.exists() == replaced


def test_a_ledger_is_private_and_survives_a_power_cut(make_jobs, tmp_path):
    jobs = make_jobs()
    jobs.list()
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.glob("jobs.sqlite3*")} == {0o600}
    with jobs.jobs._ledger._reading() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == EXTRA


def test_a_result_that_cannot_be_read_hides_no_other_job(make_jobs, tmp_path, film, other_film):
    jobs = make_jobs()
    for key, order in (("scene-1", film), ("scene-2", other_film)):
        jobs.submit(order, key=key)
        jobs.wait(key)
    with closing(sqlite3.connect(tmp_path / "jobs.sqlite3")) as database:
        database.execute("UPDATE doubao_jobs SET result = '{\"v\": 9}' WHERE key = 'scene-1'")
        database.commit()
    odd, good = jobs.list()
    assert (odd.state, odd.result) == (State.DONE, None)
    assert "written by another release" in odd.text
    assert good.result.path.exists()
    assert jobs.wait("scene-1").state is State.DONE
