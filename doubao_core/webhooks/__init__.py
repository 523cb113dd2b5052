"""Receiving what a service says of its tasks, instead of asking for it (ark.md 15.5).

Ark's callbacks are not signed, so a receiver believes nothing: the URL has an unguessable token,
the body is only a hint, and the task is looked up by its id. ``scheme`` says what came and whether
it is proven, for gateways that sign theirs, too; ``receiver`` decides what is new; ``app`` is the
small ASGI application around it, to be mounted anywhere or served by ``doubao webhooks serve``.
"""

from doubao_core.webhooks.app import App
from doubao_core.webhooks.receiver import Counts, Receiver, Wakes
from doubao_core.webhooks.scheme import Delivery, Refused, Scheme, Signed, Unsigned
from doubao_core.webhooks.token import callback_url, new_token

__all__ = [
    "App",
    "Counts",
    "Delivery",
    "Receiver",
    "Refused",
    "Scheme",
    "Signed",
    "Unsigned",
    "Wakes",
    "callback_url",
    "new_token",
]
