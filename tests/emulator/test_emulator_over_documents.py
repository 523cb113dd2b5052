"""Answers over real documents and agents' errands: clean quotes, sensible prompts, over HTTP."""

import json
import time

import httpx
import pytest

from doubao_emulator.answering import coverage, extract, passages, react, subject
from doubao_emulator.chat_model import Message

MODEL = "doubao-seed-2-1-pro-260915"
LENS = """# The Fresnel lens

## The problem

Early lighthouses put polished mirrors behind their lamps. Even a good metal mirror of that
time swallowed about half of the light that fell on it.

## The idea

The engineer Augustin-Jean Fresnel saw that the thick middle of a lens can be left out. A Fresnel
lens is made of rings of glass prisms. It is thin and light, and it gathers into one beam light
that would otherwise be lost.
"""
PAGE = """Electric light
The first lighthouse to try electric light at sea was South Foreland, near Dover, on 8 December
1858. The current came from a magneto machine that Frederick Hale Holmes had built and a
steam engine drove; it fed an arc between two carbon rods.
Gas without a keeper
Acetylene gas let small lights burn for months unattended. Robert Foulis set one up on the island of
"""
KEEPERS = """THE KEEPERS

A keeper's work

The keepers lit the lamp at sunset. During the night they stood watch in turns.

Rescues

Grace Darling, the keeper's daughter, rowed out from the lighthouse in an open boat. She was 22
years old.
"""
CHINESE = """# 灯塔

## 灯塔有什么用

灯塔建在海岸、港口或礁石上，夜里用灯光告诉船员自己在哪里。

## 今天的灯塔

今天的船只用卫星定位，灯塔大多由机器自动控制。花鸟山灯塔建于
1870年。
"""
EXCERPTS = f"""Excerpts:

[1] lens.md, section “The idea”
{LENS}
[2] light-sources.pdf, page 2
{PAGE}
[3]
source: keepers.txt, lines 1-20

{KEEPERS}
[4] 灯塔.md
{CHINESE}"""


DARLING = "Grace Darling, the keeper's daughter, rowed out from the lighthouse in an open boat."


class Chat:
    """Talks to the emulator over HTTP as any client does."""

    def __init__(self, emulator):
        self._url = f"{emulator.base_url}/chat/completions"

    def send(self, messages, **more):
        answer = httpx.post(
            self._url,
            json={"model": MODEL, "messages": messages, **more},
            headers={"Authorization": "Bearer any"},
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["choices"][0]["message"]

    def ask(self, question, context=EXCERPTS):
        """Ask about a context."""
        asked = f"{context}\n\nQuestion: {question}"
        return self.send([{"role": "user", "content": asked}])["content"]

    def run(self, request, tools, results=(), earlier=()):
        """Play an agent's loop; return the calls and the last words."""
        messages = [*earlier, {"role": "user", "content": request}]
        made = []
        while calls := (said := self.send(messages, tools=tools)).get("tool_calls"):
            messages.append(said)
            for call in calls:
                name = call["function"]["name"]
                made.append((name, json.loads(call["function"]["arguments"])))
                text = dict(results).get(name, "Done.")
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})
            assert len(made) < 9
        return made, said["content"]


@pytest.fixture
def chat(emulator):
    return Chat(emulator)


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
MADE = {
    "search_documents": f"{LENS}\n{KEEPERS}",
    "generate_image": "Made 1 picture: image.jpeg (2848x1600). To edit one, pass its file name.",
    "generate_video": "The video is ready: film.mp4 (4 s).",
}
TOLD = "Made 1 picture: image.jpeg (2848x1600).\nThe video is ready: film.mp4 (4 s)."


class TestAnswers:
    @pytest.mark.parametrize(
        ("question", "answer"),
        [
            (
                "When did the electric arc first light a lighthouse?",
                (
                    "The first lighthouse to try electric light at sea was South Foreland, near "
                    "Dover, on 8 December 1858."
                ),
            ),
            (
                "Who was Grace Darling?",
                DARLING,
            ),
            ("When did the keepers light the lamp?", "The keepers lit the lamp at sunset."),
            (
                "What did Robert Foulis set up?",
                "Robert Foulis set one up on the island of…",
            ),
            (
                "灯塔有什么用？",
                "灯塔建在海岸、港口或礁石上，夜里用灯光告诉船员自己在哪里。",
            ),
            ("花鸟山灯塔建于哪一年？", "花鸟山灯塔建于1870年。"),
        ],
    )
    def test_an_answer_is_a_whole_sentence_and_nothing_else(self, chat, question, answer):
        assert chat.ask(question) == answer

    def test_the_rarest_word_of_a_question_is_enough(self, chat):
        said = chat.ask(
            "Why does a Fresnel lens throw light so much farther than a mirror?",
            f"Context:\n{LENS}",
        )
        assert "A Fresnel lens is made of rings of glass prisms." in said
        assert "#" not in said

    @pytest.mark.parametrize(
        ("question", "start"),
        [
            ("What is the capital of Mongolia?", "The given context says nothing"),
            ("Who invented the telephone?", "The given context says nothing"),
            ("Who was the first person on the moon?", "The given context says nothing"),
            ("How many people live in Norway?", "The given context says nothing"),
            ("长城有多长？", "所给的资料没有提到"),
            ("谁发明了电话？", "所给的资料没有提到"),
        ],
    )
    def test_what_no_document_holds_is_said_plainly(self, chat, question, start):
        context = f"{EXCERPTS}\n\nArgand invented a lamp. People in the capital lived well."
        said = chat.ask(question, context)
        assert said.startswith(start)
        assert said.endswith(question)

    def test_a_list_of_texts_in_python_notation_is_read(self, chat):
        """So LlamaIndex's `simple_summarize` sends its context."""
        said = chat.ask("Who was Grace Darling?", f"Context:\n{[LENS, KEEPERS]!r}")
        assert said.startswith("Grace Darling, the keeper's daughter,")
        assert "\\" not in said
        assert "[" not in said


