"""Staying below limits: pacing before each request, a shared pause after a refusal, whole plans.

:class:`RateLimit` is the pace of one model, evenly, per minute; :func:`pacer` makes what keeps to
it. :class:`Plan` is what an account may do in all, per minute, hour and day, at once, in jobs and
in credits; :func:`gate` makes what keeps to that. A :class:`Toll` takes one request through both.
Within a process everything that names the same limit shares it; with a ``url`` so do processes and
machines.
The arithmetic of a pace (GCRA) and its Redis store are pyrate-limiter's.
"""

from doubao_core.pacing.gate import Gate, gate
from doubao_core.pacing.limit import RateLimit
from doubao_core.pacing.pacer import Pacer, pacer
from doubao_core.pacing.plan import Plan
from doubao_core.pacing.toll import ANNOUNCED, FREE, Toll, is_paid

__all__ = [
    "ANNOUNCED",
    "FREE",
    "Gate",
    "Pacer",
    "Plan",
    "RateLimit",
    "Toll",
    "gate",
    "is_paid",
    "pacer",
]
