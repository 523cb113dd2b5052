"""What pictures and films cost: tokens exactly, money by list prices (ark.md 14.2, 15.3, 15.4).

:func:`estimate` before a request, :func:`cost` after its answer. The list prices are data with
source and date (``prices.json``). Prices change and were never checked against a bill: give your
own table for what you really pay. What is not in a table is unknown and said to be so.
"""

from doubao_core.prices.estimate import Estimate, PriceTable, cost, estimate, money
from doubao_core.prices.films import usual
from doubao_core.prices.table import Price, Prices, published

__all__ = [
    "Estimate",
    "Price",
    "PriceTable",
    "Prices",
    "cost",
    "estimate",
    "money",
    "published",
    "usual",
]
