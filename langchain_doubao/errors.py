"""Each error of the core, made one of LangChain's as well.

Middleware, retries and fallbacks act on ``langchain_core.exceptions``; users of this library catch
``doubao_core``'s tree. The classes here are both, under the core's names, and carry its fields
(``status_code``, ``code``, ``param``, ``request_id``, ``body``, ``partial``).
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from langchain_core import exceptions as chain

from doubao_core import errors as core

if TYPE_CHECKING:
    import httpx


class DoubaoError(core.DoubaoError, chain.ModelError):
    """Anything this package raises about a call, where nothing more exact fits."""

    @property
    def response(self) -> httpx.Response:
        """The answer as far as it is known, for traces; absent if no answer came."""
        if self.status is None:
            raise AttributeError("no answer came")
        import httpx  # noqa: PLC0415 - only traces of failures need it

        headers = {"x-request-id": self.request_id} if self.request_id else {}
        return httpx.Response(self.status, json={"error": self.body}, headers=headers)


class ConfigError(DoubaoError, core.ConfigError, chain.ModelInvalidRequestError):
    """Something is wrong before any request was made: an argument, a key, a file."""


class RequestError(DoubaoError, core.RequestError, chain.ModelInvalidRequestError):
    """The server refused; nothing was done and nothing was charged."""


class InvalidRequest(DoubaoError, core.InvalidRequest, chain.ModelInvalidRequestError):
    """A field is missing or has a value that the model or endpoint does not take."""


class ContextOverflow(DoubaoError, core.ContextOverflow, chain.ContextOverflowError):
    """The prompt does not fit the model's context window; summarization acts on this class."""


class AuthenticationError(DoubaoError, core.AuthenticationError, chain.ModelAuthenticationError):
    """The key is missing, wrong, expired, or of another region."""


class PermissionDenied(DoubaoError, core.PermissionDenied, chain.ModelPermissionDeniedError):
    """The account may not do this, or has not opened the model."""


class NotFound(DoubaoError, core.NotFound, chain.ModelNotFoundError):
    """The model or endpoint does not exist."""


class UnsupportedOperation(DoubaoError, core.UnsupportedOperation, chain.ModelInvalidRequestError):
    """The provider does not offer this operation; nothing was sent."""


class ContentRejected(DoubaoError, core.ContentRejected, chain.ModelInvalidRequestError):
    """Content moderation refused the input or the output."""


class InsufficientCredits(DoubaoError, core.InsufficientCredits, chain.ModelPermissionDeniedError):
    """The account is overdue or out of credits."""


class RateLimited(DoubaoError, core.RateLimited, chain.ModelRateLimitError):
    """Too many requests or tokens now, or no capacity: wait and repeat."""


class QuotaExceeded(DoubaoError, core.QuotaExceeded, chain.ModelRateLimitError):
    """A quota, plan or spending limit is used up; retrying does not help."""

    is_retryable = False


class ServerError(DoubaoError, core.ServerError, chain.ModelAPIError):
    """The service failed."""


class ConnectionFailed(DoubaoError, core.ConnectionFailed, chain.ModelConnectionError):
    """Nothing reached the server."""


class ResponseError(DoubaoError, core.ResponseError, chain.ModelAPIError):
    """Something came back that is not the protocol."""


class ConnectionLost(DoubaoError, core.ConnectionLost, chain.ModelConnectionError):
    """The request was sent and the connection ended before an answer came."""


class Truncated(DoubaoError, core.Truncated, chain.ModelConnectionError):
    """The answer ended early; ``partial`` is the text that had come."""


class Malformed(DoubaoError, core.Malformed, chain.ModelAPIError):
    """The answer has bad JSON, UTF-8, content type or framing."""


class TooLarge(DoubaoError, core.TooLarge, chain.ModelAPIError):
    """The answer is larger than the limit for it; it would be again."""

    is_retryable = False


class Timeout(DoubaoError, core.Timeout, chain.ModelTimeoutError):
    """No byte came for as long as ``timeout`` allows."""


class Stalled(DoubaoError, core.Stalled, chain.ModelTimeoutError):
    """Bytes came, but no event for as long as ``timeout`` allows."""


class AmbiguousSubmit(DoubaoError, core.AmbiguousSubmit, chain.ModelConnectionError):
    """A paid request may or may not have been accepted: look before sending it again."""

    is_retryable = False


class JobFailed(DoubaoError, core.JobFailed, chain.ModelError):
    """A generation task ended as failed or cancelled."""


class JobExpired(DoubaoError, core.JobExpired, chain.ModelError):
    """A generation task was not finished in time."""


_BOTH: dict[type[core.DoubaoError], type[DoubaoError]] = {
    kind.__bases__[1]: kind for kind in DoubaoError.__subclasses__()
} | {core.DoubaoError: DoubaoError}


def both(error: core.DoubaoError) -> DoubaoError:
    """Give *error* as the class of this module that belongs to it, with all its fields."""
    kind = next(_BOTH[base] for base in type(error).__mro__ if base in _BOTH)
    twin = kind.__new__(kind, *error.args)
    twin.__dict__.update(error.__dict__)
    return twin


@contextmanager
def translated() -> Generator[None]:
    """Raise the core's errors as LangChain's, too."""
    try:
        yield
    except core.DoubaoError as error:
        raise both(error) from error
