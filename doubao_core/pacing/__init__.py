"""Staying below a rate limit: pacing before each request, and a shared pause after a refusal.

:class:`RateLimit` says what the account may do, :func:`pacer` makes what keeps to it, and a
:class:`Toll` takes one request through it. Within a
process everything that names the same limit shares one pacer; with a ``url`` so do processes and
machines. The arithmetic (GCRA) and the Redis store are pyrate-limiter's.
"""

from doubao_core.pacing.limit import RateLimit
from doubao_core.pacing.pacer import Pacer, pacer
from doubao_core.pacing.toll import FREE, Toll

__all__ = ["FREE", "Pacer", "RateLimit", "Toll", "pacer"]
