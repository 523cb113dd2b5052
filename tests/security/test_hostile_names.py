"""No name leads out of the folder: not of what is saved, not of what is read."""

from __future__ import annotations

import json
import unicodedata
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubao_core import ConfigError
from doubao_core.media import as_url, storage

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
SECRET = b"\x89PNG\r\n\x1a\n" + b"SECRET" * 9
DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{kind}{n}" for kind in ("com", "lpt") for n in "123456789"),
}
NAMES = [
    json.loads(line)["name"]
    for line in (Path(__file__).parent / "hostile_names.jsonl").read_text("utf-8").splitlines()
]


def test_there_are_as_many_as_promised():
    assert len(set(NAMES)) >= 60


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Make the folder of results, with a secret beside it, and go there."""
    made = tmp_path / "out"
    made.mkdir()
    for secret in ("secret.png", "a", "b", "a.png"):
        (tmp_path / secret).write_bytes(SECRET)
    monkeypatch.chdir(made)
    return made


def save(place, name):
    with place.target(name) as target:
        target.write(PNG)
        return target.commit(("image/",))


def check(name):
    """Assert that every file system, shell and listing can live with *name*."""
    assert name.isprintable()
    assert len(name.encode()) <= 255
    assert name == unicodedata.normalize("NFC", name)
    assert not set(name) & set("/\\:*?\"<>|$`;&'()[]{}!~ \x00")
    assert not name.startswith((".", "-"))
    assert name.endswith(".png")
    assert not name.endswith((" .png", "..png"))
    assert name.partition(".")[0].lower() not in DEVICES


def test_a_result_with_a_hostile_name_stays_in_the_folder(folder, hostile_name):
    before = {path: path.read_bytes() for path in folder.parent.iterdir() if path.is_file()}
    place = storage(folder)
    first, second = save(place, hostile_name.name), save(place, hostile_name.name)
    for saved in (first, second):
        assert saved.path.resolve().parent == folder.resolve()
        check(saved.name)
    assert {path.name for path in folder.iterdir()} == {first.name, second.name}
    assert {path: path.read_bytes() for path in before} == before
    assert place.find(hostile_name.name) == first


def test_a_result_with_a_hostile_name_stays_below_its_url(hostile_name):
    place = storage(f"memory://{uuid.uuid4().hex}/out")
    saved = save(place, hostile_name.name)
    check(saved.name)
    assert saved.location == f"{place.location}/{saved.name}"
    assert [Path(path).name for path in place.files.ls(place.location, detail=False)] == [
        saved.name
    ]
    assert place.find(hostile_name.name) == saved


def test_no_hostile_name_reads_what_is_not_a_result(folder, hostile_name):
    (folder / "result.png").write_bytes(PNG)
    for name in (hostile_name.name, f"{hostile_name.name}/../../secret.png"):
        for place in (storage(folder), storage("memory://hostile/out")):
            with pytest.raises(ConfigError):
                place.read(name, 1000)


def test_no_hostile_name_inlines_a_file_that_was_not_allowed(folder, hostile_name):
    for name in (hostile_name.name, f"{hostile_name.name}/../../secret.png"):
        with pytest.raises(ConfigError) as caught:
            as_url(name, roots=[folder])
        assert "SECRET" not in str(caught.value)


@given(st.text(max_size=300))
def test_no_name_at_all_is_one_that_some_system_cannot_keep(name):
    check(save(storage("memory://any/out"), name).name)


def test_a_folder_that_is_a_link_elsewhere_is_the_developers_choice(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    place = storage(tmp_path / "link")
    saved = save(place, "a")
    assert place.read(saved.name, 1000) == PNG
    assert (tmp_path / "real" / "a.png").exists()


def test_a_link_in_the_place_of_a_result_is_not_written_through(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "out" / "a.png").symlink_to(tmp_path / "victim")
    assert save(storage(tmp_path / "out"), "a").name == "a-1.png"
    assert (tmp_path / "victim").read_text() == "mine"
