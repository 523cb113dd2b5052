"""What to tell a model about a failure: what happened, whether it cost, what to do now."""

from __future__ import annotations

import re
import textwrap
import unicodedata

from doubao_core.errors import (
    AmbiguousSubmit,
    AuthenticationError,
    ConfigError,
    ContentRejected,
    DoubaoError,
    InsufficientCredits,
    InvalidRequest,
    JobFailed,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    RequestError,
    UnsupportedOperation,
    classify,
)
from doubao_core.media.errors import PlaceError

_LONGEST = 300
_FACT = re.compile(r"[\w.:@-]{1,128}")
_LOST = (
    "The answer to a paid request was lost, so it may or may not have been accepted and charged. "
    "Do not send it again by yourself: tell the user, who can look it up."
)
_PLANNED = (
    "The limits that the program keeps by itself leave no room for it now; nothing was sent and "
    "nothing was paid. Other arguments do not help: tell the user."
)
_NOT_OFFERED = (
    "The provider cannot do this; nothing was sent. Other arguments do not help: tell the user."
)
_WRONG_MODEL = (
    "The model that the program chose was refused; nothing was made. Other arguments do not help: "
    "tell the user."
)
_ADVICE: tuple[tuple[type[DoubaoError], str], ...] = (
    (ContentRejected, "Content moderation refused it. Change the prompt or the picture."),
    (QuotaExceeded, "The account's quota is used up. Trying again does not help: tell the user."),
    (RateLimited, "The service is busy. Try again in a minute."),
    (AuthenticationError, "The API key is not accepted. Trying again does not help."),
    (PermissionDenied, "The account may not do this. Trying again does not help."),
    (InsufficientCredits, "The account has no credit. Trying again does not help."),
    (NotFound, "There is no such model, task or file."),
    (JobFailed, "The task failed and made no video. Change the prompt or the pictures."),
    (RequestError, "The request was refused; nothing was made. Correct the arguments."),
    (DoubaoError, "The call failed."),
)


class NothingMade(DoubaoError):
    """Every picture of a call failed; the message is for a model as it is."""


def explained(error: DoubaoError) -> str:
    """Say *error* to a model; the service's own words are marked as such and shortened."""
    if isinstance(error, PlaceError):
        return f"{error.told[:1].upper()}{error.told[1:]}."
    if isinstance(error, ConfigError | NothingMade):
        return error.message
    if isinstance(error, AmbiguousSubmit):
        return _LOST
    # A task fails with the code of its reason, such as moderation (ark.md 2.3).
    kind = classify(None, error.code, "") if isinstance(error, JobFailed) else type(error)
    if not issubclass(kind, ContentRejected):
        kind = type(error)
    advice = _settled(error) or next(text for cause, text in _ADVICE if issubclass(kind, cause))
    code = f" [{fact(error.code)}]" if error.code else ""
    return f"{advice} In detail{code}: {reason(error)}."


def _settled(error: DoubaoError) -> str | None:
    """Give the advice where the program's choice is at fault, which no argument corrects."""
    # No answer: it was a plan (docs/gateways.md) that refused.
    spent = isinstance(error, QuotaExceeded | InsufficientCredits)
    if spent and error.status is None and not _is_services(error):
        return _PLANNED
    # With a parameter it is one argument that the provider has nothing for.
    if isinstance(error, UnsupportedOperation) and error.param is None:
        return _NOT_OFFERED
    if isinstance(error, InvalidRequest) and error.param == "model":
        return _WRONG_MODEL
    return None


def reason(error: DoubaoError) -> str:
    """Give the message of *error*, shortened; the service's words marked: a model must not obey."""
    if isinstance(error, PlaceError):
        return error.told
    if not _is_services(error):
        return textwrap.shorten(error.message, _LONGEST, placeholder="…")
    return f'the service said "{_quotable(error.message)}"'


def fact(word: object) -> str:
    """Give a word of the service, such as a size or a status, if it can be no sentence."""
    text = str(word)
    return text if _FACT.fullmatch(text) else "?"


def _is_services(error: DoubaoError) -> bool:
    # A task that ended badly is told in the words of its reason, which is the cause.
    told = isinstance(error, JobFailed) and error.__cause__ is not None
    return told or error.body is not None or bool(error.code)


def _quotable(message: str) -> str:
    """Shorten a text, so that it can neither end its quotation nor hide in it."""
    visible = "".join(
        " " if unicodedata.category(sign).startswith(("C", "Z")) else sign for sign in message
    )
    return textwrap.shorten(visible.replace('"', "'"), _LONGEST, placeholder="…")
