"""Where results go: to the place of the program that ordered them, unless another one is named."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import fsspec
import pytest

from doubao_core import ConfigError, RequestError
from doubao_core.cli import main
from doubao_core.jobs import OUTPUT_DIR, State
from doubao_core.media.folder import Folder


class Own:
    """A storage of a developer's own, which no text stands for."""

    def __init__(self, folder):
        self._folder = Folder(folder)
        self.location = str(folder)

    def check(self):
        self._folder.check()

    def target(self, name):
        return self._folder.target(name)

    def find(self, name):
        return self._folder.find(name)

    def read(self, name, most):
        return self._folder.read(name, most)


def files(folder):
    return [each.name for each in folder.glob("[!.]*")] if folder.exists() else []


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Go to another folder, as a program that is started by something else."""

    def elsewhere():
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")

    return elsewhere


def test_resume_saves_where_the_jobs_own_program_would_have(
    make_jobs, tmp_path, film, pair, elsewhere
):
    make_jobs().submit(film, key="film")
    make_jobs(output_dir=tmp_path / "posters").submit(pair, key="pictures")
    elsewhere()
    found = {job.key: job for job in make_jobs(output_dir=None).resume()}
    assert found["film"].result.path.parent == tmp_path / "results"
    assert {each.path.parent for each in found["pictures"].result.saved} == {tmp_path / "posters"}
    assert found["film"].output_dir == str(tmp_path / "results")
    assert list(Path().iterdir()) == []


def test_a_place_that_is_named_goes_before_the_jobs_own(make_jobs, tmp_path, film):
    make_jobs().submit(film, key="film")
    (job,) = make_jobs(output_dir=tmp_path / "named").resume()
    assert job.result.path.parent == tmp_path / "named"
    assert files(tmp_path / "results") == []


@pytest.mark.parametrize("output_dir", ["made", None])
def test_a_relative_folder_stays_where_it_was(
    make_jobs, tmp_path, film, elsewhere, monkeypatch, output_dir
):
    monkeypatch.chdir(tmp_path)
    make_jobs(output_dir=output_dir).submit(film, key="film")
    elsewhere()
    job = make_jobs(output_dir=None).wait("film")
    assert job.result.path.parent == tmp_path / (output_dir or OUTPUT_DIR)


def test_a_store_is_known_by_its_url(make_jobs, film):
    make_jobs(output_dir="memory://jobs/place").submit(film, key="film")
    job = make_jobs(output_dir=None).wait("film")
    assert job.result.location == f"memory://jobs/place/{job.result.name}"
    assert fsspec.filesystem("memory").exists(job.result.location)


def test_no_password_of_a_store_comes_into_the_ledger(make_jobs, tmp_path, film, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sesame-4f1b")
    make_jobs(output_dir="memory://jobs").submit(film, key="film")
    with pytest.raises(ConfigError, match="holds a password"):
        make_jobs(output_dir="sftp://me:sesame-4f1b@host/films").submit(film, key="other")
    with closing(sqlite3.connect(tmp_path / "jobs.sqlite3")) as database:
        assert "sesame-4f1b" not in "\n".join(database.iterdump())


def test_a_storage_of_ones_own_must_be_given_again(make_jobs, tmp_path, film, elsewhere):
    own = Own(tmp_path / "own")
    job = make_jobs(output_dir=own).submit(film, key="film")
    assert job.output_dir is None
    elsewhere()
    assert make_jobs(output_dir=own).wait("film").result.path.parent == tmp_path / "own"


def test_who_sends_a_job_decides_where_it_goes(make_jobs, tmp_path, film, emulator):
    """A refused job that another program submits anew is that program's."""
    jobs = make_jobs()
    with emulator.fault("model_not_open", times=1), pytest.raises(RequestError):
        jobs.submit(film, key="film")
    assert jobs.get("film").state is State.REFUSED
    make_jobs(output_dir=tmp_path / "anew").submit(film, key="film")
    assert jobs.get("film").output_dir == str(tmp_path / "anew")


def test_a_place_that_cannot_be_reached_any_more_is_said_and_the_job_goes_on(
    make_jobs, tmp_path, film
):
    make_jobs().submit(film, key="film")
    (tmp_path / "results").rename(tmp_path / "gone")
    (tmp_path / "results").write_text("a file where the folder was")
    (job,) = make_jobs(output_dir=None).resume(timeout=0)
    assert "The download failed" in job.text
    assert not job.ended
    (job,) = make_jobs(output_dir=tmp_path / "other").resume()
    assert job.state is State.DONE


@pytest.fixture
def doubao(emulator, tmp_path, monkeypatch, capsys, key):
    """Run ``doubao jobs …`` in a folder of its own; gives its code and what it said."""
    monkeypatch.setenv("ARK_API_KEY", key)
    monkeypatch.setenv("DOUBAO_BASE_URL", emulator.base_url)
    monkeypatch.setenv("DOUBAO_LEDGER", f"sqlite:///{tmp_path}/jobs.sqlite3")

    def doubao(*words):
        return main(["jobs", *words]), capsys.readouterr()

    return doubao


def test_the_command_saves_to_each_jobs_own_place_and_says_so(
    make_jobs, tmp_path, film, other_film, elsewhere, doubao
):
    make_jobs().submit(film, key="film")
    make_jobs(output_dir=tmp_path / "other").submit(other_film, key="other")
    elsewhere()
    code, said = doubao("resume")
    assert code == 0
    assert f"Results of 1 job go to {tmp_path}/results, where their program saves." in said.err
    assert len(files(tmp_path / "results")) == len(files(tmp_path / "other")) == 1
    assert list(Path().iterdir()) == []


def test_the_command_takes_another_place(make_jobs, tmp_path, film, doubao):
    make_jobs().submit(film, key="film")
    code, said = doubao("wait", "film", "--output-dir", str(tmp_path / "named"))
    assert (code, len(files(tmp_path / "named"))) == (0, 1)
    assert f"Results go to {tmp_path}/named (--output-dir)." in said.err
    assert files(tmp_path / "results") == []
