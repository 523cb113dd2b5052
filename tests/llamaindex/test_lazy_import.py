"""The package imports what is asked for, when it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import llamaindex_doubao


def test_a_chat_model_does_not_load_embeddings_and_tools():
    code = """
import sys
from llamaindex_doubao import Doubao
Doubao(model="doubao-seed-2-1-pro-260915", api_key="k")
core = ("doubao_core.transport", "doubao_core.embedder", "doubao_core.studio")
ours = ("llamaindex_doubao.embedding", "llamaindex_doubao.tools")
print([name for name in (*core, *ours) if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there_and_listed():
    for name in llamaindex_doubao.__all__:
        assert getattr(llamaindex_doubao, name).__name__ == name
    assert set(llamaindex_doubao.__all__) <= set(dir(llamaindex_doubao))


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'DoubaoChat'"):
        _ = llamaindex_doubao.DoubaoChat
