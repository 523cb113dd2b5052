"""Video tasks from creation to the file, through the official SDK (ark.md 15)."""

import base64
import io
import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av
import httpx
import pytest
from PIL import Image
from volcenginesdkarkruntime import Ark, AsyncArk
from volcenginesdkarkruntime._exceptions import (
    ArkBadRequestError,
    ArkConflictError,
    ArkNotFoundError,
    ArkPermissionDeniedError,
)

from doubao_emulator import AfterReads, Emulator, Immediate, ManualClock

MODEL = "doubao-seedance-2-0-260128"
V1 = "doubao-seedance-1-0-pro-250528"
V2_5 = "doubao-seedance-2-5-260628"
KEY = "a key"
DAY = 86_400


def words(text):
    return {"type": "text", "text": text}


def image(url, role=None):
    item = {"type": "image_url", "image_url": {"url": url}}
    return item if role is None else {**item, "role": role}


def data_url(colour="#ff0000", size=(400, 300)):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


@pytest.fixture(scope="module")
def running():
    with Emulator(clock=ManualClock()) as emulator:
        yield emulator


@pytest.fixture
def server(running):
    running.reset()
    running.world.progress = Immediate()
    return running


@pytest.fixture
def tasks(server):
    with httpx.Client(timeout=60) as http_client:
        client = Ark(base_url=server.base_url, api_key=KEY, max_retries=0, http_client=http_client)
        yield client.content_generation.tasks


def create(tasks, *, prompt="A cat walks", model=MODEL, content=(), **settings):
    return tasks.create(model=model, content=[words(prompt), *content], **settings).id


def film(url):
    data = httpx.get(url, timeout=60).content
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_image() for frame in container.decode(stream)]
        assert stream.average_rate == 24
        return frames, [sound.codec_context.name for sound in container.streams.audio]


def test_a_task_becomes_a_film_of_the_requested_shape_and_length(tasks):
    task_id = create(tasks, resolution="480p", ratio="9:16", duration=4)
    task = tasks.get(task_id=task_id)
    assert task.status == "succeeded"
    assert (task.resolution, task.ratio, task.duration, task.frames) == ("480p", "9:16", 4, None)
    assert task.usage.completion_tokens == 496 * 864 * 97 // 1024
    frames, sound = film(task.content.video_url)
    assert len(frames) == 97
    assert frames[0].size == (496, 864)
    assert sound == ["aac"]


async def test_the_async_client_walks_through_the_states(server):
    server.world.progress = AfterReads(2)
    async with httpx.AsyncClient() as http_client:
        client = AsyncArk(base_url=server.base_url, api_key=KEY, http_client=http_client)
        tasks = client.content_generation.tasks
        created = await tasks.create(model=MODEL, content=[words("A cat")])
        states = [(await tasks.get(task_id=created.id)).status for _ in range(3)]
        page = await tasks.list(task_ids=[created.id])
        await tasks.delete(task_id=created.id)
        with pytest.raises(ArkNotFoundError):
            await tasks.get(task_id=created.id)
    assert states == ["queued", "running", "succeeded"]
    assert page.total == 1


def test_an_id_has_the_services_form_and_the_safety_identifier_comes_back(tasks):
    answer = tasks.create(model=MODEL, content=[words("A cat")], safety_identifier="user-7")
    assert answer.safety_identifier == "user-7"
    head, stamp, tail = answer.id.split("-")
    assert (head, len(stamp), len(tail)) == ("cgt", 14, 5)
    assert tasks.get(task_id=answer.id).safety_identifier == "user-7"


def test_frames_beat_the_duration_and_only_they_are_stated(tasks):
    task_id = create(tasks, model=V1, resolution="480p", ratio="1:1", duration=10, frames=29)
    task = tasks.get(task_id=task_id)
    assert (task.frames, task.duration) == (29, None)
    frames, sound = film(task.content.video_url)
    assert len(frames) == 29
    assert sound == []


@pytest.mark.parametrize(
    ("cloud", "model", "file_format"),
    [("base_url", MODEL, "JPEG"), ("byteplus_base_url", "dreamina-seedance-2-0-260128", "PNG")],
)
def test_the_last_frame_is_a_picture_in_the_clouds_format(server, cloud, model, file_format):
    with httpx.Client(timeout=60) as http_client:
        client = Ark(base_url=getattr(server, cloud), api_key=KEY, http_client=http_client)
        tasks = client.content_generation.tasks
        task_id = create(tasks, model=model, resolution="480p", return_last_frame=True)
        content = tasks.get(task_id=task_id).content
    picture = Image.open(io.BytesIO(httpx.get(content.last_frame_url, timeout=60).content))
    assert (picture.format, picture.size) == (file_format, (864, 496))


