"""Watching many video tasks with few requests: one poller for all who wait on a client.

:func:`poller_of` gives it. Pure parts: ``schedule`` (when to look again), ``board`` (who watches
what, which look-up is next and what comes of it) and ``look`` (the look-ups themselves); ``poller``
drives them, from one thread for a ``Client`` and from one task for an ``AsyncClient``.
"""

from doubao_core.polling.poller import AsyncPoller, Poller, poller_of
from doubao_core.polling.schedule import Expectation

__all__ = ["AsyncPoller", "Expectation", "Poller", "poller_of"]
