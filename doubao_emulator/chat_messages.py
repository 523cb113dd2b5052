"""Reading the `messages` of a chat request (ark.md 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from doubao_emulator import chat_thinking
from doubao_emulator.chat_model import Media, Message, ToolCall
from doubao_emulator.chat_parts import PartReader
from doubao_emulator.errors import ArkError, invalid_parameter, missing_parameter
from doubao_emulator.wire import Fields

if TYPE_CHECKING:
    from doubao_emulator.chat_model import Role
    from doubao_emulator.models import ChatModel
    from doubao_emulator.state import World

_ROLES = ("system", "user", "assistant", "tool")


def read_messages(fields: Fields, model: ChatModel, world: World) -> tuple[Message, ...]:
    """Read all messages.

    Raises:
        ArkError: 400 for a bad role, part or tool answer.
    """
    entries = fields.objects("messages")
    if entries is None:
        raise missing_parameter("messages")
    if not entries:
        raise invalid_parameter("messages", "at least one message is expected.")
    reader = PartReader(model, world)
    messages: list[Message] = []
    known_calls: set[str] = set()
    for entry in entries:
        message = _read_message(entry, reader)
        if message.role == "tool" and message.tool_call_id not in known_calls:
            raise invalid_parameter(
                entry.param("tool_call_id"),
                f"no preceding message calls a tool with id `{message.tool_call_id}`.",
            )
        known_calls.update(call.id for call in message.tool_calls)
        messages.append(message)
    return tuple(messages)


def _read_message(entry: Fields, reader: PartReader) -> Message:
    role = _role(entry)
    calls = _tool_calls(entry) if role == "assistant" else ()
    text, media = _content(entry, reader, optional=bool(calls))
    entry.string("name")
    if role == "assistant":
        entry.string("reasoning_content")
        sealed = entry.string("encrypted_content")
        if sealed:
            chat_thinking.verify(sealed, entry.param("encrypted_content"))
    return Message(
        role=role,
        text=text,
        media=media,
        tool_calls=calls,
        tool_call_id=entry.required_string("tool_call_id") if role == "tool" else "",
    )


def _role(entry: Fields) -> Role:
    role = entry.string("role")
    if not role:
        raise ArkError(
            status=400,
            code="InvalidArgumentError",
            message="The message is missing `role`.",
            param=entry.param("role"),
        )
    if role not in _ROLES:
        raise ArkError(
            status=400,
            code="InvalidArgumentError.UnknownRole",
            message=f"Unknown role {role[:32]!r}, must be one of {', '.join(_ROLES)}.",
            param=entry.param("role"),
        )
    # It was just compared with the four roles.
    return cast("Role", role)


def _content(entry: Fields, reader: PartReader, *, optional: bool) -> tuple[str, tuple[Media, ...]]:
    content = entry.get("content")
    if content is None:
        if optional:
            return "", ()
        raise missing_parameter(entry.param("content"))
    if isinstance(content, str):
        return content, ()
    if not isinstance(content, list):
        raise invalid_parameter(
            entry.param("content"), "a string or an array of content parts is expected."
        )
    parts = [reader.read(part) for part in entry.objects("content") or ()]
    texts = [part for part in parts if isinstance(part, str)]
    media = tuple(part for part in parts if isinstance(part, Media))
    return "\n".join(texts), media


def _tool_calls(entry: Fields) -> tuple[ToolCall, ...]:
    return tuple(_tool_call(call) for call in entry.objects("tool_calls") or ())


def _tool_call(call: Fields) -> ToolCall:
    call.string("type", choices=("function",))
    function = call.required_object("function")
    arguments = function.string("arguments")
    if arguments is None:
        raise missing_parameter(function.param("arguments"))
    # ark.md 4.2 leaves open whether arguments that are not JSON are refused. They are accepted, so
    # that an agent can show the model its own broken call and recover.
    return ToolCall(
        id=call.required_string("id"),
        name=function.required_string("name"),
        arguments=arguments,
    )
