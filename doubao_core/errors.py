"""Every way a call can fail, as one tree: one class per decision a caller can take.

    DoubaoError
    ├─ ConfigError                 wrong before any request was made (also a ValueError)
    ├─ RequestError                the server refused; nothing was done
    │  ├─ InvalidRequest ─ ContextOverflow
    │  ├─ AuthenticationError · PermissionDenied · NotFound · UnsupportedOperation
    │  ├─ ContentRejected          moderation of the input or the output
    │  ├─ InsufficientCredits
    │  └─ RateLimited ─ QuotaExceeded     QuotaExceeded is never retried
    ├─ ServerError                 5xx, or the service says that it failed itself
    ├─ ConnectionFailed            nothing reached the server (DNS, refused, TLS)
    ├─ ResponseError               what came back is not the protocol
    │  ├─ ConnectionLost           the connection ended before any answer
    │  ├─ Truncated                a body or stream ended early; has .partial
    │  ├─ Malformed                bad JSON, UTF-8, content type, framing
    │  └─ TooLarge
    ├─ Timeout ─ Stalled           Stalled: bytes flow, events do not
    ├─ AmbiguousSubmit             a paid request may or may not have been accepted; has .intent
    └─ JobFailed ─ JobExpired      the task itself ended badly

Source of codes and texts: ark.md 2.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from doubao_core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doubao_core.embedder import EmbeddingProgress
    from doubao_core.media import Saved
    from doubao_core.operation import Reply

_WORD = re.compile(r"[\w.:@-]{1,128}")


class DoubaoError(Exception):
    """Anything this library raises on purpose; catching it is always enough.

    Attributes:
        message: What happened, without keys, signed queries or base64 bodies.
        status: HTTP status, if an answer came.
        code: The service's own code, such as ``"ModelNotOpen"`` (ark.md 2.2).
        param: The request field that the service complains about.
        request_id: The service's id of the request, for a support ticket.
        retry_after: Seconds that the service asks to wait, if it said so.
        gateway: Name of the provider, such as ``"ark"``.
        operation: Name of the operation, such as ``"chat.create"``.
        body: The service's error object, if there was one; or its whole answer, where a stream was
            asked for.
        elapsed: Seconds that the attempts took, waits between them included.
        partial: The text of the answer that had come before a stream failed, ``""`` if none.
        progress: When inputs were embedded, the vectors of those that were done, by position
            (:class:`~doubao_core.embedder.EmbeddingProgress`), so that only the rest need be sent
            again.
        saved: The pictures that had come whole before an answer broke off, as files.
    """

    partial: str = ""
    saved: tuple[Saved, ...] = ()
    progress: EmbeddingProgress | None = None
    elapsed: float = 0.0

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        param: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        gateway: str | None = None,
        operation: str | None = None,
        body: Any = None,
    ) -> None:
        self.message = redact(message)
        super().__init__(self.message)
        self.status = status
        self.code = code
        self.param = param
        self.request_id = request_id
        self.retry_after = retry_after
        self.gateway = gateway
        self.operation = operation
        self.body = body

    @property
    def status_code(self) -> int | None:
        """The HTTP status, under the name that LangChain and the openai SDK use."""
        return self.status

    def __str__(self) -> str:
        text = self.message
        # A single input is the only one that can be meant.
        if self.progress is not None and self.progress.count > 1:
            text = f"{text} ({self.progress})"
        # A service's code that is no word could be read as words of ours, in a log or by a model.
        facts = [
            f"{name} {value if _WORD.fullmatch(str(value)) else '?'}"
            for name, value in self._facts()
            if value
        ]
        return f"{text} [{', '.join(facts)}]" if facts else text

    def _facts(self) -> list[tuple[str, Any]]:
        known_id = None if (self.request_id or "") in self.message else self.request_id
        return [
            ("HTTP", self.status),
            ("code", self.code),
            ("provider", self.gateway),
            ("request id", known_id),
        ]


class ConfigError(DoubaoError, ValueError):
    """Something is wrong before any request was made: an argument, a key, a file."""


def install_hint(extra: str) -> str:
    """Say how to install *extra*: from a clone, as long as the package is not published."""
    return f'pip install ".[{extra}]" in the folder of doubao-integrations'


class ProfileWarning(UserWarning):
    """A request goes beyond a limit that its provider prints; the provider decides.

    ``warnings.simplefilter("error", ProfileWarning)`` makes it an error, raised before anything is
    sent.
    """


class RequestError(DoubaoError):
    """The server refused; nothing was done and nothing was charged."""


class InvalidRequest(RequestError):
    """A field is missing or has a value that the model or endpoint does not take."""


class ContextOverflow(InvalidRequest):
    """The prompt does not fit the model's context window."""


