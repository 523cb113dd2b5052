"""The catalogue of models: consistent, readable, and of help when a name is wrong."""

from __future__ import annotations

import itertools
import json
import operator
import re
from pathlib import Path

import pytest
import refresh_catalogue

import doubao_core
from doubao_core import Client, NotFound, catalogue

FILE = Path(doubao_core.__file__).with_name("catalogue.json")
HELLO = [{"role": "user", "content": "Hello"}]


def test_the_file_is_as_the_script_writes_it():
    text = FILE.read_text(encoding="utf-8")
    assert refresh_catalogue.rendered(json.loads(text)) == text


@pytest.mark.parametrize("facts", catalogue.models().values(), ids=operator.attrgetter("name"))
def test_the_facts_of_a_model_fit_together(facts):
    assert facts.inputs is None or "text" in facts.inputs
    assert set(facts.thinking or ()) <= {"enabled", "disabled", "auto"}
    assert set(facts.efforts.values()) <= {None, "off", "low", "medium", "high", "max"}
    assert facts.default_effort is None or facts.default_effort in facts.efforts
    if "off" in facts.efforts.values():
        assert "disabled" in facts.thinking
    if not facts.thinks:
        assert not facts.efforts
        assert facts.reasoning is None
        assert not facts.unsupported_while_thinking
    if "response_format.type=json_schema" in facts.refuses:
        assert facts.structured_output is False
    for longer, shorter in itertools.pairwise([facts.context_window, facts.max_input_tokens]):
        assert shorter is None or shorter <= longer


def test_what_is_not_known_is_not_false():
    unknown, never = catalogue.find("deepseek-r1-250528"), catalogue.find("glm-4-7-251222")
    assert (unknown.thinks, unknown.tools, unknown.structured_output) == (None, None, None)
    assert (never.takes("image"), never.structured_output, never.flex) == (False, False, None)
    assert catalogue.find("doubao-1-5-vision-pro-250328").takes("image") is None
    assert catalogue.find("doubao-seed-character-251128").thinks is False
    assert catalogue.find("gpt-oss-120b-250805").thinks is True


def test_an_id_that_both_clouds_have_gets_the_smaller_limits():
    assert catalogue.find("glm-4-7-251222").context_window == 200 * 1024
    assert catalogue.find("deepseek-v3-2-251201").max_input_tokens == 128 * 1024


@pytest.mark.parametrize(
    "model", ["seed-2-0-pro-260328", "seed-2-0-lite-260428", "dola-seed-2-1-turbo-260628"]
)
def test_a_longest_chain_of_thought_that_only_the_other_cloud_tells_is_not_known(model):
    assert catalogue.find(model).max_reasoning_tokens is None
    assert catalogue.find("seed-1-8-251228").max_reasoning_tokens == 32 * 1024


@pytest.mark.parametrize(
    ("model", "like"),
    [
        ("doubao-seed-2-1-pro-260915", "doubao-seed-2-1-pro-260915"),
        ("doubao-seed-2-1-pro-270101", "doubao-seed-2-1-pro-260915"),
        ("doubao-seed-2-1-pro-260914", "doubao-seed-2-1-pro-260628"),
        ("doubao-seed-2-1-pro-250101", None),
        ("doubao-seed-2-1-pro", None),
        ("doubao-seed-evolving-270101", "doubao-seed-evolving"),
        ("ep-20260101000000-abcde", None),
        ("", None),
    ],
)
def test_a_later_date_of_a_known_model_is_its_kin(model, like):
    kin = catalogue.kin(model)
    assert (kin and kin.name) == like


def test_nobody_can_change_a_fact():
    facts = catalogue.find("doubao-seed-2-0-pro-260215")
    for write in (
        lambda: catalogue.models().update({}),
        lambda: facts.efforts.update({}),
        lambda: setattr(facts, "flex", True),
    ):
        with pytest.raises(AttributeError):
            write()


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("doubao-seed-2-1-pro", "doubao-seed-2-1-pro-260915"),
        ("doubao-seed-2.1-pro", "doubao-seed-2-1-pro-260915"),
        ("Doubao-Seed-2.0-lite", "doubao-seed-2-0-lite-260428"),
        ("doubao-seed-2-0-pro-260125", "doubao-seed-2-0-pro-260215"),
        ("glm-5-2", "glm-5-2-260617"),
        ("gpt-9", None),
        ("doubao-seed-2-1-pro-260915", None),
    ],
)
def test_the_nearest_name_is_the_one_that_was_meant(wrong, meant):
    assert catalogue.nearest(wrong) == meant


