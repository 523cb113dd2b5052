"""The constructor arguments of embeddings and tools, and the two clients made of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Self

from langchain_core.utils import from_env
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr

from doubao_core import AsyncClient, Client
from doubao_core.gateways import gateway


def chosen_provider() -> str:
    """Say which provider the environment chooses; an empty variable chooses none."""
    return os.environ.get("DOUBAO_PROVIDER") or "ark"


class Connection(BaseModel):
    """Where requests go and with which key; the first fields of every embedding model and tool.

    Nothing is opened and no key is needed before the first request. The key is in no dump, no
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
    api_key: SecretStr | Callable[[], str] | None = Field(default=None, exclude=True, repr=False)
    """A string, a ``SecretStr``, or a callable that is asked with each request; default the
    provider's environment variable."""
    base_url: str | None = Field(default_factory=from_env("DOUBAO_BASE_URL", default=None))
    """Default ``DOUBAO_BASE_URL``, then the provider's own."""
    timeout: float | None = None
    """Seconds for the connect, the first byte and each gap between events; default 600."""
    max_retries: int | None = None
    """Attempts beyond the first; default 2. Paid creates are never sent twice once accepted."""
    default_headers: Mapping[str, str] | None = Field(default=None, exclude=True, repr=False)
    """Headers to add to every request."""
    http_client: Any = Field(default=None, exclude=True, repr=False)
    """An ``httpx.Client`` for the blocking methods; used as it is, never closed by us."""
    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    """An ``httpx.AsyncClient`` for the async methods; used as it is, never closed by us."""

    _client: Client = PrivateAttr()
    _async_client: AsyncClient = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Find the key and make the clients: cheap, they connect with the first request."""
        super().model_post_init(context)
        if self.api_key is None:
            keys = (os.environ.get(each) for each in gateway(self.provider).key_env)
            self.api_key = next((SecretStr(key) for key in keys if key), None)
        settings: dict[str, Any] = {
            "provider": self.provider,
            "api_key": self.api_key,
            "base_url": self.base_url,
            "timeout": self.timeout,
            "max_retries": self.max_retries,
            "default_headers": self.default_headers,
        }
        self._client = Client(**settings, http_client=self.http_client)
        self._async_client = AsyncClient(**settings, http_client=self.http_async_client)

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        return {**state, "__dict__": {**state["__dict__"], "api_key": None}}

    def sharing(self, connection: Connection) -> Self:
        """Use the clients of *connection* from now on, and give this object back."""
        self._client = connection._client
        self._async_client = connection._async_client
        return self

    def close(self) -> None:
        """Close the blocking client's connections; the next request opens new ones."""
        self._client.close()

    async def aclose(self) -> None:
        """Close the running event loop's connections; the next request opens new ones."""
        await self._async_client.aclose()