class AuthenticationError(RequestError):
    """The key is missing, wrong, expired, or of another region."""


class PermissionDenied(RequestError):
    """The account may not do this, or has not opened the model."""


class NotFound(RequestError):
    """The model, endpoint, task, file or route does not exist."""


class UnsupportedOperation(RequestError):
    """The provider does not offer this operation; nothing was sent."""


class ContentRejected(RequestError):
    """Content moderation refused the input or the output."""


class InsufficientCredits(RequestError):
    """The account is overdue or out of credits.

    Attributes:
        required: Credits that the request costs, if the service said so.
        available: Credits that were left, if the service said so.
    """

    required: float | None = None
    available: float | None = None


class RateLimited(RequestError):
    """Too many requests or tokens now, or the service has no capacity: wait and repeat."""


class QuotaExceeded(RateLimited):
    """A quota, plan or spending limit is used up: waiting seconds does not help."""


class ServerError(DoubaoError):
    """The service failed (5xx, or a code that says so)."""


class ConnectionFailed(DoubaoError):
    """Nothing reached the server: DNS, refused connection, TLS or proxy failure."""


class ResponseError(DoubaoError):
    """Something came back that is not the protocol."""


class ConnectionLost(ResponseError):
    """The request was sent and the connection ended before an answer came."""


class Truncated(ResponseError):
    """A body or stream ended early; ``partial`` is the text that had come."""


class Malformed(ResponseError):
    """The answer has bad JSON, UTF-8, content type or framing."""


class TooLarge(ResponseError):
    """The answer is larger than the limit for it."""


class Timeout(DoubaoError):
    """No byte came for as long as ``timeout`` allows; the request may still be running."""


class Stalled(Timeout):
    """Bytes came, but no event for as long as ``timeout`` allows."""


class AmbiguousSubmit(DoubaoError):
    """A paid request may or may not have been accepted: look before sending it again.

    Attributes:
        intent: What was sent: ``{"operation": …, "body": …}``. It holds the prompt, not the key.
    """

    intent: Mapping[str, Any] | None = None


class JobFailed(DoubaoError):
    """A generation task ended as ``failed`` or ``cancelled``; ``code`` and ``message`` say why."""


class JobExpired(JobFailed):
    """A generation task was not finished within its ``execution_expires_after``."""


# Decisions are taken on the code where one is known; the longest matching prefix wins.
_BY_CODE: dict[str, type[DoubaoError]] = {
    "OutofContextError": ContextOverflow,
    "AuthenticationError": AuthenticationError,
    "AccountOverdueError": InsufficientCredits,
    "AccessDenied": PermissionDenied,
    "OperationDenied": PermissionDenied,
    "OperationDenied.ServiceOverdue": InsufficientCredits,
    "InvalidSubscription": PermissionDenied,
    "InvalidAccountStatus": PermissionDenied,
    "ModelNotOpen": PermissionDenied,
    "InvalidEndpointOrModel.ModelIDAccessDisabled": PermissionDenied,
    "InvalidEndpointOrModel.NotFound": NotFound,
    "NotFound": NotFound,
    "UnsupportedModel": NotFound,
    "ContentSecurityDetectionError": ServerError,
    "SensitiveContentDetected": ContentRejected,
    "QuotaExceeded": QuotaExceeded,
    "AccountQuotaExceeded": QuotaExceeded,
    "SetLimitExceeded": QuotaExceeded,
    "InternalServiceError": ServerError,
    "ServerOverloaded": RateLimited,
    "RequestBurstTooFast": RateLimited,
}
_BY_CODE_PATTERN: tuple[tuple[re.Pattern[str], type[DoubaoError]], ...] = (
    (
        re.compile(r"(Input|Output)(Text|Image|Video|Audio)(SensitiveContent|Risk)Detect"),
        ContentRejected,
    ),
    (re.compile(r"RateLimit(Exceeded)?(\.|$)|InflightBatchsizeExceeded"), RateLimited),
)
_BY_STATUS: dict[int, type[DoubaoError]] = {
    400: InvalidRequest,
    401: AuthenticationError,
    402: InsufficientCredits,
    403: PermissionDenied,
    404: NotFound,
    413: InvalidRequest,
    422: InvalidRequest,
    429: RateLimited,
}
# An error in a stream or a task has no status, but a type that stands for one (ark.md 2.1).
_BY_TYPE: dict[str, int] = {
    "BadRequest": 400,
    "Unauthorized": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "Conflict": 409,
    "TooManyRequests": 429,
    "InternalServerError": 500,
}
# Overflow is also reported as a generic InvalidParameter with one of these texts (ark.md 2.2).
_OVERFLOW_TEXT = re.compile(r"exceed(s|ed)? max message tokens", re.IGNORECASE)
_OK, _REFUSED, _SERVER_FAULT = 200, 400, 500


