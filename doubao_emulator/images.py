"""`POST /images/generations`: pictures at once, in groups, or streamed (ark.md 14)."""

from __future__ import annotations

import asyncio
import base64
from functools import partial
from typing import TYPE_CHECKING

from starlette.routing import Route

from doubao_emulator import image_request, layers, media, sse
from doubao_emulator.errors import ArkError, sensitive_content
from doubao_emulator.exchange import exchange_of, json_reply
from doubao_emulator.render import Still, render_still

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from doubao_emulator.clouds import Cloud
    from doubao_emulator.exchange import Exchange
    from doubao_emulator.faults import Fault
    from doubao_emulator.image_request import ImageRequest
    from doubao_emulator.media_models import Size
    from doubao_emulator.render import Format
    from doubao_emulator.state import World
    from doubao_emulator.wire import JSON

_PIXELS_PER_TOKEN = 256
_STOPS_THE_REST = "InternalServiceError"


def routes(world: World, cloud: Cloud) -> list[Route]:
    """Return the image route of one cloud."""

    async def generate(request: Request) -> Response | sse.EventStream:
        exchange = exchange_of(request)
        # Decoding thirty reference pictures would hold up every other request.
        asked = await asyncio.to_thread(image_request.parse, world, cloud, exchange.fields())
        job = _Job(world, exchange, asked)
        if asked.stream:
            return sse.EventStream(world, exchange, job.stream())
        return json_reply(await job.whole())

    return [Route("/images/generations", generate, methods=["POST"])]


class _Job:
    """Makes the pictures of one request."""

    def __init__(self, world: World, exchange: Exchange, asked: ImageRequest) -> None:
        self._world = world
        self._exchange = exchange
        self._asked = asked
        self._fault = world.faults.strike("group_image_failed", exchange.path)

    async def whole(self) -> dict[str, JSON]:
        """Return the plain answer (ark.md 14.2)."""
        data = [item async for item in self._items()]
        if all("error" in item for item in data):
            # ark.md 14.2 leaves the status open; 200 is the one that clients overlook.
            return {**self._head(), "error": data[0]["error"]}
        return {**self._head(), "data": data, **self._tail(data)}

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the events of ark.md 14.5, each finished picture as one."""
        data = []
        async for item in self._items():
            data.append(item)
            kind = "partial_failed" if "error" in item else "partial_succeeded"
            # The stream has no `output_format`; only the plain answer does.
            shown = {key: value for key, value in item.items() if key != "output_format"}
            yield self._event(kind, {"image_index": len(data) - 1, **shown})
        if all("error" in item for item in data):
            yield sse.frame({"error": data[0]["error"]})
        else:
            yield self._event("completed", self._tail(data))
        yield sse.DONE

    def _event(self, kind: str, payload: dict[str, JSON]) -> bytes:
        name = f"image_generation.{kind}"
        return sse.frame({"type": name, **self._head(), **payload}, event=name)

    def _head(self) -> dict[str, JSON]:
        return {"model": self._asked.model.id, "created": int(self._world.clock.now())}

    def _tail(self, data: list[dict[str, JSON]]) -> dict[str, JSON]:
        """Return `usage`, and `tools` when the model was offered one."""
        made = [str(item["size"]) for item in data if "error" not in item]
        tokens = round(sum(map(_pixels, made)) / _PIXELS_PER_TOKEN)
        usage: dict[str, JSON] = {"generated_images": len(made)}
        if self._asked.model.layers:
            usage["input_images"] = len(self._asked.pictures)
        usage |= {"output_tokens": tokens, "total_tokens": tokens}
        if not self._asked.searches:
            return {"usage": usage}
        # The emulator searches nothing, and says so.
        return {"tools": [{"type": "web_search"}], "usage": usage | _NO_SEARCH}

    async def _items(self) -> AsyncIterator[dict[str, JSON]]:
        """Yield each picture, or its error in its place."""
        if self._asked.layered:
            async for item in self._layers():
                yield item
            return
        for index in range(self._asked.count):
            error = self._failure(index)
            if error is None:
                yield await self._picture(index)
                continue
            yield {"error": error.nested(self._exchange.request_id)}
            if error.code == _STOPS_THE_REST:
                return

    async def _layers(self) -> AsyncIterator[dict[str, JSON]]:
        """Yield the base and the layers on it; one that fails is all that there is."""
        if self._fault is not None and (error := self._failure(self._asked.count - 1)):
            yield {"error": error.nested(self._exchange.request_id)}
            return
        asked = self._asked
        for layer in layers.plan(asked.size):
            extension = "png" if layer.name else asked.format
            render = partial(_render_layer, asked, layer)
            item = await self._delivered(render, layer.size, extension)
            yield {**item, **layer.facts(asked.size)}

    def _failure(self, index: int) -> ArkError | None:
        """Return what the fault does to picture `index`; the last one unless it says which."""
        if self._fault is None or index != _struck(self._fault, self._asked.count):
            return None
        usual = sensitive_content("OutputImageSensitiveContentDetected")
        return ArkError(
            status=usual.status,
            code=self._fault.text("code", usual.code),
            message=self._fault.text("message", usual.message),
        )

    async def _picture(self, index: int) -> dict[str, JSON]:
        asked = self._asked
        return await self._delivered(partial(_render, asked, index), asked.size, asked.format)

    async def _delivered(
        self, render: Callable[[], bytes], size: Size, extension: Format
    ) -> dict[str, JSON]:
        """Return an item with a picture, as a link or inside."""
        width, height = size
        if self._asked.encoded:
            data = await asyncio.to_thread(render)
            item: dict[str, JSON] = {"b64_json": base64.b64encode(data).decode()}
        else:
            url = media.publish(self._world, extension=extension, size=size, render=render)
            item = {"url": url}
        item["size"] = f"{width}x{height}"
        if self._asked.model.layers:
            item["output_format"] = extension
        return item


_NO_SEARCH: dict[str, JSON] = {"tool_usage": {"web_search": 0}}


def _struck(fault: Fault, count: int) -> int:
    return min(fault.number("index", count - 1), count - 1)


def _pixels(size: str) -> int:
    width, height = size.split("x")
    return int(width) * int(height)


def _render_layer(asked: ImageRequest, layer: layers.Layer) -> bytes:
    data = asked.pictures[0].read()
    return layers.render_layer(data, asked.size, layer, asked.format, watermark=asked.watermark)


def _render(asked: ImageRequest, index: int) -> bytes:
    pictures = tuple(picture.read() for picture in asked.pictures)
    width, height = asked.size
    still = Still(
        prompt=asked.prompt,
        width=width,
        height=height,
        seed=asked.seed,
        index=index,
        count=asked.count,
        format=asked.format,
        watermark=asked.watermark,
        references=() if asked.transparent else pictures,
        cut_out=pictures[0] if asked.transparent else None,
    )
    return render_still(still)
