"""The failover example, run as users run it."""

from __future__ import annotations

import re
from functools import partial

import pytest

SPARE = "doubao-seed-1-6-lite-251015"


@pytest.fixture
def run(run_example):
    return partial(run_example, "failover.py")


def test_without_keys_the_second_provider_answers_in_both_frameworks(run, tmp_path):
    """Shows R000-38, R000-39."""
    ended = run()
    assert (ended.returncode, ended.stderr) == (0, "")
    first, second, *_ = ended.stdout.splitlines()
    assert first.startswith("No API key for xroute and anyfast")
    assert second == "There, xroute answers every request with HTTP 503."
    assert re.findall(r"^(\w+, \w+): (\S+) answered$", ended.stdout, re.MULTILINE) == [
        ("langchain, with_fallbacks", SPARE),
        ("langchain, ModelFallbackMiddleware", SPARE),
        ("llamaindex, by_the_first_that_works", SPARE),
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("framework", ["langchain", "llamaindex"])
def test_with_keys_the_real_providers_are_asked_and_the_first_once(run, emulator, framework):
    """Shows R000-39: the other provider is the retry."""
    base_url = emulator.base_url_of("openai-compatible")
    keys = {"XROUTE_API_KEY": "first-key", "OPENAI_COMPATIBLE_API_KEY": "second-key"}
    choice = ("--framework", framework, "--second", f"openai-compatible:{SPARE}")
    with emulator.fault("server_error", times=1, status=503):
        ended = run(*choice, DOUBAO_BASE_URL=base_url, **keys)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("Services: xroute, and openai-compatible if that one fails.")
    asked = [request.headers["authorization"] for request in emulator.requests[:2]]
    assert asked == ["Bearer first-key", "Bearer second-key"]
    assert f"{SPARE} answered" in ended.stdout


def test_what_the_other_would_refuse_too_is_not_asked_again(run, emulator):
    """Shows R000-39: here a prompt that moderation refuses."""
    base_url = emulator.base_url_of("openai-compatible")
    keys = {"XROUTE_API_KEY": "first-key", "OPENAI_COMPATIBLE_API_KEY": "second-key"}
    choice = ("--framework", "llamaindex", "--second", f"openai-compatible:{SPARE}")
    question = ("--question", "EMULATED SENSITIVE CONTENT")
    ended = run(*choice, *question, DOUBAO_BASE_URL=base_url, **keys)
    assert ended.returncode == 1
    assert re.fullmatch(r"failover: [^\n]+\n", ended.stderr), ended.stderr
    assert len(emulator.requests) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--first", "anyfast:m"), 2, "are the same provider"),
        (("--first", "anyfast-ai:m"), 1, "anyfast-ai has no key, and: No dialect"),
    ],
)
def test_a_choice_that_cannot_be_says_why(run, arguments, code, said):
    ended = run(*arguments)
    assert ended.returncode == code
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
