"""What the emulated model says: quotes from a context, and small talk. No HTTP here."""

import pytest

from doubao_emulator import words
from doubao_emulator.answering import arithmetic, extract
from doubao_emulator.chat_model import Media, Message

LIGHTHOUSE = (
    "The lighthouse at Alexandria was built around 280 BC. It was about 100 metres tall.\n"
    "Its keeper lit a fire each night.\n\n"
    "Tides are caused by the gravity of the moon. Dr. Smith, e.g. in 1903, measured them."
)
CHINESE = "灯塔高约一百米。潮汐由月球的引力引起。"
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


def user(text, **more):
    return Message(role="user", text=text, **more)


def system(text):
    return Message(role="system", text=text)


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
def test_the_best_sentence_is_quoted(question, answer):
    assert extract.find(question, [LIGHTHOUSE, CHINESE], most=1).text == answer


def test_a_pronoun_speaks_of_the_sentence_before():
    found = extract.find("How tall was the lighthouse at Alexandria?", [LIGHTHOUSE])
    assert found.sentences == (
        "The lighthouse at Alexandria was built around 280 BC.",
        "It was about 100 metres tall.",
    )


def test_sentences_survive_wrapping_abbreviations_and_chinese():
    text = "Mr. A. Smith wrote\nthis. It cost 3.50, e.g. Twice!\n\n- one\n- two\n灯塔。潮汐！好"
    assert words.sentences(text) == [
        "Mr. A. Smith wrote this.",
        "It cost 3.50, e.g. Twice!",
        "- one",
        "- two 灯塔。",
        "潮汐！",
        "好",
    ]


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
def test_rag_prompts_are_answered_from_their_context(messages, said):
    assert said(*messages).content == ANSWER


def test_a_refine_prompt_keeps_an_answer_its_context_cannot_better(said):
    asked = LLAMA_REFINE.format(context="Bees dance.", question=QUESTION, answer=ANSWER)
    assert said(user(asked)).content == ANSWER


def test_a_refine_prompt_replaces_an_answer_that_said_nothing(said):
    nothing = said(user(LLAMA_QA.format(context="Bees dance.", question=QUESTION))).content
    assert nothing.startswith("The given context says nothing")
    asked = LLAMA_REFINE.format(context=LIGHTHOUSE, question=QUESTION, answer=nothing)
    assert said(user(asked)).content == ANSWER


def test_chinese_is_answered_in_chinese(said):
    asked = [system(f"请根据资料回答。\n资料：{CHINESE}"), user("潮汐由什么引起？")]
    answer = said(*asked)
    assert answer.content == "潮汐由月球的引力引起。"
    assert answer.reasoning.startswith("用户问：")


def test_a_follow_up_is_made_standalone(said):
    asked = "Rephrase it to be a standalone question.\nFollow Up Input: How high?\nAnswer:"
    assert said(user(asked)).content == "How high?"


def test_what_was_said_earlier_is_remembered(said):
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
def test_small_talk(text, start, said):
    assert said(user(text)).content.startswith(start)


def test_attachments_are_described(said):
    picture = Media(kind="image", description="a PNG picture of 4x2 pixels", tokens=1)
    content = said(user("What is this?", media=(picture,))).content
    assert content == "You attached a PNG picture of 4x2 pixels."


def test_a_prefilled_answer_is_continued(said):
    prefilled = Message(role="assistant", text="17 * 3 = ")
    assert said(user("What is 17 * 3?"), prefilled).content == "51"


def test_dividing_by_nothing_is_no_sum():
    assert arithmetic.solve("What is 1 / 0?") is None
    assert arithmetic.solve("What is 7 divided by 2?") == ("7 divided by 2", "3.5")
