"""What became of a paid request whose answer was lost: found, waited for or held, not guessed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubao_core import VideoTask
from doubao_core.jobs.reconcile import KEPT, PATIENCE, SKEW, Adopt, Hold, Intent, Wait, reconcile

MODEL = "doubao-seedance-2-0-260128"
POSTED, LOST = 1_790_000_000.0, 1_790_000_010.0
SOON, LATE = LOST + 1, LOST + PATIENCE
REQUEST = {
    "model": MODEL,
    "content": [{"type": "text", "text": "a cat"}],
    "resolution": "720p",
    "ratio": "adaptive",
    "duration": -1,
    "seed": -1,
}


def task(number=1, *, at=POSTED + 1, **raw):
    raw = {"id": f"cgt-{number}", "model": MODEL, "status": "queued", **raw}
    return VideoTask.parse({"created_at": at, **raw})


def intent(mark="doubao-job-1", **request):
    wanted = {name: value for name, value in {**REQUEST, **request}.items() if value is not None}
    return Intent(request=wanted, mark=mark, posted_at=POSTED, lost_at=LOST)


def test_a_task_with_the_mark_is_adopted_whatever_else_it_says():
    marked = task(2, at=0, model="other", safety_identifier="doubao-job-1")
    verdict = reconcile(intent(), [task(1), marked, task(3)], {}, SOON)
    assert verdict == Adopt("cgt-2", "task cgt-2 carries this job's mark")


def test_two_tasks_with_the_mark_are_for_a_person():
    tasks = [task(number, safety_identifier="doubao-job-1") for number in (1, 2)]
    verdict = reconcile(intent(), tasks, {}, SOON)
    assert isinstance(verdict, Hold)
    assert "cgt-1, cgt-2" in verdict.reason
    assert "repeated" in verdict.reason


def test_a_task_is_waited_for_and_then_the_job_is_held():
    assert isinstance(reconcile(intent(), [], {}, LATE - 0.01), Wait)
    verdict = reconcile(intent(), [], {}, LATE)
    assert isinstance(verdict, Hold)
    assert "most likely none was created" in verdict.reason


def test_a_marked_job_never_takes_an_unmarked_task_but_names_it():
    """The service shows marks (ark.md 15.4): who has none is somebody else's."""
    assert isinstance(reconcile(intent(), [task(7)], {}, SOON), Wait)
    verdict = reconcile(intent(), [task(7)], {}, LATE)
    assert isinstance(verdict, Hold)
    assert "cgt-7" in verdict.reason


def test_where_the_service_is_seen_to_drop_marks_settings_decide():
    others = {"cgt-9": "doubao-job-9"}
    verdict = reconcile(intent(), [task(7), task(9)], others, SOON)
    assert verdict == Adopt("cgt-7", "task cgt-7 is the only one with its settings and time")
    shown = task(9, safety_identifier="doubao-job-9")
    assert isinstance(reconcile(intent(), [task(7), shown], others, SOON), Wait)


def test_without_a_mark_a_task_that_was_made_long_after_is_somebody_elses():
    """The process died, and was missed only the next day."""
    orphan = replace(intent(None), lost_at=POSTED + 86_400)
    made = task(7, at=POSTED + 3600)
    assert isinstance(reconcile(orphan, [made], {}, POSTED + 86_400), Wait)
    slow = task(8, at=POSTED + 600)
    assert reconcile(orphan, [made, slow], {}, POSTED + 86_400).task_id == "cgt-8"


def test_without_a_mark_the_only_fitting_task_is_adopted():
    assert reconcile(intent(None), [task(7)], {}, SOON) == Adopt(
        "cgt-7", "task cgt-7 is the only one with its settings and time"
    )


@pytest.mark.parametrize(
    "shown",
    [
        {"model": "doubao-seedance-1-0-pro-250528"},
        {"resolution": "480p"},
        {"generate_audio": True},
        {"draft": True},
        {"service_tier": "flex"},
        {"priority": 3},
        {"execution_expires_after": 3600},
        {"tools": [{"type": "web_search"}]},
        {"draft_task_id": "cgt-0"},
        {"safety_identifier": "somebody"},
        {"at": POSTED - SKEW - 1},
        {"at": LOST + SKEW + 1},
        {"created_at": None},
    ],
)
def test_a_task_that_says_otherwise_is_not_ours(shown):
    request = intent(None, generate_audio=False)
    assert isinstance(reconcile(request, [task(7, **shown)], {}, SOON), Wait)
    verdict = reconcile(request, [task(7, **shown)], {}, LATE)
    assert isinstance(verdict, Hold)
    assert "cgt-7" not in verdict.reason


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({"resolution": "4K"}, {"resolution": "4k"}),
        ({"ratio": "adaptive"}, {"ratio": "16:9"}),
        ({"duration": -1}, {"duration": 5}),
        ({"seed": -1}, {"seed": 78674}),
        ({"seed": None}, {"seed": 78674}),
        ({"model": "ep-20261008-abcde"}, {}),
        ({"safety_identifier": "user-3"}, {"safety_identifier": "user-3"}),
        ({}, {"priority": 0, "service_tier": "default", "execution_expires_after": 172_800}),
        ({"resolution": None}, {"resolution": "1080p"}),
        ({}, {"at": POSTED - SKEW}),
        ({}, {"at": LOST + SKEW}),
    ],
)
def test_what_the_service_chose_or_spells_otherwise_is_no_difference(asked, shown):
    verdict = reconcile(intent(None, **asked), [task(7, **shown)], {}, SOON)
    assert isinstance(verdict, Adopt)


