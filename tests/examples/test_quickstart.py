"""The main job, run as users run it, over real HTTP to an emulator."""

from __future__ import annotations

import html
import json
import re
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from pypdf import PdfWriter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from doubao_emulator import Emulator
    from doubao_emulator.state import RecordedRequest

FRAMEWORKS = ("LangChain", "LlamaIndex")
CHAT = "/api/v3/chat/completions"
IMAGES = "/api/v3/images/generations"
VIDEOS = "/api/v3/contents/generations/tasks"


def results(out: Path) -> dict[str, dict[str, Any]]:
    written = json.loads((out / "answer.json").read_text(encoding="utf-8"))
    return {result["framework"]: result for result in written["results"]}


def bodies(requests: Iterable[RecordedRequest], path: str) -> list[dict[str, Any]]:
    return [each.body for each in requests if (each.method, each.path) == ("POST", path)]


def live(emulator: Emulator, **environment: str) -> dict[str, str]:
    """Give the environment of someone with a key, whose service is the emulator."""
    return {"ARK_API_KEY": "test-key", "DOUBAO_BASE_URL": emulator.base_url, **environment}


def one_sentence(stderr: str) -> str:
    """Check that *stderr* is one line from the quickstart itself, and give it."""
    assert re.fullmatch(r"\s*quickstart: [^\n]+\n", stderr), stderr
    return stderr


@pytest.fixture(scope="module")
def without_key(tmp_path_factory, start_quickstart):
    """One whole run of someone who has just cloned the repository, and sits behind a proxy."""
    proxy = "http://127.0.0.1:9"
    return start_quickstart(tmp_path_factory.mktemp("without_key"))(HTTP_PROXY=proxy)


@pytest.fixture(scope="module")
def with_key(tmp_path_factory, start_quickstart, running_emulator):
    """One whole run of someone who has a key, and the requests that it made."""
    running_emulator.reset()
    folder = tmp_path_factory.mktemp("with_key")
    run = start_quickstart(folder)(**live(running_emulator))
    return run, list(running_emulator.requests)


def test_without_a_key_the_first_line_says_that_this_is_the_emulator(without_key):
    assert (without_key.code, without_key.stderr) == (0, "")
    assert without_key.stdout.splitlines()[0] == (
        "No API key (ARK_API_KEY is not set): this runs on the local emulator, not on Doubao."
    )


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_answer_is_quoted_from_the_right_document(without_key, framework):
    result = results(without_key.out)[framework]

    assert "25 July 1823" in result["answer"]
    assert "fresnel-lens.md" not in result["answer"]
    assert result["reasoning"]
    assert {source["file"] for source in result["sources"][:2]} == {"fresnel-lens.md"}
    assert "25 July 1823" in "".join(source["text"] for source in result["sources"])
    assert result["answer"] in without_key.stdout
    assert result["reasoning"] in without_key.stdout


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_agent_makes_a_picture_and_a_film(without_key, framework):
    result = results(without_key.out)[framework]

    assert (without_key.out / result["image"]).read_bytes().startswith(b"\xff\xd8\xff")
    assert (without_key.out / result["video"]).read_bytes()[4:8] == b"ftyp"
    assert "Fresnel lens" in result["image_prompt"]
    assert "Fresnel lens" in result["video_prompt"]
    assert "video: queued" in without_key.stdout
    assert "video: succeeded" in without_key.stdout


def test_every_step_is_accounted_for(without_key):
    for result in results(without_key.out).values():
        spent = {
            usage["step"]: usage["input_tokens"] + usage["output_tokens"]
            for usage in result["usage"]
        }
        assert sorted(spent) == ["agent", "answer", "embeddings", "picture", "video"]
        assert all(spent.values())


def test_it_leaves_nothing_outside_its_output_folder(without_key):
    assert list(without_key.home.iterdir()) == []
    assert list(without_key.work.iterdir()) == []


def test_the_page_shows_everything_and_needs_nothing_else(without_key):
    page = (without_key.out / "index.html").read_text(encoding="utf-8")

    assert "local emulator, not by Doubao" in page
    assert "Token usage" in page
    for result in results(without_key.out).values():
        assert f'src="{result["image"]}"' in page
        assert f'src="{result["video"]}#t=0.1"' in page
        assert html.escape(result["answer"]) in page
        assert html.escape(result["reasoning"]) in page
    assert "://" not in page


