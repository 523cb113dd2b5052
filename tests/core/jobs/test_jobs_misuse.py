"""What a newcomer gives to jobs: a path, the fields of an order, a provider without marks."""

from __future__ import annotations

import pytest

from doubao_core import ConfigError
from doubao_core.jobs import Batch, LedgerError
from doubao_core.studio import VideoOrder

# In words that the dialects of both providers have.
FILM = VideoOrder(
    model="seedance-2.0",
    content=[{"type": "text", "text": "a lighthouse"}],
    options={"duration": 8, "resolution": "720p"},
)


def test_a_ledger_may_be_the_path_of_a_file(make_jobs, creates, tmp_path, film):
    first = make_jobs(ledger=tmp_path / "a b.sqlite3").submit(film, key="scene-1")
    again = make_jobs(ledger=f"sqlite:///{tmp_path}/a b.sqlite3").submit(film, key="scene-1")
    assert (first.task_id, creates()) == (again.task_id, 1)
    assert (tmp_path / "a b.sqlite3").is_file()


def test_a_batch_takes_the_path_of_a_file_and_no_fields(emulator, tmp_path, film):
    settings = {"output_dir": tmp_path, "base_url": emulator.base_url, "api_key": "k"}
    with Batch("films", ledger=tmp_path / "jobs.sqlite3", **settings) as batch:
        with pytest.raises(ConfigError, match=r"an order is an ImageOrder .*, not a dict"):
            batch.add(film.request())
        batch.add(film, key="scene-1")
        assert [done.job.state for done in batch.as_completed()] == ["done"]
    assert (tmp_path / "jobs.sqlite3").is_file()


@pytest.mark.parametrize("ledger", [None, 5, b"jobs.sqlite3"])
def test_a_ledger_of_another_kind_is_refused(make_jobs, ledger):
    with pytest.raises(
        LedgerError, match=r"ledger= cannot be .*sqlite:///jobs.sqlite3, or the Path"
    ):
        make_jobs(ledger=ledger)


@pytest.mark.parametrize("key", [None, "scene-1"])
@pytest.mark.parametrize("method", ["submit", "run"])
def test_the_fields_of_an_order_are_none_before_anything_is_sent(
    make_jobs, creates, film, method, key
):
    with pytest.raises(ConfigError, match=r"an order is an ImageOrder .*, not a dict: ImageOrder"):
        getattr(make_jobs(), method)(film.request(), key=key)
    assert creates() == 0


def test_the_key_of_what_is_no_order_is_refused(jobs):
    with pytest.raises(ConfigError, match="an order is an ImageOrder"):
        jobs.key_of("a lighthouse")


@pytest.mark.parametrize("provider", ["seedance2api", "vibegen"])
@pytest.mark.parametrize("mark", [{}, {"mark": False}, {"mark": None}], ids=str)
def test_a_provider_without_marks_gets_none_by_default(make_jobs, emulator, provider, mark):
    at = {"provider": provider, "base_url": emulator.base_url_of(provider)}
    done = make_jobs(**at, **mark).submit(FILM, key="scene-1")
    assert done.task_id
    (sent,) = [each for each in emulator.requests if each.method == "POST"]
    assert "safety_identifier" not in sent.body


@pytest.mark.parametrize("provider", ["seedance2api", "vibegen"])
def test_marks_that_are_asked_for_where_there_are_none_are_refused(make_jobs, emulator, provider):
    at = {"provider": provider, "base_url": emulator.base_url_of(provider)}
    with pytest.raises(ConfigError, match=f"{provider!r} has no field for the mark.*mark=False"):
        make_jobs(**at, mark=True)
    assert not emulator.requests


@pytest.mark.parametrize("mark", [{}, {"mark": True}, {"mark": None}], ids=str)
def test_where_there_are_marks_each_film_has_one(jobs, make_jobs, emulator, film, mark):
    make_jobs(**mark).submit(film, key="scene-1")
    assert emulator.requests[-1].body["safety_identifier"].startswith("doubao-")


def test_without_marks_a_film_has_none(make_jobs, emulator, film):
    make_jobs(mark=False).submit(film, key="scene-1")
    assert "safety_identifier" not in emulator.requests[-1].body
