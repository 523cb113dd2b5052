"""Agents' errands: which tools are called, with sensible prompts, and what is told, over HTTP."""

import pytest

from doubao_emulator.answering import subject

DARLING = "Grace Darling, the keeper's daughter, rowed out from the lighthouse in an open boat."
TOLD = "Made 1 picture: image.jpeg (2848x1600).\nThe video is ready: film.mp4 (4 s)."


def function(name, description, **properties):
    parameters = {
        "type": "object",
        "properties": {field: {"type": kind} for field, kind in properties.items()},
        "required": list(properties)[:1],
    }
    described = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": described}


SEARCH = function("search_documents", "Search the user's documents.", query="string")
IMAGE = function("generate_image", "Make a picture from a description.", prompt="string")
VIDEO = function(
    "generate_video", "Make a short video from a description.", prompt="string", duration="integer"
)
CHECK = function("check_video", "Look a video up by its task id.", task_id="string")
WEATHER = function("get_weather", "Get the weather at a location.", location="string")
MEDIA = [IMAGE, VIDEO, CHECK]


@pytest.fixture
def results(documents):
    """Give what each tool answers."""
    return {
        "search_documents": f"{documents.lens}\n{documents.keepers}",
        "generate_image": TOLD.splitlines()[0] + " To edit one, pass its file name.",
        "generate_video": TOLD.splitlines()[1],
    }


@pytest.mark.parametrize(
    ("request_text", "call"),
    [
        ("Make a picture of a lighthouse at dusk.", IMAGE),
        ("Draw a lighthouse at dusk", IMAGE),
        ("Please paint me a lighthouse at dusk.", IMAGE),
        ("Illustrate a lighthouse at dusk.", IMAGE),
        ("Can you show me a photo of a lighthouse at dusk?", IMAGE),
        ("A drawing of a lighthouse at dusk, please.", IMAGE),
        ("Film a lighthouse at dusk.", VIDEO),
        ("Animate a lighthouse at dusk.", VIDEO),
        ("I'd like a short clip of a lighthouse at dusk", VIDEO),
        ("Use generate_video to film a lighthouse at dusk.", VIDEO),
    ],
)
def test_each_way_to_ask_for_media_is_understood(chat, request_text, call):
    made, _ = chat.run(request_text, MEDIA)
    assert made == [(call["function"]["name"], {"prompt": "a lighthouse at dusk"})]


@pytest.mark.parametrize(
    ("request_text", "call"),
    [
        ("画一张黄昏的灯塔", IMAGE),
        ("请帮我画一幅黄昏的灯塔。", IMAGE),
        ("生成一张黄昏的灯塔的图片", IMAGE),
        ("用 generate_image 画一张黄昏的灯塔", IMAGE),
        ("拍一段视频：黄昏的灯塔", VIDEO),
        ("制作一个关于黄昏的灯塔的短片", VIDEO),
    ],
)
def test_so_is_each_way_in_chinese(chat, request_text, call):
    made, _ = chat.run(request_text, MEDIA)
    assert made == [(call["function"]["name"], {"prompt": "黄昏的灯塔"})]


@pytest.mark.parametrize(
    ("request_text", "prompts"),
    [
        ("Make a picture and a short film of a lighthouse.", ["a lighthouse", "a lighthouse"]),
        ("Create an image of a cat and a video of a dog.", ["a cat", "a dog"]),
        ("画一张图并拍一段视频：黄昏的灯塔", ["黄昏的灯塔", "黄昏的灯塔"]),
    ],
)
def test_both_media_are_made_in_turn(chat, request_text, prompts, results):
    made, said = chat.run(request_text, MEDIA, results)
    names = ["generate_image", "generate_video"]
    assert made == [(name, {"prompt": each}) for name, each in zip(names, prompts, strict=True)]
    assert said == TOLD


@pytest.mark.parametrize(
    "text", ["What is a picture?", "Thank you for the picture!", "什么是图片？", "谢谢你的图片"]
)
def test_to_speak_of_a_picture_is_not_to_ask_for_one(chat, text):
    assert chat.run(text, MEDIA)[0] == []


