"""What both clients are made of: settings that copy and pickle safely, and a transport to come."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Generic, Self, TypeVar

from doubao_core import retry
from doubao_core.api.reader import RetoldReader
from doubao_core.config import KeySource, Settings, resolve
from doubao_core.errors import DoubaoError
from doubao_core.operation import Opening, Reader, Repeat, Reply, Send
from doubao_core.pacing import ANNOUNCED, FREE, Plan, RateLimit, Toll, gate, is_paid, pacer

_LOG = logging.getLogger("doubao_core")
H = TypeVar("H")
T = TypeVar("T")


class Configured(Generic[H]):
    """Settings of a client, and its transport, which is made when first needed."""

    def __init__(
        self,
        *,
        provider: str | None = None,
        api_key: KeySource = None,
        base_url: str | None = None,
        timeout: float | None = None,
        max_retries: int | None = None,
        default_headers: Mapping[str, str] | None = None,
        http_client: H | None = None,
        rate_limit: RateLimit | None = None,
        plan: Plan | None = None,
    ) -> None:
        self._settings = resolve(
            provider=provider,
            api_key=api_key,
            base_url=base_url,
            timeout=timeout,
            max_retries=max_retries,
            default_headers=default_headers,
            rate_limit=rate_limit,
            plan=plan,
        )
        self._policy = retry.Policy(max_retries=self._settings.max_retries)
        self._http_client = http_client
        self._made: Any = None

    @property
    def provider(self) -> str:
        """Name of the provider that this client talks to."""
        return self._settings.gateway.name

    @property
    def base_url(self) -> str:
        """Where requests go; asking an emulator client for it starts the emulator."""
        return self._settings.locate()

    def tell_plan(self, task_id: str, *, ended: bool) -> None:
        """Tell the plan of a job that was heard of in another way than by a look-up of this client.

        Its ``jobs_in_flight`` gives the place of a job back that has ended; a webhook ``Receiver``
        does it by itself. Blocks for as long as the store at the plan's ``url`` takes.

        Args:
            task_id: The task of the film or the pictures.
            ended: Whether it has ended, well or badly.
        """
        plan = self._settings.plan
        if plan is not None and plan.jobs_in_flight is not None:
            gate(plan, self.base_url).hear({task_id: ended})

    def __repr__(self) -> str:
        url = self._settings.base_url
        return f"{type(self).__name__}(provider={self.provider!r}, base_url={url!r})"

    def __copy__(self) -> Self:
        return self._copy(self._settings, self._http_client)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._copy(self._settings, self._http_client)

    def __getstate__(self) -> dict[str, Any]:
        if self._http_client is not None:
            raise TypeError(
                f"a {type(self).__name__} with an injected http_client cannot be pickled: "
                "make it without one, or make it again in the other process"
            )
        return self._settings.portable()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._restore(resolve(**state), None)

    def _copy(self, settings: Settings, http_client: H | None) -> Self:
        copy = type(self).__new__(type(self))
        copy._restore(settings, http_client)  # noqa: SLF001 - of the same class
        return copy

    def _signed(self, error: DoubaoError) -> DoubaoError:
        """Say which provider an error is of, and log it, without what is secret."""
        error.gateway = error.gateway or self.provider
        _LOG.info("%s failed: %s", error.operation or "a request", error)
        return error

    def _reader(self, opening: Opening[T]) -> Reader[T]:
        """Make what decodes a streamed answer, in the provider's dialect if it has one."""
        how = self._settings.gateway.routes.get(opening.send.operation)
        reader = opening.reader()
        return reader if how is None or how.event is None else RetoldReader(reader, how.event)

    def _after(self, send: Send, reply: Reply) -> Send | None:
        """Give the request that the provider has for what *reply* does not say."""
        return self._settings.gateway.routes[send.operation].after(send, reply)

    def _toll(self, send: Send) -> Toll:
        """What *send* must wait for; a paid request also says when it has."""
        toll, announced = self._limits(send), ANNOUNCED.get()
        if announced is None or send.repeat is not Repeat.REFUSED_ONLY:
            return toll
        return announced(toll)

    def _limits(self, send: Send) -> Toll:
        """What *send* must wait for, if a limit is to be kept; look-ups hardly ever count."""
        limit, plan = self._settings.rate_limit, self._settings.plan
        if limit is None and plan is None:
            return FREE
        gated = None if plan is None else gate(plan, self.base_url)
        if send.body is None or not is_paid(send):
            heeded = gated is not None and (gated.counts_look_ups or gated.limits_jobs)
            return Toll(None, gated, send) if heeded else FREE
        paced = None if limit is None else pacer(limit, f"{self.base_url} {send.body['model']}")
        return Toll(paced, gated, send)

    def _pause(
        self, send: Send, attempt: int, error: DoubaoError, *, begun: bool, partial: str
    ) -> float:
        """Seconds before a stream is opened again; raises once its first event was given out."""
        error = self._settings.gateway.reworded(error)
        error.operation = send.operation
        self._signed(error)
        # What has come was paid for: no failure of a stream loses it.
        error.partial = partial
        pause = None if begun else retry.decide(send, attempt, error, self._policy)
        if pause is None:
            raise retry.settled(send, error)
        return pause

    def _restore(self, settings: Settings, http_client: H | None) -> None:
        self._settings = settings
        self._policy = retry.Policy(max_retries=settings.max_retries)
        self._http_client = http_client
        self._made = None
