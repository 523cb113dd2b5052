"""Gates of one account whose time is a number, and what counts requests in flight."""

from __future__ import annotations

import asyncio
import sys
import threading
from types import SimpleNamespace

import pytest

from doubao_core import Plan
from doubao_core.pacing.gate import Gate
from doubao_core.pacing.records import record


@pytest.fixture(params=["memory", "sqlite"])
def url(request, tmp_path):
    """Where a plan is counted."""
    return None if request.param == "memory" else f"sqlite:///{tmp_path}/plans.db"


class Wall:
    """Unix seconds that a test sets, and what happens whenever it lets some pass."""

    def __init__(self):
        self.now = 1_790_000_000.0
        self.meanwhile = lambda: None

    def __call__(self):
        return self.now


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def make_gate(url, wall, request):
    """Make gates of one account."""

    def make(**limits):
        return Gate(Plan(url=url, **limits), record(url, request.node.nodeid), wall)

    return make


@pytest.fixture
def sleeps(wall, monkeypatch):
    """Sleep by moving the clock, in both drivers."""
    slept = []
    here, real = threading.get_ident(), asyncio.sleep

    def sleep(seconds):
        slept.append(seconds)
        wall.now += seconds
        wall.meanwhile()

    async def nap(seconds, result=None):
        if threading.get_ident() != here:
            # The loop of an emulator that another test needed.
            return await real(seconds, result)
        sleep(seconds)
        return await real(0, result)

    # The package has a function of the module's name.
    monkeypatch.setattr(sys.modules[Gate.__module__], "time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(asyncio, "sleep", nap)
    return slept


class Flight:
    """Counts what is in flight, and the most that ever was."""

    def __init__(self):
        self.now = self.most = 0
        self._lock = threading.Lock()

    def begin(self):
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def end(self):
        with self._lock:
            self.now -= 1


@pytest.fixture
def flight():
    """Count what is in flight."""
    return Flight()
