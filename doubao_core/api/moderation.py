"""Moderation: is a text allowed? OpenAI's shape and nothing more (gateways.md 3.1).

Ark has no such endpoint: it moderates by itself and refuses (ark.md 2.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from doubao_core.errors import ConfigError, ContentRejected, Malformed, from_payload
from doubao_core.operation import JSON, Flow, Operation, Reply, Send, body


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a service thinks of a text.

    Attributes:
        flagged: Whether it is not allowed.
        categories: What it was looked at for, and whether it is that.
        scores: How sure the service is of each, from 0 to 1; empty if it does not say.
    """

    flagged: bool
    categories: Mapping[str, bool] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    model: str = ""
    request_id: str | None = None
    raw: JSON = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, reply: Reply) -> Verdict:
        """Read the answer; categories that a service does not say are no reason to fail.

        Raises:
            Malformed: It does not say whether the text is allowed.
        """
        raw = reply.json()
        if raw.get("error"):
            raise from_payload(raw["error"], status=reply.status, headers=reply.headers)
        results = raw.get("results")
        result = results[0] if results and isinstance(results, list) else None
        if not isinstance(result, dict) or not isinstance(result.get("flagged"), bool):
            raise Malformed("the answer does not say whether the text is flagged")
        return cls(
            flagged=result["flagged"],
            categories=dict(result.get("categories") or {}),
            scores=dict(result.get("category_scores") or {}),
            model=raw.get("model") or "",
            request_id=reply.headers.get("x-request-id"),
            raw=raw,
        )

    @property
    def reasons(self) -> tuple[str, ...]:
        """The categories that the text was flagged for."""
        return tuple(name for name, is_so in self.categories.items() if is_so)

    def checked(self, what: str = "the text") -> Verdict:
        """Give the verdict back if *what* is allowed.

        Raises:
            ContentRejected: It was flagged; ``body`` is the service's whole answer.
        """
        if not self.flagged:
            return self
        reasons = ", ".join(self.reasons) or "no category that the service names"
        raise ContentRejected(
            f"{what} was flagged by moderation: {reasons}",
            code="flagged",
            request_id=self.request_id,
            operation="moderations.create",
            body=self.raw,
        )


@Operation
def moderate(
    text: str, *, model: str | None = None, extra_body: Mapping[str, object] | None = None
) -> Flow[Verdict]:
    """Ask whether *text* is allowed; only some providers offer this.

    Args:
        text: One text.
        model: Moderation model; the service's default if not given.
        extra_body: Further fields of the request.

    Raises:
        UnsupportedOperation: The provider has no moderation; nothing was sent.
    """
    if not isinstance(text, str) or not text:
        raise ConfigError("moderate takes one text that is not empty")
    fields = body({"input": text, "model": model}, {"extra_body": extra_body})
    reply = yield Send(operation="moderations.create", body=fields)
    return Verdict.parse(reply)
