"""What the quickstart's own modules promise, where a whole run would not show it."""

from __future__ import annotations

from pathlib import Path

import pytest

from doubao_core import ConfigError

DOCS = Path(__file__).parents[2] / "examples" / "docs"


def test_sections_know_where_they_stood(parts, tmp_path):
    (tmp_path / "a.md").write_text(
        "Before.\n\n# Title\n\n## First ##\n\nOne.\n\n```\n# no heading\n```\n\n## Second\nTwo.\n"
    )
    (tmp_path / "b.txt").write_text("x" * 950 + "\n\nSecond block.\nIts second line.\n")

    sections = parts("documents").read_folder(tmp_path)

    assert [(each.file, each.place) for each in sections] == [
        ("a.md", "section “a”"),
        ("a.md", "section “First”"),
        ("a.md", "section “Second”"),
        ("b.txt", "lines 1-1"),
        ("b.txt", "lines 3-4"),
    ]
    assert sections[1].text.startswith("# Title\n\n## First ##\n\nOne.")
    assert "# no heading" in sections[1].text
    assert sections[4].text == "Second block.\nIts second line."


def test_the_pdf_that_ships_is_read_page_by_page(parts):
    pages = [each for each in parts("documents").read_folder(DOCS) if each.file.endswith(".pdf")]

    assert [each.place for each in pages] == ["page 1", "page 2"]
    assert "Argand" in pages[0].text
    assert "South Foreland" in pages[1].text


def test_documents_in_folders_below_are_found_under_their_path(parts, tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "A.TXT").write_text("\ufeffText.", encoding="utf-8")

    (section,) = parts("documents").read_folder(tmp_path)

    assert (section.file, section.text) == ("below/A.TXT", "Text.")


def test_a_pdf_without_text_is_refused(parts, tmp_path):
    from pypdf import PdfWriter

    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.write(tmp_path / "scan.pdf")

    with pytest.raises(parts("failures").BadInput, match=r"scan\.pdf has no text"):
        parts("documents").read_folder(tmp_path)


def test_the_page_escapes_whatever_models_and_documents_say(parts, tmp_path, monkeypatch):
    monkeypatch.setenv("DOUBAO_CHAT_MODEL", "<i>model</i>")
    attack = '<script>alert("x")</script>'
    made = parts("result")
    result = made.Result(
        framework="LangChain",
        question=attack,
        answer=attack,
        reasoning=attack,
        caption=attack,
        failure=attack,
        sources=[made.Source(file=attack, place=attack, text=attack, score=0.5)],
        image=tmp_path / "a b<i>.png",
        image_prompt=attack,
        video=tmp_path / '".mp4',
        video_prompt=attack,
    )
    result.used(attack, attack, 1)

    page = parts("page").render([result], parts("service").choose(), tmp_path)

    assert "<script>" not in page
    assert "<i>" not in page
    assert 'src="a%20b%3Ci%3E.png"' in page
    assert 'src="%22.mp4#t=0.1"' in page


def test_a_failure_inside_a_frameworks_own_error_is_found(parts):
    from doubao_core import AuthenticationError

    failures = parts("failures")
    wrapped = RuntimeError("workflow failed")
    wrapped.__cause__ = AuthenticationError("bad key", gateway="byteplus", status=401)

    assert failures.sentence(wrapped).startswith(
        "the service does not accept BYTEPLUS_API_KEY or ARK_API_KEY, check the key: bad key"
    )
    assert failures.concerns_everyone(wrapped)


def test_an_unforeseen_failure_is_named_and_does_not_stop_the_other_framework(parts):
    failures = parts("failures")

    assert "KeyError: 'x'" in failures.sentence(KeyError("x"))
    assert not failures.concerns_everyone(KeyError("x"))


@pytest.mark.parametrize(
    ("environment", "provider"),
    [
        ({}, "emulator"),
        ({"ARK_API_KEY": "k"}, "ark"),
        ({"DOUBAO_PROVIDER": "byteplus", "ARK_API_KEY": "k"}, "byteplus"),
        ({"DOUBAO_PROVIDER": ""}, "emulator"),
        ({"BYTEPLUS_API_KEY": "k"}, "emulator"),
        ({"DOUBAO_PROVIDER": "emulator", "ARK_API_KEY": "k"}, "emulator"),
    ],
)
def test_the_service_is_the_one_that_there_is_a_key_for(parts, monkeypatch, environment, provider):
    for name in ("ARK_API_KEY", "BYTEPLUS_API_KEY", "DOUBAO_PROVIDER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert parts("service").choose().provider == provider


@pytest.mark.parametrize(
    ("provider", "variables"),
    [("ark", "ARK_API_KEY"), ("byteplus", "BYTEPLUS_API_KEY or ARK_API_KEY")],
)
def test_a_provider_that_was_asked_for_is_not_replaced(parts, monkeypatch, provider, variables):
    for name in ("ARK_API_KEY", "BYTEPLUS_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOUBAO_PROVIDER", provider)
    with pytest.raises(ConfigError, match=f"set {variables}$"):
        parts("service").choose()
