"""The look-ups of the poller: one task by its id, or many in one page of the list (ark.md 15.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from doubao_core.api.videos import VideoTask
from doubao_core.errors import UNREADABLE, DoubaoError
from doubao_core.gateways import normalise
from doubao_core.gateways.normalise import Rate
from doubao_core.operation import Flow, Operation, Repeat, Send

PATIENCE = 30.0
"""Seconds without a byte after which a look-up has failed: others wait for their turn."""
_FLEX = ("filter.service_tier", "flex")


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """What to ask for: the state of these tasks.

    Attributes:
        ids: Which tasks; a single one is asked for by its id.
        flex: Whether they are of the service tier ``flex``, which the list shows only when asked.
    """

    ids: tuple[str, ...]
    flex: bool = False

    @property
    def listed(self) -> bool:
        """Whether it is a page of the list."""
        return len(self.ids) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a look-up found.

    Attributes:
        tasks: The tasks that the answer has, by id.
        rate: What the headers say of the rate.
        at: The service's time, in unix seconds, if it says so.
    """

    tasks: Mapping[str, VideoTask]
    rate: Rate = field(default_factory=Rate)
    at: float | None = None


@Operation
def look_up(asked: LookUp) -> Flow[Answer]:
    """Do *asked*, once: the poller repeats what fails in its own time."""
    reply = yield _request(asked)
    raw = reply.json()
    if asked.listed:
        items = raw.get("items")
        # What is no list has none of the tasks: each is then asked for by its id.
        each = items if isinstance(items, list) else ()
        found = [task for item in each if (task := _read(item)) is not None]
    else:
        found = [VideoTask.parse(raw)]
    return Answer(
        tasks={task.id: task for task in found},
        rate=normalise.rate(reply.headers),
        at=_date(reply.headers.get("date", "")),
    )


def _request(asked: LookUp) -> Send:
    if not asked.listed:
        return Send(
            operation="videos.get",
            path={"task_id": asked.ids[0]},
            repeat=Repeat.NEVER,
            patience=PATIENCE,
        )
    query = [("page_num", "1"), ("page_size", str(len(asked.ids)))]
    query += [_FLEX] if asked.flex else []
    query += [("filter.task_ids", each) for each in asked.ids]
    return Send(operation="videos.list", query=tuple(query), repeat=Repeat.NEVER, patience=PATIENCE)


def _read(item: Any) -> VideoTask | None:
    """Read one task of a page; one that cannot be read must not hide the others."""
    try:
        return VideoTask.parse(item)
    except (DoubaoError, *UNREADABLE):
        # The look-up by its id, which follows for what is missing, says what is wrong with it.
        return None


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (OverflowError, ValueError):
        return None
