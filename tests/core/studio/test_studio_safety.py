"""What a model writes stays what it is, a failure costs once, and nothing hangs."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from doubao_core import Client, ConfigError, DoubaoError
from doubao_core.studio import (
    Allowance,
    Desk,
    ImageRules,
    References,
    Studio,
    VideoRules,
)

S2_0 = "doubao-seedance-2-0-260128"
TASKS = "/api/v3/contents/generations/tasks"
# What a model, or whoever talks through it, may write where an id belongs.
HOSTILE_IDS = [
    "",
    " ",
    ".",
    "..",
    "../files",
    "../../chat/completions?x=",
    "cgt-1/../../files",
    "cgt-1/",
    "/cgt-1",
    "//evil.example/x",
    "https://evil.example/x",
    "cgt-1?page_size=500",
    "cgt-1#x",
    "cgt-1;x",
    "cgt-1&x=1",
    "cgt-1 HTTP/1.1",
    "cgt-1\r\nHost: evil.example",
    "cgt-1\n",
    "cgt-1\0",
    "cgt-1%2f..%2ffiles",
    "%2e%2e",
    "cgt-1\\..\\files",
    "{task_id}",
    "cgt-1{0}",
    "$(id)",
    "`id`",
    "'; DROP TABLE jobs; --",
    "cgt-é",
    "cgt-\u202e1",
    "cgt-\uff0e\uff0e",
    "-cgt",
    "~root",
    "a" * 257,
]


@pytest.mark.parametrize("task_id", HOSTILE_IDS)
async def test_a_hostile_task_id_sends_nothing(studio, emulator, task_id):
    with pytest.raises(ConfigError, match="task_id is not an id"):
        await studio.check(task_id)
    assert await studio.withdraw(task_id) is False
    assert emulator.requests == []


@pytest.mark.parametrize("task_id", [each for each in HOSTILE_IDS if each.strip()])
def test_a_hostile_draft_id_makes_no_order(tmp_path, task_id):
    rules = VideoRules(
        model="doubao-seedance-2-5-260628",
        references=References(output_dir=tmp_path),
        shown=["draft_task"],
    )
    with pytest.raises(ConfigError, match="draft_task is not an id"):
        rules.asked({"prompt": "tea", "draft_task": task_id})


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "/etc/passwd",
        "sub/../../secret.png",
        "~/x.png",
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "C:\\secret.png",
        "..\\secret.png",
        "a\0b.png",
        ".hidden.png",
        "",
        ".",
        "..",
        "a" * 5000,
        "s3://bucket/secret.png",
        "memory://secret.png",
        "ftp://example.com/a.png",
        "gopher://example.com/a.png",
        "javascript:alert(1)",
    ],
)
@pytest.mark.parametrize("argument", ["first_frame", "reference_audios", "reference_videos"])
def test_a_hostile_reference_reads_nothing(tmp_path, name, argument):
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    rules = VideoRules(model=S2_0, references=References(output_dir=folder))
    value = name if argument == "first_frame" else [name]
    if not name and argument == "first_frame":
        # Nothing was named.
        assert len(rules.asked({"prompt": "tea", argument: name}).content) == 1
        return
    with pytest.raises(ConfigError):
        rules.asked({"prompt": "tea", argument: value})


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_withdrawal_has_an_end(make_studio, film, emulator, progress, monkeypatch, kind):
    from doubao_emulator import AfterSeconds

    progress(AfterSeconds(3600))
    monkeypatch.setattr("doubao_core.studio.films.GRACE", 0.05)
    studio = make_studio(kind=kind)
    task = await studio.submit(film())
    with emulator.fault("stall", path=f"{TASKS}/") as held:
        assert await studio.withdraw(task.id) is False
        held.release()
    assert not [each for each in emulator.requests if each.method == "DELETE"]


async def test_a_withdrawal_says_whether_the_task_was_cancelled(studio, film, progress):
    from doubao_emulator import AfterSeconds, Immediate

    progress(AfterSeconds(3600))
    queued, other = await studio.submit(film()), await studio.submit(film())
    assert await studio.withdraw(queued.id) is True
    progress(Immediate())
    assert await studio.withdraw(other.id) is False
    assert (await studio.check(other.id)).status == "succeeded"


def test_an_interrupt_does_not_hang_on_a_service_that_does_not_answer(
    emulator, film, progress, monkeypatch, tmp_path
):
    from doubao_emulator import AfterSeconds

    progress(AfterSeconds(3600))
    monkeypatch.setattr("doubao_core.studio.films.GRACE", 0.05)
    with Client(api_key="k", base_url=emulator.base_url) as client:
        steps = Studio(client, Desk(output_dir=tmp_path), Allowance()).video(film())
        next(steps)
        with emulator.fault("stall", path=f"{TASKS}/") as held:
            with pytest.raises(KeyboardInterrupt):
                steps.throw(KeyboardInterrupt)
            held.release()


@pytest.mark.parametrize(
    ("status", "content", "attempts"),
    [
        (200, b"<html>no picture</html>", 1),
        (200, b"", 1),
        (404, b"", 1),
        (503, b"", 3),
    ],
)
async def test_only_a_download_that_may_succeed_is_tried_again(
    make_studio, pictures, status, content, attempts
):
    seen = []

    def answer(request):
        if request.method == "POST":
            url = f"{request.url.copy_with(path='/media/a.png')}"
            return httpx.Response(200, json={"model": "m", "data": [{"url": url, "size": "1x1"}]})
        seen.append(request)
        return httpx.Response(status, content=content)

    result = await make_studio(answer=answer).images(pictures())
    assert len(seen) == attempts
    assert "made and paid for but not saved" in result.text
    assert result.images[0].url


async def test_a_provider_that_does_not_stream_is_asked_for_all_at_once(pictures, tmp_path, png):
    """Its model streams on Ark; the provider refuses the field before anything is sent."""
    from doubao_core import UnsupportedOperation
    from doubao_core.studio.pictures import Pictures

    order = pictures(max_images=2)

    class Elsewhere:
        provider = "elsewhere"

        def stream_images_into(self, *args, **options):
            raise UnsupportedOperation("elsewhere has nothing for stream")
            yield

        def create_images_into(self, where, *, name, **request):
            from doubao_core.api.images import Image, Images
            from doubao_core.saving import StoredImages

            with where.target(name) as target:
                target.write(png())
                saved = target.commit(("image/",))
            answer = Images(images=(Image(index=0),), model="m", usage=None)
            return StoredImages(answer=answer, saved=(saved,))

    allowance = Allowance(1)
    result = Pictures(Elsewhere(), Desk(output_dir=tmp_path), allowance).images(order)
    assert [image.name for image in result.saved] == ["image.png"]


async def test_results_may_go_to_a_store_and_come_back_by_name(
    make_studio, pictures, film, creates, emulator
):
    pytest.importorskip("fsspec")
    place = "memory://studio-results"
    studio = make_studio(output_dir=place)
    made = (await studio.images(pictures())).images[0]
    assert made.path is None
    assert made.location.endswith(f"/{made.name}")
    assert "://" in made.location
    rules = ImageRules(model="doubao-seedream-4-0-250828", references=References(output_dir=place))
    order = await asyncio.to_thread(rules.asked, {"prompt": "edit", "images": [made.name]})
    assert order.request()["image"].startswith("data:image/jpeg;base64,")
    *_, shot = await studio.film(film())
    assert (shot.path, shot.name) == (None, f"{shot.task_id}.mp4")
    assert f"The video is ready: {shot.name}" in shot.text
    again = await studio.check(shot.task_id)
    assert again.location == shot.location


async def test_no_signed_address_is_in_any_text_or_log(studio, film, pictures, caplog, emulator):
    caplog.set_level("DEBUG", logger="doubao_core")
    with emulator.fault("server_error", path="/media/"):
        made = await studio.images(pictures())
        *_, shot = await studio.film(film())
    for said in (made.text, shot.text, repr(made), repr(shot), caplog.text):
        assert "X-Tos" not in said
    assert "X-Tos" in made.images[0].url


def test_errors_are_of_one_tree(tmp_path):
    rules = VideoRules(model=S2_0, references=References(output_dir=tmp_path))
    for given in ({}, {"prompt": 5}, {"prompt": "tea", "duration": "long"}, {"prompt": "  "}):
        with pytest.raises(DoubaoError):
            rules.asked(given)


@pytest.mark.parametrize(
    "settings",
    [
        {"poll_interval": 0},
        {"poll_interval": float("nan")},
        {"wait_timeout": -1},
        {"download_pause": -1},
        {"download_pause": float("inf")},
    ],
)
def test_a_desk_that_cannot_work_is_refused_before_anything_is_paid(tmp_path, settings):
    (name,) = settings
    with pytest.raises(ConfigError, match=name):
        Desk(output_dir=tmp_path, **settings)
