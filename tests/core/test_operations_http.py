"""Every operation over HTTP, good and bad, by both drivers."""

from __future__ import annotations

import base64

import pytest

from doubao_core import (
    AuthenticationError,
    ConfigError,
    ContentRejected,
    InvalidRequest,
    JobFailed,
    Malformed,
    NotFound,
    PermissionDenied,
    RequestError,
)

SEED = "doubao-seed-2-1-pro-260915"
SEEDREAM = "doubao-seedream-4-0-250828"
SEEDANCE = "doubao-seedance-2-0-fast-260128"
TEXT = "doubao-embedding-large-text-250515"
VISION = "doubao-embedding-vision-251215"
HELLO = [{"role": "user", "content": "Hello"}]
FILM = {"model": SEEDANCE, "content": [{"type": "text", "text": "A cat yawns"}]}
SMALL = {"resolution": "480p", "duration": 4}


def test_a_chat_answer_has_everything_the_service_said(client, emulator):
    emulator.answer("Hi!", reasoning="The user greets.", usage={"completion_tokens": 9})
    answer = client.chat(model=SEED, messages=HELLO)
    assert (answer.content, answer.finish_reason, answer.model) == ("Hi!", "stop", SEED)
    assert answer.reasoning_content
    assert answer.encrypted_content.startswith("dj")
    assert answer.usage.completion_tokens == 9
    assert answer.request_id == answer.id


def test_a_chat_request_carries_what_was_given_and_nothing_else(client, emulator, key):
    client.chat(model=SEED, messages=HELLO, temperature=0.5, user=None)
    request = emulator.requests[-1]
    assert (request.method, request.path) == ("POST", "/api/v3/chat/completions")
    assert request.body == {"model": SEED, "messages": HELLO, "temperature": 0.5}
    assert request.headers["authorization"] == f"Bearer {key}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"


def test_a_header_of_a_call_is_a_header_of_its_request(client, emulator):
    ask = {"model": SEED, "messages": HELLO}
    client.chat(**ask, extra_headers={"X-Ark-Max-Wait-Timeout-Ms": "1000"})
    list(client.stream_chat(**ask, extra_headers={"User-Agent": "mine", "Authorization": "no"}))
    client.chat(**ask)
    first, second, third = [each.headers for each in emulator.requests]
    assert first["x-ark-max-wait-timeout-ms"] == "1000"
    assert second["user-agent"] == "mine"
    assert second["authorization"] == third["authorization"] != "no"
    assert third.keys() == first.keys() - {"x-ark-max-wait-timeout-ms"}
    assert not any("extra_headers" in each.body for each in emulator.requests)


@pytest.mark.parametrize("body", [b'{"choices":', {"choices": []}, {"choices": "x"}, {}])
def test_an_answer_that_cannot_be_read_has_the_id_of_its_request(client, emulator, body):
    emulator.answer(body=body)
    with pytest.raises(Malformed) as caught:
        client.chat(model=SEED, messages=HELLO)
    assert caught.value.request_id.startswith("02")
    assert caught.value.request_id in str(caught.value)


def test_an_answer_that_is_no_stream_has_the_id_of_its_request(client, emulator):
    emulator.answer(body={"choices": []})
    with pytest.raises(Malformed, match="asked for an event stream") as caught:
        list(client.stream_chat(model=SEED, messages=HELLO))
    assert caught.value.request_id.startswith("02")


def test_an_answer_that_the_content_filter_cut_is_an_answer(client, emulator):
    emulator.answer("Once upon", finish_reason="content_filter")
    answer = client.chat(model=SEED, messages=HELLO)
    assert (answer.content, answer.finish_reason) == ("Once upon", "content_filter")


