"""Each operation without I/O: what it sends, and what it makes of good, odd and broken answers."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from doubao_core import (
    AmbiguousSubmit,
    ConfigError,
    ContentRejected,
    DoubaoError,
    JobExpired,
    JobFailed,
    Malformed,
    ServerError,
    ToolCall,
    Usage,
    VideoTask,
)
from doubao_core.api import Operations
from doubao_core.operation import Repeat

ANSWER = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
ERROR = {"code": "InternalServiceError", "message": "no"}


def flow(name, *args, **kwargs):
    return getattr(Operations, name).flow(*args, **kwargs)


def chat(**options):
    return flow("chat", model="m", messages=[{"role": "user", "content": "q"}], **options)


def packed(*numbers):
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


CALLS = {
    "chat": (chat, "chat.create", Repeat.SAFE),
    "embed": (lambda: flow("embed", model="m", texts=["a"]), "embeddings.create", Repeat.SAFE),
    "embed_multimodal": (
        lambda: flow("embed_multimodal", model="m", parts=[{"type": "text", "text": "a"}]),
        "embeddings.multimodal",
        Repeat.SAFE,
    ),
    "create_images": (
        lambda: flow("create_images", model="m", prompt="cat"),
        "images.create",
        Repeat.REFUSED_ONLY,
    ),
    "create_video": (
        lambda: flow("create_video", model="m", content=[{"type": "text", "text": "cat"}]),
        "videos.create",
        Repeat.REFUSED_ONLY,
    ),
    "get_video": (lambda: flow("get_video", "cgt-1"), "videos.get", Repeat.SAFE),
    "list_videos": (lambda: flow("list_videos"), "videos.list", Repeat.SAFE),
    "delete_video": (lambda: flow("delete_video", "cgt-1"), "videos.delete", Repeat.SAFE),
    "tokenize": (
        lambda: flow("tokenize", model="m", texts=["a"]),
        "tokenization.create",
        Repeat.SAFE,
    ),
    "list_models": (lambda: flow("list_models"), "models.list", Repeat.SAFE),
    "upload_file": (
        lambda: flow("upload_file", b"x", filename="a.txt"),
        "files.create",
        Repeat.REFUSED_ONLY,
    ),
    "get_file": (lambda: flow("get_file", "file-1"), "files.get", Repeat.SAFE),
    "list_files": (lambda: flow("list_files"), "files.list", Repeat.SAFE),
    "delete_file": (lambda: flow("delete_file", "file-1"), "files.delete", Repeat.SAFE),
}


@pytest.mark.parametrize(("make", "operation", "repeat"), CALLS.values(), ids=CALLS)
def test_each_operation_sends_one_request_and_says_whether_it_may_be_repeated(
    make, operation, repeat
):
    send = next(make())
    assert (send.operation, send.repeat) == (operation, repeat)


FIELDS = (
    *("choices", "message", "content", "tool_calls", "function", "usage", "error", "id", "data"),
    *("embedding", "index", "sparse_embedding", "items", "total", "status", "token_limits", "url"),
    *("modalities", "task_type", "total_tokens", "token_ids", "offset_mapping", "video_url"),
)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=14,
)


@pytest.mark.parametrize("name", CALLS)
@given(value=JSONS)
def test_any_answer_is_a_result_or_one_of_our_errors(pump, name, value):
    try:
        assert len(pump(CALLS[name][0](), value).sends) == 1
    except ConfigError:
        pytest.fail("the caller was blamed for the answer")
    except DoubaoError:
        return


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff"])
def test_an_answer_that_is_no_object_is_malformed_or_ambiguous(pump, name, body):
    make, _, repeat = CALLS[name]
    if name.startswith("delete"):
        assert pump(make(), body).result is None
        return
    with pytest.raises(Malformed if repeat is Repeat.SAFE else AmbiguousSubmit):
        pump(make(), body)


def test_a_chat_answer(pump):
    usage = {
        "prompt_tokens": 5,
        "completion_tokens": 7,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": ' {"a": 1}'}}
    message = {
        "role": "assistant",
        "content": "",
        "reasoning_content": "hm",
        "encrypted_content": "dj==",
        "tool_calls": [call],
    }
    body = {
        "id": "02",
        "model": "m-1",
        "created": 9,
        "service_tier": "flex",
        "choices": [{"finish_reason": "tool_calls", "index": 0, "message": message}],
        "usage": usage,
    }
    answer = pump(chat(), body).result
    assert answer.tool_calls == (ToolCall(id="call_1", name="f", arguments=' {"a": 1}'),)
    assert (answer.reasoning_content, answer.encrypted_content) == ("hm", "dj==")
    assert (answer.id, answer.model, answer.created, answer.service_tier) == (
        "02",
        "m-1",
        9,
        "flex",
    )
    assert (answer.finish_reason, answer.request_id, answer.raw) == ("tool_calls", "0217", body)
    assert answer.usage == Usage(
        prompt_tokens=5,
        completion_tokens=7,
        total_tokens=12,
        cached_tokens=2,
        reasoning_tokens=3,
        raw=usage,
    )


def test_a_chat_answer_without_usage_or_ids(pump):
    answer = pump(chat(), ANSWER).result
    assert (answer.content, answer.usage, answer.id, answer.model) == ("hi", None, "", "")


@pytest.mark.parametrize("choices", [[], [7], {"index": 0}, [{"index": 1, "message": {}}]])
def test_an_answer_without_a_first_choice_is_malformed_and_has_its_id(pump, choices):
    with pytest.raises(Malformed) as caught:
        pump(chat(), {"choices": choices})
    assert (caught.value.request_id, caught.value.operation) == ("0217", "chat.create")


def test_arguments_that_came_as_an_object_become_text(pump):
    call = {"id": "c", "function": {"name": "f", "arguments": {"城": 2**60}}}
    answer = pump(chat(), {"choices": [{"message": {"tool_calls": [call]}}]}).result
    assert answer.tool_calls == (ToolCall(id="c", name="f", arguments=f'{{"城":{2**60}}}'),)


def test_the_first_choice_is_the_one_with_that_index(pump):
    first = {"index": 0, "message": {"content": "yes"}, "logprobs": {"content": []}}
    other = {"index": 1, "message": {"content": "no"}}
    answer = pump(chat(), {"choices": [other, first]}).result
    assert (answer.content, answer.choice) == ("yes", first)


def test_headers_of_a_call_are_not_in_its_body_nor_to_be_seen():
    send = next(chat(extra_headers={"X-Team": SecretStr("tea-secret")}))
    assert send.headers == {"X-Team": "tea-secret"}
    assert "extra_headers" not in send.body
    assert "tea-secret" not in f"{send!r}{send.intent}"


def test_usage_that_says_little():
    assert Usage.parse({"prompt_tokens": 2, "completion_tokens": 3}).total_tokens == 5
    assert Usage.parse({}).cached_tokens is None


def test_an_error_under_status_200_is_raised_as_what_it_means(pump):
    with pytest.raises(ServerError):
        pump(chat(), {"error": ERROR})
    with pytest.raises(ServerError):
        pump(CALLS["create_images"][0](), {"error": ERROR})
    with pytest.raises(ServerError):
        pump(CALLS["create_video"][0](), {"error": ERROR})


@pytest.mark.parametrize("answer", [{}, b"", {"error": {"code": "ModelNotOpen", "message": "m"}}])
def test_an_answer_that_is_none_names_its_operation(pump, answer):
    with pytest.raises(DoubaoError) as caught:
        pump(chat(), answer)
    assert caught.value.operation == "chat.create"


def test_chat_options_are_sent_by_their_wire_names_without_nulls():
    send = next(chat(temperature=0.0, top_p=None, stop=["x"], extra_body={"new": 1}))
    assert send.body == {
        "model": "m",
        "messages": [{"role": "user", "content": "q"}],
        "temperature": 0.0,
        "stop": ["x"],
        "new": 1,
    }


def test_vectors_come_in_the_order_of_the_texts(pump):
    data = [{"index": 1, "embedding": packed(3, 4)}, {"index": 0, "embedding": [1.0, 2.0]}]
    result = pump(flow("embed", model="m", texts=["a", "b"]), {"data": data, "id": "02"}).result
    assert result.vectors == [[1.0, 2.0], [3.0, 4.0]]
    assert (result.model, result.raw) == ("m", {"id": "02"})


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        [{"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 2, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": "***"}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": "AAA="}],
        [{"index": 0, "embedding": [1.0]}, {"index": "one", "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [None]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": ["1"]}],
        [{"index": 0, "embedding": []}, {"index": 1, "embedding": []}],
        [{"index": 0, "embedding": ""}, {"index": 1, "embedding": ""}],
    ],
)
def test_vectors_that_are_not_one_each_are_malformed(pump, data):
    with pytest.raises(Malformed):
        pump(flow("embed", model="m", texts=["a", "b"]), {"data": data})


@pytest.mark.parametrize("texts", [[], ["a"] * 257, ["a", ""], ["a", None], "abc"])
def test_texts_that_the_service_refuses_are_refused_first(texts):
    with pytest.raises(ConfigError):
        next(flow("embed", model="m", texts=texts))


def test_texts_are_sent_untouched():
    texts = [" a\n", "\u200b b", "c" * 256]
    assert next(flow("embed", model="m", texts=texts)).body["input"] == texts
    assert len(next(flow("embed", model="m", texts=["a"] * 256)).body["input"]) == 256


@pytest.mark.parametrize("wrap", [lambda data: data, lambda data: [data]])
def test_a_multimodal_vector_is_an_object_or_a_list_of_one(pump, wrap):
    data = wrap({"embedding": packed(1, 2), "sparse_embedding": [{"index": 4, "value": 0.5}]})
    result = pump(CALLS["embed_multimodal"][0](), {"data": data}).result
    assert (result.vector, result.sparse) == ([1.0, 2.0], {4: 0.5})


def test_empty_and_mistaken_requests_are_refused_before_anything_is_sent():
    for name, arguments in [
        ("embed_multimodal", {"model": "m", "parts": []}),
        ("create_video", {"model": "m", "content": []}),
        ("create_images", {"model": "m", "prompt": " "}),
        ("tokenize", {"model": "m", "texts": []}),
        ("tokenize", {"model": "m", "texts": "abc"}),
        ("list_videos", {"task_ids": "abc"}),
        ("upload_file", {"content": b"x"}),
    ]:
        with pytest.raises(ConfigError):
            next(flow(name, **arguments))


def test_a_picture_request_may_lack_its_prompt_for_layers():
    send = next(flow("create_images", model="m", prompt="", layer_decomposition=True))
    assert send.body == {"model": "m", "layer_decomposition": True}


def test_pictures_that_failed_keep_their_place(pump):
    failed = {"code": "OutputImageSensitiveContentDetected", "message": "no"}
    body = {"model": "m-1", "created": 9, "data": [{"url": "u", "size": "1x1"}, {"error": failed}]}
    images = pump(CALLS["create_images"][0](), body).result
    first, second = images.images
    assert (first.index, first.url, first.error) == (0, "u", None)
    assert (second.index, second.url) == (1, None)
    assert isinstance(second.error, ContentRejected)
    assert (images.model, images.usage, images.request_id) == ("m-1", None, "0217")


def test_a_task_is_read_whatever_is_missing():
    task = VideoTask.parse({"id": "cgt-1"})
    assert (task.status, task.video_url, task.error, task.ended) == ("queued", None, None, False)
    assert VideoTask.parse({"id": "cgt-1", "status": "paused"}).status == "paused"


@pytest.mark.parametrize(
    ("status", "kind"), [("failed", JobFailed), ("cancelled", JobFailed), ("expired", JobExpired)]
)
def test_a_task_that_ended_badly_raises_when_asked(status, kind):
    error = {"code": "OutputVideoSensitiveContentDetected", "message": "no. Request id: 0217"}
    task = VideoTask.parse({"id": "cgt-1", "status": status, "error": error})
    assert task.ended
    with pytest.raises(kind, match=f"cgt-1 ended as {status}: no") as caught:
        task.checked()
    assert (caught.value.code, caught.value.request_id) == (error["code"], "0217")
    with pytest.raises(kind, match="gave no reason"):
        VideoTask.parse({"id": "cgt-1", "status": status}).checked()


@pytest.mark.parametrize("status", ["queued", "running", "succeeded", "something-new"])
def test_a_task_that_did_not_end_badly_is_given_back(status):
    task = VideoTask.parse({"id": "cgt-1", "status": status})
    assert task.checked() is task


def test_list_filters_are_query_pairs():
    send = next(flow("list_videos", page_size=5, status="failed", task_ids=["cgt-a", "cgt-b"]))
    assert send.query == (
        ("page_size", "5"),
        ("filter.status", "failed"),
        ("filter.task_ids", "cgt-a"),
        ("filter.task_ids", "cgt-b"),
    )
    with pytest.raises(ConfigError):
        next(flow("list_videos", task_ids=["../x"]))


@pytest.mark.parametrize("name", ["get_video", "delete_video", "get_file", "delete_file"])
def test_an_id_that_leads_elsewhere_is_refused(name):
    with pytest.raises(ConfigError, match="is not an id"):
        next(flow(name, "../../models"))


def test_an_upload_has_the_documented_form(tmp_path):
    path = tmp_path / "demo.mp4"
    path.write_bytes(b"film")
    send = next(flow("upload_file", path, expire_at=1790604800, video_fps=0.3))
    assert send.form == {
        "purpose": "user_data",
        "expire_at": "1790604800",
        "preprocess_configs[video][fps]": "0.3",
    }
    assert (send.upload.filename, send.upload.content) == ("demo.mp4", path)
    with pytest.raises(ConfigError, match="there is no file"):
        next(flow("upload_file", tmp_path / "none"))
