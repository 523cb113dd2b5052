"""Answers over real documents: clean quotes, whole sentences, and a plain no, over HTTP."""

import pytest

DARLING = "Grace Darling, the keeper's daughter, rowed out from the lighthouse in an open boat."


@pytest.fixture
def excerpts(documents):
    """Put the documents together as a retriever's prompt does."""
    return f"""Excerpts:

[1] lens.md, section “The idea”
{documents.lens}
[2] light-sources.pdf, page 2
{documents.page}
[3]
source: keepers.txt, lines 1-20

{documents.keepers}
[4] 灯塔.md
{documents.chinese}"""


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
def test_an_answer_is_a_whole_sentence_and_nothing_else(chat, question, answer, excerpts):
    assert chat.ask(question, excerpts) == answer


def test_the_rarest_word_of_a_question_is_enough(chat, documents):
    said = chat.ask(
        "Why does a Fresnel lens throw light so much farther than a mirror?",
        f"Context:\n{documents.lens}",
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
def test_what_no_document_holds_is_said_plainly(chat, question, start, excerpts):
    context = f"{excerpts}\n\nArgand invented a lamp. People in the capital lived well."
    said = chat.ask(question, context)
    assert said.startswith(start)
    assert said.endswith(question)


def test_a_list_of_texts_in_python_notation_is_read(chat, documents):
    """So LlamaIndex's `simple_summarize` sends its context."""
    said = chat.ask("Who was Grace Darling?", f"Context:\n{[documents.lens, documents.keepers]!r}")
    assert said.startswith("Grace Darling, the keeper's daughter,")
    assert "\\" not in said
    assert "[" not in said
