"""Documents that questions are asked about, a chat over HTTP, and an emulator with a clock."""

from __future__ import annotations

import json
from types import SimpleNamespace

import httpx
import pytest
from volcenginesdkarkruntime import Ark

from doubao_emulator import Emulator, Immediate, ManualClock
from doubao_emulator.answering import reply
from doubao_emulator.chat_model import ChatRequest
from doubao_emulator.clouds import ARK
from doubao_emulator.models import ChatModel

MODEL = "doubao-seed-2-1-pro-260915"
LENS = """# The Fresnel lens

## The problem

Early lighthouses put polished mirrors behind their lamps. Even a good metal mirror of that
time swallowed about half of the light that fell on it.

## The idea

The engineer Augustin-Jean Fresnel saw that the thick middle of a lens can be left out. A Fresnel
lens is made of rings of glass prisms. It is thin and light, and it gathers into one beam light
that would otherwise be lost.
"""
PAGE = """Electric light
The first lighthouse to try electric light at sea was South Foreland, near Dover, on 8 December
1858. The current came from a magneto machine that Frederick Hale Holmes had built and a
steam engine drove; it fed an arc between two carbon rods.
Gas without a keeper
Acetylene gas let small lights burn for months unattended. Robert Foulis set one up on the island of
"""
KEEPERS = """THE KEEPERS

A keeper's work

The keepers lit the lamp at sunset. During the night they stood watch in turns.

Rescues

Grace Darling, the keeper's daughter, rowed out from the lighthouse in an open boat. She was 22
years old.
"""
CHINESE = """# 灯塔

## 灯塔有什么用

灯塔建在海岸、港口或礁石上，夜里用灯光告诉船员自己在哪里。

## 今天的灯塔

今天的船只用卫星定位，灯塔大多由机器自动控制。花鸟山灯塔建于
1870年。
"""


@pytest.fixture(scope="session")
def documents():
    """Give texts of several kinds, as their files hold them."""
    return SimpleNamespace(lens=LENS, page=PAGE, keepers=KEEPERS, chinese=CHINESE)


@pytest.fixture(scope="session")
def said():
    """Have the emulated model answer messages, without HTTP."""
    model = ARK.find(MODEL, ChatModel)
    return lambda *messages, **more: reply.compose(
        ChatRequest(model=model, messages=messages, **more)
    )


class Chat:
    """Talks to the emulator over HTTP as any client does."""

    def __init__(self, emulator):
        self._url = f"{emulator.base_url}/chat/completions"

    def send(self, messages, **more):
        answer = httpx.post(
            self._url,
            json={"model": MODEL, "messages": messages, **more},
            headers={"Authorization": "Bearer any"},
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["choices"][0]["message"]

    def ask(self, question, context):
        """Ask about a context."""
        asked = f"{context}\n\nQuestion: {question}"
        return self.send([{"role": "user", "content": asked}])["content"]

    def run(self, request, tools, results=(), earlier=()):
        """Play an agent's loop; return the calls and the last words."""
        messages = [*earlier, {"role": "user", "content": request}]
        made = []
        while calls := (said := self.send(messages, tools=tools)).get("tool_calls"):
            messages.append(said)
            for call in calls:
                name = call["function"]["name"]
                made.append((name, json.loads(call["function"]["arguments"])))
                text = dict(results).get(name, "Done.")
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})
            assert len(made) < 9
        return made, said["content"]


@pytest.fixture
def chat(emulator):
    return Chat(emulator)


@pytest.fixture
def send_chat(emulator):
    """Post to the chat's address; gives the answer, whatever it is."""
    with httpx.Client(base_url=emulator.base_url, headers={"Authorization": "Bearer k"}) as client:

        def send(**body):
            asked = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}], **body}
            return client.post("/chat/completions", json=asked)

        yield send


@pytest.fixture
def refused(send_chat):
    """Send a wrong request; checks its error's form and gives its code and parameter."""

    def send(**body):
        answer = send_chat(**body)
        error = answer.json()["error"]
        assert answer.status_code == (404 if "NotFound" in error["code"] else 400)
        assert error["message"].endswith(f"Request id: {answer.headers['x-request-id']}")
        return error["code"], error["param"]

    return send


@pytest.fixture(scope="session")
def clocked():
    """One more server, whose time is moved by hand; use `server` in tests."""
    with Emulator(clock=ManualClock()) as emulator:
        yield emulator


@pytest.fixture
def server(clocked):
    """Return an emulator that remembers nothing, whose time stands still."""
    clocked.reset()
    clocked.world.progress = Immediate()
    return clocked


@pytest.fixture
def tasks(server):
    """Return the official SDK's half for video tasks."""
    with httpx.Client(timeout=60) as http_client:
        client = Ark(
            base_url=server.base_url, api_key="a key", max_retries=0, http_client=http_client
        )
        yield client.content_generation.tasks


@pytest.fixture(scope="session")
def submit():
    """Create a task that its model makes from a prompt; gives its id."""

    def submit(
        tasks, *, prompt="A cat walks", model="doubao-seedance-2-0-260128", content=(), **settings
    ):
        words = {"type": "text", "text": prompt}
        return tasks.create(model=model, content=[words, *content], **settings).id

    return submit
