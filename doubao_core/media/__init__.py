"""Pictures and films on their way in and out: what may be fetched, read and written, and how."""

from doubao_core.media.fetch import MAX_BYTES, Fetch, resolve
from doubao_core.media.inputs import as_url
from doubao_core.media.kinds import sniff
from doubao_core.media.save import Saved, Target

__all__ = ["MAX_BYTES", "Fetch", "Saved", "Target", "as_url", "resolve", "sniff"]
