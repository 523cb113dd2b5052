"""How many generation tasks of a key are not finished yet, where a limit of those is in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator.exchange import Exchange
    from doubao_emulator.state import World


def check(world: World, exchange: Exchange) -> None:
    """Say whether the key of a request may begin one more task.

    Raises:
        ArkError: 429, because it has as many unfinished ones as the limit allows.
    """
    if world.rate_limit is not None:
        world.rate_limit.check_jobs(exchange.key, exchange.decoded)


def follow(world: World, exchange: Exchange, goes_on: Callable[[], bool]) -> None:
    """Count the task that a request has begun, for as long as `goes_on` says so."""
    if world.rate_limit is not None:
        world.rate_limit.follow_job(exchange.key, goes_on)
