"""The gateways' dialects: a module here with a `DIALECT` is found; there is no list to edit.

Each is mounted at a path of its own and reads the gateway's published page a second time: nothing
is shared with the clients that are tested here.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doubao_emulator.dialects.dialect import Dialect


@functools.cache
def known() -> Mapping[str, Dialect]:
    """Return every dialect by name."""
    found: dict[str, Dialect] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        dialect = getattr(importlib.import_module(module.name), "DIALECT", None)
        if dialect is not None:
            found[dialect.name] = dialect
    return found


def of(path: str) -> Dialect | None:
    """Return the dialect that is spoken at `path`; None where Ark's own is."""
    first = path.split("/", 2)[1] if path.startswith("/") else ""
    return known().get(first)
