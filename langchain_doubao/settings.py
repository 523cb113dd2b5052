"""What ``ChatDoubao`` is made with, and what is made of it: request options, clients, copies."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Literal, Self, TypeAlias

from langchain_core.language_models import BaseChatModel, ModelProfile
from langchain_core.utils import from_env
from pydantic import AliasChoices, ConfigDict, Field, PrivateAttr, SecretStr, model_validator

from doubao_core import AsyncClient, Client
from doubao_core.gateways import gateway
from langchain_doubao import profiles
from langchain_doubao.connection import chosen_provider
from langchain_doubao.messages import SendReasoning

JSON: TypeAlias = dict[str, Any]
Thinking: TypeAlias = Literal["enabled", "disabled", "auto"] | JSON
Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]

_WIRE_FIELDS = (
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "frequency_penalty",
    "presence_penalty",
    "logprobs",
    "top_logprobs",
    "seed",
    "thinking",
    "reasoning_effort",
    "service_tier",
    "parallel_tool_calls",
)
# Call-time arguments that frameworks pass along and that are no part of a request.
_NOT_SENT = ("stream", "ls_structured_output_format", "structured_output_format")


class ChatSettings(BaseChatModel):
    """The fields of a chat model; ``None`` means that the service's own default applies."""

    model_config = ConfigDict(
        arbitrary_types_allowed=True,
        extra="forbid",
        populate_by_name=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
    )

    model: str = Field(validation_alias=AliasChoices("model", "model_name"))
    """Model id (``doubao-seed-…``) or endpoint id (``ep-…``)."""
    provider: str = Field(default_factory=chosen_provider)
    """Name of the provider; default ``DOUBAO_PROVIDER``, then ``"ark"``."""
    api_key: SecretStr | Callable[[], str] | None = Field(default=None, exclude=True)
    """The key, or a callable that is asked for it with each request; default the provider's
    environment variable (``ARK_API_KEY``). It is in no repr, dump, trace or pickle."""
    base_url: str | None = Field(default_factory=from_env("DOUBAO_BASE_URL", default=None))
    """Default ``DOUBAO_BASE_URL``, then the provider's own."""
    timeout: float | None = None
    """Seconds for the connect, the first byte, and each gap in a stream; default 600."""
    max_retries: int | None = None
    """Attempts beyond the first; default 2. A stream is repeated only before its first event."""
    default_headers: Mapping[str, str] | None = Field(default=None, exclude=True, repr=False)
    """Headers to add to every request."""
    http_client: Any = Field(default=None, exclude=True, repr=False)
    """An ``httpx.Client`` for blocking calls; used as it is, never closed by us."""
    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    """An ``httpx.AsyncClient`` for calls on one event loop; never closed by us."""

    temperature: float | None = None
    """0 to 2."""
    top_p: float | None = None
    """0 to 1."""
    max_tokens: int | None = None
    """Most tokens of the answer without its reasoning; the service's default is 4096."""
    max_completion_tokens: int | None = None
    """Most tokens of reasoning and answer together; excludes ``max_tokens``."""
    stop: list[str] | str | None = None
    """Texts at which the answer ends, at most four; an empty list is none."""
    frequency_penalty: float | None = None
    """−2 to 2; not for seed-2.0 and newer."""
    presence_penalty: float | None = None
    """−2 to 2; not for seed-2.0 and newer."""
    logprobs: bool | None = None
    """Ask for log probabilities; not for thinking models."""
    top_logprobs: int | None = None
    """0 to 20, with ``logprobs``."""
    seed: int | None = None
    """Not in Ark's reference for chat; sent as it is."""
    thinking: Thinking | None = None
    """``"enabled"``, ``"disabled"``, ``"auto"``, or the wire's own object (ark.md 4.6)."""
    reasoning_effort: Effort | None = None
    """How hard to think; see ark.md 4.6 for what each model makes of it."""
    service_tier: Literal["auto", "default", "fast", "flex"] | None = None
    """``flex`` is about half the price and may queue for 20 minutes (ark.md 4.1)."""
    parallel_tool_calls: bool | None = None
    """False for at most one tool call per answer; sent only with tools."""
    streaming: bool = False
    """Whether ``invoke`` streams, too."""
    stream_usage: bool = True
    """Whether streams report usage, on their last chunk."""
    send_reasoning: SendReasoning = True
    """Whether reasoning and its seal go back with their messages: always, only with those that
    call tools (``"tool_calls"``), or never. Summary models need it inside a tool loop."""
    extra_body: JSON | None = None
    """Fields merged over the request, for what is newer than this library."""
    model_kwargs: JSON = Field(default_factory=dict)
    """More wire fields, by convention; those of a call win over them."""

    _client: tuple[Any, Client] | None = PrivateAttr(default=None)
    _async_client: tuple[Any, AsyncClient] | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _check_doubao_settings(self) -> Self:
        known = gateway(self.provider)
        if self.api_key is None:
            for variable in known.key_env:
                if key := os.environ.get(variable):
                    self.api_key = SecretStr(key)
                    break
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise ValueError("max_tokens and max_completion_tokens exclude each other: pass one")
        return self

    @property
    def model_name(self) -> str:
        """The model, under its other name."""
        return self.model

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Which field is a secret, and the variable that a loaded copy takes it from."""
        variables = gateway(self.provider).key_env
        return {"api_key": variables[0]} if variables else {}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Yes: ``load(text, allowed_objects=[ChatDoubao], valid_namespaces=["langchain_doubao"])``.

        ``load`` by itself admits the classes of LangChain's own list only.
        """
        return True

    @property
    def _identifying_params(self) -> JSON:
        """Everything that can change an answer, and no secret."""
        return {
            "model": self.model,
            "model_name": self.model,
            "provider": self.provider,
            "base_url": self.base_url,
            "send_reasoning": self.send_reasoning,
            **self.wire_options(),
            **({"extra_body": self.extra_body} if self.extra_body else {}),
        }

    def _resolve_model_profile(self) -> ModelProfile | None:
        return profiles.profile(self.model)

    def wire_options(self) -> JSON:
        """The wire fields that were set on this object."""
        values = self.__dict__
        options = {name: value for name in _WIRE_FIELDS if (value := values[name]) is not None}
        options.update(self.model_kwargs)
        return _plain(options)

    def request_options(self, stop: list[str] | None, call: Mapping[str, Any]) -> JSON:
        """The wire fields of one call: this object's, then the call's own, which win."""
        options = self.wire_options()
        for one, other in _EXCLUSIVE:
            if call.get(one) is not None:
                options.pop(other, None)
        options.update(call)
        if stop is not None:
            options["stop"] = stop
        for name in _NOT_SENT:
            options.pop(name, None)
        if not options.get("tools"):
            for name in _ONLY_WITH_TOOLS:
                options.pop(name, None)
        extra = {**(self.extra_body or {}), **(call.get("extra_body") or {})}
        if extra:
            options["extra_body"] = extra
        return _plain(options)

    def _connection(self, http_client: Any) -> JSON:
        return {
            "provider": self.provider,
            "api_key": self.api_key,
            "base_url": self.base_url,
            "timeout": self.timeout,
            "max_retries": self.max_retries,
            "default_headers": self.default_headers,
            "http_client": http_client,
        }

    def _blocking(self) -> Client:
        # Made when first needed, and again after a field was changed or a copy was updated.
        connection = self._connection(self.http_client)
        if (made := self._client) is None or made[0] != connection:
            made = self._client = (connection, Client(**connection))
        return made[1]

    def _awaiting(self) -> AsyncClient:
        connection = self._connection(self.http_async_client)
        if (made := self._async_client) is None or made[0] != connection:
            made = self._async_client = (connection, AsyncClient(**connection))
        return made[1]

    def close(self) -> None:
        """Close the connections of blocking calls; the next call opens new ones."""
        if self._client is not None:
            self._client[1].close()

    async def aclose(self) -> None:
        """Close the running event loop's connections; the next call opens new ones."""
        if self._async_client is not None:
            await self._async_client[1].aclose()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        memo = {} if memo is None else memo
        for shared in (self.http_client, self.http_async_client):
            memo[id(shared)] = shared
        return super().__deepcopy__(memo)

    def __getstate__(self) -> dict[Any, Any]:
        if self.http_client is not None or self.http_async_client is not None:
            raise TypeError(
                f"a {type(self).__name__} with an injected http client cannot be pickled: make it "
                "without one, or make it again in the other process"
            )
        state = super().__getstate__()
        fields = dict(state["__dict__"])
        if not callable(fields["api_key"]):
            # A pickle is a file that travels; the copy takes the key from its own environment.
            fields["api_key"] = None
        private = dict.fromkeys(state["__pydantic_private__"] or ())
        return {**state, "__dict__": fields, "__pydantic_private__": private}


_EXCLUSIVE = (("max_tokens", "max_completion_tokens"), ("max_completion_tokens", "max_tokens"))
_ONLY_WITH_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")


def _plain(options: JSON) -> JSON:
    """Bring options to the wire's form: no nulls, no empty stop list, thinking as an object."""
    if not options.get("stop"):
        options.pop("stop", None)
    if isinstance(thinking := options.get("thinking"), str):
        options["thinking"] = {"type": thinking}
    return {name: value for name, value in options.items() if value is not None}
