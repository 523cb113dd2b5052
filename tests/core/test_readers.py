"""Streamed answers without a network: events, ends that are good, and ends that are not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubao_core import (
    ChatDelta,
    ContentRejected,
    DoubaoError,
    Malformed,
    RateLimited,
    ServerError,
    Truncated,
)
from doubao_core.api.answers import ChatReader, delta
from doubao_core.api.images import ImageReader

DONE = b"data: [DONE]\n\n"


def event(payload):
    return f"data: {json.dumps(payload)}\n\n".encode()


def chunk(content="", finish=None, **fields):
    choice = {"index": 0, "delta": {"role": "assistant", "content": content, **fields}}
    return event({"id": "02", "choices": [choice | ({"finish_reason": finish} if finish else {})]})


GOOD = [chunk("Hel"), chunk("lo"), chunk(finish="stop"), DONE]


def read(blocks, reader=None):
    """Read as the drivers do; gives the events and the failure."""
    reader, events = reader or ChatReader(), []
    try:
        for block in blocks:
            events += reader.feed(block)
            if reader.ended:
                break
        while rest := reader.close():
            events += rest
    except DoubaoError as error:
        return events, error, reader
    return events, None, reader


def test_a_whole_stream_ends_well():
    events, failure, reader = read(GOOD)
    assert failure is None
    assert reader.complete
    assert [each.content for each in events] == ["Hel", "lo", ""]
    assert [each.finish_reason for each in events] == [None, None, "stop"]
    assert reader.partial == "Hello"


def test_absent_null_and_empty_fields_are_the_same():
    nothing = ChatDelta("", "", "", None, None, None, {}, {})
    for raw in (
        {"choices": []},
        {"choices": None},
        {},
        {"choices": [{}]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": None, "tool_calls": [], "reasoning_content": ""}}]},
    ):
        nothing.raw, nothing.choice = raw, next(iter(raw.get("choices") or ()), {})
        assert delta(raw) == nothing


def test_of_several_choices_the_first_one_counts():
    """As in a plain answer; they come mixed, and two texts in one are none."""

    def part(index, text, **more):
        return {"index": index, "delta": {"content": text}, **more}

    choices = [[part(0, "A")], [part(1, "x")], [part(1, "y"), part(0, "B", finish_reason="stop")]]
    events, failure, reader = read([event({"choices": each}) for each in choices] + [DONE])
    assert failure is None
    assert [each.content for each in events] == ["A", "", "B"]
    assert [each.choice for each in events] == [choices[0][0], {}, choices[2][1]]
    assert reader.partial == "AB"


def test_every_field_of_an_event_is_found():
    raw = {
        "choices": [
            {
                "delta": {
                    "content": "c",
                    "reasoning_content": "r",
                    "encrypted_content": "dj==",
                    "tool_calls": [{"index": 0}],
                },
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {"total_tokens": 3},
    }
    (choice,) = raw["choices"]
    assert delta(raw) == ChatDelta(
        "c", "r", "dj==", [{"index": 0}], "tool_calls", {"total_tokens": 3}, choice, raw
    )


@pytest.mark.parametrize("cut", range(3))
def test_a_stream_without_its_end_marker_is_truncated(cut):
    events, failure, _ = read(GOOD[:cut])
    assert type(failure) is Truncated
    assert len(events) == cut


@pytest.mark.parametrize(
    "blocks",
    [
        [event({"choices": [], "usage": {"total_tokens": 3}})],
        [event({"choices": [{"delta": {"encrypted_content": "djF="}}]})],
        [event({"choices": [{"index": 1, "delta": {}, "finish_reason": "stop"}]})],
        [event({})],
    ],
    ids=["usage", "a seal", "another choice", "an empty event"],
)
def test_any_event_without_a_finish_reason_is_truncated(blocks):
    events, failure, _ = read([*blocks, DONE])
    assert type(failure) is Truncated
    assert len(events) == 1


@pytest.mark.parametrize("blocks", [[], [b": keep-alive\n\n"]])
def test_a_marker_without_any_event_is_no_answer(blocks):
    events, failure, _ = read([*blocks, DONE])
    assert type(failure) is Malformed
    assert events == []


def test_content_without_a_finish_reason_is_truncated_although_the_marker_came():
    events, failure, reader = read([chunk("Hel"), DONE])
    assert type(failure) is Truncated
    assert "finish reason" in str(failure)
    assert [each.content for each in events] == ["Hel"]
    assert reader.partial == "Hel"


def test_the_marker_may_lack_its_blank_line_and_may_go_on():
    assert read([*GOOD[:3], b"data: [DONE]"])[1] is None
    assert read([*GOOD[:3], b"data: [DONE] bye\n\n"])[1] is None


def test_a_last_event_without_its_blank_line_is_given_out_before_the_failure():
    events, failure, _ = read([chunk("Hel"), chunk("lo")[:-2]])
    assert [each.content for each in events] == ["Hel", "lo"]
    assert type(failure) is Truncated


def test_events_before_a_failure_in_the_same_block_are_given_out_first():
    error = event({"error": {"code": "InternalServiceError", "message": "x. Request id: 0217"}})
    events, failure, reader = read([chunk("Hel") + error + chunk("never")])
    assert [each.content for each in events] == ["Hel"]
    assert type(failure) is ServerError
    assert failure.request_id == "0217"
    assert reader.partial == "Hel"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("OutputTextSensitiveContentDetected", ContentRejected),
        ("ServerOverloaded", RateLimited),
        ("InternalServiceError", ServerError),
    ],
)
def test_an_error_event_is_raised_as_what_its_code_means(code, kind):
    _, failure, reader = read([event({"error": {"code": code, "message": "no"}}), DONE])
    assert type(failure) is kind
    assert not reader.complete


@pytest.mark.parametrize(
    "payload",
    [
        "{",
        "[1]",
        '"text"',
        "7",
        "NaN",
        '{"choices":{"a":1}}',
        '{"choices":[1]}',
        '{"choices":7}',
        '{"choices":["x"]}',
        '{"choices":[{"delta":"x"}]}',
        '{"choices":[{"delta":{"content":7}}]}',
        '{"choices":[{"delta":{"content":["x"]},"finish_reason":"stop"}]}',
        '{"choices":[{"delta":{"reasoning_content":["x"]}}]}',
        '{"choices":[{"delta":{"encrypted_content":7}}]}',
        '{"choices":[{"delta":{"tool_calls":["x"]}}]}',
        '{"choices":[{"delta":{"tool_calls":[{"index":"0"}]}}]}',
        '{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":[1]}}]}}]}',
        '{"choices":[{"delta":{},"logprobs":"x"}]}',
        '{"choices":[],"usage":{"prompt_tokens":"1"}}',
    ],
)
def test_an_event_of_another_shape_is_malformed(payload):
    events, failure, _ = read([f"data: {payload}\n\n".encode(), *GOOD])
    assert type(failure) is Malformed
    assert events == []


def test_reading_stops_at_a_failure_and_at_the_end():
    reader = ChatReader()
    reader.feed(b"data: {\n\n")
    assert reader.ended
    reader = ChatReader()
    for block in GOOD:
        assert not reader.ended
        reader.feed(block)
    assert reader.ended
    assert reader.feed(b"data: {broken\n\n") == reader.close() == []


@given(st.binary(max_size=400))
def test_any_bytes_give_events_or_one_of_our_errors(data):
    for reader in (ChatReader(), ImageReader()):
        _, failure, _ = read([data], reader)
        assert failure is None or isinstance(failure, DoubaoError)
        assert (failure is None) is reader.complete


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "content",
                    "tool_calls",
                    "usage",
                    "error",
                    "type",
                    "finish_reason",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSONS)
def test_any_json_gives_events_or_one_of_our_errors(value):
    for reader in (ChatReader(), ImageReader()):
        _, failure, _ = read([event(value), DONE], reader)
        assert failure is None or isinstance(failure, DoubaoError)


def picture(kind, **fields):
    name = f"image_generation.{kind}"
    return f"event: {name}\n".encode() + event({"type": name, "created": 1, **fields})


def test_a_picture_stream_gives_pictures_failures_and_the_end():
    failed = {"code": "OutputImageSensitiveContentDetected", "message": "no"}
    usage = {"generated_images": 1, "output_tokens": 16224, "total_tokens": 16224}
    events, failure, reader = read(
        [
            picture("partial_succeeded", image_index=0, url="https://h/0", size="2496x1664"),
            picture("partial_failed", image_index=1, error=failed),
            picture("completed", usage=usage),
            DONE,
        ],
        ImageReader(),
    )
    assert failure is None
    assert reader.partial == ""
    first, second, last = events
    assert (first.image.index, first.image.url, first.image.size) == (0, "https://h/0", "2496x1664")
    assert isinstance(second.image.error, ContentRejected)
    assert second.image.index == 1
    assert (last.type, last.image, last.usage.generated_images) == (
        "image_generation.completed",
        None,
        1,
    )


def test_a_picture_stream_need_not_be_completed():
    events, failure, _ = read(
        [picture("partial_succeeded", url="https://h/0"), DONE], ImageReader()
    )
    assert failure is None
    assert events[0].image.index == 0


@pytest.mark.parametrize("named", [{}, {"type": "error"}, {"type": "image_generation.failed"}])
def test_the_failure_of_a_whole_picture_request_is_raised(named):
    error = {"error": {"code": "InternalServiceError", "message": "no"}}
    events, failure, _ = read(
        [picture("partial_succeeded", url="https://h/0"), event(named | error), DONE], ImageReader()
    )
    assert len(events) == 1
    assert type(failure) is ServerError
