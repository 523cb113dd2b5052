"""Providers: a module here with a ``GATEWAYS`` tuple is found; there is no list to edit.

Other packages add theirs by an entry point of the group ``doubao.gateways`` that names a
:class:`Gateway`. A gateway is data and pure functions; it never knows the client.
"""

from __future__ import annotations

import functools
import importlib
import logging
import pkgutil
from typing import TYPE_CHECKING, Any

from doubao_core.errors import ConfigError, UnsupportedOperation
from doubao_core.gateways.gateway import Gateway, Route, Webhook, bearer, key_header

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint, EntryPoints

_LOG = logging.getLogger(__name__)
_ADDED: dict[str, Gateway] = {}
__all__ = [
    "Gateway",
    "Route",
    "Webhook",
    "add",
    "bearer",
    "check",
    "gateway",
    "key_header",
    "known",
    "route",
]


def _modules() -> dict[str, Gateway]:
    found: dict[str, Gateway] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        gateways = getattr(importlib.import_module(module.name), "GATEWAYS", ())
        found.update({each.name: each for each in gateways})
    return found


@functools.cache
def known() -> dict[str, Gateway]:
    """Every provider by name: this package's modules, what was added, then entry points."""
    plugins: dict[str, Gateway] = {}
    for entry in _plugins():
        try:
            plugin = _loaded(entry)
        except ConfigError as error:
            # Who asks for another provider has nothing to do with it.
            _LOG.warning("%s", error.message)
        else:
            plugins[plugin.name] = plugin
    return {**plugins, **_ADDED, **_OWN}


def add(provider: Gateway) -> None:
    """Make *provider* known by its name in this process, as an entry point does in every one.

    One of the same name that was added before is replaced; clients that were made keep theirs.

    Raises:
        ConfigError: The name is that of a provider of this package.
    """
    if provider.name in _OWN:
        raise ConfigError(
            f"provider {provider.name!r} is one of this package: give yours another name"
        )
    _ADDED[provider.name] = provider
    known.cache_clear()


def _loaded(entry: EntryPoint) -> Gateway:
    """Load another package's provider.

    Raises:
        ConfigError: It cannot be, for whatever reason.
    """
    try:
        plugin = entry.load()
    # An import runs anything, and so may fail with anything.
    except Exception as error:
        raise ConfigError(
            f"provider {entry.name!r} of another package cannot be loaded "
            f"({type(error).__name__}: {error}): repair or remove that package"
        ) from error
    if not isinstance(plugin, Gateway):
        raise ConfigError(
            f"provider {entry.name!r} of another package is a {type(plugin).__name__}: its entry "
            "point must name a Gateway"
        )
    return plugin


def _plugins() -> EntryPoints:
    from importlib.metadata import entry_points

    return entry_points(group="doubao.gateways")


def gateway(name: str) -> Gateway:
    """Find a provider by name; an unknown one is an error that lists the known ones."""
    # Reading every package's entry points takes milliseconds, so only an unusual name does it.
    found = _OWN.get(name) or known().get(name)
    if found is None:
        for entry in _plugins():
            if entry.name == name:
                return _loaded(entry)
        names = ", ".join(repr(each) for each in sorted(known()))
        raise ConfigError(f"unknown provider {name!r}; known are {names}")
    return found


def route(provider: Gateway, operation: str) -> Route:
    """Find how *provider* does *operation*; if it cannot, say which providers can."""
    try:
        return provider.routes[operation]
    except KeyError:
        able = sorted(each.name for each in known().values() if operation in each.routes)
        raise UnsupportedOperation(
            f"provider {provider.name!r} does not offer {operation}; "
            f"{', '.join(able) or 'no known provider'} {'do' if len(able) > 1 else 'does'}",
            gateway=provider.name,
            operation=operation,
        ) from None


def check(provider: Gateway, operation: str, fields: Mapping[str, Any]) -> None:
    """Refuse *fields* of Ark's with something that *provider* has nothing for; say which can."""
    lacking = provider.routes[operation].lacking(fields)
    if lacking is None:
        return
    able = sorted(
        each.name
        for each in known().values()
        if operation in each.routes and lacking not in each.routes[operation].lacks
    )
    raise UnsupportedOperation(
        f"provider {provider.name!r} has nothing for {lacking} in {operation}: leave it out; "
        f"{', '.join(able) or 'no known provider'} can have it",
        gateway=provider.name,
        operation=operation,
        param=lacking.partition("=")[0],
    )


# At the end, because the modules import this package; at import, because making a client must
# read no files.
_OWN = _modules()
