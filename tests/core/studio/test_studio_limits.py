"""Calls, seconds and money: what an object may spend, and what is refused when it is spent."""

from __future__ import annotations

import base64
import copy
import pickle
from decimal import Decimal

import httpx
import pytest

from doubao_core import AmbiguousSubmit, ConfigError, InvalidRequest
from doubao_core.studio import Allowance, ImageOrder, References, VideoOrder, VideoRules

S2_0 = "doubao-seedance-2-0-260128"
S2_5 = "doubao-seedance-2-5-260628"
S1_0 = "doubao-seedance-1-0-pro-250528"
WORDS = [{"type": "text", "text": "tea"}]
PICTURE = ImageOrder(model="doubao-seedream-4-0-250828", prompt="tea", options={"size": "1K"})


def film(model=S2_0, content=WORDS, **options):
    return VideoOrder(model=model, content=content, options=options)


def spend(allowance, order):
    with allowance.spent(order, "ark"):
        pass


def test_an_allowance_is_used_up_by_what_may_have_been_paid():
    allowance = Allowance(2)
    spend(allowance, PICTURE)
    with pytest.raises(InvalidRequest), allowance.spent(PICTURE):
        raise InvalidRequest("refused: nothing was paid")
    with pytest.raises(AmbiguousSubmit), allowance.spent(PICTURE):
        raise AmbiguousSubmit("lost: may have been paid")
    with pytest.raises(ConfigError, match="may be used 2 times"):
        spend(allowance, PICTURE)


def test_copies_share_an_allowance_and_pickles_take_what_is_left():
    allowance = Allowance(2, max_cost="10", max_seconds=30)
    spend(copy.deepcopy(allowance), film(duration=5, resolution="480p", ratio="16:9"))
    twin = pickle.loads(pickle.dumps(allowance))  # noqa: S301 - made here
    with pytest.raises(ConfigError, match="25 are left"):
        spend(twin, film(duration=26, resolution="480p", ratio="16:9"))
    spend(twin, PICTURE)
    with pytest.raises(ConfigError, match="may be used 2 times at most, and no call is left"):
        spend(twin, PICTURE)


@pytest.mark.parametrize(
    ("order", "seconds"),
    [
        (film(duration=7), 7),
        (film(), 5),
        (film(duration=-1), 15),
        (film(S2_5), 30),
        (film(S1_0, frames=57), 3),
        (film(S2_5, [{"type": "draft_task", "draft_task": {"id": "cgt-1"}}]), 30),
        (film("ep-1", duration=9), 9),
    ],
)
def test_seconds_are_counted_as_the_longest_film_that_may_come(order, seconds):
    spend(Allowance(max_seconds=seconds), order)
    left = f"{seconds - 1} are left, and this may have {seconds}"
    with pytest.raises(ConfigError, match=left):
        spend(Allowance(max_seconds=seconds - 1), order)


def test_a_film_of_unknown_length_is_refused_where_seconds_are_limited():
    with pytest.raises(ConfigError, match="say the duration"):
        spend(Allowance(max_seconds=60), film("ep-1"))
    spend(Allowance(), film("ep-1"))


def test_seconds_do_not_limit_pictures():
    spend(Allowance(max_seconds=0), PICTURE)


def test_money_is_counted_by_what_an_order_may_cost():
    allowance = Allowance(max_cost="0.5")
    spend(allowance, PICTURE)
    spend(allowance, PICTURE)
    with pytest.raises(ConfigError, match=r"may spend 0\.50 CNY at most, 0\.10 CNY .* cost 0\.20"):
        spend(allowance, PICTURE)


def test_what_was_refused_gives_its_money_back():
    allowance = Allowance(max_cost=Decimal("0.2"))
    with pytest.raises(InvalidRequest), allowance.spent(PICTURE):
        raise InvalidRequest("refused")
    spend(allowance, PICTURE)


def test_an_unknown_price_is_refused_where_money_is_limited_and_a_table_helps():
    order = ImageOrder(model="ep-1", prompt="tea")
    with pytest.raises(ConfigError, match="what this costs is not known"):
        spend(Allowance(max_cost=100), order)
    row = {"provider": "ark", "models": ["ep-1"], "amount": "0.20", "per": "image"}
    table = [{**row, "currency": "CNY"}]
    spend(Allowance(max_cost=100, prices=table), order)


@pytest.mark.parametrize("cost", ["much", -1, float("nan"), "inf"])
def test_a_limit_that_is_no_amount_is_refused(cost):
    with pytest.raises(ConfigError, match="max_cost"):
        Allowance(max_cost=cost)


