"""Named, scripted faults: which exist, and the registry that says when one strikes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeAlias

Params: TypeAlias = Mapping[str, object]

MEDIA_PREFIX = "/media/"

# Every fault and the parameters it takes besides `times` and `path`.
PARAMETERS: dict[str, frozenset[str]] = {
    # Below HTTP: the connection itself dies or hangs.
    "reset_before_answer": frozenset(),
    "hang": frozenset(),
    "lost_answer": frozenset(),
    "reset_mid_stream": frozenset({"after_events"}),
    "truncated_stream": frozenset({"after_events", "cut"}),
    "stall": frozenset({"after_events"}),
    # In the answer's bytes.
    "error_mid_stream": frozenset({"after_events", "code", "message"}),
    "malformed_json": frozenset({"after_events"}),
    # Ark's own error answers.
    "rate_limit": frozenset({"retry_after", "code"}),
    "quota": frozenset({"code"}),
    "server_error": frozenset({"status"}),
    "model_not_open": frozenset(),
    # Inside a successful answer; asked for by the image and video handlers.
    "task_failed": frozenset({"code", "message"}),
    "group_image_failed": frozenset({"index", "code", "message"}),
    # In what a gateway posts to a webhook: all of it twice, or the last first, once all is known.
    # Struck when the task is created.
    "webhook_twice": frozenset(),
    "webhook_backwards": frozenset(),
    # In the list of tasks: the youngest are missing, or what the caller marked them with.
    "list_lag": frozenset({"seconds"}),
    "list_without_marks": frozenset(),
    # In a gateway that keeps results apart: a task has ended, and its result is not there yet.
    "result_lag": frozenset(),
}


@dataclass(eq=False, slots=True)
class Fault:
    """One armed fault; identity matters, so that removing it removes this one."""

    name: str
    path: str | None = None
    times: int | None = None
    params: dict[str, object] = field(default_factory=dict)
    released: Future[None] = field(default_factory=Future, repr=False)

    def applies(self, path: str) -> bool:
        """Say whether it may still strike a request to `path`.

        Downloads of rendered media are struck only by faults whose `path` names them.
        """
        if self.path is None:
            return self.times != 0 and not path.startswith(MEDIA_PREFIX)
        return self.times != 0 and self.path in path

    def number(self, name: str, default: int) -> int:
        """Return a parameter that counts something."""
        value = self.params.get(name, default)
        return value if isinstance(value, int) else default

    def text(self, name: str, default: str) -> str:
        """Return a parameter that is a text."""
        value = self.params.get(name, default)
        return value if isinstance(value, str) else default

    def release(self) -> None:
        """Let go of every answer this fault holds up; harmless when repeated."""
        if not self.released.done():
            self.released.set_result(None)


class Faults:
    """The armed faults; safe to use from the test's thread and the server's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[Fault] = []

    def arm(
        self, name: str, *, times: int | None = None, path: str | None = None, **params: object
    ) -> Fault:
        """Arm fault `name`.

        Args:
            name: One of the keys of `PARAMETERS`.
            times: How often it strikes; without limit when None.
            path: Strike only requests whose path contains this text.
            **params: What the fault takes, see `PARAMETERS`.

        Raises:
            ValueError: For an unknown fault or parameter, or a negative `times`.
        """
        if name not in PARAMETERS:
            raise ValueError(f"No fault is called {name!r}; choose from {sorted(PARAMETERS)}.")
        unknown = params.keys() - PARAMETERS[name]
        if unknown:
            known = sorted(PARAMETERS[name] | {"times", "path"})
            raise ValueError(f"Fault {name!r} does not take {sorted(unknown)}; it takes {known}.")
        if times is not None and times < 1:
            raise ValueError(f"Fault {name!r} cannot strike {times!r} times; give 1 or more.")
        fault = Fault(name=name, path=path, times=times, params=params)
        with self._lock:
            self._armed.append(fault)
        return fault

    def disarm(self, fault: Fault) -> None:
        """Remove `fault` and release what it holds; nothing happens when it is gone already."""
        with self._lock:
            self._armed = [armed for armed in self._armed if armed is not fault]
        fault.release()

    def clear(self) -> None:
        """Remove every fault and release what they hold."""
        with self._lock:
            removed, self._armed = self._armed, []
        for fault in removed:
            fault.release()

    def strike(self, name: str, path: str) -> Fault | None:
        """Use up one strike of fault `name` for a request to `path`, and return the fault."""
        with self._lock:
            for fault in self._armed:
                if fault.name == name and fault.applies(path):
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def take(self, name: str, path: str) -> Params | None:
        """Use up one strike of fault `name` for a request to `path`.

        Returns:
            The parameters of the fault, or None when it does not strike.
        """
        fault = self.strike(name, path)
        return None if fault is None else dict(fault.params)
