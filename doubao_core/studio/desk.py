"""Where results go, and how a task is watched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from doubao_core import media
from doubao_core.errors import ConfigError

_LONGEST_PAUSE = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where results go and how a task is watched.

    Attributes:
        output_dir: Folder or URL for files; made when first needed.
        poll_interval: Seconds between look-ups of a task; ``None`` for what fits the task.
        wait_timeout: Seconds to wait for a task; one that takes longer is not an error.
        download_pause: Seconds before a failed download is tried again.

    Raises:
        ConfigError: A number of seconds is none that can be waited.
    """

    output_dir: str | Path | media.Storage
    poll_interval: float | None = None
    wait_timeout: float = 600.0
    download_pause: float = 0.5

    def __post_init__(self) -> None:
        """Refuse now what would be found only after a task was paid for."""
        if self.poll_interval is not None and not self.poll_interval > 0:
            raise ConfigError(f"poll_interval must be more than 0, not {self.poll_interval!r}")
        for name in ("wait_timeout", "download_pause"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} must be 0 or more, not {getattr(self, name)!r}")
        if self.download_pause > _LONGEST_PAUSE:
            raise ConfigError(f"download_pause may be {_LONGEST_PAUSE:g} at most")

    @property
    def storage(self) -> media.Storage:
        """The place for files."""
        return media.storage(self.output_dir)
