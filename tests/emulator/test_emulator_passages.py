"""Which sentences of a document answer a question, and what of it is a heading. No HTTP here."""

import pytest

from doubao_emulator.answering import coverage, extract, passages


@pytest.mark.parametrize(
    "line",
    ["## Rescues", "Rescues", "[2] lens.md, page “Two”", "[source: keepers.txt]", "Excerpt 3:"],
)
def test_what_only_names_a_passage_stands_above_it(line):
    found = passages.paragraphs(f"Bees dance.\n\n{line}\n\nShe rowed out. He too.")
    assert [paragraph.sentences for paragraph in found] == [
        ("Bees dance.",),
        ("She rowed out.", "He too."),
    ]
    assert found[1].heading == line.removeprefix("## ")


def test_headings_within_a_page_are_found_by_their_width(documents):
    found = passages.paragraphs(documents.page)
    assert [paragraph.heading for paragraph in found] == [
        "Electric light",
        "Gas without a keeper",
    ]


def test_an_underlined_line_is_a_heading():
    [found] = passages.paragraphs("Rescues\n=======\nShe rowed out.")
    assert (found.heading, found.sentences) == ("Rescues", ("She rowed out.",))


def test_nested_headings_add_up_until_text_follows(documents):
    headings = [paragraph.heading for paragraph in passages.paragraphs(documents.lens)]
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
def test_facts_without_a_full_stop_are_no_headings(text):
    assert [paragraph.heading for paragraph in passages.paragraphs(text)] == [""] * (
        len(passages.paragraphs(text))
    )
    assert any("Paris" in said for each in passages.paragraphs(text) for said in each.sentences)


def test_list_marks_are_dropped_and_years_are_no_list_marks():
    [found] = passages.paragraphs("- One.\n2. Two.\n[3] Three, in\n1858. Four.")
    assert found.sentences == ("One.", "Two.", "Three, in 1858.", "Four.")


def test_a_heading_helps_the_sentences_below_it():
    text = "## Pharos\n\nIt was tall. It was old.\n\n## Cordouan\n\nIt was tall and royal."
    assert extract.find("How tall was the Pharos?", [text], most=1).text == "It was tall."


def test_a_heading_that_asks_the_question_is_answered_below_it():
    text = "## What is a racon?\n\nIt answers radar.\n\n## Notes\n\nA racon is rare."
    assert extract.find("What is a racon?", [text], most=1).text == "It answers radar."


def test_a_sentence_cut_by_an_overlap_gives_way_to_the_whole_one():
    texts = ["daughter rowed out in a boat. Bees dance.", "The keeper's daughter rowed out."]
    texts[1] = f"The keeper's {texts[0]}"
    found = extract.find("Who rowed out in a boat?", texts)
    assert found.sentences == ("The keeper's daughter rowed out in a boat.",)


def test_a_further_sentence_from_elsewhere_must_add_something():
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
def test_names_weigh_more_than_words_and_words_more_than_verbs(question, text, share):
    assert coverage.share(question, [text]) == pytest.approx(share)
