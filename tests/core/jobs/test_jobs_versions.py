"""A ledger that an earlier release made is brought to today's tables, whoever opens it first."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import create_engine, inspect, text

from doubao_core import ConfigError
from doubao_core.jobs import OUTPUT_DIR, State
from doubao_core.jobs.ledger import Ledger

# The tables as version 1 of them was.
VERSION_1 = (
    """CREATE TABLE doubao_jobs (
        key VARCHAR(200) NOT NULL PRIMARY KEY, kind VARCHAR(8) NOT NULL,
        state VARCHAR(16) NOT NULL, id VARCHAR(32) NOT NULL, provider VARCHAR(64) NOT NULL,
        model VARCHAR(255) NOT NULL, digest VARCHAR(64) NOT NULL, request TEXT NOT NULL,
        attempt INTEGER NOT NULL, mark VARCHAR(64), posted_at DOUBLE PRECISION,
        lost_at DOUBLE PRECISION, task_id VARCHAR(255), status VARCHAR(64), answer TEXT,
        result TEXT, error TEXT, reason TEXT, created_at DOUBLE PRECISION NOT NULL,
        updated_at DOUBLE PRECISION NOT NULL, owner VARCHAR(64), lease_until DOUBLE PRECISION,
        CONSTRAINT doubao_jobs_task UNIQUE (provider, task_id))""",
    "CREATE INDEX ix_doubao_jobs_state ON doubao_jobs (state)",
    "CREATE TABLE doubao_jobs_version (version INTEGER NOT NULL PRIMARY KEY)",
    "INSERT INTO doubao_jobs_version (version) VALUES (1)",
)
ORDERED = text(
    "INSERT INTO doubao_jobs (key, kind, state, id, provider, model, digest, request, attempt, "
    "created_at, updated_at) VALUES (:key, 'video', 'new', :key, 'ark', :model, :digest, "
    ":request, 0, 1, 1)"
)


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request, tmp_path, film):
    """Give the address of a ledger that an earlier release made, with a film not sent yet."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/old.sqlite3"
    else:
        server = request.getfixturevalue("postgres")
        name = f"jobs_{uuid.uuid4().hex}"
        with psycopg.connect(f"host={server} user=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        url = f"postgresql://postgres@/{name}?host={server}"
    with opened(url) as connection:
        for statement in VERSION_1:
            connection.execute(text(statement))
        connection.execute(ORDERED, row(film, "film"))
    return url


@contextmanager
def opened(url):
    """Give a connection that is no ledger's."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def row(film, key):
    request = json.dumps(film.request())
    return {"key": key, "model": film.model, "digest": film.digest, "request": request}


def test_jobs_of_an_earlier_release_are_finished(make_jobs, old, film, tmp_path, monkeypatch):
    """Nobody wrote down where they go: where jobs without a place go."""
    monkeypatch.chdir(tmp_path)
    jobs = make_jobs(ledger=old, output_dir=None)
    assert jobs.get("film").output_dir is None
    (job,) = jobs.resume()
    assert job.state is State.DONE
    assert job.result.path.parent == tmp_path / OUTPUT_DIR
    assert jobs.submit(film, key="another").output_dir == str(tmp_path / OUTPUT_DIR)


def test_of_many_that_open_it_at_once_one_changes_the_tables(old):
    def keys(_):
        ledger = Ledger(old)
        try:
            return [each.key for each in ledger.jobs()]
        finally:
            ledger.close()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(keys, range(8))) == [["film"]] * 8
    with opened(old) as connection:
        versions = connection.execute(text("SELECT version FROM doubao_jobs_version"))
        assert sorted(versions.scalars()) == [1, 2]
        columns = [each["name"] for each in inspect(connection).get_columns("doubao_jobs")]
    assert columns.count("output_dir") == 1


def test_a_release_that_still_runs_goes_on_with_the_new_tables(old, film):
    ledger = Ledger(old)
    ledger.jobs()
    with opened(old) as connection:
        connection.execute(ORDERED, row(film, "late"))
    assert ledger.get("late").output_dir is None
    ledger.close()


def test_who_may_not_change_an_old_ledger_is_told_what_it_needs(old):
    frozen = (
        old.replace("sqlite:///", "sqlite:///file:") + "?mode=ro&uri=true"
        if old.startswith("sqlite")
        else f"{old}&options=-c%20default_transaction_read_only%3Don"
    )
    ledger = Ledger(frozen)
    with pytest.raises(ConfigError, match=r"cannot be brought from version 1 of the tables to 2: "):
        ledger.jobs()
    ledger.close()
