"""What a fresh process pays: the import, the first object, the first answer, memory.

Each figure comes from a process of its own that runs the lines a user would write. Needs Linux.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial

from contestants import ALL, PROMPT, Contestant
from measure import Row, Run, take_turns

IMPORT = "Import of the class: CPU"
FIRST_ANSWER = "Fresh process to its first answer: wall time"
PEAK = "Fresh process to its first answer: peak memory"
CONSTRUCTION = "First construction after the import"
CONSTRUCTION_IO = "First construction after the import: files, sockets and TLS contexts opened"
KEPT = "Memory of list(stream), 32,000 chunks"

# langsmith, which langchain-core imports, loads httpx and aiohttp at once where this optional
# package is installed, as it is here for the rows with aiohttp. Neither needs it.
_WITHOUT_EXTRAS = """
import sys
sys.modules["httpx_aiohttp"] = None
"""
_IMPORT = """
import time
begun = time.process_time()
from {module} import {name}
print((time.process_time() - begun) * 1e3)
"""
# The peak that getrusage gives may be that of the parent: Linux keeps it across exec.
_FIRST_ANSWER = """
from {module} import {name}
{asked}
answer = {name}(**{arguments}).{call}(asked)
print("answered", flush=True)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
_CONSTRUCTION = """
import gc, ssl, sys, time
from {module} import {name}
def contexts():
    return sum(isinstance(each, ssl.SSLContext) for each in gc.get_objects())
def watch(event, _arguments):
    if watching and (event == "open" or event.startswith("socket.")):
        seen.append(event)
watching, seen, before = False, [], contexts()
sys.addaudithook(watch)
watching, begun = True, time.perf_counter()
kept = {name}(**{arguments})
spent, watching = time.perf_counter() - begun, False
print(spent * 1e3, len(seen) + contexts() - before)
"""
# The first stream pays for what is imported and made once.
_KEPT = """
from {module} import {name}
{asked}
def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if "VmRSS" in line)
def stream(length):
    model = {name}(**{{**{arguments}, "model": f"text-{{length}}"}})
    return list(model.{stream}(asked))
stream(10)
before = resident()
kept = stream({length})
assert len(kept) >= {length}
print((resident() - before) / 1024)
"""
_WORDS = {
    "langchain": {"asked": f"asked = {PROMPT!r}", "call": "invoke", "stream": "stream"},
    "llamaindex": {
        "asked": "from llama_index.core.llms import ChatMessage\n"
        f"asked = [ChatMessage(role='user', content={PROMPT!r})]",
        "call": "chat",
        "stream": "stream_chat",
    },
}


def rows(run: Run) -> Iterator[Row]:
    """Measure every row about fresh processes."""
    imported = _measured(run, _IMPORT, run.rounds)
    yield _row(IMPORT, "ms", imported, 0)
    answered = _measured(run, _FIRST_ANSWER, run.rounds)
    yield _row(FIRST_ANSWER, "ms", answered, 0)
    yield _row(PEAK, "MiB", answered, 1)
    constructed = _measured(run, _CONSTRUCTION, run.few)
    yield _row(CONSTRUCTION, "ms", constructed, 0)
    yield _row(CONSTRUCTION_IO, "", constructed, 1)
    # Theirs fill gigabytes, and the figure hardly varies.
    yield _row(KEPT, "MiB", _measured(run, _KEPT, min(run.few, 3)), 0)


def _row(title: str, unit: str, figures: dict[str, list[list[float]]], place: int) -> Row:
    samples = {name: [each[place] for each in rounds] for name, rounds in figures.items()}
    return Row(title, unit, samples)


def _measured(run: Run, template: str, rounds: int) -> dict[str, list[list[float]]]:
    """Run a program for each contestant, in turns; each gives the figures it printed."""
    figures = _answered if template is _FIRST_ANSWER else _printed
    work = {each.name: partial(figures, _program(run, template, each)) for each in ALL}
    return take_turns(work, rounds)


def _program(run: Run, template: str, contestant: Contestant) -> str:
    return _WITHOUT_EXTRAS + template.format(
        module=contestant.module,
        name=contestant.name,
        arguments=contestant.arguments(run.url, "call"),
        length=run.size(32_000),
        **_WORDS[contestant.framework],
    )


def _printed(program: str) -> list[float]:
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    return [float(word) for word in done.stdout.split()]


def _answered(program: str) -> list[float]:
    """Give ms until the process had its answer, and its peak memory in MiB."""
    begun = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        spent = time.perf_counter() - begun
        peak = process.stdout.read()
    if said != b"answered\n":
        raise RuntimeError("a fresh process gave no answer: its error is above")
    return [spent * 1e3, float(peak) / 1024]
