"""What LlamaIndex's batches of one call have done; it forgets that when one of them fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias, TypeVar

from llama_index.core.schema import BaseNode
from llama_index_instrumentation.dispatcher import DISPATCHER_SPAN_DECORATED_ATTR

from doubao_core import DoubaoError
from doubao_core.embedder import EmbeddingProgress, Vector
from doubao_core.embedder.fan_out import LAST_ANSWERS_SECONDS
from doubao_core.embedder.progress import Halted

Owner: TypeAlias = tuple[object, bool]
"""An embedding, and whether it embeds queries."""
F = TypeVar("F", bound=Callable[..., object])
_current: ContextVar[Batches | None] = ContextVar("doubao_batches", default=None)


def without_span(method: F) -> F:
    """Mark an override that only calls the method of the base, which makes the span already."""
    setattr(method, DISPATCHER_SPAN_DECORATED_ATTR, True)
    return method


@contextmanager
def batches(owner: Owner, texts: Sequence[str]) -> Generator[Batches]:
    """Give what the batches of this call have done so far; *texts* are this batch or all of them.

    The outermost of several of one *owner* lets a failure say what was done of all texts, not of
    one batch. What another one embeds meanwhile, such as an event handler, has other vectors.
    """
    if (outer := _current.get()) is not None and outer.belongs_to(owner):
        yield outer
        return
    made = Batches(owner)
    token = _current.set(made)
    try:
        yield made
    except DoubaoError as error:
        if error.progress is not None:
            error.progress = made.progress(texts)
        raise
    finally:
        _current.reset(token)


class Batches:
    """The batches of one call: those that run, what they gave, and whether to stop.

    Attributes:
        vectors: What is done, by text.
        halt: Set when one fails; the others send nothing more.
        reason: What the first of them failed with; not that it was halted.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.vectors: dict[str, Vector] = {}
        self.halt = threading.Event()
        self.reason: Exception | None = None
        self._failed: set[str] = set()
        self._running: set[asyncio.Task[Any] | None] = set()

    def belongs_to(self, owner: Owner) -> bool:
        """Say whether *owner* makes the same vectors of the same texts, being the same."""
        return self._owner[0] is owner[0] and self._owner[1] == owner[1]

    @contextmanager
    def batch(self, texts: Sequence[str]) -> Generator[None]:
        """Embed *texts* inside; if that fails, note what was done."""
        try:
            yield
        except Exception as error:
            self.halt.set()
            if self.reason is None and not isinstance(error, Halted):
                self.reason = error
            if isinstance(error, DoubaoError) and (progress := error.progress) is not None:
                self.vectors.update(
                    {texts[position]: vector for position, vector in progress.vectors.items()}
                )
                self._failed.update(texts[position] for position in progress.failed)
            raise

    @contextmanager
    def running(self) -> Generator[None]:
        """Count the current task among those that :meth:`settle` waits for."""
        task = asyncio.current_task()
        self._running.add(task)
        try:
            yield
        finally:
            self._running.remove(task)

    async def settle(self) -> None:
        """Wait for what the other batches have in flight, and cancel what takes too long."""
        if others := {task for task in self._running - {asyncio.current_task()} if task}:
            _, late = await asyncio.wait(others, timeout=LAST_ANSWERS_SECONDS)
            for task in late:
                task.cancel()

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Give those of *texts* that have no vector yet, each once."""
        return [text for text in dict.fromkeys(texts) if text not in self.vectors]

    def done(self, texts: Sequence[str]) -> dict[str, Vector]:
        """Give those of *texts* that have one, with their vectors."""
        return {text: self.vectors[text] for text in texts if text in self.vectors}

    def progress(self, texts: Sequence[str]) -> EmbeddingProgress:
        """Say what is done of all *texts*."""
        places = list(enumerate(texts))
        return EmbeddingProgress(
            count=len(texts),
            vectors={at: self.vectors[text] for at, text in places if text in self.vectors},
            failed=tuple(at for at, text in places if text in self._failed),
        )


@contextmanager
def placed(
    part: Sequence[BaseNode], nodes: Sequence[BaseNode], before: Sequence[BaseNode] = ()
) -> Generator[None]:
    """Embed *part* of *nodes* inside; a failure then tells of all, and they have what was done.

    Args:
        part: Those whose positions a failure would tell of.
        nodes: All of the call.
        before: Those of them that this call has done already. (A vector on a node is no sign of it:
            it may be an old one, of another model.)
    """
    try:
        yield
    except DoubaoError as error:
        if (progress := error.progress) is not None:
            for position, vector in progress.vectors.items():
                part[position].embedding = vector
            done = [*before, *(part[position] for position in progress.vectors)]
            failed = [part[position] for position in progress.failed]
            error.progress = _of_nodes(nodes, done, failed)
        raise


def _of_nodes(
    nodes: Sequence[BaseNode], done: Sequence[BaseNode], failed: Sequence[BaseNode]
) -> EmbeddingProgress:
    done_ones, failed_ones = {id(node) for node in done}, {id(node) for node in failed}
    return EmbeddingProgress(
        count=len(nodes),
        vectors={
            at: node.get_embedding() for at, node in enumerate(nodes) if id(node) in done_ones
        },
        failed=tuple(at for at, node in enumerate(nodes) if id(node) in failed_ones),
    )
