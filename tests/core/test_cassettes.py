"""Cassettes: replayed whole by both drivers, equal to a fresh recording, without secrets."""

from __future__ import annotations

import re

import cassette_store
import httpx
import pytest
import record_cassettes
from cassette_cases import HELLO, Case, cases

from doubao_core import Client, DoubaoError

FOLDER = record_cassettes.FOLDER
FILES = sorted(FOLDER.rglob("*.yaml"))
SEED = "doubao-seed-2-1-pro-260915"
CASES = [(provider, case) for provider in record_cassettes.PROVIDERS for case in cases(provider)]


def named(value):
    return f"{value.operation}-{value.name}" if isinstance(value, Case) else value


def read(path):
    return cassette_store.load(path.read_text())


@pytest.mark.parametrize(("provider", "case"), CASES, ids=named)
def test_a_cassette_is_replayed_to_its_end(make_client, naps, provider, case):
    path = record_cassettes.path_of(FOLDER, provider, case)
    client = make_client(provider=provider, max_retries=1)
    with cassette_store.recorder("replay").use_cassette(str(path)) as tape:
        if case.error is None:
            result = case.call(client, 3.0)
            assert result is not None or case.operation.endswith("delete")
        else:
            with pytest.raises(case.error) as caught:
                case.call(client, 3.0)
            assert caught.value.gateway == provider or caught.value.operation == "videos.get"
    assert tape.all_played
    assert tape.play_count == len(read(path)["interactions"])


def test_the_good_answers_say_what_the_cassettes_say(make_client):
    """Not every field of every file: that each kind of answer is read at all, and read right."""
    replay = cassette_store.recorder("replay")
    found = {(case.operation, case.name): case for provider, case in CASES if provider == "ark"}

    def result(operation, name):
        case = found[operation, name]
        path = record_cassettes.path_of(FOLDER, "ark", case)
        client = make_client(provider="ark", max_retries=1)
        with replay.use_cassette(str(path)):
            return case.call(client, 3.0), read(path)["interactions"][-1]["response"].get("json")

    answer, said = result("chat.create", "answer")
    assert answer.content == said["choices"][0]["message"]["content"]
    task, said = result("videos.get", "until-succeeded")
    assert (task.status, task.video_url) == ("succeeded", said["content"]["video_url"])
    models, said = result("models.list", "first-models")
    assert [model.id for model in models] == [model["id"] for model in said["data"]]
    events, _ = result("chat.stream", "reasoning-tool-call-usage")
    assert (events[-2].finish_reason, events[-1].usage["total_tokens"] > 0) == ("tool_calls", True)
    vectors, said = result("embeddings.create", "two-texts")
    assert [len(vector) for vector in vectors.vectors] == [512, 512]


def test_every_file_belongs_to_a_case_or_to_a_page():
    of_cases = {record_cassettes.path_of(FOLDER, *each) for each in CASES}
    of_pages = {path for path in FILES if path.stem.startswith("seed-")}
    assert set(FILES) == of_cases | of_pages


def test_every_operation_has_a_good_and_a_bad_case():
    for provider in record_cassettes.PROVIDERS:
        for operation in {case.operation for case in cases(provider)}:
            ends = {
                case.error is None and not case.fault
                for case in cases(provider)
                if case.operation == operation
            }
            # BytePlus has no text embeddings: there is nothing good to record.
            lacking = (provider, operation) == ("byteplus", "embeddings.create")
            assert ends == ({False} if lacking else {True, False}), (provider, operation)


@pytest.mark.parametrize("provider", record_cassettes.PROVIDERS)
def test_a_fresh_recording_equals_the_committed_one(tmp_path, naps, provider):
    record_cassettes.from_emulator(tmp_path, provider)
    for case in cases(provider):
        fresh = read(record_cassettes.path_of(tmp_path, provider, case))
        committed = read(record_cassettes.path_of(FOLDER, provider, case))
        if committed["recorded_from"] == record_cassettes.EMULATOR:
            assert fresh == committed, "run: python scripts/record_cassettes.py --from emulator"


