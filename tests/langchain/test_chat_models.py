"""What is known of a model: its profile, token counts with and without the service; the imports."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import textwrap
import types
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.exceptions import ModelInvalidRequestError
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

import langchain_doubao
from doubao_core import catalogue
from langchain_doubao import ChatDoubao
from langchain_doubao.errors import ConfigError
from langchain_doubao.profiles import profile

if TYPE_CHECKING:
    from collections.abc import Callable

    from doubao_emulator import Emulator

PUBLIC = [
    "ChatDoubao",
    "DoubaoEmbeddings",
    "DoubaoModeration",
    "DoubaoToolkit",
    "SeedanceTaskTool",
    "SeedanceVideoTool",
    "SeedreamImageTool",
]


def test_a_profile_says_what_a_model_can_do() -> None:
    described = profile("doubao-seed-2-0-lite-260428")
    assert described["max_input_tokens"] == 224 * 1024
    assert described["max_output_tokens"] == 128 * 1024
    assert described["structured_output"]
    assert described["audio_inputs"]
    assert described["reasoning_effort_default"] == "medium"
    assert not profile("doubao-seed-2-0-code-preview-260215")["structured_output"]
    assert not profile("glm-5-2-260617")["image_inputs"]


def test_every_chat_model_of_the_catalogue_has_a_profile() -> None:
    """With known keys only: core warns of others, and warnings are errors here."""
    for name, facts in catalogue.models().items():
        made = ChatDoubao(model=name).profile
        assert (made is not None) is (facts.kind == "chat"), name


def test_unknown_models_and_endpoints_have_none_and_the_users_own_wins() -> None:
    assert ChatDoubao(model="ep-20260101000000-abcde").profile is None
    own = {"max_input_tokens": 1000}
    assert ChatDoubao(model="doubao-seed-2-0-lite-260428", profile=own).profile == own


def test_profiles_are_copies() -> None:
    first = ChatDoubao(model="doubao-seed-2-0-lite-260428")
    first.profile["max_input_tokens"] = 1
    assert ChatDoubao(model="doubao-seed-2-0-lite-260428").profile["max_input_tokens"] > 1


def test_estimates_are_sane_for_chinese() -> None:
    """Counting four characters per token would say 250."""
    model = ChatDoubao(model="ep-1")
    assert 600 <= model.get_num_tokens("你好" * 500) <= 1000
    assert 200 <= model.get_num_tokens("word " * 200) <= 300
    assert model.get_num_tokens("") == 0


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("Какая сегодня погода в Москве? " * 20, 200, 350),
        ("ما هو الطقس اليوم في القاهرة؟ " * 20, 180, 340),
        ("วันนี้อากาศเป็นอย่างไรบ้าง" * 20, 200, 400),
        ("आज मौसम कैसा है? " * 20, 120, 260),
        ("Où est l’hôtel près de l’église ? " * 20, 150, 220),
        ("한국어 문장입니다 " * 20, 80, 160),
        ("\U00020000\U0002a6df" * 300, 400, 600),
    ],
)
def test_estimates_are_sane_for_every_script(text: str, least: int, most: int) -> None:
    """An estimate that is too low lets a conversation run over the context window."""
    assert least <= ChatDoubao(model="ep-1").get_num_tokens(text) <= most


def test_what_cannot_be_counted_is_langchains_error() -> None:
    with pytest.raises(ModelInvalidRequestError, match="'hologram'") as caught:
        ChatDoubao(model="ep-1").get_num_tokens_from_messages(
            [HumanMessage([{"type": "hologram"}])]
        )
    assert isinstance(caught.value, ConfigError)


def test_estimates_count_everything_that_is_sent() -> None:
    model = ChatDoubao(model="ep-1")

    def f(city: str) -> None:
        """Do something with a city."""

    counted = model.get_num_tokens_from_messages
    question = [HumanMessage("Hello")]
    assert counted([SystemMessage("Be terse, please."), *question]) > counted(question)
    assert counted(question, [f]) > counted(question) + 10
    picture = {"type": "image", "url": "https://example.com/a.png"}
    assert counted([HumanMessage(["Hello", picture])]) > counted(question) + 1000
    called = AIMessage("", tool_calls=[{"name": "f", "args": {"city": "x" * 400}, "id": "1"}])
    assert counted([called]) > 100
    thought = AIMessage("", additional_kwargs={"reasoning_content": "x" * 400})
    assert counted([thought]) > 100


def test_a_users_own_tokenizer_is_used() -> None:
    model = ChatDoubao(model="ep-1", custom_get_token_ids=lambda text: list(map(ord, text)))
    assert model.get_num_tokens("abcdef") == 6
    assert model.get_token_ids("ab") == [97, 98]
    assert model.get_num_tokens_from_messages([HumanMessage("x" * 1000)]) >= 1000
    with pytest.raises(NotImplementedError, match="tokenize"):
        ChatDoubao(model="ep-1").get_token_ids("ab")


def test_agents_can_count_with_the_model(chat: Callable[..., ChatDoubao]) -> None:
    """``trim_messages`` and context editing call the counter with messages first."""
    from langchain_core.messages import trim_messages

    history = [HumanMessage("一" * 300), AIMessage("二" * 300), HumanMessage("三")]
    kept = trim_messages(history, max_tokens=50, token_counter=chat(), strategy="last")
    assert kept == history[-1:]


async def test_the_service_counts_exactly_on_request(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    (cut,) = chat().tokenize(["天空为什么是蓝色的"])
    assert cut.total_tokens == len(cut.token_ids)
    assert await chat().atokenize(["天空为什么是蓝色的"]) == [cut]
    assert [request.body["text"] for request in emulator.requests] == [["天空为什么是蓝色的"]] * 2


class Traced(BaseCallbackHandler):
    """What traces are told of each call."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def on_chat_model_start(self, *_: Any, metadata: dict[str, Any], **__: Any) -> None:
        self.seen.append({name: metadata[name] for name in metadata if name.startswith("ls_")})