@pytest.mark.parametrize(
    "request_text",
    [
        (
            "Look up the answer to this question in the documents: Who was Grace Darling?\n"
            "Then draw a picture of it. Then make a short video of it."
        ),
        "Who was Grace Darling? Find out, then generate an image of it, then film it.",
        (
            "Use search_documents to look up: Who was Grace Darling?\nThen use generate_image "
            "to draw it, and then use generate_video to make a short film of the same scene."
            "\n\nThe reader already knows this answer: She rowed in 1838, in a bad state."
        ),
        "Use search_documents for: Who was Grace Darling?\nThen draw it. Then film it.",
    ],
)
def test_what_was_found_is_depicted_and_told_in_a_sentence(chat, request_text, results):
    made, said = chat.run(request_text, [SEARCH, *MEDIA], results)
    assert made == [
        ("search_documents", {"query": "Who was Grace Darling"}),
        ("generate_image", {"prompt": DARLING}),
        ("generate_video", {"prompt": DARLING}),
    ]
    assert said == f"{DARLING}\n{TOLD}"


def test_a_chinese_question_is_taken_out_of_english_framing(chat, documents):
    made, said = chat.run(
        "Use search_documents to look up: 花鸟山灯塔建于哪一年？ Then draw it.",
        [SEARCH, *MEDIA],
        {"search_documents": documents.chinese},
    )
    assert made == [
        ("search_documents", {"query": "花鸟山灯塔建于哪一年"}),
        ("generate_image", {"prompt": "花鸟山灯塔建于1870年。"}),
    ]
    assert said.startswith("花鸟山灯塔建于1870年。\n")


def test_it_stands_for_what_was_said_before(chat):
    earlier = [
        {"role": "user", "content": "Who was Grace Darling?"},
        {"role": "assistant", "content": "Grace Darling was a keeper's daughter. Bees dance."},
    ]
    made, _ = chat.run("Draw a picture of it.", MEDIA, earlier=earlier)
    assert made == [("generate_image", {"prompt": "Grace Darling was a keeper's daughter."})]


def test_a_search_that_finds_no_answer_is_not_told_at_length(chat, results):
    _, said = chat.run("What is the capital of Mongolia?", [SEARCH], results)
    assert said == (
        "The given context says nothing about this question: What is the capital of Mongolia?"
    )
    _, said = chat.run("Find the capital of Mongolia, then draw it.", [SEARCH, *MEDIA], results)
    assert said == "Made 1 picture: image.jpeg (2848x1600)."


def test_a_question_goes_to_the_tool_that_answers_such_questions(chat):
    lamps = function("lamp_docs", "Answers questions about lamps.", input="string")
    bees = function("bee_docs", "Answers questions about bees.", input="string")
    made, _ = chat.run("How do bees find home?", [lamps, bees])
    assert made == [("bee_docs", {"input": "How do bees find home"})]


def test_a_list_of_three_places_is_three_calls(chat):
    made, _ = chat.run("What is the weather in Paris, London and Tokyo?", [WEATHER])
    assert [arguments["location"] for _, arguments in made] == ["Paris", "London", "Tokyo"]


def test_a_long_result_without_a_query_is_cut_to_what_was_asked(chat):
    forecast = f"Rain in the north. {'Clouds drift by. ' * 30}Sun shines on Oslo."
    _, said = chat.run("What is the weather in Oslo?", [WEATHER], {"get_weather": forecast})
    assert said == "Sun shines on Oslo."
    _, said = chat.run("What is the weather in Rome?", [WEATHER], {"get_weather": "x " * 300})
    assert said.startswith("x x x")
    assert said.endswith("x…")


@pytest.mark.parametrize("text", ["花鸟山灯塔建于1870年。", "It is sunny in Rome."])
def test_a_result_that_is_a_sentence_needs_no_introduction(chat, text):
    _, said = chat.run("What is the weather in Rome?", [WEATHER], {"get_weather": text})
    assert said == text


def test_the_same_request_is_answered_alike(chat, results):
    request = "Who was Grace Darling? Find out, then draw it, in parallel."
    runs = [chat.run(request, [SEARCH, *MEDIA], results) for _ in range(3)]
    assert runs[0] == runs[1] == runs[2]


def test_a_hostile_request_is_read_in_no_time():
    """No pattern may take quadratic time, in which this would outlast any test."""
    assert subject.of(f"#{' ' * 500_000}x").endswith("x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Then generate an image of it.", "it"),
        ("then use generate_video to film it.", "it"),
        ("First search the documents for it.", "it"),
        ("Find out", ""),
        ("画一张图", ""),
        ("再拍一段5秒的视频。", ""),
        ("画一张中国地图", "中国地图"),
        ("画家是谁？", "画家是谁"),
        ("search the index of refraction", "the index of refraction"),
    ],
)
def test_framing_is_no_subject(text, expected):
    assert subject.of(text) == expected
    assert subject.is_empty(expected) == (expected in {"", "it"})


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
def test_the_subject_of_a_request(text, expected):
    assert subject.of(text) == expected
