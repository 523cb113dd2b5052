"""What a model is told of places: file names that it can pass on, and no folder of the machine."""

from __future__ import annotations

import pytest
from langchain.agents import create_agent

from doubao_core import ConfigError
from doubao_core.media.errors import PlaceError
from langchain_doubao import SeedanceTaskTool

FILM = {"prompt": "Tea", "duration": 4, "resolution": "480p"}
PICTURE = {"prompt": "Tea", "size": "1K"}


@pytest.fixture
def blocked(tmp_path):
    """Give a folder that cannot be made: there is a file in its way."""
    (tmp_path / "file").write_text("x")
    return tmp_path / "file" / "media"


def test_a_folder_that_cannot_be_written_is_the_developers_error(
    films, pictures, call, blocked, creates
):
    for tool, asked in ((films(output_dir=blocked), FILM), (pictures(output_dir=blocked), PICTURE)):
        with pytest.raises(PlaceError, match="nothing was sent: the developer must set") as failure:
            call(tool, **asked)
        assert str(blocked) in str(failure.value)
    assert not creates()


def test_a_folder_that_cannot_be_written_ends_an_agent(films, chat, emulator, blocked):
    emulator.answer(tool_calls=[("generate_video", FILM)])
    agent = create_agent(chat(), [films(output_dir=blocked)])
    with pytest.raises(ConfigError, match="cannot be saved"):
        agent.invoke({"messages": [("user", "Film tea")]})


def test_a_folder_that_cannot_be_written_with_a_ledger_is_the_developers_error_too(
    films, call, blocked, ledger, creates
):
    with pytest.raises(PlaceError, match="cannot be saved"):
        call(films(output_dir=blocked, jobs=ledger), **FILM)
    assert not creates()


@pytest.mark.parametrize(
    "place", ["sftp://me:sesame@host/films", "no-such-store://films", "s3:/films"]
)
def test_a_place_that_cannot_be_is_the_developers_error(pictures, call, place, creates):
    with pytest.raises(PlaceError) as failure:
        call(pictures().model_copy(update={"output_dir": place}), **PICTURE)
    assert "sesame" not in str(failure.value)
    assert not creates()


def test_a_connection_that_cannot_be_is_the_developers_error(settings, call):
    wrong = SeedanceTaskTool(**settings).model_copy(update={"timeout": -1})
    with pytest.raises(ConfigError, match="timeout"):
        call(wrong, task_id="cgt-20261101000000-abcde")


@pytest.mark.parametrize(
    "name", ["none.png", "../secret.png", "media/none.png", "/etc/hostname", "a\0b.png", "loop.png"]
)
def test_a_refused_reference_tells_no_folder(pictures, call, tmp_path, name):
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "loop.png").symlink_to("loop.png")
    (tmp_path / "allowed").mkdir()
    tool = pictures(allowed_folders=[tmp_path / "allowed"])
    message = call(tool, **PICTURE, images=[name])
    assert message.status == "error"
    assert str(tmp_path) not in message.content
    assert "pass" in message.content


def test_a_result_that_could_not_be_saved_tells_no_folder(films, pictures, call, monkeypatch):
    """It is paid for, so it is a result; the program has the address."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("doubao_core.media.folder.os.fsync", full)
    for tool, asked in ((films(), FILM), (pictures(), PICTURE)):
        message = call(tool, **asked)
        assert message.status == "success"
        assert "cannot be written (No space left on device)" in message.content
        assert str(tool.output_dir) not in message.content


def test_a_picture_that_cannot_be_shown_is_a_result_all_the_same(
    pictures, call, monkeypatch, caplog
):
    def unreadable(*_):
        raise ConfigError("cannot read it")

    monkeypatch.setattr("doubao_core.media.folder.Folder.read", unreadable)
    message = call(pictures(show="base64"), **PICTURE)
    (text,) = message.content
    assert "Made 1 picture" in text["text"]
    assert message.artifact.saved
    assert "not shown to the model" in caplog.text
