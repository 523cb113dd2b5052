"""Whether a delivery is proven: one class for each way of signing. Pure.

A scheme sees the raw bytes, because a signature is of bytes and not of what they mean. It accepts
or refuses; what the bytes say, and what was said before, is others' business.

No scheme is on by default. Ark signs nothing (ark.md 15.5); Doitong's page names a header and
seedance2api's not even that, and neither says what is signed, with which secret, or how
(gateways.md 4.7). So whoever turns signatures on says what no document says, as their provider told
them.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self

from doubao_core.errors import ConfigError
from doubao_core.gateways import Webhook, gateway, normalise
from doubao_core.gateways.gateway import Signs
from doubao_core.operation import Secret

_SHORTEST_SECRET = 8


class Refused(Exception):
    """A delivery that is not accepted; the text is for our log, never for the one who sent it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a delivery proves.

    Attributes:
        genuine: Whether it comes from the service; else it is only a hint.
        key: What a second delivery of the same has, too; ``None`` where nothing tells them apart.
    """

    genuine: bool = False
    key: bytes | None = None


class Scheme(Protocol):
    """A way of knowing who sent a delivery."""

    def verify(self, headers: Mapping[str, str], raw: bytes, now: float) -> Proof:
        """Say what a delivery proves.

        Args:
            headers: Values by lower-case name.
            raw: The body as it came.
            now: Unix seconds.

        Raises:
            Refused: It is not from the service, or too old.
        """


@dataclass(frozen=True, slots=True)
class Unsigned:
    """Deliveries that anybody could have sent, such as Ark's (ark.md 15.5)."""

    def verify(self, headers: Mapping[str, str], raw: bytes, now: float) -> Proof:  # noqa: ARG002 - the interface of all schemes
        """Say that a delivery proves nothing."""
        return Proof()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Deliveries with a keyed hash (HMAC) of the raw body in a header (gateways.md 4.7).

    Attributes:
        secret: The key that the service and the receiver share.
        header: Name of the header with the signature.
        signs: What is signed: ``"body"``, where a delivery can be repeated at any time, or
            ``"timestamp.body"``, where one that was sent too long ago is refused.
        prefix: What stands before the signature, such as ``sha256=``.
        encoding: How the signature is written; hex may have capitals.
        timestamp_header: Name of the header with the time of sending.
        fields: Names of time and signature in a header such as ``t=1790000000,v1=6ab0…``, instead
            of ``timestamp_header``.
        algorithm: Name of the hash.
        tolerance: Seconds by which the time of sending may differ from now.

    Raises:
        ConfigError: The secret is too short, or the settings contradict each other.
    """

    secret: str | bytes | Secret = field(repr=False)
    header: str
    signs: Signs
    prefix: str = ""
    encoding: Literal["hex", "base64"] = "hex"
    timestamp_header: str | None = None
    fields: tuple[str, str] | None = None
    algorithm: Literal["sha256", "sha384", "sha512"] = "sha256"
    tolerance: float = 300.0

    @classmethod
    def as_documented(
        cls,
        provider: str,
        *,
        secret: str | bytes | Secret,
        signs: Signs | None = None,
        **options: Any,
    ) -> Self:
        """Make one with what is documented of a provider: header and prefix, rarely what is signed.

        Where that is not documented it has to be said, and what is signed how, if it is not
        HMAC-SHA256 in hex.

        Args:
            provider: Name of the provider, such as ``"doitong"``.
            secret: The shared key.
            signs: What is signed; default what is documented.
            options: The other attributes; ``header`` and ``prefix``, too, if the page is wrong.

        Raises:
            ConfigError: No document names the header, or none says what is signed, and it is not
                given either.
        """
        webhook = gateway(provider).webhook or Webhook()
        if webhook.header is not None:
            options = {"header": webhook.header, "prefix": webhook.prefix, **options}
        elif "header" not in options:
            raise ConfigError(
                f"no document names the header with which {provider!r} signs: give its name"
            )
        signs = signs or webhook.signs
        if signs is None:
            raise ConfigError(
                f"no document says what {provider!r} signs: give signs='body' or "
                "signs='timestamp.body', as its support tells you"
            )
        return cls(secret=secret, signs=signs, **options)

    def __post_init__(self) -> None:
        if len(_bytes(self.secret)) < _SHORTEST_SECRET:
            raise ConfigError("the secret of a signature is too short: give at least 8 characters")
        for name, allowed in (
            ("algorithm", ("sha256", "sha384", "sha512")),
            ("encoding", ("hex", "base64")),
            ("signs", ("body", "timestamp.body")),
        ):
            if (value := getattr(self, name)) not in allowed:
                raise ConfigError(f"{name} is {value!r}: use one of {', '.join(allowed)}")
        if self.fields and self.timestamp_header:
            raise ConfigError(
                "a signature has its time in fields= or in timestamp_header=, not both"
            )
        timed = bool(self.fields or self.timestamp_header)
        if timed != (self.signs == "timestamp.body"):
            raise ConfigError(
                "signs='timestamp.body' needs the place of the time, timestamp_header= or fields=, "
                "and signs='body' has none: a time that is not signed proves nothing"
            )

    def verify(self, headers: Mapping[str, str], raw: bytes, now: float) -> Proof:
        """Accept a delivery whose signature and time are right."""
        sent, signature = self._parts(headers)
        signed = raw if sent is None else sent.encode("latin-1") + b"." + raw
        digest = hmac.digest(_bytes(self.secret), signed, self.algorithm)
        if not hmac.compare_digest(digest, self._decoded(signature)):
            raise Refused("the signature is wrong")
        if sent is not None:
            # After the signature: whoever cannot sign learns nothing of our clock.
            self._check_time(sent, now)
        return Proof(genuine=True, key=digest)

    def _parts(self, headers: Mapping[str, str]) -> tuple[str | None, str]:
        """Give the time of sending, where the scheme has one, and the signature."""
        value = _header(headers, self.header)
        if self.fields is not None:
            parts = (part.partition("=") for part in value.split(","))
            pairs = {name.strip(): text.strip() for name, _, text in parts}
            try:
                sent, value = (pairs[name] for name in self.fields)
            except KeyError:
                raise Refused("the header of the signature lacks a field") from None
            return sent, value
        if self.timestamp_header is None:
            return None, value
        return _header(headers, self.timestamp_header), value

    def _decoded(self, signature: str) -> bytes:
        if not signature.startswith(self.prefix):
            raise Refused("the signature has another prefix")
        text = signature.removeprefix(self.prefix).strip()
        try:
            if self.encoding == "hex":
                return bytes.fromhex(text)
            return base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error) as error:
            raise Refused(f"the signature is not {self.encoding}") from error

    def _check_time(self, sent: str, now: float) -> None:
        at = normalise.moment(sent)
        if at is None or abs(now - at.timestamp()) > self.tolerance:
            raise Refused("the time of sending is not near enough to now")


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name.lower())
    if not value:
        raise Refused(f"there is no header {name}")
    return value


def _bytes(secret: Any) -> bytes:
    if isinstance(secret, bytes):
        return secret
    text = secret if isinstance(secret, str) else secret.get_secret_value()
    return str(text).encode()
