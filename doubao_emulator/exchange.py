"""One request and its answer, as the handlers of all capabilities see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from starlette.responses import Response

from doubao_emulator.wire import JSON, Fields, decode_object, encode

if TYPE_CHECKING:
    from starlette.requests import Request

JSON_TYPE = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that passed the front door: read, recorded, authorised.

    Attributes:
        request_id: Server request id; also the body id of a chat completion and the suffix of
            every error message (ark.md 1.4).
        path: Path of the request, for `Faults.take`.
        raw: The whole body.
        decoded: The body as JSON, or the raw bytes when it is not JSON; never changed.
        key: The API key that it came with, empty for a media link.
    """

    request_id: str
    path: str
    raw: bytes
    decoded: JSON
    key: str = ""

    def fields(self) -> Fields:
        """Return the JSON object of the body.

        Raises:
            ArkError: 400 when the body is not a JSON object.
        """
        if isinstance(self.decoded, dict):
            return Fields(self.decoded)
        return decode_object(self.raw)


def exchange_of(request: Request) -> Exchange:
    """Return the exchange that the front door attached to `request`."""
    # The front door puts it there before any route runs (app.py).
    return cast("Exchange", request.scope["exchange"])


def json_reply(payload: JSON, *, status: int = 200) -> Response:
    """Answer with JSON; the front door adds the request id headers."""
    return Response(encode(payload), status_code=status, media_type=JSON_TYPE)
