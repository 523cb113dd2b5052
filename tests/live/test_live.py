"""One short test per operation against the real service, on its cheapest models.

``ARK_API_KEY=… pytest tests/live -m live [--video]``; ``DOUBAO_PROVIDER=byteplus`` for BytePlus.
It costs some hundred tokens and one picture; with ``--video`` a film of four seconds too.
"""

from __future__ import annotations

import pytest

from doubao_core import NotFound, UnsupportedOperation

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

MODELS = {
    "ark": {
        "chat": "doubao-seed-2-0-mini-260428",
        "vision": "doubao-embedding-vision-251215",
        "image": "doubao-seedream-4-0-250828",
        "video": "doubao-seedance-1-0-pro-fast-251015",
    },
    "byteplus": {
        "chat": "seed-2-0-mini-260428",
        "vision": "skylark-embedding-vision-251215",
        "image": "seedream-4-0-250828",
        "video": "seedance-1-0-pro-fast-251015",
    },
}
HELLO = [{"role": "user", "content": "Say hello in one word."}]


@pytest.fixture
def model(client):
    """Give the cheap models of the provider."""
    return MODELS[client.provider.removesuffix("-eu")].__getitem__


def test_chat(client, model):
    answer = client.chat(model=model("chat"), messages=HELLO, thinking={"type": "disabled"})
    assert answer.content
    assert answer.finish_reason == "stop"
    assert answer.usage.completion_tokens > 0
    assert answer.request_id


def test_streamed_chat(client, model):
    options = {"thinking": {"type": "enabled"}, "stream_options": {"include_usage": True}}
    events = list(client.stream_chat(model=model("chat"), messages=HELLO, **options))
    assert "".join(event.content for event in events)
    assert "".join(event.reasoning_content for event in events)
    assert events[-1].usage["total_tokens"] > 0


def test_text_embeddings(client):
    if client.provider != "ark":
        pytest.skip("BytePlus has no text embeddings")
    result = client.embed(model="doubao-embedding-large-text-250515", texts=["a", "b"])
    assert len(result.vectors) == 2
    assert len(result.vectors[0]) >= 1024


def test_multimodal_embeddings(client, model):
    parts = [{"type": "text", "text": "red shoe"}]
    result = client.embed_multimodal(model=model("vision"), parts=parts, dimensions=1024)
    assert len(result.vector) == 1024


def test_pictures(client, model, tmp_path):
    result = client.create_images(model=model("image"), prompt="a red dot", size="1K")
    saved = client.download(result.images[0].url, tmp_path, name="dot")
    assert saved.media_type.startswith("image/")


def test_films(film_wanted, client, model, tmp_path):
    task = client.create_video(
        model=model("video"),
        content=[{"type": "text", "text": "a red dot moves to the right"}],
        resolution="480p",
        duration=2,
    )
    *_, last = client.watch_video(task.id, poll_interval=5.0, wait_timeout=600.0)
    saved = client.download(last.checked().video_url, tmp_path, name="film")
    assert saved.media_type == "video/mp4"
    assert client.list_videos(task_ids=[task.id]).total == 1
    client.delete_video(task.id)


def test_tasks_that_do_not_exist(client):
    assert client.list_videos(page_size=1).total >= 0
    with pytest.raises(NotFound) as caught:
        client.get_video("cgt-20260101000000-aaaaa")
    assert caught.value.request_id


def test_tokens(client, model):
    if client.provider != "ark":
        with pytest.raises(UnsupportedOperation):
            client.tokenize(model=model("chat"), texts=["a"])
        return
    (result,) = client.tokenize(model=model("chat"), texts=["你好"])
    assert result.total_tokens == len(result.token_ids)


def test_models(client):
    assert any(each.context_window for each in client.list_models())


def test_files(client):
    file = client.upload_file(b"%PDF-1.4\n%%EOF\n", filename="empty.pdf")
    try:
        assert client.get_file(file.id).id == file.id
        assert client.list_files(limit=1).items
    finally:
        client.delete_file(file.id)