def test_the_markdown_names_the_sources_and_the_files(without_key):
    markdown = (without_key.out / "answer.md").read_text(encoding="utf-8")

    for result in results(without_key.out).values():
        assert f"1. fresnel-lens.md, {result['sources'][0]['place']}" in markdown
        assert f"({result['image']})" in markdown
        assert f"({result['video']})" in markdown


def test_with_a_key_the_service_and_the_price_are_announced_first(with_key):
    run, requests = with_key

    assert (run.code, run.stderr) == (0, "")
    first, second = run.stdout.splitlines()[:2]
    assert first == "Service: Volcengine Ark (cn-beijing), model doubao-seed-2-1-lite-260915."
    assert "doubao-seedream-4-0-250828" in second
    assert "doubao-seedance-1-0-pro-fast-251015" in second
    assert "cost money" in second
    calls = [each for each in requests if each.path.startswith("/api/")]
    assert {each.headers["authorization"] for each in calls} == {"Bearer test-key"}
    assert "Answered by Volcengine Ark" in (run.out / "index.html").read_text(encoding="utf-8")


def test_each_agent_searches_and_pays_for_one_picture_and_one_cheap_film(with_key):
    _, requests = with_key

    assert [each["watermark"] for each in bodies(requests, IMAGES)] == [False, False]
    films = [(each["resolution"], each["duration"]) for each in bodies(requests, VIDEOS)]
    assert films == [("480p", 4), ("480p", 4)]
    called = [
        [
            call["function"]["name"]
            for message in body["messages"]
            for call in message.get("tool_calls", ())
        ]
        for body in bodies(requests, CHAT)
    ]
    assert called.count(["search_documents", "generate_image", "generate_video"]) == 2


def test_without_media_nothing_is_generated(quickstart, emulator):
    run = quickstart("--framework", "langchain", "--no-media", **live(emulator))

    assert run.code == 0
    assert "cost money" not in run.stdout
    assert bodies(emulator.requests, IMAGES) + bodies(emulator.requests, VIDEOS) == []
    assert all(result["answer"] for result in results(run.out).values())


def test_byteplus_is_asked_for_its_own_models(quickstart, emulator):
    run = quickstart(
        "--framework",
        "langchain",
        DOUBAO_PROVIDER="byteplus",
        BYTEPLUS_API_KEY="test-key",
        DOUBAO_BASE_URL=emulator.byteplus_base_url,
    )

    assert run.code == 0, run.stderr
    models = {each.body["model"] for each in emulator.requests if each.body}
    assert models == {
        "seed-2-0-lite-260428",
        "skylark-embedding-vision-251215",
        "seedream-4-0-250828",
        "seedance-1-0-pro-fast-251015",
    }


def test_models_can_be_replaced_by_the_environment(quickstart, emulator):
    quickstart(
        "--framework",
        "llamaindex",
        "--no-media",
        **live(
            emulator,
            DOUBAO_CHAT_MODEL="doubao-seed-2-1-pro-260915",
            DOUBAO_EMBEDDING_MODEL="doubao-embedding-text-240715",
        ),
    )

    models = {each.body["model"] for each in emulator.requests}
    assert models == {"doubao-seed-2-1-pro-260915", "doubao-embedding-text-240715"}


@pytest.mark.parametrize("framework", ["langchain", "llamaindex"])
def test_a_chinese_question_is_answered_from_the_chinese_document(quickstart, emulator, framework):
    run = quickstart(
        "--framework",
        framework,
        "--no-media",
        "--question",
        "花鸟山灯塔建于哪一年？",
        **live(emulator),
    )

    (result,) = results(run.out).values()
    assert "1870年" in result["answer"]
    assert result["sources"][0]["file"] == "灯塔.md"


