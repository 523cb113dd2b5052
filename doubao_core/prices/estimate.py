"""What a request costs: before it is made from the request, and after from the answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Self, TypeAlias

from doubao_core.prices import films, pictures
from doubao_core.prices.forecast import Case, Forecast, of_family
from doubao_core.prices.table import EMULATOR, Price, Prices, Unit, published

PriceTable: TypeAlias = "Prices | Mapping[str, Any] | Sequence[Any] | str | Path"
"""A user's own prices: see :meth:`Prices.read`."""

_SMALLEST = Decimal("0.0001")
# More than any answer has: a count that is larger is none.
_MOST_PICTURES = 1000
_EMULATED = "the emulator charges nothing: this is what it stands for"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a request costs or has cost, by a list price: no bill.

    Attributes:
        model: The model that is charged.
        tokens: Tokens by which it is counted; ``None`` if that is not known.
        amount: Money, or ``None`` if there is no price for it.
        currency: Of the amount, such as ``"CNY"``.
        at_most: Whether it is an upper limit, because the request leaves something open.
        unit_price: What one unit costs.
        per: The unit.
        source: Where the price was read.
        date: When it was valid there.
        note: What the amount does not say.
    """

    model: str
    tokens: int | None = None
    amount: Decimal | None = None
    currency: str | None = None
    at_most: bool = False
    unit_price: Decimal | None = None
    per: Unit | None = None
    source: str | None = None
    date: dt.date | None = None
    note: str = ""

    @property
    def text(self) -> str:
        """All of it in a sentence without an end."""
        limit = "at most " if self.at_most else ""
        counted = "" if self.tokens is None else f"{limit}{self.tokens:,} tokens"
        if self.amount is None:
            return "; ".join(filter(None, (f"price unknown, {self.note}", counted)))
        paid = f"{limit}{money(self.amount, self.currency)}"
        day = f" of {self.date}" if self.date else ""
        rate = f"{self.unit_price} {self.currency} per {self.per}, list price{day}"
        return "; ".join(filter(None, (paid, counted, rate, self.note)))

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON has it; amounts as text."""
        return {
            "model": self.model,
            "tokens": self.tokens,
            "amount": None if self.amount is None else str(self.amount),
            "currency": self.currency,
            "at_most": self.at_most,
            "unit_price": None if self.unit_price is None else str(self.unit_price),
            "per": self.per,
            "source": self.source,
            "date": None if self.date is None else self.date.isoformat(),
            "note": self.note,
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` gave."""
        read = dict(given)
        for name in ("amount", "unit_price"):
            read[name] = None if read.get(name) is None else Decimal(read[name])
        day = read.get("date")
        read["date"] = None if day is None else dt.date.fromisoformat(str(day))
        return cls(**read)


def money(amount: Decimal, currency: str | None) -> str:
    """Write an amount for people: four places at most."""
    rounded = f"{amount.quantize(_SMALLEST):f}"
    whole, _, part = rounded.partition(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')} {currency or ''}".rstrip()


def estimate(
    request: Mapping[str, Any],
    *,
    provider: str = "ark",
    prices: PriceTable | None = None,
    serves: str | None = None,
    watched: float | None = None,
) -> Estimate:
    """Count what *request* will cost.

    Prices change and were never checked against a bill; a price that is not in a table is unknown,
    and the text says so.

    Args:
        request: The body of a picture request or a video task (ark.md 14.1, 15.1).
        provider: Who is asked; the emulator stands for the cloud that has the model.
        prices: Your own table; where it has the model, the list prices are not looked at.
        serves: The model behind an endpoint (``ep-…``) that the request names.
        watched: Seconds of all films in the request together; the longest allowed if not given.
    """
    model = serves or str(request.get("model") or "")
    if is_film(request, model):
        forecast = films.forecast(request, model, watched)
    else:
        forecast = pictures.forecast(request, model)
    return _priced(model, forecast, provider, prices)


def cost(
    request: Mapping[str, Any],
    answer: Mapping[str, Any],
    *,
    provider: str = "ark",
    prices: PriceTable | None = None,
    serves: str | None = None,
) -> Estimate:
    """Count what *answer* has cost, by its ``usage``.

    Args:
        request: The request's body, as far as it is known: what it does not say is taken as the
            dearest.
        answer: The task or the answer as the service gave it; of pictures ``data`` with each
            ``size`` is of use (ark.md 14.2, 15.4).
        provider: Who was asked.
        prices: Your own table; where it has the model, the list prices are not looked at.
        serves: The model behind an endpoint.
    """
    model = serves or str(answer.get("model") or request.get("model") or "")
    usage = answer.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    if is_film({**answer, **request}, model):
        # The service repeats the settings as they really were.
        told = {name: value for name, value in answer.items() if value is not None}
        facts = films.price_facts({**request, **told, "content": request.get("content")}, model)
        counted = _counted(usage, "completion_tokens", "total_tokens")
        cases = [Case(tokens=counted, facts=facts)]
    else:
        cases = _picture_cases(request, answer, usage)
    return _priced(model, Forecast(cases=tuple(cases)), provider, prices, whole=True)


def is_film(request: Mapping[str, Any], model: str) -> bool:
    """Say whether *request* is a video task rather than a picture request."""
    return "content" in request or of_family("films", model) is not None


def _counted(usage: Mapping[str, Any], *names: str) -> int | None:
    """Give the first of *names* that is a count; what else an answer may hold is none."""
    counts = (usage.get(name) for name in names)
    return next((each for each in counts if type(each) is int and each >= 0), None)


def _picture_cases(
    request: Mapping[str, Any], answer: Mapping[str, Any], usage: Mapping[str, Any]
) -> list[Case]:
    made = _counted(usage, "generated_images")
    counted = _counted(usage, "output_tokens", "total_tokens")
    if made is None or made > _MOST_PICTURES:
        return [Case(tokens=counted, pictures=None)]
    inputs = _counted(usage, "input_images")
    if inputs is None:
        inputs = pictures.references(request)
    layers = pictures.layered(request)
    known = [pictures.pixels(each["size"]) for each in answer.get("data") or () if each.get("size")]
    if len(known) != made:
        alike = counted * pictures.PIXELS_PER_TOKEN if counted and made == 1 else None
        known = [alike] * made
    # A picture is a case of its own, because the price may depend on its size.
    cases = [Case(pictures=1, facts={"pixels": size, "layers": layers}) for size in known]
    first = Case(tokens=counted, pictures=0, inputs=inputs, facts={"layers": layers})
    return [first, *cases]


def _priced(
    model: str,
    forecast: Forecast,
    provider: str,
    given: PriceTable | None,
    *,
    whole: bool = False,
) -> Estimate:
    """Put prices to *forecast*: of its dearest case, or of all cases together if *whole*."""
    rows = Prices.read(given).of(provider, model) if given is not None else ()
    rows = rows or published().of(provider, model)
    priced = [_dearest(rows, case) for case in forecast.cases]
    counts = [case.tokens for case in forecast.cases if case.tokens is not None]
    tokens = max(counts, default=None)
    notes = [*forecast.notes, *([_EMULATED] if provider == EMULATOR and rows else [])]
    found = [each for each in priced if each is not None]
    if len(found) < len(priced) or not found:
        notes.insert(0, _unpriced(model, provider, rows, forecast))
        return Estimate(
            model=model, tokens=tokens, at_most=not forecast.certain, note="; ".join(notes)
        )
    amount, row, _ = max(found, key=lambda each: each[0])
    if whole:
        amount = sum((each[0] for each in found), Decimal(0))
    return Estimate(
        model=model,
        tokens=tokens,
        amount=amount,
        currency=row.currency,
        at_most=not forecast.certain or any(several for _, _, several in found),
        unit_price=row.amount,
        per=row.per,
        source=row.source,
        date=row.date,
        note="; ".join(notes),
    )


def _dearest(rows: Iterable[Price], case: Case) -> tuple[Decimal, Price, bool] | None:
    """Give the highest price that *case* may have, and whether it may have another."""
    fitting = [(row.of(case), row) for row in rows if row.holds(case.facts)]
    known = [(amount, row) for amount, row in fitting if amount is not None]
    if not known:
        return None
    amount, row = max(known, key=lambda each: each[0])
    return amount, row, any(other != amount for other, _ in known)


def _unpriced(model: str, provider: str, rows: Sequence[Price], forecast: Forecast) -> str:
    if not rows:
        return (
            f"no price of {model or 'the model'} at {provider} is in the table: give your own "
            "as prices="
        )
    if all(case.tokens is None for case in forecast.cases):
        return f"its tokens are not known for {model}"
    if any(case.pictures is None for case in forecast.cases):
        return f"the answer of {model} does not say how many pictures it made"
    return f"the table of {provider} has {model}, but not with these settings"