def classify(status: int | None, code: str | None, message: str) -> type[DoubaoError]:
    """Choose the class for what a service answered: by code, then by text, then by status."""
    parts = (code or "").split(".")
    for size in range(len(parts), 0, -1):
        if found := _BY_CODE.get(".".join(parts[:size])):
            return found
    for pattern, kind in _BY_CODE_PATTERN:
        if pattern.search(code or ""):
            return kind
    if _OVERFLOW_TEXT.search(message):
        return ContextOverflow
    if status is not None and status >= _SERVER_FAULT:
        return ServerError
    # An error under HTTP 200, in a stream or in a task has no status of its own (ark.md 2.3).
    if status is None or status == _OK:
        status = _REFUSED
    return _BY_STATUS.get(status, RequestError)


def from_payload(
    error: Any,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    kinds: Mapping[str, type[DoubaoError]] | None = None,
) -> DoubaoError:
    """Turn an ``error`` object of a body, stream event or task into the exception for it.

    Args:
        error: The value under ``"error"``: an object with ``code`` and ``message``, or a string.
        status: HTTP status of the answer; ``None`` for errors inside a stream or a task.
        headers: Lower-case response headers, for the request id and ``Retry-After``.
        kinds: Classes of a provider's own codes.
    """
    fields = error if isinstance(error, dict) else {"message": str(error)}
    code = str(fields["code"]) if fields.get("code") else None
    message = str(fields.get("message") or code or "the service reported an error without a text")
    headers = headers or {}
    known = status if status not in {None, _OK} else _BY_TYPE.get(str(fields.get("type")))
    kind = (kinds or {}).get(code or "") or classify(known, code, message)
    return kind(
        message,
        status=status,
        code=code,
        param=fields.get("param") or None,
        request_id=headers.get("x-request-id") or _request_id(message),
        retry_after=_retry_after(headers),
        body=fields,
    )


def from_reply(reply: Reply) -> DoubaoError:
    """Turn an answer with an error status into the exception for it (ark.md 2.1, 2.2)."""
    try:
        body = from_json(reply.body)
    except ValueError:
        body = None
    error = body.get("error") if isinstance(body, dict) else None
    if error is None:
        # Gateways answer 502, 503, 504 and 413 with HTML or nothing (ark.md 2.1).
        text = f"the service answered HTTP {reply.status} without an error object"
        failure = from_payload({"message": text}, status=reply.status, headers=reply.headers)
        failure.body = body
        return failure
    return from_payload(error, status=reply.status, headers=reply.headers)


def checked(reply: Reply) -> Reply:
    """Give *reply* back if its status is 2xx, else raise what it means."""
    if 200 <= reply.status < 300:  # noqa: PLR2004 - the meaning of 2xx
        return reply
    failure = from_reply(reply)
    failure.elapsed = reply.elapsed
    raise failure


UNREADABLE = (AttributeError, LookupError, TypeError, ValueError)
"""What Python raises when an answer is read that is JSON of another shape than documented."""


def misshapen(error: Exception, request_id: str | None = None) -> Malformed:
    """Say that an answer could not be read because of *error*, one of ``UNREADABLE``."""
    return Malformed(
        f"the answer is JSON of an unknown shape ({type(error).__name__}: {error})",
        request_id=request_id,
    )


def _request_id(message: str) -> str | None:
    found = re.search(r"Request id: (\w+)", message, re.IGNORECASE)
    return found.group(1) if found else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        seconds = float(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return max(0.0, seconds)
