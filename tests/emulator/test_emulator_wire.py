"""Pure parts: reading fields, identifiers, progress, faults, tokens."""

import re

import pytest

from doubao_emulator import AfterReads, AfterSeconds, Immediate, ManualClock, tokens
from doubao_emulator.errors import ArkError, sensitive_content
from doubao_emulator.faults import Faults
from doubao_emulator.ids import Ids
from doubao_emulator.progress import Phase
from doubao_emulator.state import MOST_BYTES, RecordedRequest, World
from doubao_emulator.wire import Fields, encode


def refusal(read, *args, **kwargs):
    with pytest.raises(ArkError) as caught:
        read(*args, **kwargs)
    return caught.value


class TestFields:
    def test_null_is_absent_for_every_reader(self):
        fields = Fields({"a": None})
        readers = ("string", "boolean", "integer", "number", "object", "array", "objects", "get")
        assert [getattr(fields, reader)("a") for reader in readers] == [None] * len(readers)
        assert not fields.has("a")

    def test_values_of_the_right_type_are_returned(self):
        fields = Fields({"s": "x", "b": False, "i": 3, "n": 2, "o": {"k": 1}, "l": [{"k": 2}]})
        assert fields.string("s") == "x"
        assert fields.boolean("b") is False
        assert fields.integer("i") == 3
        assert fields.number("n") == 2.0
        assert fields.object("o").integer("k") == 1
        assert fields.objects("l")[0].integer("k") == 2

    @pytest.mark.parametrize(
        ("reader", "value"),
        [
            ("string", 1),
            ("boolean", 1),
            ("boolean", "true"),
            ("integer", True),
            ("integer", 1.0),
            ("integer", "1"),
            ("number", True),
            ("number", "1"),
            ("object", []),
            ("array", {}),
            ("array", "abc"),
            ("objects", [1]),
        ],
    )
    def test_a_wrong_type_is_refused_with_its_path(self, reader, value):
        error = refusal(getattr(Fields({"x": value}, "outer"), reader), "x")
        assert (error.status, error.code) == (400, "InvalidParameter")
        assert error.param.startswith("outer.x")

    @pytest.mark.parametrize("value", [0, 6])
    def test_a_number_outside_its_range_is_refused(self, value):
        assert "[1, 5]" in refusal(Fields({"x": value}).integer, "x", low=1, high=5).message
        assert refusal(Fields({"x": float(value)}).number, "x", low=1, high=5).param == "x"

    @pytest.mark.parametrize("value", [1, 5])
    def test_the_ends_of_a_range_belong_to_it(self, value):
        assert Fields({"x": value}).integer("x", low=1, high=5) == value

    def test_a_choice_outside_the_list_is_refused(self):
        error = refusal(Fields({"x": "c"}).string, "x", choices=("a", "b"))
        assert "`a`, `b`" in error.message

    def test_a_missing_required_field_has_its_own_code(self):
        for fields in (Fields({}), Fields({"x": None}), Fields({"x": ""})):
            error = refusal(fields.required_string, "x")
            assert error.code == "MissingParameter"
            assert error.message == "The request failed because it is missing `x` parameter."
        assert refusal(Fields({}).required_object, "o").code == "MissingParameter"

    def test_paths_grow_with_nesting(self):
        fields = Fields({"messages": [{"content": [{"type": 7}]}]})
        part = fields.objects("messages")[0].objects("content")[0]
        assert refusal(part.string, "type").param == "messages[0].content[0].type"

    def test_encoding_is_compact_utf8(self):
        assert encode({"a": ["灯", 1]}) == '{"a":["灯",1]}'.encode()


class TestErrors:
    def test_the_body_ends_with_the_request_id(self):
        error = ArkError(status=409, code="C", message="No.")
        assert error.body("02x") == {
            "error": {
                "code": "C",
                "message": "No. Request id: 02x",
                "param": "",
                "type": "Conflict",
            }
        }
        assert error.nested("02x") == {"code": "C", "message": "No. Request id: 02x"}

    def test_a_type_may_differ_from_the_status(self):
        error = ArkError(status=401, code="InvalidAccountStatus", message="No.", type="Forbidden")
        assert error.body("x")["error"]["type"] == "Forbidden"

    def test_moderation_names_side_and_kind(self):
        assert "the input text" in sensitive_content("InputTextSensitiveContentDetected").message
        assert (
            "the output video" in sensitive_content("OutputVideoSensitiveContentDetected").message
        )


