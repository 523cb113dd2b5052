"""Films of dialects that say nothing of frames: drawn from a prompt when somebody fetches them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from doubao_emulator import media
from doubao_emulator.render_video import FPS, Film, render_film

if TYPE_CHECKING:
    from doubao_emulator.state import World


def publish(world: World, prompt: str, size: tuple[int, int], seconds: int, *, audio: bool) -> str:
    """Give the address of a film of that many pixels and seconds."""
    width, height = size
    frames = seconds * FPS + 1
    film = Film(prompt=prompt, width=width, height=height, frames=frames, audio=audio)
    return media.publish(
        world, extension="mp4", size=film.size, seconds=seconds, render=partial(render_film, film)
    )
