"""Moderation by a service that has it: OpenAI's shape, read with tolerance (gateways.md 3.1)."""

from __future__ import annotations

import httpx
import pytest

from doubao_core import ConfigError, InvalidRequest, Malformed, NotFound, Verdict

REFUSED = "EMULATED SENSITIVE CONTENT: violence"


@pytest.fixture
def moderator(make_client, emulator):
    return make_client(
        provider="openai-compatible", base_url=emulator.base_url_of("openai-compatible")
    )


@pytest.fixture
def judged(at_gateway):
    def judge(body, status=200):
        client = at_gateway(
            "openai-compatible",
            lambda _: httpx.Response(status, json=body),
            base_url="https://gate.example/v1",
        )
        return client.moderate("tea")

    return judge


def test_a_text_is_judged_with_categories_and_scores(moderator, emulator):
    """R000-18."""
    verdict = moderator.moderate(REFUSED)
    assert verdict.flagged
    assert verdict.reasons == ("violence",)
    assert verdict.scores["violence"] > 0.9 > verdict.scores["hate"]
    assert emulator.requests[-1].path == "/openai-compatible/v1/moderations"
    assert emulator.requests[-1].body == {"input": REFUSED}


def test_a_harmless_text_is_not_flagged(moderator):
    verdict = moderator.moderate("A cup of tea, 一杯茶.")
    assert (verdict.flagged, verdict.reasons) == (False, ())


def test_a_model_and_further_fields_are_sent(moderator, emulator):
    verdict = moderator.moderate("tea", model="omni", extra_body={"user": "u"})
    assert emulator.requests[-1].body == {"input": "tea", "model": "omni", "user": "u"}
    assert verdict.model == "omni"


def test_the_shape_of_the_reference_is_read_and_kept(judged):
    body = {
        "results": [
            {
                "flagged": True,
                "categories": {"violence": True},
                "category_scores": {"violence": 0.91},
            }
        ]
    }
    verdict = judged(body)
    assert verdict == Verdict(
        flagged=True, categories={"violence": True}, scores={"violence": 0.91}, raw=body
    )


def test_categories_that_are_not_said_are_no_failure(judged):
    verdict = judged({"results": [{"flagged": False}]})
    assert (verdict.flagged, verdict.categories, verdict.scores) == (False, {}, {})


@pytest.mark.parametrize(
    "body", [{}, {"results": []}, {"results": [{}]}, {"results": {"flagged": True}}]
)
def test_an_answer_that_does_not_say_yes_or_no_is_never_taken_for_a_no(judged, body):
    with pytest.raises(Malformed, match="flagged"):
        judged(body)


def test_an_error_under_a_good_status_is_an_error(judged):
    with pytest.raises(InvalidRequest, match="Too long"):
        judged({"error": {"code": "too_long", "message": "Too long."}})


def test_a_service_without_the_path_says_so(judged):
    with pytest.raises(NotFound):
        judged({"error": {"code": "not_found", "message": "No such path."}}, status=404)


@pytest.mark.parametrize("text", ["", None, ["a"]])
def test_one_text_is_asked_for(moderator, emulator, text):
    with pytest.raises(ConfigError, match="one text"):
        moderator.moderate(text)
    assert emulator.requests == []
