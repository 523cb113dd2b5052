"""What is posted to a task's callback URL, and what is not (ark.md 15.5)."""

import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from doubao_emulator import AfterReads


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


def test_every_change_of_state_is_posted_as_get_shows_it(server, tasks, hook, submit):
    task_id = submit(tasks, callback_url=hook.url)
    wait(hook, 3)
    assert [path for path, _ in hook.posts] == ["/hook?x=1"] * 3
    assert [body["status"] for _, body in hook.posts] == ["queued", "running", "succeeded"]
    shown = httpx.get(
        f"{server.base_url}/contents/generations/tasks/{task_id}",
        headers={"Authorization": "Bearer a key"},
    )
    assert hook.posts[-1][1] == shown.json()


def test_a_failure_that_is_not_acknowledged_is_posted_three_times(
    server, tasks, hook, caplog, submit
):
    hook.answers[:] = [200, 200, 500, 500, 500]
    with server.fault("task_failed"), caplog.at_level(logging.WARNING, "doubao_emulator"):
        submit(tasks, callback_url=hook.url)
        wait(hook, 5)
    assert [body["status"] for _, body in hook.posts][2:] == ["failed"] * 3
    assert not hook.arrived.acquire(timeout=0.05)


def test_an_acknowledged_try_is_the_last(tasks, hook, submit):
    hook.answers[:] = [200, 200, 500, 200]
    submit(tasks, callback_url=hook.url)
    wait(hook, 4)
    assert not hook.arrived.acquire(timeout=0.05)


def test_a_cancelled_task_is_not_posted(server, tasks, hook, submit):
    server.world.progress = AfterReads(2)
    task_id = submit(tasks, callback_url=hook.url)
    wait(hook, 1)
    tasks.delete(task_id=task_id)
    assert not hook.arrived.acquire(timeout=0.1)


def test_another_host_is_never_called_and_the_log_says_so(tasks, caplog, submit):
    with caplog.at_level(logging.WARNING, "doubao_emulator"):
        task_id = submit(tasks, callback_url="https://example.com/hook?token=secret")
        assert tasks.get(task_id=task_id).status == "succeeded"
    assert "not reported to host example.com" in caplog.text
    assert "secret" not in caplog.text
