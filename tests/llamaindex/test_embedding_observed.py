"""What LlamaIndex's handlers are told of an embedding: the same as of any other."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.callbacks import CallbackManager
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler

from llamaindex_doubao import DoubaoEmbedding

TEXTS = ["tea", "rice", "silk"]


class Events(BaseEventHandler):
    """Keeps all events."""

    seen: list[Any]

    def handle(self, event: Any, **_: Any) -> None:
        self.seen.append(event)


class Calls(BaseCallbackHandler):
    """Keeps the payloads of all callbacks."""

    def __init__(self) -> None:
        super().__init__([], [])
        self.seen: list[Any] = []

    def on_event_start(self, event_type, payload=None, event_id="", parent_id="", **_):
        self.seen.append((event_type, payload))
        return event_id

    def on_event_end(self, event_type, payload=None, event_id="", **_):
        self.seen.append((event_type, payload))

    def start_trace(self, trace_id=None):
        pass

    def end_trace(self, trace_id=None, trace_map=None):
        pass


@pytest.fixture
def observe(emulator):
    """Embed the texts with a method, and give all that handlers were told, and the vectors."""

    def observe(method):
        calls, events, spans = Calls(), Events(seen=[]), SimpleSpanHandler()
        embedding = DoubaoEmbedding(
            model_name="doubao-embedding-large-text-250515",
            base_url=emulator.base_url,
            api_key="k",
            embed_batch_size=2,
            callback_manager=CallbackManager([calls]),
        )
        root = get_dispatcher()
        root.add_event_handler(events)
        root.add_span_handler(spans)
        try:
            vectors = method(embedding, TEXTS)
        finally:
            root.event_handlers.remove(events)
            root.span_handlers.remove(spans)
        names = [span.id_.partition("-")[0] for span in spans.completed_spans]
        return vectors, events.seen, calls.seen, names

    return observe


def test_batches_are_told_of_as_by_the_base_class(observe):
    vectors, events, calls, spans = observe(DoubaoEmbedding.get_text_embedding_batch)
    expected = observe(BaseEmbedding.get_text_embedding_batch)
    assert vectors == expected[0]
    changing = {"id_", "timestamp", "span_id"}
    assert [event.model_dump(exclude=changing) for event in events] == [
        event.model_dump(exclude=changing) for event in expected[1]
    ]
    assert all(event.span_id for event in events)
    assert calls == expected[2]
    assert spans == ["DoubaoEmbedding.get_text_embedding_batch"]


def test_the_event_of_a_batch_is_the_one_that_validation_makes(observe):
    _, events, _, _ = observe(DoubaoEmbedding.get_text_embedding_batch)
    ends = [event for event in events if isinstance(event, EmbeddingEndEvent)]
    assert [event.chunks for event in ends] == [["tea", "rice"], ["silk"]]
    for event in ends:
        made = EmbeddingEndEvent(**dict(event))
        assert made == event
        assert made.model_dump() == event.model_dump()
        assert made.model_dump_json() == event.model_dump_json()


def test_progress_is_shown_when_it_is_asked_for(observe, capsys):
    observe(lambda embedding, texts: embedding.get_text_embedding_batch(texts, show_progress=True))
    assert "Generating embeddings" in capsys.readouterr().err


def test_nothing_to_embed_is_no_batch(observe):
    vectors, events, calls, _ = observe(lambda made, _: made.get_text_embedding_batch([]))
    assert (vectors, events, calls) == ([], [], [])
