"""What an order is to cost, and what it came to, with one provider's prices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from doubao_core import prices
from doubao_core.prices import Estimate, PriceTable
from doubao_core.studio.orders import ImageOrder, VideoOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Pricing:
    """Prices of one provider.

    Attributes:
        provider: Who is paid.
        table: A developer's own prices; ``None`` for the published ones.
    """

    provider: str
    table: PriceTable | None = None

    def estimate(self, order: ImageOrder | VideoOrder) -> Estimate:
        """Count what *order* will cost."""
        request = order.request()
        return _counted(
            order.model,
            lambda: prices.estimate(request, provider=self.provider, prices=self.table),
        )

    def left_open(self, order: ImageOrder | VideoOrder) -> dict[str, Any]:
        """Say which length and resolution the estimate takes, where *order* says neither."""
        return {} if isinstance(order, ImageOrder) else prices.usual(order.request())

    def cost(self, order: ImageOrder | VideoOrder | None, answer: Mapping[str, Any]) -> Estimate:
        """Count what *answer* has cost; without its *order*, by what the answer says."""
        request = order.request() if order else {}
        return _counted(
            order.model if order else str(answer.get("model") or ""),
            lambda: prices.cost(request, answer, provider=self.provider, prices=self.table),
        )


def _counted(model: str, count: Callable[[], Estimate]) -> Estimate:
    try:
        return count()
    # A setting or an answer that is not as it should be must not lose what was paid for.
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        return Estimate(model=model, note=f"it cannot be counted ({type(error).__name__})")
