"""Results in S3: a real server on loopback and s3fs, as a user would have them."""

from __future__ import annotations

import errno
import json
import logging
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from doubao_core import ConfigError, Malformed
from doubao_core.media import storage

MP4 = b"\x00\x00\x00\x20ftypisom" + bytes(60)
ANY = ("image/", "video/")
SECRET = "wJalrXUtnFEMI-SECRET"


@pytest.fixture(scope="module")
def server():
    """Serve S3 on loopback, for all tests of this file."""
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server, monkeypatch, tmp_path):
    """Make a bucket, and configure fsspec and the keys as a developer does: outside of our code."""
    from fsspec.config import conf

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setitem(conf, "s3", {"endpoint_url": server})
    name = f"films-{uuid.uuid4().hex[:12]}"
    httpx.put(f"{server}/{name}").raise_for_status()
    return name


def save(place, name="film", content=MP4, allowed=ANY):
    with place.target(name) as target:
        target.write(content)
        return target.commit(allowed)


def unfinished(server, bucket):
    return httpx.get(f"{server}/{bucket}?uploads").text.count("<Upload>")


def test_a_result_is_saved_found_and_read_again(bucket):
    place = storage(f"s3://{bucket}/out/films/")
    place.check()
    assert place.find("cgt-1") is None
    saved = save(place, "cgt-1")
    assert (saved.path, saved.location) == (None, f"s3://{bucket}/out/films/cgt-1.mp4")
    assert place.find("cgt-1") == saved
    assert place.read(saved.name, 1000) == MP4
    assert place.files.info(saved.location)["ContentType"] == "video/mp4"
    assert place.files.find(place.location) == [f"{bucket}/out/films/cgt-1.mp4"]


def test_no_object_is_ever_replaced_by_many_at_once(bucket):
    place = storage(f"s3://{bucket}/out")
    place.check()
    with ThreadPoolExecutor(4) as pool:
        contents = [MP4 + bytes([number]) for number in range(8)]
        saved = list(pool.map(lambda content: save(place, content=content), contents))
    assert len({each.location for each in saved}) == 8
    for each, content in zip(saved, contents, strict=True):
        assert place.read(each.name, 1000) == content


def test_one_who_was_quicker_between_look_and_upload_is_not_replaced(bucket, monkeypatch):
    place = storage(f"s3://{bucket}/out")
    first = save(place)
    looked = []

    def exists(url):
        looked.append(url)
        return False

    monkeypatch.setattr(place.files, "exists", exists)
    second = save(place, content=MP4 + b"2")
    assert len(looked) == 2
    assert (first.name, second.name) == ("film.mp4", "film-1.mp4")
    assert place.read("film.mp4", 1000) == MP4


def test_a_store_that_knows_no_conditions_gets_the_result_nevertheless(bucket, monkeypatch):
    """Not every vendor's S3 does; a name that is taken is passed over there too."""
    place = storage(f"s3://{bucket}/out")
    real = place.files._call_s3

    async def call(method, *arguments, **options):
        if "IfNoneMatch" in options:
            raise OSError(errno.ENOSYS, "A header you provided implies functionality")
        return await real(method, *arguments, **options)

    monkeypatch.setattr(place.files, "_call_s3", call)
    assert [save(place).name, save(place).name] == ["film.mp4", "film-1.mp4"]


@pytest.mark.timeout(120)
def test_a_film_in_parts_appears_whole(server, bucket):
    place = storage(f"s3://{bucket}/out")
    block = bytes(range(256)) * 4096
    with place.target("film") as target:
        target.write(MP4)
        for _ in range(20):
            target.write(block)
        assert place.files.find(place.location) == []
        saved = target.commit(ANY)
    assert saved.size == place.files.size(saved.location) == len(MP4) + 20 * len(block)
    assert place.find("film") == saved
    assert unfinished(server, bucket) == 0


@pytest.mark.timeout(120)
def test_an_upload_that_fails_in_the_middle_leaves_nothing(server, bucket, monkeypatch):
    place = storage(f"s3://{bucket}/out")
    place.check()
    real, parts = place.files._call_s3, []

    async def call(method, *arguments, **options):
        if method == "upload_part":
            parts.append(options["PartNumber"])
            if len(parts) == 2:
                assert unfinished(server, bucket) == 1
                raise OSError(5, "the line is cut")
        return await real(method, *arguments, **options)

    monkeypatch.setattr(place.files, "_call_s3", call)
    with pytest.raises(ConfigError, match="the line is cut"):
        save(place, content=MP4 + bytes(20 * 1024 * 1024))
    assert parts == [1, 2]
    assert place.files.find(place.location) == []
    assert unfinished(server, bucket) == 0


def test_what_is_no_result_is_not_uploaded(bucket):
    place = storage(f"s3://{bucket}/out")
    with pytest.raises(Malformed):
        save(place, content=b"<html>")
    assert place.files.find(place.location) == []


def test_a_bucket_that_is_missing_is_found_before_anything_is_paid(bucket):
    with pytest.raises(ConfigError, match=r"cannot save results in .*nothing was sent") as caught:
        storage("s3://there-is-no-such-bucket/out").check()
    assert SECRET not in str(caught.value)


def test_keys_are_in_no_text(bucket):
    place = storage(f"s3://{bucket}/out")
    saved = save(place)
    with pytest.raises(ConfigError) as caught:
        place.read("none.mp4", 10)
    shown = json.dumps([repr(place), repr(saved), str(caught.value), repr(caught.value)])
    assert SECRET not in shown
    assert "AKIAEXAMPLE" not in shown


def test_a_download_goes_into_the_bucket(bucket, client, emulator):
    image = client.create_images(model="doubao-seedream-5-0-260128", prompt="a cat").images[0]
    saved = client.download(image.url, f"s3://{bucket}/out", name="cat")
    place = storage(f"s3://{bucket}/out")
    assert place.find("cat") == saved
    assert len(place.read(saved.name, 10_000_000)) == saved.size
