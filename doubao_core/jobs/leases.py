"""Leases of a process that is alive: one thread renews all of them, and ends with the last."""

from __future__ import annotations

import logging
import threading

from doubao_core.errors import DoubaoError
from doubao_core.jobs.ledger import Ledger

_LOG = logging.getLogger(__name__)
# Two renewals may fail before a lease lapses.
_RENEWALS = 3


class Leases:
    """The leases that one object holds in a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._tokens: set[str] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def keep(self, token: str) -> None:
        """Renew what is taken under *token* until :meth:`drop`."""
        with self._changed:
            self._tokens.add(token)
            # A forked process has the object, and not the thread.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._renew, name="doubao-job-leases", daemon=True
                )
                self._thread.start()

    def drop(self, token: str) -> None:
        """Give back what is kept under *token*; a ledger that fails now lets it lapse."""
        with self._changed:
            if token not in self._tokens:
                return
            self._tokens.remove(token)
            self._changed.notify()
        try:
            self._ledger.drop(token)
        except DoubaoError as error:
            _LOG.warning("a lease was not given back and lapses by itself: %s", error)

    def close(self) -> None:
        """End the thread, so that it holds no connection when those are closed."""
        with self._changed:
            self._tokens.clear()
            self._changed.notify()
            thread = self._thread
        if thread is not None and thread.is_alive():
            thread.join()

    def _renew(self) -> None:
        while True:
            with self._changed:
                if self._tokens:
                    self._changed.wait(self._ledger.lease / _RENEWALS)
                if not self._tokens:
                    self._thread = None
                    return
                tokens = set(self._tokens)
            try:
                self._ledger.renew(tokens)
            except DoubaoError as error:
                _LOG.warning("leases were not renewed: %s", error)
