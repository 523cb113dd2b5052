"""The enforced rate limit and the latency, seen from clients."""

import asyncio
import signal
import subprocess
import sys
import time

import httpx
import openai
import pytest

from doubao_emulator import Emulator, ManualClock

MODEL = "doubao-embedding-large-text-250515"
OTHER = "doubao-embedding-text-240715"
VISION = "doubao-embedding-vision-251215"


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def emulator(clock):
    """Return an emulator whose minutes pass only when a test says so."""
    with Emulator(clock=clock) as emulator:
        yield emulator


@pytest.fixture
def embed(emulator):
    """Send one text, and return the answer."""
    with httpx.Client(base_url=emulator.base_url, timeout=5) as client:

        def embed(text="tea", *, model=MODEL, key="k"):
            headers = {"Authorization": f"Bearer {key}"}
            body = {"model": model, "input": [text]}
            return client.post("/embeddings", headers=headers, json=body)

        yield embed


def status(answer):
    return answer.status_code


def test_requests_beyond_the_limit_are_refused_in_the_order_of_arrival(emulator, embed):
    with emulator.limit(requests_per_minute=3) as limit:
        assert [embed().status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    assert (limit.accepted, limit.refused) == ({MODEL: 3}, {MODEL: 2})
    assert [arrival.accepted for arrival in limit.arrivals] == [True] * 3 + [False] * 2


def test_the_window_slides(emulator, embed, clock):
    with emulator.limit(requests_per_minute=2):
        assert status(embed()) == 200
        clock.advance(40)
        assert [status(embed()), status(embed())] == [200, 429]
        clock.advance(20)
        assert [status(embed()), status(embed())] == [200, 429]
        clock.advance(39)
        assert status(embed()) == 429
        clock.advance(1)
        assert [status(embed()), status(embed())] == [200, 429]


def test_refused_requests_use_up_nothing(emulator, embed, clock):
    with emulator.limit(requests_per_minute=1):
        assert status(embed()) == 200
        for _ in range(4):
            clock.advance(14)
            assert status(embed()) == 429
        clock.advance(4)
        assert status(embed()) == 200


def test_a_shorter_window_has_the_same_rate(emulator, embed, clock):
    with emulator.limit(requests_per_minute=60, window=2.0):
        assert [status(embed()) for _ in range(3)] == [200, 200, 429]
        clock.advance(2)
        assert [status(embed()) for _ in range(3)] == [200, 200, 429]


def test_models_and_keys_have_quotas_of_their_own(emulator, embed):
    with emulator.limit(requests_per_minute=1) as limit:
        assert [status(embed()), status(embed(model=OTHER)), status(embed(key="j"))] == [200] * 3
        assert [status(embed()), status(embed(model=OTHER)), status(embed(key="j"))] == [429] * 3
    assert limit.accepted == {MODEL: 2, OTHER: 1}
    assert limit.refused == {MODEL: 2, OTHER: 1}


def test_tokens_are_those_that_the_usage_reports(emulator, embed):
    used = embed("tea is picked in spring").json()["usage"]["total_tokens"]
    with emulator.limit(tokens_per_minute=3 * used - 1) as limit:
        answers = [embed("tea is picked in spring") for _ in range(3)]
        assert [status(answer) for answer in answers] == [200, 200, 429]
        assert status(embed("tea")) == 200
    assert sum(arrival.tokens for arrival in limit.arrivals if arrival.accepted) == 2 * used + 1


def test_texts_of_parts_messages_and_instructions_count(emulator):
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    parts = [{"type": "text", "text": "green tea"}, picture]
    bodies = {
        "/embeddings/multimodal": {"model": VISION, "input": parts, "instructions": "find it"},
        "/chat/completions": {
            "model": "doubao-1-5-pro-32k-250115",
            "messages": [{"role": "user", "content": "green tea"}],
        },
    }
    with (
        emulator.limit(tokens_per_minute=1000) as limit,
        httpx.Client(base_url=emulator.base_url, headers={"Authorization": "Bearer k"}) as client,
    ):
        for path, body in bodies.items():
            client.post(path, json=body)
    assert [arrival.tokens for arrival in limit.arrivals] == [4, 2]


@pytest.mark.parametrize(
    ("limits", "model", "code"),
    [
        ({"requests_per_minute": 1}, MODEL, "ModelAccountRpmRateLimitExceeded"),
        ({"tokens_per_minute": 1}, MODEL, "ModelAccountTpmRateLimitExceeded"),
        ({"requests_per_minute": 1}, "ep-2026-abcde", "RateLimitExceeded.EndpointRPMExceeded"),
        ({"tokens_per_minute": 1}, "ep-2026-abcde", "RateLimitExceeded.EndpointTPMExceeded"),
    ],
)
def test_refusals_are_arks_own(emulator, embed, limits, model, code):
    with emulator.limit(**limits):
        embed(model=model)
        answer = embed(model=model)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["type"]) == (429, code, "TooManyRequests")
    assert error["message"].endswith(answer.headers["x-request-id"])
    assert "retry-after" not in answer.headers


def test_retry_after_says_when_there_is_room(emulator, embed, clock):
    with emulator.limit(requests_per_minute=2, retry_after=True):
        embed()
        clock.advance(15)
        embed()
        assert embed().headers["retry-after"] == "45"
    with emulator.limit(tokens_per_minute=4, retry_after=True):
        embed("tea")
        clock.advance(15)
        embed("tea with milk")
        clock.advance(15)
        assert embed("green tea").headers["retry-after"] == "45"
        assert embed("tea").headers["retry-after"] == "30"
        assert embed("tea with milk and sugar").headers["retry-after"] == "60"


