"""Schemas that are malformed or boundless, and what clients may send beside them."""

import json
import threading

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doubao_emulator import state
from doubao_emulator.answering import schema, schema_rules
from doubao_emulator.answering.evidence import Evidence

MODEL = "doubao-seed-2-0-lite-260215"
KEY = {"Authorization": "Bearer k"}
SAID = [
    {"role": "user", "content": "Use f with 3 pictures of 'red cats', dogs and aaaaaaaaaaaaaaaa!"}
]


def in_format(nested, **more):
    described = {"name": "n", "schema": nested, **more}
    return {"response_format": {"type": "json_schema", "json_schema": described}}


def in_tool(nested, **more):
    function = {"name": "f", "parameters": nested, **more}
    return {
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
    }


def ask(emulator, fields):
    """Send a request; what no bound stops would outlast the patience by far."""
    body = {"model": MODEL, "messages": SAID, **fields}
    return httpx.post(
        f"{emulator.base_url}/chat/completions", content=json.dumps(body), headers=KEY, timeout=20
    )


HUGE = 10**30
LOOP = {"$ref": "#/$defs/n"}
TWICE = {"anyOf": [LOOP, LOOP]}
BOUNDLESS = {
    "minItems": {"type": "array", "minItems": HUGE},
    "minLength": {"type": "string", "minLength": HUGE},
    "minProperties": {"type": "object", "minProperties": HUGE},
    "long items": {
        "type": "array",
        "minItems": 1000,
        "items": {"type": "string", "minLength": 100_000},
    },
    "required recursion": {
        "type": "object",
        "required": ["n"],
        "properties": {"n": {"$ref": "#"}},
    },
    "endless anyOf": {**TWICE, "$defs": {"n": TWICE}},
    "endless allOf": {"allOf": [LOOP], "$defs": {"n": {"allOf": [LOOP, LOOP]}}},
    "exponential arrays": {
        "type": "array",
        "minItems": 10,
        "items": {"$ref": "#"},
    },
    "exponential recursion": {
        "type": "object",
        "required": ["a", "b"],
        "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}},
    },
}


@pytest.mark.parametrize("place", [in_format, in_tool])
@pytest.mark.parametrize("kind", BOUNDLESS)
def test_a_schema_without_a_sane_answer_is_refused_at_once(emulator, kind, place):
    nested = {
        "type": "object",
        "required": ["v"],
        "properties": {"v": BOUNDLESS[kind]},
        "$defs": BOUNDLESS[kind].get("$defs", {}),
    }
    if "$ref" in json.dumps(BOUNDLESS[kind]) and "$defs" not in BOUNDLESS[kind]:
        nested["properties"]["v"] = json.loads(
            json.dumps(BOUNDLESS[kind]).replace('"#"', '"#/properties/v"')
        )
    answer = ask(emulator, place(nested))
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "InvalidParameter"
    assert error["param"].startswith(("response_format.json_schema.schema", "tools[0].function"))


@pytest.mark.parametrize(
    ("nested", "check"),
    [
        ({"type": "array", "minItems": 300}, lambda value: len(value) == 300),
        ({"type": "array", "minItems": 300, "uniqueItems": True}, lambda v: len(set(v)) == 300),
        ({"type": "string", "minLength": 2000}, lambda value: len(value) >= 2000),
        ({"type": "object", "minProperties": 5}, lambda value: len(value) == 5),
        ({"type": "string", "pattern": "(a+)+$"}, lambda value: isinstance(value, str)),
        ({"type": "string", "pattern": "(?<x"}, lambda value: isinstance(value, str)),
        ({"type": "string", "pattern": "a{4000000000}"}, lambda value: isinstance(value, str)),
        ({"type": ["integer", "null"]}, lambda value: value is None or isinstance(value, int)),
    ],
)
def test_a_large_schema_within_the_bound_is_filled(emulator, nested, check):
    answer = ask(
        emulator, in_format({"type": "object", "required": ["v"], "properties": {"v": nested}})
    )
    assert answer.status_code == 200
    assert check(json.loads(answer.json()["choices"][0]["message"]["content"])["v"])


