"""The constructor arguments that chat, embeddings and tools share, and the two clients of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TypeAlias, TypeVar

from langchain_core.utils import from_env
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, model_validator

from doubao_core import AsyncClient, Client
from doubao_core.api.naming import check_arguments
from doubao_core.config import resolve
from doubao_core.gateways import gateway
from doubao_core.pacing import Plan, RateLimit

T = TypeVar("T")
Made: TypeAlias = tuple[Any, T] | None
"""Something and what it was made of; ``None`` before it is needed."""

# Type checkers go by these annotations: what may be given must be in them, although a string is
# turned into the first of the two.
Key: TypeAlias = Annotated[
    SecretStr | str | Callable[[], str] | None, Field(union_mode="left_to_right")
]
Folder: TypeAlias = Annotated[Path | str, Field(union_mode="left_to_right")]

# Two threads that need something first must not make it twice.
_MAKING = threading.Lock()


def chosen_provider() -> str:
    """Say which provider the environment chooses; an empty variable chooses none."""
    return os.environ.get("DOUBAO_PROVIDER") or "ark"


class Connection(BaseModel):
    """Where requests go and with which key; fields of every class of this package.

    Nothing is opened and no key is needed before the first request; a field that is changed later,
    also in ``model_copy(update=…)``, counts from the next request on. The key is in no dump, no
    ``repr`` and no pickle; an unpickled object takes it from the environment again.
    """

    model_config = ConfigDict(
        arbitrary_types_allowed=True,
        populate_by_name=True,
        extra="forbid",
        protected_namespaces=(),
        # An error about another argument must not quote the key.
        hide_input_in_errors=True,
    )

    provider: str = Field(default_factory=chosen_provider)
    """Name of the provider; default ``DOUBAO_PROVIDER``, then ``"ark"``."""
    api_key: Key = Field(default=None, exclude=True, repr=False)
    """A string, a ``SecretStr``, or a callable that is asked with each request; default the
    provider's environment variable."""
    base_url: str | None = Field(default_factory=from_env("DOUBAO_BASE_URL", default=None))
    """Default ``DOUBAO_BASE_URL``, then the provider's own."""
    timeout: float | None = None
    """Seconds for the connect, the first byte and each gap between events; default 600."""
    max_retries: int | None = None
    """Attempts beyond the first; default 2. A stream is repeated only before its first event, and
    paid creates are never sent twice once accepted."""
    default_headers: Mapping[str, str] | None = Field(default=None, exclude=True, repr=False)
    """Headers to add to every request."""
    requests_per_minute: float | None = None
    """Most requests to this model in a minute, of all objects of this process with the same limit;
    others wait. Without it nothing waits before the service refuses."""
    tokens_per_minute: float | None = None
    """The same in tokens, which are estimated before a request and corrected by its answer."""
    rate_limit_url: str | None = Field(default=None, exclude=True, repr=False)
    """Where the two are counted for several processes (``sqlite:///file``) or machines
    (``postgresql://…``, ``redis://…``); needs the extra ``limits``. Default
    ``DOUBAO_RATE_LIMIT_URL``, then this process."""
    plan: Plan | None = Field(default=None, exclude=True)
    """What the account may do in all: per minute, hour and day, at once and in credits. What it has
    no room for is not sent."""
    http_client: Any = Field(default=None, exclude=True, repr=False)
    """An ``httpx.Client`` for the blocking methods; used as it is, never closed by us."""
    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    """An ``httpx.AsyncClient`` for the async methods, on one event loop; never closed by us."""

    _client: Made[Client] = PrivateAttr(default=None)
    _async_client: Made[AsyncClient] = PrivateAttr(default=None)

    def model_post_init(self, context: Any, /) -> None:
        """Let LangChain's bases do theirs, which pydantic leaves out for private attributes."""
        super().model_post_init(context)

    @model_validator(mode="before")
    @classmethod
    def _check_doubao_arguments(cls, given: Any) -> Any:
        """Say what was meant by a wrong name: pydantic says only that it is wrong."""
        if isinstance(given, Mapping) and cls.model_config.get("extra") == "forbid":
            check_arguments(cls, given)
        return given

    @model_validator(mode="after")
    def _check_doubao_connection(self) -> Self:
        if self.api_key is None:
            keys = (os.environ.get(each) for each in gateway(self.provider).key_env)
            if key := next((key for key in keys if key), None):
                self.api_key = SecretStr(key)
        # The clients are made later, but a wrong address or time limit is to be seen here.
        resolve(**self._settings())
        return self

    def sharing(self, connection: Connection) -> Self:
        """Use the clients of *connection* while both are set up alike; gives this object back."""
        connection._blocking()
        connection._awaiting()
        self._client, self._async_client = connection._client, connection._async_client
        return self

    def close(self) -> None:
        """Close the connections of blocking calls; the next call opens new ones."""
        if self._client is not None:
            self._client[1].close()

    async def aclose(self) -> None:
        """Close the running event loop's connections; the next call opens new ones."""
        if self._async_client is not None:
            await self._async_client[1].aclose()

    def _settings(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "api_key": self.api_key,
            "base_url": self.base_url,
            "timeout": self.timeout,
            "max_retries": self.max_retries,
            # A copy, so that a header which is set later differs from it.
            "default_headers": dict(self.default_headers or {}),
            "rate_limit": RateLimit.of(
                self.requests_per_minute, self.tokens_per_minute, self.rate_limit_url
            ),
            "plan": self.plan,
        }

    def _blocking(self) -> Client:
        wanted = {**self._settings(), "http_client": self.http_client}
        return self._remade("_client", wanted, lambda: Client(**wanted))

    def _awaiting(self) -> AsyncClient:
        wanted = {**self._settings(), "http_client": self.http_async_client}
        return self._remade("_async_client", wanted, lambda: AsyncClient(**wanted))

    def _remade(self, slot: str, wanted: Any, make: Callable[[], T]) -> T:
        """Give what is in *slot*, made anew if it was made of something else than *wanted*."""
        made: Made[T] = getattr(self, slot)
        if made is None or made[0] != wanted:
            with _MAKING:
                made = getattr(self, slot)
                if made is None or made[0] != wanted:
                    made = (wanted, make())
                    setattr(self, slot, made)
        return made[1]

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
        portable = resolve(**self._settings()).portable()
        state = super().__getstate__()
        fields = dict(state["__dict__"])
        # A pickle is a file that travels: it holds neither keys nor headers that look like one.
        fields["api_key"] = self.api_key if callable(self.api_key) else None
        if self.default_headers is not None:
            fields["default_headers"] = portable["default_headers"]
        private = {**state["__pydantic_private__"], "_client": None, "_async_client": None}
        return {**state, "__dict__": fields, "__pydantic_private__": private}