async def test_traces_say_what_was_sent(
    emulator: Emulator, chat: Callable[..., ChatDoubao]
) -> None:
    """A ``None`` of a call takes the option out of the request, and ``model_kwargs`` are sent."""
    traced = Traced()
    config: Any = {"callbacks": [traced]}
    model = chat(temperature=0.1, max_tokens=10, stop=["A"])
    off: dict[str, Any] = {"temperature": None, "max_tokens": None, "stop": []}
    model.invoke("Hello", config, **off)
    await model.ainvoke("Hello", config, **off)
    list(model.stream("Hello", config, **off))
    [_ async for _ in model.astream("Hello", config, **off)]
    for seen, request in zip(traced.seen, emulator.requests, strict=True):
        assert not seen.keys() & {"ls_temperature", "ls_max_tokens", "ls_stop"}
        assert not request.body.keys() & {"temperature", "max_tokens", "stop"}
    kwargs = {"temperature": 0.3, "max_tokens": 7}
    chat(model_kwargs=kwargs).invoke("Hello", config)
    await chat(model_kwargs=kwargs).ainvoke("Hello", config)
    for seen, request in zip(traced.seen[-2:], emulator.requests[-2:], strict=True):
        assert (seen["ls_temperature"], seen["ls_max_tokens"]) == (0.3, 7)
        assert kwargs.items() <= request.body.items()


def test_another_model_cannot_be_smuggled_in() -> None:
    """Profile, checks and traces would be those of a model that does not answer."""
    with pytest.raises(ValueError, match="model_kwargs"):
        ChatDoubao(model="ep-1", model_kwargs={"model": "ep-2"})


def examples() -> list[str]:
    """The code blocks of the class's documentation, in order."""
    blocks = re.split(r"\.\. code-block:: python\n", inspect.getdoc(ChatDoubao) or "")[1:]
    return [
        textwrap.dedent(re.match(r"((?: {8,}.*)?\n)*", block + "\n").group()) for block in blocks
    ]


async def test_the_examples_of_the_class_run(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARK_API_KEY", "test-key")
    monkeypatch.setenv("DOUBAO_BASE_URL", emulator.base_url)
    code = "\n".join(examples())
    compiled = compile(code, "ChatDoubao.__doc__", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    # Our own documentation; it awaits at top level, as notebooks do.
    names: dict[str, Any] = {}
    await types.FunctionType(compiled, names)()
    assert len(examples()) == 9
    assert names["answer"].additional_kwargs["reasoning_content"]
    assert len(emulator.requests) == 10


def test_the_public_names() -> None:
    assert langchain_doubao.__all__ == PUBLIC
    assert set(PUBLIC) <= set(dir(langchain_doubao))
    with pytest.raises(AttributeError, match="ChatDubao"):
        _ = langchain_doubao.ChatDubao


def python(code: str) -> subprocess.CompletedProcess[str]:
    # Our own code in a fresh interpreter.
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )


def test_importing_without_the_extra_names_it() -> None:
    done = python("import sys; sys.modules['langchain_core'] = None; import langchain_doubao")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError:")
    assert 'pip install ".[langchain]" in the folder of doubao-integrations' in last


@pytest.mark.parametrize("module", ["httpx", "langchain", "langgraph", "openai", "transformers"])
def test_importing_and_making_a_model_loads_no_more_than_it_needs(module: str) -> None:
    # langsmith, which langchain-core imports, loads httpx if this optional package is installed.
    code = (
        "import sys; sys.modules['httpx_aiohttp'] = None; "
        "from langchain_doubao import ChatDoubao; ChatDoubao(model='ep-1'); "
        f"print({module!r} in sys.modules)"
    )
    assert python(code).stdout.strip() == "False"


def test_old_messages_show_reasoning_as_soon_as_the_package_is_imported() -> None:
    """A stored conversation needs no model object to be shown."""
    code = (
        "import langchain_doubao; from langchain_core.messages import AIMessage; "
        "m = AIMessage('x', additional_kwargs={'reasoning_content': 'hm', "
        "'encrypted_content': 'dj'}, response_metadata={'model_provider': 'doubao'}); "
        "print(m.content_blocks)"
    )
    wanted: list[Any] = [
        {"type": "reasoning", "reasoning": "hm", "extras": {"encrypted_content": "dj"}},
        {"type": "text", "text": "x"},
    ]
    assert python(code).stdout.strip() == str(wanted)