MALFORMED = [
    {"required": True},
    {"properties": 3.5},
    {"properties": {"a": 5}},
    {"properties": {"a": {"minItems": "x"}}},
    {"properties": {"a": {"enum": 3}}},
    {"properties": {"a": {"enum": []}}},
    {"properties": {"a": {"$ref": 5}}},
    {"properties": {"a": {"type": {}}}},
    {"properties": {"a": {"multipleOf": 0}}},
    {"properties": {"a": {"pattern": []}}},
    {"properties": {"a": {"$ref": "#/default"}}, "default": {"type": {}}},
    {"anyOf": {}},
    {"type": {}},
]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("place", [in_format, in_tool])
@pytest.mark.parametrize("nested", MALFORMED, ids=json.dumps)
def test_a_malformed_schema_is_refused_by_name(emulator, nested, place, strict):
    answer = ask(emulator, place(nested, strict=strict))
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "InvalidParameter"
    assert error["param"].startswith(("response_format.json_schema.schema", "tools[0].function"))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=4,
)
SIZES = st.integers(min_value=0, max_value=40) | st.just(HUGE)
REFERENCES = st.sampled_from(["#", "#/$defs/a", "#/properties", "#/properties/a", "x", "#/enum"])
TYPES = st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"])


def keywords_over(inner):
    named = st.dictionaries(st.sampled_from(["a", "type", "count"]), inner, max_size=3)
    several = st.lists(inner, min_size=1, max_size=3)
    sound = {
        "type": TYPES | st.lists(TYPES, min_size=1, max_size=3),
        "properties": named,
        "$defs": named,
        "required": st.lists(st.sampled_from(["a", "type"]), max_size=2),
        "items": inner,
        "additionalProperties": inner | st.booleans(),
        "enum": st.lists(ANYTHING, min_size=1, max_size=3),
        "const": ANYTHING,
        "$ref": REFERENCES,
        "pattern": st.text(alphabet="(a|b)*+?{1,9}[]\\^$", max_size=12),
        "uniqueItems": st.booleans(),
        "multipleOf": st.floats(min_value=1e-300, max_value=1e300),
        "minimum": st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
        "exclusiveMaximum": st.integers() | st.booleans(),
    }
    sound |= dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), several)
    sizes = ("minItems", "maxItems", "minLength", "maxLength", "minProperties")
    sound |= dict.fromkeys(sizes, SIZES)
    return st.fixed_dictionaries({}, optional=sound)


SOUND = st.recursive(st.just({}), keywords_over, max_leaves=6)
LIKE_SCHEMAS = st.recursive(st.just({}) | ANYTHING, keywords_over, max_leaves=6)
LOOSE = settings(
    deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
KNOWN = Evidence(focus="3 red cats", text="3 red cats and 'a dog'", topic="cats")


@settings(LOOSE, max_examples=250)
@given(nested=SOUND | LIKE_SCHEMAS, sparing=st.booleans())
def test_any_schema_is_filled_or_refused(nested, sparing):
    try:
        schema_rules.check(nested)
        json.dumps(schema.fill(nested, KNOWN, sparing=sparing))
    except schema_rules.SchemaFaultError as fault:
        refusal = fault.sentence
    else:
        refusal = None
    assert refusal is None or refusal.endswith(".")


@settings(LOOSE, max_examples=40)
@given(nested=SOUND | LIKE_SCHEMAS, place=st.sampled_from([in_format, in_tool]))
def test_no_schema_breaks_the_server(running_emulator, nested, place):
    assert ask(running_emulator, place(nested)).status_code in {200, 400}


def test_a_broken_call_in_the_history_is_accepted(emulator):
    # ark.md 4.2 leaves open whether the service refuses it; an agent must be able to recover.
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": '}}
    history = [
        *SAID,
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "The arguments are not JSON."},
    ]
    assert ask(emulator, {"messages": history}).status_code == 200
    history[-1]["tool_call_id"] = "b"
    answer = ask(emulator, {"messages": history})
    assert answer.json()["error"]["param"] == "messages[2].tool_call_id"


def test_prompts_are_forgotten_beyond_a_bound(monkeypatch):
    monkeypatch.setattr(state, "MOST_PROMPTS", 2)
    world = state.World()
    assert [world.saw_prompt(prefix) for prefix in (b"a", b"b", b"a", b"c")] == [
        False,
        False,
        True,
        False,
    ]
    assert list(world.prompts) == [b"a", b"c"]


def test_a_draft_is_looked_up_on_the_event_loop(emulator, monkeypatch):
    readers = set()
    table = emulator.world.table

    def watched(kind):
        readers.add(threading.current_thread().name)
        return table(kind)

    monkeypatch.setattr(emulator.world, "table", watched)
    answer = httpx.post(
        f"{emulator.base_url}/contents/generations/tasks",
        json={
            "model": "doubao-seedance-1-5-pro-251215",
            "content": [{"type": "draft_task", "draft_task": {"id": "cgt-none"}}],
        },
        headers=KEY,
    )
    assert answer.status_code == 404
    assert len(readers) == 1
    assert not any(name.startswith("asyncio_") for name in readers)
