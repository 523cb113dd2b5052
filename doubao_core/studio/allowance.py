"""What an object may still spend: paid calls, seconds of film, money."""

from __future__ import annotations

import math
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Self

from doubao_core.errors import ConfigError, ConnectionFailed, RequestError
from doubao_core.prices import Prices, PriceTable, money
from doubao_core.studio.models import video_model
from doubao_core.studio.orders import ImageOrder, VideoOrder
from doubao_core.studio.pricing import Pricing

_FPS = 24


@dataclass(frozen=True, slots=True)
class _Sum:
    """An amount of each thing that is limited; ``None`` for no limit."""

    calls: int | None = 0
    seconds: int | None = 0
    money: Decimal | None = Decimal(0)


class Allowance:
    """What may be spent, shared by threads, event loops and copies in this process.

    What is counted is what an order may come to: its estimate, and the longest film that it allows.
    It is given back if the order was refused, so that nothing was paid.

    Args:
        most: How many paid calls; ``None`` for any number.
        max_cost: How much money by list prices, in the currency of the provider's prices. An order
            without a known price is refused then.
        max_seconds: How many seconds of film in all.
        prices: Your own price table, where the published list is not what you pay.

    Raises:
        ConfigError: A limit is negative or no number, or the price table cannot be read.
    """

    def __init__(
        self,
        most: int | None = None,
        *,
        max_cost: Decimal | float | str | None = None,
        max_seconds: int | None = None,
        prices: PriceTable | None = None,
    ) -> None:
        self._lock = threading.Lock()
        self._most = _Sum(most, max_seconds, _amount(max_cost))
        self._used = _Sum()
        # Read now: a table that is wrong must be found before anything is paid.
        self.prices = None if prices is None else Prices.read(prices)

    @contextmanager
    def spent(self, order: ImageOrder | VideoOrder, provider: str = "ark") -> Generator[None]:
        """Take what *order* may come to; give it back if it was refused.

        Raises:
            ConfigError: That is more than is left; nothing was sent.
        """
        asked = self._asked(order, provider)
        self._take(asked)
        try:
            yield
        except (ConfigError, ConnectionFailed, RequestError):
            self._give_back(asked)
            raise

    def _asked(self, order: ImageOrder | VideoOrder, provider: str) -> _Sum:
        asked = _Sum(calls=1)
        if self._most.seconds is not None and isinstance(order, VideoOrder):
            asked = replace(asked, seconds=_seconds(order))
        if self._most.money is not None:
            asked = replace(asked, money=self._price(order, provider))
        return asked

    def _price(self, order: ImageOrder | VideoOrder, provider: str) -> Decimal:
        price = Pricing(provider=provider, table=self.prices).estimate(order)
        if price.amount is None:
            raise ConfigError(
                f"there is a limit on cost, and what this costs is not known ({price.note}): the "
                "developer must give prices= for the model, or drop max_cost="
            )
        return price.amount

    def _take(self, asked: _Sum) -> None:
        with self._lock:
            self._check(asked)
            self._used = _added(self._used, asked, 1)

    def _give_back(self, asked: _Sum) -> None:
        with self._lock:
            self._used = _added(self._used, asked, -1)

    def _check(self, asked: _Sum) -> None:
        most, sum_ = self._most, _added(self._used, asked, 1)
        if most.calls is not None and (sum_.calls or 0) > most.calls:
            often = "once" if most.calls == 1 else f"{most.calls} times"
            raise ConfigError(
                f"this tool may be used {often} at most, and no call is left: make do with what "
                "there is, or ask the user"
            )
        if most.seconds is not None and (sum_.seconds or 0) > most.seconds:
            left = most.seconds - (self._used.seconds or 0)
            raise ConfigError(
                f"this tool may make {most.seconds} seconds of video at most, {left} are left, and "
                f"this may have {asked.seconds}: make it shorter, or ask the user"
            )
        if most.money is not None and (sum_.money or 0) > most.money:
            left_over = most.money - (self._used.money or 0)
            raise ConfigError(
                f"this tool may spend {money(most.money, None)} at most, "
                f"{money(left_over, None)} is left, and this may cost "
                f"{money(asked.money or Decimal(0), None)}: make something cheaper (smaller, "
                "shorter, fewer), or ask the user"
            )

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (_added(self._most, self._used, -1), self.prices)


def _remade(left: _Sum, prices: Prices | None) -> Allowance:
    return Allowance(left.calls, max_cost=left.money, max_seconds=left.seconds, prices=prices)


def _added(to: _Sum, more: _Sum, sign: int) -> _Sum:
    return _Sum(
        None if to.calls is None else to.calls + sign * (more.calls or 0),
        None if to.seconds is None else to.seconds + sign * (more.seconds or 0),
        None if to.money is None else to.money + sign * (more.money or 0),
    )


def _amount(max_cost: Decimal | float | str | None) -> Decimal | None:
    if max_cost is None:
        return None
    try:
        amount = Decimal(str(max_cost))
    except ArithmeticError as error:
        raise ConfigError(f"max_cost is no number: {max_cost!r}") from error
    if not amount.is_finite() or amount < 0:
        raise ConfigError(f"max_cost must be 0 or more, not {max_cost!r}")
    return amount


def _seconds(order: VideoOrder) -> int:
    """Count the longest film that *order* may make."""
    request = order.request()
    if frames := request.get("frames"):
        return math.ceil(int(frames) / _FPS)
    limits = video_model(order.model)
    if request["content"][0]["type"] == "draft_task":
        return _longest(order, limits.seconds[1] if limits else None)
    usual = limits.default_seconds if limits else -1
    duration = int(request.get("duration") or usual)
    return duration if duration > 0 else _longest(order, limits.seconds[1] if limits else None)


def _longest(order: VideoOrder, known: int | None) -> int:
    if known is None:
        raise ConfigError(
            f"there is a limit on seconds of video, and how long {order.model} makes it is not "
            "known: say the duration"
        )
    return known
