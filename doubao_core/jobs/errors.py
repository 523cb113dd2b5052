"""What can be wrong with a ledger itself: a developer can mend it, an agent cannot."""

from doubao_core.errors import ConfigError


class LedgerError(ConfigError):
    """A ledger cannot be opened, read or written, or is of another version."""