def test_a_first_and_a_last_frame_start_and_end_the_film_in_their_shape(tasks):
    task_id = create(
        tasks,
        resolution="480p",
        duration=4,
        generate_audio=False,
        content=[
            image(data_url("#ff0000", (300, 400)), "first_frame"),
            image(data_url("#0000ff", (300, 400)), "last_frame"),
        ],
    )
    task = tasks.get(task_id=task_id)
    assert task.ratio == "3:4"
    frames, sound = film(task.content.video_url)
    assert frames[0].getpixel((5, 300))[0] > 200
    assert frames[-1].getpixel((5, 300))[2] > 200
    assert sound == []


def test_prompt_flags_set_what_the_body_leaves_open(tasks):
    prompt = "a cat yawns --rs 480p --rt 1:1 --dur 6 --seed 11 --wm true --cf false --fps 24"
    task = tasks.get(task_id=create(tasks, prompt=prompt, ratio="16:9"))
    assert (task.resolution, task.ratio, task.duration, task.seed) == ("480p", "16:9", 6, 11)


def test_bad_and_unknown_flags_are_swallowed(tasks):
    prompt = "--style noir a cat --rt 5:7 --seed x --frames 30 --cf true"
    task = tasks.get(task_id=create(tasks, prompt=prompt))
    assert (task.status, task.ratio, task.resolution) == ("succeeded", "16:9", "720p")


def test_a_ratio_flag_that_the_mode_does_not_take_is_swallowed(tasks):
    task = tasks.get(task_id=create(tasks, model=V1, prompt="a cat, 9:16 --rt adaptive"))
    assert task.ratio == "16:9"
    square = image(data_url(size=(400, 400)))
    task = tasks.get(task_id=create(tasks, model=V2_5, prompt="x --rt 21:9", content=[square]))
    assert task.ratio == "1:1"


def test_web_search_is_reported_as_not_done(tasks):
    task = tasks.get(task_id=create(tasks, tools=[{"type": "web_search"}]))
    assert task.usage.tool_usage == {"web_search": 0}
    assert [tool.type for tool in task.tools] == ["web_search"]


def test_a_model_that_chooses_the_length_states_it(tasks):
    task = tasks.get(task_id=create(tasks, model=V2_5))
    assert task.duration == 5
    assert task.output_format == "mp4"


def test_a_mov_is_made_where_it_is_offered(tasks):
    url = tasks.get(
        task_id=create(tasks, model=V2_5, output_format="mov", resolution="480p", duration=4)
    ).content.video_url
    assert ".mov?" in url
    _, sound = film(url)
    assert sound == ["pcm_s16le"]


def test_films_of_2_5_can_be_downloaded_a_hundred_times(tasks):
    task = tasks.get(task_id=create(tasks, model=V2_5, resolution="480p", duration=4))
    with httpx.Client(timeout=60) as http_client:
        statuses = [http_client.get(task.content.video_url).status_code for _ in range(101)]
    assert statuses == [200] * 100 + [403]


def test_an_own_film_as_reference_counts_in_the_tokens(tasks):
    first = tasks.get(task_id=create(tasks, ratio="21:9", duration=10))
    reference = {
        "type": "video_url",
        "video_url": {"url": first.content.video_url},
        "role": "reference_video",
    }
    second = tasks.get(task_id=create(tasks, content=[reference], duration=5))
    assert second.ratio == "21:9"
    assert second.usage.completion_tokens == 1470 * 630 * (24 * 15 + 1) // 1024


def test_a_fault_fails_the_task_with_http_200(server, tasks):
    with server.fault("task_failed", times=1, code="OutputVideoSensitiveContentDetected"):
        failed, fine = create(tasks), create(tasks)
    task = tasks.get(task_id=failed)
    assert task.status == "failed"
    assert task.error.code == "OutputVideoSensitiveContentDetected"
    assert "Request id: 02" in task.error.message
    assert task.content is None
    assert tasks.get(task_id=fine).status == "succeeded"


