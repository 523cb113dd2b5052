"""Reading and refusing chat requests, as strictly as ark.md 4 describes."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from doubao_emulator import chat_thinking, chat_tools, tokens
from doubao_emulator.chat_messages import read_messages
from doubao_emulator.chat_model import ChatRequest
from doubao_emulator.errors import (
    ArkError,
    invalid_parameter,
    missing_parameter,
    sensitive_content,
    unsupported_parameter,
)
from doubao_emulator.models import ChatModel

if TYPE_CHECKING:
    from doubao_emulator.chat_model import MediaKind, Message
    from doubao_emulator.clouds import Cloud
    from doubao_emulator.state import World
    from doubao_emulator.wire import JSON, Fields

# A prompt that holds this phrase is refused by content safety; write it in a test's prompt.
REFUSED_PHRASE = "EMULATED SENSITIVE CONTENT"

DEFAULT_ANSWER_TOKENS = 4096
_DEEPSEEK_4_1_TOKENS = 128 * 1024
_REFERENCE_MAX_COMPLETION = 65_536
_TOKENS_PER_MESSAGE = 4
_HARD_QUESTION_CHARACTERS = 40

# Keywords of JSON schema that mean something and that strict mode does not know (ark.md 4.5).
_STRICT_WORDS = (
    "contains dependentRequired dependentSchemas else exclusiveMaximum exclusiveMinimum format if "
    "maxContains maxItems maxLength maxProperties maximum minContains minItems minLength "
    "minProperties minimum multipleOf not pattern patternProperties propertyNames then "
    "uniqueItems"
)
_UNSUPPORTED_IN_STRICT = frozenset(_STRICT_WORDS.split())
# Where schemas stand inside a schema; any other value, such as those of `enum`, is data.
_SCHEMAS_BY_NAME = frozenset({"properties", "$defs", "definitions"})
_LISTS_OF_SCHEMAS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_SCHEMAS = frozenset({"items", "additionalProperties", "unevaluatedItems", "unevaluatedProperties"})


def read(fields: Fields, world: World, cloud: Cloud) -> ChatRequest:
    """Validate a request body.

    Raises:
        ArkError: For everything ark.md 4 says the service refuses.
    """
    model = cloud.find(fields.required_string("model"), ChatModel)
    messages = read_messages(fields, model, world)
    tools = chat_tools.read_tools(fields, model)
    forced, may_call = chat_tools.read_choice(fields, tools)
    thinks, effort = chat_thinking.decide(fields, model, hard=_is_hard(messages))
    schema, json_object = _response_format(fields, model, messages)
    _check_sampling(fields, model)
    answer_limit, total_limit = _limits(fields, model)
    stream, usage_chunk, usage_everywhere = _streaming(fields, model)
    logprobs, top_logprobs = _logprobs(fields, model, thinks=thinks)
    request = ChatRequest(
        model=model,
        messages=messages,
        tools=tools,
        thinks=thinks,
        effort=effort,
        forced_tool=forced,
        may_call=may_call,
        parallel=fields.boolean("parallel_tool_calls") is not False,
        schema=schema,
        json_object=json_object,
        stops=_stops(fields, model),
        answer_limit=answer_limit,
        total_limit=total_limit,
        logprobs=logprobs,
        top_logprobs=top_logprobs,
        prompt_tokens=prompt_tokens(messages) + chat_tools.tokens_of(tools),
        media_tokens=_media_tokens(messages),
        tier=_tier(fields, model),
        stream=stream,
        usage_chunk=usage_chunk,
        usage_everywhere=usage_everywhere,
    )
    _check_content(request)
    return request


def prompt_tokens(messages: tuple[Message, ...]) -> int:
    """Return what these messages cost, roles included."""
    return sum(message_tokens(message) for message in messages)


def message_tokens(message: Message) -> int:
    """Return what one message costs, its role included."""
    called = sum(tokens.count(call.name + call.arguments) for call in message.tool_calls)
    media = sum(medium.tokens for medium in message.media)
    return _TOKENS_PER_MESSAGE + tokens.count(message.text) + called + media


def _media_tokens(messages: tuple[Message, ...]) -> dict[MediaKind, int]:
    costs: Counter[MediaKind] = Counter()
    for message in messages:
        for medium in message.media:
            costs[medium.kind] += medium.tokens
    return dict(costs)


def _check_content(request: ChatRequest) -> None:
    limit = min(request.model.max_input, request.model.context)
    if request.prompt_tokens > limit:
        raise ArkError(
            status=400,
            code="OutofContextError",
            message=(
                "Total tokens of image and text exceed max message tokens: "
                f"{request.prompt_tokens} tokens given, {limit} allowed."
            ),
            param="messages",
        )
    if any(REFUSED_PHRASE in message.text for message in request.messages):
        raise sensitive_content("InputTextSensitiveContentDetected")


def _is_hard(messages: tuple[Message, ...]) -> bool:
    """Say whether `thinking: auto` should think: the last question is not just small talk."""
    asked = [message for message in messages if message.role == "user"]
    return bool(asked) and len(asked[-1].text) > _HARD_QUESTION_CHARACTERS


def _check_sampling(fields: Fields, model: ChatModel) -> None:
    """Check what steers the choice of words.

    Values that a model replaces by its own (temperature and top_p of some, ark.md 4.1) are taken
    in silence, as the service is said to force them, not to refuse them.
    """
    fields.number("temperature", low=0, high=2)
    fields.number("top_p", low=0, high=1)
    fields.number("repetition_penalty", low=0, high=2)
    fields.string("user")
    for name in ("frequency_penalty", "presence_penalty"):
        penalty = fields.number(name, low=-2, high=2)
        if penalty is not None and not model.penalties:
            raise unsupported_parameter(name, model.id)
    # `n` is in one SDK only and not in the reference (ark.md 4.1).
    if fields.integer("n", low=1) not in {None, 1}:
        raise unsupported_parameter("n", model.id)


def _logprobs(fields: Fields, model: ChatModel, *, thinks: bool) -> tuple[bool, int]:
    """Read the three fields that ark.md 4.1 says are not for thinking models.

    It says neither how they are refused nor what holds for a thinking model that does not think in
    this request: they are refused as any field that a model lacks, and honoured without thinking.
    """
    wanted = fields.boolean("logprobs") is True
    bias = fields.object("logit_bias")
    if wanted and thinks and not model.logprobs:
        raise unsupported_parameter("logprobs", model.id)
    if bias is not None:
        if thinks:
            raise unsupported_parameter("logit_bias", model.id)
        for token in bias.data:
            bias.number(token, low=-100, high=100)
    top = fields.integer("top_logprobs", low=0, high=20)
    if top is not None and not wanted:
        raise invalid_parameter("top_logprobs", "it needs `logprobs` to be true.")
    return wanted, top or 0


def _limits(fields: Fields, model: ChatModel) -> tuple[int, int | None]:
    """Return the most answer tokens, and the most tokens of answer and thought together."""
    if fields.has("max_tokens") and fields.has("max_completion_tokens"):
        raise invalid_parameter(
            "max_tokens", "`max_tokens` and `max_completion_tokens` cannot be set together."
        )
    most = max(model.max_answer, _REFERENCE_MAX_COMPLETION)
    total = fields.integer("max_completion_tokens", low=1, high=most)
    if total is not None:
        if not model.total_limit:
            raise unsupported_parameter("max_completion_tokens", model.id)
        return total, total
    answer = fields.integer("max_tokens", low=1, high=model.max_answer)
    if model.counts_thought:
        return (both := answer or _DEEPSEEK_4_1_TOKENS), both
    return answer or min(DEFAULT_ANSWER_TOKENS, model.max_answer), None


def _stops(fields: Fields, model: ChatModel) -> tuple[str, ...]:
    # ark.md 4.1 says thinking models do not support `stop`, but not how they refuse it, and
    # frameworks send it to every model; so it is honoured everywhere.
    value = fields.get("stop")
    if value is None:
        return ()
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise invalid_parameter("stop", "a string or an array of strings is expected.")
    if len(stops) > model.max_stops:
        raise invalid_parameter("stop", f"at most {model.max_stops} stop words are allowed.")
    return tuple(stop for stop in stops if stop)


def _tier(fields: Fields, model: ChatModel) -> str:
    tier = fields.string("service_tier", choices=("auto", "default", "fast", "flex"))
    if tier == "flex" and not model.flex:
        raise unsupported_parameter("service_tier", model.id)
    return tier if tier in {"fast", "flex"} else "default"


def _streaming(fields: Fields, model: ChatModel) -> tuple[bool, bool, bool]:
    stream = fields.boolean("stream") is True
    options = fields.object("stream_options")
    if options is None:
        return stream, model.default_usage_chunk, False
    if not stream:
        raise invalid_parameter("stream_options", "it is only allowed when `stream` is true.")
    wanted = options.boolean("include_usage")
    everywhere = options.boolean("chunk_include_usage") is True
    return stream, model.default_usage_chunk if wanted is None else wanted, everywhere


def _response_format(
    fields: Fields, model: ChatModel, messages: tuple[Message, ...]
) -> tuple[dict[str, JSON] | None, bool]:
    wanted = fields.object("response_format")
    if wanted is None:
        return None, False
    kind = wanted.string("type", choices=("text", "json_object", "json_schema"))
    if kind is None:
        raise missing_parameter(wanted.param("type"))
    if kind == "text":
        return None, False
    if kind not in model.structured:
        raise ArkError(
            status=400,
            code="InvalidParameter",
            message=(
                "The parameter `response_format.type` specified in the request are not valid: "
                f"`{kind}` is not supported by this model."
            ),
            param="response_format.type",
        )
    if kind == "json_schema":
        schema = _read_schema(wanted.required_object("json_schema"))
        return (None if model.ignores_schema else schema), False
    if not any(re.search("json", message.text, re.IGNORECASE) for message in messages):
        raise invalid_parameter(
            "messages", "the word `json` must be in the prompt to use `json_object`."
        )
    return None, True


def _read_schema(wanted: Fields) -> dict[str, JSON]:
    wanted.required_string("name")
    wanted.string("description")
    schema = wanted.required_object("schema").data
    chat_tools.check_schema(schema, wanted.param("schema"))
    if wanted.boolean("strict"):
        _check_strict(schema, wanted.param("schema"))
    return schema


def _check_strict(schema: JSON, path: str) -> None:
    """Refuse keywords that strict mode would have to enforce and cannot."""
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        if keyword in _UNSUPPORTED_IN_STRICT:
            raise invalid_parameter(path, f"keyword `{keyword}` is not supported in strict mode.")
        if keyword == "$ref" and not str(value).startswith("#"):
            raise invalid_parameter(path, "only local references are supported in strict mode.")
        if keyword in _SCHEMAS_BY_NAME and isinstance(value, dict):
            for name, nested in value.items():
                _check_strict(nested, f"{path}.{keyword}.{name}")
        elif keyword in _LISTS_OF_SCHEMAS and isinstance(value, list):
            for index, nested in enumerate(value):
                _check_strict(nested, f"{path}.{keyword}[{index}]")
        elif keyword in _SCHEMAS:
            _check_strict(value, f"{path}.{keyword}")
