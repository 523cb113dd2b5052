"""What a request is about, once its framing is taken away: `a red fox` of `draw me a red fox`."""

from __future__ import annotations

import re

from doubao_emulator import words
from doubao_emulator.answering import evidence

_DETERMINER = r"(?:(?:the|an?|one|this|that|its|my|your|some|two|three|another)\s+)"
_ADJECTIVE = (
    r"(?:(?:single|short|small|large|new|nice|beautiful|brief|quick|little|relevant|right|"
    r"\d+[- ]?(?:s|sec|seconds?))\s+)"
)
_KIND = (
    r"(?:images?|pictures?|photos?|photographs?|illustrations?|drawings?|paintings?|sketch(?:es)?|"
    r"videos?|clips?|films?|movies?|animations?)"
)
_SOURCE = (
    r"(?:documents?|docs?|corpus|passages?|knowledge base|index|notes|texts?|answers?|questions?|"
    r"results?|information|details)"
)
# Words before the thing a request is about.
_OPENING = re.compile(
    r"^(?:\s|,|:|please|kindly|first(?:ly)?|then|next|after that|afterwards|finally|lastly|also|"
    r"likewise|and|now|can you|could you|would you|will you|i want you to|i would like you to|"
    r"i'd like you to|i want|i need|i'd like|help me|let'?s|to|you should|you must)+\b\s*",
    re.IGNORECASE,
)
_TOOL_CLAUSE = re.compile(
    r"^(?:by\s+)?(?:using|use|call|calling|with)\s+(?:the\s+|your\s+)?[\w`'\"-]+"
    r"(?:\s+(?:tool|function))?\s*(?:,|to|and|for|with)?\s+",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"^(?:search(?: through| in)?|find(?: out)?|look(?: up| for| at| into)?|retrieve|fetch|query|"
    r"generate|make|create|draw|paint|sketch|produce|render|illustrate|depict|design|film|shoot|"
    r"animate|record|take|show|give|get|tell|write|read|check|compute|calculate|send|book|"
    r"summari[sz]e|explain|describe|say)\b\s*(?:(?:me|us)\b\s*)?",
    re.IGNORECASE,
)
_FRAME = re.compile(
    rf"^(?:{_DETERMINER}?{_ADJECTIVE}*{_KIND}\b(?:\s+and\s+(?={_DETERMINER}?{_ADJECTIVE}*{_KIND}\b))?"
    r"(?:\s+(?:of|about|for|from|with|showing|depicting|that shows?|which shows?)\b)?"
    rf"|{_DETERMINER}?{_ADJECTIVE}*{_SOURCE}\b(?!\s+of\b)(?:\s+(?:for|about|on|to|in|from)\b)?"
    r"|(?:for|about|on|of|in|through)\b|[\s,:：])+",
    re.IGNORECASE,
)
_MANNER = re.compile(
    r"(?<![\s,])[\s,]*\b(?:in parallel|at the same time|simultaneously|please|for me)\b"
    r"(?=[\s.!?]*$)",
    re.IGNORECASE,
)
_CJK_MEDIUM = r"(?:图片|图像|插图|照片|画像|图画|视频|短片|影片|动画)"
_CJK_KIND = rf"(?:{_CJK_MEDIUM}|图(?!\w))"
_CJK_OPENING = (
    r"(?:请问?|帮我|给我|为我|麻烦|然后|接着|再(?!见)|首先|最后|先(?!生)|并且?|同时|我想要?|我要|能否|可以|你|"
    r"(?:使用|调用|用)\s*(?:[A-Za-z_][\w-]*?(?![A-Za-z0-9_-])\s*(?:工具|来)?|\w{0,8}?工具)|[，,\s])"
)
_CJK_VERB = r"(?:搜索|查找|检索|查询|查一下|生成|绘制|制作|创建|创作|拍摄|录制)"
# These begin other words as well: 画家, 做法, 查理.
_CJK_SHORT_VERB = r"(?:查|找|画|做|拍|写)"
_CJK_AMOUNT = rf"(?:一下|出|成|[一两二三四\d]?(?:张|幅|个|段|条|部|份)|关于|{_CJK_KIND})"
_CJK_FRAME = re.compile(
    rf"^(?:{_CJK_OPENING}*{_CJK_VERB}|{_CJK_OPENING}+{_CJK_SHORT_VERB}"
    rf"|{_CJK_SHORT_VERB}(?={_CJK_AMOUNT}))"
    rf"(?:{_CJK_AMOUNT}|\s*\d+\s*秒的?|有关|资料|文档)*(?:内容[是为]|主题[是为])?[:：，,\s]*"
    rf"|^(?:请问?|然后|[，,\s])+"
)
_CJK_TAIL = re.compile(rf"(?:的?(?:\d+秒的?)?{_CJK_MEDIUM}|的图)[。！!，,]*$")
# Durations, ratios, sizes and links say how, not what.
_SPECIFICATION = re.compile(
    r"https?://\S+|\bas (?:the )?(?:first|last) (?:frame|picture|image)\b"
    r"|\d+(?::\d+|[pkx]\d*|[-\s]*(?:seconds?|secs?|s)\b|\s*秒)?"
    r"|资料|文档|结果|答案|内容|这个|一下|它",
    re.IGNORECASE,
)
_EMPTY_WORDS = (
    "first then and also finally it that this one image picture photo illustration video clip film "
    "scene result answer question "
    "thing subject above passage document short brief second sec nice beautiful same topic"
)
_EMPTY_STEMS = frozenset(words.stem(word) for word in _EMPTY_WORDS.split())


def of(request: str) -> str:
    """Return what a request is about, without verbs and framing; empty when it is only framing.

    A subject may still point elsewhere, as `it` does; see `is_empty`.
    """
    rest, is_errand = _without_errand(request.strip())
    framed = _FRAME.sub("", rest) if is_errand or _FRAME.match(rest) else rest
    if words.has_cjk(framed):
        framed = _CJK_TAIL.sub("", _CJK_FRAME.sub("", framed))
    return _MANNER.sub("", framed).strip(" .,!?;:，。！？；：")


def is_errand(clause: str) -> bool:
    """Say whether a clause tells to do something, rather than to know something."""
    return _without_errand(clause.strip())[1]


def is_empty(text: str) -> bool:
    """Say whether a subject only points elsewhere: ``it``, ``the answer``, ``a short video``."""
    for question in evidence.quoted_questions(text):
        text = text.replace(question, " ")
    bare = _SPECIFICATION.sub(" ", text)
    return not [term for term in words.terms(bare) if term not in _EMPTY_STEMS]


def _without_errand(request: str) -> tuple[str, bool]:
    """Return a request without its opening and verb, and whether it had a verb."""
    rest = _OPENING.sub("", request)
    rest = _TOOL_CLAUSE.sub("", rest)
    rest = _OPENING.sub("", rest)
    verbless = _VERB.sub("", rest)
    return verbless, verbless != rest
