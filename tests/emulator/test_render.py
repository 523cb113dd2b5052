"""Rendered files are real: exact sizes, real codecs, readable words, a visible mark."""

import io
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from PIL import Image, ImageChops

from doubao_emulator import lettering, scenery
from doubao_emulator.render import Still, open_picture, render_card, render_still
from doubao_emulator.render_video import Film, render_film, render_last_frame


def still(**changes):
    return render_still(Still(**{"prompt": "A quiet lake", "width": 640, "height": 480, **changes}))


def film(**changes):
    return Film(**{"prompt": "A quiet lake", "width": 320, "height": 180, "frames": 25, **changes})


def solid(colour, size=(400, 300)):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def frames(data):
    with av.open(io.BytesIO(data)) as container:
        return [frame.to_image() for frame in container.decode(video=0)]


def corner(data):
    """The part of a picture where the mark EMULATED is."""
    picture = open_picture(data).convert("RGB")
    return picture.crop((picture.width // 2, 0, picture.width, picture.height // 6))


@pytest.mark.parametrize("size", [(512, 512), (1470, 630), (853, 481), (64, 1024), (4096, 256)])
@pytest.mark.parametrize("file_format", ["png", "jpeg"])
def test_a_still_has_exactly_the_requested_size_and_format(size, file_format):
    width, height = size
    with Image.open(io.BytesIO(still(width=width, height=height, format=file_format))) as picture:
        assert picture.size == size
        assert picture.format == file_format.upper()


def test_the_same_still_gives_the_same_bytes():
    assert still() == still()


@pytest.mark.parametrize(
    "change", [{"prompt": "A loud sea"}, {"seed": 7}, {"index": 1}, {"watermark": False}]
)
def test_prompt_seed_place_and_watermark_each_change_the_picture(change):
    assert still(**change) != still()


def test_every_still_carries_the_mark_whatever_the_watermark_setting():
    bare = scenery.paint(scenery.imagine("A quiet lake", seed=0), (640, 480))
    bare = bare.crop((320, 0, 640, 80))
    for watermark in (True, False):
        marked = corner(still(watermark=watermark, format="png"))
        assert ImageChops.difference(marked, bare).getbbox() is not None


def test_a_word_of_the_prompt_sets_the_mood():
    night = np.asarray(open_picture(still(prompt="a village at night")).convert("L")).mean()
    snow = np.asarray(open_picture(still(prompt="雪")).convert("L")).mean()
    assert night + 60 < snow


def test_a_mood_word_inside_another_word_does_not_count():
    moods = {scenery.imagine("a startled jaguar", seed=seed).mood.stars for seed in range(20)}
    assert moods == {True, False}


def test_references_are_shown_as_thumbnails():
    picture = open_picture(still(references=(solid("#ff0000"), solid("#00ff00")), format="png"))
    colours = {colour[:3] for _, colour in picture.getcolors(maxcolors=1 << 20)}
    assert {(255, 0, 0), (0, 255, 0)} <= colours


def test_a_cut_out_takes_over_the_alpha_channel():
    shape = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    shape.paste((0, 0, 0, 255), (0, 0, 20, 30))
    buffer = io.BytesIO()
    shape.save(buffer, "PNG")
    picture = open_picture(still(format="png", cut_out=buffer.getvalue()))
    assert picture.getpixel((10, 240))[3] == 255
    assert picture.getpixel((630, 240))[3] == 0


def test_a_card_names_the_link_it_stands_for():
    assert render_card("example.com/a.png") != render_card("example.com/b.png")


def test_a_long_text_shrinks_and_is_cut_to_fit_its_box():
    block = lettering.fit("word " * 500, width=200, height=60, largest=40)
    assert block.height <= 60
    assert block.width <= 200
    assert block.lines[-1].endswith("...")


def test_a_word_longer_than_a_line_is_broken():
    block = lettering.fit("x" * 300, width=120, height=4000, largest=20)
    assert "".join(block.lines) == "x" * 300
    assert block.width <= 120


def test_chinese_is_spelled_in_latin_letters_where_no_font_has_it(monkeypatch):
    monkeypatch.setattr(lettering, "_chinese_font", lambda size: None)
    block = lettering.fit("一只猫 café 🙂", width=2000, height=100, largest=20)
    assert " ".join(block.lines) == "(in Latin letters) Yi Zhi Mao cafe :slight_smile:"


def test_accents_alone_need_no_remark(monkeypatch):
    monkeypatch.setattr(lettering, "_chinese_font", lambda size: None)
    assert lettering.fit("café — crème", width=2000, height=100, largest=20).lines == (
        "cafe - creme",
    )


def test_a_machine_font_with_the_glyphs_is_used_as_it_is(monkeypatch):
    monkeypatch.setattr(lettering, "_chinese_font", lettering.latin)
    # Every glyph is "missing" in the first look and there in the machine's font.
    seen = iter([False, True])
    monkeypatch.setattr(lettering, "_has_glyph", lambda font, char: next(seen))
    assert lettering.fit("猫", width=400, height=100, largest=20).lines == ("猫",)


def test_the_first_chinese_font_that_the_machine_has_is_loaded(monkeypatch, tmp_path):
    installed = tmp_path / "font.ttf"
    installed.write_bytes(lettering.latin(16).path.getvalue())
    names = (str(tmp_path / "missing.ttc"), str(installed))
    monkeypatch.setattr(lettering, "_CHINESE_FONTS", names)
    load = lettering._chinese_font.__wrapped__
    assert load(20).getname() == lettering.latin(20).getname()
    monkeypatch.setattr(lettering, "_CHINESE_FONTS", names[:1])
    assert load(20) is None


def test_a_character_without_a_name_is_shown_by_its_code_point(monkeypatch):
    monkeypatch.setattr(lettering, "_chinese_font", lambda size: None)
    (line,) = lettering.fit("a \ue000", width=2000, height=100, largest=20).lines
    assert "U+E000" in line


@pytest.mark.parametrize("size", [(320, 180), (854, 480), (470, 630)])
def test_a_film_has_exactly_the_requested_size_rate_and_length(size):
    width, height = size
    data = render_film(film(width=width, height=height, frames=49))
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert (stream.width, stream.height) == size
        assert stream.average_rate == Fraction(24)
        assert stream.pix_fmt == "yuv420p"
        assert sum(1 for _ in container.decode(stream)) == 49


def test_the_index_of_a_film_comes_before_its_data():
    data = render_film(film())
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_a_film_has_a_sound_track_that_is_not_silent_only_when_asked():
    with av.open(io.BytesIO(render_film(film(audio=True, frames=49)))) as container:
        (stream,) = container.streams.audio
        assert stream.codec_context.name == "aac"
        assert stream.codec_context.layout.name == "mono"
        loudest = max(np.abs(frame.to_ndarray()).max() for frame in container.decode(stream))
        assert 0.02 < loudest < 0.5
        assert float(stream.duration * stream.time_base) == pytest.approx(49 / 24, abs=0.05)
    with av.open(io.BytesIO(render_film(film(audio=False)))) as container:
        assert not container.streams.audio


def test_a_mov_is_yuv444_with_pcm():
    with av.open(io.BytesIO(render_film(film(container="mov")))) as container:
        assert container.streams.video[0].pix_fmt == "yuv444p"
        assert container.streams.audio[0].codec_context.name == "pcm_s16le"


def test_the_landscape_moves():
    first, *_, last = frames(render_film(film(frames=49)))
    assert np.abs(np.asarray(first, int) - np.asarray(last, int)).max() > 60


def test_a_still_camera_moves_only_the_clouds():
    def lower_half(data):
        *_, last = frames(data)
        return np.asarray(last.crop((0, 90, 320, 180)), int)

    fixed = render_film(film(frames=49, still_camera=True, prompt=""))
    (first, *_) = frames(fixed)
    start = np.asarray(first.crop((0, 90, 320, 180)), int)
    assert np.abs(lower_half(fixed) - start).mean() < 2
    assert np.abs(lower_half(render_film(film(frames=49, prompt=""))) - start).mean() > 2


def test_a_film_begins_and_ends_with_the_given_frames():
    made = frames(
        render_film(film(frames=49, first_frame=solid("#ff0000"), last_frame=solid("#0000ff")))
    )
    red, _, blue = made[0].getpixel((5, 90))
    assert (red > 200, blue < 60) == (True, True)
    red, _, blue = made[-1].getpixel((5, 90))
    assert (red < 60, blue > 200) == (True, True)
    middle = made[24].getpixel((5, 90))
    assert not (middle[0] > 200 and middle[2] < 60)


def test_the_last_frame_is_the_end_of_the_film_without_its_watermark():
    plain, marked = film(frames=25), film(frames=25, watermark=True)
    picture = render_last_frame(marked, "png")
    assert picture == render_last_frame(plain, "png")
    *_, end = frames(render_film(plain))
    difference = np.asarray(open_picture(picture).convert("RGB"), int) - np.asarray(end, int)
    assert np.abs(difference).mean() < 6


def test_a_huge_film_draws_fewer_pictures_but_keeps_every_frame(monkeypatch):
    monkeypatch.setattr("doubao_emulator.render_video._PIXELS_TO_DRAW", 320 * 180 * 5)
    made = frames(render_film(film(frames=25)))
    assert len(made) == 25
    still = [
        np.abs(np.asarray(a, int) - np.asarray(b, int)).mean() < 0.5 for a, b in pairwise(made)
    ]
    assert still.count(True) >= 18
