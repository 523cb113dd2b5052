"""The sentences around quotes, in the language of the question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from doubao_emulator import words

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """Fixed sentences of one language; ``{}`` is filled in."""

    greeting: str
    silent: str
    general: str
    attached: str
    computed: str
    tool_said: str
    separator: str
    think_question: str
    think_passages: str
    think_nothing: str
    think_tools: str
    think_results: str
    think_schema: str
    think_talk: str


ENGLISH = Phrases(
    greeting="Hello! It is good to hear from you. How can I help you today?",
    silent="The given context says nothing about this question: {}",
    general=(
        "You wrote: {} I am the local Doubao emulator, so I answer from text that the "
        "conversation contains, call tools and describe attachments; add some context and I "
        "will quote from it."
    ),
    attached="You attached {}.",
    computed="{} = {}",
    tool_said="{}: {}",
    separator=" ",
    think_question="The user asks: “{}”.",
    think_passages=" I compared {} sentences of the context with it; the best ones share: {}.",
    think_nothing=" The context speaks of too little of it, so I should say so.",
    think_tools=" The request asks for what {} offers, so I call it.",
    think_results=" The tools have answered, so I put their results together.",
    think_schema=" The answer must be JSON, so I fill its fields from what was said.",
    think_talk=" There is no context to quote, so a short reply will do.",
)
CHINESE = Phrases(
    greeting="你好！很高兴见到你，请问有什么可以帮你？",
    silent="所给的资料没有提到这个问题：{}",
    general=(
        "你说：{} 我是本地的豆包模拟器，会根据对话中的文字作答、"
        "调用工具、描述附件；给我一些资料，我就能引用其中的内容。"
    ),
    attached="你附上了{}。",
    computed="{} = {}",
    tool_said="{}：{}",
    separator="",
    think_question="用户问：“{}”。",
    think_passages="我把资料中的{}个句子与问题比较，最相关的句子都提到：{}。",
    think_nothing="资料中没有足够相关的句子，应当如实说明。",
    think_tools="这个请求需要 {} 的能力，所以调用它。",
    think_results="工具已经返回结果，现在汇总。",
    think_schema="回答必须是 JSON，于是按要求逐项填写。",
    think_talk="没有可以引用的资料，简短回复即可。",
)

_GREETING_WORDS = "hello hi hey hola greetings good morning evening afternoon there ark doubao"
_ENGLISH_GREETINGS = frozenset(_GREETING_WORDS.split())
_CHINESE_GREETINGS = ("你好", "您好", "早上好", "晚上好", "大家好", "嗨")
_LONGEST_GREETING = 4


def of(text: str) -> Phrases:
    """Return the phrases of the language `text` is written in."""
    return CHINESE if words.has_cjk(text) else ENGLISH


def is_greeting(text: str) -> bool:
    """Say whether a message is nothing but a greeting."""
    found = list(words.tokens(text))
    if not found or len(found) > _LONGEST_GREETING:
        return False
    if words.has_cjk(text):
        return "".join(found) in _CHINESE_GREETINGS
    return set(found) <= _ENGLISH_GREETINGS


def listed(names: Sequence[str], text: str) -> str:
    """Join names the way the language of `text` does."""
    return ("、" if words.has_cjk(text) else ", ").join(names)