class TestPassages:
    @pytest.mark.parametrize(
        "line",
        ["## Rescues", "Rescues", "[2] lens.md, page “Two”", "[source: keepers.txt]", "Excerpt 3:"],
    )
    def test_what_only_names_a_passage_stands_above_it(self, line):
        found = passages.paragraphs(f"Bees dance.\n\n{line}\n\nShe rowed out. He too.")
        assert [paragraph.sentences for paragraph in found] == [
            ("Bees dance.",),
            ("She rowed out.", "He too."),
        ]
        assert found[1].heading == line.removeprefix("## ")

    def test_headings_within_a_page_are_found_by_their_width(self):
        found = passages.paragraphs(PAGE)
        assert [paragraph.heading for paragraph in found] == [
            "Electric light",
            "Gas without a keeper",
        ]

    def test_an_underlined_line_is_a_heading(self):
        [found] = passages.paragraphs("Rescues\n=======\nShe rowed out.")
        assert (found.heading, found.sentences) == ("Rescues", ("She rowed out.",))

    def test_nested_headings_add_up_until_text_follows(self):
        headings = [paragraph.heading for paragraph in passages.paragraphs(LENS)]
        assert headings == ["The Fresnel lens / The problem", "The idea"]

    @pytest.mark.parametrize(
        "text",
        [
            "Paris is the capital of France\n\nBerlin is the capital of Germany.",
            "Paris",
            "We found:\n\nParis",
            "Capital: Paris\n\nIt is large.",
        ],
    )
    def test_facts_without_a_full_stop_are_no_headings(self, text):
        assert [paragraph.heading for paragraph in passages.paragraphs(text)] == [""] * (
            len(passages.paragraphs(text))
        )
        assert any("Paris" in said for each in passages.paragraphs(text) for said in each.sentences)

    def test_list_marks_are_dropped_and_years_are_no_list_marks(self):
        [found] = passages.paragraphs("- One.\n2. Two.\n[3] Three, in\n1858. Four.")
        assert found.sentences == ("One.", "Two.", "Three, in 1858.", "Four.")

    def test_a_heading_helps_the_sentences_below_it(self):
        text = "## Pharos\n\nIt was tall. It was old.\n\n## Cordouan\n\nIt was tall and royal."
        assert extract.find("How tall was the Pharos?", [text], most=1).text == "It was tall."

    def test_a_heading_that_asks_the_question_is_answered_below_it(self):
        text = "## What is a racon?\n\nIt answers radar.\n\n## Notes\n\nA racon is rare."
        assert extract.find("What is a racon?", [text], most=1).text == "It answers radar."

    def test_a_sentence_cut_by_an_overlap_gives_way_to_the_whole_one(self):
        texts = ["daughter rowed out in a boat. Bees dance.", "The keeper's daughter rowed out."]
        texts[1] = f"The keeper's {texts[0]}"
        found = extract.find("Who rowed out in a boat?", texts)
        assert found.sentences == ("The keeper's daughter rowed out in a boat.",)

    def test_a_further_sentence_from_elsewhere_must_add_something(self):
        texts = ["John built the old tower of granite.", "No tower was ever built there."]
        assert extract.find("Who built the old tower?", texts).sentences == (texts[0],)

    @pytest.mark.parametrize(
        ("question", "text", "share"),
        [
            ("Who built Rome?", "Rome burned.", 0.8),
            ("Where is Rome in Italy?", "Rome burned.", 0.5),
            ("Who invented the lamp?", "The inventor of a lamp", 1.0),
            ("今天为什么还需要灯塔？", "今天的灯塔", 4 / 7),
            ("???", "Rome burned.", 0.0),
        ],
    )
    def test_names_weigh_more_than_words_and_words_more_than_verbs(self, question, text, share):
        assert coverage.share(question, [text]) == pytest.approx(share)


