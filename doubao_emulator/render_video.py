"""Films for video tasks: a landscape that drifts by, with the prompt, a mark and a sound.

A film of n seconds has 24n + 1 frames, because that is what the service bills (ark.md 15.4). It
is H.264 in 8 bit throughout, also where the service would send 10-bit H.265 (ark.md 15.3).
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import av
import numpy as np
from PIL import Image, ImageOps

from doubao_emulator import render, scenery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream

    from doubao_emulator.scenery import Scene

FPS = 24

_SAMPLE_RATE = 44_100
# A quiet A minor seventh; one chord for all films keeps them comparable by ear.
_CHORD = (220.0, 261.63, 329.63, 392.0)
_LOUDNESS = 0.05
_BLOCK = 1024
# Drawing costs about 8 ns a pixel; a long or large film draws fewer pictures and shows each for
# several frames, so that it is done within seconds.
_PIXELS_TO_DRAW = 260_000_000
_FADE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """One film to make.

    Attributes:
        prompt: Text to show; it also decides the landscape.
        width: Width in pixels, even.
        height: Height in pixels, even.
        frames: Number of frames, at 24 a second.
        seed: Another seed gives another landscape.
        audio: Whether it has a sound track.
        watermark: Whether to add the service's own mark in the corner.
        still_camera: Whether only the clouds move.
        first_frame: An encoded picture to start from.
        last_frame: An encoded picture to end with.
        references: Encoded pictures to show as thumbnails.
        container: ``mp4`` is yuv420p with AAC, ``mov`` is yuv444p with PCM (ark.md 15.3).
    """

    prompt: str
    width: int
    height: int
    frames: int
    seed: int = 0
    audio: bool = True
    watermark: bool = False
    still_camera: bool = False
    first_frame: bytes | None = None
    last_frame: bytes | None = None
    references: tuple[bytes, ...] = ()
    container: Literal["mp4", "mov"] = "mp4"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height


def render_film(film: Film) -> bytes:
    """Render a film of exactly the requested size and number of frames."""
    # Moving the index to the front reads the file again, which needs a real one.
    with tempfile.TemporaryDirectory(prefix="doubao-emulator-") as folder:
        path = Path(folder) / f"film.{film.container}"
        with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
            video = _video_stream(container, film)
            audio = _audio_stream(container, film) if film.audio else None
            _write_pictures(container, video, film)
            if audio is not None:
                _write_sound(container, audio, film)
        return path.read_bytes()


def render_last_frame(film: Film, file_format: render.Format) -> bytes:
    """Render the end of a film as a picture, without the service's watermark (ark.md 15.1)."""
    return render.encode(_Stage(film, watermark=False).picture(film.frames - 1), file_format)


def _video_stream(container: OutputContainer, film: Film) -> VideoStream:
    options = {"preset": "ultrafast", "crf": "24", "threads": "2"}
    stream = container.add_stream("libx264", rate=FPS, options=options)
    stream.width, stream.height = film.size
    stream.pix_fmt = "yuv420p" if film.container == "mp4" else "yuv444p"
    stream.time_base = Fraction(1, FPS)
    return stream


def _audio_stream(container: OutputContainer, film: Film) -> AudioStream:
    if film.container == "mp4":
        return container.add_stream("aac", rate=_SAMPLE_RATE, layout="mono")
    return container.add_stream("pcm_s16le", rate=_SAMPLE_RATE, layout="mono")


