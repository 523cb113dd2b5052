"""Names for the calls of a tool, so that the same call made again is recognised."""

from __future__ import annotations

import hashlib
import json


def call_key(tool: str, *identity: str | None) -> str:
    """Name a call of *tool*, for a ledger of jobs: the same for the same *identity* everywhere.

    Args:
        tool: Name of the tool; the key begins with it.
        identity: What makes it this call: the conversation, the id that the model gave to the call,
            the digest of what it orders.
    """
    return f"{tool}-{hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]}"
