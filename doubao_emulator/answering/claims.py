"""Matching a request against the tools on offer: which tool does which clause ask for."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doubao_emulator import words
from doubao_emulator.answering import clauses, strings, subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from doubao_emulator.chat_model import Tool

# Words for one thing, in both languages; the first is the canonical one.
_SYNONYMS = """
image picture photo photograph illustration illustrate drawing painting draw paint sketch \
depict 图片 图像 插图 照片 画一 一张 一幅 配图 绘制
video film clip movie animation animate footage shoot 视频 短片 影片 动画 拍一 拍摄
search retrieve retrieval retriever lookup find query look 搜索 查找 检索 查询 查一
document documents docs passage passages corpus knowledge 文档 资料 知识
weather forecast temperature 天气 气温
add sum plus addition adder + 相加 加法 加上
multiply times product multiplication multiplier * × 相乘 乘法 乘以
subtract minus difference subtraction 减去 减法
divide division quotient ÷ 除以 除法
check status progress state 状态 进度
calculate calculator compute arithmetic 计算
time clock date today 时间 日期
email mail 邮件
translate translation translator 翻译
create make generate produce render compose 生成 制作 创建
"""
# Words in tool names that say nothing about what the tool is for.
_IDLE_WORDS = (
    "get make generate create produce render compose run do tool function call use fetch my "
    "the a an of to for in on with by and or from new api service helper engine value perform "
    "information data execute apply show return user"
)
_IDLE = frozenset(words.stem(word) for word in _IDLE_WORDS.split())
_REFUSAL = re.compile(
    r"\b(?:do not|don't|without|no need to)\s+(?:use|using|call|calling)?\s*"
    r"(?:any\s+|the\s+)?tools?\b"
    r"|(?:不要|不用|无需)(?:使用|调用)?(?:任何)?工具",
    re.IGNORECASE,
)
# Words in the description of a tool that finds answers.
_SEEKS = {words.stem(word) for word in ("search", "answer", "question", "document", "knowledge")}
_MAKERS = {"generate", "create", "make", "draw", "paint", "render", "produce", "compose"}
_ID_LIKE = re.compile(r"\b(?=[\w-]*\d)[A-Za-z][A-Za-z0-9]*-[\w-]+\b|\b\d{4,}\b")
# So many words of a description must be in the request when the name says nothing.
_DESCRIBED = 2


@dataclass(frozen=True, slots=True)
class Claim:
    """A tool that a clause of the request asks for."""

    tool: Tool
    clause: str
    position: int


def made_by(request: str, tools: Sequence[Tool]) -> list[Claim]:
    """Return the tools a request asks for, in the order it names them."""
    if _REFUSAL.search(request):
        return []
    usable = [tool for tool in tools if _has_what_it_needs(tool, request)]
    found = list(_explicit(request, usable))
    named = {claim.clause for claim in found}
    others = [tool for tool in usable if all(claim.tool is not tool for claim in found)]
    # Beside tools that are called by name, only what tells to do something asks for others.
    left = clauses.masked(
        request, lambda each: not named or (each not in named and subject.is_errand(each))
    )
    found += _by_words(request, left, others)
    found += _open_questions(request, usable, found)
    if not found and (described := _by_description(request, usable)):
        found = [Claim(described, request, 0)]
    return sorted(found, key=lambda claim: -1 if clauses.is_first(claim.clause) else claim.position)


def closest(request: str, tools: Sequence[Tool]) -> Tool:
    """Return the tool that fits a request best; the first when none fits."""
    claimed = made_by(request, tools)
    if claimed:
        return claimed[0].tool
    asked = _canonical(request)
    return max(tools, key=lambda tool: len(asked & _about(tool)))


def _explicit(request: str, tools: Sequence[Tool]) -> Iterator[Claim]:
    for tool in tools:
        pattern = rf"(?<![\w-]){re.escape(tool.name)}(?![\w-])"
        is_name = "_" in tool.name or "-" in tool.name or tool.name.lower() != tool.name
        if is_name and (match := re.search(pattern, request)):
            yield Claim(tool, clauses.at(request, match.start()), match.start())


def _open_questions(request: str, tools: Sequence[Tool], found: Sequence[Claim]) -> list[Claim]:
    """Give a question that no other tool claims to a tool that looks things up."""
    seekers = [tool for tool in tools if _looks_things_up(tool)]
    if not seekers or any(claim.tool in seekers for claim in found):
        return []
    claimed = {claim.clause for claim in found}
    for clause in clauses.split(request):
        if clause not in claimed and clauses.is_open_question(clause):
            asked = _canonical(clause)
            seeker = max(seekers, key=lambda tool: len(asked & _about(tool)))
            return [Claim(seeker, clause, request.index(clause))]
    return []


def _looks_things_up(tool: Tool) -> bool:
    if _canonical_word("search") in _canonical_name(tool):
        return True
    required = {str(field) for field in tool.parameters.get("required") or ()}
    return len(required) == 1 and required <= strings.ASKED and bool(_SEEKS & _about(tool))


def _by_words(request: str, left: str, tools: Sequence[Tool]) -> Iterator[Claim]:
    """Yield the tools whose names the request speaks of; `left` is what no other tool claims."""
    names = {tool.name: _canonical_name(tool) for tool in tools}
    spoken = {tool.name: _spoken_for(tool, left) for tool in tools}
    scores = {tool.name: _score(tool, names[tool.name], spoken[tool.name], tools) for tool in tools}
    taken: set[str] = set()
    for tool in sorted(tools, key=lambda tool: -scores[tool.name]):
        positions = {
            word: position
            for word in names[tool.name] - taken
            if (position := _position(word, spoken[tool.name])) >= 0
        }
        if positions and scores[tool.name] > 0:
            taken |= positions.keys()
            first = min(positions.values())
            yield Claim(tool, clauses.at(request, first), first)


def _spoken_for(tool: Tool, request: str) -> str:
    """Return what of a request may ask for a tool: thanks for a picture do not ask for one."""
    makes = not _MAKERS.isdisjoint(strings.name_words(tool.name))
    return clauses.masked(
        request,
        lambda each: not clauses.is_thanks(each) and not (makes and clauses.only_wonders(each)),
    )


def _score(tool: Tool, name: set[str], request: str, tools: Sequence[Tool]) -> float:
    """Score a tool's name against the request; words shared with other names count less."""
    spread = Counter(word for other in tools for word in _canonical_name(other))
    asked = _canonical(request)
    named = sum(1 / spread[word] for word in name & asked)
    all_words = {_canonical_word(word) for word in strings.name_words(tool.name)}
    return named + 0.2 * len(all_words & asked) + 0.05 * len(_about(tool) & asked)


