"""What providers say in many ways, said in one (gateways.md 2.1, 4.4)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from doubao_core.gateways import normalise

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("ours", "natives"),
    [
        ("queued", "queued pending accepted submitted created NOT_START IN_QUEUE waiting"),
        ("queued", "preparing starting not-start"),
        ("running", "running processing IN_PROGRESS in-progress generating"),
        ("succeeded", "succeeded succeed SUCCESS completed complete done"),
        ("failed", "failed fail FAILURE error"),
        ("cancelled", "cancelled canceled"),
        ("expired", "EXPIRED"),
    ],
)
def test_every_native_status_has_a_name_of_ours(ours, natives):
    assert {normalise.status(native) for native in natives.split()} == {ours}


def test_a_status_with_a_blank_or_in_any_case_is_known():
    assert normalise.status(" In Progress ") == "running"
    assert normalise.status("") == normalise.status(None) == "queued"


def test_an_unknown_status_is_neither_a_success_nor_a_failure():
    assert normalise.status("rendering_twice") == "unknown"


@pytest.mark.parametrize(
    ("native", "percent"),
    [
        (45, 45),
        (0.45, 45),
        (1.0, 100),
        ("50%", 50),
        (" 7.6 % ", 8),
        (250, 100),
        (-3, 0),
        (99.4, 99),
        ("half", None),
        ("50", None),
        (None, None),
        (True, None),
        (float("nan"), None),
        ([5], None),
    ],
)
def test_progress_is_percents(native, percent):
    """R004-23: a whole number; Anyfast's has a percent sign, others' is a fraction."""
    assert normalise.progress(native) == percent


@pytest.mark.parametrize(
    "native",
    [1_760_500_000, 1_760_500_000_000, "1760500000", "2025-10-15T03:46:40Z", 1_760_500_000.0],
)
def test_times_are_aware_and_in_utc(native):
    """R002-13: unix seconds; others have milliseconds or ISO 8601."""
    assert normalise.moment(native) == datetime(2025, 10, 15, 3, 46, 40, tzinfo=UTC)
    assert normalise.seconds(native) == 1_760_500_000


def test_a_time_with_an_offset_is_turned_into_utc_and_one_without_is_taken_for_it():
    assert normalise.seconds("2025-10-15T11:46:40+08:00") == 1_760_500_000
    assert normalise.seconds("2025-10-15T03:46:40") == 1_760_500_000
    assert normalise.moment("2025-10-15T11:46:40+08:00").tzinfo is UTC


@pytest.mark.parametrize("native", [0, None, "", "soon", True, -5, 10**30, [], float("nan")])
def test_what_is_no_time_is_none(native):
    """Anyfast says 0 for a time that has not come."""
    assert normalise.moment(native) is None


def test_the_headers_of_seed_003_and_seed_004_are_read():
    """R003-24, R004-32: limit, remaining, reset, and a waiting time of a name of its own."""
    read = normalise.rate(
        {
            "x-ratelimit-limit": "1000",
            "x-ratelimit-remaining": "999",
            "x-ratelimit-reset": "1705315200",
            "x-ratelimit-retryafter": "3600",
        }
    )
    assert (read.limit, read.remaining, read.reset) == (1000, 999, 1_705_315_200)
    assert read.retry_after == 3600


def test_the_standard_names_are_read_too():
    read = normalise.rate({"ratelimit-limit": "10", "ratelimit-remaining": "0"})
    assert (read.limit, read.remaining) == (10, 0)


def test_headers_that_are_no_numbers_say_nothing():
    assert normalise.rate({"x-ratelimit-limit": "10;w=60", "x": "1"}) == normalise.Rate()


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7", "x-ratelimit-retryafter": "9"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "Mon, 21 Sep 2026 14:13:25 GMT"}, 5.0),
        ({"retry-after": "Mon, 21 Sep 2026 14:13:10 GMT"}, 0.0),
        ({"retry-after": "later", "x-ratelimit-retryafter": "9"}, 9),
        ({"x-ratelimit-reset": "1790000012"}, 12),
        ({"x-ratelimit-reset": "1790000012500"}, 12.5),
        ({"x-ratelimit-reset": "30"}, 30),
        ({"ratelimit-reset": "30"}, 30),
        ({"x-ratelimit-reset": "1789999999"}, 0.0),
        ({}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_hints_have_an_order(status, headers, wait):
    """R004-32: Retry-After, X-RateLimit-RetryAfter, then the end of the window."""
    assert normalise.pause(status, headers, NOW) == wait


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_hint_counts_for_a_refusal_only(status):
    """R004-32: the page prints one with a good answer."""
    assert normalise.pause(status, {"x-ratelimit-retryafter": "3600"}, NOW) is None
