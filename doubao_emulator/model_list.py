"""GET /models: the cloud's foundation models with their limits (ark.md 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from doubao_emulator.exchange import json_reply

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from doubao_emulator.clouds import Cloud
    from doubao_emulator.state import World


def routes(_world: World, cloud: Cloud) -> list[Route]:
    """Return the route that lists one cloud's models."""
    listed = [model.describe() for name, model in cloud.models.items() if name == model.id]

    async def models(_request: Request) -> Response:
        return json_reply({"object": "list", "data": listed})

    return [Route("/models", models, methods=["GET"])]
