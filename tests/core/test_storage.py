"""Where results go: a folder, a URL of fsspec; whole or not at all, never over another file."""

from __future__ import annotations

import stat
import sys
import uuid
from pathlib import Path

import pytest

from doubao_core import ConfigError, Malformed
from doubao_core.media import Storage, storage
from doubao_core.media.folder import Folder

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
MP4 = b"\x00\x00\x00\x20ftypisom" + bytes(60)
ANY = ("image/", "video/")


@pytest.fixture(params=["folder", "file", "memory"])
def place(request, tmp_path):
    """Give an empty storage of each kind."""
    name = uuid.uuid4().hex
    where = {
        "folder": tmp_path / "out",
        "file": f"file://{tmp_path}/out",
        "memory": f"memory://{name}/out",
    }[request.param]
    return storage(where)


def save(place, name="film", content=MP4, allowed=ANY):
    with place.target(name) as target:
        for start in range(0, len(content), 7):
            target.write(content[start : start + 7])
        return target.commit(allowed)


def content(place, saved):
    return place.read(saved.name, 1000)


def test_a_result_is_saved_found_and_read_again(place):
    assert place.find("cgt-1") is None
    saved = save(place, "cgt-1")
    assert (saved.name, saved.media_type, saved.size) == ("cgt-1.mp4", "video/mp4", len(MP4))
    assert saved.location == f"{place.location}/cgt-1.mp4"
    assert content(place, saved) == MP4
    assert place.find("cgt-1") == saved
    assert isinstance(place, Storage)


def test_only_files_of_a_folder_have_a_path(tmp_path):
    assert save(storage(tmp_path)).path == tmp_path / "film.mp4"
    assert save(storage(f"file://{tmp_path}/b")).path == tmp_path / "b" / "film.mp4"
    assert save(storage(f"memory://{uuid.uuid4().hex}")).path is None


def test_no_file_is_ever_replaced(place):
    first = save(place, content=MP4)
    second = save(place, content=MP4 + b"2")
    assert (first.name, second.name) == ("film.mp4", "film-1.mp4")
    assert content(place, first) == MP4
    assert place.find("film") == first


def test_bytes_of_another_kind_leave_nothing_behind(place):
    with pytest.raises(Malformed, match="not a result"):
        save(place, content=b"<html>login</html>")
    assert place.find("film") is None
    assert save(place).name == "film.mp4"


def test_nothing_is_there_before_the_commit(place):
    with place.target("film") as target:
        target.write(MP4)
        assert place.find("film") is None
    assert place.find("film") is None


def test_a_name_is_found_as_it_was_saved_whatever_it_is(place):
    odd = "../a b/猫:*?"
    saved = save(place, odd)
    assert "/" not in saved.name
    assert place.find(odd) == saved


def test_a_name_with_another_after_it_is_another(place):
    save(place, "cgt-1-last", content=PNG)
    save(place, "cgt-1.old", content=PNG)
    assert place.find("cgt-1") is None


def test_what_only_has_the_name_of_a_result_is_none(tmp_path):
    (tmp_path / "film.mp4").write_text("notes")
    (tmp_path / "film.txt").write_bytes(MP4)
    (tmp_path / "film.png").mkdir()
    assert storage(tmp_path).find("film") is None


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../film.mp4", "a/b.png", "/etc/passwd", ".probe", "a\x00b", "a\\b"]
)
def test_only_a_file_name_can_be_read(place, name):
    save(place)
    with pytest.raises(ConfigError, match="is no file name of"):
        place.read(name, 1000)


def test_what_is_not_there_or_too_large_is_not_read(place):
    saved = save(place)
    with pytest.raises(ConfigError, match="pass"):
        place.read("other.mp4", 1000)
    with pytest.raises(ConfigError, match=r"film\.mp4 has more than 10 bytes"):
        place.read(saved.name, 10)


def test_a_link_that_leads_out_is_not_read(tmp_path):
    (tmp_path / "secret.png").write_bytes(PNG)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "out" / "loop.png").symlink_to("loop.png")
    place = storage(tmp_path / "out")
    with pytest.raises(ConfigError, match="leads out of"):
        place.read("a.png", 1000)
    with pytest.raises(ConfigError):
        place.read("loop.png", 1000)


