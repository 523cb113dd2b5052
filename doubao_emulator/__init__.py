"""A local server that speaks Volcengine Ark's protocol, for tests, demos and recordings.

It never reaches another host and is never to be mistaken for the real service: its answers are
deterministic, its media is marked, and each response carries `x-doubao-emulator`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doubao_emulator.clock import Clock, ManualClock, SystemClock
from doubao_emulator.progress import AfterReads, AfterSeconds, Immediate, Progress
from doubao_emulator.version import VERSION

if TYPE_CHECKING:
    from doubao_emulator.server import Emulator, shared_base_url

__version__ = VERSION

__all__ = [
    "AfterReads",
    "AfterSeconds",
    "Clock",
    "Emulator",
    "Immediate",
    "ManualClock",
    "Progress",
    "SystemClock",
    "__version__",
    "shared_base_url",
]


def __getattr__(name: str) -> object:
    """Import the server only when it is asked for: it needs the extra ``emulator``."""
    if name not in {"Emulator", "shared_base_url"}:
        raise AttributeError(f"module 'doubao_emulator' has no attribute {name!r}")
    try:
        # Not at the top, so that the package can say which extra is missing.
        from doubao_emulator import server  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("doubao_emulator"):
            raise
        raise ImportError(
            f"doubao_emulator needs {error.name}; install its extra: "
            'pip install ".[emulator]" in the folder of doubao-integrations.'
        ) from error
    return getattr(server, name)
