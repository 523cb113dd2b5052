"""Films and pictures of seedance2api, whose webhook tells of progress, failure and the end."""

from __future__ import annotations

import httpx
import pytest

from doubao_core import AsyncClient, Client
from doubao_core.polling import poller_of
from doubao_core.webhooks import App, Receiver, Signed, callback_url, new_token
from doubao_emulator.dialects.seedance2api import Job

SECRET = "whsec-3f9a1c77d2"
FILM = {
    "model": "seedance-1.5-pro",
    "content": [{"type": "text", "text": "An eagle above the clouds"}],
    "duration": 5,
}


@pytest.fixture
def films(at):
    with Client(**at("seedance2api")) as client:
        yield client


def test_progress_and_the_end_of_a_film_are_told(films, clock, listen, seen, soon):
    """R004-34, R004-35, R004-37, R004-41: each delivery is looked up by its id."""
    receiver, url = listen("seedance2api")
    made = films.create_video(**FILM, callback_url=url)
    clock.advance(1.5)
    assert soon(lambda: seen.tasks)
    clock.advance(3)
    assert soon(lambda: seen.tasks[-1].ended)
    assert seen.statuses == ["running", "succeeded"]
    assert [each.progress for each in seen.tasks] == [45, None]
    done = seen.tasks[-1]
    assert (done.id, done.video_url) == (made.id, films.get_video(made.id).video_url)
    assert (receiver.counts.news, seen.images) == (2, [])


def test_the_failure_of_a_film_is_told(films, emulator, clock, listen, seen, soon):
    """R004-36."""
    _, url = listen("seedance2api")
    with emulator.fault("task_failed", message="too dark"):
        films.create_video(**FILM, callback_url=url)
    clock.advance(3)
    assert soon(lambda: seen.tasks and seen.tasks[-1].ended)
    assert (seen.statuses[-1], seen.tasks[-1].error.message) == ("failed", "too dark")


def test_deliveries_in_the_wrong_order_end_with_the_end(films, emulator, clock, listen, seen, soon):
    """R004-38: the end first, then the progress, each twice."""
    receiver, url = listen("seedance2api")
    with emulator.fault("webhook_backwards"), emulator.fault("webhook_twice"):
        made = films.create_video(**FILM, callback_url=url)
        clock.advance(1.5)
        assert soon(lambda: emulator.world.table(Job)[made.id].events)
        clock.advance(3)
        assert soon(lambda: receiver.counts.news + receiver.counts.repeated == 4)
    assert soon(lambda: seen.tasks)
    assert (receiver.counts.news, receiver.counts.repeated) == (1, 3)
    assert seen.statuses == ["succeeded"]


def test_a_delivery_that_could_not_be_looked_up_comes_again(films, emulator, listen, seen, soon):
    """R004-38: the service repeats what is not acknowledged."""
    receiver, url = listen("seedance2api")
    with emulator.fault("server_error", path="/v1/tasks", times=1):
        films.create_video(**FILM, callback_url=url)
        assert soon(lambda: seen.tasks)
    assert (receiver.counts.postponed, receiver.counts.news) == (1, 1)
    assert seen.statuses == ["succeeded"]


def test_a_forged_delivery_makes_nothing_but_a_look_up(
    films, clock, listen, seen, soon, printed_film
):
    """R004-39: without signatures the task is read again, and that is passed on."""
    receiver, url = listen("seedance2api")
    made = films.create_video(**FILM)
    data = {**printed_film["data"], "task_id": made.id}
    data["result"] = {"video_url": "https://evil.example/film.mp4"}
    assert httpx.post(url, json={**printed_film, "data": data}).status_code == 200
    assert httpx.post(url, json=printed_film).status_code == 200
    assert soon(lambda: seen.tasks)
    assert [(each.id, each.video_url) for each in seen.tasks] == [(made.id, None)]
    assert seen.statuses == ["queued"]
    assert (receiver.counts.news, receiver.counts.unknown) == (1, 1)


