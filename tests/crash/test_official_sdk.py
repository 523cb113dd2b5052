"""The official SDK repeats a paid request whose outcome it does not know; we do not."""

from __future__ import annotations

from contextlib import suppress

import httpx
import pytest

pytest.importorskip("volcenginesdkarkruntime", reason="needs the group test")
from volcenginesdkarkruntime import Ark
from volcenginesdkarkruntime._exceptions import ArkAPIError

from doubao_core.jobs import Jobs
from doubao_core.studio import VideoOrder

PAID = "/contents/generations/tasks"
ORDER = VideoOrder(
    model="doubao-seedance-1-0-pro-250528",
    content=[{"type": "text", "text": "a lighthouse"}],
    options={"duration": 2, "resolution": "480p"},
)


def creates(emulator):
    return sum(each.method == "POST" and PAID in each.path for each in emulator.requests)


def tasks(emulator):
    with httpx.Client(base_url=emulator.base_url, headers={"authorization": "Bearer k"}) as http:
        return http.get(PAID, params={"page_size": 500}).json()["total"]


def by_the_sdk(emulator, tmp_path):
    with httpx.Client() as http:
        client = Ark(base_url=emulator.base_url, api_key="k", http_client=http)
        client._calculate_retry_timeout = lambda *_: 0
        with suppress(ArkAPIError):
            client.content_generation.tasks.create(**ORDER.request())


def by_jobs(emulator, tmp_path):
    where = {"ledger": f"sqlite:///{tmp_path}/jobs.sqlite3", "output_dir": tmp_path}
    with Jobs(base_url=emulator.base_url, api_key="k", max_retries=2, **where) as jobs:
        jobs.submit(ORDER)


@pytest.mark.parametrize(
    ("fault", "paid_by_the_sdk", "paid_by_us"),
    [("server_error", 0, 0), ("reset_before_answer", 0, 0), ("lost_answer", 3, 1)],
)
def test_three_creates_and_one(emulator, tmp_path, fault, paid_by_the_sdk, paid_by_us):
    """Sent on the wire, and tasks that exist and cost money afterwards."""
    found = {}
    for name, send in {"the SDK": by_the_sdk, "jobs": by_jobs}.items():
        emulator.reset()
        with emulator.fault(fault, path=PAID):
            send(emulator, tmp_path)
            sent = creates(emulator)
        found[name] = (sent, tasks(emulator))
    assert found == {"the SDK": (3, paid_by_the_sdk), "jobs": (1, paid_by_us)}
