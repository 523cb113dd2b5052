"""List prices as data: ``prices.json``, where each has its source and date, and the user's own.

Prices change, differ by contract, and promotions are not in here. They were taken from public
copies of the vendors' price pages and never checked against a bill.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic_core import from_json

from doubao_core.errors import ConfigError
from doubao_core.prices.forecast import Case

Unit: TypeAlias = Literal["1M tokens", "image"]
EMULATOR = "emulator"
_MILLION = 1_000_000
_STRICT = ConfigDict(extra="forbid", frozen=True)


class Span(BaseModel):
    """A condition on a number: both ends are included."""

    model_config = _STRICT

    least: int = 0
    most: int | None = None

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.least <= value <= (self.most or value)


class Price(BaseModel):
    """What one unit costs.

    Attributes:
        provider: Whose price it is, as in ``provider=``.
        models: Ids that have it.
        per: The unit.
        amount: Money for one unit.
        currency: ISO 4217 code, such as ``"CNY"``.
        when: On what it depends: ``resolution``, ``input_video``, ``audio`` (whether the film has
            sound), ``tier`` (``default``, ``flex``), ``layers``, ``pixels`` of a picture. What is
            not named does not matter.
        per_input: Money for each picture that is given with a request, beyond ``free_inputs``.
        source: Where it was read.
        date: When it was valid there.
    """

    model_config = _STRICT

    provider: str
    models: tuple[str, ...]
    per: Unit
    amount: Annotated[Decimal, Field(ge=0)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    when: Mapping[
        Literal["resolution", "input_video", "audio", "tier", "layers", "pixels"],
        Span | tuple[bool | str, ...],
    ] = {}
    per_input: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    free_inputs: int = 0
    source: str = "the table that was given"
    date: dt.date | None = None

    def holds(self, facts: Mapping[str, Any]) -> bool:
        """Whether it can apply; a fact that is not known does not speak against it."""
        return all(
            facts.get(name) is None or facts[name] in allowed for name, allowed in self.when.items()
        )

    def of(self, case: Case) -> Decimal | None:
        """Money for *case*, or ``None`` if its units are not known."""
        if self.per == "image":
            if case.pictures is None:
                return None
            paid_inputs = max(0, case.inputs - self.free_inputs)
            return self.amount * case.pictures + self.per_input * paid_inputs
        return None if case.tokens is None else self.amount * case.tokens / _MILLION


_ROWS = TypeAdapter(tuple[Price, ...])


class Prices:
    """A price table.

    Args:
        rows: The prices.
    """

    def __init__(self, rows: Sequence[Price]) -> None:
        self.rows = tuple(rows)

    @classmethod
    def read(cls, given: Prices | Mapping[str, Any] | Sequence[Any] | str | Path) -> Self | Prices:
        """Read a user's table: rows with the fields of :class:`Price`, or a JSON file of them.

        A mapping may have ``source`` and ``date`` for all its rows, which are in ``prices``. Write
        amounts as text, such as ``"0.22"``.

        Raises:
            ConfigError: There is no such file, or a row is no price.
        """
        if isinstance(given, Prices):
            return given
        try:
            content: Any = given
            if isinstance(given, str | Path):
                content = from_json(Path(given).read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigError(f"the price table {str(given)!r} cannot be read: {error}") from error
        shared: dict[str, Any] = {}
        if isinstance(content, Mapping):
            shared = {name: value for name, value in content.items() if name != "prices"}
            content = content.get("prices", ())
        try:
            return cls(_ROWS.validate_python([{**shared, **row} for row in content]))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"the price table is wrong: {error}") from error

    def of(self, provider: str, model: str) -> tuple[Price, ...]:
        """Give the prices of *model*; for the emulator those of the cloud that has the model."""
        return tuple(
            row for row in self.rows if model in row.models and provider in {row.provider, EMULATOR}
        )


@cache
def published() -> Prices:
    """Give the list prices that come with this library, each with its source and date."""
    content = from_json(Path(__file__).with_name("prices.json").read_bytes())
    sources: Mapping[str, Mapping[str, str]] = content["sources"]
    return Prices(
        _ROWS.validate_python([{**row, **sources[row["source"]]} for row in content["prices"]])
    )
