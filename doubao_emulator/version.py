"""The version the emulator reports in its `x-doubao-emulator` header."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("doubao-integrations")
except PackageNotFoundError:
    # Run from a source tree that was never installed.
    VERSION = "0+source"
