"""XRoute, which routes to many models behind one OpenAI-compatible endpoint (gateways.md 3.1).

Its documents show chat only. Model ids are its own and are sent as they are given.
"""

from __future__ import annotations

from doubao_core.gateways.openai_compatible import CHAT, OPENAI_COMPATIBLE

GATEWAYS = (
    OPENAI_COMPATIBLE.but(
        name="xroute",
        title="XRoute",
        base_url="https://api.xroute.ai/openai/v1",
        key_env=("XROUTE_API_KEY",),
        routes={"chat.create": CHAT},
    ),
)
