"""Pictures inside an answer: taken out and saved as the bytes come, however they are cut."""

from __future__ import annotations

import base64
import json
import uuid
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubao_core import ConfigError, Malformed, TooLarge
from doubao_core.media import Saved, Sieve, inline, storage

PNG = b"\x89PNG\r\n\x1a\n"


def picture(seed, size=60):
    return PNG + bytes((seed * 31 + at * 7) % 256 for at in range(size))


def b64(content):
    return base64.b64encode(content).decode()


def place():
    return storage(f"memory://{uuid.uuid4().hex}")


def sift(body, cuts=(), *, where=None, events=False):
    """Give what stays of *body*, and what became of its pictures: the content of each."""
    where = where or place()
    with Sieve(where, "image", events=events) as sieve:
        edges = [0, *sorted(cuts), len(body)]
        rest = b"".join(sieve.feed(body[start:end]) for start, end in pairwise(edges))
        outcomes = [each.save() for each in sieve._pictures]
    return rest, [
        where.read(each.name, 10**8) if isinstance(each, Saved) else each for each in outcomes
    ]


def answer(*items, **more):
    return {"model": "m", "created": 1, "data": list(items), **more}


def item(content, **more):
    return {"b64_json": b64(content), "size": "8x8", **more}


def without(body, items):
    """Give an answer with marks instead of the pictures of *items*, as the sieve should."""
    marked = [each for each in items if isinstance(each, dict)]
    marked = [each for each in marked if isinstance(each.get("b64_json"), str)]
    for number, each in enumerate(marked):
        each["b64_json"] = f"\0{number}"
    return body


ANSWERS = {
    "one": answer(item(picture(1))),
    "three": answer(item(picture(1)), item(picture(2, 61)), item(picture(3, 62))),
    "field last": answer({"size": "8x8", "b64_json": b64(picture(1))}),
    "data last": {"usage": {"n": 1}, "data": [item(picture(1))]},
    "data first": {"data": [item(picture(1))], "usage": {"n": 1}},
    "an error in a slot": answer(item(picture(1)), {"error": {"code": "x"}}, item(picture(2))),
    "urls": answer({"url": "https://h/a"}, {"b64_json": None, "url": "https://h/b"}),
    "a prompt about it": answer(
        item(picture(1), revised_prompt='draw "b64_json": "AAAA" \\ {[,:]}'), note="b64_json"
    ),
    "the same name elsewhere": answer(
        item(picture(1), layer={"b64_json": "not a picture"}),
        b64_json="top",
        usage={"b64_json": "x", "data": [{"b64_json": "deep"}]},
    ),
    "a list where a text should be": answer({"b64_json": ["AAAA"]}),
    "an object where a text should be": answer({"b64_json": {"b64_json": "AAAA"}}),
    "no pictures": {"error": {"code": "x", "message": "b64_json"}},
    "empty": {"data": []},
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("spaces", [None, 2])
def test_pictures_are_taken_out_and_the_rest_stays(name, spaces):
    body = json.loads(json.dumps(ANSWERS[name]))
    items = body.get("data", [])
    texts = [each.get("b64_json") for each in items]
    rest, saved = sift(json.dumps(body, indent=spaces).encode())
    assert saved == [base64.b64decode(text) for text in texts if isinstance(text, str)]
    assert json.loads(rest) == without(body, items)


@given(st.data())
def test_however_the_bytes_are_cut_the_pictures_and_the_rest_are_the_same(data):
    name = data.draw(st.sampled_from(sorted(ANSWERS)))
    spaces = data.draw(st.sampled_from([None, 1]))
    escape = data.draw(st.sampled_from([lambda text: text, slashed, coded]))
    body = escape(json.dumps(ANSWERS[name], indent=spaces)).encode()
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=40))
    rest, saved = sift(body, cuts)
    plain, wanted = sift(json.dumps(ANSWERS[name]).encode())
    assert saved == wanted
    assert json.loads(rest) == json.loads(plain)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
KEYS = st.sampled_from(["b64_json", "data", "url"]) | TEXTS
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(
    st.dictionaries(KEYS, VALUES) | st.fixed_dictionaries({"data": st.lists(VALUES)}),
    st.booleans(),
    st.sampled_from([None, 1]),
    st.integers(1, 40),
)
def test_any_answer_is_the_same_but_for_what_stands_in_the_place_of_a_picture(
    body, is_ascii, spaces, step
):
    text = json.dumps(body, ensure_ascii=is_ascii, indent=spaces).encode()
    rest, _ = sift(text, range(0, len(text), step))
    items = body["data"] if isinstance(body.get("data"), list) else []
    assert json.loads(rest) == without({**body, "data": items} if items else body, items)


def slashed(text):
    """Escape every slash, as PHP does."""
    return text.replace("/", "\\/")


def coded(text):
    """Write some letters as escapes, in keys and in pictures."""
    return text.replace("b64_json", "b64\\u005fjson").replace("A", "\\u0041")


@pytest.mark.parametrize("escape", [slashed, coded])
def test_a_cut_at_every_place_makes_no_difference(escape):
    plain = json.dumps(answer(item(picture(5, 20)), item(picture(6, 21))))
    body = escape(plain).encode()
    wanted = [picture(5, 20), picture(6, 21)]
    for cut in range(len(body)):
        rest, saved = sift(body, [cut])
        assert saved == wanted
        assert json.loads(rest)["data"][1] == {"b64_json": "\x001", "size": "8x8"}
    assert sift(body, range(len(body)))[1] == wanted


