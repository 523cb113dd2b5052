"""One clear sentence for everything that can go wrong outside this program."""

from __future__ import annotations

from collections.abc import Iterator

from doubao_core import AuthenticationError, ConnectionFailed, DoubaoError
from doubao_core.gateways import gateway
from quickstart_parts import INSTALL


class QuickstartError(Exception):
    """A failure whose text is a sentence for the user."""


class BadInput(QuickstartError):
    """Something that the user gave cannot be used; the text says what, and what to do."""


class NothingMade(QuickstartError):
    """The agent ended without the picture or the video that it was asked for."""


EXPECTED = (QuickstartError, DoubaoError)


def sentence(error: BaseException) -> str:
    """Say what happened and what to do about it."""
    cause = next((each for each in _causes(error) if isinstance(each, EXPECTED)), error)
    if isinstance(cause, AuthenticationError):
        return f"the service does not accept {_key_name(cause)}, check the key: {cause}"
    if isinstance(cause, ConnectionFailed):
        return f"the service cannot be reached, check the network: {cause}"
    if isinstance(cause, ModuleNotFoundError):
        return f"{cause}; {INSTALL}"
    if isinstance(cause, (*EXPECTED, ImportError)):
        return str(cause)
    return f"this was not foreseen, please report it: {type(error).__name__}: {error}"


def concerns_everyone(error: BaseException) -> bool:
    """Whether the other framework would fail in the same way."""
    return any(
        isinstance(cause, AuthenticationError | ConnectionFailed) for cause in _causes(error)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give the error and what caused it: frameworks wrap errors into their own."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _key_name(error: DoubaoError) -> str:
    return " or ".join(gateway(error.gateway or "ark").key_env) or "the API key"