def test_a_check_leaves_nothing_behind(place):
    place.check()
    place.check()
    assert save(place).name == "film.mp4"
    if isinstance(place, Folder):
        assert [each.name for each in place.path.iterdir()] == ["film.mp4"]


def test_a_folder_that_cannot_be_is_found_before_anything_is_paid(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=r"nothing was sent: .* must set output_dir"):
        storage(tmp_path / "file" / "below").check()


def test_a_storage_is_taken_as_it_is(place):
    assert storage(place) is place


class Own:
    """What a developer writes for a place that nobody thought of."""

    location = "mine"

    def check(self):
        """Nothing to check."""

    def target(self, name):
        raise NotImplementedError

    find = read = target


def test_a_storage_of_the_developers_own_will_do():
    own = Own()
    assert storage(own) is own


@pytest.mark.parametrize("where", [None, 3, b"out"])
def test_what_names_no_place_is_refused(where):
    with pytest.raises(ConfigError, match="results cannot go to"):
        storage(where)


@pytest.mark.parametrize(
    "where",
    [
        "s3://",
        "s3:///",
        "S3://bucket",
        "s3://bucket/a?versionId=1",
        "s3://bucket/a#b",
        "simplecache::s3://bucket",
        "s3://bucket/a\nb",
        "://bucket",
    ],
)
def test_what_is_no_address_of_a_store_is_refused(where):
    with pytest.raises(ConfigError, match="is no address of a store"):
        storage(where)


def test_a_password_in_an_address_is_refused_and_not_shown():
    with pytest.raises(ConfigError, match="holds a password") as caught:
        storage("sftp://user:hunter2@host/folder")
    assert "hunter2" not in str(caught.value)
    assert storage("sftp://user@host/folder").location == "sftp://user@host/folder"


def test_a_query_is_not_shown():
    with pytest.raises(ConfigError) as caught:
        storage("abfs://c/folder?sig=SECRET")
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("where", [Path("s3://bucket/a"), "s3:/bucket/a", Path("memory://a")])
def test_a_url_that_went_through_path_is_told(where):
    with pytest.raises(ConfigError, match="pass the URL as a string"):
        storage(where)


def test_an_unknown_store_is_named():
    with pytest.raises(ConfigError, match=r"cannot open nowhere://a .*Protocol not known"):
        storage("nowhere://a").check()


def test_a_store_whose_package_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(ConfigError, match="gcsfs") as caught:
        storage("gs://bucket/a").check()
    assert "nothing was sent" in str(caught.value)
    assert "install that package" in str(caught.value)
    assert "keys" not in str(caught.value)


def test_without_fsspec_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(ConfigError, match=r"memory:// needs fsspec: pip install .*storage"):
        storage("memory://a").check()


def test_a_folder_needs_no_fsspec(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    assert save(storage(f"file://{tmp_path}")).path == tmp_path / "film.mp4"


def test_what_waits_for_its_upload_is_for_nobody_else_to_read(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with storage("memory://private").target("film") as target:
        target.write(MP4)
        (waiting,) = tmp_path.iterdir()
        assert stat.S_IMODE(waiting.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_folder_that_is_missing_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"results wait for their upload: .*TMPDIR"):
        save(storage("memory://private"))


def test_a_folder_of_a_store_that_is_a_file_is_found_before_anything_is_paid():
    place = storage(f"memory://{uuid.uuid4().hex}")
    saved = save(place)
    below = storage(f"{saved.location}/below")
    with pytest.raises(ConfigError, match=r"cannot save results in .*nothing was sent"):
        below.check()
    with pytest.raises(ConfigError, match="cannot save a result in"):
        save(below)
    assert content(place, saved) == MP4


def test_a_move_that_fails_leaves_nothing_and_says_so(monkeypatch):
    from fsspec.implementations.memory import MemoryFileSystem

    def move(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    place = storage(f"memory://{uuid.uuid4().hex}")
    monkeypatch.setattr(MemoryFileSystem, "mv", move)
    with pytest.raises(ConfigError, match=r"cannot save a result in .*Permission denied.*writable"):
        save(place)
    assert place.files.ls(place.location) == []
