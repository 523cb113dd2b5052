"""What a person's answer means, purely: whatever is not clearly a yes sends nothing."""

from __future__ import annotations

import pytest

from doubao_core.prices import Estimate, usual
from doubao_core.studio.approval import Answer, NotAsked, Question, Refusal
from doubao_core.studio.keys import call_key


@pytest.mark.parametrize(
    "said", [True, "yes", " Yes. ", "Y", "ok", "approve", "是", {"type": "approve"}]
)
def test_a_yes(said):
    assert Answer.of(said) == Answer(approved=True)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (False, None),
        ("", None),
        ("no", None),
        ("不同意", None),
        ("yes, but shorter", "yes, but shorter"),
        ({"type": "reject"}, None),
        ({"type": "reject", "message": "too dear"}, "too dear"),
        ({"type": "edit"}, None),
        ({"type": "respond", "message": "later"}, "later"),
        ("x" * 1000, "x" * 300),
    ],
)
def test_a_no_and_its_reason(said, reason):
    assert Answer.of(said) == Answer(approved=False, reason=reason)


@pytest.mark.parametrize(
    "said",
    [
        {"prompt": "coffee"},
        {"type": "edit", "edited_action": {"name": "generate_image", "args": {"prompt": "coffee"}}},
        {"decisions": [{"type": "edit", "edited_action": {"args": {"prompt": "coffee"}}}]},
    ],
)
def test_other_arguments(said):
    assert Answer.of(said) == Answer(approved=True, arguments={"prompt": "coffee"})


@pytest.mark.parametrize("said", [None, 1, ["yes"], object()])
def test_what_is_no_answer(said):
    with pytest.raises(NotAsked, match="an approval was answered with"):
        Answer.of(said)


def test_two_decisions_for_one_question_approve_nothing():
    answer = Answer.of({"decisions": [{"type": "approve"}, {"type": "approve"}]})
    assert not answer.approved


def test_an_unknown_price_is_said_to_be_unknown():
    question = Question(
        tool="generate_image",
        model="ep-1",
        arguments={"prompt": "tea"},
        estimate=Estimate(model="ep-1"),
    )
    payload = question.payload()
    assert payload["estimate"]["cost"] == "unknown"
    assert payload["estimate"]["tokens"] == "unknown"
    assert "price unknown" in payload["question"]


def test_a_refusal_is_told_with_its_reason():
    assert "nothing was paid" in Refusal(tool="generate_image").text
    assert '"too dear"' in Refusal(tool="generate_image", reason="too dear").text


def test_a_call_is_named_by_all_that_identifies_it():
    assert call_key("t", "a", "b") == call_key("t", "a", "b")
    names = {call_key("t", "a", "b"), call_key("t", None, "ab"), call_key("u", "a", "b")}
    assert len({*names, call_key("t", "ab", None)}) == 4


@pytest.mark.parametrize(
    ("request_", "left_open"),
    [
        ({}, {"duration": 5, "resolution": "720p"}),
        ({"duration": 4}, {"resolution": "720p"}),
        ({"frames": 57, "resolution": "480p"}, {}),
        ({"draft": True, "duration": 4}, {"resolution": "480p"}),
        ({"content": [{"type": "text", "text": "tea --dur 9 --rs 480p"}]}, {}),
        ({"content": [{"type": "draft_task", "draft_task": {"id": "cgt-1"}}]}, {}),
        ({"model": "doubao-seedance-2-5-260628"}, {"duration": "up to 30", "resolution": "720p"}),
        ({"model": "ep-1"}, {}),
    ],
)
def test_what_nobody_said_is_what_the_estimate_takes(request_, left_open):
    assert usual({"model": "doubao-seedance-2-0-260128", **request_}) == left_open
