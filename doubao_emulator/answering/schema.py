"""Filling a JSON schema with values that fit it and come from what was said (ark.md 4.5)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from doubao_emulator import words
from doubao_emulator.answering import bounds, evidence, prompt, schema_rules, strings
from doubao_emulator.answering.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doubao_emulator.chat_model import Message
    from doubao_emulator.wire import JSON

# Below `_BOTTOM` a required field has no end; Python's stack would be next.
_DEEP, _DEEPEST, _BOTTOM = 3, 8, 40
# What a value costs; searching the conversation costs most.
_SEARCHED, _CHARACTERS, _KEYWORDS = 40, 50, 16
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

    Raises:
        SchemaFaultError: When no answer of a reasonable size fits.
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
        except (ValueError, RecursionError):
            continue
        if (
            isinstance(value, dict)
            and isinstance(value.get("properties"), dict)
            and _is_sound(value)
        ):
            # LangChain's instructions show an example schema before the real one.
            found = value
    return found


def _is_sound(schema: dict[str, JSON]) -> bool:
    try:
        schema_rules.check(schema)
    except schema_rules.SchemaFaultError:
        # A prompt is prose: what looks like a schema in it need not be one.
        return False
    return True


class _Filler:
    """Fills one schema; numbers of the text are used up in order."""

    def __init__(self, root: dict[str, JSON], known: Evidence, *, sparing: bool) -> None:
        self._root = root
        self._known = known
        self._sparing = sparing
        self._budget = schema_rules.Budget()
        self._nesting = 0
        self._counted: set[str] = set()
        self._chosen: dict[tuple[JSON, ...], str] = {}
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
        self._budget.spend(1)
        self._nesting += 1
        if self._nesting > _BOTTOM:
            raise schema_rules.unfillable()
        found = self._unbounded(name, self._resolved(schema), depth)
        self._nesting -= 1
        return found

    def _unbounded(self, name: str, schema: dict[str, JSON], depth: int) -> JSON:
        if "const" in schema:
            self._budget.spend(len(json.dumps(schema["const"])) // _CHARACTERS)
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
            self._budget.spend(2)
            return self._boolean(name)
        if kind == "null":
            return None
        return self._string(name, schema)

    def _string(self, name: str, schema: dict[str, JSON]) -> str:
        shortest = int(schema.get("minLength", 0))
        self._budget.spend(shortest // _CHARACTERS)
        keywords = ("format", "pattern", "description", "minLength", "maxLength")
        wanted = (name, *map(schema.get, keywords))
        if wanted not in self._chosen:
            self._budget.spend(_SEARCHED * (4 if "pattern" in schema else 1))
            self._chosen[wanted] = strings.choose(name, schema, self._known)
        self._budget.spend(len(self._chosen[wanted]) // _CHARACTERS)
        return self._chosen[wanted]

    def mentioned(self, name: str, schema: dict[str, JSON]) -> bool:
        """Say whether the request speaks of a field: by name, by unit, shape or allowed value."""
        self._budget.spend(_SEARCHED)
        focus = self._known.focus
        asked = set(words.terms(focus))
        spoken = [words.stem(word) for word in strings.name_words(name)]
        schema = self._resolved(schema)
        self._budget.spend(len(schema.get("enum", ())))
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
        found = {
            name: self.value(name, nested, depth + 1)
            for name, nested in properties.items()
            if name in required or self._includes(name, nested, depth)
        }
        missing = int(schema.get("minProperties", 0)) - len(found)
        optional = [name for name in properties if name not in found][: max(missing, 0)]
        found |= {name: self.value(name, properties[name], depth + 1) for name in optional}
        missing -= len(optional)
        return {**found, **self._additional(schema, missing, depth)} if missing > 0 else found

    def _additional(self, schema: dict[str, JSON], missing: int, depth: int) -> dict[str, JSON]:
        self._budget.spend(missing)
        nested = schema.get("additionalProperties", True)
        if nested is False:
            raise schema_rules.unfillable()
        return {
            f"additional_{count}": self.value("", nested, depth + 1)
            for count in range(1, missing + 1)
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
        self._budget.spend(least)
        wanted = max(least, min(most, 0 if depth > _DEEP and "properties" in item else 1))
        if item.get("type") == "string" and "enum" not in item:
            self._budget.spend(
                int(item.get("minLength", 0)) // _CHARACTERS * len(self._listed(name))
            )
            listed = [strings.fitted(text, item) for text in self._listed(name)]
            values += listed[: most - len(values)]
        while len(values) < wanted:
            values.append(self.value(name, items, depth + 1))
        return bounds.distinct(values, item) if schema.get("uniqueItems") else values

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
        self._budget.spend(4 if name in self._counted else _SEARCHED)
        self._counted.add(name)
        near = evidence.number_near(self._known.focus, self._labels(name))
        if near is None and self._known.text != self._known.focus and not self._numbers:
            near = evidence.number_near(self._known.text, self._labels(name))
        if near is not None and near in self._numbers:
            self._numbers.remove(near)
        elif near is None and self._numbers:
            near = self._numbers.pop(0)
        elif near is None and self._spare_numbers:
            near = self._spare_numbers.pop(0)
        return bounds.number_within(0.0 if near is None else near, schema, kind)

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
        self._budget.spend(len(json.dumps(options)) // _CHARACTERS + len(options))
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

    def _resolved(self, unresolved: JSON, level: int = 0) -> dict[str, JSON]:
        """Follow a local reference and merge `allOf`."""
        if not isinstance(unresolved, dict):
            return {}
        schema: dict[str, JSON] = unresolved
        self._budget.spend(level + len(schema) // _KEYWORDS)
        if level > _BOTTOM:
            raise schema_rules.unfillable()
        for _ in range(_DEEPEST):
            if "$ref" not in schema:
                break
            siblings = {key: value for key, value in schema.items() if key != "$ref"}
            schema = {**schema_rules.pointed_at(self._root, schema["$ref"]), **siblings}
        for part in schema.get("allOf", ()):
            schema = _merged(schema, self._resolved(part, level + 1))
            self._budget.spend(1 + len(schema.get("properties") or ()) // _KEYWORDS)
        return schema


def _merged(first: dict[str, JSON], second: dict[str, JSON]) -> dict[str, JSON]:
    merged = {**second, **first}
    if "properties" in merged:
        merged["properties"] = {
            **(second.get("properties") or {}),
            **(first.get("properties") or {}),
        }
        merged["required"] = [*(first.get("required") or ()), *(second.get("required") or ())]
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
    return any(
        name in {"integer", "number"}
        for kind in kinds
        for name in (kind if isinstance(kind, list) else [kind])
    )


def _is_optional_null(schema: dict[str, JSON]) -> bool:
    return "default" in schema and schema["default"] is None


def _has_word(text: str, word: str) -> bool:
    if words.has_cjk(word):
        return word in text
    if word.casefold() not in text.casefold():
        return False
    return bool(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE))