def test_a_stream_tells_the_same_as_the_plain_answer(client, emulator):
    emulator.answer("One two three", reasoning="Count.", tool_calls=[("f", {"a": 1})], times=2)
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    plain = client.chat(model=SEED, messages=HELLO, tools=tools)
    events = list(
        client.stream_chat(
            model=SEED, messages=HELLO, tools=tools, stream_options={"include_usage": True}
        )
    )
    assert "".join(each.content for each in events) == plain.content == "One two three"
    assert "".join(each.reasoning_content for each in events) == plain.reasoning_content
    assert "".join(each.encrypted_content for each in events) == plain.encrypted_content
    fragments = [part for each in events for part in each.tool_calls or ()]
    assert fragments[0]["function"]["name"] == "f"
    arguments = "".join(part["function"].get("arguments", "") for part in fragments)
    assert arguments == plain.tool_calls[0].arguments
    assert [each.finish_reason for each in events if each.finish_reason] == ["tool_calls"]
    assert events[-1].usage["total_tokens"] == plain.usage.total_tokens
    assert emulator.requests[-1].body["stream"] is True


def test_a_stream_tells_the_id_of_its_request_where_it_ends(client):
    """It is in the head of the answer only; here the service gives the answer the same one."""
    events = list(client.stream_chat(model=SEED, messages=HELLO))
    told = [each.request_id for each in events if each.request_id]
    assert told == [events[0].raw["id"]]


def test_a_failure_inside_a_stream_has_the_id_of_its_request(client, emulator):
    failure = {"error": {"code": "OutputTextSensitiveContentDetected", "message": "Blocked."}}
    emulator.answer(events=[failure])
    with pytest.raises(ContentRejected) as caught:
        list(client.stream_chat(model=SEED, messages=HELLO))
    assert caught.value.request_id.startswith("02")


def test_similar_texts_have_near_vectors(client):
    result = client.embed(model=TEXT, texts=["a small cat", "a small kitten cat", "tax law"])
    cat, kitten, law = result.vectors

    def dot(left, right):
        return sum(a * b for a, b in zip(left, right, strict=True))

    assert dot(cat, kitten) > dot(cat, law)
    assert result.model == TEXT
    assert result.usage.prompt_tokens > 0


def test_vectors_travel_as_base64(client, emulator):
    result = client.embed(model=TEXT, texts=["a"], dimensions=512)
    assert len(result.vectors[0]) == 512
    assert emulator.requests[-1].body == {
        "model": TEXT,
        "input": ["a"],
        "encoding_format": "base64",
        "dimensions": 512,
    }


def test_a_document_of_several_parts_has_one_vector(client, emulator):
    parts = [{"type": "text", "text": "red shoe"}]
    result = client.embed_multimodal(
        model=VISION, parts=parts, dimensions=1024, sparse_embedding={"type": "enabled"}
    )
    assert len(result.vector) == 1024
    assert result.sparse
    assert all(isinstance(index, int) and weight > 0 for index, weight in result.sparse.items())
    assert emulator.requests[-1].body["input"] == parts


def test_pictures_are_made_and_downloaded(client, tmp_path):
    """Shows R000-55."""
    result = client.create_images(model=SEEDREAM, prompt="a red cat", size="1K")
    (image,) = result.images
    assert (image.size, image.error) == ("1024x1024", None)
    assert result.usage.generated_images == 1
    saved = client.download(image.url, tmp_path, name="cat")
    assert (saved.media_type, saved.path) == ("image/jpeg", tmp_path / "cat.jpeg")
    assert saved.size == saved.path.stat().st_size


def test_pictures_may_come_inline(client):
    result = client.create_images(
        model=SEEDREAM, prompt="a red cat", size="1K", response_format="b64_json"
    )
    assert base64.b64decode(result.images[0].b64_json).startswith(b"\xff\xd8\xff")
    assert result.images[0].url is None


GROUP = {
    "model": SEEDREAM,
    "prompt": "three cats, three pictures",
    "size": "1K",
    "sequential_image_generation": "auto",
    "sequential_image_generation_options": {"max_images": 3},
}


def test_pictures_of_a_group_come_one_by_one(client):
    events = list(client.stream_images(**GROUP))
    pictures = [event.image for event in events if event.image]
    assert [picture.index for picture in pictures] == list(range(len(pictures)))
    assert len(pictures) > 1
    assert events[-1].usage.generated_images == len(pictures)


