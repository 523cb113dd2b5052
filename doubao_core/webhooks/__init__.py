"""Receiving what a service says of its tasks, instead of asking for it (ark.md 15.5).

Ark's callbacks are not signed, so a receiver believes nothing: the URL has an unguessable token,
the body is only a hint, and the task is looked up by its id. Gateways that sign theirs hardly say
how, so the user turns that on. ``scheme`` says whether a delivery is proven and ``reading``
what it says; ``receiver`` decides what is new, and ``waiting`` tells who waits for it; ``app`` is
the small ASGI application around them, to be mounted anywhere or served by ``doubao webhooks
serve``.
"""

from doubao_core.webhooks.app import App
from doubao_core.webhooks.receiver import Counts, Receiver, Wakes
from doubao_core.webhooks.scheme import Proof, Refused, Scheme, Signed, Unsigned
from doubao_core.webhooks.token import callback_url, new_token

__all__ = [
    "App",
    "Counts",
    "Proof",
    "Receiver",
    "Refused",
    "Scheme",
    "Signed",
    "Unsigned",
    "Wakes",
    "callback_url",
    "new_token",
]
