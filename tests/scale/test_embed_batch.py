"""``DoubaoEmbedBatch`` as Ray Data calls it, without Ray: a batch goes in, a batch comes out."""

from __future__ import annotations

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from doubao_core import ConfigError, InvalidRequest, Plan, QuotaExceeded
from langchain_doubao import DoubaoEmbeddings
from langchain_doubao.ray import DoubaoEmbedBatch

pytest.importorskip("pyarrow", reason="needs the extra ray")

VISION = "doubao-embedding-vision-251215"
TEXT = "doubao-embedding-large-text-250515"
# More tokens than this model reads, and fewer bytes than are refused before sending.
SHORT_SIGHTED = "doubao-embedding-vision-250328"
TOO_LONG = "word " * 12_000
WITH_PASSWORD = "postgresql://me:sesame@127.0.0.1/limits"


@pytest.fixture(params=["blocking", "async"])
def embed(request, emulator, monkeypatch):
    """Embed a batch with a new object; the key comes from the environment."""
    monkeypatch.setenv("ARK_API_KEY", "test-key")
    monkeypatch.setenv("DOUBAO_BASE_URL", emulator.base_url)

    def embed(batch, **arguments):
        made = DoubaoEmbedBatch(**{"model": VISION, **arguments})
        if request.param == "async":
            return asyncio.run(made.acall(batch))
        return made(batch)

    return embed


class Picky(ThreadingHTTPServer):
    """A service that gives each text its length as vector, and refuses requests with apples."""

    requests = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api/v3"