@pytest.mark.parametrize(("secret", "news"), [(SECRET, 1), ("another secret", 0)])
def test_signatures_are_checked_if_the_user_says_how(films, emulator, listen, secret, news, soon):
    """R004-39: the page promises them and has no header for them."""
    scheme = Signed(
        secret=SECRET, header="X-Sig", signs="timestamp.body", timestamp_header="X-Time"
    )
    receiver, url = listen("seedance2api", scheme=scheme)
    with emulator.sign_webhooks(secret, header="X-Sig", timestamp_header="X-Time"):
        films.create_video(**FILM, callback_url=url)
        # What is refused comes three times.
        assert soon(lambda: receiver.counts.news or receiver.counts.refused == 3)
    assert receiver.counts.news == news


def test_an_event_of_a_new_name_and_status_is_looked_up(films, clock, listen, seen, soon):
    """R004-34."""
    _, url = listen("seedance2api")
    made = films.create_video(**FILM)
    data = {"task_id": made.id, "status": "polishing"}
    assert httpx.post(url, json={"event": "task.polishing", "data": data}).status_code == 200
    assert soon(lambda: seen.tasks)
    assert seen.statuses == ["queued"]


def test_progress_goes_on_and_never_back(gate, served, seen, kind, soon):
    """R004-37."""
    client = (AsyncClient if kind else Client)(**gate.settings("seedance2api"))
    token = new_token()
    receiver = Receiver(client, token=token, **seen.hooks)
    url = callback_url(served(App(receiver)), token)
    for told in (10, 60, 30, 60):
        answer = {"task_id": "task-1", "status": "processing", "progress": told}
        gate.answer(answer)
        event = {"event": "task.progress", "data": answer}
        assert httpx.post(url, json=event).status_code == 200
    assert soon(lambda: len(seen.tasks) == 2)
    assert [each.progress for each in seen.tasks] == [10, 60]
    assert len(gate.asked) == 2, "what goes back is not looked up"


def test_pictures_that_cannot_be_read_are_not_taken(gate, served, seen, soon):
    """The task is not remembered as told, so that a delivery that can be read still counts."""
    token = new_token()
    client = Client(**gate.settings("ark"))
    receiver = Receiver(client, token=token, **seen.hooks)
    url = callback_url(served(App(receiver)), token)
    told = {"id": "cgt-1", "status": "succeeded"}
    for pictures, status in ((5, 400), ([{"url": "https://c.example/x.png"}], 200)):
        gate.answer({**told, "data": pictures})
        assert httpx.post(url, json=told).status_code == status
    assert soon(lambda: seen.images)
    assert (receiver.counts.refused, receiver.counts.news) == (1, 1)


def test_pictures_of_a_task_are_waited_for_by_their_webhook(films, clock, listen, seen, wait, soon):
    """R004-34, R004-35: the kind of task is what its result has."""
    receiver, url = listen("seedance2api")
    extra = {"webhook_url": url, "num_images": 2}
    made = films.create_images(
        model="seedream-4.5", prompt="A city", wait_timeout=0, extra_body=extra
    )
    assert made.status == "queued"
    clock.advance(3)
    found = wait(receiver, made, 600.0)
    assert (len(found.images), all(each.url for each in found.images)) == (2, True)
    assert soon(lambda: seen.images)
    assert [each.task_id for each in seen.images] == [made.task_id]
    assert seen.statuses[-1] == "succeeded"


def test_who_watches_a_film_learns_of_it_by_its_webhook(films, clock, served):
    """R004-35: with ten minutes between look-ups, only the delivery can be how it knows."""
    token = new_token()
    receiver = Receiver(films, token=token, wakes=poller_of(films))
    url = callback_url(served(App(receiver)), token)
    made = films.create_video(**FILM, callback_url=url)
    states = poller_of(films).watch(made.id, poll_interval=600.0)
    assert next(states).status == "queued"
    clock.advance(3)
    assert [each.status for each in states][-1] == "succeeded"
