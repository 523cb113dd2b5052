"""The parts of the storyboard that need no service: reading a script, adding up, writing a page."""

from __future__ import annotations

from decimal import Decimal
from importlib import import_module
from pathlib import Path

import pytest

from doubao_core.prices import Estimate

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def part(monkeypatch):
    """Import a module of the storyboard as the script itself does."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return lambda name: import_module(f"storyboard_parts.{name}")


@pytest.fixture
def read(part, tmp_path):
    def read(text):
        file = tmp_path / "my film.md"
        file.write_text(text, encoding="utf-8")
        return part("script").read_script(file)

    return read


def test_a_scene_is_its_text_with_the_style_and_what_moves(read):
    script = read("# Title\n\nStyle: Ink.\n\n## One\n\nA tower\nby the sea.\n\nMotion: Waves.\n")
    (scene,) = script.scenes
    assert script.title == "Title"
    assert (scene.number, scene.title) == (1, "One")
    assert (scene.picture, scene.motion) == ("A tower by the sea. Ink.", "Waves.")


def test_title_style_and_motion_may_be_missing(read):
    script = read("## One\n\nA tower.\n\n## Two\n\nA stair.\n")
    assert script.title == "my film"
    assert [each.picture for each in script.scenes] == ["A tower.", "A stair."]
    assert [each.motion for each in script.scenes] == ["A tower.", "A stair."]
    assert [each.number for each in script.scenes] == [1, 2]


def test_the_shipped_script_can_be_read(part):
    script = part("script").read_script(
        EXAMPLES / "storyboard_parts" / "a-day-at-the-lighthouse.md"
    )
    assert len(script.scenes) == 4
    assert all("Watercolour" in each.picture for each in script.scenes)
    assert len({each.motion for each in script.scenes}) == 4


def test_costs_are_added_up_for_each_currency_and_unknown_ones_are_said(part):
    total = part("board").total
    yuan = Estimate(model="m", amount=Decimal("0.2"), currency="CNY")
    dollar = Estimate(model="m", amount=Decimal("0.05"), currency="USD")
    assert total([yuan, dollar, yuan]) == "0.40 CNY and 0.05 USD"
    assert total([yuan, Estimate(model="m")]) == "0.20 CNY and 1 of unknown price"
    assert total([]) == "nothing"


def test_the_page_escapes_what_the_script_says_and_shows_what_is_missing(part, read, tmp_path):
    from types import SimpleNamespace

    board, page = part("board"), part("page")
    script = read("# <b>T</b>\n\n## <i>One</i>\n\nA <script>.\n\n## Two\n\nA & B.\n")
    panels = [board.Panel(scene) for scene in script.scenes]
    panels[0].picture = tmp_path / "media" / "a picture.jpeg"
    panels[1].problems.append("picture: <refused>")
    service = SimpleNamespace(image="i", video="v", title="Ark & Co", is_emulator=False)
    made = page.render(SimpleNamespace(script=script, panels=panels), service, tmp_path)

    assert "<title>&lt;b&gt;T&lt;/b&gt;</title>" in made
    assert "&lt;i&gt;One&lt;/i&gt;" in made
    assert "<script>" not in made
    assert 'src="media/a%20picture.jpeg"' in made
    assert "nothing yet" in made
    assert "picture: &lt;refused&gt;" in made
    assert "Ark &amp; Co" in made
