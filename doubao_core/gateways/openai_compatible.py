"""Any service that speaks OpenAI's protocol: chat, embeddings, moderation (gateways.md 3.1).

The guide behind it prints an address that it calls an example, so there is none here: the user
says ``base_url=``, with the version that the service wants in it.
"""

from __future__ import annotations

from collections.abc import Mapping

from doubao_core.errors import (
    AuthenticationError,
    ContentRejected,
    ContextOverflow,
    DoubaoError,
    NotFound,
    QuotaExceeded,
    RateLimited,
    from_payload,
)
from doubao_core.gateways.gateway import Gateway, Route
from doubao_core.gateways.limits import Limit
from doubao_core.operation import JSON, Reply

# OpenAI's own codes, which services that imitate it send, too.
KINDS: Mapping[str, type[DoubaoError]] = {
    "content_filter": ContentRejected,
    "content_policy_violation": ContentRejected,
    "context_length_exceeded": ContextOverflow,
    "insufficient_quota": QuotaExceeded,
    "invalid_api_key": AuthenticationError,
    "model_not_found": NotFound,
    "rate_limit_exceeded": RateLimited,
}
_REFUSED = 400


def failure(reply: Reply) -> DoubaoError | None:
    """Read ``{"error": {"code", "message"}}``, with OpenAI's codes, whatever the status."""
    # Long answers, such as those with vectors, are not parsed once more for nothing.
    if reply.status < _REFUSED and b'"error"' not in reply.body:
        return None
    error = reply.json().get("error")
    if not error:
        return None
    return from_payload(error, status=reply.status, headers=reply.headers, kinds=KINDS)


def _plain_vectors(body: JSON) -> JSON:
    """Ask for vectors as numbers: the guide knows ``model`` and ``input`` only."""
    return {name: value for name, value in body.items() if name != "encoding_format"}


# The guide's temperature ends at 1, others' at 2 (gateways.md 5, C05).
CHAT = Route("POST", "/chat/completions", limits={"temperature": Limit(low=0, high=1)})

OPENAI_COMPATIBLE = Gateway(
    name="openai-compatible",
    title="Any OpenAI-compatible service",
    base_url=None,
    # The second is the guide's own name (gateways.md 4.1); another provider has it, too.
    key_env=("OPENAI_COMPATIBLE_API_KEY", "SEEDANCE_API_KEY"),
    routes={
        "chat.create": CHAT,
        "embeddings.create": Route("POST", "/embeddings", encode=_plain_vectors),
        "moderations.create": Route("POST", "/moderations"),
    },
    failure=failure,
)
GATEWAYS = (OPENAI_COMPATIBLE,)
