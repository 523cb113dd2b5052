"""What a model is told of places: file names that it can pass on, and no folder of the machine."""

from __future__ import annotations

import asyncio
import traceback

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.memory import ChatMemoryBuffer

from doubao_core import ConfigError
from doubao_core.media.errors import PlaceError

pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")

FILM = {"duration": 4, "resolution": "480p"}


@pytest.fixture
def blocked(tmp_path):
    """Give a folder that cannot be made: there is a file in its way."""
    (tmp_path / "file").write_text("x")
    return tmp_path / "file" / "media"


@pytest.fixture(params=["sync", "async"])
def film(request):
    """Order a film, blocking or awaited."""

    def film(spec):
        if request.param == "sync":
            return spec.generate_video("Tea", **FILM)

        async def awaited():
            try:
                return await spec.agenerate_video("Tea", **FILM)
            finally:
                await spec.aclose()

        return asyncio.run(awaited())

    return film


@pytest.mark.parametrize("what", ["folder", "ledger"])
def test_a_developer_reads_which_place_and_a_model_does_not(make, film, blocked, tmp_path, what):
    """What agents pass on is the text; what a traceback shows besides is the note."""
    wrong = {"jobs": f"sqlite:///{blocked}/jobs.sqlite3"}
    spec = make(**({"output_dir": blocked} if what == "folder" else wrong))
    with pytest.raises(PlaceError) as failure:
        film(spec)
    assert str(tmp_path) not in str(failure.value)
    assert "only the developer can mend that" in str(failure.value)
    assert str(blocked) in "".join(traceback.format_exception(failure.value))


async def test_an_agent_is_told_no_folder(open_spec, open_llm, emulator, blocked):
    emulator.answer(tool_calls=[("generate_video", {"prompt": "Tea", **FILM})])
    spec = open_spec(output_dir=blocked)
    agent = FunctionAgent(llm=open_llm, tools=spec.to_tool_list())
    memory = ChatMemoryBuffer.from_defaults(tokenizer_fn=str.split)
    (call,) = (await agent.run("Film tea", memory=memory)).tool_calls
    assert call.tool_output.is_error
    assert "results cannot be saved" in call.tool_output.content.lower()
    assert str(blocked) not in call.tool_output.content
    assert str(blocked) in call.tool_output.exception.__notes__[0]


@pytest.mark.parametrize("name", ["none.png", "../secret.png", "/etc/hostname"])
def test_a_refused_reference_tells_no_folder(make, tmp_path, name):
    spec = make(allowed_folders=[tmp_path / "allowed"])
    with pytest.raises(ConfigError) as failure:
        spec.generate_image("Tea", size="1K", images=[name])
    assert str(tmp_path) not in str(failure.value)
    assert not hasattr(failure.value, "__notes__")


def test_a_picture_that_cannot_be_shown_is_a_result_all_the_same(make, monkeypatch, caplog):
    spec = make(output_dir="memory://places/unshown")

    def unreadable(*_):
        raise ConfigError("cannot read it")

    monkeypatch.setattr("doubao_core.media.remote.Remote.read", unreadable)
    (told,) = spec.generate_image("Tea", size="1K")
    assert told.result.saved
    assert "not shown to the model" in caplog.text
