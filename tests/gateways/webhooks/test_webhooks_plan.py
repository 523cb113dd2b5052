"""Jobs of a plan that only a webhook can end: Doitong's pictures."""

from __future__ import annotations

import threading

import pytest

from doubao_core import AsyncClient, Client, Plan, QuotaExceeded, RateLimited
from doubao_core.webhooks import App, Receiver, Signed, callback_url, new_token

SECRET, HEADER = "whsec-3f9a1c77d2", "X-Doitong-Signature"


@pytest.fixture
def settings(at, request):
    """Return how every client of the account is made: one job, and little patience."""
    plan = Plan(name=request.node.nodeid, jobs_in_flight=1, patience=0.2)
    return {**at("doitong"), "plan": plan}


@pytest.fixture
def hear(settings, served, kind, emulator):
    """Serve a receiver of signed deliveries; gives it, and the URL to be called back at."""

    def start(scheme):
        client = (AsyncClient if kind else Client)(**settings)
        token = new_token()
        receiver = Receiver(client, token=token, scheme=scheme)
        return receiver, callback_url(served(App(receiver)), token)

    with emulator.sign_webhooks(SECRET, header=HEADER, prefix="sha256="):
        yield start


def picture(client, url=None):
    told = {"extra_body": {"webhookUrl": url}} if url else {}
    return client.create_images(model="seedream", prompt="tea", wait_timeout=0, **told)


def test_a_signed_delivery_frees_the_place_of_its_picture(emulator, clock, settings, hear, soon):
    """R003-22: Doitong's free plan has one job, and nothing there can be looked up."""
    receiver, url = hear(Signed.as_documented("doitong", secret=SECRET, signs="body"))
    with emulator.limit(jobs=1) as limit, Client(**settings) as client:
        first = picture(client, url)
        assert first.status == "running"
        with pytest.raises(QuotaExceeded, match="webhook receiver"):
            picture(client, url)
        clock.advance(3)
        assert soon(lambda: receiver.counts.news)
        second = picture(client, url)
        clock.advance(3)
        assert receiver.wait_images(second).status == "succeeded"
    assert second.task_id != first.task_id
    assert not limit.refused


def test_a_submit_waits_for_the_delivery(emulator, clock, settings, hear):
    """R003-22: in another thread than the receiver's."""
    _, url = hear(Signed.as_documented("doitong", secret=SECRET, signs="body"))
    patient = {**settings, "plan": Plan(name=settings["plan"].name, jobs_in_flight=1)}
    with emulator.limit(jobs=1) as limit, Client(**patient) as client:
        picture(client, url)
        later = threading.Timer(0.05, clock.advance, (3,))
        later.start()
        assert picture(client, url).status == "running"
        later.join()
    assert not limit.refused


def test_without_a_plan_the_second_picture_is_refused(emulator, clock, at):
    """R003-22: so that the tests before show something."""
    with emulator.limit(jobs=1) as limit, Client(**at("doitong")) as client:
        picture(client)
        with pytest.raises(RateLimited, match="unfinished tasks"):
            picture(client)
    assert sum(limit.refused.values()) == 1


def test_an_unproven_delivery_frees_nothing(clock, settings, hear, soon):
    """R003-22: anybody may have sent it."""
    receiver, url = hear(None)
    with Client(**settings) as client:
        picture(client, url)
        clock.advance(3)
        assert soon(lambda: receiver.counts.unproven)
        with pytest.raises(QuotaExceeded):
            picture(client, url)
