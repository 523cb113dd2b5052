"""What the emulated model says: quotes, tool calls, JSON, small talk. No HTTP here."""

import json

import jsonschema
import pytest

from doubao_emulator import words
from doubao_emulator.answering import arithmetic, extract, plan, reply, schema, subject
from doubao_emulator.chat_model import ChatRequest, Media, Message, Tool, ToolCall
from doubao_emulator.clouds import ARK
from doubao_emulator.models import ChatModel

MODEL = ARK.find("doubao-seed-2-1-pro-260915", ChatModel)
TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
LIGHTHOUSE = (
    "The lighthouse at Alexandria was built around 280 BC. It was about 100 metres tall.\n"
    "Its keeper lit a fire each night.\n\n"
    "Tides are caused by the gravity of the moon. Dr. Smith, e.g. in 1903, measured them."
)
CHINESE = "灯塔高约一百米。潮汐由月球的引力引起。"


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


def user(text, **more):
    return Message(role="user", text=text, **more)


def system(text):
    return Message(role="system", text=text)


def said(*messages, **more):
    return reply.compose(ChatRequest(model=MODEL, messages=messages, **more))


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


class TestQuotes:
    @pytest.mark.parametrize(
        ("question", "answer"),
        [
            ("What causes the tides?", "Tides are caused by the gravity of the moon."),
            ("What did the keeper do at night?", "Its keeper lit a fire each night."),
            ("Who won the football cup?", ""),
            ("灯塔有多高？", "灯塔高约一百米。"),
            ("潮汐是怎么引起的？", "潮汐由月球的引力引起。"),
        ],
    )
    def test_the_best_sentence_is_quoted(self, question, answer):
        assert extract.find(question, [LIGHTHOUSE, CHINESE], most=1).text == answer

    def test_a_pronoun_speaks_of_the_sentence_before(self):
        found = extract.find("How tall was the lighthouse at Alexandria?", [LIGHTHOUSE])
        assert found.sentences == (
            "The lighthouse at Alexandria was built around 280 BC.",
            "It was about 100 metres tall.",
        )

    def test_sentences_survive_wrapping_abbreviations_and_chinese(self):
        text = "Mr. A. Smith wrote\nthis. It cost 3.50, e.g. Twice!\n\n- one\n- two\n灯塔。潮汐！好"
        assert words.sentences(text) == [
            "Mr. A. Smith wrote this.",
            "It cost 3.50, e.g. Twice!",
            "- one",
            "- two 灯塔。",
            "潮汐！",
            "好",
        ]


LLAMA_QA = (
    "Context information is below.\n---------------------\nfile_path: a.md\n\n{context}\n"
    "---------------------\nGiven the context information and not prior knowledge, answer the "
    "query.\nQuery: {question}\nAnswer: "
)
LLAMA_REFINE = (
    "You are an expert Q&A system that strictly operates in two modes when refining existing "
    "answers:\n1. **Rewrite** an original answer using the new context.\n2. **Repeat** the "
    "original answer if the new context isn't useful.\nNew Context: {context}\n"
    "Query: {question}\nOriginal Answer: {answer}\nNew Answer: "
)
LANGCHAIN_RAG = (
    "You are an assistant for question-answering tasks. Use the following pieces of retrieved "
    "context to answer the question. If you don't know the answer, say that you don't know. Use "
    "three sentences maximum and keep the answer concise.\n\n{context}"
)
QUESTION = "What causes the tides?"
ANSWER = "Tides are caused by the gravity of the moon."


