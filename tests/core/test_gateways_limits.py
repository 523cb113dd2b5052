"""What a page prints as the limits of a field: of all models, or of single ones."""

from __future__ import annotations

import pytest

from doubao_core.gateways.limits import Limit, broken


@pytest.mark.parametrize(
    ("value", "model", "said"),
    [
        (5, "short", "is 5, and known are 4, 8, 12"),
        (8, "short", None),
        (31, "short", "is 31, and known are 4, 8, 12"),
        (31, "another", "is 31, above 30"),
        (31, None, "is 31, above 30"),
        (31, ["odd"], "is 31, above 30"),
    ],
)
def test_a_limit_may_be_another_for_single_models(value, model, said):
    limit = Limit(high=30, models={"short": Limit(choices=frozenset({12, 4, 8}))})
    body = {"seconds": value, **({} if model is None else {"model": model})}
    told = [] if said is None else [f"seconds {said}"]
    assert list(broken({"seconds": limit}, body)) == told