LONG_BASE64 = re.compile(r"[A-Za-z0-9+/]{200,}")
# Vectors and the sealed chain of thought are base64 by nature.
BASE64_BY_NATURE = re.compile(r"(embedding: |\"encrypted_content\":\"|encrypted_content: )[\w+/=]+")
FORBIDDEN = [
    re.compile(r"(?i)authorization|bearer|cookie|x-api-key"),
    re.compile(r"\bsk-[A-Za-z0-9]"),
    re.compile(r"[?&](X-Tos|X-Amz|Signature|token)[\w-]*=(?!removed)", re.IGNORECASE),
    re.compile(r"127\.0\.0\.1|localhost"),
    re.compile(r"(?<![\w.:/])/(work|root|home|Users|tmp)/"),
    LONG_BASE64,
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_no_file_holds_a_secret_a_signed_link_or_a_place_of_this_machine(path):
    text = BASE64_BY_NATURE.sub("", path.read_text())
    assert [pattern.pattern for pattern in FORBIDDEN if pattern.search(text)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_headers_are_kept_by_an_allow_list(path):
    for each in read(path)["interactions"]:
        assert each["request"].get("headers", {}).keys() <= cassette_store.REQUEST_HEADERS
        assert each["response"].get("headers", {}).keys() <= cassette_store.RESPONSE_HEADERS


def test_the_scan_finds_what_it_looks_for():
    for text in (
        "authorization: Bearer abc",
        "key sk-abcdef",
        "https://h/a?X-Tos-Signature=abc",
        "http://127.0.0.1:80/",
        "read /home/x",
        "b64_json: " + "A" * 300,
    ):
        assert any(pattern.search(BASE64_BY_NATURE.sub("", text)) for pattern in FORBIDDEN), text


def record_one(tmp_path, emulator, key, call):
    path = tmp_path / "one.yaml"
    tape = cassette_store.recorder("a test", secret=key, mode="once")
    with Client(base_url=emulator.base_url, api_key=key) as client, tape.use_cassette(str(path)):
        call(client)
    return path


def test_recording_with_a_secret_leaves_no_trace_of_it(tmp_path, emulator, key):
    """Not even if the service puts the key into its answer."""
    emulator.answer(body={"choices": [{"message": {"content": f"your key is {key}"}}]})
    path = record_one(tmp_path, emulator, key, lambda c: c.chat(model=SEED, messages=HELLO))
    assert key not in path.read_text()
    assert "your key is ***" in path.read_text()


def test_a_request_that_holds_the_secret_is_not_written_at_all(tmp_path, emulator, key):
    """Nor sent; and httpx, which vcrpy patches meanwhile, is itself again."""
    usual = httpx.HTTPTransport.handle_request
    messages = [{"role": "user", "content": f"my key is {key}"}]
    with pytest.raises(cassette_store.LeakError) as caught:
        record_one(
            tmp_path,
            emulator,
            key,
            lambda c: c.chat(model=SEED, messages=messages),
        )
    assert caught.value
    assert httpx.HTTPTransport.handle_request is usual
    assert not (tmp_path / "one.yaml").exists()
    assert emulator.requests == []


def test_a_replay_never_reaches_the_network(make_client):
    case = next(case for provider, case in CASES if case.operation == "chat.create")
    path = record_cassettes.path_of(FOLDER, "ark", case)
    client = make_client(provider="ark", max_retries=0)
    with (
        cassette_store.recorder("replay").use_cassette(str(path)),
        pytest.raises(Exception, match="Can't overwrite existing cassette") as caught,
    ):
        client.chat(model="another", messages=[{"role": "user", "content": "not recorded"}])
    assert not isinstance(caught.value, DoubaoError)


def test_a_cassette_survives_being_read_and_written(tmp_path):
    for path in FILES:
        assert cassette_store.dump(read(path)) == path.read_text(), path


def test_recording_live_needs_a_key_and_a_yes(monkeypatch, capsys, tmp_path):
    command = ["--from", "live", "--provider", "byteplus", "--folder", str(tmp_path)]
    assert record_cassettes.main(command) == 2
    assert "set BYTEPLUS_API_KEY or ARK_API_KEY" in capsys.readouterr().err
    monkeypatch.setenv("ARK_API_KEY", "sk-never-shown")
    assert record_cassettes.main(command) == 1
    said = capsys.readouterr().out
    assert "you pay for it" in said
    assert "1 film of 4 s in 480p (videos.create/text)" in said
    assert "--yes" in said
    assert "sk-never-shown" not in said
    assert list(tmp_path.iterdir()) == []


def test_the_readme_tells_of_every_set():
    readme = (FOLDER / "README.md").read_text()
    for folder in (path for path in FOLDER.iterdir() if path.is_dir()):
        assert f"{folder.name}/" in readme
    for path in FILES:
        if path.stem.startswith("seed-"):
            assert f"`{path.relative_to(FOLDER).with_suffix('')}`" in readme
