"""What can be wrong with a ledger itself: a developer can mend it, an agent cannot."""

from doubao_core.media.errors import PlaceError


class LedgerError(PlaceError):
    """A ledger cannot be opened, read or written, or is of another version."""

    told = "the ledger of jobs cannot be used: only the developer can mend that, tell the user"
