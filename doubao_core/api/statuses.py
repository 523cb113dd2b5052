"""A word in the log about a task's status that is none of those known (ark.md 15.4)."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import Any

from doubao_core.operation import ENDED

_KNOWN = ENDED | {"queued", "running"}
_LONGEST = 200
_LOG = logging.getLogger("doubao_core")


def note(task: str, status: str, raw: Mapping[str, Any]) -> None:
    """Log the status of a task if nobody knew it, once however often it is looked up.

    It is neither a success nor a failure: who waits waits on (gateways.md 2.1).

    Args:
        task: What it is the status of, such as ``"video task cgt-1"``.
        status: The status, in our words if the provider has its own.
        raw: The answer, with the provider's word in ``native_status`` if it was another.
    """
    if status not in _KNOWN:
        _note_once(task[:_LONGEST], str(raw.get("native_status") or status)[:_LONGEST])


# The cache is the memory of what was said: of the last thousands of tasks, in this process.
@functools.lru_cache(maxsize=4096)
def _note_once(task: str, native: str) -> None:
    _LOG.warning("%s has the unknown status %r: it is taken for one that goes on", task, native)
