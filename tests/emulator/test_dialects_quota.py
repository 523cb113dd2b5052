"""The plans of the gateways' dialects: told in headers, refused beyond, begun anew."""

import asyncio

import httpx
import pytest

from doubao_emulator import ManualClock
from doubao_emulator.clock import SystemClock
from doubao_emulator.dialects.quota import Quota

KEY = {"X-API-Key": "k"}
ASKED = {"prompt": "tea", "model": "seedream-4.5"}


@pytest.fixture
def clock(emulator):
    """The clock of the emulator, which stands still."""
    emulator.world.clock = ManualClock()
    yield emulator.world.clock
    emulator.world.clock = SystemClock()


@pytest.fixture
def picture(emulator):
    """Ask seedance2api's dialect for a picture."""
    url = emulator.base_url_of("seedance2api") + "/v1/seedream/generate"
    return lambda **headers: httpx.post(url, json=ASKED, headers={**KEY, **headers})


def test_what_is_left_counts_down_to_a_refusal_and_begins_anew(emulator, clock, picture):
    emulator.world.table(Quota)["seedance2api"] = Quota(requests=2, window=3600)
    answers = [picture() for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert [each.headers["x-ratelimit-remaining"] for each in answers] == ["1", "0", "0"]
    assert {each.headers["x-ratelimit-reset"] for each in answers} == {str(int(clock.now()) + 3600)}
    assert answers[-1].json()["error"]["code"] == "RATE_LIMITED"
    clock.advance(3599)
    assert picture().status_code == 429
    clock.advance(1)
    assert picture().status_code == 200


def test_each_key_has_a_plan_of_its_own(emulator, picture):
    emulator.world.table(Quota)["seedance2api"] = Quota(requests=1, window=3600)
    assert picture().status_code == 200
    assert picture().status_code == 429
    assert picture(**{"X-API-Key": "another"}).status_code == 200


def test_more_at_once_than_the_plan_has_is_refused(emulator):
    emulator.world.table(Quota)["doitong"] = Quota(requests=9, window=60, at_once=1)
    emulator.world.latency = 0.1
    url = emulator.base_url_of("doitong") + "/v1/text_to_image"

    async def three():
        async with httpx.AsyncClient(headers=KEY) as client:
            asked = {"service": "seedream", "prompt": "tea"}
            answers = await asyncio.gather(*(client.post(url, json=asked) for _ in range(3)))
            return [each.status_code for each in answers]

    try:
        statuses = asyncio.run(three())
    finally:
        emulator.world.latency = 0.0
    assert set(statuses) == {200, 429}