async def test_no_more_money_than_allowed_is_spent(make_studio, pictures, film, creates):
    studio = make_studio(Allowance(max_cost="0.45"))
    await studio.images(pictures(max_images=2))
    for make, order in ((studio.images, pictures()), (studio.film, film())):
        with pytest.raises(ConfigError, match="may spend"):
            await make(order)
    assert len(creates()) == 1


async def test_no_more_seconds_than_allowed_are_made(make_studio, film, creates):
    studio = make_studio(Allowance(max_seconds=6))
    await studio.submit(film(duration=4))
    with pytest.raises(ConfigError, match="2 are left"):
        await studio.submit(film(duration=4))
    assert len(creates()) == 1


def test_a_price_table_that_is_wrong_is_found_before_anything_is_paid(tmp_path):
    for table in ([{"model": "x"}], tmp_path / "none.json"):
        with pytest.raises(ConfigError, match="price table"):
            Allowance(prices=table)


async def test_what_cannot_be_counted_is_not_lost(make_studio, pictures, png):
    picture = base64.b64encode(png()).decode()
    body = {
        "model": ["odd"],
        "created": "today",
        "data": [{"b64_json": picture, "size": "large", "image_index": None}],
        "usage": {"generated_images": "many", "output_tokens": {}},
    }

    def answer(request):
        return httpx.Response(200, json=body)

    result = await make_studio(answer=answer).images(pictures())
    assert result.saved
    assert result.cost.amount is None


def test_an_order_that_cannot_be_counted_is_refused_where_money_is_limited():
    order = film(duration="5s", frames=[])
    with pytest.raises(ConfigError, match="what this costs is not known"):
        spend(Allowance(max_cost=5), order)


@pytest.mark.parametrize("flag", ["--dur 15", "--duration=15", "--dur\t15", "--frames 360"])
def test_a_length_in_the_prompt_does_not_pass_the_limit(tmp_path, flag):
    """The service reads settings off the prompt (ark.md 15.1), and a model writes the prompt."""
    rules = VideoRules(
        model="doubao-seedance-2-0-260128",
        references=References(output_dir=tmp_path),
        most_seconds=5,
    )
    with pytest.raises(ConfigError, match="out of the prompt"):
        rules.asked({"prompt": f"a cat {flag}"})


@pytest.mark.parametrize(
    ("rules", "prompt"),
    [
        ({"resolutions": ("480p",)}, "a cat --rs 1080p"),
        ({"fixed": {"ratio": "1:1"}}, "a cat --rt 16:9"),
    ],
)
def test_what_a_developer_limits_is_not_set_in_the_prompt(tmp_path, rules, prompt):
    made = VideoRules(
        model="doubao-seedance-2-0-260128", references=References(output_dir=tmp_path), **rules
    )
    with pytest.raises(ConfigError, match="out of the prompt"):
        made.asked({"prompt": prompt, "resolution": "480p"})


def test_a_prompt_may_hold_settings_that_nobody_limits(tmp_path):
    rules = VideoRules(
        model="doubao-seedance-1-0-pro-250528", references=References(output_dir=tmp_path)
    )
    assert rules.asked({"prompt": "a cat --dur 10 --rs 720p"}).content[0]["text"].endswith("720p")


@pytest.mark.parametrize("flag", ["--dur 15", "--dur\t15", "--DUR=15", "--frames 360", "--dur -1"])
async def test_seconds_in_the_prompt_are_spent(make_studio, creates, tmp_path, flag):
    order = VideoRules(
        model="doubao-seedance-2-0-260128", references=References(output_dir=tmp_path)
    ).asked({"prompt": f"tea {flag}"})
    before = len(creates())
    with pytest.raises(ConfigError, match="15"):
        await make_studio(Allowance(max_seconds=14)).submit(order)
    assert len(creates()) == before


def test_a_limit_on_cost_is_in_one_currency():
    """Two tools may share a limit; a sum of yuan and dollars would be no money at all."""
    allowance = Allowance(max_cost=1000)
    spend(allowance, film(duration=4, resolution="480p"))
    dollars = film("dreamina-seedance-2-0-260128", duration=4, resolution="480p")
    pickled = pickle.loads(pickle.dumps(allowance))  # noqa: S301 - of our own making
    for each in (allowance, pickled):
        with (
            pytest.raises(ConfigError, match="in CNY, and this costs USD"),
            each.spent(dollars, "byteplus"),
        ):
            raise AssertionError


def test_a_ratio_of_an_unknown_model_is_the_services_to_judge(tmp_path):
    rules = VideoRules(model="ep-20260101-abcde", references=References(output_dir=tmp_path))
    assert rules.asked({"prompt": "tea", "ratio": "9:21"}).options["ratio"] == "9:21"
