"""Video tasks from creation to oblivion, through the official SDK (ark.md 15)."""

import httpx
import pytest
from volcenginesdkarkruntime import AsyncArk
from volcenginesdkarkruntime._exceptions import (
    ArkConflictError,
    ArkNotFoundError,
    ArkPermissionDeniedError,
)

from doubao_emulator import AfterReads

MODEL = "doubao-seedance-2-0-260128"
V1 = "doubao-seedance-1-0-pro-250528"
DAY = 86_400


def words(text):
    return {"type": "text", "text": text}


async def test_the_async_client_walks_through_the_states(server):
    server.world.progress = AfterReads(2)
    async with httpx.AsyncClient() as http_client:
        client = AsyncArk(base_url=server.base_url, api_key="a key", http_client=http_client)
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


def test_a_fault_fails_the_task_with_http_200(server, tasks, submit):
    with server.fault("task_failed", times=1, code="OutputVideoSensitiveContentDetected"):
        failed, fine = submit(tasks), submit(tasks)
    task = tasks.get(task_id=failed)
    assert task.status == "failed"
    assert task.error.code == "OutputVideoSensitiveContentDetected"
    assert "Request id: 02" in task.error.message
    assert task.content is None
    assert tasks.get(task_id=fine).status == "succeeded"


def test_deleting_follows_the_table_of_states(server, tasks, submit):
    server.world.progress = AfterReads(2)
    task_id = submit(tasks)
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


def test_a_queued_task_is_cancelled_and_stays_for_a_day(server, tasks, submit):
    server.world.progress = AfterReads(2)
    task_id = submit(tasks)
    tasks.delete(task_id=task_id)
    assert tasks.get(task_id=task_id).status == "cancelled"
    with pytest.raises(ArkPermissionDeniedError):
        tasks.delete(task_id=task_id)
    server.world.clock.advance(DAY)
    with pytest.raises(ArkNotFoundError):
        tasks.get(task_id=task_id)


def test_delete_answers_an_empty_object_and_takes_a_body(server, tasks, submit):
    task_id = submit(tasks)
    answer = httpx.request(
        "DELETE",
        f"{server.base_url}/contents/generations/tasks/{task_id}",
        headers={"Authorization": "Bearer a key"},
        json={},
    )
    assert (answer.status_code, answer.json()) == (200, {})


def test_a_look_up_signs_a_link_anew_once_it_is_dead(server, tasks, submit):
    task_id = submit(tasks, duration=4, resolution="480p", ratio="1:1")

    def link():
        return tasks.get(task_id=task_id).content.video_url

    first = link()
    assert link() == first
    server.world.clock.advance(86_400)
    assert httpx.get(first).status_code == 403
    fresh = link()
    assert fresh != first
    assert httpx.get(fresh, timeout=60).status_code == 200


def test_an_unfinished_task_expires(server, tasks, submit):
    server.world.progress = AfterReads(9)
    task_id = submit(tasks, execution_expires_after=3600)
    assert tasks.get(task_id=task_id).status == "queued"
    server.world.clock.advance(3600)
    assert tasks.get(task_id=task_id).status == "expired"


def test_records_are_forgotten_after_seven_days(server, tasks, submit):
    task_id = submit(tasks)
    server.world.clock.advance(7 * DAY - 1)
    assert tasks.list().total == 1
    server.world.clock.advance(1)
    assert tasks.list().total == 0
    with pytest.raises(ArkNotFoundError):
        tasks.get(task_id=task_id)


def test_the_list_is_paged_newest_first(server, tasks, submit):
    ids = [submit(tasks) for _ in range(5)]
    page = tasks.list(page_num=2, page_size=2)
    assert page.total == 5
    assert [task.id for task in page.items] == [ids[2], ids[1]]
    assert tasks.list(page_num=4, page_size=2).items == []


def test_the_list_is_filtered(server, tasks, submit):
    endpoint = "ep-20260101000000-abcde"
    mine = submit(tasks, model=endpoint)
    with server.fault("task_failed"):
        failed = submit(tasks)
    flex = submit(tasks, model=V1, service_tier="flex")

    def listed(**filters):
        return [task.id for task in tasks.list(**filters).items]

    assert listed() == [failed, mine]
    assert listed(status="failed") == [failed]
    assert listed(model=endpoint) == [mine]
    assert listed(service_tier="flex") == [flex]
    assert listed(task_ids=[mine, "cgt-unknown"]) == [mine]
    assert listed(status="running", task_ids=[mine]) == []


def test_listing_counts_as_reading(server, tasks, submit):
    server.world.progress = AfterReads(2)
    submit(tasks)
    assert [tasks.list().items[0].status for _ in range(3)] == ["queued", "running", "succeeded"]


def test_the_clouds_do_not_see_each_others_tasks(server, tasks, submit):
    task_id = submit(tasks)
    answer = httpx.get(
        f"{server.byteplus_base_url}/contents/generations/tasks/{task_id}",
        headers={"Authorization": "Bearer a key"},
    )
    assert answer.status_code == 404
