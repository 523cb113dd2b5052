"""The ledger on SQLite and PostgreSQL: compare-and-swap, leases, and what it says when it fails."""

from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import text, update

from doubao_core import ConfigError
from doubao_core.jobs import State
from doubao_core.jobs.database import JOBS
from doubao_core.jobs.leases import Leases
from doubao_core.jobs.ledger import Ledger
from doubao_core.jobs.record import Record
from doubao_core.studio import VideoOrder

FILM = VideoOrder(
    model="doubao-seedance-1-0-pro-250528",
    content=[{"type": "text", "text": "a lighthouse"}],
    options={"duration": 2, "resolution": "480p"},
)


def draft(key="scene-1", **changes):
    fields = {
        "key": key,
        "kind": "video",
        "state": State.NEW,
        "id": uuid.uuid4().hex,
        "provider": "ark",
        "model": FILM.model,
        "digest": FILM.digest,
        "request": FILM.request(),
    }
    return Record(**{**fields, **changes})


def until(found):
    """Wait for what must come."""
    end = time.monotonic() + 50
    while not found():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/jobs.sqlite3"
    server = request.getfixturevalue("postgres")
    name = f"jobs_{uuid.uuid4().hex}"
    with psycopg.connect(f"host={server} user=postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql://postgres@/{name}?host={server}"


@pytest.fixture
def open_ledger(url):
    """Open the ledger as another process would; all end with the test."""
    opened = []

    def open_ledger(lease=30.0):
        opened.append(Ledger(url, lease=lease))
        return opened[-1]

    yield open_ledger
    for each in opened:
        each.close()


def test_a_job_is_kept_as_it_was_written(open_ledger):
    written = open_ledger().intend(draft(request={"prompt": "灯塔 ☀", "image": "data:x"}))
    assert open_ledger().get("scene-1") == written
    (listed,) = open_ledger().jobs()
    assert listed == replace(written, request={})


def test_one_of_many_that_write_the_same_key_first_wins(open_ledger):
    """The tables do not exist yet, either."""
    ledgers = [open_ledger() for _ in range(6)]
    barrier = threading.Barrier(len(ledgers))

    def intend(ledger):
        barrier.wait()
        return ledger.intend(draft())

    with ThreadPoolExecutor(len(ledgers)) as pool:
        written = list(pool.map(intend, ledgers))
    assert len({record.id for record in written}) == 1


def test_of_many_that_move_a_job_one_does(open_ledger):
    record = open_ledger().intend(draft())
    ledgers = [open_ledger() for _ in range(6)]
    barrier = threading.Barrier(len(ledgers))

    def mark(ledger):
        barrier.wait()
        return ledger.move(record, State.SUBMITTING, token=uuid.uuid4().hex, attempt=1)

    with ThreadPoolExecutor(len(ledgers)) as pool:
        marked = [each for each in pool.map(mark, ledgers) if each is not None]
    assert [(each.state, each.attempt) for each in marked] == [(State.SUBMITTING, 1)]


def test_a_server_that_is_strict_by_default_refuses_no_move(postgres):
    name = f"jobs_{uuid.uuid4().hex}"
    with psycopg.connect(f"host={postgres} user=postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        strict = "SET default_transaction_isolation = serializable"
        connection.execute(f"ALTER DATABASE {name} {strict}")
    url = f"postgresql://postgres@/{name}?host={postgres}"
    ledgers = [Ledger(url) for _ in range(2)]
    with closing(ledgers[0]), closing(ledgers[1]), ThreadPoolExecutor(1) as pool:
        record = ledgers[0].intend(draft())
        assert ledgers[1].find(record.key) is not None
        with ledgers[0]._writing() as connection:
            connection.execute(update(JOBS).values(reason="held by this transaction"))
            other = pool.submit(ledgers[1].move, record, State.SUBMITTING, attempt=1)
            with ledgers[0]._engine.connect() as watching:
                waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
                until(lambda: watching.execute(waits).scalar_one())
        assert other.result().state is State.SUBMITTING


def test_an_answer_that_came_after_all_beats_what_was_concluded(open_ledger):
    ledger = open_ledger()
    sent = ledger.move(ledger.intend(draft()), State.SUBMITTING, attempt=1)
    unsure = ledger.move(sent, State.UNSURE, lost_at=1.0)
    held = ledger.move(unsure, State.HELD, reason="?")
    assert ledger.move(unsure, State.HELD) is None
    found = ledger.move(sent, State.ACCEPTED, task_id="cgt-1")
    assert found.state is State.ACCEPTED
    assert ledger.move(held, State.CANCELLED) is None
    assert ledger.get("scene-1").task_id == "cgt-1"


def test_an_answer_that_comes_after_a_release_spares_the_second_payment(open_ledger):
    ledger = open_ledger()
    first = ledger.move(ledger.intend(draft()), State.SUBMITTING, attempt=1)
    released = ledger.move(ledger.move(first, State.HELD), State.NEW)
    assert ledger.move(first, State.ACCEPTED, task_id="cgt-1").task_id == "cgt-1"
    assert ledger.move(released, State.SUBMITTING, attempt=2) is None


def test_an_answer_to_an_earlier_attempt_changes_nothing(open_ledger):
    ledger = open_ledger()
    first = ledger.move(ledger.intend(draft()), State.SUBMITTING, attempt=1)
    released = ledger.move(ledger.move(first, State.HELD), State.NEW)
    second = ledger.move(released, State.SUBMITTING, attempt=2)
    assert ledger.move(first, State.ACCEPTED, task_id="cgt-1") is None
    assert ledger.move(second, State.ACCEPTED, task_id="cgt-2").task_id == "cgt-2"


def test_a_task_belongs_to_one_job(open_ledger):
    ledger = open_ledger()
    sent = [
        ledger.move(ledger.intend(draft(key)), State.SUBMITTING, attempt=1, mark=f"mark-{key}")
        for key in ("scene-1", "scene-2")
    ]
    assert ledger.move(sent[0], State.ACCEPTED, task_id="cgt-1") is not None
    assert ledger.move(sent[1], State.ACCEPTED, task_id="cgt-1") is None
    ids = ["cgt-0", "cgt-1", *map(str, range(1000))]
    assert ledger.bound(sent[1], ids) == {"cgt-1": "mark-scene-1"}
    assert ledger.bound(sent[1], ids[2:]) == ledger.bound(sent[0], ids) == {}
    assert [each.key for each in ledger.unknown(sent[0])] == ["scene-2"]
    assert ledger.unknown(sent[1]) == []


def test_a_lease_keeps_others_off_until_it_lapses_or_is_given_back(open_ledger):
    short, other = open_ledger(lease=0.05), open_ledger()
    short.intend(draft())
    assert other.claim("scene-1", "a")
    assert other.claim("scene-1", "a")
    assert not short.claim("scene-1", "b")
    other.drop("a")
    assert short.claim("scene-1", "a")
    short.renew(["a"])
    until(lambda: other.claim("scene-1", "b"))
    assert not short.claim("scene-1", "a")
    short.drop("a")
    assert not short.claim("scene-1", "a")
    other.drop("b")
    assert short.claim("scene-1", "a")


def test_what_has_ended_is_not_worked_on(open_ledger):
    ledger = open_ledger()
    ledger.move(ledger.intend(draft()), State.CANCELLED)
    assert not ledger.claim("scene-1", "a")


def test_a_living_process_keeps_its_leases(open_ledger):
    ledger, other = open_ledger(lease=0.6), open_ledger()
    ledger.intend(draft())
    leases = Leases(ledger)
    assert ledger.claim("scene-1", "a")
    renewed = threading.Event()
    real = ledger.renew

    def renew(tokens):
        real(tokens)
        renewed.set()

    ledger.renew = renew
    leases.keep("a")
    assert renewed.wait(30)
    leases.drop("a")
    assert other.claim("scene-1", "b")
    leases.drop("a")
    assert not other.claim("scene-1", "c")


def test_closing_waits_for_a_renewal_on_its_way(open_ledger):
    """A connection that is in use while the others are closed would be left open."""
    ledger = open_ledger(lease=0.03)
    ledger.intend(draft())
    leases = Leases(ledger)
    begun, ended = threading.Event(), threading.Event()

    def renew(_):
        begun.set()
        time.sleep(0.05)
        ended.set()

    ledger.renew = renew
    leases.keep("a")
    assert begun.wait(30)
    leases.close()
    assert ended.is_set()
    leases.close()


def test_a_server_that_is_gone_is_named_without_its_password():
    ledger = Ledger("postgresql://user:secret@127.0.0.1:1/jobs")
    with pytest.raises(ConfigError, match=r"postgresql://127\.0\.0\.1:1/jobs") as failure:
        ledger.jobs()
    ledger.close()
    assert "secret" not in str(failure.value)


def test_a_file_stays_where_it_was_when_the_process_moves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    ledger = Ledger("sqlite:///jobs.sqlite3")
    ledger.intend(draft())
    ledger.close()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert ledger.get("scene-1").key == "scene-1"
    ledger.close()


def test_a_lease_needs_a_length(tmp_path):
    with pytest.raises(ConfigError, match="lease must be more than 0"):
        Ledger(f"sqlite:///{tmp_path}/x.db", lease=0)