def test_an_edit_with_a_fixed_length_fails_in_the_task_not_at_creation(tasks):
    film_url = tasks.get(task_id=create(tasks, model=V2_5)).content.video_url
    reference = {
        "type": "video_url",
        "video_url": {"url": film_url},
        "role": "reference_video",
    }
    asked = {"model": V2_5, "prompt": "Replace the cat with a dog", "content": [reference]}
    task = tasks.get(task_id=create(tasks, **asked, duration=8, ratio="16:9"))
    assert task.error.code == "InvalidParameter.TaskTypeConstraint"
    assert (
        "identified your task as video editing based on your prompt. "
        "Issues: [0] `duration` must be -1. [1] `ratio` must be adaptive." in task.error.message
    )
    assert tasks.get(task_id=create(tasks, **asked)).status == "succeeded"
    task = tasks.get(task_id=create(tasks, **asked, omni_reference_task_type="extend"))
    assert task.error.code == "InvalidParameter.TaskTypeMismatch"
    task = tasks.get(task_id=create(tasks, **asked | {"prompt": "Extend it"}, ratio="1:1"))
    assert "identified your task as video extension" in task.error.message
    asked["prompt"] = "A dog like this"
    plain = create(tasks, **asked, omni_reference_task_type="reference", duration=8)
    assert tasks.get(task_id=plain).status == "succeeded"


def test_an_edit_needs_a_reference_of_four_seconds(tasks):
    short = tasks.get(task_id=create(tasks, model=V1, duration=2)).content.video_url
    reference = {"type": "video_url", "video_url": {"url": short}, "role": "reference_video"}
    with pytest.raises(ArkBadRequestError, match="edit takes reference videos of 4 to 30 s"):
        create(tasks, model=V2_5, content=[reference], omni_reference_task_type="edit")


def test_deleting_follows_the_table_of_states(server, tasks):
    server.world.progress = AfterReads(2)
    task_id = create(tasks)
    assert tasks.get(task_id=task_id).status == "queued"
    with pytest.raises(ArkConflictError) as caught:
        tasks.delete(task_id=task_id)
    assert caught.value.code == "InvalidAction.RunningTaskDeletion"
    assert f"Cannot delete task `{task_id}` because it is currently running." in str(caught.value)
    tasks.get(task_id=task_id)
    tasks.delete(task_id=task_id)
    with pytest.raises(ArkNotFoundError) as missing:
        tasks.get(task_id=task_id)
    assert missing.value.code == "NotFound.Task"


def test_a_queued_task_is_cancelled_and_stays_for_a_day(server, tasks):
    server.world.progress = AfterReads(2)
    task_id = create(tasks)
    tasks.delete(task_id=task_id)
    assert tasks.get(task_id=task_id).status == "cancelled"
    with pytest.raises(ArkPermissionDeniedError):
        tasks.delete(task_id=task_id)
    server.world.clock.advance(DAY)
    with pytest.raises(ArkNotFoundError):
        tasks.get(task_id=task_id)


def test_delete_answers_an_empty_object_and_takes_a_body(server, tasks):
    task_id = create(tasks)
    answer = httpx.request(
        "DELETE",
        f"{server.base_url}/contents/generations/tasks/{task_id}",
        headers={"Authorization": f"Bearer {KEY}"},
        json={},
    )
    assert (answer.status_code, answer.json()) == (200, {})


def test_a_look_up_signs_a_link_anew_once_it_is_dead(server, tasks):
    task_id = create(tasks, duration=4, resolution="480p", ratio="1:1")

    def link():
        return tasks.get(task_id=task_id).content.video_url

    first = link()
    assert link() == first
    server.world.clock.advance(86_400)
    assert httpx.get(first).status_code == 403
    fresh = link()
    assert fresh != first
    assert httpx.get(fresh, timeout=60).status_code == 200


def test_an_unfinished_task_expires(server, tasks):
    server.world.progress = AfterReads(9)
    task_id = create(tasks, execution_expires_after=3600)
    assert tasks.get(task_id=task_id).status == "queued"
    server.world.clock.advance(3600)
    assert tasks.get(task_id=task_id).status == "expired"


def test_records_are_forgotten_after_seven_days(server, tasks):
    task_id = create(tasks)
    server.world.clock.advance(7 * DAY - 1)
    assert tasks.list().total == 1
    server.world.clock.advance(1)
    assert tasks.list().total == 0
    with pytest.raises(ArkNotFoundError):
        tasks.get(task_id=task_id)


def test_the_list_is_paged_newest_first(server, tasks):
    ids = [create(tasks) for _ in range(5)]
    page = tasks.list(page_num=2, page_size=2)
    assert page.total == 5
    assert [task.id for task in page.items] == [ids[2], ids[1]]
    assert tasks.list(page_num=4, page_size=2).items == []


