"""Recipes as pure functions: endpoint, batches, instructions, and answers put together."""

from __future__ import annotations

import re

import pytest

from doubao_core import ConfigError, Malformed
from doubao_core.api.embeddings import Embeddings, MultimodalEmbedding
from doubao_core.embedder import Recipe, Request, dense, sparse

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


def test_a_text_model_cannot_be_made_multimodal():
    with pytest.raises(ConfigError, match="embeds text only"):
        Recipe(model=TEXT, multimodal=True).inputs([[picture()]])


@pytest.mark.parametrize("query", [True, False])
def test_a_fingerprint_tells_apart_what_gives_other_vectors(query):
    recipes = [
        Recipe(model=VISION),
        Recipe(model=OLDER_VISION),
        Recipe(model=VISION, dimensions=1024),
        Recipe(model=VISION, query_instruction="Find it"),
        Recipe(model=VISION, query_instruction="Find it", document_instruction="Find it"),
    ]
    names = {recipe.fingerprint("ark", query=query) for recipe in recipes}
    # Documents of the last two have other instructions, queries the same.
    assert len(names) == (4 if query else 5)
    assert recipes[0].fingerprint("emulator", query=query) not in names


def test_queries_and_documents_have_one_fingerprint_where_they_are_alike():
    plain = Recipe(model=VISION)
    assert plain.fingerprint("ark", query=True) == plain.fingerprint("ark")
    asking = Recipe(model=VISION, query_instruction="Find it")
    assert asking.fingerprint("ark", query=True) != asking.fingerprint("ark")


def test_a_fingerprint_is_the_same_in_every_process():
    # Written down, because a cache on a disk is read by later versions, too.
    name = Recipe(model=VISION, dimensions=1024).fingerprint("https://example.com")
    assert name == "doubao-embedding-vision-251215-4d144a97a5c2a4c8"


def test_an_endpoint_id_must_say_which_endpoint_it_needs():
    with pytest.raises(ConfigError, match=r"'ep-1'.*multimodal=True"):
        Recipe(model="ep-1").queries(["tea"])


def test_no_texts_are_no_requests_even_for_an_unknown_model():
    assert Recipe(model="ep-1").documents([]) == []


@pytest.mark.parametrize("model", [VISION, TEXT])
@pytest.mark.parametrize("blank", ["", " \n\t"])
def test_a_blank_text_is_refused_by_position(model, blank):
    with pytest.raises(ConfigError, match="text 2 is blank"):
        Recipe(model=model).documents(["a", "b", blank, "d"])


class Document:
    """What has a text, as LangChain's documents do."""

    page_content = "tea"


@pytest.mark.parametrize("model", [VISION, TEXT])
@pytest.mark.parametrize(
    ("given", "why"),
    [
        (None, "None, not a string: leave it out"),
        (["tea"], "a list, not a string: pass a text"),
        (7, "an int, not a string: pass a text"),
        (Document(), "a Document, not a string: pass its text (page_content, or node.get_con"),
    ],
)
def test_what_is_no_string_is_named_by_its_type(model, given, why):
    with pytest.raises(ConfigError, match=re.escape(f"text 1 is {why}")):
        Recipe(model=model).documents(["a", given])
    with pytest.raises(ConfigError, match=re.escape(f"the query is {why}")):
        Recipe(model=model).queries([given])


def test_a_blank_query_is_said_to_be_one():
    with pytest.raises(ConfigError, match=r"^the query is blank"):
        Recipe(model=VISION).queries([" "])
    with pytest.raises(ConfigError, match=r"^query 1 is blank"):
        Recipe(model=VISION).queries(["tea", ""])


@pytest.mark.parametrize(("given", "name"), [(None, "None"), (Document(), "a Document")])
def test_one_object_is_no_list_of_texts(given, name):
    with pytest.raises(ConfigError, match=f"texts is {name}, not a list"):
        Recipe(model=VISION).documents(given)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("doubao-seed-2-1-pro-260915", "a chat model, not an embedding model: use ChatDoubao"),
        ("doubao-seedream-5-0-pro-260628", "an image model, not an embedding model"),
    ],
)
def test_a_model_of_another_kind_is_refused(model, why):
    recipe = Recipe(model=model)
    for plan in (recipe.documents, recipe.queries):
        with pytest.raises(ConfigError, match=why) as caught:
            plan(["tea"])
        assert caught.value.param == "model"
    with pytest.raises(ConfigError, match=why):
        recipe.inputs([[picture()]])


@pytest.mark.parametrize("model", [VISION, "skylark-embedding-vision-250615"])
def test_a_vision_model_has_vectors_of_two_lengths(model):
    with pytest.raises(ConfigError, match="give dimensions=1024 or 2048") as caught:
        Recipe(model=model, dimensions=512).queries(["tea"])
    assert caught.value.param == "dimensions"
    with pytest.raises(ConfigError, match="512 dimensions"):
        Recipe(model=model, dimensions=512).inputs([[picture()]])
    for dimensions in (1024, 2048):
        assert Recipe(model=model, dimensions=dimensions).queries(["tea"])


@pytest.mark.parametrize(
    "model", [TEXT, "doubao-embedding-vision-241215", "doubao-embedding-vision-990101"]
)
def test_lengths_that_nobody_documents_are_left_to_the_service(model):
    assert Recipe(model=model, dimensions=512).documents(["tea"])


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


@pytest.mark.parametrize("model", [VISION, TEXT])
def test_half_of_a_surrogate_pair_is_refused_by_position(model):
    with pytest.raises(ConfigError, match="text 1 has half of a surrogate pair"):
        Recipe(model=model).documents(["茶", "from a PDF \ud835", "tea"])


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


def test_where_both_sides_have_the_template_of_similarity_they_are_alike():
    alike = Recipe(
        model=VISION,
        query_instruction="Retrieve similar pictures",
        document_instruction="Retrieve similar pictures",
        target_modality="image",
    )
    wanted = "Target_modality: image.\nInstruction:Retrieve similar pictures\nQuery:"
    assert said(alike) == (wanted, wanted)
    assert [each.instructions for each in alike.inputs([[picture()]])] == [wanted]


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


@pytest.mark.parametrize(
    "parts", [[], [{"type": "input_audio"}], {"type": "text", "text": "tea"}, "tea", ["tea"]]
)
def test_an_input_of_no_known_parts_is_refused_by_position(parts):
    with pytest.raises(ConfigError, match=r"input 1 (has|is no list)"):
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


def test_a_request_knows_its_last_input():
    assert Request(first=3, texts=["a", "b"]).last == 4
    assert Request(first=3, parts=[picture()]).last == 3


def test_a_bare_string_is_no_list_of_texts():
    for model in ("doubao-embedding-large-text-250515", "doubao-embedding-vision-251215"):
        with pytest.raises(ConfigError, match="one string"):
            Recipe(model=model).documents("abc")