class TestErrands:
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
    def test_each_way_to_ask_for_media_is_understood(self, chat, request_text, call):
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
    def test_so_is_each_way_in_chinese(self, chat, request_text, call):
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
    def test_both_media_are_made_in_turn(self, chat, request_text, prompts):
        made, said = chat.run(request_text, MEDIA, MADE)
        names = ["generate_image", "generate_video"]
        assert made == [(name, {"prompt": each}) for name, each in zip(names, prompts, strict=True)]
        assert said == TOLD

    @pytest.mark.parametrize(
        "text", ["What is a picture?", "Thank you for the picture!", "什么是图片？", "谢谢你的图片"]
    )
    def test_to_speak_of_a_picture_is_not_to_ask_for_one(self, chat, text):
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
    def test_what_was_found_is_depicted_and_told_in_a_sentence(self, chat, request_text):
        made, said = chat.run(request_text, [SEARCH, *MEDIA], MADE)
        assert made == [
            ("search_documents", {"query": "Who was Grace Darling"}),
            ("generate_image", {"prompt": DARLING}),
            ("generate_video", {"prompt": DARLING}),
        ]
        assert said == f"{DARLING}\n{TOLD}"

    def test_a_chinese_question_is_taken_out_of_english_framing(self, chat):
        made, said = chat.run(
            "Use search_documents to look up: 花鸟山灯塔建于哪一年？ Then draw it.",
            [SEARCH, *MEDIA],
            {"search_documents": CHINESE},
        )
        assert made == [
            ("search_documents", {"query": "花鸟山灯塔建于哪一年"}),
            ("generate_image", {"prompt": "花鸟山灯塔建于1870年。"}),
        ]
        assert said.startswith("花鸟山灯塔建于1870年。\n")

    def test_it_stands_for_what_was_said_before(self, chat):
        earlier = [
            {"role": "user", "content": "Who was Grace Darling?"},
            {"role": "assistant", "content": "Grace Darling was a keeper's daughter. Bees dance."},
        ]
        made, _ = chat.run("Draw a picture of it.", MEDIA, earlier=earlier)
        assert made == [("generate_image", {"prompt": "Grace Darling was a keeper's daughter."})]

    def test_a_search_that_finds_no_answer_is_not_told_at_length(self, chat):
        _, said = chat.run("What is the capital of Mongolia?", [SEARCH], MADE)
        assert said == (
            "The given context says nothing about this question: What is the capital of Mongolia?"
        )
        _, said = chat.run("Find the capital of Mongolia, then draw it.", [SEARCH, *MEDIA], MADE)
        assert said == "Made 1 picture: image.jpeg (2848x1600)."

    def test_a_question_goes_to_the_tool_that_answers_such_questions(self, chat):
        lamps = function("lamp_docs", "Answers questions about lamps.", input="string")
        bees = function("bee_docs", "Answers questions about bees.", input="string")
        made, _ = chat.run("How do bees find home?", [lamps, bees])
        assert made == [("bee_docs", {"input": "How do bees find home"})]

    def test_a_list_of_three_places_is_three_calls(self, chat):
        made, _ = chat.run("What is the weather in Paris, London and Tokyo?", [WEATHER])
        assert [arguments["location"] for _, arguments in made] == ["Paris", "London", "Tokyo"]

    def test_a_long_result_without_a_query_is_cut_to_what_was_asked(self, chat):
        forecast = f"Rain in the north. {'Clouds drift by. ' * 30}Sun shines on Oslo."
        _, said = chat.run("What is the weather in Oslo?", [WEATHER], {"get_weather": forecast})
        assert said == "Sun shines on Oslo."
        _, said = chat.run("What is the weather in Rome?", [WEATHER], {"get_weather": "x " * 300})
        assert said.startswith("x x x")
        assert said.endswith("x…")

    @pytest.mark.parametrize("text", ["花鸟山灯塔建于1870年。", "It is sunny in Rome."])
    def test_a_result_that_is_a_sentence_needs_no_introduction(self, chat, text):
        _, said = chat.run("What is the weather in Rome?", [WEATHER], {"get_weather": text})
        assert said == text

    def test_the_same_request_is_answered_alike(self, chat):
        request = "Who was Grace Darling? Find out, then draw it, in parallel."
        runs = [chat.run(request, [SEARCH, *MEDIA], MADE) for _ in range(3)]
        assert runs[0] == runs[1] == runs[2]

    def test_a_hostile_request_is_read_in_no_time(self):
        """No pattern may take quadratic time: this took half a minute."""
        begun = time.process_time()
        assert subject.of(f"#{' ' * 50_000}x").endswith("x")
        assert time.process_time() - begun < 2

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
    def test_framing_is_no_subject(self, text, expected):
        assert subject.of(text) == expected
        assert subject.is_empty(expected) == (expected in {"", "it"})


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