class TestPrompts:
    @pytest.mark.parametrize(
        "messages",
        [
            [user(LLAMA_QA.format(context=LIGHTHOUSE, question=QUESTION))],
            [system(LANGCHAIN_RAG.format(context=LIGHTHOUSE)), user(QUESTION)],
            [user(f"Question: {QUESTION} \nContext: {LIGHTHOUSE} \nAnswer:")],
            [system(f"Answer from this.\n<context>\n{LIGHTHOUSE}\n</context>"), user(QUESTION)],
            [user(LLAMA_REFINE.format(context=LIGHTHOUSE, question=QUESTION, answer="No idea."))],
        ],
    )
    def test_rag_prompts_are_answered_from_their_context(self, messages):
        assert said(*messages).content == ANSWER

    def test_a_refine_prompt_keeps_an_answer_its_context_cannot_better(self):
        asked = LLAMA_REFINE.format(context="Bees dance.", question=QUESTION, answer=ANSWER)
        assert said(user(asked)).content == ANSWER

    def test_a_refine_prompt_replaces_an_answer_that_said_nothing(self):
        nothing = said(user(LLAMA_QA.format(context="Bees dance.", question=QUESTION))).content
        assert nothing.startswith("The given context says nothing")
        asked = LLAMA_REFINE.format(context=LIGHTHOUSE, question=QUESTION, answer=nothing)
        assert said(user(asked)).content == ANSWER

    def test_chinese_is_answered_in_chinese(self):
        asked = [system(f"请根据资料回答。\n资料：{CHINESE}"), user("潮汐由什么引起？")]
        answer = said(*asked)
        assert answer.content == "潮汐由月球的引力引起。"
        assert answer.reasoning.startswith("用户问：")

    def test_a_follow_up_is_made_standalone(self):
        asked = "Rephrase it to be a standalone question.\nFollow Up Input: How high?\nAnswer:"
        assert said(user(asked)).content == "How high?"

    def test_what_was_said_earlier_is_remembered(self):
        turns = [
            user("My name is Bob and I live in Oslo."),
            Message(role="assistant", text="Nice."),
            user("What is my name?"),
        ]
        assert "Bob" in said(*turns).content

    @pytest.mark.parametrize(
        ("text", "start"),
        [
            ("Hello", "Hello!"),
            ("hi", "Hello!"),
            ("你好", "你好！"),
            ("What is 17 * 3?", "17 * 3 = 51"),
            ("Write two haikus.", "You wrote: “Write two haikus.”"),
        ],
    )
    def test_small_talk(self, text, start):
        assert said(user(text)).content.startswith(start)

    def test_attachments_are_described(self):
        picture = Media(kind="image", description="a PNG picture of 4x2 pixels", tokens=1)
        content = said(user("What is this?", media=(picture,))).content
        assert content == "You attached a PNG picture of 4x2 pixels."

    def test_a_prefilled_answer_is_continued(self):
        prefilled = Message(role="assistant", text="17 * 3 = ")
        assert said(user("What is 17 * 3?"), prefilled).content == "51"

    def test_dividing_by_nothing_is_no_sum(self):
        assert arithmetic.solve("What is 1 / 0?") is None
        assert arithmetic.solve("What is 7 divided by 2?") == ("7 divided by 2", "3.5")


RESULTS = {
    "search_documents": LIGHTHOUSE,
    "generate_image": "The image is at https://x.example/1.png",
    "generate_video": "The video is at https://x.example/1.mp4",
}


class TestTools:
    def test_an_agents_errand_is_run_step_by_step(self):
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

    def test_what_should_come_first_comes_first(self):
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

    def test_the_same_errand_in_chinese(self):
        turns = played(
            "请先检索资料：灯塔有多高？然后画一张灯塔的图片，再生成一段5秒的视频。", MEDIA
        )
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
    def test_one_request_one_call(self, text, tools, call):
        assert played(text, tools) == [[call]]

    @pytest.mark.parametrize(
        "text", ["Hello!", "What can you do?", "Thanks, bye", "Do not use any tools: draw a fox"]
    )
    def test_small_talk_calls_nothing(self, text):
        assert played(text, [*MEDIA, WEATHER, ADD]) == []

    def test_several_values_are_asked_for_together(self):
        text = "What is the weather in Paris and Tokyo?"
        calls = [("get_weather", {"location": city}) for city in ("Paris", "Tokyo")]
        assert played(text, [WEATHER]) == [calls]
        assert played(text, [WEATHER], parallel=False) == [[call] for call in calls]

    def test_different_tools_run_together_only_when_asked(self):
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

    def test_a_result_feeds_the_next_call(self):
        text = "add 3 and 4, then multiply the result by 5"
        turns = played(text, [ADD, MULTIPLY], {"add": "7"})
        assert turns == [[("add", {"a": 3, "b": 4})], [("multiply", {"a": 7, "b": 5})]]

    @pytest.mark.parametrize("forced", ["*", "get_weather"])
    def test_a_forced_tool_is_called_even_for_a_greeting(self, forced):
        answer = said(user("Hello!"), tools=(WEATHER,), may_call=True, forced_tool=forced)
        [(name, arguments)] = answer.calls
        assert name == "get_weather"
        assert arguments["location"]

    def test_a_final_answer_quotes_results_and_links(self):
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
                text=f"{LIGHTHOUSE * 3} See https://x.example/tides",
            ),
        ]
        content = said(*messages, tools=MEDIA, may_call=True).content
        assert content.startswith("The image is at https://x.example/1.png\n")
        assert ANSWER in content
        assert "https://x.example/tides" in content

    def test_a_bare_result_is_introduced(self):
        messages = [
            user("What is 12 * 7?"),
            Message(
                role="assistant", tool_calls=(ToolCall(id="a", name="multiply", arguments="{}"),)
            ),
            Message(role="tool", tool_call_id="a", text="84"),
        ]
        assert said(*messages, tools=(MULTIPLY,), may_call=True).content == "multiply: 84"


