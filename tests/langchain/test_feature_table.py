"""The README's tables `ChatDoubao` | `ChatOpenAI`: each cell is what happens when it is run.

Every row has a probe in `feature_probes/`: it does the same with either class, against the same
server, blocking and with asyncio, and returns the words that belong into the class's cell. When a
cell fails because the peer has become better, the README's cell changes.
"""

import asyncio
import gc
import importlib.util
import re
from collections import Counter
from pathlib import Path

import pytest
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from langchain_doubao import ChatDoubao, DoubaoEmbeddings

HERE = Path(__file__).resolve().parent
README = (HERE.parent.parent / "README.md").read_text()
HEADER = "| | `ChatDoubao` | `ChatOpenAI(base_url=…)` |\n|---|---|---|\n"
ROW = re.compile(r"\| (.+?) \| (.+?) \| (.+?) \|")

# A warning is no outcome: core calls its v3 events a beta, and the peer warns of what it does not
# know and leaves its connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore")


def _rows():
    for table in README.split(HEADER)[1:]:
        for line in table.split("\n\n", 1)[0].splitlines():
            yield ROW.fullmatch(line).groups()


def _probes():
    for file in sorted((HERE / "feature_probes").glob("*.py")):
        spec = importlib.util.spec_from_file_location(file.stem, file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield from module.PROBES.items()


ROWS = list(_rows())
PROBES = dict(_probes())
CELLS = [
    pytest.param(feature, kind, cell, id=f"{feature}-{kind}")
    for feature, ours, theirs in ROWS
    for kind, cell in (("ChatDoubao", ours), ("ChatOpenAI", theirs))
]


class Side:
    """One of the two classes, called in one of the two ways; what a probe works with."""

    def __init__(self, kind, emulator, loop, folder):
        self.kind = kind
        self.emulator = emulator
        self.folder = folder
        self._loop = loop
        self._classes = {
            "ChatDoubao": (ChatDoubao, DoubaoEmbeddings),
            "ChatOpenAI": (ChatOpenAI, OpenAIEmbeddings),
        }[kind]

    def model(self, **fields):
        settings = {"model": "doubao-seed-2-1-pro-260915", "api_key": "sk-secret", **fields}
        return self._classes[0](**{"base_url": self.emulator.base_url, **settings})

    def embeddings(self, **fields):
        return self._classes[1](base_url=self.emulator.base_url, api_key="sk-secret", **fields)

    def call(self, thing, method, *arguments):
        """Call a method, or with asyncio its twin whose name begins with an a."""
        if self._loop is None:
            return getattr(thing, method)(*arguments)
        return self._loop.run(getattr(thing, f"a{method}")(*arguments))

    def invoke(self, model, prompt="Go"):
        return self.call(model, "invoke", prompt)

    def chunks(self, model, prompt="Go"):
        if self._loop is None:
            return list(model.stream(prompt))

        async def gather():
            return [chunk async for chunk in model.astream(prompt)]

        return self._loop.run(gather())

    def streamed(self, model, prompt="Go"):
        """The message that a stream's chunks add up to."""
        whole, *rest = self.chunks(model, prompt)
        for chunk in rest:
            whole += chunk
        return whole

    def views(self, events):
        """The messages that v0, v1 and v3 make of the same events."""
        self.emulator.answer(events=[*events, "[DONE]"], times=3)
        v0, v1 = (self.streamed(self.model(output_version=each)) for each in ("v0", "v1"))
        return v0, v1, self._v3(self.model())

    def _v3(self, model):
        if self._loop is None:
            return model.stream_events("Go", version="v3").output

        async def output():
            return await (await model.astream_events("Go", version="v3")).output

        return self._loop.run(output())

    def error(self, call):
        """What a call raises, or None."""
        try:
            call()
        except Exception as error:
            return error
        return None


@pytest.fixture(scope="module")
def loop():
    with asyncio.Runner() as runner:
        yield runner
    # What the peer left behind warns here, not in another module's tests.
    gc.collect()


@pytest.fixture(params=["blocking", "asyncio"])
def side(request, kind, emulator, loop, tmp_path):
    return Side(kind, emulator, loop if request.param == "asyncio" else None, tmp_path)


@pytest.mark.parametrize(("feature", "kind", "cell"), CELLS)
def test_the_cell_says_what_happens(side, feature, cell):
    assert PROBES[feature](side) == cell


def test_each_row_has_its_probe_and_each_probe_its_row():
    assert Counter(feature for feature, _, _ in ROWS) == Counter(list(PROBES))
    assert len(ROWS) >= 25