@given(st.binary(max_size=200), st.lists(st.integers(0, 400), max_size=10))
def test_any_bytes_come_through_as_they_are_if_there_is_no_picture(noise, cuts):
    if b"b64" not in noise:
        assert sift(noise, [cut for cut in cuts if cut <= len(noise)])[0] == noise


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("iVBORw0KGgo", "ends within"),
        ("iVBO*w0K", "no base64"),
        ("iVBO-w0_", "no base64"),
        ("", "is empty"),
        ("iVBORw==iVBO", "no base64|after its padding"),
        ("====", "no base64"),
        ("iV=O", "no base64"),
        ("iVBOé===", "no base64"),
        ("iVBO\\x00", "no base64"),
        ("PGh0bWw+", "not a result"),
    ],
)
def test_a_broken_picture_has_an_error_and_the_others_live(text, says):
    body = json.dumps(answer(item(picture(1)), {"b64_json": text}, item(picture(2)))).encode()
    for cuts in ([], range(len(body))):
        where = place()
        _, saved = sift(body, cuts, where=where)
        assert (saved[0], saved[2]) == (picture(1), picture(2))
        assert isinstance(saved[1], Malformed)
        with pytest.raises(Malformed, match=says):
            raise saved[1]
        assert len(where.files.ls(where.location)) == 2


def test_padding_that_is_cut_off_from_what_follows_is_still_the_end():
    body = json.dumps(answer({"b64_json": b64(PNG[:7]) + "AAAA"})).encode()
    for cut in range(len(body)):
        assert isinstance(sift(body, [cut])[1][0], Malformed)


def test_line_breaks_in_base64_are_no_part_of_it():
    text = base64.encodebytes(picture(1, 300)).decode()
    assert sift(json.dumps(answer({"b64_json": text})).encode())[1] == [picture(1, 300)]


def test_a_picture_without_end_is_not_saved(tmp_path):
    body = json.dumps(answer(item(picture(1)), item(picture(2)))).encode()
    with Sieve(storage(tmp_path), "image") as sieve:
        sieve.feed(body[: body.rindex(b'"size"') - 10])
        (saved,) = sieve.save()
    assert saved.path.read_bytes() == picture(1)
    assert list(tmp_path.iterdir()) == [saved.path]


def test_what_came_whole_when_the_sieve_is_left_is_saved_and_the_rest_is_gone(tmp_path):
    body = json.dumps(answer(item(picture(1)), item(picture(2)))).encode()
    with Sieve(storage(tmp_path), "image") as sieve:
        sieve.feed(body[:-40])
        assert len(list(tmp_path.iterdir())) == 2
    (saved,) = tmp_path.iterdir()
    assert saved.read_bytes() == picture(1)


def test_a_picture_over_the_limit_is_dropped_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(inline, "MAX_PICTURE_BYTES", 100)
    body = json.dumps(answer(item(picture(1, 200)), item(picture(2)))).encode()
    saved = sift(body, range(0, len(body), 16), where=storage(tmp_path))[1]
    assert isinstance(saved[0], TooLarge)
    assert saved[1] == picture(2)


def test_events_of_a_stream_bring_one_picture_each():
    lines = [
        b'event: x\ndata: {"type": "image_generation.partial_succeeded", "image_index": %d, '
        b'"b64_json": "%s", "data": [{"b64_json": "AAAA"}]}\n\n' % (n, b64(picture(n)).encode())
        for n in range(3)
    ]
    body = b": note\n\n" + b"".join(lines) + b"data: [DONE]\n\n"
    for cuts in ([], range(len(body))):
        rest, saved = sift(body, cuts, events=True)
        assert saved == [picture(0), picture(1), picture(2)]
        assert rest.count(b'"b64_json": "\\u0000') == 3
        assert rest.endswith(b"data: [DONE]\n\n")


class Full:
    """A disk that has room for *room* bytes."""

    def __init__(self, file, room):
        self._file, self._room = file, room

    def write(self, data):
        if not self._room:
            raise OSError(28, "No space left on device")
        taken = self._file.write(data[: self._room])
        self._room -= taken
        return taken

    def fileno(self):
        return self._file.fileno()

    def close(self):
        self._file.close()


@pytest.mark.parametrize("room", [0, 1, 30, 68])
def test_a_good_picture_that_cannot_be_saved_is_kept(tmp_path, monkeypatch, room):
    """It was paid for, and is nowhere else."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    where, began = place(), []

    def target(name):
        made = type(where).target(where, name)
        begin = made._begin

        def full():
            path, file = begin()
            began.append(path)
            return path, Full(file, room)

        made._begin = full
        return made

    full = type("Own", (), {"location": "x", "check": 0, "find": 0, "read": 0})()
    full.target = target
    body = json.dumps(answer(item(picture(1, 100)))).encode()
    with Sieve(full, "image") as sieve:
        for start in range(0, len(body), 9):
            sieve.feed(body[start : start + 9])
        (kept,) = sieve._pictures
        assert isinstance(kept.save(), ConfigError)
        assert kept.kept == picture(1, 100)
    assert began
    assert list(tmp_path.iterdir()) == []


def test_a_picture_whose_place_cannot_be_is_kept(tmp_path):
    (tmp_path / "file").write_text("x")
    with Sieve(storage(tmp_path / "file" / "below"), "image") as sieve:
        sieve.feed(json.dumps(answer(item(picture(1)))).encode())
        (kept,) = sieve._pictures
        assert isinstance(kept.save(), ConfigError)
        assert kept.kept == picture(1)


def test_a_picture_that_an_answer_brings_elsewhere_is_saved_too():
    where = place()
    with Sieve(where, "image") as sieve:
        found = sieve.picture(b64(picture(4)))
        assert where.read(found.save().name, 1000) == picture(4)
        assert sieve.picture(None) is None
        for text in ("\0", "\x007", "\x00" + "9" * 5000):
            assert isinstance(sieve.picture(text).save(), Malformed)
