"""The fan-out over real HTTP, with threads and with tasks; recipes are in test_embedder_recipe."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
import time

import httpx
import pytest

from doubao_core import AsyncClient, Client, InvalidRequest, Malformed, ServerError
from doubao_core.embedder import (
    AsyncEmbedder,
    Embedder,
    Recipe,
    Request,
    Tally,
    dense,
    fan_out,
    sparse,
)

VISION = "doubao-embedding-vision-251215"
TEXT = "doubao-embedding-large-text-250515"
SHORT_TEXT = "doubao-embedding-text-240715"
TOO_LONG = "word " * 5000
"""More tokens than the model above takes: the service refuses what we let pass."""


def picture(url="https://example.com/a.png"):
    return {"type": "image_url", "image_url": {"url": url}}


class Gate:
    """Holds the answers to requests that say "slow" until it opens, by itself at a refusal."""

    def __init__(self, *, opens_at_a_refusal=True):
        self.open = threading.Event()
        self._opens_at_a_refusal = opens_at_a_refusal

    def passes(self, response):
        slow = b"slow" in response.request.content
        if response.is_error and not slow and self._opens_at_a_refusal:
            # The embedder must have seen the refusal before the slow answer comes.
            threading.Timer(0.02, self.open.set).start()
        return not slow or self.open.is_set()

    def blocking(self, response):
        assert self.passes(response) or self.open.wait(5)

    async def awaiting(self, response):
        passes = self.passes(response)
        await until(lambda: passes or self.open.is_set())


class Threads:
    """The blocking embedder, called as the other one is."""

    def __init__(self, base_url, most, *, gate=None, handler=None, **options):
        self.injected = None
        if gate is not None:
            self.injected = httpx.Client(event_hooks={"response": [gate.blocking]})
        if handler is not None:
            self.injected = httpx.Client(transport=httpx.MockTransport(handler))
        self.tally = Tally()
        self.client = Client(
            api_key="k", base_url=base_url, max_retries=0, http_client=self.injected, **options
        )
        self.embedder = Embedder(self.client, most, self.tally)

    async def run(self, recipe, requests):
        return await asyncio.to_thread(self.embedder.run, recipe, requests)


class Tasks:
    """The asyncio embedder."""

    def __init__(self, base_url, most, *, gate=None, handler=None, **options):
        self.injected = None
        if gate is not None:
            self.injected = httpx.AsyncClient(event_hooks={"response": [gate.awaiting]})
        if handler is not None:
            self.injected = httpx.AsyncClient(transport=httpx.MockTransport(handler))
        self.tally = Tally()
        self.client = AsyncClient(
            api_key="k", base_url=base_url, max_retries=0, http_client=self.injected, **options
        )
        self.embedder = AsyncEmbedder(self.client, most, self.tally)

    async def run(self, recipe, requests):
        try:
            return await self.embedder.run(recipe, requests)
        finally:
            await self.client.aclose()
            if self.injected is not None:
                await self.injected.aclose()


@pytest.fixture(params=[Threads, Tasks], ids=["sync", "async"])
def embedder(request, emulator):
    """Make an embedder on the emulator, once with threads and once with tasks."""
    made = []

    def make(most=16, **options):
        made.append(request.param(emulator.base_url, most, **options))
        return made[-1]

    yield make
    # A call that fails leaves behind what it has waited for in vain.
    for thread in threading.enumerate():
        if thread.name.startswith("doubao-embedder"):
            thread.join(5)
    for each in made:
        if isinstance(each, Threads) and each.injected is not None:
            each.injected.close()


async def until(condition):
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("model", [VISION, TEXT])
async def test_each_text_gets_the_vector_it_gets_alone(embedder, model):
    recipe = Recipe(model=model)
    texts = [f"chapter {number}" for number in range(20)]
    together = dense(recipe, await embedder().run(recipe, recipe.documents(texts, batch_size=3)))
    alone = dense(recipe, await embedder().run(recipe, recipe.documents(texts[7:8])))
    assert len(together) == 20
    assert together[7] == pytest.approx(alone[0])
    assert together[7] != pytest.approx(together[8])


async def test_an_answer_that_comes_late_keeps_its_place(embedder, emulator):
    recipe = Recipe(model=VISION)
    texts = ["tea", "rice", "silk", "jade"]
    expected = dense(recipe, await embedder().run(recipe, recipe.documents(texts)))
    with emulator.fault("stall", times=1) as held:
        running = asyncio.ensure_future(embedder().run(recipe, recipe.documents(texts)))
        await until(lambda: len(emulator.requests) == 8)
        held.release()
        late = dense(recipe, await running)
    assert late == expected


async def test_no_more_requests_are_in_flight_than_allowed(embedder, emulator):
    recipe = Recipe(model=VISION)
    one = embedder(most=4)
    with emulator.fault("stall") as held:
        # Two calls of one object share its limit.
        calls = [
            asyncio.ensure_future(one.run(recipe, recipe.documents(["tea"] * 20)))
            for _ in range(2 if isinstance(one, Threads) else 1)
        ]
        await until(lambda: len(emulator.requests) == 4)
        await asyncio.sleep(0.03)
        assert len(emulator.requests) == 4
        emulator.world.faults.disarm(held)
        await asyncio.gather(*calls)
    assert len(emulator.requests) == 20 * len(calls)


async def test_two_calls_of_one_async_embedder_share_its_limit(emulator):
    recipe = Recipe(model=VISION)
    one = Tasks(emulator.base_url, 3)
    with emulator.fault("stall") as held:
        requests = recipe.documents(["tea"] * 5)
        calls = [asyncio.ensure_future(one.embedder.run(recipe, requests)) for _ in range(3)]
        await until(lambda: len(emulator.requests) == 3)
        await asyncio.sleep(0.03)
        assert len(emulator.requests) == 3
        emulator.world.faults.disarm(held)
        await asyncio.gather(*calls)
    await one.client.aclose()
    assert len(emulator.requests) == 15


async def test_a_failed_request_names_its_inputs_and_stops_the_rest(embedder, emulator):
    recipe = Recipe(model=TEXT)
    texts = [f"text {number}" for number in range(100)]
    with emulator.fault("server_error"), pytest.raises(ServerError) as caught:
        await embedder(most=1).run(recipe, recipe.documents(texts, batch_size=10))
    assert "(while embedding inputs 0 to 9 of 100; 0 are done, see .progress)" in str(caught.value)
    assert caught.value.progress.failed == tuple(range(10))
    assert caught.value.progress.missing == list(range(100))
    assert len(emulator.requests) == 1


async def test_a_single_request_fails_without_naming_inputs(embedder, emulator):
    recipe = Recipe(model=TEXT)
    with emulator.fault("server_error"), pytest.raises(ServerError) as caught:
        await embedder().run(recipe, recipe.queries(["tea"]))
    assert "while embedding" not in str(caught.value)
    assert caught.value.progress.failed == (0,)


async def test_what_was_done_before_a_failure_is_on_the_error(embedder, emulator):
    recipe = Recipe(model=SHORT_TEXT)
    texts = ["tea", "rice", "silk", "jade", TOO_LONG, "ink", "salt", "iron"]
    with pytest.raises(InvalidRequest) as caught:
        await embedder(most=1).run(recipe, recipe.documents(texts, batch_size=2))
    progress = caught.value.progress
    assert "(while embedding inputs 4 to 5 of 8; 4 are done" in str(caught.value)
    assert (progress.count, progress.failed) == (8, (4, 5))
    assert progress.missing == [4, 5, 6, 7]
    assert len(emulator.requests) == 3
    whole = dense(recipe, await embedder().run(recipe, recipe.documents(texts[:4])))
    assert [progress.vectors[position] for position in range(4)] == whole


async def test_requests_in_flight_at_a_failure_are_waited_for_and_kept(embedder, emulator):
    recipe = Recipe(model=SHORT_TEXT)
    one = embedder(most=2, gate=Gate())
    requests = recipe.documents(["slow tea", TOO_LONG, "rice", "silk"], batch_size=1)
    with pytest.raises(InvalidRequest) as caught:
        await one.run(recipe, requests)
    assert set(caught.value.progress.vectors) == {0}
    assert caught.value.progress.missing == [1, 2, 3]
    assert len(emulator.requests) == 2
    assert one.tally.total.requests == 1


async def test_an_answer_that_does_not_come_is_not_waited_for_any_longer(embedder, monkeypatch):
    monkeypatch.setattr(fan_out, "LAST_ANSWERS_SECONDS", 0.02)
    recipe, gate = Recipe(model=SHORT_TEXT), Gate(opens_at_a_refusal=False)
    one = embedder(most=2, gate=gate)
    try:
        with pytest.raises(InvalidRequest) as caught:
            await one.run(recipe, recipe.documents(["slow tea", TOO_LONG], batch_size=1))
    finally:
        gate.open.set()
    assert caught.value.progress.vectors == {}
    assert caught.value.progress.missing == [0, 1]


async def test_of_several_failures_the_first_is_raised_and_all_are_named(embedder):
    recipe = Recipe(model=SHORT_TEXT)
    requests = recipe.documents([f"slow {TOO_LONG}", TOO_LONG], batch_size=1)
    with pytest.raises(InvalidRequest, match="embedding inputs 0 to 1 of 2; 0 are") as caught:
        await embedder(most=2, gate=Gate()).run(recipe, requests)
    assert caught.value.progress.failed == (0, 1)


async def test_sparse_weights_of_what_was_done_are_kept_too(embedder):
    recipe = Recipe(model=VISION)
    requests = [
        *recipe.documents(["green tea", "rice"], sparse=True),
        Request(first=2, parts=[picture("data:image/png;base64,AAAA")]),
    ]
    with pytest.raises(InvalidRequest) as caught:
        await embedder(most=1).run(recipe, requests)
    progress = caught.value.progress
    assert set(progress.sparse) == set(progress.vectors) == {0, 1}
    assert all(progress.sparse[0].values())


async def test_vectors_of_another_length_than_asked_for_stop_the_call_at_once(embedder):
    def short(request):
        data = {"object": "embedding", "embedding": [0.5, 0.5]}
        return httpx.Response(200, json={"object": "list", "data": data, "model": VISION})

    recipe = Recipe(model=VISION, dimensions=1024)
    one = embedder(most=1, handler=short)
    with pytest.raises(
        Malformed, match=r"asked for 1024 dimensions, got 2.*input 0 of 3"
    ) as caught:
        await one.run(recipe, recipe.documents(["tea", "rice", "silk"]))
    assert caught.value.progress.vectors == {}
    # It was paid for all the same, once.
    assert one.tally.total.requests == 1


async def test_a_failure_keeps_its_progress_through_a_pickle(embedder):
    recipe = Recipe(model=SHORT_TEXT)
    requests = recipe.documents(["tea", TOO_LONG], batch_size=1)
    with pytest.raises(InvalidRequest) as caught:
        await embedder(most=1).run(recipe, requests)
    copied = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - made here
    assert copied.progress == caught.value.progress
    assert copied.progress.missing == [1]


def test_what_is_no_error_of_the_service_is_raised_as_it_is(emulator):
    def broken():
        raise RuntimeError("no key today")

    client = Client(api_key=broken, base_url=emulator.base_url)
    recipe = Recipe(model=VISION)
    with pytest.raises(RuntimeError, match="no key today"):
        Embedder(client, 2, Tally()).run(recipe, recipe.documents(["tea", "rice"]))


async def test_usage_is_added_up(embedder):
    one, recipe = embedder(), Recipe(model=VISION)
    data = "data:image/png;base64," + PNG
    requests = [*recipe.documents(["tea", "rice"]), *recipe.inputs([[picture(data)]])]
    await one.run(recipe, requests)
    total = one.tally.total
    assert total.requests == 3
    assert total.image_tokens > 0
    assert total.total_tokens == total.prompt_tokens > total.image_tokens


# One 32 x 32 pixel picture.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAAKUlEQVR42u3NMQ0AAAgDsElB6qSjgoOkSf9m2lMR"
    "CAQCgUAgEAgEX4IFJViAPc9b+w8AAAAASUVORK5CYII="
)


async def test_dense_and_sparse_come_from_one_request(embedder, emulator):
    recipe = Recipe(model=VISION)
    answers = await embedder().run(recipe, recipe.documents(["green tea", "rice"], sparse=True))
    assert [request.body["sparse_embedding"] for request in emulator.requests] == [
        {"type": "enabled"}
    ] * 2
    assert len(dense(recipe, answers)) == 2
    assert all(weights and min(weights.values()) > 0 for weights in sparse(answers))


async def test_one_async_embedder_serves_loop_after_loop(emulator):
    client = AsyncClient(api_key="k", base_url=emulator.base_url)
    embedder, recipe = AsyncEmbedder(client, 2, Tally()), Recipe(model=VISION)

    async def call():
        answers = await embedder.run(recipe, recipe.documents(["tea"] * 5))
        await client.aclose()
        return len(answers)

    counts = [await asyncio.to_thread(asyncio.run, call()) for _ in range(3)]
    assert counts == [5, 5, 5]


async def test_cancelling_the_call_stops_its_requests(emulator):
    one, recipe = Tasks(emulator.base_url, 2), Recipe(model=VISION)
    with emulator.fault("stall"):
        running = asyncio.ensure_future(one.run(recipe, recipe.documents(["tea"] * 9)))
        await until(lambda: len(emulator.requests) == 2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    await asyncio.sleep(0.02)
    assert len(emulator.requests) == 2


async def test_vectors_of_one_answer_are_put_in_order_by_their_index(embedder):
    """Shows R000-15."""

    def shuffled(request):
        data = [
            {"object": "embedding", "index": index, "embedding": [float(index), 0.0]}
            for index in (2, 0, 1)
        ]
        return httpx.Response(200, json={"object": "list", "data": data, "model": TEXT})

    recipe = Recipe(model=TEXT)
    answers = await embedder(handler=shuffled).run(recipe, recipe.documents(["a", "b", "c"]))
    assert dense(recipe, answers) == [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]


@pytest.mark.parametrize("indices", [(0,), (0, 1, 2), (0, 0), (0, 2)])
async def test_too_few_too_many_or_double_vectors_are_refused(embedder, indices):
    """Shows R000-16."""

    def wrong(request):
        data = [{"object": "embedding", "index": index, "embedding": [1.0]} for index in indices]
        return httpx.Response(200, json={"object": "list", "data": data, "model": TEXT})

    recipe = Recipe(model=TEXT)
    with pytest.raises(Malformed, match=r"asked for 2 vectors|indices are not 0 to 1"):
        await embedder(handler=wrong).run(recipe, recipe.documents(["a", "b"]))


def test_copies_and_pickles_work_and_start_with_a_tally_of_their_own(emulator):
    tally = Tally()
    embedder = Embedder(Client(api_key="k", base_url=emulator.base_url), 2, tally)
    recipe = Recipe(model=VISION)
    embedder.run(recipe, recipe.queries(["tea"]))
    twin = copy.deepcopy(embedder)
    assert len(twin.run(recipe, recipe.documents(["a", "b", "c"]))) == 3
    assert tally.total.requests == 1
    assert isinstance(pickle.loads(pickle.dumps(embedder)), Embedder)  # noqa: S301 - made here


def test_threads_end_with_the_call(emulator):
    embedder = Embedder(Client(api_key="k", base_url=emulator.base_url), 4, Tally())
    recipe = Recipe(model=VISION)
    embedder.run(recipe, recipe.documents(["tea"] * 8))
    assert not [each for each in threading.enumerate() if "doubao-embedder" in each.name]
