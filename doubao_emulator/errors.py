"""Ark's errors: one exception, its JSON body, and constructors for the usual ones.

Codes, statuses and texts are those of ark.md 2.1, 2.2 and 2.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doubao_emulator.wire import JSON

TYPE_OF_STATUS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    413: "BadRequest",
    429: "TooManyRequests",
    500: "InternalServerError",
}

# The account number that Ark's messages print; the emulator has one customer.
ACCOUNT = "2100000000"


class ArkError(Exception):
    """A refusal in Ark's own words, raised anywhere and sent by the outermost layer.

    Attributes:
        status: HTTP status of the answer.
        code: Ark's CamelCase code, possibly dotted.
        message: Text without the ``Request id:`` suffix, which `body` appends.
        param: Path of the offending field, empty when there is none.
        type: Ark's error family; derived from `status` unless given.
        headers: Extra response headers, for example ``Retry-After``.
    """

    def __init__(
        self,
        *,
        status: int,
        code: str,
        message: str,
        param: str = "",
        # The wire's own word for the family of an error.
        type: str | None = None,  # noqa: A002
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.type = type or TYPE_OF_STATUS[status]
        self.headers = dict(headers or {})

    def body(self, request_id: str) -> dict[str, JSON]:
        """Return the error body of ark.md 2.1 for the request with this id."""
        return {
            "error": {
                "code": self.code,
                "message": f"{self.message} Request id: {request_id}",
                "param": self.param,
                "type": self.type,
            }
        }

    def nested(self, request_id: str) -> dict[str, JSON]:
        """Return the two-key form that tasks, images and streams carry inside a 200."""
        return {"code": self.code, "message": f"{self.message} Request id: {request_id}"}


def invalid_parameter(param: str, detail: str, *, code: str = "InvalidParameter") -> ArkError:
    """Say that field `param` has a bad value; `detail` is one sentence with its full stop."""
    message = f"The parameter `{param}` specified in the request is not valid: {detail}"
    return ArkError(status=400, code=code, message=message, param=param)


def unsupported_parameter(param: str, model: str) -> ArkError:
    """Say that `model` does not know field `param` or its value (ark.md 2.2)."""
    detail = f"the parameter is not supported by model {model}."
    return invalid_parameter(param, detail, code="InvalidParameter.UnsupportedParameter")


def empty_image_url(param: str) -> ArkError:
    """Say that the picture at `param` has no address (ark.md 2.2)."""
    message = "The image URL is empty."
    return ArkError(status=400, code="InvalidImageURL.EmptyURL", message=message, param=param)


def missing_parameter(param: str) -> ArkError:
    """Say that the required field `param` is absent or null."""
    message = f"The request failed because it is missing `{param}` parameter."
    return ArkError(status=400, code="MissingParameter", message=message, param=param)


def malformed_body(detail: str) -> ArkError:
    """Say that the request body is not the JSON object it should be."""
    message = f"The request body could not be parsed: {detail}"
    return ArkError(status=400, code="InvalidParameter", message=message)


def unauthenticated() -> ArkError:
    """Say that the key is missing or malformed (ark.md 2.4)."""
    return ArkError(
        status=401,
        code="AuthenticationError",
        message="The API key or AK/SK in the request is missing or invalid.",
    )


def model_not_found(model: str) -> ArkError:
    """Say that no such model or endpoint exists on this cloud (ark.md 2.4)."""
    message = f"The model or endpoint {model} does not exist or you do not have access to it."
    return ArkError(status=404, code="InvalidEndpointOrModel.NotFound", message=message)


def model_not_open(model: str) -> ArkError:
    """Say that the account has not activated `model` (ark.md 2.4)."""
    message = (
        f"Your account {ACCOUNT} has not activated the model {model}. "
        "Please activate the model service in the Ark Console."
    )
    return ArkError(status=404, code="ModelNotOpen", message=message)


def model_not_for_this_api(model: str) -> ArkError:
    """Say that `model` exists but serves another route."""
    return invalid_parameter("model", f"the requested model {model} does not support this api.")


def not_found(kind: str, identifier: str) -> ArkError:
    """Say that no `kind` (``file``, ``task``, ...) has this id (ark.md 2.2, 8.7)."""
    message = f"The specified {kind} {identifier} is not found."
    return ArkError(status=404, code=f"NotFound.{kind.capitalize()}", message=message, param="id")


def route_not_found(method: str, path: str) -> ArkError:
    """Say that the service has no such route."""
    message = f"The requested path {method} {path} does not exist."
    return ArkError(status=404, code="NotFound.Path", message=message)


def invalid_state(message: str) -> ArkError:
    """Say that the target is not ready for this, 403 `OperationDenied.InvalidState`."""
    return ArkError(status=403, code="OperationDenied.InvalidState", message=message)


def sensitive_content(code: str) -> ArkError:
    """Refuse for content safety; `code` is for example `InputTextSensitiveContentDetected`."""
    side = "input" if code.startswith("Input") else "output"
    kind = next(word for word in ("Text", "Image", "Video", "Audio") if word in code).lower()
    message = f"The request failed because the {side} {kind} may contain sensitive information."
    return ArkError(status=400, code=code, message=message)


def body_too_large(limit: int) -> ArkError:
    """Say that the body exceeds the limit of `limit` bytes (ark.md 1.5)."""
    message = f"The request body is larger than the limit of {limit} bytes."
    return ArkError(status=413, code="RequestBodyTooLarge", message=message)


def internal_error() -> ArkError:
    """Return Ark's ordinary 500 (ark.md 2.4)."""
    return ArkError(
        status=500,
        code="InternalServiceError",
        message="The service encountered an unexpected internal error. Please retry later.",
    )
