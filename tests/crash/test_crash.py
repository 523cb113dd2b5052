"""``kill -9`` at every point of a job's life: nothing is paid twice, and nothing paid is lost.

The cases, and what happens in each, are data: ``cases.toml``.
"""

from __future__ import annotations

import json
import tomllib
from contextlib import ExitStack
from pathlib import Path

import pytest

from doubao_core import AmbiguousSubmit, JobFailed
from doubao_core.studio import ImageOrder, ImageResult, VideoOrder
from doubao_emulator import AfterReads
from doubao_emulator.video_tasks import Task

CASES = tomllib.loads((Path(__file__).parent / "cases.toml").read_text(encoding="utf-8"))["case"]
PAID = "generations"
KILLED = -9
ENDINGS = {"held": AmbiguousSubmit, "failed": JobFailed}
ORDERS = {"film": VideoOrder, "pictures": ImageOrder}


def arm(stack, emulator, faults):
    for fault in faults:
        options = {"path": PAID, **fault}
        stack.enter_context(emulator.fault(options.pop("name"), **options))


def first_process(case, site, kill, wait_for, end):
    """Let a process work on the job until it dies or ends; gives its code."""
    options = {"calls": case.get("calls", "run"), "dies": case.get("dies")}
    if case.get("ledger") == "read-only":
        with site.jobs() as jobs:
            assert jobs.list() == []
        options["ledger"] = site.read_only
    if "killed" not in case:
        code, out, err = end(site.start(case["order"], **options))
        assert not err or code == KILLED, err
        return code, out
    with site.emulator.fault(case["killed"], path=PAID, times=1):
        process = site.start(case["order"], **options)
        wait_for(site.creates)
        if case["killed"] == "stall":
            wait_for(lambda: site.emulator.world.table(Task))
        kill(process)
    return process.returncode, ""


def state(site):
    with site.jobs() as jobs:
        found = jobs.list()
    return found[0].state.value if found else "none"


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_nothing_is_paid_twice_and_nothing_is_lost(case, site, kill, wait_for, end, monkeypatch):
    emulator = site.emulator
    if case.get("tasks") == "reads":
        monkeypatch.setattr(emulator.world, "progress", AfterReads(2))
    with ExitStack() as faults:
        arm(faults, emulator, case.get("faults", ()))
        code, out = first_process(case, site, kill, wait_for, end)
    dies = "dies" in case or "killed" in case
    assert (code == KILLED) == dies, out
    assert state(site) == case["left"]
    before = {file: file.read_bytes() for file in site.files()}

    with ExitStack() as faults:
        arm(faults, emulator, case.get("later", ()))
        code, out, err = end(site.resume(case.get("patience", 0)))
    assert not err
    assert code == {"held": 4, "failed": 1}.get(case["resumed"], 0)
    assert state(site) == case["resumed"]
    for job in json.loads(out):
        assert job["state"] == case["resumed"]
        assert not job["problem"]

    ask_again(case, site)
    assert site.creates() == case["creates"]
    assert site.downloads() == case.get("downloads", site.downloads())
    assert len(site.files()) == case["files"]
    # Nothing half is left, either.
    assert not list(site.results.glob(".partial-*"))
    assert all(file.read_bytes() == content for file, content in before.items())


def ask_again(case, site):
    """Ask for the same key in this process: the result, or why there is none, and no payment."""
    order = ORDERS[case["order"]].from_request(site.requests[case["order"]])
    with site.jobs() as jobs:
        if ending := ENDINGS.get(case["resumed"]):
            for _ in range(2):
                with pytest.raises(ending):
                    list(jobs.run(order, key="scene"))
            return
        *_, result = jobs.run(order, key="scene")
        *_, again = jobs.run(order, key="scene")
    assert again == result
    places = [each.path for each in result.saved] if isinstance(result, ImageResult) else []
    assert site.files() == sorted(places or [result.path])
