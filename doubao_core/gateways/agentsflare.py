"""Agentsflare's proxy of BytePlus: Ark's protocol, some errors of its own (gateways.md 3.3).

Its document shows how a film is made and looked up. Listing and deleting are the upstream's; where
the proxy has no such path, they are :class:`UnsupportedOperation`.
"""

from __future__ import annotations

import re

from doubao_core.errors import (
    DoubaoError,
    InsufficientCredits,
    NotFound,
    RateLimited,
    UnsupportedOperation,
    from_payload,
)
from doubao_core.gateways.ark import BYTEPLUS
from doubao_core.operation import Reply

_NO_PATH = re.compile(r"Cannot [A-Z]+ /")
# The page of a web server, or the text of a framework, in place of an error object.
_PAGE = re.compile(rb"(?i)\s*<(!doctype|html|pre|body)\b|\s*cannot [a-z]+ /")
_NO_SUCH_PATH, _NO_METHOD = 404, 405
_TOO_MANY = 429
_BAD_KEY = "key not found"
_NO_MONEY = re.compile(r"(?i)balance|credit|insufficient|arrears|余额|欠费")
_OFFERED = ("images.create", "videos.create", "videos.get", "videos.list", "videos.delete")


def _failure(reply: Reply) -> DoubaoError | None:
    """Read the proxy's own ``{"statusCode", "message"}``; errors of Ark are Ark's.

    A path that is missing is said in several ways, none of which are those of a missing task. Of a
    429 the text has to be read, whatever it stands in: the status alone would have a request
    without money repeated, which no waiting helps.
    """
    is_page = reply.status == _NO_SUCH_PATH and _PAGE.match(reply.body) is not None
    if is_page or reply.status == _NO_METHOD:
        return UnsupportedOperation(
            "the proxy does not pass this operation on", status=reply.status
        )
    body = reply.json()
    is_own = "statusCode" in body
    if not is_own and reply.status != _TOO_MANY:
        return None
    told = body if is_own else body.get("error") or body
    usual = from_payload(told, status=reply.status, headers=reply.headers)
    message = usual.message
    kind = type(usual)
    if is_own and _NO_PATH.match(message):
        kind = UnsupportedOperation
    elif is_own and message.lower() == _BAD_KEY:
        kind, message = NotFound, f"{message}: the API key is not one of Agentsflare's"
    elif kind is RateLimited and _NO_MONEY.search(message):
        kind = InsufficientCredits
    return kind(
        message,
        status=reply.status,
        code=usual.code,
        param=usual.param,
        request_id=usual.request_id,
        retry_after=usual.retry_after,
        body=usual.body,
    )


GATEWAYS = (
    BYTEPLUS.but(
        name="agentsflare",
        title="Agentsflare's BytePlus proxy",
        base_url="https://api.agentsflare.com/byteplus/v3",
        key_env=("AGENTSFLARE_API_KEY",),
        routes={name: BYTEPLUS.routes[name] for name in _OFFERED},
        failure=_failure,
    ),
)
