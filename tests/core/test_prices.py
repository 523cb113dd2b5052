"""What pictures and films cost: tokens as the service counts them, money as a source states it."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from doubao_core import Client, ConfigError, catalogue
from doubao_core.prices import Estimate, Price, Prices, cost, estimate, money, published

ARK_1_0 = "doubao-seedance-1-0-pro-250528"
ARK_1_5 = "doubao-seedance-1-5-pro-251215"
ARK_2_0 = "doubao-seedance-2-0-260128"
ARK_2_5 = "doubao-seedance-2-5-260628"
BYTEPLUS_2_0 = "dreamina-seedance-2-0-260128"
LITE = "doubao-seedream-5-0-260128"
PRO = "doubao-seedream-5-0-pro-260628"


def film(model, *content, **settings):
    return {
        "model": model,
        "content": [{"type": "text", "text": "a cat yawns"}, *content],
        **settings,
    }


def picture(model, **settings):
    return {"model": model, "prompt": "a cat", **settings}


@pytest.fixture
def client(emulator):
    with Client(provider="emulator", base_url=emulator.base_url) as client:
        yield client


# Seen at the live service: ark.md 15.4, gateways.md 3.3, and a film of 2.0 at 480p.
@pytest.mark.parametrize(
    ("request_", "tokens"),
    [
        (film(ARK_1_0, resolution="480p", ratio="16:9", duration=5), 49_005),
        (film(ARK_2_0, resolution="720p", ratio="16:9", duration=5), 108_900),
        (film(ARK_1_0, resolution="1080p", ratio="16:9", duration=5), 246_840),
        (film(ARK_1_0, resolution="1080p", ratio="16:9", duration=6), 295_800),
        (film(ARK_2_0, resolution="480p", ratio="9:16", duration=4), 40_594),
    ],
)
def test_tokens_of_a_film_are_those_that_were_seen(request_, tokens):
    counted = estimate(request_)
    assert (counted.tokens, counted.at_most) == (tokens, False)


def test_films_among_the_inputs_count_with_their_seconds():
    watched = {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}
    request = film(ARK_2_5, watched, resolution="720p", ratio="16:9", duration=30)
    assert estimate(request, watched=30).tokens == 1_296_900
    longest = estimate(request)
    assert longest.tokens == 1_296_900
    assert longest.at_most
    assert "minimum charge" in longest.note


@pytest.mark.parametrize("ratio", ["16:9", "4:3", "1:1", "3:4", "9:16", "21:9"])
@pytest.mark.parametrize(
    ("model", "resolution"),
    [
        ("doubao-seedance-2-5-260628", "1080p"),
        ("doubao-seedance-2-0-260128", "4k"),
        ("doubao-seedance-2-0-mini-260615", "480p"),
        ("doubao-seedance-1-5-pro-251215", "720p"),
        ("doubao-seedance-1-0-pro-fast-251015", "480p"),
    ],
)
def test_tokens_of_a_film_are_those_that_the_emulator_counts(client, model, resolution, ratio):
    request = film(model, resolution=resolution, ratio=ratio, duration=5)
    task = client.get_video(client.create_video(**request).id)
    assert task.status == "succeeded"
    assert estimate(request).tokens == task.completion_tokens


@pytest.mark.parametrize("settings", [{}, {"duration": 4}, {"resolution": "480p"}])
@pytest.mark.parametrize("model", [ARK_2_5, ARK_2_0, ARK_1_0, ARK_1_5])
def test_what_a_request_leaves_open_is_never_counted_as_less(client, model, settings):
    request = film(model, **settings)
    task = client.get_video(client.create_video(**request).id)
    assert estimate(request).tokens >= task.completion_tokens


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ({"duration": -1}, 15),
        ({"duration": 4, "content": [{"type": "text", "text": "a cat --dur 12"}]}, 12),
        ({"content": [{"type": "text", "text": "a cat --duration -1"}]}, 15),
        ({"content": [{"type": "draft_task", "draft_task": {"id": "cgt-1"}}]}, 15),
    ],
)
def test_a_length_that_is_left_open_or_said_twice_is_counted_as_the_longest(settings, seconds):
    request = film(ARK_2_0, resolution="720p", ratio="16:9") | settings
    counted = estimate(request)
    assert counted.tokens == 1280 * 720 * (24 * seconds + 1) // 1024
    assert counted.at_most


def test_settings_in_the_prompt_cannot_make_a_film_dearer_than_it_is_counted():
    plain = film(ARK_2_0, resolution="480p", ratio="16:9", duration=5)
    sly = plain | {"content": [{"type": "text", "text": "a cat --rs 1080p --rt 21:9 --dur 15"}]}
    assert estimate(sly).tokens == 2206 * 946 * 361 // 1024
    assert estimate(sly).amount > estimate(plain).amount
    assert estimate(sly).at_most


def test_frames_count_as_they_are():
    counted = estimate(film(ARK_1_0, resolution="480p", ratio="16:9", frames=29, duration=12))
    assert (counted.tokens, counted.at_most) == (864 * 480 * 29 // 1024, False)


def test_a_draft_costs_less_where_it_is_known_how_much():
    request = film(ARK_1_5, ratio="16:9", duration=5, draft=True)
    assert estimate(request).tokens == int(864 * 496 * 121 // 1024 * Decimal("0.6"))
    silent = estimate(request | {"generate_audio": False})
    assert silent.tokens == int(864 * 496 * 121 // 1024 * Decimal("0.7"))
    unknown = estimate(film(ARK_2_5, ratio="16:9", duration=5, draft=True))
    assert unknown.at_most
    assert "fewer tokens" in unknown.note


# The vendor's printed examples: 16:9, 5 s. They leave out the one frame that is counted.
@pytest.mark.parametrize(
    ("model", "resolution", "printed"),
    [
        (BYTEPLUS_2_0, "480p", "0.35"),
        (BYTEPLUS_2_0, "720p", "0.76"),
        (BYTEPLUS_2_0, "1080p", "1.87"),
        (BYTEPLUS_2_0, "4k", "3.89"),
        ("dreamina-seedance-2-0-mini-260615", "720p", "0.38"),
        ("seedance-1-5-pro-251215", "1080p", "0.58"),
        ("seedance-1-0-pro-250528", "480p", "0.12"),
    ],
)
def test_money_is_within_a_frame_and_a_cent_of_the_printed_examples(model, resolution, printed):
    request = film(model, resolution=resolution, ratio="16:9", duration=5)
    counted = estimate(request, provider="byteplus")
    assert counted.currency == "USD"
    assert abs(counted.amount * 120 / 121 - Decimal(printed)) <= Decimal("0.011")


def test_sound_tier_and_films_among_the_inputs_change_the_price():
    def price(model, *content, **settings):
        return estimate(film(model, *content, resolution="480p", **settings)).unit_price

    assert price(ARK_1_5) == 2 * price(ARK_1_5, generate_audio=False)
    assert price(ARK_1_5) == 2 * price(ARK_1_5, service_tier="flex")
    assert price(ARK_2_0) > price(ARK_2_0, {"type": "video_url"})
    assert price(ARK_1_0, service_tier="flex") == Decimal("7.5")


def test_a_setting_that_no_price_is_known_for_is_unknown_and_not_guessed():
    flex = film(ARK_2_5, resolution="720p", service_tier="flex")
    small_model = film("doubao-seedance-2-0-fast-260128", resolution="1080p", duration=5)
    for request in (flex, small_model):
        counted = estimate(request)
        assert counted.amount is None
        assert "not with these settings" in counted.text


@pytest.mark.parametrize("provider", ["byteplus-eu", "agentsflare"])
def test_a_provider_without_prices_is_unknown_and_tokens_are_counted_all_the_same(provider):
    counted = estimate(film(ARK_2_0, resolution="720p", ratio="16:9"), provider=provider)
    assert (counted.amount, counted.currency, counted.tokens) == (None, None, 108_900)
    assert counted.text == (
        f"price unknown, no price of {ARK_2_0} at {provider} is in the table: give your own as "
        "prices=; 108,900 tokens"
    )


@pytest.mark.parametrize(
    ("settings", "tokens", "at_most"),
    [
        ({"size": "2848x1600"}, 17_800, False),
        ({}, 16_384, False),
        ({"size": "2K"}, 17_800, True),
        ({"size": "4K"}, 65_536, True),
        (
            {
                "size": "2048x2048",
                "sequential_image_generation": "auto",
                "sequential_image_generation_options": {"max_images": 4},
            },
            4 * 16_384,
            True,
        ),
        (
            {"size": "2048x2048", "sequential_image_generation": "auto", "image": ["a"] * 5},
            10 * 16_384,
            True,
        ),
    ],
)
def test_tokens_of_pictures(settings, tokens, at_most):
    counted = estimate(picture(LITE, **settings))
    assert (counted.tokens, counted.at_most) == (tokens, at_most)


def test_pictures_are_paid_each_whatever_their_tokens(client):
    request = picture(LITE, size="2K", sequential_image_generation="auto")
    request["sequential_image_generation_options"] = {"max_images": 3}
    answer = client.create_images(**request)
    data = [{"size": image.size} for image in answer.images]
    spent = cost(request, {"usage": answer.usage.raw, "data": data})
    assert spent.tokens == answer.usage.output_tokens
    assert spent.amount == Decimal("0.22") * answer.usage.generated_images
    assert spent.amount <= estimate(request).amount
    assert not spent.at_most


def test_a_large_picture_and_further_references_cost_more_where_they_do():
    small, large = (estimate(picture(PRO, size=size)) for size in ("1024x1024", "2048x2048"))
    assert (small.amount, large.amount) == (Decimal("0.30"), Decimal("0.60"))
    edited = estimate(picture(PRO, size="1024x1024", image=["a", "b", "c"]))
    assert edited.amount == Decimal("0.34")
    layers = estimate(picture(PRO, size="1K", image="a", layer_decomposition=True))
    assert (layers.amount, layers.at_most) == (17 * Decimal("0.15"), True)


def test_what_a_picture_has_cost_goes_by_its_real_size():
    def spent(size, **usage):
        usage = {"generated_images": 1, "output_tokens": 4096, **usage}
        return cost(picture(PRO), {"usage": usage, "data": [{"size": size}] if size else []})

    assert spent("1024x1024").amount == Decimal("0.30")
    assert spent("2048x2048").amount == Decimal("0.60")
    assert spent(None).amount == Decimal("0.30")
    assert spent("1024x1024", input_images=4).amount == Decimal("0.36")


def test_what_a_film_has_cost_goes_by_its_usage_and_its_real_settings():
    request = film(ARK_1_5, duration=-1)
    task = {"model": ARK_1_5, "status": "succeeded", "usage": {"completion_tokens": 100_000}}
    spent = cost(request, {**task, "generate_audio": False, "resolution": "480p"})
    assert (spent.tokens, spent.amount, spent.at_most) == (100_000, Decimal("0.8"), False)


def test_a_film_of_which_only_the_task_is_known_is_priced_as_the_dearest():
    task = {"model": ARK_2_0, "status": "succeeded", "resolution": "720p"}
    spent = cost({}, task | {"usage": {"completion_tokens": 1_000_000}})
    assert (spent.amount, spent.at_most) == (Decimal(46), True)


def test_an_answer_without_usage_costs_something_unknown():
    spent = cost(film(ARK_2_0), {"model": ARK_2_0, "status": "succeeded"})
    assert (spent.tokens, spent.amount) == (None, None)
    assert "price unknown" in spent.text


def test_the_emulator_stands_for_the_cloud_that_has_the_model():
    request = film(BYTEPLUS_2_0, resolution="720p", ratio="16:9")
    emulated = estimate(request, provider="emulator")
    assert emulated.amount == estimate(request, provider="byteplus").amount
    assert "charges nothing" in emulated.note


def test_your_own_table_comes_first_and_may_be_a_file(tmp_path):
    row = {"provider": "ark", "models": [LITE], "per": "image", "amount": "0.10", "currency": "CNY"}
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({"date": "2026-11-01", "source": "contract", "prices": [row]}))
    for table in ([row], {"prices": [row]}, file, str(file), Prices.read([row])):
        counted = estimate(picture(LITE), prices=table)
        assert counted.amount == Decimal("0.10")
    counted = estimate(picture(LITE), prices=file)
    assert (counted.source, counted.date.isoformat()) == ("contract", "2026-11-01")
    other = estimate(picture(PRO, size="1024x1024"), prices=file)
    assert other.amount == Decimal("0.30")


def test_an_endpoint_is_counted_as_the_model_that_it_serves():
    request = film("ep-20260901120000-abcde", resolution="720p", ratio="16:9", duration=5)
    assert estimate(request).tokens is None
    served = estimate(request, serves=ARK_2_0)
    assert (served.tokens, served.amount) == (108_900, Decimal("5.0094"))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("missing.json", "cannot be read"),
        ([{"provider": "ark"}], "models"),
        ([{"models": [LITE], "amount": "-1"}], "amount"),
        ({"prices": [{"when": {"weather": [True]}}]}, "when"),
        ({"prices": 7}, "wrong"),
        ([7], "wrong"),
    ],
)
def test_a_table_that_is_none_is_refused(table, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=said):
        estimate(picture(LITE), prices=table)


def test_an_estimate_survives_json():
    for request in (film(ARK_2_0), picture("ep-1")):
        counted = estimate(request)
        assert Estimate.from_dict(json.loads(json.dumps(counted.to_dict()))) == counted


def test_an_estimate_says_all_in_a_sentence():
    request = film(ARK_2_0, resolution="720p", ratio="16:9", duration=5)
    assert str(estimate(request)) == (
        "5.0094 CNY; 108,900 tokens; 46 CNY per 1M tokens, list price of 2026-06-04"
    )
    assert str(estimate(film(ARK_2_0, duration=-1))).startswith("at most ")


@pytest.mark.parametrize(
    ("amount", "said"),
    [("1", "1.00 CNY"), ("0.5", "0.50 CNY"), ("0.12345", "0.1234 CNY"), ("1234.5", "1234.50 CNY")],
)
def test_money_is_written_for_people(amount, said):
    assert money(Decimal(amount), "CNY") == said


@pytest.mark.parametrize(
    "row", published().rows, ids=lambda row: f"{row.models[0]}-{row.amount}-{row.currency}"
)
def test_every_list_price_has_a_source_and_a_date_and_is_of_a_known_model(row: Price):
    assert row.source.startswith("https://")
    assert row.date is not None
    assert row.amount > 0
    assert row.currency == {"ark": "CNY", "byteplus": "USD"}[row.provider]
    kind = {"1M tokens": "video", "image": "image"}[row.per]
    for model in row.models:
        known = catalogue.find(model)
        assert known is None or known.kind == kind
        assert model.startswith("doubao-") == (row.provider == "ark")


def test_no_request_has_two_list_prices():
    for row in published().rows:
        for other in published().rows:
            if (
                row is other
                or row.provider != other.provider
                or not set(row.models) & set(other.models)
            ):
                continue
            facts = {
                name: next(iter(allowed)) if isinstance(allowed, tuple) else allowed.least
                for name, allowed in row.when.items()
            }
            assert not other.holds(facts)
