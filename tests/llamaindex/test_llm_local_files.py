"""Files of this machine as URLs of blocks: refused before anything is sent, with the way out."""

from __future__ import annotations

import pytest
from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatMessage,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    VideoBlock,
)

from doubao_core import ConfigError
from llamaindex_doubao.messages import wire_messages


def asking(block):
    return [ChatMessage(blocks=[TextBlock(text="What is this?"), block])]


@pytest.mark.parametrize("url", ["file:///home/ann/tea.png", "FILE:tea.png", "C:\\photos\\tea.png"])
@pytest.mark.parametrize("kind", [ImageBlock, VideoBlock, AudioBlock, DocumentBlock])
async def test_a_file_in_place_of_a_url_is_refused_before_sending(ask, llm, sent, kind, url):
    """LlamaIndex itself refuses paths without a scheme."""
    with pytest.raises(ConfigError, match="cannot fetch: give it as path") as caught:
        await ask(llm, asking(kind(url=url)))
    assert f"the {kind.__name__} in a user message has a file in place of a URL" in str(
        caught.value
    )
    assert not sent()


@pytest.mark.parametrize("url", ["https://example.com/a.png", "asset://asset-1", "tos://b/a.png"])
def test_other_addresses_are_left_to_the_service(url):
    (message,) = wire_messages(asking(ImageBlock(url=url)))
    assert message["content"][1] == {"type": "image_url", "image_url": {"url": url}}