def test_a_picture_of_a_group_that_failed_does_not_end_the_others(client, emulator):
    with emulator.fault("group_image_failed", index=1):
        plain = client.create_images(**GROUP)
        events = list(client.stream_images(**GROUP))
    for pictures in (plain.images, [event.image for event in events if event.image]):
        assert isinstance(pictures[1].error, ContentRejected)
        assert pictures[0].url
        assert pictures[2].url


def test_a_film_is_made_watched_and_downloaded(client, tmp_path):
    """Shows R000-55."""
    task = client.create_video(**FILM, **SMALL)
    assert task.status == "queued"
    *_, last = client.watch_video(task.id)
    assert last.checked().status == "succeeded"
    assert last.completion_tokens > 0
    saved = client.download(last.video_url, tmp_path, name="film")
    assert saved.media_type == "video/mp4"


def test_a_film_that_failed_says_why(client, emulator):
    with emulator.fault("task_failed"):
        task = client.create_video(**FILM, **SMALL)
        *_, last = client.watch_video(task.id)
    assert last.status == "failed"
    assert last.error.code
    with pytest.raises(JobFailed) as caught:
        last.checked()
    assert caught.value.code == last.error.code


def test_tasks_are_listed_and_removed(client):
    ids = [client.create_video(**FILM, **SMALL).id for _ in range(3)]
    page = client.list_videos(page_size=2)
    assert (page.total, len(page.items)) == (3, 2)
    assert [task.id for task in client.list_videos(task_ids=ids[:1]).items] == ids[:1]
    assert client.delete_video(ids[0]) is None
    with pytest.raises(NotFound):
        client.get_video(ids[0])


def test_texts_are_cut_into_tokens(client):
    first, second = client.tokenize(model="doubao-seed-2-0-lite-260215", texts=["你好 world", "b"])
    assert first.total_tokens == len(first.token_ids) == len(first.offset_mapping)
    assert first.offset_mapping[-1][1] == len("你好 world")
    assert second.total_tokens == 1


def test_models_are_listed_with_their_limits(client):
    models = {model.id: model for model in client.list_models()}
    assert models[SEED].context_window > 100_000
    assert "text" in models[SEED].input_modalities


@pytest.mark.parametrize("as_path", [False, True])
def test_a_file_is_uploaded_found_listed_and_removed(client, emulator, tmp_path, as_path):
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4 text")
    content = tmp_path / "a.pdf" if as_path else b"%PDF-1.4 text"
    file = client.upload_file(content, filename="a.pdf", media_type="application/pdf")
    assert (file.filename, file.mime_type) == ("a.pdf", "application/pdf")
    assert emulator.requests[-1].headers["content-type"].startswith("multipart/form-data")
    found = client.get_file(file.id)
    assert (found.status, found.bytes) == ("active", 13)
    page = client.list_files(limit=1)
    assert (page.items[0].id, page.has_more, page.last_id) == (file.id, False, file.id)
    client.delete_file(file.id)
    with pytest.raises(NotFound):
        client.get_file(file.id)


BAD = {
    "chat": (lambda c: c.chat(model="nope", messages=HELLO), NotFound),
    "chat without messages": (lambda c: c.chat(model=SEED, messages=[]), InvalidRequest),
    "stream": (lambda c: list(c.stream_chat(model="nope", messages=HELLO)), NotFound),
    "embed": (lambda c: c.embed(model=TEXT, texts=["a"], dimensions=7), InvalidRequest),
    "multimodal": (
        lambda c: c.embed_multimodal(
            model=VISION, parts=[{"type": "text", "text": "a"}], dimensions=7
        ),
        InvalidRequest,
    ),
    "image": (
        lambda c: c.create_images(model=SEEDREAM, prompt="cat", size="16x16"),
        InvalidRequest,
    ),
    "image stream": (
        lambda c: list(c.stream_images(model="doubao-seedream-5-0-pro-260628", prompt="cat")),
        InvalidRequest,
    ),
    "film": (lambda c: c.create_video(**FILM, resolution="4k"), InvalidRequest),
    "task": (lambda c: c.get_video("cgt-none"), NotFound),
    "removal": (lambda c: c.delete_video("cgt-none"), NotFound),
    "list": (lambda c: c.list_videos(page_size=501), InvalidRequest),
    "tokens": (lambda c: c.tokenize(model="nope", texts=["a"]), NotFound),
    "file": (lambda c: c.get_file("file-none"), NotFound),
    "file removal": (lambda c: c.delete_file("file-none"), NotFound),
    "file list": (lambda c: c.list_files(limit=100_000), InvalidRequest),
    "upload": (lambda c: c.upload_file(b"x", filename="a", purpose="nope"), InvalidRequest),
}


