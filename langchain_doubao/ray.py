"""``DoubaoEmbedBatch``: embeds a column in Ray Data's ``map_batches`` (extra ``ray``)."""

from __future__ import annotations

from array import array
from collections.abc import Generator, Mapping
from importlib import import_module
from typing import Any, Literal, TypeAlias

from doubao_core.embedder import EmbeddingUsage, Vector
from doubao_core.embedder.recipe import MOST_BYTES
from doubao_core.errors import ConfigError, ContentRejected, DoubaoError, InvalidRequest
from doubao_core.pacing.limit import has_password
from langchain_doubao.embeddings import DoubaoEmbeddings

MAX_RETRIES = 8
"""Attempts beyond the first, unless ``max_retries`` says otherwise: about 40 seconds of them."""

_ABOUT_THE_TEXT = (InvalidRequest, ContentRejected)
_SECRET = {"api_key", "default_headers"}

Batch: TypeAlias = Any
"""A ``pyarrow.Table``, or a mapping from names to sequences: what Ray Data passes to a callable."""

Found: TypeAlias = tuple[dict[Any, Vector], dict[Any, str]]
"""Vectors, and why there is none, by text."""


class DoubaoEmbedBatch:
    """Adds a column of vectors to each batch: the class for ``Dataset.map_batches``.

    Ray makes one object per actor from the arguments, so these are plain values, and Ray keeps
    them where others can read them. The key is therefore not among them: each worker takes it from
    its own environment (``ARK_API_KEY``; a local Ray inherits the driver's), and so it does with
    ``DOUBAO_RATE_LIMIT_URL``, if that has a password.

    .. code-block:: python

        import ray
        from langchain_doubao.ray import DoubaoEmbedBatch

        vectors = ray.data.read_parquet("chunks").map_batches(
            DoubaoEmbedBatch,
            fn_constructor_kwargs={
                "model": "doubao-embedding-vision-251215",
                "requests_per_minute": 3000,
                "rate_limit_url": "sqlite:////var/tmp/rate-limit.sqlite",
            },
            compute=ray.data.ActorPoolStrategy(size=2),
            batch_format="pyarrow",
            batch_size=500,
        )
        vectors.write_parquet("vectors")

    A batch is what is done again when its actor dies, and what is lost when it fails: rows stay
    complete and single, but up to that many texts for each actor are paid for twice.

    Args:
        model: Model id, or an ``ep-…`` endpoint id together with ``multimodal``.
        column: The column with the texts.
        output: Name of the new column, ``list<float32>`` in Arrow and Parquet.
        failed_rows: What to do when a text is blank, too long or refused by the service or its
            moderation. ``"raise"`` ends the run with an error that says which row of the batch it
            was. ``"keep"`` leaves the vector of that row null and adds the column
            ``<output>_error`` that says why; equal texts of a batch are then sent once. What is not
            the text's own fault (key, quota, network, settings that the service refuses for every
            text) always raises.
        **options: Of :class:`~langchain_doubao.DoubaoEmbeddings`; ``max_retries`` is
            :data:`MAX_RETRIES` by default, because a long run must outlast a short failure.

    Raises:
        ConfigError: An argument is secret or wrong.
    """

    def __init__(
        self,
        *,
        model: str,
        column: str = "text",
        output: str = "embedding",
        failed_rows: Literal["raise", "keep"] = "raise",
        **options: Any,
    ) -> None:
        _check_public(options)
        if failed_rows not in ("raise", "keep"):
            raise ConfigError(f"failed_rows is {failed_rows!r}: use 'raise' or 'keep'")
        self._embeddings = DoubaoEmbeddings(model=model, **{"max_retries": MAX_RETRIES, **options})
        self._column = column
        self._output = output
        self._keeps = failed_rows == "keep"

    @property
    def usage(self) -> EmbeddingUsage:
        """Requests and tokens that this object has used so far."""
        return self._embeddings.usage

    def __call__(self, batch: Batch) -> Any:
        """Embed *batch*: an Arrow table, or numpy arrays or lists by the names of their columns.

        Returns:
            An Arrow table with the columns of *batch* and the new ones.

        Raises:
            ConfigError: There is no such column, or one with the name of the new one.
            DoubaoError: See ``failed_rows``.
        """
        table = _arrow(batch)
        texts = self._texts(table)
        plan = self._plan(texts)
        try:
            group = next(plan)
            while True:
                try:
                    vectors = self._embeddings.embed_documents(group)
                except DoubaoError as error:
                    group = plan.throw(error)
                else:
                    group = plan.send(vectors)
        except StopIteration as end:
            return self._table(table, texts, end.value)

    async def acall(self, batch: Batch) -> Any:
        """Embed *batch* without blocking the event loop; see :meth:`__call__`.

        For programs that run without Ray as well; calls share the bound on requests in flight.
        """
        table = _arrow(batch)
        texts = self._texts(table)
        plan = self._plan(texts)
        try:
            group = next(plan)
            while True:
                try:
                    vectors = await self._embeddings.aembed_documents(group)
                except DoubaoError as error:
                    group = plan.throw(error)
                else:
                    group = plan.send(vectors)
        except StopIteration as end:
            return self._table(table, texts, end.value)

    def _texts(self, table: Any) -> list[Any]:
        if not (names := table.column_names):
            # A block without rows has no columns.
            return []
        if self._column not in names:
            raise ConfigError(
                f"the batch has no column {self._column!r}, only {', '.join(map(repr, names))}: "
                "name the one with the texts in column="
            )
        if self._output in names:
            raise ConfigError(f"the batch has a column {self._output!r} already: choose output=")
        return list(table[self._column].to_pylist())

    def _plan(self, texts: list[Any]) -> Generator[list[str], list[Vector], Found]:
        """Yield texts to embed, and be sent their vectors or thrown the error."""
        if not self._keeps:
            # All of them, equal ones too: an error says by its place which row it means.
            return dict(zip(texts, (yield texts), strict=True)), {}
        return (yield from _sieve(texts))

    def _table(self, table: Any, texts: list[Any], found: Found) -> Any:
        vectors, errors = found
        pa = import_module("pyarrow")
        dense = _list_array(pa, [vectors.get(text) for text in texts])
        table = table.append_column(self._output, dense)
        if self._keeps:
            reasons = pa.array([errors.get(text) for text in texts], pa.string())
            table = table.append_column(f"{self._output}_error", reasons)
        return table


