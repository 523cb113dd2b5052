"""A redirect in place of the API's answer: where it leads is said, and never followed. Pure.

Following it would take the key and the prompt to an address that nobody chose.
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from doubao_core.errors import DoubaoError, from_payload
from doubao_core.operation import Reply, sendable

STATUSES = frozenset({301, 302, 303, 307, 308})
"""Statuses that send a client elsewhere."""

_LONGEST = 200


def refusal(reply: Reply, asked: str, base_url: str) -> DoubaoError:
    """Say where a redirect leads, without its query, and what that has to do with ``base_url``.

    Args:
        reply: The redirect.
        asked: The URL of the request.
        base_url: What that begins with.
    """
    target = _target(asked, reply.headers.get("location", ""))
    route = urlsplit(asked).path.removeprefix(urlsplit(base_url).path)
    meant = target.removesuffix(route)
    if meant not in {target, base_url}:
        text = f"base_url answers with a redirect to {meant}: use that as base_url, if it is right"
    else:
        text = (
            f"base_url answers with a redirect to {target or 'nowhere'}: check base_url, which is "
            f"to be all that the service's documents print before {route!r}"
        )
    text = f"{text} (redirects are not followed, because the key would go along)"
    return from_payload({"message": text}, status=reply.status, headers=reply.headers)


def _target(asked: str, location: str) -> str:
    """Give where *location* leads, or nothing if it is no address."""
    try:
        parts = urlsplit(urljoin(asked, location))
    except ValueError:
        return ""
    target = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return target if location and sendable(target) and len(target) <= _LONGEST else ""