def test_an_order_whose_own_identifier_is_not_shown_may_still_be_found():
    asked = intent(None, safety_identifier="user-3")
    assert isinstance(reconcile(asked, [task(7)], {}, SOON), Adopt)


def test_two_that_fit_are_for_a_person():
    verdict = reconcile(intent(None), [task(1), task(2)], {}, LATE)
    assert isinstance(verdict, Hold)
    assert "cgt-1 or cgt-2" in verdict.reason
    assert isinstance(reconcile(intent(None), [task(1), task(2)], {}, SOON), Wait)


def test_a_task_that_could_be_another_lost_jobs_is_not_taken():
    rival = intent(None)
    assert isinstance(reconcile(intent(None), [task(7)], {}, SOON, rivals=[rival]), Wait)
    stranger = intent(None, resolution="480p")
    shown = task(7, resolution="720p")
    assert isinstance(reconcile(intent(None), [shown], {}, SOON, rivals=[stranger]), Adopt)


def test_what_the_service_has_forgotten_is_held_at_once():
    old = replace(intent(), lost_at=POSTED + KEPT)
    assert isinstance(reconcile(old, [], {}, POSTED + KEPT), Wait)
    verdict = reconcile(old, [], {}, POSTED + KEPT + 1)
    assert isinstance(verdict, Hold)
    assert "7 days" in verdict.reason


marks = st.sampled_from([None, "doubao-job-1", "doubao-job-2", "user-3"])
listed = st.builds(
    task,
    st.integers(0, 6),
    at=st.floats(POSTED - 200, LOST + 200),
    resolution=st.sampled_from([None, "720p", "480p"]),
    safety_identifier=marks,
)
lists = st.lists(listed, max_size=6, unique_by=lambda each: each.id)
bounds = st.dictionaries(st.sampled_from([f"cgt-{n}" for n in range(7)]), marks, max_size=3)
intents = st.builds(intent, st.sampled_from([None, "doubao-job-1"]))
times = st.floats(LOST, LOST + 2 * KEPT)


@given(intents, lists, bounds, times, st.lists(intents, max_size=2))
def test_no_task_is_taken_that_belongs_to_another_job_or_is_not_listed(
    wanted, tasks, bound, now, rivals
):
    verdict = reconcile(wanted, tasks, bound, now, rivals=rivals)
    if isinstance(verdict, Adopt):
        assert verdict.task_id in {each.id for each in tasks} - bound.keys()


@given(intents, lists, bounds, times)
def test_the_order_of_the_list_does_not_matter(wanted, tasks, bound, now):
    verdict = reconcile(wanted, tasks, bound, now)
    assert verdict == reconcile(wanted, tasks[::-1], bound, now)


@given(intents, lists, bounds, times, st.lists(intents, max_size=2))
def test_waiting_ends_with_the_patience(wanted, tasks, bound, now, rivals):
    verdict = reconcile(wanted, tasks, bound, now, rivals=rivals)
    assert isinstance(verdict, Wait) <= (now - wanted.lost_at < PATIENCE)


@given(lists, bounds, times)
def test_a_mark_that_is_listed_once_is_always_found(tasks, bound, now):
    mine = task(99, safety_identifier="doubao-job-1")
    others = [each for each in tasks if each.raw["safety_identifier"] != "doubao-job-1"]
    verdict = reconcile(intent(), [*others, mine], bound, now)
    assert isinstance(verdict, Adopt)
    assert verdict.task_id == "cgt-99"


@given(lists, times)
def test_of_two_lost_jobs_that_look_alike_neither_takes_a_task(tasks, now):
    one, other = intent(None), intent(None)
    assert not isinstance(reconcile(one, tasks, {}, now, rivals=[other]), Adopt)
