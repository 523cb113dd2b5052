"""Fields that are changed after a spec was made, and contexts that are none."""

from __future__ import annotations

import json
import logging

import pytest

from doubao_core import ConfigError, DoubaoError

PICTURE = {"prompt": "Tea", "size": "1K"}
FILM = {"prompt": "Tea", "duration": 4, "resolution": "480p"}


def copied(spec, **changes):
    return spec.model_copy(update=changes)


def changed(spec, **changes):
    for name, value in changes.items():
        setattr(spec, name, value)
    return spec


@pytest.fixture(params=[copied, changed])
def change(request):
    """Change fields of a spec: in a copy, or in the spec itself."""
    return request.param


@pytest.mark.parametrize("limit", ["max_video_jobs", "max_video_seconds", "max_video_cost"])
def test_a_limit_that_is_set_later_holds(make, call, change, creates, limit):
    spec = change(make(), **{limit: 0})
    with pytest.raises(ConfigError, match="at most"):
        call(spec, "generate_video", **FILM)
    assert not creates()


def test_copies_and_their_original_share_one_count(make, call, change, creates):
    spec = make(max_image_jobs=1)
    call(spec, "generate_image", **PICTURE)
    with pytest.raises(ConfigError, match="no call is left"):
        call(change(spec, show=()), "generate_image", **PICTURE)
    call(change(spec, max_image_jobs=2), "generate_image", **PICTURE)
    assert len(creates()) == 2


def test_a_ledger_that_is_named_later_is_used(make, call, change, creates, ledger, tmp_path):
    spec = make(jobs=ledger)
    first = call(spec, "generate_video", **FILM)
    other = change(spec, jobs=f"sqlite:///{tmp_path}/other.sqlite3")
    second = call(other, "generate_video", **FILM)
    assert len(creates()) == 2
    assert (tmp_path / "other.sqlite3").is_file()
    assert first.raw_output[0].result.task_id != second.raw_output[0].result.task_id


@pytest.mark.parametrize("tool", ["generate_image", "generate_video"])
def test_a_context_that_a_model_wrote_is_refused_before_anything_is_sent(make, call, creates, tool):
    given = PICTURE if tool == "generate_image" else FILM
    with pytest.raises(ConfigError, match="ctx: Extra inputs are not permitted"):
        call(make(), tool, **given, ctx="the user's garden")
    assert not creates()


# LlamaIndex's workflows look at every attribute of an agent, also at pydantic's deprecated ones.
@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
async def test_a_workflow_that_takes_no_events_loses_no_picture(
    open_spec, open_llm, creates, caplog
):
    from llama_index.core.agent.workflow import FunctionAgent
    from llama_index.core.workflow import Context

    class Closed(Context):
        def write_event_to_stream(self, event):
            raise RuntimeError("the stream is closed")

    spec = open_spec()
    ctx = Closed(FunctionAgent(tools=[], llm=open_llm))
    with caplog.at_level(logging.ERROR):
        told = (await spec.agenerate_image(**PICTURE, ctx=ctx))[0]
    assert told.result.saved
    assert spec.generate_image(**PICTURE, ctx=ctx)[0].result.saved
    assert len(creates()) == 2
    assert "a listener to events failed" in caplog.text


async def refusing(scope, receive, send):
    """A service that makes none of the pictures it was asked for."""
    if scope["type"] == "lifespan":
        await send({"type": (await receive())["type"] + ".complete"})
        await send({"type": (await receive())["type"] + ".complete"})
        return
    failed = {"error": {"code": "InternalServiceError", "message": "no"}}
    body = {"model": "m", "data": [failed, failed], "usage": {"generated_images": 0}}
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def test_a_call_that_made_nothing_says_why_and_no_more(make, call, served):
    spec = make(base_url=served(refusing))
    with pytest.raises(DoubaoError, match="Picture 2 failed: the service said") as failed:
        call(spec, "generate_image", **PICTURE, max_images=2)
    assert str(failed.value).startswith('Picture 1 failed: the service said "no"')
