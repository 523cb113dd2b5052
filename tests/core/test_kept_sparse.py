"""KeptSparse: weights that came with vectors, given out once, within bounds."""

from __future__ import annotations

import copy
import threading

import pytest

from doubao_core.api.embeddings import MultimodalEmbedding
from doubao_core.embedder import KeptSparse, Recipe
from doubao_core.errors import Malformed

RECIPE = Recipe(model="doubao-embedding-vision-251215")


def answer(weights):
    return MultimodalEmbedding(vector=[1.0], sparse=weights, model=RECIPE.model, usage=None)


def planned(*texts, recipe=RECIPE):
    return recipe.documents(texts, sparse=True)


def weights(text):
    """Give as many weights as *text* has letters."""
    return {index: 0.1 * (index + 1) for index in range(len(text))}


def keep(kept, *texts, recipe=RECIPE):
    kept.keep(recipe, planned(*texts, recipe=recipe), [answer(weights(text)) for text in texts])


def unsent(kept, *texts, recipe=RECIPE):
    """Give the texts that would have to be sent."""
    requests = kept.claim(recipe, planned(*texts, recipe=recipe)).requests
    return [request.parts[0]["text"] for request in requests]


def test_what_is_kept_is_given_back_exactly_and_in_order():
    kept = KeptSparse()
    keep(kept, "tea", "rice")
    claim = kept.claim(RECIPE, planned("rice", "tea"))
    assert claim.requests == []
    assert claim.filled([]) == [weights("rice"), weights("tea")]


def test_what_is_not_kept_is_sent_and_put_in_its_place():
    kept = KeptSparse()
    keep(kept, "rice")
    claim = kept.claim(RECIPE, planned("tea", "rice", "oil"))
    assert [request.parts[0]["text"] for request in claim.requests] == ["tea", "oil"]
    filled = claim.filled([answer({1: 1.0}), answer({2: 2.0})])
    assert filled == [{1: 1.0}, weights("rice"), {2: 2.0}]


def test_equal_texts_are_sent_once_and_filled_everywhere():
    claim = KeptSparse().claim(RECIPE, planned("tea", "rice", "tea"))
    assert len(claim.requests) == 2
    assert claim.filled([answer({1: 1.0}), answer({2: 2.0})]) == [{1: 1.0}, {2: 2.0}, {1: 1.0}]


def test_weights_are_given_out_once():
    kept = KeptSparse()
    keep(kept, "tea")
    kept.claim(RECIPE, planned("tea")).filled([])
    assert unsent(kept, "tea") == ["tea"]


def test_a_claim_whose_requests_failed_loses_nothing():
    kept = KeptSparse()
    keep(kept, "tea")
    kept.claim(RECIPE, planned("tea", "rice"))
    assert unsent(kept, "tea", "rice") == ["rice"]


def test_the_oldest_go_when_there_is_no_room():
    kept = KeptSparse(most=9)
    keep(kept, "tea", "rice")
    assert unsent(kept, "tea", "rice") == []
    keep(kept, "oil")
    assert unsent(kept, "tea", "rice", "oil") == ["tea"]


def test_a_text_that_is_kept_again_takes_no_more_room():
    kept = KeptSparse(most=9)
    keep(kept, "tea", "tea", "tea", "rice")
    assert unsent(kept, "tea", "rice") == []


def test_room_is_free_again_once_weights_are_given_out():
    kept = KeptSparse(most=9)
    for _ in range(3):
        keep(kept, "tea", "rice")
        assert kept.claim(RECIPE, planned("tea", "rice")).requests == []
        kept.claim(RECIPE, planned("tea", "rice")).filled([])
    keep(kept, "tea", "rice")
    assert unsent(kept, "tea", "rice") == []


def test_more_than_there_is_room_for_is_not_kept():
    kept = KeptSparse(most=2)
    keep(kept, "tea")
    assert unsent(kept, "tea") == ["tea"]


def test_queries_with_an_instruction_are_not_taken_for_documents():
    recipe = Recipe(model=RECIPE.model, query_instruction="Find it")
    kept = KeptSparse()
    keep(kept, "tea", recipe=recipe)
    assert len(kept.claim(recipe, recipe.queries(["tea"], sparse=True)).requests) == 1
    assert unsent(kept, "tea", recipe=recipe) == []


def test_models_are_told_apart():
    kept = KeptSparse()
    keep(kept, "tea")
    assert unsent(kept, "tea", recipe=Recipe(model="doubao-embedding-vision-250615")) == ["tea"]


def test_answers_that_were_not_asked_for_weights_are_passed_over():
    kept = KeptSparse()
    requests = [*RECIPE.documents(["tea"]), *planned("rice")]
    kept.keep(RECIPE, requests, [answer(None), answer(weights("rice"))])
    assert unsent(kept, "tea", "rice") == ["tea"]


def test_missing_weights_are_an_error():
    with pytest.raises(Malformed, match="asked for 1 sparse embeddings, got 0"):
        KeptSparse().keep(RECIPE, planned("tea"), [answer(None)])


def test_a_text_without_any_weight_is_kept_too():
    kept = KeptSparse()
    kept.keep(RECIPE, planned("…"), [answer({})])
    claim = kept.claim(RECIPE, planned("…"))
    assert (claim.requests, claim.filled([])) == ([], [{}])


def test_a_copy_starts_empty_and_keeps_the_bound():
    kept = KeptSparse(most=5)
    keep(kept, "tea")
    copied = copy.deepcopy(kept)
    assert unsent(copied, "tea") == ["tea"]
    keep(copied, "tea", "rice")
    assert unsent(copied, "tea", "rice") == ["tea"]


def test_threads_do_not_disturb_each_other():
    kept = KeptSparse(most=100)
    wrong = []

    def work(name):
        for number in range(200):
            text = f"{name}{number}"
            keep(kept, text)
            claim = kept.claim(RECIPE, planned(text))
            answers = [answer(weights(text)) for _ in claim.requests]
            if claim.filled(answers) != [weights(text)]:
                wrong.append(text)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert kept._held == 0
