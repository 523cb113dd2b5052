"""What an object may still spend: paid calls, seconds of film, money."""

from __future__ import annotations

import math
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Self

from doubao_core.errors import ConfigError, ConnectionFailed, RequestError
from doubao_core.prices import Prices, PriceTable, films, money
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


class _Spent:
    """What was spent so far, counted in one place for all who share it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.used = _Sum()
        self.currency: str | None = None

    def __getstate__(self) -> dict[str, Any]:
        # The count goes with a copy in another process; a lock cannot.
        return {**self.__dict__, "lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, lock=threading.Lock())


class Allowance:
    """What may be spent, shared by threads, event loops and copies in this process.

    What is counted is what an order may come to: its estimate, and the longest film that it allows.
    It is given back if the order was refused, so that nothing was paid.

    Args:
        most: How many paid calls; ``None`` for any number.
        max_cost: How much money by list prices, in the currency of the provider's prices. An order
            without a known price is refused then, and one with a price in another currency.
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
        self._most = _Sum(most, max_seconds, _amount(max_cost))
        self._spent = _Spent()
        # Read now: a table that is wrong must be found before anything is paid.
        self.prices = None if prices is None else Prices.read(prices)

    def limited(
        self,
        most: int | None = None,
        *,
        max_cost: Decimal | float | str | None = None,
        max_seconds: int | None = None,
        prices: PriceTable | None = None,
    ) -> Allowance:
        """Give an allowance with other limits on the same count; what this one spends, it spends.

        Seconds and money are counted while they are limited.

        Raises:
            ConfigError: See :class:`Allowance`.
        """
        other = Allowance(most, max_cost=max_cost, max_seconds=max_seconds, prices=prices)
        other._spent = self._spent
        return other

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

    def refusal(self, order: ImageOrder | VideoOrder, provider: str = "ark") -> ConfigError | None:
        """Say why *order* would be refused now, if it would be; nothing is taken."""
        try:
            asked = self._asked(order, provider)
            with self._spent.lock:
                self._check(asked)
        except ConfigError as error:
            return error
        return None

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
        spent = self._spent
        with spent.lock:
            spent.currency = spent.currency or price.currency
            if price.currency != spent.currency:
                raise ConfigError(
                    f"the limit on cost is spent in {spent.currency}, and this costs "
                    f"{price.currency}: the developer must give each provider its own limit"
                )
        return price.amount

    def _take(self, asked: _Sum) -> None:
        with self._spent.lock:
            self._check(asked)
            self._spent.used = _added(self._spent.used, asked, 1)

    def _give_back(self, asked: _Sum) -> None:
        with self._spent.lock:
            self._spent.used = _added(self._spent.used, asked, -1)

    def _check(self, asked: _Sum) -> None:
        most, used = self._most, self._spent.used
        sum_ = _added(used, asked, 1)
        if most.calls is not None and (sum_.calls or 0) > most.calls:
            often = "once" if most.calls == 1 else f"{most.calls} times"
            raise ConfigError(
                f"this tool may be used {often} at most, and no call is left: make do with what "
                "there is, or ask the user"
            )
        if most.seconds is not None and (sum_.seconds or 0) > most.seconds:
            left = most.seconds - (used.seconds or 0)
            raise ConfigError(
                f"this tool may make {most.seconds} seconds of video at most, {left} are left, and "
                f"this may have {asked.seconds}: make it shorter, or ask the user"
            )
        if most.money is not None and (sum_.money or 0) > most.money:
            left_over = most.money - (used.money or 0)
            limit, rest, price = (
                money(each, self._spent.currency)
                for each in (most.money, left_over, asked.money or Decimal(0))
            )
            raise ConfigError(
                f"this tool may spend {limit} at most, {rest} is left, and this may cost {price}: "
                "make something cheaper (smaller, shorter, fewer), or ask the user"
            )

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


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
    limits = video_model(order.model)
    longest = limits.seconds[1] if limits else None
    usual = limits.default_seconds if limits else -1
    lengths = _lengths(order.request()) or [usual]
    return max(each if each > 0 else _longest(order, longest) for each in lengths)


def _lengths(request: Mapping[str, Any]) -> list[int]:
    """Give the seconds that *request* names, -1 where the model or a draft chooses them."""
    if frames := request.get("frames"):
        # They beat the duration (ark.md 15.1).
        return [math.ceil(int(frames) / _FPS)]
    if any(each.get("type") == "draft_task" for each in request.get("content") or ()):
        return [-1]
    # A language model may write settings into the prompt, where the service finds them, too.
    written = films.said(request)
    frames_written = [films.whole(each) for each in written.get("frames", ())]
    lengths = [
        request.get("duration"),
        *(films.whole(each) for each in written.get("duration", ())),
        *(math.ceil(each / _FPS) for each in frames_written if each),
    ]
    return [each for each in lengths if each]


def _longest(order: VideoOrder, known: int | None) -> int:
    if known is None:
        raise ConfigError(
            f"there is a limit on seconds of video, and how long {order.model} makes it is not "
            "known: say the duration"
        )
    return known
