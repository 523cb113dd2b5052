"""The enforced limit of unfinished tasks, at every path that takes some, seen from clients."""

import httpx
import pytest

from doubao_emulator import AfterSeconds, Emulator, ManualClock

TEXT = [{"type": "text", "text": "tea"}]
TASKS = "/contents/generations/tasks"
ARK = {"model": "doubao-seedance-1-0-pro-250528", "content": TEXT}
BYTEPLUS = {"model": "seedance-1-0-pro-250528", "content": TEXT}
OWN_FILM = {"model": "seedance-2.0", "prompt": "tea", "duration": 5}
OWN_PICTURE = {"model": "seedream-4.5", "prompt": "tea"}
DOITONG = {"service": "seedream", "prompt": "tea"}
CREATES = {
    "ark": (TASKS, ARK),
    "byteplus": (TASKS, BYTEPLUS),
    "agentsflare": (TASKS, BYTEPLUS),
    "anyfast": ("/v1/video/generations", ARK),
    "seedance2api": ("/v1/seedance/generate", OWN_FILM),
    "seedance2api pictures": ("/v1/seedream/generate", OWN_PICTURE),
    "doitong": ("/v1/text_to_image", DOITONG),
    "vibegen": ("/generations", {"model": "seedance-2.0", "prompt": "tea"}),
}
REFUSALS = {
    "ark": lambda body: body["error"]["code"] == "InflightBatchsizeExceeded",
    "byteplus": lambda body: body["error"]["code"] == "InflightBatchsizeExceeded",
    "agentsflare": lambda body: body == {"statusCode": 429, "message": "Too many requests"},
    "anyfast": lambda body: "unfinished tasks" in body["error"]["message"],
    "seedance2api": lambda body: body["error"]["code"] == "RATE_LIMITED",
    "vibegen": lambda body: "unfinished tasks" in body["error"],
    "doitong": lambda body: body["errors"][0]["extensions"]["code"] == "RATE_LIMITED",
}


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def emulator(clock):
    """Return an emulator whose tasks take three seconds, which pass when a test says so."""
    with Emulator(clock=clock, progress=AfterSeconds(3)) as emulator:
        yield emulator


@pytest.fixture
def create(emulator):
    """Ask for a picture or film, and return the answer."""

    def create(name, key="k"):
        path, body = CREATES[name]
        headers = {"Authorization": f"Bearer {key}", "X-API-Key": key}
        url = emulator.base_url_of(name.split(" ")[0]) + path
        return httpx.post(url, headers=headers, json=body)

    return create


@pytest.mark.parametrize("name", CREATES)
def test_a_create_beyond_the_limit_is_refused_until_a_task_is_finished(
    emulator, clock, create, name
):
    with emulator.limit(jobs=2) as limit:
        assert [create(name).status_code for _ in range(3)] == [200, 200, 429]
        assert REFUSALS[name.split(" ")[0]](create(name).json())
        clock.advance(3)
        assert [create(name).status_code for _ in range(3)] == [200, 200, 429]
    assert sum(limit.refused.values()) == 3
    assert create(name).status_code == 200


def test_a_limit_of_tasks_is_that_of_a_key(emulator, create):
    with emulator.limit(jobs=1):
        assert create("ark").status_code == 200
        assert create("ark", key="other").status_code == 200
        assert create("ark").status_code == 429


def test_a_cancelled_task_is_finished(emulator, create):
    with emulator.limit(jobs=1) as limit:
        task = create("ark").json()["id"]
        url = f"{emulator.base_url}{TASKS}/{task}"
        assert httpx.delete(url, headers={"Authorization": "Bearer k"}).status_code == 200
        assert create("ark").status_code == 200
    assert not limit.refused


def test_what_was_let_in_and_what_was_refused_is_told_by_model(emulator, create):
    with emulator.limit(jobs=1) as limit:
        for _ in range(3):
            create("ark")
        assert (limit.accepted, limit.refused) == ({ARK["model"]: 1}, {ARK["model"]: 2})
        limit.clear()
        assert create("ark").status_code == 200


def test_a_limit_that_lets_no_task_begin_is_refused(emulator):
    with pytest.raises(ValueError, match="jobs=0"), emulator.limit(jobs=0):
        pass