def _write_pictures(container: OutputContainer, stream: VideoStream, film: Film) -> None:
    stage = _Stage(film, watermark=film.watermark)
    hold = max(1, -(-film.width * film.height * film.frames // _PIXELS_TO_DRAW))
    frame: av.VideoFrame | None = None
    for number in range(film.frames):
        if frame is None or number % hold == 0 or number == film.frames - 1:
            picture = av.VideoFrame.from_ndarray(np.asarray(stage.picture(number)), "rgb24")
            frame = picture.reformat(format=stream.pix_fmt)
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def _write_sound(container: OutputContainer, stream: AudioStream, film: Film) -> None:
    samples = _chord(film.frames * _SAMPLE_RATE // FPS)
    for start in range(0, samples.size, _BLOCK):
        block = samples[start : start + _BLOCK].reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
        frame.sample_rate, frame.pts = _SAMPLE_RATE, start
        frame.time_base = Fraction(1, _SAMPLE_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def _chord(length: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Return a soft chord that swells and fades away."""
    time = np.arange(length, dtype=np.float32) / _SAMPLE_RATE
    tones = sum(np.sin(2 * np.pi * pitch * time) for pitch in _CHORD)
    swell = np.minimum(1, np.minimum(time, time[::-1]) / 0.6)
    return np.asarray(tones * swell * _LOUDNESS * 32_767, dtype=np.int16)


class _Stage:
    """Draws any moment of a film from parts that were painted once."""

    def __init__(self, film: Film, *, watermark: bool) -> None:
        self._film = film
        self._scene = scenery.imagine(film.prompt, seed=film.seed)
        self._sky = scenery.paint_sky(self._scene, film.size)
        self._clouds = _clouds(self._scene, film.size)
        self._ridges = [
            (ridge, *scenery.paint_ridge(ridge, film.size)) for ridge in self._scene.ridges
        ]
        self._first = _filled(film.first_frame, film.size)
        self._last = _filled(film.last_frame, film.size)
        self._overlay = _overlay(film, watermark=watermark)

    def picture(self, number: int) -> Image.Image:
        """Draw frame `number`."""
        progress = number / max(1, self._film.frames - 1)
        picture = self._blended(progress)
        for patch, box in self._overlay:
            picture.paste(patch, box, mask=patch)
        return picture

    def _blended(self, progress: float) -> Image.Image:
        """Go from the first frame through the landscape to the last frame."""
        from_first = 1 - progress / _FADE if self._first else 0.0
        to_last = 1 - (1 - progress) / _FADE if self._last else 0.0
        if self._first and from_first >= 1:
            return self._first.copy()
        if self._last and to_last >= 1:
            return self._last.copy()
        picture = self._landscape(progress)
        if self._first and from_first > 0:
            picture = Image.blend(picture, self._first, from_first)
        if self._last and to_last > 0:
            picture = Image.blend(picture, self._last, to_last)
        return picture

    def _landscape(self, progress: float) -> Image.Image:
        picture = self._sky.copy()
        seconds = progress * self._film.frames / FPS
        drift = round(seconds * self._film.width * 0.02)
        clouds = scenery.scroll(self._clouds, drift)
        picture.paste("#ffffff", (0, 0), mask=clouds)
        for ridge, mask, top in self._ridges:
            speed = 0 if self._film.still_camera else 0.012 + 0.06 * ridge.nearness
            moved = scenery.scroll(mask, round(seconds * self._film.width * speed))
            picture.paste(ridge.colour, (0, top), mask=moved)
        return picture


def _clouds(scene: Scene, size: tuple[int, int]) -> Image.Image:
    """Return the cloud mask down to its last row that is not empty."""
    mask = scenery.paint_clouds(scene, size)
    box = mask.getbbox()
    return mask.crop((0, 0, size[0], box[3])) if box else mask.crop((0, 0, size[0], 1))


def _filled(data: bytes | None, size: tuple[int, int]) -> Image.Image | None:
    """Decode a picture and cut it to fill the film."""
    if data is None:
        return None
    picture = render.open_picture(data)
    ground = Image.new("RGB", picture.size, "white")
    ground.paste(picture, mask=picture.getchannel("A"))
    return ImageOps.fit(ground, size)


Patch = tuple[Image.Image, tuple[int, int]]


def _overlay(film: Film, *, watermark: bool) -> list[Patch]:
    """Draw marks, caption and thumbnails once, as patches with transparency.

    They are drawn on black and on white; where both agree the overlay is opaque, and the
    difference tells how far the background shines through.
    """
    drawn = []
    for ground in ("black", "white"):
        picture = Image.new("RGB", film.size, ground)
        render.show_references(picture, film.references)
        render.decorate(picture, film.prompt, watermark=watermark)
        drawn.append(np.asarray(picture, dtype=np.float32))
    on_black, on_white = drawn
    alpha = 255 - (on_white - on_black).mean(axis=2)
    colour = on_black * 255 / np.maximum(alpha, 1)[..., None]
    layers = np.dstack((np.minimum(colour, 255), alpha)).astype(np.uint8)
    return list(_patches(Image.fromarray(layers, "RGBA")))


def _patches(layer: Image.Image) -> Iterator[Patch]:
    """Cut a mostly empty layer into horizontal bands without the empty ones."""
    band = max(1, layer.height // 24)
    for top in range(0, layer.height, band):
        part = layer.crop((0, top, layer.width, min(top + band, layer.height)))
        box = part.getchannel("A").getbbox()
        if box:
            yield part.crop(box), (box[0], top + box[1])
