"""XRoute as the guide of seed 000 shows it: chat at `/openai/v1`, and nothing else."""

from __future__ import annotations

from doubao_emulator import chat
from doubao_emulator.dialects import openai_style
from doubao_emulator.dialects.dialect import Dialect

DIALECT = Dialect(
    name="xroute",
    base="/openai/v1",
    routes=lambda world: [chat.route(world, openai_style.MODELS, openai_style.MANNER)],
    refusal=openai_style.refusal,
)
