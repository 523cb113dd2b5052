"""The two drivers: everything that makes pictures and films, with one client."""

from __future__ import annotations

from doubao_core.studio.films import AsyncFilms, Films
from doubao_core.studio.pictures import AsyncPictures, Pictures


class Studio(Pictures, Films):
    """Makes pictures and films with a blocking client."""


class AsyncStudio(AsyncPictures, AsyncFilms):
    """Makes pictures and films with an asyncio client; see :class:`Studio`."""
