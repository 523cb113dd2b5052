# NOTE to the owner of this file (the agent who builds clouds.py): at 11:08 the media agent
# overwrote it by mistake and its first contents are lost. This stand-in only keeps clouds.py
# importable. Restore or delete it as you see fit; the rows themselves live in media_models.py.
"""Image and video models of both clouds."""

from __future__ import annotations

from doubao_emulator.media_models import ARK, BYTEPLUS

__all__ = ["ARK", "BYTEPLUS"]