def test_a_framework_that_fails_does_not_lose_the_other_ones_results(quickstart, emulator):
    with emulator.fault("model_not_open", times=1, path="chat/completions"):
        run = quickstart("--no-media", **live(emulator))

    assert run.code == 1
    assert "LangChain" in one_sentence(run.stderr)
    assert "ModelNotOpen" in run.stderr
    found = results(run.out)
    assert found["LangChain"]["failure"]
    assert found["LangChain"]["answer"] == ""
    assert "25 July 1823" in found["LlamaIndex"]["answer"]
    assert "ModelNotOpen" in (run.out / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("framework", ["langchain", "llamaindex"])
def test_a_film_that_fails_is_said_and_the_rest_is_written(quickstart, emulator, framework):
    with emulator.fault("task_failed"):
        run = quickstart("--framework", framework, **live(emulator))

    assert run.code == 1
    assert "made no video" in one_sentence(run.stderr)
    (result,) = results(run.out).values()
    assert result["answer"]
    assert result["image"]
    assert result["video"] is None


def test_a_wrong_key_is_one_sentence_and_asks_once(quickstart, emulator):
    run = quickstart(**live(emulator, ARK_API_KEY="None"))

    assert run.code == 1
    assert "does not accept ARK_API_KEY" in one_sentence(run.stderr)
    assert "401" in run.stderr
    assert "LlamaIndex" not in run.stdout
    assert not (run.out / "index.html").exists()


def test_no_network_is_one_sentence(quickstart):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        run = quickstart(ARK_API_KEY="test-key", DOUBAO_BASE_URL=f"http://127.0.0.1:{port}/api/v3")

    assert run.code == 1
    assert "cannot be reached" in one_sentence(run.stderr)


def make_folder(folder: Path, kind: str) -> Path:
    """Make a document folder with one fault."""
    folder.mkdir()
    if kind == "encrypted":
        writer = PdfWriter()
        writer.add_blank_page(100, 100)
        writer.encrypt("secret", algorithm="RC4-128")
        writer.write(folder / "a.pdf")
    files = {
        "other": ("a.png", b"\x89PNG"),
        "broken": ("a.pdf", b"%PDF-1.4 and no more"),
        "latin": ("a.txt", b"caf\xe9"),
        "blank": ("a.md", b"\n \n"),
    }
    if kind in files:
        name, content = files[kind]
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("nothing", "is empty"),
        ("other", "only files of other kinds"),
        ("broken", "a.pdf is not a readable PDF"),
        ("encrypted", "a.pdf is encrypted"),
        ("latin", "a.txt is not UTF-8"),
        ("blank", "there is no text"),
    ],
)
def test_bad_documents_are_one_sentence(quickstart, tmp_path, kind, said):
    run = quickstart("--docs", str(make_folder(tmp_path / "docs", kind)))

    assert run.code == 1
    assert said in one_sentence(run.stderr)


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "said"),
    [
        (["--docs", "no-such-folder"], {}, 1, "there is no folder 'no-such-folder'"),
        (["--framework", "other"], {}, 2, "invalid choice: 'other'"),
        (["--question", " "], {}, 2, "--question is empty"),
        ([], {"DOUBAO_PROVIDER": "other"}, 1, "unknown provider 'other'"),
        ([], {"DOUBAO_PROVIDER": "ark"}, 1, "there is no key: set ARK_API_KEY"),
    ],
)
def test_bad_arguments_are_one_sentence(quickstart, arguments, environment, code, said):
    run = quickstart(*arguments, **environment)

    assert run.code == code
    assert said in one_sentence(run.stderr)


def test_an_output_folder_that_cannot_be_written_is_one_sentence(quickstart):
    quickstart.out.write_text("a file where the folder should be")

    run = quickstart()

    assert run.code == 1
    assert "cannot write into" in one_sentence(run.stderr)


@pytest.mark.parametrize("framework", ["langchain", "llamaindex"])
def test_an_interrupt_ends_it_at_once_and_without_a_traceback(quickstart, emulator, framework):
    with (
        emulator.fault("stall", path="chat/completions"),
        quickstart.start("--framework", framework, **live(emulator)) as process,
    ):
        while not bodies(emulator.requests, CHAT):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        stderr = process.stderr.read()

    assert process.returncode == 130
    assert "stopped" in one_sentence(stderr)
