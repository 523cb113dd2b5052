"""Which tools the emulated model calls, also in prose, and what it makes of results. No HTTP."""

import json

import pytest

from doubao_emulator.answering import plan, react
from doubao_emulator.chat_model import Message, Tool, ToolCall

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
REACT = (
    "You are designed to help.\n## Tools\nYou have access to the following tools:\n"
    "> Tool Name: get_weather\nTool Description: get_weather(location: str)\nGet the weather.\n"
    'Tool Args: {"properties": {"location": {"type": "string"}}, "required": ["location"], '
    '"type": "object"}\n\n## Output Format\n```\nThought: I need to use a tool.\n'
    "Action: tool name (one of get_weather) if using a tool.\nAction Input: the input, in JSON\n```"
)


def tool(name, description, properties, required=None):
    parameters = {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
    }
    return Tool(name=name, description=description, parameters=parameters)


SEARCH = tool("search_documents", "Search the documents.", {"query": TEXT})
IMAGE = tool(
    "generate_image",
    "Make a picture from a description.",
    {
        "prompt": TEXT,
        "size": TEXT,
        "max_images": NUMBER,
        "images": {"type": "array", "items": TEXT},
    },
    ["prompt"],
)
VIDEO = tool(
    "generate_video",
    "Make a short video from a description.",
    {"prompt": TEXT, "duration": NUMBER, "ratio": TEXT, "resolution": TEXT, "first_frame": TEXT},
    ["prompt"],
)
CHECK = tool("check_video", "Look a video task up by its id.", {"task_id": TEXT})
WEATHER = tool(
    "get_weather",
    "Get the weather at a location.",
    {"location": TEXT, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    ["location"],
)
ADD = tool("add", "Add two numbers.", {"a": NUMBER, "b": NUMBER})
MULTIPLY = tool("multiply", "Multiply two numbers.", {"a": NUMBER, "b": NUMBER})
MEDIA = (SEARCH, IMAGE, VIDEO, CHECK)
TIDES = "Tides are caused by the gravity of the moon."
FOUND = (
    "The lighthouse at Alexandria was built around 280 BC. It was about 100 metres tall.\n"
    f"Its keeper lit a fire each night.\n\n{TIDES}"
)
RESULTS = {
    "search_documents": FOUND,
    "generate_image": "The image is at https://x.example/1.png",
    "generate_video": "The video is at https://x.example/1.mp4",
}


def user(text, **more):
    return Message(role="user", text=text, **more)


def system(text):
    return Message(role="system", text=text)


def played(text, tools, results=None, *, parallel=True):
    """Play an agent's loop; return the calls of each turn."""
    messages, turns = [user(text)], []
    while calls := plan.next_calls(messages, tools, parallel=parallel):
        turns.append([(call.name, call.arguments) for call in calls])
        made = tuple(ToolCall(id=f"c{i}", name=c.name, arguments="{}") for i, c in enumerate(calls))
        messages.append(Message(role="assistant", tool_calls=made))
        messages += [
            Message(role="tool", tool_call_id=c.id, text=(results or {}).get(c.name, "done"))
            for c in made
        ]
        assert len(turns) < 9
    return turns


def test_an_agents_errand_is_run_step_by_step():
    turns = played(
        "How tall was the lighthouse of Alexandria? Search the documents, then make an image "
        "of it, then a short video of 5 seconds in 16:9.",
        MEDIA,
        RESULTS,
    )
    assert [[name for name, _ in turn] for turn in turns] == [
        ["search_documents"],
        ["generate_image"],
        ["generate_video"],
    ]
    assert turns[0][0][1] == {"query": "How tall was the lighthouse of Alexandria"}
    assert "lighthouse at Alexandria" in turns[1][0][1]["prompt"]
    assert turns[1][0][1].keys() == {"prompt"}
    video = turns[2][0][1]
    assert {key: video[key] for key in ("duration", "ratio")} == {
        "duration": 5,
        "ratio": "16:9",
    }
    assert video.keys() == {"prompt", "duration", "ratio"}


def test_what_should_come_first_comes_first():
    turns = played(
        "Illustrate the answer to 'How tall was the lighthouse?' with one image and one short "
        "video; retrieve the passages first.",
        MEDIA,
        RESULTS,
    )
    assert [turn[0][0] for turn in turns] == [
        "search_documents",
        "generate_image",
        "generate_video",
    ]
    assert turns[0][0][1] == {"query": "How tall was the lighthouse?"}


def test_the_same_errand_in_chinese():
    turns = played("请先检索资料：灯塔有多高？然后画一张灯塔的图片，再生成一段5秒的视频。", MEDIA)
    assert [turn[0] for turn in turns] == [
        ("search_documents", {"query": "灯塔有多高"}),
        ("generate_image", {"prompt": "灯塔"}),
        ("generate_video", {"prompt": "灯塔有多高", "duration": 5}),
    ]


@pytest.mark.parametrize(
    ("text", "tools", "call"),
    [
        ("Generate an image of a red fox", MEDIA, ("generate_image", {"prompt": "a red fox"})),
        (
            "What is the status of video cgt-20261008171624-cr2n9?",
            MEDIA,
            ("check_video", {"task_id": "cgt-20261008171624-cr2n9"}),
        ),
        (
            "Animate https://x.example/a.png as first frame",
            [VIDEO],
            (
                "generate_video",
                {
                    "prompt": "Animate https://x.example/a.png as first frame",
                    "first_frame": "https://x.example/a.png",
                },
            ),
        ),
        (
            "What is the weather in San Francisco, CA?",
            [WEATHER],
            ("get_weather", {"location": "San Francisco, CA"}),
        ),
        (
            "What's the weather in Paris in celsius?",
            [WEATHER],
            ("get_weather", {"location": "Paris", "unit": "celsius"}),
        ),
        ("北京今天的天气怎么样？", [WEATHER], ("get_weather", {"location": "北京"})),
        ("What is 1 + 2", [ADD, MULTIPLY], ("add", {"a": 1, "b": 2})),
        ("What is 12 * 7?", [ADD, MULTIPLY], ("multiply", {"a": 12, "b": 7})),
        (
            "What is the value of magic_function(3)? Use the tool.",
            [tool("magic_function", "Apply magic.", {"input": NUMBER})],
            ("magic_function", {"input": 3}),
        ),
        (
            "What is the value of no_args()? Use the tool.",
            [tool("no_args", "Calculate.", {})],
            ("no_args", {}),
        ),
        (
            "What does the handbook say about leave?",
            [SEARCH],
            ("search_documents", {"query": "What does the handbook say about leave"}),
        ),
        (
            "Create a customer named '你好啊集团' (Hello Group) - a Chinese company",
            [tool("unicode_customer", "Create a customer.", {"customer_name": TEXT})],
            ("unicode_customer", {"customer_name": "你好啊集团"}),
        ),
    ],
)
def test_one_request_one_call(text, tools, call):
    assert played(text, tools) == [[call]]


@pytest.mark.parametrize(
    "text", ["Hello!", "What can you do?", "Thanks, bye", "Do not use any tools: draw a fox"]
)
def test_small_talk_calls_nothing(text):
    assert played(text, [*MEDIA, WEATHER, ADD]) == []


def test_several_values_are_asked_for_together():
    text = "What is the weather in Paris and Tokyo?"
    calls = [("get_weather", {"location": city}) for city in ("Paris", "Tokyo")]
    assert played(text, [WEATHER]) == [calls]
    assert played(text, [WEATHER], parallel=False) == [[call] for call in calls]


def test_different_tools_run_together_only_when_asked():
    text = "Draw a red fox and make a video of a blue whale"
    names = [[name for name, _ in turn] for turn in played(text, MEDIA)]
    assert names == [["generate_image"], ["generate_video"]]
    together = played(f"{text}, in parallel", MEDIA)
    assert together == [
        [
            ("generate_image", {"prompt": "a red fox"}),
            ("generate_video", {"prompt": "a blue whale"}),
        ]
    ]


def test_a_result_feeds_the_next_call():
    text = "add 3 and 4, then multiply the result by 5"
    turns = played(text, [ADD, MULTIPLY], {"add": "7"})
    assert turns == [[("add", {"a": 3, "b": 4})], [("multiply", {"a": 7, "b": 5})]]


@pytest.mark.parametrize("forced", ["*", "get_weather"])
def test_a_forced_tool_is_called_even_for_a_greeting(forced, said):
    answer = said(user("Hello!"), tools=(WEATHER,), may_call=True, forced_tool=forced)
    [(name, arguments)] = answer.calls
    assert name == "get_weather"
    assert arguments["location"]


def test_a_final_answer_quotes_results_and_links(said):
    messages = [
        user("Make an image of the moon and look up what causes the tides"),
        Message(
            role="assistant",
            tool_calls=(
                ToolCall(id="a", name="generate_image", arguments="{}"),
                ToolCall(id="b", name="search_documents", arguments="{}"),
            ),
        ),
        Message(role="tool", tool_call_id="a", text=RESULTS["generate_image"]),
        Message(
            role="tool",
            tool_call_id="b",
            text=f"{FOUND * 3} See https://x.example/tides",
        ),
    ]
    content = said(*messages, tools=MEDIA, may_call=True).content
    assert content.startswith("The image is at https://x.example/1.png\n")
    assert TIDES in content
    assert "https://x.example/tides" in content


def test_a_bare_result_is_introduced(said):
    messages = [
        user("What is 12 * 7?"),
        Message(role="assistant", tool_calls=(ToolCall(id="a", name="multiply", arguments="{}"),)),
        Message(role="tool", tool_call_id="a", text="84"),
    ]
    assert said(*messages, tools=(MULTIPLY,), may_call=True).content == "multiply: 84"


def test_a_tool_is_called_in_prose(said):
    content = said(system(REACT), user("What is the weather in Paris?")).content
    assert content.endswith('Action: get_weather\nAction Input: {"location": "Paris"}')


def test_an_observation_becomes_the_answer(said):
    content = said(
        system(REACT),
        user("What is the weather in Paris?"),
        Message(role="assistant", text="Thought: x\nAction: get_weather\nAction Input: {}"),
        user("Observation: It is sunny in Paris."),
    ).content
    assert content.startswith("Thought: ")
    assert content.endswith("\nAnswer: It is sunny in Paris.")


def test_each_observation_of_a_react_agent_belongs_to_its_own_action():
    actions = [
        Message(
            role="assistant", text=f'Thought: x\nAction: {name}\nAction Input: {{"query": "q"}}'
        )
        for name in ("add", "get_weather")
    ]
    seen = [Message(role="user", text=f"Observation: {text}") for text in ("7", "Sun.")]
    first, seven, second, sun = react.conversation([actions[0], seen[0], actions[1], seen[1]])
    assert [first.tool_calls[0].name, second.tool_calls[0].name] == ["add", "get_weather"]
    assert first.tool_calls[0].id == seven.tool_call_id
    assert second.tool_calls[0].id == sun.tool_call_id
    assert first.tool_calls[0].id != second.tool_calls[0].id
    assert json.loads(second.tool_calls[0].arguments) == {"query": "q"}
