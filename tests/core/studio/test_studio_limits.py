"""Calls, seconds and money: what an object may spend, and what is refused when it is spent."""

from __future__ import annotations

import base64
import copy
import pickle
from decimal import Decimal

import httpx
import pytest

from doubao_core import AmbiguousSubmit, ConfigError, InvalidRequest
from doubao_core.studio import Allowance, ImageOrder, VideoOrder

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
    with pytest.raises(ConfigError, match="may be used once at most"):
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
    with pytest.raises(ConfigError, match=r"may spend 0\.50 at most, 0\.10 is left, .* cost 0\.20"):
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
