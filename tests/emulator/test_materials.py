"""Pictures and sounds that requests bring along, at their limits (ark.md 14.4, 15.2)."""

import base64
import io
from dataclasses import replace

import av
import numpy as np
import pytest
from PIL import Image

from doubao_emulator import materials
from doubao_emulator.errors import ArkError
from doubao_emulator.state import World


def picture(url, limits=materials.REFERENCE_LIMITS):
    return materials.picture(World(), url, "image", limits=limits, assets=False)


def image_url(file_format="png", size=(64, 64), mode="RGB"):
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, file_format)
    return f"data:image/{file_format};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def sound_url(container, codec):
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        stream = file.add_stream(codec, rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 24_000), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"data:audio/{container};base64,{data}"


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp", "bmp", "tiff", "gif"])
def test_every_documented_format_is_read(file_format):
    seen = picture(image_url(file_format))
    assert (seen.size, seen.seen, seen.format) == ((64, 64), True, file_format.upper())


def test_alpha_is_noticed():
    assert picture(image_url(mode="RGBA")).alpha
    assert not picture(image_url()).alpha


def test_a_file_over_the_limit_is_oversized():
    limits = replace(materials.REFERENCE_LIMITS, bytes=50)
    with pytest.raises(ArkError) as caught:
        picture(image_url(), limits)
    assert caught.value.code == "InvalidParameter.OversizedImage"


def test_the_card_of_a_link_never_shows_its_query():
    link = "https://example.com/a.png"
    assert picture(f"{link}?token=secret").read() == picture(link).read()


def test_the_length_of_a_wav_is_known():
    seconds = materials.sound_seconds(sound_url("wav", "pcm_s16le"), "url")
    assert seconds == pytest.approx(3, abs=0.01)


def test_another_sound_format_is_refused():
    with pytest.raises(ArkError, match="use wav or mp3"):
        materials.sound_seconds(sound_url("flac", "flac"), "url")


def test_a_sound_over_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(materials, "_LARGEST_SOUND", 1000)
    with pytest.raises(ArkError, match="must not exceed"):
        materials.sound_seconds(sound_url("wav", "pcm_s16le"), "url")
