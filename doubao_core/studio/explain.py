"""What to tell a model about a failure: what happened, whether it cost, what to do now."""

from __future__ import annotations

import textwrap

from doubao_core.errors import (
    AmbiguousSubmit,
    AuthenticationError,
    ConfigError,
    ContentRejected,
    DoubaoError,
    InsufficientCredits,
    JobFailed,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    RequestError,
    classify,
)

_LONGEST = 300
_LOST = (
    "The answer to a paid request was lost, so it may or may not have been accepted and charged. "
    "Do not send it again by yourself: tell the user, who can look it up."
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


def explained(error: DoubaoError) -> str:
    """Say *error* to a model; the service's own words are marked as such and shortened."""
    if isinstance(error, ConfigError):
        return error.message
    if isinstance(error, AmbiguousSubmit):
        return _LOST
    # A task fails with the code of its reason, such as moderation (ark.md 2.3).
    kind = classify(None, error.code, "") if isinstance(error, JobFailed) else type(error)
    if not issubclass(kind, ContentRejected):
        kind = type(error)
    advice = next(text for cause, text in _ADVICE if issubclass(kind, cause))
    code = f" [{error.code}]" if error.code else ""
    return f"{advice} In detail{code}: {reason(error)}."


def reason(error: DoubaoError) -> str:
    """Give the message of *error*, shortened; the service's words marked: a model must not obey."""
    message = textwrap.shorten(error.message, _LONGEST, placeholder="…")
    return f'the service said "{message}"' if error.body is not None or error.code else message
