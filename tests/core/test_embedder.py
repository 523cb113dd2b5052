"""Recipes as pure functions, and the fan-out over real HTTP with threads and with tasks."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import threading
import time

import httpx
import pytest

from doubao_core import AsyncClient, Client, ConfigError, Malformed, ServerError
from doubao_core.api.embeddings import Embeddings, MultimodalEmbedding
from doubao_core.embedder import (
    AsyncEmbedder,
    Embedder,
    Recipe,
    Request,
    Tally,
    dense,
    sparse,
)

VISION = "doubao-embedding-vision-251215"
OLDER_VISION = "doubao-embedding-vision-250615"
TEXT = "doubao-embedding-large-text-250515"


def said(recipe, text="tea"):
    """Return what a query and a document carry."""
    return recipe.queries([text])[0].instructions, recipe.documents([text])[0].instructions


def picture(url="https://example.com/a.png"):
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.parametrize(
    ("model", "multimodal", "fused"),
    [
        (VISION, None, True),
        ("skylark-embedding-vision-250615", None, True),
        ("doubao-embedding-vision-270101", None, True),
        (TEXT, None, False),
        ("doubao-embedding-text-990101", None, False),
        ("ep-20261008-abcde", True, True),
        ("ep-20261008-abcde", False, False),
    ],
)
def test_the_model_chooses_the_endpoint(model, multimodal, fused):
    assert Recipe(model=model, multimodal=multimodal).fused is fused


def test_an_endpoint_id_must_say_which_endpoint_it_needs():
    with pytest.raises(ConfigError, match=r"'ep-1'.*multimodal=True"):
        Recipe(model="ep-1").queries(["tea"])


def test_no_texts_are_no_requests_even_for_an_unknown_model():
    assert Recipe(model="ep-1").documents([]) == []


@pytest.mark.parametrize("model", [VISION, TEXT])
@pytest.mark.parametrize("blank", ["", " \n\t", None])
def test_a_blank_text_is_refused_by_position(model, blank):
    with pytest.raises(ConfigError, match="text 2 is blank"):
        Recipe(model=model).documents(["a", "b", blank, "d"])


def test_one_string_is_no_list_of_texts():
    for model in (TEXT, VISION):
        with pytest.raises(ConfigError, match="pass a list"):
            Recipe(model=model).documents("tea")


@pytest.mark.parametrize("model", [VISION, TEXT])
def test_a_text_may_have_100_000_bytes_and_no_more(model):
    recipe = Recipe(model=model)
    assert len(recipe.documents(["茶" * 33_333])) == 1
    with pytest.raises(ConfigError, match="text 1 has more than 100,000 bytes"):
        recipe.documents(["a", "茶" * 33_334])


def test_the_prefix_of_a_text_model_counts_as_text():
    recipe = Recipe(model=TEXT, document_instruction="ten bytes:")
    assert recipe.documents(["x" * 99_990])[0].texts == ["ten bytes:" + "x" * 99_990]
    with pytest.raises(ConfigError, match="99,990 bytes"):
        recipe.documents(["x" * 99_991])


def test_text_models_get_at_most_256_texts_a_request_in_order():
    texts = [f"text {number}" for number in range(600)]
    requests = Recipe(model=TEXT).documents(texts)
    assert [(each.first, each.last) for each in requests] == [(0, 255), (256, 511), (512, 599)]
    assert [text for each in requests for text in each.texts] == texts


def test_a_smaller_batch_size_is_kept_and_a_larger_one_is_not():
    recipe = Recipe(model=TEXT)
    assert [len(each.texts) for each in recipe.documents(["a"] * 5, batch_size=2)] == [2, 2, 1]
    assert len(recipe.documents(["a"] * 300, batch_size=1000)[0].texts) == 256


def test_vision_models_get_one_text_a_request_untouched():
    requests = Recipe(model=VISION).documents([" a\n", "b"])
    assert [each.parts for each in requests] == [
        [{"type": "text", "text": " a\n"}],
        [{"type": "text", "text": "b"}],
    ]
    assert [each.first for each in requests] == [0, 1]


def test_without_instructions_none_are_sent():
    assert said(Recipe(model=VISION)) == (None, None)


def test_a_query_instruction_turns_on_both_halves_of_the_retrieval_template():
    query, document = said(Recipe(model=VISION, query_instruction="Find the answer"))
    assert query == "Target_modality: text.\nInstruction:Find the answer\nQuery:"
    assert document == "Instruction:Compress the text into one word.\nQuery:"


def test_the_query_template_names_what_the_corpus_consists_of():
    recipe = Recipe(model=VISION, query_instruction="Find it", target_modality="text/image")
    assert said(recipe)[0] == "Target_modality: text/image.\nInstruction:Find it\nQuery:"


def test_documents_can_have_the_template_of_similarity_or_a_modality():
    similar = Recipe(model=VISION, document_instruction="Retrieve similar text")
    assert said(similar) == (
        None,
        "Target_modality: text.\nInstruction:Retrieve similar text\nQuery:",
    )
    named = Recipe(model=VISION, document_instruction="text and image")
    assert said(named)[1] == "Instruction:Compress the text into one word.\nQuery:"


def test_a_whole_template_is_sent_as_it_is():
    whole = "Target_modality: video.\nInstruction:Find the film\nQuery:"
    assert said(Recipe(model=VISION, query_instruction=whole))[0] == whole


def test_the_corpus_template_names_the_modality_of_each_sample():
    recipe = Recipe(model=VISION, query_instruction="Find it")
    text = {"type": "text", "text": "tea"}
    film = {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}
    requests = recipe.inputs([[picture()], [picture(), text], [film]])
    assert [each.instructions for each in requests] == [
        "Instruction:Compress the image into one word.\nQuery:",
        "Instruction:Compress the text and image into one word.\nQuery:",
        "Instruction:Compress the video into one word.\nQuery:",
    ]


@pytest.mark.parametrize("field", ["query_instruction", "document_instruction"])
def test_a_vision_model_before_251215_refuses_instructions(field):
    recipe = Recipe(model=OLDER_VISION, **{field: "Find it"})
    with pytest.raises(ConfigError, match="takes no instructions"):
        said(recipe)


def test_on_text_models_an_instruction_is_a_prefix():
    recipe = Recipe(model=TEXT, query_instruction="Query: ", document_instruction="Text: ")
    assert recipe.queries(["tea"])[0].texts == ["Query: tea"]
    assert recipe.documents(["tea"])[0].texts == ["Text: tea"]


def test_a_text_model_never_sees_a_picture():
    with pytest.raises(ConfigError, match="embeds text only"):
        Recipe(model=TEXT).inputs([[picture()]])


@pytest.mark.parametrize("parts", [[], [{"type": "input_audio"}]])
def test_an_input_of_no_known_parts_is_refused_by_position(parts):
    with pytest.raises(ConfigError, match="input 1 has"):
        Recipe(model=VISION).inputs([[picture()], parts])


def test_a_text_model_gives_no_sparse_weights():
    with pytest.raises(ConfigError, match="no sparse weights"):
        Recipe(model=TEXT).documents(["a"], sparse=True)


def test_vectors_of_all_answers_stand_in_the_order_of_the_inputs():
    answers = [
        Embeddings(vectors=[[1.0], [2.0]], model=TEXT, usage=None),
        Embeddings(vectors=[[3.0]], model=TEXT, usage=None),
    ]
    assert dense(Recipe(model=TEXT), answers) == [[1.0], [2.0], [3.0]]


def test_vectors_of_another_length_than_asked_for_are_refused():
    answer = MultimodalEmbedding(vector=[1.0], sparse=None, model=VISION, usage=None)
    with pytest.raises(Malformed, match="asked for 1024 dimensions, got 1"):
        dense(Recipe(model=VISION, dimensions=1024), [answer])


def test_vectors_that_differ_in_length_are_refused():
    answers = [
        MultimodalEmbedding(vector=vector, sparse=None, model=VISION, usage=None)
        for vector in ([1.0], [1.0], [1.0, 2.0])
    ]
    with pytest.raises(Malformed, match="vector 2 has 2 dimensions, the one before 1"):
        dense(Recipe(model=VISION), answers)


def test_a_missing_sparse_embedding_is_refused():
    answer = MultimodalEmbedding(vector=[1.0], sparse=None, model=VISION, usage=None)
    with pytest.raises(Malformed, match="asked for 1 sparse embeddings, got 0"):
        sparse([answer])


class Threads:
    """The blocking embedder, called as the other one is."""

    def __init__(self, base_url, most, tally=None, **options):
        client = Client(api_key="k", base_url=base_url, **options)
        self.embedder = Embedder(client, most, tally or Tally())

    async def run(self, recipe, requests):
        return await asyncio.to_thread(self.embedder.run, recipe, requests)


class Tasks:
    """The asyncio embedder."""

    def __init__(self, base_url, most, tally=None, **options):
        client = AsyncClient(api_key="k", base_url=base_url, **options)
        self.embedder = AsyncEmbedder(client, most, tally or Tally())

    async def run(self, recipe, requests):
        try:
            return await self.embedder.run(recipe, requests)
        finally:
            await self.embedder._client.aclose()


@pytest.fixture(params=[Threads, Tasks], ids=["sync", "async"])
def embedder(request, emulator):
    """Make an embedder on the emulator, once with threads and once with tasks."""

    def make(most=16, **options):
        return request.param(emulator.base_url, most, **options)

    return make


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
    await one.embedder._client.aclose()
    assert len(emulator.requests) == 15


async def test_a_failed_request_names_its_inputs_and_stops_the_rest(embedder, emulator):
    recipe = Recipe(model=TEXT)
    texts = [f"text {number}" for number in range(100)]
    with emulator.fault("server_error"), pytest.raises(ServerError) as caught:
        await embedder(most=1, max_retries=0).run(recipe, recipe.documents(texts, batch_size=10))
    assert "(while embedding inputs 0 to 9)" in str(caught.value)
    assert len(emulator.requests) < 10


async def test_a_single_request_fails_without_naming_inputs(embedder, emulator):
    recipe = Recipe(model=TEXT)
    with emulator.fault("server_error"), pytest.raises(ServerError) as caught:
        await embedder(max_retries=0).run(recipe, recipe.queries(["tea"]))
    assert "while embedding" not in str(caught.value)


async def test_usage_is_added_up(embedder):
    tally, recipe = Tally(), Recipe(model=VISION)
    data = "data:image/png;base64," + PNG
    requests = [*recipe.documents(["tea", "rice"]), *recipe.inputs([[picture(data)]])]
    await embedder(tally=tally).run(recipe, requests)
    total = tally.total
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


def test_vectors_of_one_answer_are_put_in_order_by_their_index():
    def shuffled(request):
        data = [
            {"object": "embedding", "index": index, "embedding": [float(index), 0.0]}
            for index in (2, 0, 1)
        ]
        answer = json.dumps({"object": "list", "data": data, "model": TEXT})
        return httpx.Response(200, stream=httpx.ByteStream(answer.encode()))

    client = Client(api_key="k", http_client=httpx.Client(transport=httpx.MockTransport(shuffled)))
    recipe = Recipe(model=TEXT)
    answers = Embedder(client, 1, Tally()).run(recipe, recipe.documents(["a", "b", "c"]))
    assert dense(recipe, answers) == [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]


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


def test_a_request_knows_its_last_input():
    assert Request(first=3, texts=["a", "b"]).last == 4
    assert Request(first=3, parts=[picture()]).last == 3


def test_a_bare_string_is_no_list_of_texts():
    for model in ("doubao-embedding-large-text-250515", "doubao-embedding-vision-251215"):
        with pytest.raises(ConfigError, match="one string"):
            Recipe(model=model).documents("abc")
