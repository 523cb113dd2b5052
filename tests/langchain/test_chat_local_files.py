"""Files of this machine in content blocks: refused before anything is sent, with the way out."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import HumanMessage

from langchain_doubao.parts import part

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator
    from langchain_doubao import ChatDoubao

PLACES = [
    "/home/ann/tea",
    "./tea.png",
    "photos/tea.png",
    "tea.PNG",
    "~/tea.png",
    "C:\\photos\\tea.png",
    "file:///home/ann/tea.png",
    "FILE:tea.png",
]
# Each with the type of the block that is proposed instead.
BLOCKS: dict[str, tuple[Callable[[str], dict[str, Any]], str]] = {
    "image": (lambda url: {"type": "image", "url": url}, "image"),
    "video": (lambda url: {"type": "video", "url": url}, "video"),
    "audio": (lambda url: {"type": "audio", "url": url}, "audio"),
    "file": (lambda url: {"type": "file", "url": url}, "file"),
    "anthropic": (
        lambda url: {"type": "image", "source": {"type": "url", "url": url}},
        "image",
    ),
    "before v1": (lambda url: {"type": "image", "source_type": "url", "url": url}, "image"),
    "image_url": (lambda url: {"type": "image_url", "image_url": {"url": url}}, "image"),
    "image_url text": (lambda url: {"type": "image_url", "image_url": url}, "image"),
    "video_url": (lambda url: {"type": "video_url", "video_url": {"url": url}}, "video"),
    "input_audio": (lambda url: {"type": "input_audio", "input_audio": {"url": url}}, "audio"),
    "native file": (lambda url: {"type": "file", "file": {"file_url": url}}, "file"),
}
TAKEN = [
    "https://example.com/tea.png?sig=x",
    "HTTP://example.com/tea",
    "data:image/png;base64,QUJD",
    "asset://asset-1",
    "file-20261018103812-abcde",
    "asset-20261018103812.abcde",
    "tos://bucket/tea.png",
]


@pytest.fixture(params=["invoke", "ainvoke", "stream", "astream"])
def ask(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Ask by each of the four methods in turn."""

    async def ask(model: ChatDoubao, *blocks: Any) -> None:
        question = [HumanMessage(["What is this?", *blocks])]
        if request.param == "invoke":
            model.invoke(question)
        elif request.param == "ainvoke":
            await model.ainvoke(question)
        elif request.param == "stream":
            list(model.stream(question))
        else:
            [_ async for _ in model.astream(question)]

    return ask


@pytest.mark.parametrize("block", BLOCKS)
async def test_a_file_in_place_of_a_url_is_refused_before_sending(
    chat: Callable[..., ChatDoubao], emulator: Emulator, ask: Callable[..., Any], block: str
) -> None:
    make, shown = BLOCKS[block]
    with pytest.raises(ValueError, match="cannot fetch: read the file and send") as caught:
        await ask(chat(), make("/home/ann/tea.png"))
    assert f'{{"type": "{shown}", "base64": base64.b64encode(' in str(caught.value)
    assert not emulator.requests


@pytest.mark.parametrize("place", PLACES)
def test_every_form_of_a_path_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match="has a file in place of a URL"):
        part({"type": "image", "url": place})


@pytest.mark.parametrize("kind", ["image", "video", "audio", "file"])
async def test_a_path_that_is_called_so_is_refused_alike(
    chat: Callable[..., ChatDoubao], emulator: Emulator, ask: Callable[..., Any], kind: str
) -> None:
    with pytest.raises(ValueError, match="needs url, base64 or file_id, not path: read the file"):
        await ask(chat(), {"type": kind, "path": "/home/ann/tea.png"})
    assert not emulator.requests


async def test_what_the_error_proposes_is_taken(
    chat: Callable[..., ChatDoubao], emulator: Emulator, ask: Callable[..., Any], png: bytes
) -> None:
    data = base64.b64encode(png).decode()
    await ask(chat(), {"type": "image", "base64": data, "mime_type": "image/png"})
    assert emulator.requests[-1].body["messages"][0]["content"][1] == {
        "type": "image_url",
        "image_url": {"url": f"data:image/png;base64,{data}"},
    }


@pytest.mark.parametrize("url", TAKEN)
def test_other_addresses_and_ids_are_left_to_the_service(url: str) -> None:
    native = {"type": "image_url", "image_url": {"url": url}}
    assert part({"type": "image", "url": url}) == part(native) == native


def test_base64_in_place_of_a_url_is_not_shown(png: bytes) -> None:
    body = base64.b64encode(png * 9).decode()
    with pytest.raises(ValueError, match="in place of a URL") as caught:
        part({"type": "image", "url": f"/{body}"})
    assert body[:40] not in str(caught.value)
