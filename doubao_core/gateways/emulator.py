"""The local emulator: Ark's protocol on this machine, for trying and testing without a key.

It is found by the entry point group ``doubao.emulator``, by name only: core never imports it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from doubao_core.errors import ConfigError, install_hint
from doubao_core.gateways.ark import ARK

_MISSING = (
    f'provider="emulator" needs the extra "emulator": {install_hint("emulator")}, '
    "or pass base_url= of one that runs"
)


@functools.cache
def _starter() -> Callable[[], str]:
    from importlib.metadata import entry_points

    for entry in entry_points(group="doubao.emulator"):
        try:
            start: Callable[[], str] = entry.load()
        except ImportError as error:
            raise ConfigError(_MISSING) from error
        return start
    raise ConfigError(_MISSING)


def _launch() -> str:
    return _starter()()


GATEWAYS = (
    ARK.but(name="emulator", title="Local emulator", base_url=None, key_env=(), launch=_launch),
)