REACT = (
    "You are designed to help.\n## Tools\nYou have access to the following tools:\n"
    "> Tool Name: get_weather\nTool Description: get_weather(location: str)\nGet the weather.\n"
    'Tool Args: {"properties": {"location": {"type": "string"}}, "required": ["location"], '
    '"type": "object"}\n\n## Output Format\n```\nThought: I need to use a tool.\n'
    "Action: tool name (one of get_weather) if using a tool.\nAction Input: the input, in JSON\n```"
)


class TestReAct:
    def test_a_tool_is_called_in_prose(self):
        content = said(system(REACT), user("What is the weather in Paris?")).content
        assert content.endswith('Action: get_weather\nAction Input: {"location": "Paris"}')

    def test_an_observation_becomes_the_answer(self):
        content = said(
            system(REACT),
            user("What is the weather in Paris?"),
            Message(role="assistant", text="Thought: x\nAction: get_weather\nAction Input: {}"),
            user("Observation: It is sunny in Paris."),
        ).content
        assert content.startswith("Thought: ")
        assert content.endswith("\nAnswer: It is sunny in Paris.")


PERSON = "Alice is 30 years old, not married, and lives in Paris; she likes tea, coffee and cocoa."
EVERYTHING = {
    "type": "object",
    "properties": {
        "name": TEXT,
        "age": {"type": "integer", "minimum": 0},
        "married": {"type": "boolean"},
        "city": TEXT,
        "likes": {"type": "array", "items": TEXT, "minItems": 1},
        "email": {"type": "string", "format": "email"},
        "mood": {"enum": ["happy", "sad"]},
        "note": {"anyOf": [TEXT, {"type": "null"}]},
        "tree": {"$ref": "#/$defs/Tree"},
        "pair": {"type": "array", "prefixItems": [NUMBER, TEXT], "items": False},
        "fixed": {"const": 5},
        "maybe": {"type": ["integer", "null"]},
        "plate": {"type": "string", "pattern": "^[A-Z]{2}-\\d+$"},
        "scores": {
            "type": "array",
            "items": {"type": "number", "maximum": 1},
            "minItems": 3,
            "uniqueItems": True,
        },
        "short": {"type": "string", "minLength": 2, "maxLength": 4},
        "both": {"allOf": [{"properties": {"x": NUMBER}, "required": ["x"]}, {"type": "object"}]},
    },
    "additionalProperties": False,
    "$defs": {
        "Tree": {
            "type": "object",
            "properties": {
                "x": {"type": "number", "exclusiveMinimum": 0.5, "multipleOf": 0.25},
                "next": {"anyOf": [{"$ref": "#/$defs/Tree"}, {"type": "null"}]},
                "branches": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
            },
            "required": ["x", "next", "branches"],
        }
    },
}
EVERYTHING["required"] = list(EVERYTHING["properties"])


class TestSchemas:
    def test_values_fit_the_schema_and_come_from_the_text(self):
        value = schema.fill(EVERYTHING, schema.evidence_of([user(PERSON)]))
        jsonschema.validate(value, EVERYTHING)
        known = {key: value[key] for key in ("name", "age", "married", "city", "likes")}
        assert known == {
            "name": "Alice",
            "age": 30,
            "married": False,
            "city": "Paris",
            "likes": ["tea", "coffee", "cocoa"],
        }

    def test_a_response_schema_is_filled(self):
        wanted = {"type": "object", "properties": {"name": TEXT}, "required": ["name"]}
        assert json.loads(said(user(PERSON), schema=wanted).content) == {"name": "Alice"}

    def test_a_json_object_has_the_quoted_keys(self):
        asked = "Tell me a joke about cats. Return JSON with 'setup' and 'punchline' keys."
        value = json.loads(said(user(asked), json_object=True).content)
        assert value.keys() == {"setup", "punchline"}
        assert all("joke" in text for text in value.values())

    def test_a_json_object_without_keys_has_an_answer(self):
        assert json.loads(said(user("Answer in JSON."), json_object=True).content).keys() == {
            "answer"
        }

    @pytest.mark.parametrize("escaped", [False, True])
    def test_a_schema_inside_the_prompt_is_followed(self, escaped):
        wanted = {
            "properties": {"name": TEXT, "age": NUMBER},
            "required": ["name", "age"],
            "type": "object",
        }
        text = json.dumps(wanted)
        if escaped:
            text = text.replace("{", "{{").replace("}", "}}")
        asked = f"Extract: {PERSON}\n\nHere's a JSON schema to follow:\n{text}\n\nOutput JSON."
        assert json.loads(said(user(asked)).content) == {"name": "Alice", "age": 30}

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("draw a red fox", "a red fox"),
            ("Please generate an image of a lighthouse at night.", "a lighthouse at night"),
            ("Using the tool, generate a Pirate greeting.", "a Pirate greeting"),
            ("请生成一张关于灯塔的图片", "灯塔"),
            ("make a video of it", "it"),
        ],
    )
    def test_the_subject_of_a_request(self, text, expected):
        assert subject.of(text) == expected
