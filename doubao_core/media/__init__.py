"""Pictures and films on their way in and out: what may be fetched, read and written, and how."""

from doubao_core.media.address import is_public, resolve
from doubao_core.media.fetch import MAX_BYTES, MAX_SECONDS, Fetch
from doubao_core.media.inline import Sieve
from doubao_core.media.inputs import as_url, is_path
from doubao_core.media.kinds import sniff
from doubao_core.media.save import Saved, Storage, Target
from doubao_core.media.storage import address_of, storage

__all__ = [
    "MAX_BYTES",
    "MAX_SECONDS",
    "Fetch",
    "Saved",
    "Sieve",
    "Storage",
    "Target",
    "address_of",
    "as_url",
    "is_path",
    "is_public",
    "resolve",
    "sniff",
    "storage",
]
