"""What users may rely on: names, the types that editors see, and an import that costs little."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import doubao_core
from doubao_core.api import Operations

ROOT = Path(__file__).parents[2]

NAMES = """
    AmbiguousSubmit ApiKey AsyncClient AuthenticationError ChatCompletion ChatDelta ChatOptions
    Client ConfigError ConnectionFailed ConnectionLost ContentRejected ContextOverflow
    DoubaoError Embeddings File Files Image ImageEvent ImageOptions ImageUsage Images
    InsufficientCredits InvalidRequest JobExpired JobFailed Malformed Model MultimodalEmbedding
    NotFound PermissionDenied Plan ProfileWarning QuotaExceeded RateLimit RateLimited RequestError
    ResponseError Saved ServerError Stalled Timeout Tokenization TooLarge ToolCall Truncated
    UnsupportedOperation Usage Verdict VideoOptions VideoTask VideoTasks __version__
"""

OPERATIONS = """
    chat stream_chat embed embed_multimodal moderate create_images get_images stream_images
    create_video get_video list_videos delete_video watch_video tokenize list_models upload_file
    get_file list_files delete_file
"""

TREE = {
    "DoubaoError": "Exception",
    "ConfigError": "DoubaoError",
    "RequestError": "DoubaoError",
    "InvalidRequest": "RequestError",
    "ContextOverflow": "InvalidRequest",
    "AuthenticationError": "RequestError",
    "PermissionDenied": "RequestError",
    "NotFound": "RequestError",
    "UnsupportedOperation": "RequestError",
    "ContentRejected": "RequestError",
    "InsufficientCredits": "RequestError",
    "RateLimited": "RequestError",
    "QuotaExceeded": "RateLimited",
    "ServerError": "DoubaoError",
    "ConnectionFailed": "DoubaoError",
    "ResponseError": "DoubaoError",
    "ConnectionLost": "ResponseError",
    "Truncated": "ResponseError",
    "Malformed": "ResponseError",
    "TooLarge": "ResponseError",
    "Timeout": "DoubaoError",
    "Stalled": "Timeout",
    "AmbiguousSubmit": "DoubaoError",
    "JobFailed": "DoubaoError",
    "JobExpired": "JobFailed",
    "ProfileWarning": "UserWarning",
}

TYPED = """
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import assert_type

from doubao_core import (
    AsyncClient, ChatCompletion, ChatDelta, Client, Embeddings, File, Files, ImageEvent, Images,
    Model, MultimodalEmbedding, Saved, Tokenization, VideoTask, VideoTasks,
)


def blocking(c: Client) -> None:
    assert_type(c.chat(model="m", messages=[], temperature=0.5), ChatCompletion)
    assert_type(c.stream_chat(model="m", messages=[]), Generator[ChatDelta])
    assert_type(c.embed(model="m", texts=["a"], dimensions=1), Embeddings)
    assert_type(c.embed_multimodal(model="m", parts=[]), MultimodalEmbedding)
    assert_type(c.create_images(model="m", prompt="p", size="2K"), Images)
    assert_type(c.stream_images(model="m", prompt="p"), Generator[ImageEvent])
    assert_type(c.create_video(model="m", content=[], duration=5), VideoTask)
    assert_type(c.get_video("cgt-1"), VideoTask)
    assert_type(c.list_videos(page_size=3), VideoTasks)
    c.delete_video("cgt-1")
    assert_type(c.watch_video("cgt-1", poll_interval=1.0), Generator[VideoTask])
    assert_type(c.tokenize(model="m", texts=["a"]), list[Tokenization])
    assert_type(c.list_models(), list[Model])
    assert_type(c.upload_file(Path("a")), File)
    assert_type(c.get_file("file-1"), File)
    assert_type(c.list_files(limit=1), Files)
    c.delete_file("file-1")
    assert_type(c.download("https://h/a", "out", name="a"), Saved)


async def awaiting(c: AsyncClient) -> None:
    assert_type(await c.chat(model="m", messages=[], temperature=0.5), ChatCompletion)
    assert_type(c.stream_chat(model="m", messages=[]), AsyncGenerator[ChatDelta])
    assert_type(await c.embed(model="m", texts=["a"], dimensions=1), Embeddings)
    assert_type(await c.embed_multimodal(model="m", parts=[]), MultimodalEmbedding)
    assert_type(await c.create_images(model="m", prompt="p", size="2K"), Images)
    assert_type(c.stream_images(model="m", prompt="p"), AsyncGenerator[ImageEvent])
    assert_type(await c.create_video(model="m", content=[], duration=5), VideoTask)
    assert_type(await c.get_video("cgt-1"), VideoTask)
    assert_type(await c.list_videos(page_size=3), VideoTasks)
    await c.delete_video("cgt-1")
    assert_type(c.watch_video("cgt-1", poll_interval=1.0), AsyncGenerator[VideoTask])
    assert_type(await c.tokenize(model="m", texts=["a"]), list[Tokenization])
    assert_type(await c.list_models(), list[Model])
    assert_type(await c.upload_file(Path("a")), File)
    assert_type(await c.get_file("file-1"), File)
    assert_type(await c.list_files(limit=1), Files)
    await c.delete_file("file-1")
    assert_type(await c.download("https://h/a", "out", name="a"), Saved)
"""

WRONG = """
from doubao_core import AsyncClient, Client

Client().chat(model="m", messages=[], temprature=0.5)
Client().chat(model=1, messages=[])
Client().get_video()
AsyncClient().create_video(model="m", content=[], seconds=5)
Client("ark")
"""


def test_the_public_names():
    assert sorted(doubao_core.__all__) == sorted(NAMES.split())
    for name in doubao_core.__all__:
        assert getattr(doubao_core, name) is not None


def test_every_public_name_says_what_it_is():
    for name in set(doubao_core.__all__) - {"__version__"}:
        assert getattr(doubao_core, name).__doc__, name


def test_the_operations():
    assert sorted(name for name in vars(Operations) if name[0] != "_") == sorted(OPERATIONS.split())


def test_the_error_tree():
    kinds = {
        name: value.__bases__[0].__name__
        for name in doubao_core.__all__
        if isinstance(value := getattr(doubao_core, name), type) and issubclass(value, Exception)
    }
    assert kinds == TREE


def python(*arguments):
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_importing_core_and_making_clients_loads_no_http_library_and_no_framework():
    heavy = {"httpx", "httpcore", "pydantic", "asyncio", "langchain_core", "llama_index", "openai"}
    heavy |= {
        "doubao_emulator",
        "langchain_doubao",
        "llamaindex_doubao",
        "ssl",
        "importlib.metadata",
    }
    code = f"""
import sys, doubao_core
doubao_core.Client(api_key="k"), doubao_core.AsyncClient(api_key="k")
print(sorted(set(sys.modules) & {heavy!r}))
"""
    done = python("-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}){code}")
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.skipif(find_spec("mypy") is None, reason="needs mypy, of the group lint")
@pytest.mark.timeout(180)
def test_editors_see_the_signature_of_every_operation_on_both_clients(tmp_path):
    (tmp_path / "typed.py").write_text(TYPED)
    (tmp_path / "wrong.py").write_text(WRONG)
    files = [str(tmp_path / "typed.py"), str(tmp_path / "wrong.py")]
    cache = ROOT / ".mypy_cache"
    done = python("-m", "mypy", "--strict", "--no-pretty", f"--cache-dir={cache}", *files)
    complaints = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert [line for line in complaints if "wrong.py" not in line] == []
    assert {int(line.split(":")[1]) for line in complaints} == {4, 5, 6, 7, 8}
