"""What a delivery says and whether it is proven: one class for each way of signing. Pure.

A scheme reads the raw bytes, because a signature is of bytes and not of what they mean. It accepts
or refuses; what was said before, and what it is worth, is the receiver's business.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from doubao_core.api.videos import VideoTask
from doubao_core.errors import UNREADABLE, ConfigError, DoubaoError
from doubao_core.gateways import normalise
from doubao_core.operation import JSON, Secret, identifier, json_object

_SHORTEST_SECRET = 8


class Refused(Exception):
    """A delivery that is not accepted; the text is for our log, never for the one who sent it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What came.

    Attributes:
        task: The task as the body tells it.
        genuine: Whether it is proven to come from the service; else it is only a hint.
        key: What a second delivery of the same has, too; ``None`` where nothing tells them apart.
    """

    task: VideoTask
    genuine: bool = False
    key: bytes | None = None


class Scheme(Protocol):
    """A way of knowing who sent a delivery."""

    def verify(self, headers: Mapping[str, str], raw: bytes, now: float) -> Delivery:
        """Read a delivery.

        Args:
            headers: Values by lower-case name.
            raw: The body as it came.
            now: Unix seconds.

        Raises:
            Refused: It is not from the service, too old, or no message about a task.
        """


def ark_task(body: JSON) -> VideoTask:
    """Read the body of Ark's callback, which is that of a look-up (ark.md 15.5)."""
    return VideoTask.parse(body)


def _read(raw: bytes, reader: Callable[[JSON], VideoTask]) -> VideoTask:
    try:
        task = reader(json_object(raw, "the delivery"))
        identifier("task id", task.id)
    except DoubaoError as error:
        raise Refused(error.message) from error
    except UNREADABLE as error:
        raise Refused(f"it is JSON of an unknown shape ({type(error).__name__})") from error
    return task


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsigned:
    """Deliveries that anybody could have sent, such as Ark's (ark.md 15.5).

    Attributes:
        reader: What the body says of the task.
    """

    reader: Callable[[JSON], VideoTask] = ark_task

    def verify(self, headers: Mapping[str, str], raw: bytes, now: float) -> Delivery:  # noqa: ARG002 - the interface of all schemes
        """Read a delivery; it is a hint."""
        return Delivery(task=_read(raw, self.reader))


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Deliveries with a keyed hash (HMAC) of the raw body in a header (gateways.md 4.7).

    Attributes:
        secret: The key that the service and the receiver share.
        header: Name of the header with the signature.
        prefix: What stands before the signature, such as ``sha256=``.
        encoding: How the signature is written.
        timestamp_header: Name of the header with the time of sending; the bytes that are signed are
            then ``<time>.<body>``, else the body alone, and replays of any age are possible.
        fields: Names of time and signature in a header such as ``t=1790000000,v1=6ab0…``; then
            there is no ``timestamp_header``.
        algorithm: Name of the hash.
        tolerance: Seconds by which the time of sending may differ from now.
        reader: What the body says of the task.
    """

    secret: str | bytes | Secret = field(repr=False)
    header: str
    prefix: str = ""
    encoding: Literal["hex", "base64"] = "hex"
    timestamp_header: str | None = None
    fields: tuple[str, str] | None = None
    algorithm: Literal["sha256", "sha384", "sha512"] = "sha256"
    tolerance: float = 300.0
    reader: Callable[[JSON], VideoTask] = ark_task

    def __post_init__(self) -> None:
        if len(_bytes(self.secret)) < _SHORTEST_SECRET:
            raise ConfigError("the secret of a signature is too short: give at least 8 characters")
        for name, allowed in (
            ("algorithm", ("sha256", "sha384", "sha512")),
            ("encoding", ("hex", "base64")),
        ):
            if (value := getattr(self, name)) not in allowed:
                raise ConfigError(f"{name} is {value!r}: use one of {', '.join(allowed)}")
        if self.fields and self.timestamp_header:
            raise ConfigError(
                "a signature has its time in fields= or in timestamp_header=, not both"
            )

    def verify(self, headers: Mapping[str, str], raw: bytes, now: float) -> Delivery:
        """Read a delivery whose signature and time are right."""
        sent, signature = self._parts(headers)
        signed = raw if sent is None else sent.encode("latin-1") + b"." + raw
        digest = hmac.digest(_bytes(self.secret), signed, self.algorithm)
        if not hmac.compare_digest(digest, self._decoded(signature)):
            raise Refused("the signature is wrong")
        if sent is not None:
            # After the signature: whoever cannot sign learns nothing of our clock.
            self._check_time(sent, now)
        return Delivery(task=_read(raw, self.reader), genuine=True, key=digest)

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
