"""Fields that are changed after a spec was made, and contexts that are none."""

from __future__ import annotations

import logging

import pytest

from doubao_core import ConfigError

PICTURE = {"prompt": "Tea", "size": "1K"}
FILM = {"prompt": "Tea", "duration": 4, "resolution": "480p"}


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
