"""The script that embeds at scale, in one process; `test_embed_on_ray.py` is the other engine."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from pathlib import Path

import pytest

VISION = "doubao-embedding-vision-251215"
DOCS = Path(__file__).parents[2] / "examples" / "docs"


def test_real_files_become_rows_that_say_where_they_stood(embedding):
    ended = embedding(DOCS)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Volcengine" in ended.stdout.splitlines()[0]
    rows = embedding.rows()
    assert {row["source"] for row in rows} == {path.name for path in DOCS.iterdir()}
    assert {"page 1", "section “The first one”"} <= {row["place"] for row in rows}
    assert all(len(row["embedding"]) == 2048 and row["embedding_error"] is None for row in rows)
    assert len({row["id"] for row in rows}) == len(rows) == len(embedding.emulator.requests)
    summary = rf"Embedded {len(rows)} rows, \d+ rows/s, {len(rows)} requests, [\d,]+ a minute, .*"
    assert re.search(summary, ended.stdout), ended.stdout


def test_it_runs_without_a_key_and_says_so(embedding):
    ended = embedding(DOCS / "glossary.txt", ARK_API_KEY="", DOUBAO_BASE_URL="")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "No API key (ARK_API_KEY is not set)" in ended.stdout
    assert embedding.rows()
    assert not embedding.emulator.requests


def test_a_run_that_is_killed_goes_on_and_sends_nothing_of_a_finished_part_again(
    embedding, texts_file, wait_for, monkeypatch
):
    source, options = texts_file(200), ("--rows-per-part", "20", "--in-flight", "8")
    monkeypatch.setattr(embedding.emulator.world, "latency", 0.02)
    with embedding.start(source, *options) as process:
        wait_for(lambda: len(embedding.parts()) >= 3)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    finished = {row["text"] for row in embedding.rows()}
    assert 60 <= len(finished) < 200
    # As of a kill in the middle of writing.
    unfinished = embedding.output / ".unfinished-0123"
    unfinished.write_bytes(b"PAR1")
    first = embedding.sent()
    embedding.emulator.requests.clear()

    ended = embedding(source, *options)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"Going on: {len(finished)} rows are done." in ended.stdout
    second = embedding.sent()
    assert not finished & second.keys()
    assert set(second.values()) == {1}
    # What is paid for twice: no more than the two parts that were under way.
    assert len(first.keys() & second.keys()) <= 40
    texts = sorted(row["text"] for row in embedding.rows())
    assert texts == sorted(f"Lighthouse {number} stands on a rock." for number in range(200))
    assert not unfinished.exists()


def test_a_finished_run_sends_nothing_when_it_is_repeated(embedding, texts_file):
    source = texts_file(30)
    embedding(source)
    before = embedding.rows()
    embedding.emulator.requests.clear()
    ended = embedding(source)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not embedding.emulator.requests
    assert embedding.rows() == before


def test_only_what_is_new_in_a_file_is_embedded(embedding, tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    paragraphs = [f"Paragraph {number}. " + "The light turns. " * 60 for number in range(6)]
    (folder / "note.txt").write_text("\n\n".join(paragraphs), encoding="utf-8")
    embedding(folder)
    known = {row["text"] for row in embedding.rows()}
    embedding.emulator.requests.clear()
    (folder / "note.txt").write_text(
        "\n\n".join([*paragraphs, "A lamp was added."]), encoding="utf-8"
    )
    (folder / "other.md").write_text("# Horn\n\nIt sounds in fog.", encoding="utf-8")
    assert embedding(folder).returncode == 0
    sent = set(embedding.sent())
    assert any("A lamp was added." in text for text in sent)
    assert any("It sounds in fog." in text for text in sent)
    assert not sent & known


def test_an_output_in_the_input_folder_is_no_input(embedding, texts_file):
    folder = texts_file(5).parent
    embedding(folder)
    assert len(embedding.rows()) == 5
    embedding(folder)
    assert len(embedding.rows()) == 5 == len(embedding.emulator.requests)


def test_equal_texts_at_different_places_are_rows_of_their_own(embedding, tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    for name in ("a.md", "b.md"):
        (folder / name).write_text("# One\n\nSame.\n\n# Two\n\nOther.", encoding="utf-8")
    embedding(folder)
    rows = embedding.rows()
    assert sorted((row["source"], row["text"]) for row in rows) == [
        (name, text) for name in ("a.md", "b.md") for text in ("# One\n\nSame.", "# Two\n\nOther.")
    ]
    assert len({row["id"] for row in rows}) == 4
    assert set(embedding.sent().values()) == {1}


def test_a_file_that_cannot_be_read_is_named_and_left_out(embedding, tmp_path):
    folder = tmp_path / "notes"
    shutil.copytree(DOCS, folder)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 no more")
    ended = embedding(folder)
    assert ended.returncode == 0
    assert re.fullmatch(r"embed_at_scale: skipped: broken\.pdf is not [^\n]+\n", ended.stderr)
    assert len({row["source"] for row in embedding.rows()}) == len(list(DOCS.iterdir()))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are Unicode")
def test_a_file_with_an_odd_name_is_read(embedding, tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt")).write_text("Tea.", encoding="utf-8")
    ended = embedding(folder)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [row["source"] for row in embedding.rows()] == ["caf\ufffd.txt"]


def test_halves_of_characters_as_pdf_readers_give_are_joined_or_replaced(monkeypatch):
    monkeypatch.syspath_prepend(DOCS.parent)
    from embed_at_scale_parts import chunks

    text = "The set \ud835\udd38 and \ud835, 茶 too."
    monkeypatch.setattr(chunks, "read_file", lambda _: [("page 1", text)])
    (row,) = chunks.Piece("a.pdf", "a.pdf").rows("text")
    assert row["text"] == "The set 𝔸 and \ufffd, 茶 too."


def test_a_refusal_is_one_sentence_and_what_was_finished_stays(embedding, texts_file):
    embedding(texts_file(20))
    source = texts_file(40)
    with embedding.emulator.fault("quota"):
        ended = embedding(source)
    assert ended.returncode == 1
    first, second = ended.stderr.splitlines()
    assert re.fullmatch(r"embed_at_scale: .+", first)
    assert second == "What was finished is kept; the same command goes on."
    assert len(embedding.rows()) == 20
    assert embedding(source).returncode == 0
    assert len(embedding.rows()) == 40


def test_vectors_of_another_model_are_not_mixed_in(embedding, texts_file):
    source = texts_file(5)
    embedding(source)
    before = embedding.rows()
    embedding.emulator.requests.clear()
    ended = embedding(source, DOUBAO_EMBEDDING_MODEL="doubao-embedding-vision-250615")
    assert ended.returncode == 1
    assert "give another --output" in ended.stderr
    assert not embedding.emulator.requests
    assert embedding.rows() == before


def test_a_folder_with_other_parquet_files_is_not_written_to(embedding, texts_file):
    source = texts_file(5)
    embedding.output.mkdir()
    shutil.copy(source, embedding.output / "mine.parquet")
    ended = embedding(source)
    assert ended.returncode == 1
    assert "mine.parquet" in ended.stderr
    assert len(list(embedding.output.iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--text-column", "number"], 1, "no texts in a column 'number', see --text-column: text"),
        (["--text-column", "body"], 1, "no texts in a column 'body', see --text-column: text"),
        (["--rows-per-part", "0"], 2, "0 is less than 1"),
        (["--engine", "spark"], 2, "invalid choice"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_sent(
    embedding, texts_file, arguments, code, said
):
    ended = embedding(texts_file(5), *arguments)
    assert ended.returncode == code
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not embedding.emulator.requests


def test_an_input_without_files_is_said(embedding, tmp_path):
    ended = embedding(tmp_path / "nowhere")
    assert ended.returncode == 1
    assert "no .txt, .md, .pdf or .parquet file" in ended.stderr


def test_a_part_that_was_written_is_not_embedded_again(emulator, tmp_path, monkeypatch):
    """As Ray does when an actor died after writing, before it said so."""
    pytest.importorskip("pyarrow", reason="needs the extra ray")
    monkeypatch.syspath_prepend(DOCS.parent)
    monkeypatch.setenv("ARK_API_KEY", "test-key")
    from embed_at_scale_parts.output import Output
    from embed_at_scale_parts.part import PartMaker

    output = Output(str(tmp_path), {"model": VISION})
    batch = {
        "id": ["1" * 32, "2" * 32],
        "source": ["a"] * 2,
        "place": ["p"] * 2,
        "text": ["x", "y"],
    }
    for rows in (2, 0):
        maker = PartMaker(output, {"model": VISION, "base_url": emulator.base_url})
        assert maker.make(batch).rows == rows
    assert len(emulator.requests) == 2
    assert output.open().tolist() == [b"1" * 32, b"2" * 32]


def test_a_rate_is_kept_and_its_share_is_shown(embedding, texts_file):
    with embedding.emulator.limit(requests_per_minute=1200, window=5.0) as limit:
        ended = embedding(texts_file(60), "--rate-per-minute", "1200")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not limit.refused
    share = re.search(r"Embedded .* (\d+)% of the quota of 1,200 a minute", ended.stdout)
    assert share, ended.stdout
    # A second's worth may go at once at the start.
    assert 10 <= int(share[1]) <= 150
