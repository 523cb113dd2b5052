"""The address of a webhook is sent only if the user gives it, by the tools too."""

from __future__ import annotations

import json

import pytest

from langchain_doubao import SeedanceVideoTool, SeedreamImageTool
from llamaindex_doubao import DoubaoToolSpec


def sent(emulator):
    return json.dumps([each.body for each in emulator.requests if each.method == "POST"])


@pytest.mark.parametrize(
    ("provider", "model", "name"),
    [("doitong", "seedream", "webhookUrl"), ("seedance2api", "seedream-4.5", "webhook_url")],
)
@pytest.mark.parametrize("given", [True, False])
def test_the_image_tools_send_an_address_only_if_it_is_given(
    at, emulator, tmp_path, provider, model, name, given
):
    """R003-08, R004-41."""
    url = "https://me.example/hooks"
    extra = {name: url} if given else None
    tool = SeedreamImageTool(model=model, output_dir=tmp_path, extra_body=extra, **at(provider))
    tool.invoke({"prompt": "A city"})
    spec = DoubaoToolSpec(
        image_model=model, output_dir=tmp_path, image_extra_body=extra, **at(provider)
    )
    by_name = {each.metadata.name: each for each in spec.to_tool_list()}
    by_name["generate_image"].call(prompt="A city")
    assert sent(emulator).count(f'"{name}": "{url}"') == (2 if given else 0)
    assert given or "ebhook" not in sent(emulator)


@pytest.mark.parametrize("given", [True, False])
def test_the_video_tools_send_an_address_only_if_it_is_given(at, emulator, tmp_path, given):
    """R004-41: it is the ``callback_url`` of all providers."""
    url = "https://me.example/hooks"
    fixed = {"callback_url": url} if given else {}
    settings = {"output_dir": tmp_path, "poll_interval": 0.01, **at("seedance2api")}
    asked = {"prompt": "A city", "duration": 5, "resolution": "720p"}
    SeedanceVideoTool(model="seedance-1.5-pro", fixed=fixed, **settings).invoke(asked)
    spec = DoubaoToolSpec(
        video_model="seedance-1.5-pro", fixed={"generate_video": fixed}, **settings
    )
    by_name = {each.metadata.name: each for each in spec.to_tool_list()}
    by_name["generate_video"].call(**asked)
    assert sent(emulator).count(f'"webhook_url": "{url}"') == (2 if given else 0)
    assert "callback_url" not in sent(emulator)


def test_a_tools_film_is_told_to_its_receiver(at, tmp_path, listen, seen, soon):
    """R004-35, R004-41: from the tool to the hook, over HTTP."""
    _, url = listen("seedance2api")
    settings = {"output_dir": tmp_path, "poll_interval": 0.01, **at("seedance2api")}
    tool = SeedanceVideoTool(model="seedance-1.5-pro", fixed={"callback_url": url}, **settings)
    tool.invoke({"prompt": "A city", "duration": 5, "resolution": "720p"})
    assert soon(lambda: seen.statuses[-1:] == ["succeeded"])
