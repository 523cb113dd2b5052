"""What is to be done, the same for both engines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from doubao_core.api.embeddings import MOST_INPUTS
from doubao_core.embedder import Recipe
from embed_at_scale_parts.output import Output


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run.

    Attributes:
        output: Where the vectors go.
        options: Of :class:`~langchain_doubao.ray.DoubaoEmbedBatch`; nothing secret among them.
        column: Where Parquet files have their texts.
        rows_per_part: Rows that are embedded and written together; what a kill costs at most.
        in_flight: Most requests at once, of this process or of each actor.
        actors: Workers on Ray.
        rate: Requests per minute that all workers may send together.
    """

    output: Output
    options: Mapping[str, Any]
    column: str
    rows_per_part: int
    in_flight: int
    actors: int
    rate: float | None

    @property
    def parts_at_once(self) -> int:
        """How many parts a process has under way, so that the last requests of one do not idle."""
        recipe = Recipe(model=self.options["model"])
        texts_each = 1 if recipe.fused else MOST_INPUTS
        requests = -(-self.rows_per_part // texts_each)
        return 1 + -(-self.in_flight // requests)