class TestIds:
    def test_formats_are_arks(self):
        ids = Ids(ManualClock(1_784_282_184.5))
        assert re.fullmatch(r"021784282184500[0-9a-f]{38}", ids.request())
        assert re.fullmatch(r"call_[a-z0-9]{24}", ids.tool_call())
        # 09:56:24 UTC is 17:56:24 in Beijing.
        assert re.fullmatch(r"cgt-20260717175624-[a-z0-9]{5}", ids.task())
        assert re.fullmatch(r"file-20260717175624-[a-z0-9]{5}", ids.file())
        assert re.fullmatch(r"unknown-20260717175624-[a-z0-9]{8}", ids.client_request())

    def test_the_same_calls_give_the_same_ids(self):
        first, second = Ids(ManualClock()), Ids(ManualClock())
        drawn = [(i.request(), i.task(), i.token(), i.number(1000)) for i in (first, second)]
        assert drawn[0] == drawn[1]

    def test_ids_do_not_repeat(self):
        ids = Ids(ManualClock())
        assert len({ids.task() for _ in range(100)}) == 100


class TestProgress:
    def test_immediate_is_done_at_once(self):
        assert Immediate().phase(reads=0, age=0) is Phase.DONE

    def test_reads_pass_through_queued_and_running(self):
        seen = [AfterReads(3).phase(reads=reads, age=0) for reads in range(4)]
        assert seen == [Phase.QUEUED, Phase.RUNNING, Phase.RUNNING, Phase.DONE]

    def test_seconds_pass_through_queued_and_running(self):
        seen = [AfterSeconds(3).phase(reads=0, age=age) for age in (0, 0.9, 1, 2.9, 3)]
        assert seen == [Phase.QUEUED, Phase.QUEUED, Phase.RUNNING, Phase.RUNNING, Phase.DONE]

    def test_a_manual_clock_moves_only_when_told(self):
        clock = ManualClock(10)
        clock.advance(2.5)
        assert clock.now() == 12.5
        with pytest.raises(ValueError, match="cannot go back"):
            clock.advance(-1)


class TestFaults:
    def test_a_fault_strikes_only_so_often(self):
        faults = Faults()
        faults.arm("quota", times=2)
        assert [faults.take("quota", "/x") for _ in range(3)] == [{}, {}, None]

    def test_a_fault_strikes_only_its_path(self):
        faults = Faults()
        faults.arm("quota", path="/images")
        assert faults.take("quota", "/api/v3/chat") is None
        assert faults.take("quota", "/api/v3/images/generations") == {}

    def test_downloads_are_struck_only_when_named(self):
        faults = Faults()
        faults.arm("server_error")
        assert faults.take("server_error", "/media/x.png") is None
        faults.arm("server_error", path="/media/", status=502)
        assert faults.take("server_error", "/media/x.png") == {"status": 502}

    def test_disarming_removes_one_of_two_equal_faults(self):
        faults = Faults()
        first = faults.arm("quota")
        faults.arm("quota")
        faults.disarm(first)
        faults.disarm(first)
        assert faults.take("quota", "/x") == {}

    @pytest.mark.parametrize(
        ("name", "arguments", "sentence"),
        [
            ("fire", {}, "No fault is called 'fire'"),
            ("quota", {"retry_after": 1}, "does not take"),
            ("quota", {"times": 0}, "0 times"),
        ],
    )
    def test_nonsense_is_refused(self, name, arguments, sentence):
        with pytest.raises(ValueError, match=sentence):
            Faults().arm(name, **arguments)


class TestWorld:
    def test_tables_are_kept_by_kind_and_forgotten_on_reset(self):
        world = World()
        world.table(str)["a"] = "x"
        assert world.table(str) == {"a": "x"}
        assert world.table(int) == {}
        world.reset()
        assert world.table(str) == {}

    def test_old_requests_are_forgotten_beyond_a_bound(self):
        world = World()
        for number in range(256):
            world.record(
                RecordedRequest(
                    method="GET",
                    path=str(number),
                    query="",
                    headers={},
                    body=None,
                    size=MOST_BYTES // 100,
                    time=0,
                )
            )
        assert world.requests[-1].path == "255"
        assert len(world.requests) == 100


class TestTokens:
    @pytest.mark.parametrize(
        "text", ["", "Hello, world!  2026 was\n\nfine.", "灯塔高约100米。🎉", "\t \x00é"]
    )
    def test_tokens_cover_the_text_without_gaps(self, text):
        spans = list(tokens.pieces(text))
        assert "".join(text[start:end] for start, end in spans) == text
        assert [start for start, _ in spans[1:]] == [end for _, end in spans[:-1]]
        assert tokens.count(text) == len(spans) == len(tokens.split(text))

    def test_chinese_costs_about_a_token_per_character(self):
        assert tokens.count("灯塔高约一百米") == 7

    def test_english_costs_about_a_token_per_word(self):
        assert tokens.count("The lighthouse was very tall indeed") == 6

    def test_cutting_counts_tokens(self):
        assert tokens.cut("one two three", 2) == "one two"

    def test_ids_are_stable_and_in_the_vocabulary(self):
        assert tokens.token_id("tide") == tokens.token_id("tide") != tokens.token_id("tides")
        assert 0 <= tokens.token_id("\ud800") < 151_000