def calls(client):
    """Give every operation that names a model: its name, a wrong model, and the call."""
    ask = {"messages": HELLO}
    return {
        "chat": lambda m: client.chat(model=m, **ask),
        "stream_chat": lambda m: list(client.stream_chat(model=m, **ask)),
        "embed": lambda m: client.embed(model=m, texts=["a"]),
        "images": lambda m: client.create_images(model=m, prompt="a"),
        "videos": lambda m: client.create_video(model=m, content=[{"type": "text", "text": "a"}]),
    }


@pytest.mark.parametrize(
    ("operation", "wrong", "meant"),
    [
        ("chat", "doubao-seed-2-1-pro", "doubao-seed-2-1-pro-260915"),
        ("stream_chat", "doubao-seed-2-1-pro", "doubao-seed-2-1-pro-260915"),
        ("embed", "doubao-embedding-text", "doubao-embedding-text-240715"),
        ("images", "doubao-seedream-4.5", "doubao-seedream-4-5-251128"),
        ("videos", "doubao-seedance-2.0", "doubao-seedance-2-0-260128"),
    ],
)
def test_a_model_that_does_not_exist_gets_a_suggestion(client, operation, wrong, meant):
    with pytest.raises(NotFound, match=rf"\w; did you mean '{re.escape(meant)}'\? \[") as caught:
        calls(client)[operation](wrong)
    assert caught.value.message.count("did you mean") == 1
    assert caught.value.request_id


@pytest.mark.parametrize("wrong", ["gpt-9", "seed-2-0-lite-260228"])
def test_no_suggestion_without_a_name_like_it(client, wrong):
    """The second one exists, on the other cloud."""
    with pytest.raises(NotFound) as caught:
        client.chat(model=wrong, messages=HELLO)
    assert "did you mean" not in str(caught.value)


@pytest.fixture
def copied(tmp_path):
    path = tmp_path / "catalogue.json"
    path.write_bytes(FILE.read_bytes())
    return path


@pytest.fixture
def refresh(emulator, copied, monkeypatch, capsys):
    """Run the script against the emulated cloud; gives what it printed, line by line."""
    monkeypatch.setenv("ARK_API_KEY", "test-key")
    monkeypatch.setenv("DOUBAO_BASE_URL", emulator.base_url)

    def run(*arguments):
        refresh_catalogue.main(["--provider", "ark", "--catalogue", str(copied), *arguments])
        return capsys.readouterr().out.splitlines()

    return run


def test_the_script_shows_what_a_cloud_lists_and_writes_nothing(refresh, copied, emulator):
    said = refresh()
    assert emulator.requests[-1].path.endswith("/models")
    assert "! doubao-embedding-text-240515 is Retiring" in said
    assert "~ deepseek-v3-1-terminus: max_input_tokens null -> 131072" in said
    assert copied.read_bytes() == FILE.read_bytes()


def test_the_script_writes_what_is_listed_and_leaves_what_is_not(refresh, copied):
    edited = json.loads(copied.read_text(encoding="utf-8"))
    models = edited["models"]
    del models["doubao-seed-1-8-251228"]
    changed = models["doubao-seed-2-0-pro-260215"]
    changed |= {"max_output_tokens": 5, "inputs": ["text", "file"], "structured_output": False}
    copied.write_text(json.dumps(edited), encoding="utf-8")
    said = refresh("--write")
    name = "doubao-seed-2-0-pro-260215"
    assert "+ doubao-seed-1-8-251228 (chat)" in said
    assert f"~ {name}: max_output_tokens 5 -> 131072" in said
    assert f"~ {name}: structured_output false -> true  (not taken over)" in said
    written = json.loads(copied.read_text(encoding="utf-8"))["models"]
    assert written["doubao-seed-1-8-251228"]["max_output_tokens"] == 65536
    assert written[name]["max_output_tokens"] == 131072
    assert written[name]["inputs"] == ["text", "image", "video", "file"]
    assert written[name]["structured_output"] is False
    assert written[name]["forced"] == {"temperature": 1, "top_p": 0.95}
    rest = [line for line in refresh() if line[0] in "~+"]
    assert all(line.endswith("(not taken over)") for line in rest)


def test_the_script_passes_over_what_is_no_model_of_ours():
    odd = {"id": "seed3d-2-0-260328", "domain": "3D"}
    known = {"families": {"chat": {"kind": "chat"}}, "models": {}}
    assert refresh_catalogue.refresh(known, [odd]) == [
        "? seed3d-2-0-260328 is of an unknown domain: 3D"
    ]
    assert known["models"] == {}


def test_the_script_takes_the_domain_of_a_new_model(emulator):
    with Client(base_url=emulator.base_url, api_key="k") as client:
        listed = [model.raw for model in client.list_models()]
    empty = json.loads(FILE.read_text(encoding="utf-8")) | {"models": {}}
    refresh_catalogue.refresh(empty, listed)
    known = catalogue.models()
    for name, line in empty["models"].items():
        assert empty["families"][line["family"]]["kind"] == known[name].kind