def _by_description(request: str, tools: Sequence[Tool]) -> Tool | None:
    asked = _canonical(request)
    scored = [(len(asked & _about(tool)), -index) for index, tool in enumerate(tools)]
    best, index = max(scored, default=(0, 0))
    return tools[-index] if best >= _DESCRIBED else None


def _has_what_it_needs(tool: Tool, request: str) -> bool:
    """Refuse a tool that needs an identifier when the request names none."""
    required = tool.parameters.get("required") or ()
    needs_id = any(strings.name_words(str(field))[-1:] == ["id"] for field in required)
    return not needs_id or bool(_ID_LIKE.search(request))


def _canonical_name(tool: Tool) -> set[str]:
    found = {_canonical_word(word) for word in strings.name_words(tool.name)}
    return {word for word in found if word not in _IDLE and not word.isdigit()}


def _about(tool: Tool) -> set[str]:
    properties = tool.parameters.get("properties") or {}
    described = [
        str(field.get("description", ""))
        for field in properties.values()
        if isinstance(field, dict)
    ]
    text = " ".join(
        [" ".join(strings.name_words(tool.name)), tool.description, *properties, *described]
    )
    return {word for word in _canonical(text) if word not in _IDLE}


def _canonical(text: str) -> set[str]:
    found = {_canonical_word(term) for term in words.terms(text)}
    found |= {
        canonical
        for canonical, forms in _FORMS.items()
        if any(_spells(form, text) for form in forms)
    }
    return found


def _canonical_word(word: str) -> str:
    stemmed = words.stem(word.lower())
    return _CANONICAL.get(stemmed, stemmed)


def _position(word: str, request: str) -> int:
    """Return where a request names a thing, by any of its words; -1 when it does not."""
    positions = [
        match.start()
        for match in re.finditer(r"[^\W\d_]+", request)
        if _canonical_word(match.group()) == word
    ]
    positions += [request.find(form) for form in _FORMS.get(word, ()) if _spells(form, request)]
    return min(positions, default=-1)


def _spells(form: str, text: str) -> bool:
    if form in "+*×÷":
        return bool(re.search(rf"\d\s*{re.escape(form)}\s*\d", text))
    return form in text


_CANONICAL = {
    words.stem(word): words.stem(row.split()[0])
    for row in _SYNONYMS.strip().splitlines()
    for word in row.split()
    if word.isascii() and word.isalpha()
}
_FORMS = {
    words.stem(row.split()[0]): tuple(
        word for word in row.split() if not word.isascii() or not word.isalpha()
    )
    for row in _SYNONYMS.strip().splitlines()
}
