"""Providers: each is one module with a ``GATEWAY``, found by itself; there is no list to edit.

Other packages add theirs by an entry point of the group ``doubao.gateways`` that names a
:class:`Gateway`. A gateway is data and pure functions; it never knows the client.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from importlib.metadata import entry_points

from doubao_core.errors import ConfigError, UnsupportedOperation
from doubao_core.gateways.gateway import Gateway, Route, bearer

__all__ = ["Gateway", "Route", "bearer", "gateway", "known", "route"]


@functools.cache
def known() -> dict[str, Gateway]:
    """Every provider by name: this package's modules, then other packages' entry points."""
    found: dict[str, Gateway] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        gateways = getattr(importlib.import_module(module.name), "GATEWAYS", ())
        found.update({each.name: each for each in gateways})
    for entry in entry_points(group="doubao.gateways"):
        plugin: Gateway = entry.load()
        found.setdefault(plugin.name, plugin)
    return found


def gateway(name: str) -> Gateway:
    """Find a provider by name; an unknown one is an error that lists the known ones."""
    try:
        return known()[name]
    except KeyError:
        names = ", ".join(repr(each) for each in sorted(known()))
        raise ConfigError(f"unknown provider {name!r}; known are {names}") from None


def route(provider: Gateway, operation: str) -> Route:
    """Find how *provider* does *operation*; if it cannot, say which providers can."""
    try:
        return provider.routes[operation]
    except KeyError:
        able = sorted(each.name for each in known().values() if operation in each.routes)
        raise UnsupportedOperation(
            f"provider {provider.name!r} does not offer {operation}; "
            f"{', '.join(able) or 'no known provider'} does",
            gateway=provider.name,
            operation=operation,
        ) from None
