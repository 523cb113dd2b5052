"""Which tools and schemas `POST /chat/completions` takes (ark.md 4.1, 4.6)."""

import httpx
import pytest

HELLO = [{"role": "user", "content": "hello"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


def strict(schema):
    """Ask for an object whose property `a` has this schema."""
    whole = {"type": "object", "properties": {"a": schema}, "$defs": {"a": {"type": "string"}}}
    named = {"name": "x", "strict": True, "schema": whole}
    return {"type": "json_schema", "json_schema": named}


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "InvalidParameter", "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "MissingParameter", "tools[0].function"),
        (
            {"tools": [{"type": "function", "function": {"name": "a b"}}]},
            "InvalidParameter",
            "tools[0].function.name",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "a" * 65}}]},
            "InvalidParameter",
            "tools[0].function.name",
        ),
        (
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {**TOOL["function"], "strict": True},
                    }
                ]
            },
            "InvalidParameter",
            "tools[0].function.parameters.required",
        ),
        ({"tool_choice": "any", "tools": [TOOL]}, "InvalidParameter", "tool_choice"),
        ({"tool_choice": "required"}, "InvalidParameter", "tool_choice"),
        (
            {"tool_choice": {"type": "function", "function": {"name": "other"}}, "tools": [TOOL]},
            "InvalidParameter",
            "tool_choice.function.name",
        ),
        (
            {"model": "doubao-seed-translation-250915", "tools": [TOOL]},
            "InvalidParameter.UnsupportedParameter",
            "tools",
        ),
        (
            {"model": "doubao-seed-translation-250915", "max_completion_tokens": 100},
            "InvalidParameter.UnsupportedParameter",
            "max_completion_tokens",
        ),
    ],
)
def test_a_wrong_tool_is_refused(refused, body, code, param):
    found, named = refused(**body)
    assert found == code
    assert param in {None, named}


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"response_format": {"type": "xml"}}, "InvalidParameter", "response_format.type"),
        ({"response_format": {}}, "MissingParameter", "response_format.type"),
        ({"response_format": {"type": "json_object"}}, "InvalidParameter", "messages"),
        (
            {"response_format": {"type": "json_schema", "schema": SCHEMA}},
            "MissingParameter",
            "response_format.json_schema",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
            "MissingParameter",
            "response_format.json_schema.name",
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {
                        "name": "a",
                        "strict": True,
                        "schema": {"properties": {"a": {"type": "integer", "minimum": 1}}},
                    },
                }
            },
            "InvalidParameter",
            "response_format.json_schema.schema.properties.a",
        ),
        (
            {"response_format": strict({"unevaluatedItems": {"minLength": 1}})},
            "InvalidParameter",
            "response_format.json_schema.schema.properties.a.unevaluatedItems",
        ),
        (
            {"response_format": strict({"$ref": "https://example.com/a.json"})},
            "InvalidParameter",
            "response_format.json_schema.schema.properties.a",
        ),
    ],
)
def test_a_wrong_schema_is_refused(refused, body, code, param):
    found, named = refused(**body)
    assert found == code
    assert param in {None, named}


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [TOOL], "tool_choice": "none"},
        {"tools": [], "tool_choice": "auto"},
        {"parallel_tool_calls": False},
        {"response_format": {"type": "text"}},
        {"response_format": strict({"enum": [{"format": 1}], "default": {"minimum": 1}})},
        {"response_format": strict({"$ref": "#/$defs/a"})},
    ],
)
def test_right_tools_and_schemas_are_taken(send_chat, body):
    assert send_chat(**body).status_code == 200


def test_a_model_without_structured_output_answers_as_seen_on_the_wire(send_chat):
    answer = send_chat(
        model="doubao-seed-character-251128", response_format={"type": "json_object"}
    )
    assert answer.json() == {
        "error": {
            "code": "InvalidParameter",
            "message": (
                "The parameter `response_format.type` specified in the request are not valid: "
                "`json_object` is not supported by this model. "
                f"Request id: {answer.headers['x-request-id']}"
            ),
            "param": "response_format.type",
            "type": "BadRequest",
        }
    }


def test_byteplus_lacks_schemas_where_the_probe_says_so(emulator):
    body = {
        "messages": HELLO,
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}},
    }
    url = f"{emulator.byteplus_base_url}/chat/completions"
    headers = {"Authorization": "Bearer k"}
    answers = {
        model: httpx.post(url, json={"model": model, **body}, headers=headers)
        for model in ("seed-2-0-pro-260328", "seed-2-0-lite-260428", "glm-4-7-251222")
    }
    assert answers["seed-2-0-lite-260428"].status_code == 400
    content = answers["seed-2-0-pro-260328"].json()["choices"][0]["message"]["content"]
    assert content.startswith("{")
    ignored = answers["glm-4-7-251222"].json()["choices"][0]["message"]["content"]
    assert not ignored.startswith("{")