def test_what_names_no_model_is_not_limited(emulator, embed):
    with emulator.limit(requests_per_minute=1) as limit:
        embed()
        models = f"{emulator.base_url}/models"
        assert httpx.get(models, headers={"Authorization": "Bearer k"}).status_code == 200
    assert limit.accepted == {MODEL: 1}


def test_a_limit_ends_with_its_block_and_a_reset_forgets_what_was_counted():
    with (
        Emulator(requests_per_minute=1) as emulator,
        httpx.Client(base_url=emulator.base_url, headers={"Authorization": "Bearer k"}) as client,
    ):

        def ask():
            return client.post("/embeddings", json={"model": MODEL, "input": "tea"}).status_code

        with emulator.limit(requests_per_minute=2) as inner:
            assert emulator.rate_limit is inner
            assert [ask(), ask(), ask()] == [200, 200, 429]
        assert [ask(), ask()] == [200, 429]
        emulator.reset()
        assert emulator.rate_limit.accepted == {}
        assert ask() == 200


def test_a_limit_that_lets_nothing_through_is_refused(emulator):
    with (
        pytest.raises(ValueError, match=r"requests_per_minute=10 lets nothing through in 2\.0 s"),
        emulator.limit(requests_per_minute=10, window=2.0),
    ):
        pytest.fail("The limit was armed.")
    with pytest.raises(ValueError, match="tokens_per_minute=0"):
        Emulator(tokens_per_minute=0)


def test_many_at_once_get_exactly_the_quota(emulator):
    async def ask_all():
        async with httpx.AsyncClient(
            base_url=emulator.base_url, headers={"Authorization": "Bearer k"}, timeout=20
        ) as client:
            body = {"model": MODEL, "input": "tea"}
            asked = (client.post("/embeddings", json=body) for _ in range(120))
            return [answer.status_code for answer in await asyncio.gather(*asked)]

    with emulator.limit(requests_per_minute=100) as limit:
        answers = asyncio.run(ask_all())
    assert (answers.count(200), answers.count(429)) == (100, 20)
    assert (limit.accepted[MODEL], limit.refused[MODEL]) == (100, 20)


def test_the_openai_sdk_sees_a_rate_limit_error(emulator):
    with (
        emulator.limit(requests_per_minute=1),
        openai.OpenAI(api_key="k", base_url=emulator.base_url, max_retries=0) as client,
    ):
        client.embeddings.create(model=MODEL, input="tea")
        with pytest.raises(openai.RateLimitError) as caught:
            client.embeddings.create(model=MODEL, input="tea")
    assert caught.value.code == "ModelAccountRpmRateLimitExceeded"


async def test_the_openai_sdk_waits_as_long_as_it_is_told(emulator, clock, monkeypatch):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)
        clock.advance(seconds)

    monkeypatch.setattr("openai._base_client.anyio.sleep", sleep)
    with emulator.limit(requests_per_minute=60, window=20.0, retry_after=True) as limit:
        async with openai.AsyncOpenAI(api_key="k", base_url=emulator.base_url) as client:
            for _ in range(21):
                await client.embeddings.create(model=MODEL, input="tea")
    assert slept == [20.0]
    assert (limit.accepted[MODEL], limit.refused[MODEL]) == (21, 1)


def test_an_answer_takes_the_latency_but_a_refusal_does_not():
    with (
        Emulator(latency=0.5, requests_per_minute=1) as emulator,
        httpx.Client(base_url=emulator.base_url, headers={"Authorization": "Bearer k"}) as client,
    ):
        body = {"model": MODEL, "input": "tea"}
        answer, refusal = (client.post("/embeddings", json=body) for _ in range(2))
    assert (answer.status_code, refusal.status_code) == (200, 429)
    assert answer.elapsed.total_seconds() >= 0.5
    assert refusal.elapsed.total_seconds() < answer.elapsed.total_seconds()


def test_latencies_of_concurrent_requests_do_not_add_up():
    async def ask_all(base_url):
        headers = {"Authorization": "Bearer k"}
        async with httpx.AsyncClient(base_url=base_url, headers=headers) as client:
            body = {"model": MODEL, "input": "tea"}
            start = time.perf_counter()
            await asyncio.gather(*(client.post("/embeddings", json=body) for _ in range(60)))
            return time.perf_counter() - start

    with Emulator(latency=0.1) as emulator:
        assert 0.1 <= asyncio.run(ask_all(emulator.base_url)) < 5


def test_a_negative_latency_is_refused():
    with pytest.raises(ValueError, match=r"-1\.0 s"):
        Emulator(latency=-1.0)


def test_the_command_line_takes_the_limits():
    command = [sys.executable, "-m", "doubao_emulator", "--port", "0"]
    limits = ["--requests-per-minute", "1", "--tokens-per-minute", "9", "--latency", "0.01"]
    with subprocess.Popen([*command, *limits], stdout=subprocess.PIPE, text=True) as server:
        base_url = server.stdout.readline().rsplit(" ", 1)[-1].strip()
        headers = {"Authorization": "Bearer k"}
        with httpx.Client(base_url=base_url, headers=headers) as client:
            body = {"model": MODEL, "input": "tea"}
            answers = [client.post("/embeddings", json=body) for _ in range(2)]
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[0].elapsed.total_seconds() >= 0.01


def test_the_help_says_where_each_protocol_is_spoken():
    command = [sys.executable, "-m", "doubao_emulator", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    with Emulator() as emulator:
        for provider in ("ark", "xroute", "doitong"):
            path = emulator.base_url_of(provider).removeprefix(emulator.base_url[:-7])
            assert f"{provider} " in told
            assert f" {path}\n" in told


def test_the_command_line_says_what_is_wrong_with_a_limit():
    command = [sys.executable, "-m", "doubao_emulator", "--requests-per-minute", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("requests_per_minute=0 lets nothing through")
