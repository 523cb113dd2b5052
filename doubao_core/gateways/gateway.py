"""What a provider is: data, and pure functions that rename and move."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeAlias

import orjson

from doubao_core.errors import UNREADABLE, DoubaoError, Malformed, RateLimited, misshapen
from doubao_core.gateways import normalise
from doubao_core.gateways.limits import Limit, broken
from doubao_core.operation import JSON, Reply, Send

Query: TypeAlias = tuple[tuple[str, str], ...]
"""Pairs of a query, in order; names may repeat."""
Signs: TypeAlias = Literal["body", "timestamp.body"]
"""What a signature is of: the body, or the time of sending, a full stop, and the body."""
_OK = 200
_REFUSED = 400


def bearer(key: str) -> dict[str, str]:
    """Authenticate as Ark does (ark.md 1.2)."""
    return {"Authorization": f"Bearer {key}"}


def key_header(key: str) -> dict[str, str]:
    """Authenticate with ``X-API-Key``, as some gateways want it (gateways.md 3.4, 3.5)."""
    return {"X-API-Key": key}


def _same_body(body: JSON) -> JSON:
    return body


def _same_reply(reply: Reply) -> Reply:
    return reply


def _same_query(query: Query) -> Query:
    return query


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """What a provider tells of its tasks without being asked, as far as that is documented.

    Attributes:
        read: Turns a delivery into Ark's task, or into ``None`` where it is about no task.
        header: Name of the header with the signature, if at least that is documented.
        prefix: What stands before the signature in it.
        signs: What it is of, only where it is documented to be HMAC-SHA256 in hex of just that; a
            guess is the user's to make (gateways.md 4.7).
    """

    read: Callable[[Reply], Reply | None] = _same_reply
    header: str | None = None
    prefix: str = ""
    signs: Signs | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """How a provider does one operation: method, path below the base URL, dialect.

    Attributes:
        method: HTTP method.
        path: Path below the base URL, with placeholders for ids.
        encode: Turns Ark's request body into the provider's.
        decode: Turns the provider's answer into Ark's; an error status is for ``failure``.
        query: Turns Ark's query into the provider's.
        lacks: Fields of Ark's body or query that the provider has nothing for, or values of them,
            as ``field=value``: refused before anything is sent.
        limits: What the provider prints as limits of its own fields: one that is broken is a
            warning, because the provider decides.
        upstream: What Ark prints of the same fields, where the provider sells models of Ark and
            prints more than those can do: likewise.
        event: Turns an event of its streams into Ark's, or into ``None`` to leave it out;
            without one, streams cost nothing more than Ark's.
        once: Header that carries the same new key in all attempts of one request, where the
            provider knows such a header.
        ask: Makes the body of a request for which Ark has none, of the ids in its path.
        then: Says of an answer in Ark's words which operation, with the same ids, has to be asked
            for the rest of it.
    """

    method: str
    path: str
    encode: Callable[[JSON], JSON] = _same_body
    decode: Callable[[Reply], Reply] = _same_reply
    query: Callable[[Query], Query] = _same_query
    lacks: frozenset[str] = frozenset()
    limits: Mapping[str, Limit] = field(default_factory=dict)
    upstream: Mapping[str, Limit] = field(default_factory=dict)
    event: Callable[[JSON], JSON | None] | None = None
    once: str | None = None
    ask: Callable[[Mapping[str, str]], JSON] | None = None
    then: Callable[[Reply], str | None] | None = None

    def lacking(self, fields: Mapping[str, Any]) -> str | None:
        """Give the first of Ark's *fields* that the provider has nothing for."""
        for name, value in fields.items():
            for asked in (name, f"{name}={value}"):
                if asked in self.lacks:
                    return asked
        return None

    def complaints(self, body: Mapping[str, Any]) -> Iterator[str]:
        """Say which printed limits the provider's *body* breaks, each as the end of a sentence."""
        own = tuple(broken(self.limits, body))
        for said in own:
            yield f"prints another limit: {said}"
        # Who is beyond what the provider prints hears enough.
        for said in () if own else broken(self.upstream, body):
            yield f"sells {body['model']}, which at Ark has another limit: {said}"

    def after(self, send: Send, reply: Reply) -> Send | None:
        """Give the request that has to follow *send* because *reply* does not say everything."""
        if self.then is None or reply.status >= _REFUSED:
            return None
        operation = self.then(reply)
        if operation is None:
            return None
        return dataclasses.replace(send, operation=operation, known=reply)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A provider.

    Attributes:
        name: What users write in ``provider=``.
        title: What people call it.
        base_url: Where it is; ``None`` if the user or ``launch`` must say.
        key_env: Environment variables for the key, in order; none if it needs no key.
        routes: What it offers; an operation without a route is refused before anything is sent.
        auth: Key to headers.
        failure: Reads an answer as the failure that it is, whatever its status, where the
            provider's errors differ from Ark's; ``None`` for an answer that it does not know to be
            one.
        launch: Starts a local server and gives its base URL, where that is what the provider is.
        webhook: How it calls back; ``None`` if it does not, or does not say what it then sends.
    """

    name: str
    title: str
    base_url: str | None
    key_env: tuple[str, ...]
    routes: Mapping[str, Route]
    auth: Callable[[str], dict[str, str]] = bearer
    failure: Callable[[Reply], DoubaoError | None] | None = None
    launch: Callable[[], str] | None = None
    webhook: Webhook | None = None

    def but(self, **changes: Any) -> Self:
        """Give a copy with *changes*, for a provider that speaks another one's protocol."""
        return dataclasses.replace(self, **changes)

    def as_ark(self, how: Route, reply: Reply) -> Reply:
        """Turn an answer into Ark's; a refusal in nobody's words stays as it is.

        Raises:
            DoubaoError: It is a failure in the provider's own words, or cannot be read.
        """
        if (failure := self._failed(reply)) is not None:
            if isinstance(failure, RateLimited) and reply.status < _REFUSED:
                # It is a refusal now, whose headers say how long to wait (gateways.md 4.4).
                failure.retry_after = normalise.rate(reply.headers).pause(time.time())
            raise failure
        if reply.status >= _REFUSED:
            # The status says enough, and a refusal must not pass for a lost answer.
            return reply
        try:
            return how.decode(reply)
        except UNREADABLE as error:
            raise misshapen(error) from error

    def reworded(self, error: DoubaoError) -> DoubaoError:
        """Class an error object inside a stream, which has no status, by the provider's codes."""
        if error.status is not None or not isinstance(error.body, dict):
            return error
        event = Reply(status=_OK, headers={}, body=orjson.dumps({"error": error.body}))
        told = self._failed(event)
        if told is None:
            return error
        told.status, told.request_id = None, error.request_id
        return told

    def _failed(self, reply: Reply) -> DoubaoError | None:
        if self.failure is None:
            return None
        try:
            return self.failure(reply)
        except (Malformed, *UNREADABLE):
            # It is not in the provider's words: its status, or what reads it, says what it is.
            return None