def _arrow(batch: Batch) -> Any:
    """Make *batch* an Arrow table; what Arrow cannot hold is refused before it is paid for."""
    # Ray comes with it; importing it takes a while, and only this needs it.
    pa = import_module("pyarrow")
    if isinstance(batch, pa.Table):
        return batch
    try:
        return pa.table({name: _one_dimensional(batch[name]) for name in batch})
    except UnicodeEncodeError as error:
        raise ConfigError(
            "the batch has a text with half of a surrogate pair, which Arrow cannot hold: remove "
            'it, for instance with text.encode("utf-8", "ignore").decode()'
        ) from error


def _one_dimensional(values: Any) -> Any:
    return list(values) if getattr(values, "ndim", 1) > 1 else values


def _list_array(pa: Any, vectors: list[Vector | None]) -> Any:
    """Put vectors into a column of one type, whether some are missing or not.

    Ray makes numpy arrays a tensor type of its own, which has no nulls and which other readers of
    Parquet do not know, and from anything else than a table it takes a second for 500 vectors.
    From Python's lists, pyarrow takes ten times as long as by way of an array.
    """
    values, ends = array("f"), [0]
    for vector in vectors:
        values.extend(vector or ())
        ends.append(len(values))
    flat = pa.Array.from_buffers(pa.float32(), len(values), [None, pa.py_buffer(values)])
    missing = pa.array([vector is None for vector in vectors], pa.bool_())
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), flat, mask=missing)


def _sieve(texts: list[Any]) -> Generator[list[str], list[Vector], Found]:
    """Have everything embedded that can be: halve what is refused until the reason is alone."""
    vectors: dict[Any, Vector] = {}
    errors = {text: reason for text in texts if (reason := _unfit(text))}
    last: DoubaoError | None = None
    pending = [[text for text in dict.fromkeys(texts) if text not in errors]]
    while pending:
        if not (group := pending.pop()):
            continue
        try:
            vectors.update(zip(group, (yield group), strict=True))
        except _ABOUT_THE_TEXT as error:
            if (progress := error.progress) is None:
                raise
            last = error
            vectors.update({group[position]: each for position, each in progress.vectors.items()})
            failed = [group[position] for position in progress.failed]
            pending.append([group[at] for at in progress.missing if at not in progress.failed])
            if len(failed) == 1:
                errors[failed[0]] = error.message
            else:
                middle = len(failed) // 2
                pending += [failed[:middle], failed[middle:]]
    if last is not None and not vectors and len(texts) > 1:
        # Refused one and all: it is the settings.
        raise last
    return vectors, errors


def _unfit(text: Any) -> str:
    """Say why *text* cannot have a vector; nothing if it can."""
    if not isinstance(text, str) or not text.strip():
        return "the text is blank or not a string"
    if len(text.encode()) > MOST_BYTES:
        return f"the text has more than {MOST_BYTES:,} bytes"
    return ""


def _check_public(options: Mapping[str, Any]) -> None:
    if secret := _SECRET & options.keys():
        raise ConfigError(
            f"{min(secret)} would be stored and shown with the other arguments by Ray: set the "
            "key's variable, such as ARK_API_KEY, in the environment of the workers"
        )
    kept_at = options.get("rate_limit_url"), getattr(options.get("plan"), "url", None)
    if any(map(has_password, kept_at)):
        raise ConfigError(
            "the url of a limit has a password, which Ray would store and show: set "
            "DOUBAO_RATE_LIMIT_URL in the environment of the workers"
        )
