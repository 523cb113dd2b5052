"""The constructor arguments that all adapters share, and the two clients made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from llama_index.core.bridge.pydantic import BaseModel, ConfigDict, Field, PrivateAttr
from pydantic import BeforeValidator, model_validator

from doubao_core import ApiKey, AsyncClient, Client, ConfigError
from doubao_core.api.naming import check_arguments
from doubao_core.config import resolve
from doubao_core.pacing import Plan, RateLimit

# What a copy has in common with the original: it belongs to the caller, and may hold locks.
_SHARED = {
    "callback_manager",
    "embeddings_cache",
    "http_async_client",
    "http_client",
    "rate_limiter",
}


class Connection(BaseModel):
    """Where requests go and with which key; fields of every class here.

    Nothing is opened and no key is needed before the first request. Of an embedding model only the
    provider and the base URL are in ``to_dict``, so that a new key or timeout does not change the
    cache keys that LlamaIndex makes of it. A pickle keeps the rest, but never the key, which the
    copy takes from the environment again, nor headers that look like one. None of these fields can
    be set later: make another object.
    """

    model_config = ConfigDict(
        arbitrary_types_allowed=True,
        extra="forbid",
        # The input of a wrong call may be a key under a misspelt name.
        hide_input_in_errors=True,
        protected_namespaces=("pydantic_model_",),
    )

    provider: str | None = Field(
        default=None, frozen=True, description="Provider; default DOUBAO_PROVIDER, then ark."
    )
    api_key: Annotated[ApiKey, BeforeValidator(ApiKey)] = Field(
        default_factory=ApiKey,
        frozen=True,
        exclude=True,
        repr=False,
        description="String, SecretStr or callable; default the provider's environment variable.",
    )
    base_url: str | None = Field(
        default=None, frozen=True, description="Default DOUBAO_BASE_URL, then the provider's own."
    )
    timeout: float | None = Field(
        default=None, frozen=True, exclude=True, description="Seconds without a byte; default 600."
    )
    max_retries: int | None = Field(
        default=None, frozen=True, exclude=True, description="Attempts beyond the first; default 2."
    )
    default_headers: Mapping[str, str] | None = Field(
        default=None,
        frozen=True,
        exclude=True,
        repr=False,
        description="Headers for every request.",
    )
    requests_per_minute: float | None = Field(
        default=None,
        frozen=True,
        exclude=True,
        description="Most requests to this model in a minute, of all objects with this limit.",
    )
    tokens_per_minute: float | None = Field(
        default=None,
        frozen=True,
        exclude=True,
        description="The same in tokens: estimated before, corrected by the answer.",
    )
    rate_limit_url: str | None = Field(
        default=None,
        frozen=True,
        exclude=True,
        repr=False,
        description="Where both are counted: sqlite:///, postgresql://, redis://; extra limits. "
        "Default DOUBAO_RATE_LIMIT_URL, then this process.",
    )
    plan: Plan | None = Field(
        default=None,
        frozen=True,
        exclude=True,
        description="What the account may do per minute, hour and day, at once, and in credits.",
    )
    http_client: Any = Field(
        default=None,
        frozen=True,
        exclude=True,
        repr=False,
        description="An httpx.Client; not picklable.",
    )
    http_async_client: Any = Field(
        default=None,
        frozen=True,
        exclude=True,
        repr=False,
        description="An httpx.AsyncClient; not picklable.",
    )

    _client: Client = PrivateAttr()
    _async_client: AsyncClient = PrivateAttr()

    @model_validator(mode="before")
    @classmethod
    def _check_doubao_arguments(cls, given: Any) -> Any:
        """Say what was meant by a wrong name: pydantic says only that it is wrong."""
        if isinstance(given, Mapping) and cls.model_config.get("extra") == "forbid":
            check_arguments(cls, given)
        return given

    def model_post_init(self, context: Any, /) -> None:
        """Make the clients: cheap, they connect with the first request."""
        super().model_post_init(context)
        settings = self._settings()
        self._client = Client(**settings, http_client=self.http_client)
        self._async_client = AsyncClient(**settings, http_client=self.http_async_client)

    def _settings(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "api_key": self.api_key,
            "base_url": self.base_url,
            "timeout": self.timeout,
            "max_retries": self.max_retries,
            "default_headers": self.default_headers,
            "rate_limit": RateLimit.of(
                self.requests_per_minute, self.tokens_per_minute, self.rate_limit_url
            ),
            "plan": self.plan,
        }

    def close(self) -> None:
        """Close the blocking client's connections; the next request opens new ones."""
        self._client.close()

    async def aclose(self) -> None:
        """Close the running event loop's connections; the next request opens new ones."""
        await self._async_client.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def __setattr__(self, name: str, value: Any) -> None:
        field = type(self).model_fields.get(name)
        if field is not None and field.frozen:
            # Pydantic's own error would quote the value, which may be a key.
            raise ConfigError(f"{name} cannot be set later: make another {type(self).__name__}")
        super().__setattr__(name, value)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy the object; what is updated decides where the copy's requests go."""
        if not update:
            return super().model_copy(deep=deep)
        given = dict(update)
        if "api_key" in given:
            given["api_key"] = ApiKey(given["api_key"])
        copied = super().model_copy(update=given, deep=deep)
        copied.model_post_init(None)
        return copied

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        memo = {} if memo is None else memo
        for name in _SHARED & self.__dict__.keys():
            memo[id(self.__dict__[name])] = self.__dict__[name]
        return super().__deepcopy__(memo)

    def __getstate__(self) -> dict[Any, Any]:
        if self.http_client is not None or self.http_async_client is not None:
            raise TypeError(
                f"a {type(self).__name__} with an injected http_client cannot be pickled: make it "
                "without one, or make it again in the other process"
            )
        # LlamaIndex deletes what cannot be pickled, such as a rate limiter, from the fields that
        # it is given: they must not be those of the object in use.
        portable = resolve(**self._settings()).portable()
        copied = self.__copy__()
        if self.default_headers is not None:
            copied.__dict__["default_headers"] = portable["default_headers"]
        return super(Connection, copied).__getstate__()
