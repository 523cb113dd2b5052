"""Tables: each row with everybody's figures and, below, how the goals for it were met."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from contestants import AIOHTTP, PEERS
from goals import GOALS, Bound, Goal
from measure import Row, quartiles


def text(row: Row) -> Iterator[str]:
    """Give the lines of one row: medians, quartiles, peers against ours, then the goals."""
    yield f"\n{row.title}"
    for name, samples in row.samples.items():
        low, middle, high = (_digits(value) for value in quartiles(samples))
        figure = f"{middle:>9} {row.unit:7} [{f'{low}–{high}':>15}]"
        yield f"  {name:28} {figure}  {_beside_ours(row, name)}".rstrip()
    for goal in GOALS:
        if goal.row == row.title:
            for bound in filter(None, goal.bounds):
                yield f"  {'→ ' + goal.what} {_who(bound)}: {_outcome(row, bound)}"


def _beside_ours(row: Row, name: str) -> str:
    """Say what a peer costs in ours, the same variant of both."""
    kind, comma, variant = name.partition(",")
    kind, plus, transport = kind.partition(AIOHTTP)
    ours = PEERS.get(kind, "") + plus + transport + comma + variant
    if ours not in row.samples or not all(row.samples[ours]):
        return ""
    return f"{_ratio(row.ratios(name, ours))} {PEERS[kind]}"


def markdown(rows: Mapping[str, Row]) -> str:
    """Give the README's table: every goal whose row was measured, with what came out."""
    heads = "`ChatDoubao`, `DoubaoEmbeddings` | `Doubao`, `DoubaoEmbedding`"
    lines = [f"| | {heads} |", "|---|---|---|"]
    for goal in GOALS:
        if (row := rows.get(goal.row)) is not None:
            cells = [_cell(row, bound) for bound in goal.bounds]
            lines.append(f"| {goal.what} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines) + "\n"


def unmet(rows: Mapping[str, Row]) -> list[str]:
    """Name the goals that were measured and not met."""
    return [
        f"{goal.what}, {bound.ours}: {_outcome(rows[goal.row], bound)}"
        for goal, bound in _measured(rows)
        if not _is_met(bound, _figures(rows[goal.row], bound))
    ]


def _measured(rows: Mapping[str, Row]) -> Iterator[tuple[Goal, Bound]]:
    for goal in GOALS:
        if goal.row in rows:
            for bound in filter(None, goal.bounds):
                yield goal, bound


def _figures(row: Row, bound: Bound) -> list[float]:
    """Give what the bound speaks of, for each round."""
    if bound.against is None:
        return row.samples[bound.ours]
    if bound.most is not None:
        return row.ratios(bound.ours, bound.against)
    return row.ratios(bound.against, bound.ours)


def _is_met(bound: Bound, figures: list[float]) -> bool:
    middle = quartiles(figures)[1]
    above = bound.least is None or middle >= bound.least
    return above and (bound.most is None or middle <= bound.most)


def _outcome(row: Row, bound: Bound) -> str:
    figures = _figures(row, bound)
    measured = _ratio(figures) if bound.against else _spread(figures)
    if bound.least is None and bound.most is None:
        return f"{measured}, no goal"
    asked = f"≥ {bound.least:g}" if bound.least is not None else f"≤ {bound.most:g}"
    verdict = "met" if _is_met(bound, figures) else "NOT MET"
    return f"{measured}, goal {asked}: {verdict}"


def _cell(row: Row, bound: Bound | None) -> str:
    return "–" if bound is None else f"{_against(bound)}{_outcome(row, bound)}"


def _against(bound: Bound) -> str:
    peer = bound.against if bound.against in PEERS else None
    return f"`{peer}` " if peer else ""


def _who(bound: Bound) -> str:
    if bound.against is None:
        return f"({bound.ours})"
    return (
        f"({bound.ours} ≤ {bound.against})" if bound.most else f"({bound.against} ÷ {bound.ours})"
    )


def _ratio(ratios: list[float]) -> str:
    low, middle, high = (_digits(value) for value in quartiles(ratios))
    return f"{middle} × ({low}–{high})"


def _spread(figures: list[float]) -> str:
    low, middle, high = (_digits(value) for value in quartiles(figures))
    return f"{middle} ({low}–{high})"


def _digits(value: float) -> str:
    """Write three digits that say something."""
    decimals = 0 if abs(value) >= 100 or value == 0 else 1 if abs(value) >= 2 else 2
    return f"{value:,.{decimals}f}"
