"""What the list of tasks may hide, and a request that arrives and is never worked on."""

from __future__ import annotations

import httpx
import pytest

PATH = "/contents/generations/tasks"
FILM = {
    "model": "doubao-seedance-1-0-pro-250528",
    "content": [{"type": "text", "text": "a lighthouse"}],
    "duration": 2,
    "safety_identifier": "job-7",
}


@pytest.fixture
def http(emulator):
    headers = {"authorization": "Bearer k"}
    with httpx.Client(base_url=emulator.base_url, headers=headers) as http:
        yield http


def listed(http, **query):
    return http.get(PATH, params=query).json()


def test_a_list_that_lags_misses_the_young_and_a_look_up_does_not(http, emulator):
    task_id = http.post(PATH, json=FILM).json()["id"]
    with emulator.fault("list_lag", times=1):
        assert listed(http) == {"total": 0, "items": []}
        assert [item["id"] for item in listed(http)["items"]] == [task_id]
    with emulator.fault("list_lag"):
        assert http.get(f"{PATH}/{task_id}").json()["id"] == task_id
        assert listed(http)["total"] == 0


def test_a_list_that_lags_by_little_shows_the_rest(http, emulator):
    http.post(PATH, json=FILM)
    with emulator.fault("list_lag", seconds=-1):
        assert listed(http)["total"] == 1


def test_a_task_shows_its_mark_unless_the_list_drops_it(http, emulator):
    created = http.post(PATH, json=FILM).json()
    assert created["safety_identifier"] == "job-7"
    (item,) = listed(http)["items"]
    assert item["safety_identifier"] == "job-7"
    with emulator.fault("list_without_marks"):
        (item,) = listed(http)["items"]
    assert "safety_identifier" not in item
    assert item["id"] == created["id"]


def test_a_request_that_hangs_is_seen_and_not_worked_on(http, emulator):
    with (
        emulator.fault("hang", times=1, path=PATH),
        pytest.raises(httpx.ReadTimeout),
    ):
        http.post(PATH, json=FILM, timeout=0.2)
    assert [each.method for each in emulator.requests] == ["POST"]
    assert listed(http)["total"] == 0


def test_a_request_that_hung_is_reset_when_it_is_let_go(http, emulator):
    with emulator.fault("hang", times=1, path=PATH) as hang:
        hang.release()
        with pytest.raises(httpx.TransportError):
            http.post(PATH, json=FILM)
    assert listed(http)["total"] == 0
