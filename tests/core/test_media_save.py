"""What is written: whole or not at all, under names that we choose, never over another file."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubao_core import ConfigError, Malformed
from doubao_core.media import sniff, storage

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
ANY = ("image/", "video/")


def save(folder, name="picture", content=PNG, allowed=ANY, block=7):
    with storage(folder).target(name) as target:
        for start in range(0, len(content), block):
            target.write(content[start : start + block])
        return target.commit(allowed)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_gets_the_extension_of_its_bytes(tmp_path):
    saved = save(tmp_path / "new" / "folder")
    assert saved.path == tmp_path / "new" / "folder" / "picture.png"
    assert (saved.media_type, saved.size) == ("image/png", len(PNG))
    assert saved.path.read_bytes() == PNG
    assert names(saved.path.parent) == ["picture.png"]


def test_no_file_is_ever_replaced(tmp_path):
    (tmp_path / "picture.png").write_text("mine")
    (tmp_path / "picture-1.png").symlink_to(tmp_path / "nowhere")
    assert save(tmp_path).path.name == "picture-2.png"
    assert save(tmp_path).path.name == "picture-3.png"
    assert (tmp_path / "picture.png").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_many_threads_that_save_under_one_name_all_get_a_file(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        saved = list(pool.map(lambda _: save(tmp_path).path, range(24)))
    assert len(set(saved)) == 24
    assert all(path.read_bytes() == PNG for path in saved)


@pytest.mark.parametrize("content", [b"<html>", b"", b"#!/bin/sh\n", b"%PDF-1.7 ....."])
def test_bytes_of_another_kind_leave_nothing_behind(tmp_path, content):
    with pytest.raises(Malformed, match="not a result"):
        save(tmp_path, content=content)
    assert names(tmp_path) == []


def fail_while_writing(folder, error):
    with storage(folder).target("picture") as target:
        target.write(PNG)
        assert names(folder)[0].startswith(".partial-")
        raise error


@pytest.mark.parametrize("error", [Malformed("cut"), KeyboardInterrupt()])
def test_a_failure_or_an_interrupt_leaves_nothing_behind(tmp_path, error):
    with pytest.raises(type(error)):
        fail_while_writing(tmp_path, error)
    assert names(tmp_path) == []


ODD_NAMES = [
    "../../etc/passwd",
    "/etc/passwd",
    "a/b\\c",
    "..",
    ".",
    "",
    ".hidden",
    "-rf",
    "nul\x00byte",
    "new\nline",
    "con",
    "x" * 500,
    "猫" * 500,
    "\U0002070e" * 80,
    "🎬🎬",
    "%2e%2e%2f",
    "a.b.c.",
    "$(rm -rf)",
    "a:b*c?",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_stay_in_the_folder(tmp_path, name):
    folder = tmp_path / "out"
    saved = save(folder, name)
    assert saved.path.parent == folder
    assert saved.path.resolve().parent == folder.resolve()
    assert names(folder) == [saved.path.name]
    assert not saved.path.name.startswith((".", "-"))
    assert names(tmp_path) == ["out"]


@given(st.text(max_size=120))
def test_no_name_leads_anywhere_else(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("any")
    assert save(folder, name).path.parent == folder


def test_names_in_every_script_are_kept(tmp_path):
    assert save(tmp_path, "雪山 eagle").path.name == "雪山-eagle.png"


def test_a_folder_that_is_a_file_is_a_config_error(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("x")
    with pytest.raises(ConfigError, match="cannot write into"):
        save(blocker / "below")


class FullDisk:
    """A file on a disk without space: nothing can be written, not even on closing."""

    def write(self, block):
        raise OSError(28, "No space left on device")

    fileno = close = lambda self: self.write(b"")


def test_a_full_disk_is_a_config_error_and_leaves_nothing_behind(tmp_path):
    def write():
        with storage(tmp_path).target("picture") as target:
            target._file.close()
            target._file = FullDisk()
            target.write(PNG)

    with pytest.raises(ConfigError, match="No space left on device"):
        write()
    assert names(tmp_path) == []


def test_a_disk_that_fills_up_at_the_end_is_a_config_error_too(tmp_path):
    def write():
        with storage(tmp_path).target("picture") as target:
            target.write(PNG)
            target._file.close()
            target._file = FullDisk()
            target.commit(ANY)

    with pytest.raises(ConfigError, match="No space left on device"):
        write()
    assert names(tmp_path) == []


def test_a_saved_file_is_an_ordinary_one(tmp_path):
    mode = save(tmp_path).path.stat().st_mode
    assert stat.S_ISREG(mode)
    assert not mode & stat.S_IXUSR


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (PNG, ("image/png", "png")),
        (b"\xff\xd8\xff\xe0", ("image/jpeg", "jpeg")),
        (b"GIF89a....", ("image/gif", "gif")),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", ("image/webp", "webp")),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", ("audio/wav", "wav")),
        (b"\x00\x00\x00\x20ftypisom....", ("video/mp4", "mp4")),
        (b"\x00\x00\x00\x14ftypqt  ....", ("video/quicktime", "mov")),
        (b"%PDF-1.7", ("application/pdf", "pdf")),
        (b"PK\x03\x04", ("application/zip", "zip")),
        (b"", None),
        (b"hello", None),
        (b"\x00" * 16, None),
    ],
)
def test_a_file_is_known_by_its_first_bytes(head, found):
    assert sniff(head) == found


def test_a_target_takes_a_folder_as_a_path(tmp_path):
    assert isinstance(save(Path(tmp_path)).path, Path)


@pytest.fixture
def linkless(monkeypatch):
    """A file system without links, such as exFAT or a network drive."""

    def link(source, target):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.link", link)


def test_a_file_system_without_links_keeps_what_was_paid_for(tmp_path, linkless):
    (tmp_path / "picture.png").write_text("mine")
    saved = save(tmp_path)
    assert saved.path.read_bytes() == PNG
    assert names(tmp_path) == ["picture-1.png", "picture.png"]
    assert (tmp_path / "picture.png").read_text() == "mine"


def test_a_name_that_was_taken_in_vain_is_given_back(tmp_path, linkless, monkeypatch):
    def replace(source, target):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(ConfigError, match="Input/output error"):
        save(tmp_path)
    assert names(tmp_path) == []