class PickyHandler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.requests += 1
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        status, answer = 200, {"data": [], "usage": {"prompt_tokens": 1, "total_tokens": 1}}
        if any("apple" in text for text in texts):
            status = 400
            answer = {"error": {"code": "InvalidParameter", "message": "no apples", "type": "x"}}
        else:
            for index, text in enumerate(texts):
                answer["data"].append({"index": index, "embedding": [float(len(text)), 1.0]})
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def picky():
    with Picky(("127.0.0.1", 0), PickyHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def expected(emulator):
    """The vectors that the texts have without Ray."""
    direct = DoubaoEmbeddings(model=VISION, api_key="other", base_url=emulator.base_url)
    return direct.embed_documents


def test_a_batch_keeps_its_columns_and_gets_the_vectors_in_order(embed, expected):
    texts = [f"text {number}" for number in range(40)]
    made = embed({"id": list(range(40)), "text": texts})
    assert made.column_names == ["id", "text", "embedding"]
    assert made["id"].to_pylist() == list(range(40))
    assert str(made["embedding"].type) == "list<item: float>"
    for vector, wanted in zip(made["embedding"].to_pylist(), expected(texts), strict=True):
        assert vector == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("dtype", ["object", "str"])
def test_numpy_columns_are_taken_as_ray_gives_them(embed, emulator, dtype):
    numpy = pytest.importorskip("numpy")
    made = embed({"body": numpy.array(["one", "two"], dtype=dtype)}, column="body", output="v")
    assert [len(vector) for vector in made["v"].to_pylist()] == [2048, 2048]
    sent = {request.body["input"][0]["text"] for request in emulator.requests}
    assert sent == {"one", "two"}


def test_an_arrow_table_is_taken_and_its_columns_stay_as_they_are(embed):
    import pyarrow as pa

    table = pa.table({"when": pa.array([1, 2], pa.timestamp("s")), "text": ["one", "two"]})
    made = embed(table)
    assert made.select(["when", "text"]).equals(table)
    assert [len(vector) for vector in made["embedding"].to_pylist()] == [2048, 2048]


def test_columns_of_numpy_matrices_stay(embed):
    numpy = pytest.importorskip("numpy")
    made = embed({"text": ["one", "two"], "box": numpy.array([[1, 2], [3, 4]])})
    assert made["box"].to_pylist() == [[1, 2], [3, 4]]


def test_ray_takes_the_column_as_it_is_which_costs_nothing(embed):
    """From a dictionary Ray would make its own type, or take a second for 500 vectors."""
    import pyarrow as pa

    assert isinstance(embed({"text": ["one"]}), pa.Table)


def test_a_column_is_not_written_over(embed):
    with pytest.raises(ConfigError, match="has a column 'embedding' already"):
        embed({"text": ["one"], "embedding": [[1.0]]})


@pytest.mark.parametrize("failed_rows", ["raise", "keep"])
@pytest.mark.parametrize("batch", [{"text": []}, {}])
def test_an_empty_batch_sends_nothing(embed, emulator, batch, failed_rows):
    made = embed(batch, failed_rows=failed_rows)
    assert made["embedding"].to_pylist() == []
    assert not emulator.requests


@pytest.mark.parametrize("bad", [" ", None, "x" * 100_001, TOO_LONG])
def test_a_bad_text_fails_its_batch_with_its_place_unless_told_otherwise(embed, bad):
    with pytest.raises((ConfigError, InvalidRequest), match=r"(text|input) 2 "):
        embed({"text": ["a", "b", bad, "d"]}, model=SHORT_SIGHTED, max_concurrency=1)


def test_kept_rows_say_why_they_have_no_vector_and_the_others_have_theirs(embed):
    texts = ["a", "", "b", TOO_LONG, "c", None, "x" * 100_001, *map(str, range(30))]
    made = embed({"text": texts}, model=SHORT_SIGHTED, failed_rows="keep", max_concurrency=3)
    without = [at for at, vector in enumerate(made["embedding"].to_pylist()) if vector is None]
    assert without == [1, 3, 5, 6]
    reasons = made["embedding_error"].to_pylist()
    assert [at for at, reason in enumerate(reasons) if reason] == without
    assert reasons[1] == reasons[5] == "the text is blank or not a string"
    assert reasons[6] == "the text has more than 100,000 bytes"
    assert "test-key" not in str(reasons)


def test_what_arrow_cannot_hold_is_refused_before_it_is_paid_for(embed, emulator):
    with pytest.raises(ConfigError, match="half of a surrogate pair"):
        embed({"text": ["a", "from a PDF \ud835"]}, failed_rows="keep")
    assert not emulator.requests


def test_of_texts_that_share_a_request_only_the_refused_ones_lose_their_vector(embed, picky):
    texts = [f"text {number}" for number in range(300)]
    texts[7] = texts[260] = "one bad apple"
    texts[255] = "another bad apple"
    made = embed({"text": texts}, model=TEXT, base_url=picky.url, failed_rows="keep")
    vectors = made["embedding"].to_pylist()
    assert [at for at, vector in enumerate(vectors) if vector is None] == [7, 255, 260]
    assert {made["embedding_error"][at].as_py() for at in (7, 255, 260)} == {"no apples"}
    for at, vector in enumerate(vectors):
        assert vector is None or vector == [float(len(texts[at])), 1.0]
    # Halving: some 2 × log2(256) requests for each of two, not one for each text.
    assert picky.requests < 45


def test_rows_without_failures_have_the_same_types_as_rows_with_some(embed):
    for texts in (["a", "b"], ["a", ""], [""]):
        made = embed({"text": texts}, failed_rows="keep")
        types = {name: str(made[name].type) for name in ("embedding", "embedding_error")}
        assert types == {"embedding": "list<item: float>", "embedding_error": "string"}


def test_kept_rows_send_equal_texts_once(embed, emulator):
    made = embed({"text": ["same", "other", "same"]}, failed_rows="keep")
    first, second, third = made["embedding"].to_pylist()
    assert first == third != second
    assert len(emulator.requests) == 2


def test_settings_that_every_text_is_refused_for_are_an_error_and_not_a_batch_of_nothing(embed):
    with pytest.raises(InvalidRequest):
        embed({"text": ["a", "b", "c"]}, failed_rows="keep", model=TEXT, dimensions=7)


def test_what_no_text_is_the_reason_of_is_raised_although_rows_are_kept(embed, emulator):
    with emulator.fault("quota"), pytest.raises(QuotaExceeded):
        embed({"text": ["a", "b"]}, failed_rows="keep")


def test_a_passing_failure_is_outlasted(embed, emulator):
    with emulator.fault("server_error", times=2):
        made = embed({"text": ["a"]})
    assert made["embedding"].null_count == 0
    assert len(emulator.requests) == 3


def test_it_repeats_more_often_than_an_interactive_caller_unless_told_otherwise():
    assert DoubaoEmbedBatch(model=VISION)._embeddings.max_retries == 8
    assert DoubaoEmbedBatch(model=VISION, max_retries=0)._embeddings.max_retries == 0


@pytest.mark.parametrize("name", ["api_key", "default_headers"])
def test_a_secret_is_refused_as_an_argument_and_not_repeated(name):
    with pytest.raises(ConfigError, match="environment of the workers") as caught:
        DoubaoEmbedBatch(model=VISION, **{name: "sk-secret"})
    assert name in str(caught.value)
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "limit",
    [
        {"requests_per_minute": 60, "rate_limit_url": WITH_PASSWORD},
        {"plan": Plan(requests_per_hour=60, url=WITH_PASSWORD)},
    ],
    ids=["rate_limit_url", "plan"],
)
def test_a_rate_limit_url_with_a_password_is_refused_and_not_repeated(limit):
    with pytest.raises(ConfigError, match="DOUBAO_RATE_LIMIT_URL") as caught:
        DoubaoEmbedBatch(model=VISION, **limit)
    assert "sesame" not in str(caught.value)


def test_a_missing_column_is_named_beside_those_that_are_there(embed):
    with pytest.raises(ConfigError, match="no column 'text', only 'id', 'body'"):
        embed({"id": [1], "body": ["a"]})


def test_a_policy_that_there_is_not_is_refused():
    with pytest.raises(ConfigError, match="use 'raise' or 'keep'"):
        DoubaoEmbedBatch(model=VISION, failed_rows="drop")


def test_usage_is_counted(emulator, monkeypatch):
    monkeypatch.setenv("ARK_API_KEY", "test-key")
    made = DoubaoEmbedBatch(model=VISION, base_url=emulator.base_url)
    made({"text": ["one", "two"]})
    assert made.usage.requests == 2
    assert made.usage.total_tokens > 0
