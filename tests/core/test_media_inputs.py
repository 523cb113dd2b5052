"""What an agent may reference: URLs as they are, files only below folders that a person named."""

from __future__ import annotations

import base64
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubao_core import ConfigError
from doubao_core.media import as_url
from doubao_core.media.inputs import MAX_INPUT_BYTES

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
PNG_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()


@pytest.fixture
def root(tmp_path):
    """Make a folder that is allowed, beside one that is not."""
    folder = tmp_path / "allowed"
    folder.mkdir()
    (folder / "a.png").write_bytes(PNG)
    (tmp_path / "secret.png").write_bytes(PNG)
    return folder


@pytest.mark.parametrize(
    "url", ["https://h/a.png", "http://h/a.png", "data:image/png;base64,AA", "asset://a-1"]
)
def test_urls_pass_as_they_are(url):
    assert as_url(url) is url


@pytest.mark.parametrize(
    "url", ["http://10.0.0.5/a.png", "https://localhost/a.png", "https://169.254.169.254/latest"]
)
def test_a_url_is_the_services_to_fetch_and_nothing_here_looks_it_up(url, monkeypatch):
    """Whatever host a model names, nothing of this machine's network is reached."""

    def used(*arguments, **options):
        raise AssertionError("the network was used")

    for name in ("getaddrinfo", "create_connection", "socket"):
        monkeypatch.setattr(socket, name, used)
    assert as_url(url) is url


def test_bytes_become_a_data_url_of_their_own_type():
    assert as_url(PNG) == PNG_URL


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_bytes_of_another_kind_are_refused(kind):
    with pytest.raises(ConfigError, match=f"expected {kind} bytes, got image/png"):
        as_url(PNG, kind=kind)
    with pytest.raises(ConfigError, match="unknown format"):
        as_url(b"root:x:0:0", kind=kind)


def test_a_file_below_an_allowed_folder_is_read(root):
    assert as_url(root / "a.png", roots=[root]) == PNG_URL
    assert as_url(str(root / "a.png"), roots=[root]) == PNG_URL
    assert as_url(root / "x" / ".." / "a.png", roots=[root]) == PNG_URL


def test_no_file_is_read_unless_a_folder_was_named(root):
    with pytest.raises(ConfigError, match=r"allowed_folders= names .now none"):
        as_url(root / "a.png")


@pytest.mark.parametrize(
    "path", ["../secret.png", "/etc/passwd", "~/.ssh/id_rsa", "a/../../secret.png"]
)
def test_a_path_that_leads_out_is_refused(root, path, monkeypatch):
    monkeypatch.chdir(root)
    with pytest.raises(ConfigError, match="may not read"):
        as_url(path, roots=[root])


def test_a_folder_whose_name_begins_alike_is_another_folder(root, tmp_path):
    (tmp_path / "allowed-not").mkdir()
    (tmp_path / "allowed-not" / "a.png").write_bytes(PNG)
    with pytest.raises(ConfigError, match="may not read"):
        as_url(tmp_path / "allowed-not" / "a.png", roots=[root])


def test_a_link_that_leads_out_is_refused(root, tmp_path):
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    (root / "up").symlink_to(tmp_path)
    for path in (root / "link.png", root / "up" / "secret.png"):
        with pytest.raises(ConfigError, match="may not read"):
            as_url(path, roots=[root])


def test_a_link_that_stays_inside_is_read(root):
    (root / "link.png").symlink_to(root / "a.png")
    assert as_url(root / "link.png", roots=[root]) == PNG_URL


def test_an_allowed_folder_may_be_a_link_itself(root, tmp_path):
    (tmp_path / "alias").symlink_to(root)
    assert as_url(tmp_path / "alias" / "a.png", roots=[tmp_path / "alias"]) == PNG_URL


def test_a_link_to_itself_is_refused(root):
    (root / "loop.png").symlink_to(root / "loop.png")
    with pytest.raises(ConfigError):
        as_url(root / "loop.png", roots=[root])


@pytest.mark.parametrize("path", ["none.png", "", "."])
def test_what_is_no_file_is_refused(root, path):
    with pytest.raises(ConfigError, match="there is no file"):
        as_url(root / path, roots=[root])


def test_a_pipe_is_not_waited_for(root):
    os.mkfifo(root / "pipe.png")
    with pytest.raises(ConfigError, match="there is no file"):
        as_url(root / "pipe.png", roots=[root])


@pytest.mark.parametrize("path", ["a\x00b", "~no-such-user/x", "a" * 5000])
def test_a_string_that_is_no_path_is_refused(root, path):
    with pytest.raises(ConfigError):
        as_url(path, roots=[root])


def test_a_file_over_the_limit_is_refused_before_it_is_read(root):
    with (root / "large.png").open("wb") as file:
        file.truncate(MAX_INPUT_BYTES + 1)
    with pytest.raises(ConfigError, match="more than 31,457,280 bytes: pass a smaller one"):
        as_url(root / "large.png", roots=[root])


def test_a_text_file_is_not_sent_as_a_picture(root):
    (root / "notes.png").write_text("password")
    with pytest.raises(ConfigError, match="unknown format") as caught:
        as_url(root / "notes.png", roots=[root])
    assert "password" not in str(caught.value)


@given(st.text(max_size=60))
def test_no_string_reads_a_file_without_an_allowed_folder(text):
    try:
        assert as_url(text) == text
    except ConfigError:
        assert not text.startswith(("http://", "https://", "data:", "asset://"))
