"""Rendered files sit behind expiring, signed links, as in an object store."""

import threading
from datetime import UTC, datetime

import httpx
import pytest

from doubao_emulator import media


def publish(server, data=b"0123456789", **changes):
    asked = {"extension": "mp4", "size": (4, 2), "render": lambda: data, **changes}
    return media.publish(server.world, **asked)


@pytest.mark.parametrize(
    ("extension", "content_type"),
    [
        ("mp4", "video/mp4"),
        ("mov", "video/quicktime"),
        ("png", "image/png"),
        ("jpeg", "image/jpeg"),
    ],
)
def test_a_link_opens_without_a_key(server, extension, content_type):
    answer = httpx.get(publish(server, extension=extension))
    assert answer.status_code == 200
    assert answer.content == b"0123456789"
    assert answer.headers["content-type"] == content_type
    assert answer.headers["content-length"] == "10"
    assert answer.headers["accept-ranges"] == "bytes"


def test_a_link_says_when_it_was_signed_and_for_how_long(server):
    moment = datetime.fromtimestamp(server.world.clock.now(), UTC)
    query = httpx.URL(publish(server)).params
    assert query["X-Tos-Expires"] == "86400"
    assert query["X-Tos-Date"] == f"{moment:%Y%m%dT%H%M%SZ}"
    assert len(query["X-Tos-Signature"]) == 32


def test_head_answers_the_length_without_the_file(server):
    answer = httpx.head(publish(server))
    assert answer.headers["content-length"] == "10"
    assert answer.content == b""


@pytest.mark.parametrize(
    ("asked", "part", "content_range"),
    [
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=8-400", b"89", "bytes 8-9/10"),
        ("bytes=-400", b"0123456789", "bytes 0-9/10"),
    ],
)
def test_a_range_answers_that_part(server, asked, part, content_range):
    answer = httpx.get(publish(server), headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == part
    assert answer.headers["content-range"] == content_range


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=5-3", "bytes=-0"])
def test_a_range_outside_the_file_is_416(server, asked):
    answer = httpx.get(publish(server), headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */10"


@pytest.mark.parametrize("asked", ["lines=1-2", "bytes=1-2,4-5", "bytes=-"])
def test_a_range_that_is_not_understood_answers_everything(server, asked):
    answer = httpx.get(publish(server), headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, b"0123456789")


def test_a_link_dies_after_a_day_of_the_worlds_clock(server):
    link = publish(server)
    server.world.clock.advance(media.LIFETIME_S - 1)
    assert httpx.get(link).status_code == 200
    server.world.clock.advance(1)
    answer = httpx.get(link)
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("application/xml")
    assert "<Code>AccessDenied</Code><Message>Request has expired.</Message>" in answer.text


@pytest.mark.parametrize(
    "change",
    [
        {"X-Tos-Signature": "0" * 32},
        {"X-Tos-Expires": "999999"},
        {"X-Tos-Date": "20270101T000000Z"},
        {"extra": "1"},
    ],
)
def test_a_changed_link_is_refused(server, change):
    answer = httpx.get(httpx.URL(publish(server)).copy_merge_params(change))
    assert answer.status_code == 403
    assert "<Code>SignatureDoesNotMatch</Code>" in answer.text


def test_a_link_without_its_query_is_refused(server):
    assert httpx.get(publish(server).partition("?")[0]).status_code == 403


def test_an_unknown_file_is_404(server):
    answer = httpx.get(publish(server).replace(".mp4", ".mov"))
    assert answer.status_code == 404
    assert "<Code>NoSuchKey</Code>" in answer.text


def test_a_download_limit_counts_downloads_only(server):
    link = publish(server, downloads=2)
    httpx.head(link)
    assert [httpx.get(link).status_code for _ in range(3)] == [200, 200, 403]


def test_a_file_is_rendered_once_and_not_before_it_is_wanted(server):
    rendered = []
    link = publish(server, render=lambda: rendered.append(1) or b"x")
    assert rendered == []
    httpx.get(link)
    httpx.get(link)
    assert rendered == [1]


def test_two_downloads_at_once_render_once_and_block_nobody(server):
    started, go = threading.Event(), threading.Event()
    rendered = []

    def render():
        rendered.append(1)
        started.set()
        assert go.wait(10)
        return b"x"

    link, other = publish(server, render=render), publish(server)
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(httpx.get(link, timeout=20)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    assert started.wait(10)
    assert httpx.get(other).status_code == 200
    assert answers == [], "nobody waited for the first to be drawn"
    go.set()
    for thread in threads:
        thread.join()
    assert [answer.content for answer in answers] == [b"x", b"x"]
    assert rendered == [1]


def test_files_long_expired_are_dropped(server):
    publish(server)
    server.world.clock.advance(2 * media.LIFETIME_S)
    publish(server)
    assert len(server.world.table(media.MediaFile)) == 1


def test_a_reset_forgets_the_files(server):
    link = publish(server)
    server.reset()
    assert httpx.get(link).status_code == 404
