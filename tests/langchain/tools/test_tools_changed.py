"""Fields that are changed after a tool was made, and listeners and ledgers that break."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.utils.function_calling import convert_to_openai_tool

from doubao_core import ConfigError

PICTURE = {"prompt": "Tea", "size": "1K"}
FILM = {"prompt": "Tea", "duration": 4, "resolution": "480p"}


class Broken(BaseCallbackHandler):
    """A tracer that fails loudly, as LangChain allows."""

    raise_error = True

    def on_custom_event(self, *arguments, **options):
        raise ValueError("the tracer broke")


def test_what_was_spent_goes_with_a_pickle(pictures, call, creates, monkeypatch):
    monkeypatch.setenv("ARK_API_KEY", "k")
    tool = pictures(max_jobs=1)
    assert call(tool, **PICTURE).status == "success"
    unpickled = pickle.loads(pickle.dumps(tool))  # noqa: S301 - our own bytes
    assert call(unpickled, **PICTURE).status == "error"
    assert len(creates()) == 1


def test_the_model_sees_what_was_changed_later(films, call, change, creates):
    tool = change(films(), model="doubao-seedance-1-0-pro-250528", fixed={"seed": 7})
    tool = change(tool, more_arguments=["camera_fixed"])
    shown = convert_to_openai_tool(tool)["function"]["parameters"]["properties"]
    assert "camera_fixed" in shown
    assert "seed" not in shown
    assert call(tool, **FILM, camera_fixed=True).status == "success"
    assert creates()[-1].body["camera_fixed"] is True


def test_a_listener_that_breaks_loses_no_picture(pictures, creates, caplog):
    tool = pictures()
    given = {**PICTURE, "max_images": 2}
    assert "Made 2 pictures" in tool.invoke(given, {"callbacks": [Broken()]})

    async def awaited():
        try:
            return await tool.ainvoke(given, {"callbacks": [Broken()]})
        finally:
            await tool.aclose()

    assert "Made 2 pictures" in asyncio.run(awaited())
    assert len(creates()) == 2
    assert "a listener to events failed in generate_image" in caplog.text


def test_a_ledger_that_cannot_be_opened_is_the_developers_error(films, call, tmp_path, creates):
    tool = films(jobs=f"sqlite:///{tmp_path}/none/jobs.sqlite3")
    with pytest.raises(ConfigError, match="the job ledger at"):
        call(tool, **FILM)
    assert not creates()


def test_a_ledger_that_cannot_be_opened_ends_an_agent(films, chat, emulator, tmp_path):
    emulator.answer(tool_calls=[("generate_video", FILM)])
    agent = create_agent(chat(), [films(jobs=f"sqlite:///{tmp_path}/none/jobs.sqlite3")])
    with pytest.raises(ConfigError, match="the job ledger at"):
        agent.invoke({"messages": [("user", "Film tea")]})


TOGETHER = """
import sys, threading
from langchain_doubao import SeedanceVideoTool, SeedreamImageTool

where = {"base_url": sys.argv[1], "api_key": "k", "output_dir": sys.argv[2]}
video = SeedanceVideoTool(**where, poll_interval=0.01)
image = SeedreamImageTool(**where, model="doubao-seedream-4-0-250828")
assert "httpcore" not in sys.modules
film = {"prompt": "Tea", "duration": 4, "resolution": "480p"}
calls = [(image, {"prompt": "Tea", "size": "1K"}), (video, film)]
threads = [threading.Thread(target=lambda t, a: print(t.invoke(a)), args=each) for each in calls]
for each in threads:
    each.start()
for each in threads:
    each.join()
"""


def test_the_first_calls_of_a_process_may_run_at_once(emulator, tmp_path):
    """While one imports what it sends with, the other must not take half of it for the whole."""
    ran = subprocess.run(
        [sys.executable, "-c", TOGETHER, emulator.base_url, str(tmp_path / "media")],
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert "The video is ready" in ran.stdout, ran.stderr
    assert "Made 1 picture" in ran.stdout
