"""Both studios behind one face, and orders that are small enough to be quick."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

from doubao_core import AsyncClient, Client
from doubao_core.studio import (
    Allowance,
    AsyncStudio,
    Desk,
    ImageArguments,
    ImageRules,
    References,
    Studio,
    VideoArguments,
    VideoResult,
    VideoRules,
    image_checks,
    video_checks,
)
from doubao_core.studio.models import image_model, video_model


class BlockingStudio:
    """A ``Studio``, called as the other one is."""

    def __init__(self, base_url, desk, allowance, answer):
        http = httpx.Client(transport=httpx.MockTransport(answer)) if answer else None
        self.client = Client(api_key="k", base_url=base_url, max_retries=0, http_client=http)
        self.studio = Studio(self.client, desk, allowance)

    async def images(self, order):
        return await asyncio.to_thread(self.studio.images, order)

    async def stream(self, order):
        return await asyncio.to_thread(lambda: list(self.studio.stream_pictures(order)))

    async def pictures(self, order):
        """Give pictures one by one, with room for the test between them."""
        running = self.studio.stream_pictures(order)
        while (step := await asyncio.to_thread(next, running, None)) is not None:
            yield step

    async def submit(self, order):
        return await asyncio.to_thread(self.studio.submit_video, order)

    async def withdraw(self, task_id):
        return await asyncio.to_thread(self.studio.withdraw, task_id)

    async def steps(self, order):
        """Give the steps of a film one by one, with room for the test between them."""
        running = self.studio.video(order)
        while (step := await asyncio.to_thread(next, running, None)) is not None:
            yield step

    async def film(self, order):
        return await asyncio.to_thread(lambda: list(self.studio.video(order)))

    async def check(self, task_id):
        return await asyncio.to_thread(self.studio.check, task_id)

    async def leave_early(self, order):
        def leave():
            steps = self.studio.video(order)
            first = next(steps)
            steps.close()
            return first

        return await asyncio.to_thread(leave)

    async def leave_with_the_result(self, order):
        def leave():
            steps = self.studio.video(order)
            result = next(step for step in steps if isinstance(step, VideoResult))
            steps.close()
            return result

        return await asyncio.to_thread(leave)

    async def close(self):
        self.client.close()


class AwaitingStudio:
    """An ``AsyncStudio``."""

    def __init__(self, base_url, desk, allowance, answer):
        http = httpx.AsyncClient(transport=httpx.MockTransport(answer)) if answer else None
        self.client = AsyncClient(api_key="k", base_url=base_url, max_retries=0, http_client=http)
        self.studio = AsyncStudio(self.client, desk, allowance)

    async def images(self, order):
        return await self.studio.images(order)

    async def stream(self, order):
        return [step async for step in self.studio.stream_pictures(order)]

    def pictures(self, order):
        return self.studio.stream_pictures(order)

    async def submit(self, order):
        return await self.studio.submit_video(order)

    async def withdraw(self, task_id):
        return await self.studio.withdraw(task_id)

    def steps(self, order):
        return self.studio.video(order)

    async def film(self, order):
        return [step async for step in self.studio.video(order)]

    async def check(self, task_id):
        return await self.studio.check(task_id)

    async def leave_early(self, order):
        steps = self.studio.video(order)
        first = await anext(steps)
        await steps.aclose()
        return first

    async def leave_with_the_result(self, order):
        steps = self.studio.video(order)
        async for step in steps:
            if isinstance(step, VideoResult):
                await steps.aclose()
                return step
        raise AssertionError("no result came")

    async def close(self):
        await self.client.aclose()


@pytest.fixture(params=[BlockingStudio, AwaitingStudio], ids=["sync", "async"])
async def make_studio(request, emulator, tmp_path):
    made: list[Any] = []
    kinds = {"sync": BlockingStudio, "async": AwaitingStudio, None: request.param}

    def make(allowance=None, kind=None, answer=None, base_url=None, **desk):
        settings = {"poll_interval": 0.01, "wait_timeout": 5.0, "download_pause": 0.0, **desk}
        place = Desk(**{"output_dir": tmp_path, **settings})
        where = base_url or emulator.base_url
        made.append(kinds[kind](where, place, allowance or Allowance(), answer))
        return made[-1]

    yield make
    for studio in made:
        await studio.close()


@pytest.fixture
def studio(make_studio):
    return make_studio()


@pytest.fixture
def pictures(tmp_path):
    """Order pictures, small enough to be quick."""

    def order(prompt="tea", model="doubao-seedream-4-0-250828", rules=None, **wanted):
        small = {"size": "1K"} if "4-0" in model or "5-0-pro" in model else {}
        references = References(output_dir=tmp_path)
        made = ImageRules(
            model=model,
            references=references,
            shown=ImageArguments.rare - image_checks.lacks(image_model(model)),
            **(rules or {}),
        )
        return made.asked({"prompt": prompt, **small, **wanted})

    return order


@pytest.fixture
def film(tmp_path):
    """Order a film, as short and small as they come."""

    def order(prompt="tea", model="doubao-seedance-2-0-260128", fixed=None, **wanted):
        rules = VideoRules(
            model=model,
            references=References(output_dir=tmp_path, assets=True),
            fixed=fixed or {},
            shown=VideoArguments.rare - video_checks.lacks(video_model(model)),
        )
        small = {"duration": 4, "resolution": "480p", "ratio": "16:9", **wanted}
        return rules.asked({"prompt": prompt, **small})

    return order


@pytest.fixture
def creates(emulator):
    """Give the paid requests that arrived."""
    return lambda: [each for each in emulator.requests if each.method == "POST"]


@pytest.fixture
def png():
    """Make a picture of a size, see-through if asked."""

    def make(width=600, height=400, mode="RGB"):
        file = BytesIO()
        Image.new(mode, (width, height), 200).save(file, "PNG")
        return file.getvalue()

    return make
