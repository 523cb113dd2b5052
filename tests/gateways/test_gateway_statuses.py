"""A status that nobody knew: neither an end nor a failure, and one line of the log for a task."""

from __future__ import annotations

import itertools

import pytest

IDS = (f"task-odd-{number}" for number in itertools.count())
# How each gateway says where a task is.
SAID = {
    "ark": lambda task_id, status: {"id": task_id, "status": status},
    "agentsflare": lambda task_id, status: {"id": task_id, "status": status},
    "anyfast": lambda task_id, status: {
        "code": "success",
        "data": {"task_id": task_id, "status": status},
    },
    "seedance2api": lambda task_id, status: {"task_id": task_id, "status": status},
    "vibegen": lambda task_id, status: {
        "success": True,
        "data": {"id": task_id, "status": status},
    },
}


@pytest.fixture
def told(caplog):
    """What the log says about statuses."""
    return lambda: [
        (each.levelname, each.getMessage())
        for each in caplog.records
        if "unknown status" in each.getMessage()
    ]


@pytest.mark.parametrize("provider", SAID)
def test_an_unknown_status_of_a_film_is_logged_once_however_often_it_is_seen(
    ask, gate, naps, told, provider
):
    """The native word is what is told, and a second one of the same task is told, too."""
    task_id, say = next(IDS), SAID[provider]
    for status in ("upscaling", "upscaling", "dreaming", "upscaling", "failed"):
        gate.answer(say(task_id, status))
    states = ask(gate.settings(provider), lambda client: client.watch_video(task_id))
    assert [each.ended for each in states] == [False] * 4 + [True]
    lines = told()
    assert [level for level, _ in lines] == ["WARNING"] * 2
    assert all(task_id in line for _, line in lines)
    assert ["'upscaling'" in line for _, line in lines] == [True, False]
    gate.answer(say(task_id, "upscaling"))
    ask(gate.settings(provider), lambda client: client.get_video(task_id))
    assert told() == lines
    other = next(IDS)
    gate.answer(say(other, "upscaling"))
    ask(gate.settings(provider), lambda client: client.get_video(other))
    assert len(told()) == 3


def test_an_unknown_status_of_pictures_is_logged_once(ask, gate, naps, told):
    task_id = next(IDS)
    for status in ("queued", "upscaling", "upscaling", "upscaling"):
        gate.answer(SAID["seedance2api"](task_id, status))
    made = {"task_id": task_id, "images": [{"url": "https://pictures.example/a.png"}]}
    gate.answer({"status": "success", "data": made})
    found = ask(
        gate.settings("seedance2api"),
        lambda client: client.create_images(model="seedream-4.5", prompt="tea"),
    )
    assert found.images[0].url
    ((level, line),) = told()
    assert level == "WARNING"
    assert f"picture task {task_id} has the unknown status 'upscaling'" in line


@pytest.mark.parametrize("provider", SAID)
@pytest.mark.parametrize("status", ["queued", "Running", "SUCCEEDED", "cancelled", "expired"])
def test_a_known_status_is_not_worth_a_line(ask, gate, told, provider, status):
    spoken = status.lower() if provider in {"ark", "agentsflare"} else status
    task = SAID[provider](next(IDS), spoken)
    for body in (task, task):
        gate.answer(body)
    ask(gate.settings(provider), lambda client: client.get_video("task-1"))
    assert told() == []


def test_the_words_of_the_gateway_stand_beside_ours(ask, gate):
    gate.answer(SAID["anyfast"]("task-1", "IN_PROGRESS"))
    task = ask(gate.settings("anyfast"), lambda client: client.get_video("task-1"))
    assert (task.status, task.raw["native_status"]) == ("running", "IN_PROGRESS")
