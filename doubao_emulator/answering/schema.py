"""Filling a JSON schema with values that fit it and come from what was said (ark.md 4.5)."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from doubao_emulator import words
from doubao_emulator.answering import evidence, prompt, strings
from doubao_emulator.answering.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doubao_emulator.chat_model import Message
    from doubao_emulator.wire import JSON

_DEEP, _DEEPEST = 3, 8
# Units that stand for a field: `30 years old` is an age.
_UNITS = {
    "age": ["years old", "year-old", "岁"],
    "duration": ["seconds", "second", "sec", "s", "秒"],
    "price": ["dollars", "yuan", "euros", "元"],
    "height": ["metres", "meters", "m", "米"],
    "count": ["pieces", "pictures", "images", "times"],
    "images": ["images", "pictures", "张"],
}
_LIST = re.compile(
    r"(?P<before>(?:\w+\s+)?)(?P<list>(?:[\w-]+,\s+)*[\w-]+,?\s+(?:and|or)\s+[\w-]+)"
)
_POINTER = re.compile(r"\b(?:result|it|that|answer)\b|结果", re.IGNORECASE)
_NEGATION = re.compile(r"\b(?:no|not|without|don't|never)\b|不|没|无", re.IGNORECASE)
_KEYS = re.compile(r"(?:['\"`](?P<key>[A-Za-z_]\w{0,40})['\"`])")
_SCHEMA_START = re.compile(
    r"\{\s*\"(?:\$defs|description|properties|title|type|required|\$schema)\""
)
_FORMAT_TALK = re.compile(r"json|schema|\{\s*\{?\s*\"", re.IGNORECASE)
_WANTS_JSON = re.compile(r"json", re.IGNORECASE)


def evidence_of(messages: Sequence[Message]) -> Evidence:
    """Collect what a conversation says; its last user message is the focus."""
    reading = prompt.read(messages)
    focus = _without_format_talk(reading.question)
    text = "\n\n".join([focus, *map(_without_format_talk, reading.passages)])
    return Evidence(focus=focus, text=text, topic=focus)


def fill(schema: dict[str, JSON], known: Evidence, *, sparing: bool = False) -> JSON:
    """Return a value that is valid under `schema`.

    Args:
        schema: The JSON schema; references are resolved within it.
        known: Where values come from.
        sparing: Leave optional properties out unless they are mentioned.
    """
    return _Filler(schema, known, sparing=sparing).value("", schema, 0)


def embedded_in(messages: Sequence[Message]) -> dict[str, JSON] | None:
    """Return the JSON schema that a prompt asks the answer to follow, if it holds one."""
    for message in reversed(messages):
        if message.role in {"system", "user"} and _WANTS_JSON.search(message.text):
            found = _last_schema(message.text)
            if found is not None:
                return found
    return None


def wanted_by(messages: Sequence[Message]) -> dict[str, JSON]:
    """Return a schema for `json_object`: the keys the prompt quotes, or one `answer`."""
    embedded = embedded_in(messages)
    if embedded is not None:
        return embedded
    asked = messages[prompt.last_user_index(messages)].text
    everything = "\n".join(m.text for m in messages if m.role == "system") + "\n" + asked
    keys = list(dict.fromkeys(match["key"] for match in _KEYS.finditer(everything))) or ["answer"]
    return {
        "type": "object",
        "properties": {key: {"type": "string"} for key in keys},
        "required": keys,
    }


def _without_format_talk(text: str) -> str:
    """Drop what is said about JSON and schemas, unless nothing else is said."""
    kept = [
        sentence
        for line in text.splitlines()
        if not line.lstrip().startswith(("```", "{"))
        for sentence in words.sentences(line)
        if not _FORMAT_TALK.search(sentence)
    ]
    return "\n".join(kept) or text


def _last_schema(text: str) -> dict[str, JSON] | None:
    if '{{"' in text:
        # LlamaIndex escapes the braces of a schema for a template that is never formatted.
        text = text.replace("{{", "{").replace("}}", "}")
    decoder = json.JSONDecoder()
    found: dict[str, JSON] | None = None
    end = 0
    for match in _SCHEMA_START.finditer(text):
        if match.start() < end:
            continue
        try:
            value, end = decoder.raw_decode(text, match.start())
        except ValueError:
            continue
        if isinstance(value, dict) and isinstance(value.get("properties"), dict):
            # LangChain's instructions show an example schema before the real one.
            found = value
    return found


class _Filler:
    """Fills one schema; numbers of the text are used up in order."""

    def __init__(self, root: dict[str, JSON], known: Evidence, *, sparing: bool) -> None:
        self._root = root
        self._known = known
        self._sparing = sparing
        self._numbers = [*evidence.numbers(known.focus)]
        self._spare_numbers = [
            n for result in reversed(known.results) for n in evidence.numbers(result)[-1:]
        ]
        pointer = _POINTER.search(known.focus)
        digit = re.search(r"\d", known.focus)
        if pointer and self._spare_numbers and (not digit or pointer.start() < digit.start()):
            # "multiply the result by 5"
            self._numbers.insert(0, self._spare_numbers.pop(0))

    def value(self, name: str, schema: JSON, depth: int) -> JSON:
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._choice(name, schema["enum"])
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                return self._alternative(name, schema, schema[keyword], depth)
        kind = schema.get("type")
        if isinstance(kind, list):
            options = [{**schema, "type": one} for one in kind]
            return self._alternative(name, {}, options, depth)
        return self._typed(name, schema, kind or _implied_type(schema), depth)

    def _typed(self, name: str, schema: dict[str, JSON], kind: str, depth: int) -> JSON:
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(name, schema, depth)
        if kind in {"integer", "number"}:
            return self._number(name, schema, kind)
        if kind == "boolean":
            return self._boolean(name)
        if kind == "null":
            return None
        return strings.choose(name, schema, self._known)

    def mentioned(self, name: str, schema: dict[str, JSON]) -> bool:
        """Say whether the request speaks of a field: by name, by unit, shape or allowed value."""
        focus = self._known.focus
        asked = set(words.terms(focus))
        spoken = [words.stem(word) for word in strings.name_words(name)]
        schema = self._resolved(schema)
        allowed = [str(choice) for choice in schema.get("enum", ()) if isinstance(choice, str)]
        if any(_has_word(focus, choice) for choice in allowed):
            return True
        if _is_numeric(schema):
            return evidence.number_near(focus, self._labels(name)) is not None
        if strings.promises_shape(name):
            return strings.shaped(name, focus) is not None
        return bool(spoken) and set(spoken) <= asked

    def _object(self, schema: dict[str, JSON], depth: int) -> dict[str, JSON]:
        properties: dict[str, JSON] = schema.get("properties") or {}
        required = set(schema.get("required") or ())
        return {
            name: self.value(name, nested, depth + 1)
            for name, nested in properties.items()
            if name in required or self._includes(name, nested, depth)
        }

    def _includes(self, name: str, schema: JSON, depth: int) -> bool:
        if depth > _DEEPEST:
            return False
        nested = self._resolved(schema)
        return self.mentioned(name, nested) if self._sparing else not _is_optional_null(nested)

    def _array(self, name: str, schema: dict[str, JSON], depth: int) -> list[JSON]:
        least = int(schema.get("minItems", 0))
        most = int(schema.get("maxItems", 1000))
        prefix = schema.get("prefixItems") or []
        values = [self.value(name, item, depth + 1) for item in prefix]
        items = schema.get("items", {"type": "string"} if not prefix else False)
        if items is False or items is True or depth > _DEEPEST:
            return values
        item = self._resolved(items)
        # A tree may have no end; below its first levels it has no more branches.
        wanted = max(least, min(most, 0 if depth > _DEEP and "properties" in item else 1))
        if item.get("type") == "string" and "enum" not in item:
            listed = [strings.fitted(text, item) for text in self._listed(name)]
            values += listed[: most - len(values)]
        while len(values) < wanted:
            values.append(self.value(name, items, depth + 1))
        return _distinct(values, item) if schema.get("uniqueItems") else values

    def _listed(self, name: str) -> list[str]:
        """Return the things a request lists: of the right shape, quoted, or `a, b and c`."""
        if strings.promises_shape(name):
            return strings.all_shaped(name, self._known.focus)
        quotes = evidence.quoted(self._known.focus)
        if quotes:
            return quotes
        spoken = {words.stem(word) for word in strings.name_words(name)}
        lists = list(_LIST.finditer(self._known.focus))
        # Of several lists, the one right after the field's own name.
        lists.sort(key=lambda found: not spoken & set(words.terms(found["before"])))
        return re.split(r",\s*(?:and |or )?| and | or ", lists[0]["list"]) if lists else []

    def _number(self, name: str, schema: dict[str, JSON], kind: str) -> int | float:
        near = evidence.number_near(self._known.focus, self._labels(name))
        if near is None and self._known.text != self._known.focus and not self._numbers:
            near = evidence.number_near(self._known.text, self._labels(name))
        if near is not None and near in self._numbers:
            self._numbers.remove(near)
        elif near is None and self._numbers:
            near = self._numbers.pop(0)
        elif near is None and self._spare_numbers:
            near = self._spare_numbers.pop(0)
        return _bounded(0.0 if near is None else near, schema, kind)

    def _labels(self, name: str) -> list[str]:
        parts = strings.name_words(name)
        units = [unit for part in parts for unit in _UNITS.get(part, ())]
        return (
            [" ".join(parts), *units, *(part for part in parts if len(part) > 1)] if parts else []
        )

    def _boolean(self, name: str) -> bool:
        for sentence in words.sentences(self._known.focus):
            if set(map(words.stem, strings.name_words(name))) & set(words.terms(sentence)):
                return not _NEGATION.search(sentence)
        return True

    def _choice(self, name: str, options: Sequence[JSON]) -> JSON:
        for text in (self._known.focus, self._known.text):
            for option in options:
                if isinstance(option, str) and option and _has_word(text, option):
                    return option
        close = strings.name_words(name)
        return next((option for option in options if option in close), options[0])

    def _alternative(
        self, name: str, schema: dict[str, JSON], options: Sequence[JSON], depth: int
    ) -> JSON:
        real = [option for option in options if self._resolved(option).get("type") != "null"]
        nullable = len(real) < len(options)
        if not real or (nullable and name and not self._wants(name, real[0], depth)):
            return None
        return self.value(name, {**_without_alternatives(schema), **self._resolved(real[0])}, depth)

    def _wants(self, name: str, schema: JSON, depth: int) -> bool:
        return depth <= _DEEPEST and self.mentioned(name, self._resolved(schema))

    def _resolved(self, unresolved: JSON) -> dict[str, JSON]:
        """Follow a local reference and merge `allOf`."""
        if not isinstance(unresolved, dict):
            return {}
        schema: dict[str, JSON] = unresolved
        for _ in range(_DEEPEST):
            if "$ref" not in schema:
                break
            siblings = {key: value for key, value in schema.items() if key != "$ref"}
            schema = {**_pointed_at(self._root, schema["$ref"]), **siblings}
        for part in schema.get("allOf", ()):
            schema = _merged(schema, self._resolved(part))
        return schema


def _pointed_at(root: dict[str, JSON], reference: str) -> dict[str, JSON]:
    target = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        nested = target.get(name) if step else target
        target = nested if isinstance(nested, dict) else {}
    return target


def _merged(first: dict[str, JSON], second: dict[str, JSON]) -> dict[str, JSON]:
    merged = {**second, **first}
    if "properties" in first or "properties" in second:
        merged["properties"] = {**second.get("properties", {}), **first.get("properties", {})}
        merged["required"] = [*first.get("required", ()), *second.get("required", ())]
    return merged


def _without_alternatives(schema: dict[str, JSON]) -> dict[str, JSON]:
    return {key: value for key, value in schema.items() if key not in {"anyOf", "oneOf", "type"}}


def _implied_type(schema: dict[str, JSON]) -> str:
    if "properties" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "string"


def _is_numeric(schema: dict[str, JSON]) -> bool:
    kinds = (
        schema.get("type"),
        *(option.get("type") for option in schema.get("anyOf", ()) if isinstance(option, dict)),
    )
    return any(kind in {"integer", "number"} for kind in kinds)


def _is_optional_null(schema: dict[str, JSON]) -> bool:
    return "default" in schema and schema["default"] is None


def _has_word(text: str, word: str) -> bool:
    if words.has_cjk(word):
        return word in text
    return bool(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE))


def _bounded(number: float, schema: dict[str, JSON], kind: str) -> int | float:
    step = schema.get("multipleOf") or (1 if kind == "integer" else 0)
    margin = step or 1e-6
    low = schema.get("minimum", -math.inf)
    high = schema.get("maximum", math.inf)
    if isinstance(above := schema.get("exclusiveMinimum"), int | float):
        low = max(low, above + margin)
    if isinstance(below := schema.get("exclusiveMaximum"), int | float):
        high = min(high, below - margin)
    number = min(max(number, low), high)
    if step:
        steps = min(max(round(number / step), _up(low / step)), _down(high / step))
        number = steps * step
    return int(number) if kind == "integer" or float(number).is_integer() else number


def _up(bound: float) -> float:
    return math.ceil(bound) if math.isfinite(bound) else bound


def _down(bound: float) -> float:
    return math.floor(bound) if math.isfinite(bound) else bound


def _distinct(values: list[JSON], item: dict[str, JSON]) -> list[JSON]:
    """Make equal values different, numbers away from an upper bound."""
    step = item.get("multipleOf", 1) * (-1 if "maximum" in item else 1)
    kept: list[JSON] = []
    for value in values:
        unique = value
        while unique in kept:
            unique = unique + step if isinstance(unique, int | float) else f"{unique}*"
        kept.append(unique)
    return kept
