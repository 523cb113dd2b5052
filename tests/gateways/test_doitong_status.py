"""Doitong's pictures are waited for by a status query that a user supplies. Shows R003-11.

Its page prints none: the query of the emulator is an assumption, and that of a user theirs.
"""

from __future__ import annotations

import asyncio
import json

import pytest

from doubao_core import (
    Client,
    ConfigError,
    JobFailed,
    Malformed,
    NotFound,
    UnsupportedOperation,
    gateways,
)
from doubao_core.gateways.doitong import with_status_query
from doubao_core.webhooks import Receiver, new_token
from doubao_emulator import AfterReads, Immediate
from langchain_doubao import SeedreamImageTool

QUERY = "query Job($id: ID!) { checkJobStatus(id: $id) { id status url creditCost error } }"
AT = "checkJobStatus"


def picture(client):
    return client.create_images(model="seedream", prompt="tea")


@pytest.fixture(autouse=True)
def _nothing_added(monkeypatch):
    monkeypatch.setattr(gateways, "_ADDED", {})
    gateways.known.cache_clear()
    yield
    gateways.known.cache_clear()


@pytest.fixture
def asked(at):
    """Where a client goes that was told a query."""
    gateways.add(with_status_query(QUERY, at=AT, name="doitong-asked"))
    return at("doitong-asked", "doitong")


@pytest.fixture
def slowly(emulator):
    emulator.world.progress = AfterReads(2)
    yield
    emulator.world.progress = Immediate()


def test_an_unfinished_picture_is_asked_for_until_it_is_there(ask, asked, emulator, slowly, naps):
    """R003-11: it is paid for once, and the pauses grow."""
    found = ask(asked, picture)
    assert (found.status, bool(found.images[0].url)) == ("succeeded", True)
    assert naps == [2.0, 3.0, 4.5]
    made, *looks = [each.body for each in emulator.requests]
    assert made["query"].startswith("mutation")
    assert looks == [{"query": QUERY, "variables": {"id": found.task_id}}] * 3
    assert {each.path for each in emulator.requests} == {"/doitong/graphql"}
    assert found.usage.raw["credits"] == 15


def test_a_picture_is_asked_for_later_by_its_id(ask, asked, emulator, slowly, naps):
    """R003-11: also from another process, as the id is all that it takes."""
    waited = ask(asked, lambda c: c.create_images(model="seedream", prompt="tea", wait_timeout=0))
    assert (waited.status, waited.pending) == ("running", True)
    states = [ask(asked, lambda c: c.get_images(waited.task_id)).status for _ in range(3)]
    assert states == ["running", "running", "succeeded"]


def test_a_picture_that_failed_says_why(ask, asked, emulator, naps):
    with (
        emulator.fault("task_failed", message="The kettle was empty."),
        pytest.raises(JobFailed, match="The kettle was empty"),
    ):
        ask(asked, picture)


def test_a_picture_that_nobody_knows_is_not_found(ask, asked):
    with pytest.raises(NotFound, match="does not exist"):
        ask(asked, lambda c: c.get_images("abc"))


def test_a_query_that_the_service_does_not_take_gives_the_task_back(
    ask, at, emulator, slowly, naps
):
    """It is paid for, so no error loses its id."""
    wrong = "query Job($id: ID!) { checkJobStatus(id: $id) { id colour } }"
    gateways.add(with_status_query(wrong, at=AT, name="doitong-asked"))
    found = ask(at("doitong-asked", "doitong"), picture)
    assert (found.status, bool(found.task_id), naps) == ("running", True, [2.0])


def test_without_a_query_there_is_no_way_to_ask(ask, at, emulator, slowly):
    """R003-11, R003-10: what was paid for is the answer, and asking is refused, unsent."""
    found = ask(at("doitong"), picture)
    assert (found.status, found.pending, len(emulator.requests)) == ("running", False, 1)
    with pytest.raises(UnsupportedOperation, match=r"'doitong' does not offer images\.get"):
        ask(at("doitong"), lambda c: c.get_images(found.task_id))
    assert len(emulator.requests) == 1


def test_the_picture_may_be_deep_in_the_answer(ask, gate):
    gateways.add(with_status_query(QUERY, at="viewer.job", name="deep"))
    job = {"id": "abc", "status": "completed", "url": "https://cdn.doitong.com/a.jpg"}
    gate.answer({"data": {"other": {"id": "no"}, "viewer": {"job": job}}})
    found = ask(gate.settings("deep"), lambda c: c.get_images("abc"))
    assert (found.task_id, found.images[0].url) == ("abc", job["url"])
    assert gate.asked[-1].headers["authorization"].startswith("Bearer ")
    gate.answer({"data": {"viewer": {"job": None}}})
    with pytest.raises(Malformed, match=r"no picture at 'viewer\.job'"):
        ask(gate.settings("deep"), lambda c: c.get_images("abc"))


@pytest.mark.parametrize(
    ("query", "where", "said"),
    [
        ("query Job { job { id url } }", AT, r"takes the id of a picture as \$id"),
        ("query Job($id: ID!) { job(id: $id) { url } }", AT, "selects the id again"),
        (QUERY, "", "say where the picture is"),
    ],
)
def test_a_query_that_cannot_work_is_refused_at_once(query, where, said):
    with pytest.raises(ConfigError, match=said):
        with_status_query(query, at=where, name="doitong-asked")


def test_a_provider_that_was_added_is_known_and_ours_stay(at, asked):
    """The name counts in this process, for everything that takes one."""
    assert "doitong-asked" in gateways.known()
    assert Client(**asked).provider == "doitong-asked"
    with pytest.raises(ConfigError, match="'doitong' is one of this package"):
        gateways.add(with_status_query(QUERY, at=AT, name="doitong"))
    again = with_status_query(QUERY, at="another", name="doitong-asked")
    gateways.add(again)
    assert gateways.gateway("doitong-asked") is again


def test_the_picture_tool_waits(asked, emulator, slowly, naps, tmp_path):
    """R003-11."""
    tool = SeedreamImageTool(model="seedream", output_dir=tmp_path, **asked)
    call = {"name": tool.name, "args": {"prompt": "tea"}, "id": "1", "type": "tool_call"}
    (saved,) = tool.invoke(call).artifact.images
    assert saved.path.is_file()


def test_an_unsigned_delivery_is_proved_by_asking(asked, emulator):
    """R003-12, R003-14: only what the service says itself is believed."""
    with Client(**asked) as client:
        made = picture(client)
        told = []
        receiver = Receiver(client, token=new_token(), on_images=told.append)
        lie = {"id": made.task_id, "status": "completed", "url": "https://evil.example/a.jpg"}

        async def delivered():
            await receiver.receive({}, json.dumps(lie).encode())
            await receiver.finish()

        asyncio.run(delivered())
    (found,) = told
    assert found.images[0].url == made.images[0].url