def test_the_list_is_filtered(server, tasks):
    endpoint = "ep-20260101000000-abcde"
    mine = create(tasks, model=endpoint)
    with server.fault("task_failed"):
        failed = create(tasks)
    flex = create(tasks, model=V1, service_tier="flex")

    def listed(**filters):
        return [task.id for task in tasks.list(**filters).items]

    assert listed() == [failed, mine]
    assert listed(status="failed") == [failed]
    assert listed(model=endpoint) == [mine]
    assert listed(service_tier="flex") == [flex]
    assert listed(task_ids=[mine, "cgt-unknown"]) == [mine]
    assert listed(status="running", task_ids=[mine]) == []


def test_listing_counts_as_reading(server, tasks):
    server.world.progress = AfterReads(2)
    create(tasks)
    assert [tasks.list().items[0].status for _ in range(3)] == ["queued", "running", "succeeded"]


def test_the_clouds_do_not_see_each_others_tasks(server, tasks):
    task_id = create(tasks)
    answer = httpx.get(
        f"{server.byteplus_base_url}/contents/generations/tasks/{task_id}",
        headers={"Authorization": f"Bearer {KEY}"},
    )
    assert answer.status_code == 404


def test_a_draft_is_made_in_full_with_what_it_had(server, tasks):
    draft_id = create(tasks, model=V2_5, draft=True, ratio="1:1", duration=6, seed=99)
    draft = tasks.get(task_id=draft_id)
    assert (draft.draft, draft.resolution) == (True, "480p")
    content = [{"type": "draft_task", "draft_task": {"id": draft_id}}]
    full_id = tasks.create(model=V2_5, content=content, resolution="1080p").id
    full = tasks.get(task_id=full_id)
    assert (full.draft, full.draft_task_id) == (False, draft_id)
    assert (full.resolution, full.ratio, full.duration, full.seed) == ("1080p", "1:1", 6, 99)
    assert full.usage.completion_tokens == 1440 * 1440 * 145 // 1024


@pytest.fixture
def hook():
    """A callback server on loopback; `answers` are its statuses, the last one repeated."""
    posts, answers = [], [200]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posts.append((self.path, json.loads(body)))
            status = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            arrived.release()

        def log_message(self, *arguments):
            pass

    arrived = threading.Semaphore(0)
    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    listener.posts, listener.answers, listener.arrived = posts, answers, arrived
    listener.url = f"http://127.0.0.1:{listener.server_port}/hook?x=1"
    yield listener
    listener.shutdown()
    thread.join()
    listener.server_close()


def wait(hook, count):
    for _ in range(count):
        assert hook.arrived.acquire(timeout=10)


def test_every_change_of_state_is_posted_as_get_shows_it(server, tasks, hook):
    task_id = create(tasks, callback_url=hook.url)
    wait(hook, 3)
    assert [path for path, _ in hook.posts] == ["/hook?x=1"] * 3
    assert [body["status"] for _, body in hook.posts] == ["queued", "running", "succeeded"]
    shown = httpx.get(
        f"{server.base_url}/contents/generations/tasks/{task_id}",
        headers={"Authorization": f"Bearer {KEY}"},
    )
    assert hook.posts[-1][1] == shown.json()


def test_a_failure_that_is_not_acknowledged_is_posted_three_times(server, tasks, hook, caplog):
    hook.answers[:] = [200, 200, 500, 500, 500]
    with server.fault("task_failed"), caplog.at_level(logging.WARNING, "doubao_emulator"):
        create(tasks, callback_url=hook.url)
        wait(hook, 5)
    assert [body["status"] for _, body in hook.posts][2:] == ["failed"] * 3
    assert not hook.arrived.acquire(timeout=0.05)


def test_an_acknowledged_try_is_the_last(tasks, hook):
    hook.answers[:] = [200, 200, 500, 200]
    create(tasks, callback_url=hook.url)
    wait(hook, 4)
    assert not hook.arrived.acquire(timeout=0.05)


def test_a_cancelled_task_is_not_posted(server, tasks, hook):
    server.world.progress = AfterReads(2)
    task_id = create(tasks, callback_url=hook.url)
    wait(hook, 1)
    tasks.delete(task_id=task_id)
    assert not hook.arrived.acquire(timeout=0.1)


def test_another_host_is_never_called_and_the_log_says_so(tasks, caplog):
    with caplog.at_level(logging.WARNING, "doubao_emulator"):
        task_id = create(tasks, callback_url="https://example.com/hook?token=secret")
        assert tasks.get(task_id=task_id).status == "succeeded"
    assert "not reported to host example.com" in caplog.text
    assert "secret" not in caplog.text
