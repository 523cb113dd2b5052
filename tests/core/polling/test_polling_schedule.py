"""When a task is looked up again: pure numbers."""

from __future__ import annotations

import pytest

from doubao_core.polling import Expectation
from doubao_core.polling.schedule import back_off, pause


def none():
    return 0.0


def all_of_it():
    return 1.0


def test_more_pixels_and_more_seconds_take_longer_and_quick_models_less():
    usual = Expectation(model="doubao-seedance-2-0-260128", resolution="720p", duration=5)
    for longer in (
        Expectation(model=usual.model, resolution="1080p", duration=5),
        Expectation(model=usual.model, resolution="720p", duration=30),
        Expectation(model=usual.model, duration=5, flex=True),
    ):
        assert longer.seconds > usual.seconds
    quick = Expectation(model="doubao-seedance-2-0-fast-260128", resolution="720p", duration=5)
    assert quick.seconds < usual.seconds


def test_what_the_vendor_measured_is_met_roughly():
    """119 s for 5 s of 720p (ark.md 15.7); 275 to 479 s for 30 s of 2.5 (gateways.md 4.5)."""
    assert 60 <= Expectation(resolution="720p", duration=5).seconds <= 180
    assert 275 <= Expectation(resolution="720p", duration=30).seconds <= 479


def test_a_request_and_a_task_say_what_is_expected_and_each_fills_the_others_gaps():
    asked = Expectation.of({"model": "ep-1", "resolution": "480p", "content": []})
    told = Expectation.of({"model": "doubao-seedance-1-5-pro", "duration": 8, "status": "running"})
    assert asked.or_else(told) == Expectation(model="ep-1", resolution="480p", duration=8)
    assert Expectation.of({"service_tier": "flex"}).flex


@pytest.mark.parametrize("fields", [{}, {"duration": "5"}, {"duration": -1}, {"resolution": "9k"}])
def test_what_is_not_known_is_taken_for_the_usual(fields):
    assert Expectation.of(fields).seconds == Expectation().seconds


def test_look_ups_are_close_around_the_likely_end_and_rarer_before_and_after():
    film = Expectation(resolution="1080p", duration=20)
    early, likely, late = (
        pause(film, film.seconds * share, rand=none) for share in (0.3, 1.0, 10.0)
    )
    assert likely < early <= 15
    assert likely < late <= 15


def test_the_first_look_ups_come_quickly_whatever_is_made():
    assert pause(Expectation(flex=True), 0.0, rand=none) == 2.0


def test_the_flex_tier_which_takes_hours_is_asked_once_a_minute():
    assert pause(Expectation(flex=True), 1200.0, rand=none) == 60.0


def test_a_usual_film_is_known_three_seconds_late_at_most_from_half_its_time_on():
    film = Expectation(resolution="720p", duration=5)
    pauses = [pause(film, float(second), rand=none) for second in range(50, 170)]
    assert max(pauses) <= 3.0


def test_pauses_are_spread_so_that_processes_do_not_stay_together():
    assert pause(Expectation(), 100.0, rand=all_of_it) == pytest.approx(0.9 * 3.0)


def test_after_failures_the_pauses_grow_to_half_a_minute_and_no_further():
    assert [back_off(number, rand=none) for number in (1, 2, 3, 10, 10_000)] == [2, 4, 8, 30, 30]
    assert back_off(3, rand=all_of_it) == 4