@pytest.mark.parametrize(("call", "kind"), BAD.values(), ids=BAD)
def test_what_the_service_refuses_is_raised_with_all_it_said(client, emulator, naps, call, kind):
    with pytest.raises(kind) as caught:
        call(client)
    error = caught.value
    assert type(error) is kind
    assert error.status in {400, 404}
    assert error.code == error.body["code"]
    assert error.request_id.startswith("02")
    assert error.gateway == "ark"
    assert error.operation
    assert error.partial == ""
    assert (len(emulator.requests), naps) == (1, [])


def test_a_model_that_is_not_open_is_a_matter_of_permission(client, emulator):
    with emulator.fault("model_not_open"), pytest.raises(PermissionDenied) as caught:
        client.chat(model=SEED, messages=HELLO)
    assert (caught.value.status, caught.value.code) == (404, "ModelNotOpen")


def test_a_running_task_cannot_be_removed_and_that_is_not_repeated(make_client, naps):
    from doubao_emulator import AfterReads, Emulator

    with Emulator(progress=AfterReads(5)) as slow:
        client = make_client(base_url=slow.base_url)
        task = client.create_video(**FILM, **SMALL)
        assert [client.get_video(task.id).status for _ in range(2)][-1] == "running"
        with pytest.raises(RequestError) as caught:
            client.delete_video(task.id)
    assert caught.value.code == "InvalidAction.RunningTaskDeletion"
    assert (caught.value.status, naps) == (409, [])


def test_a_refused_key_is_an_authentication_error(make_client, emulator):
    client = make_client(base_url=emulator.base_url, api_key="None")
    with pytest.raises(AuthenticationError) as caught:
        client.list_models()
    assert caught.value.status == 401


def test_a_download_is_refused_when_its_signature_is(client, tmp_path):
    result = client.create_images(model=SEEDREAM, prompt="a red cat", size="1K")
    url, _, _ = result.images[0].url.partition("?")
    with pytest.raises((PermissionDenied, NotFound)):
        client.download(url, tmp_path, name="cat")
    assert list(tmp_path.iterdir()) == []


def test_a_download_over_the_limit_is_refused_and_leaves_nothing(client, tmp_path):
    result = client.create_images(model=SEEDREAM, prompt="a red cat", size="1K")
    with pytest.raises(Exception, match="larger than 100 bytes"):
        client.download(result.images[0].url, tmp_path, name="cat", max_bytes=100)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/a.mp4", "file:///etc/passwd", "https://localhost/a"]
)
def test_nothing_is_downloaded_from_private_places(client, emulator, tmp_path, url):
    with pytest.raises(ConfigError, match="will not download"):
        client.download(url, tmp_path, name="x")
    assert emulator.requests == []


def test_a_download_never_carries_the_key(client, emulator, tmp_path, key):
    result = client.create_images(model=SEEDREAM, prompt="a red cat", size="1K")
    client.download(result.images[0].url, tmp_path, name="cat")
    request = emulator.requests[-1]
    assert request.path.startswith("/media/")
    assert "authorization" not in request.headers
    assert key not in str(request.headers)


def test_the_emulator_in_this_process_does_the_whole_job(make_client, tmp_path):
    """No key, no address: what the quick start does."""
    client = make_client(provider="emulator", api_key=None)
    answer = client.chat(model=SEED, messages=[{"role": "user", "content": "What is 2+2?"}])
    assert "4" in answer.content
    result = client.create_images(model=SEEDREAM, prompt="a red cat", size="1K")
    assert client.download(result.images[0].url, tmp_path, name="cat").size > 1000
