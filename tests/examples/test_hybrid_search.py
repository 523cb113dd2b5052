"""The hybrid search example, run as users run it."""

from __future__ import annotations

import re
from functools import partial

import pytest

BEST = "The lamp of the southern tower is a type X-4117"


@pytest.fixture
def run(run_example):
    return partial(run_example, "hybrid_search.py")


def test_without_a_key_both_frameworks_find_the_number_on_the_emulator(run, tmp_path):
    ended = run()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("Service: Local emulator")
    first = re.findall(r"request\n  \d\.\d\d  (.*)", ended.stdout)
    assert [line.startswith(BEST) for line in first] == [True, True]
    assert re.findall(r"indexed with (\d+) requests", ended.stdout) == ["6", "5"]
    assert list(tmp_path.iterdir()) == []


def test_with_a_key_the_service_gets_one_request_a_text(run, emulator):
    environment = {"ARK_API_KEY": "test-key", "DOUBAO_BASE_URL": emulator.base_url}
    ended = run("--framework", "llamaindex", "--question", "What sounds in fog?", **environment)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Volcengine" in ended.stdout.splitlines()[0]
    sent = [request.body["input"][0]["text"] for request in emulator.requests]
    assert len(sent) == len(set(sent)) == 6
    assert sent[-1] == "What sounds in fog?"
    assert all(request.body["sparse_embedding"] for request in emulator.requests)


def test_a_refusal_is_one_sentence(run, emulator):
    environment = {"ARK_API_KEY": "test-key", "DOUBAO_BASE_URL": emulator.base_url}
    with emulator.fault("quota"):
        ended = run("--framework", "langchain", **environment)
    assert ended.returncode == 1
    assert re.fullmatch(r"hybrid_search: [^\n]+\n", ended.stderr), ended.stderr


def test_an_empty_question_is_refused_before_anything_is_sent(run):
    ended = run("--question", " ")
    assert ended.returncode == 2
    assert "--question is empty" in ended.stderr
