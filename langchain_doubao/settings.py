"""What ``ChatDoubao`` is made with, and the request options that are made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self, TypeAlias

from langchain_core.language_models import BaseChatModel, ModelProfile
from pydantic import AliasChoices, ConfigDict, Field, model_validator

from doubao_core import ChatOptions
from doubao_core.api.chat import REQUEST_ONLY
from doubao_core.gateways import gateway
from langchain_doubao import profiles
from langchain_doubao.connection import Connection
from langchain_doubao.messages import SendReasoning

JSON: TypeAlias = dict[str, Any]
Thinking: TypeAlias = Literal["enabled", "disabled", "auto"] | JSON
Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"]

# Call-time arguments that frameworks pass along and that are no part of a request.
_NOT_SENT = ("stream", "ls_structured_output_format", "structured_output_format")


class ChatSettings(Connection, BaseChatModel):
    """The fields of a chat model; ``None`` means that the service's own default applies."""

    # LangChain's base would let misspelt arguments pass.
    model_config = ConfigDict(extra="forbid")

    model: str = Field(validation_alias=AliasChoices("model", "model_name"))
    """Model id (``doubao-seed-…``) or endpoint id (``ep-…``)."""

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
    check_parameters: bool = True
    """Whether a parameter that a known model is said to refuse is a ``ValueError`` before anything
    is sent, and one that it ignores a warning; may be given with a call, too."""
    extra_body: JSON | None = None
    """Fields merged over the request, for what is newer than this library; never checked."""
    model_kwargs: JSON = Field(default_factory=dict)
    """More wire fields, by convention; those of a call win over them."""

    @model_validator(mode="after")
    def _check_doubao_settings(self) -> Self:
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise ValueError("max_tokens and max_completion_tokens exclude each other: pass one")
        if wrong := REQUEST_ONLY & self.model_kwargs.keys():
            raise ValueError(
                f"model_kwargs cannot hold {', '.join(sorted(wrong))}: give the model as model, "
                "headers as default_headers, and the rest with a call"
            )
        self._renew_profile()
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy the object; another model brings its own profile, unless that is given, too."""
        copied = super().model_copy(update=update, deep=deep)
        if update and "model" in update and "profile" not in update:
            copied._renew_profile()  # noqa: SLF001 - of the same class
        return copied

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "model":
            self._renew_profile()

    def _renew_profile(self) -> None:
        """Resolve the profile again, except one that is the user's own."""
        if self.profile is None or profiles.is_of_another(self.profile, self.model):
            self.profile = self._resolve_model_profile()

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


# What of these is a field of the class goes into the request under its own name.
_WIRE_FIELDS = tuple(
    name
    for name in ChatOptions.__annotations__
    if name in ChatSettings.model_fields and name != "extra_body"
)
_EXCLUSIVE = (("max_tokens", "max_completion_tokens"), ("max_completion_tokens", "max_tokens"))
_ONLY_WITH_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")


def _plain(options: JSON) -> JSON:
    """Bring options to the wire's form: no nulls, no empty stop list, thinking as an object."""
    if not options.get("stop"):
        options.pop("stop", None)
    if isinstance(thinking := options.get("thinking"), str):
        options["thinking"] = {"type": thinking}
    return {name: value for name, value in options.items() if value is not None}
