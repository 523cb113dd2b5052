"""Doitong's two mutations and its REST path, over HTTP (gateways.md 3.4)."""

from __future__ import annotations

import httpx
import pytest

from doubao_core import (
    AmbiguousSubmit,
    AuthenticationError,
    ConfigError,
    InsufficientCredits,
    InvalidRequest,
    JobFailed,
    Malformed,
    QuotaExceeded,
    RateLimited,
    ServerError,
    UnsupportedOperation,
)
from doubao_core.gateways.doitong import dimensions
from doubao_emulator import AfterReads, Immediate
from doubao_emulator.dialects.quota import Quota

WAYS = ["doitong", "doitong-generate-image", "doitong-rest"]
CITY = "A futuristic city with flying cars and neon lights"
JOB = {"id": "abc123xyz", "status": "completed", "url": "https://cdn.doitong.com/outputs/x.jpg"}


@pytest.fixture
def client_of(make_client, emulator):
    def make(way, **options):
        return make_client(provider=way, base_url=emulator.base_url_of("doitong"), **options)

    return make


@pytest.fixture
def pending(emulator):
    """Pictures that are not done at once."""
    emulator.world.progress = AfterReads(5)
    yield
    emulator.world.progress = Immediate()


@pytest.fixture
def answered(at_gateway):
    """What comes of a given answer, as pictures or as an error."""

    def ask(body, status=200, way="doitong", **headers):
        answer = httpx.Response(status, json=body, headers=headers)
        client = at_gateway(way, lambda _: answer, max_retries=0)
        return client.create_images(model="seedream", prompt=CITY)

    return ask


def test_the_mutation_generate_has_the_printed_input(client_of, emulator):
    """R003-01, R003-03, R003-05, R003-09, R003-10: nested input, status, cost, time."""
    found = client_of("doitong").create_images(model="seedream", prompt=CITY, size="1024x1024")
    sent = emulator.requests[-1]
    assert (sent.path, sent.headers["authorization"][:7]) == ("/doitong/graphql", "Bearer ")
    assert sent.body["variables"] == {
        "input": {
            "type": "IMAGE",
            "provider": "seedream",
            "input": {"text": CITY},
            "options": {"width": 1024, "height": 1024},
        }
    }
    assert sent.body["query"].startswith("mutation Generate($input: GenerateInput!)")
    (picture,) = found.images
    assert (picture.size, picture.error) == ("1024x1024", None)
    assert picture.url.startswith("http")
    assert found.usage.raw == {"generated_images": 1, "credits": 15}
    native = found.raw["native"]["data"]["generate"]
    assert (native["id"], native["status"], native["creditCost"]) == (
        found.task_id,
        "completed",
        15,
    )
    assert isinstance(found.created, int)


def test_the_mutation_generate_image_has_the_flat_input(client_of, emulator):
    """R003-04: it asks for no status, so a picture with a URL is done."""
    found = client_of("doitong-generate-image").create_images(
        model="seedream", prompt=CITY, size="1024x1024"
    )
    sent = emulator.requests[-1]
    assert sent.path == "/doitong/graphql"
    assert sent.body["variables"] == {
        "input": {"service": "seedream", "prompt": CITY, "width": 1024, "height": 1024}
    }
    assert (found.status, found.images[0].size) == ("succeeded", "1024x1024")


def test_the_rest_path_has_the_flat_body_and_a_header_for_the_key(client_of, emulator):
    """R003-02, R003-34: ``duration`` of its answer is null."""
    found = client_of("doitong-rest").create_images(model="seedream", prompt=CITY)
    sent = emulator.requests[-1]
    assert sent.path == "/doitong/v1/text_to_image"
    assert "authorization" not in sent.headers
    assert sent.headers["x-api-key"]
    assert sent.body == {"service": "seedream", "prompt": CITY}
    assert found.raw["native"]["data"]["generateimage"]["duration"] is None
    assert found.images[0].url


@pytest.mark.parametrize("way", WAYS)
def test_a_version_is_sent_only_if_it_was_given(client_of, emulator, way):
    """R003-06, R003-07: the page speaks of version 5 and prints 4.0 as the value."""
    client = client_of(way)
    client.create_images(model="seedream", prompt=CITY)
    assert "version" not in str(emulator.requests[-1].body)
    client.create_images(model="seedream-4.0", prompt=CITY)
    assert "'version': 'seedream-4.0'" in str(emulator.requests[-1].body)


def test_quality_belongs_to_one_of_the_mutations(client_of, emulator):
    """R003-07."""
    extra = {"quality": "high"}
    client_of("doitong").create_images(model="seedream", prompt=CITY, extra_body=extra)
    assert emulator.requests[-1].body["variables"]["input"]["options"] == extra
    with pytest.raises(UnsupportedOperation, match="quality"):
        client_of("doitong-rest").create_images(model="seedream", prompt=CITY, extra_body=extra)
    assert len(emulator.requests) == 1


def test_a_webhook_goes_into_the_options_or_beside_them(client_of, emulator):
    """R003-08: the page does not say where it belongs in ``generate``."""
    url = "https://me.example/cb"
    client = client_of("doitong")
    client.create_images(model="seedream", prompt=CITY, extra_body={"webhookUrl": url})
    assert emulator.requests[-1].body["variables"]["input"]["options"] == {"webhookUrl": url}
    beside = {"input": {"webhookUrl": url}}
    client.create_images(model="seedream", prompt=CITY, extra_body=beside)
    sent = emulator.requests[-1].body["variables"]["input"]
    assert (sent["webhookUrl"], sent["options"]) == (url, {})
    for way in WAYS[1:]:
        client_of(way).create_images(model="seedream", prompt=CITY, extra_body={"webhookUrl": url})
    assert emulator.requests[-1].body["webhookUrl"] == url


@pytest.mark.parametrize(
    ("size", "pixels"),
    [
        ("1K", (1024, 1024)),
        ("2k", (2048, 2048)),
        ("1920x1080", (1920, 1080)),
        ("640 X 480", (640, 480)),
        ("1:1", (1024, 1024)),
        ("16:9", (1360, 768)),
        ("9:16", (768, 1360)),
        ("21:9", (1560, 664)),
    ],
)
def test_sizes_and_ratios_become_width_and_height(size, pixels):
    """R003-05, R003-27, R003-30: up to 2K; a ratio keeps to the price of the default size."""
    assert dimensions(size) == pixels


@pytest.mark.parametrize("size", ["4K", "huge", "16:0", "0x10", "1x2x3", ""])
def test_a_size_that_is_none_says_what_is_one(size):
    with pytest.raises(ConfigError, match="use 1K, 2K, WIDTHxHEIGHT or a ratio") as caught:
        dimensions(size)
    assert caught.value.param == "size"


@pytest.mark.parametrize("way", WAYS)
def test_a_picture_that_is_not_finished_is_a_task_that_nobody_can_ask_for(
    client_of, emulator, pending, naps, way
):
    """R003-09, R003-10: it is paid for, so its id is the answer, and no error loses it."""
    found = client_of(way).create_images(model="seedream", prompt=CITY)
    assert (found.status, bool(found.task_id)) == ("running", True)
    (picture,) = found.images
    assert picture.url is None
    assert "would cost twice" in str(picture.error)
    assert len(emulator.requests) == 1
    with pytest.raises(UnsupportedOperation, match=r"images\.get; seedance2api"):
        client_of(way).get_images(found.task_id)


@pytest.mark.parametrize("key", ["generate", "generateImage", "generateimage", "somethingElse"])
def test_the_job_is_found_under_any_of_the_names(answered, key):
    """R003-09: the page's keys and the mutations' names differ."""
    found = answered({"data": {"__typename": "Mutation", key: JOB}})
    assert (found.task_id, found.images[0].url) == (JOB["id"], JOB["url"])
    assert found.raw["native"]["data"][key] == JOB


@pytest.mark.parametrize("body", [JOB, {"data": JOB}])
def test_a_job_without_an_envelope_is_found_too(answered, body):
    assert answered(body, way="doitong-rest").images[0].url == JOB["url"]


@pytest.mark.parametrize("metadata", [{"width": 8, "height": 6}, '{"width": 8, "height": 6}'])
def test_a_size_is_read_from_the_metadata(answered, metadata):
    """R003-09: its type is not documented."""
    found = answered({"data": {"generate": {**JOB, "metadata": metadata}}})
    assert found.images[0].size == "8x6"


@pytest.mark.parametrize("metadata", [None, "high", 5, "[1]"])
def test_metadata_of_another_kind_is_passed_over(answered, metadata):
    assert answered({"data": {"generate": {**JOB, "metadata": metadata}}}).images[0].size is None


def test_completed_without_a_url_is_a_failure(answered):
    with pytest.raises(JobFailed, match="no result") as caught:
        answered({"data": {"generate": {**JOB, "url": None}}})
    assert caught.value.code == "missing_output"


def test_an_answer_without_a_job_is_ambiguous(answered):
    """It was paid for perhaps."""
    with pytest.raises(AmbiguousSubmit) as caught:
        answered({"data": {"generate": None}})
    assert isinstance(caught.value.__cause__, Malformed)


@pytest.mark.parametrize("status", [200, 402])
def test_no_credits_says_how_many_are_needed(answered, status):
    """R003-16, R003-15: GraphQL servers refuse with 200 as well."""
    error = {
        "message": "Insufficient credits for this operation",
        "extensions": {
            "code": "INSUFFICIENT_CREDITS",
            "creditsRequired": 100,
            "creditsAvailable": 50,
        },
    }
    with pytest.raises(InsufficientCredits, match="Insufficient credits") as caught:
        answered({"data": None, "errors": [error]}, status)
    failure = caught.value
    assert (failure.code, failure.status) == ("INSUFFICIENT_CREDITS", status)
    assert failure.body["extensions"]["creditsRequired"] == 100
    assert failure.body["extensions"]["creditsAvailable"] == 50


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (400, None, "Invalid parameters", InvalidRequest),
        (401, None, "Missing or invalid API key", AuthenticationError),
        (402, None, "Insufficient credits", InsufficientCredits),
        (429, None, "Rate limit exceeded", RateLimited),
        (429, None, "Daily limit reached", QuotaExceeded),
        (429, "RATE_LIMITED", "100 requests per day", QuotaExceeded),
        (200, "GRAPHQL_VALIDATION_FAILED", 'Cannot query field "x"', InvalidRequest),
        (200, "UNAUTHENTICATED", "Log in", AuthenticationError),
        (200, None, "Something else", InvalidRequest),
    ],
)
def test_every_refusal_is_one_of_our_errors(answered, status, code, message, kind):
    """R003-15."""
    error = {"message": message, "extensions": {"code": code} if code else None}
    with pytest.raises(kind) as caught:
        answered({"errors": [error]}, status)
    assert type(caught.value) is kind


def test_a_key_that_is_repeated_in_a_refusal_with_status_200_is_not_shown(answered, key):
    """R003-33."""
    with pytest.raises(AuthenticationError) as caught:
        answered({"errors": [{"message": f"bad {key}", "extensions": {"code": "UNAUTHENTICATED"}}]})
    assert key not in f"{caught.value}{caught.value.body}"


def test_a_server_error_without_a_code_may_have_been_charged(answered):
    """R003-15, R003-25: a paid request is not repeated blindly."""
    with pytest.raises(AmbiguousSubmit) as caught:
        answered({"errors": [{"message": "Internal Server Error, please retry"}]}, 500)
    assert isinstance(caught.value.__cause__, ServerError)


@pytest.mark.parametrize("way", WAYS)
def test_credits_are_used_up_over_http(client_of, emulator, way):
    """R003-16, R003-18: the balance is only told by a refusal."""
    client = client_of(way)
    for _ in range(25):
        client.create_images(model="seedream", prompt=CITY, size="2K")
    with pytest.raises(InsufficientCredits) as caught:
        client.create_images(model="seedream", prompt=CITY, size="2K")
    extensions = caught.value.body["extensions"]
    assert (extensions["creditsRequired"], extensions["creditsAvailable"]) == (40, 0)


def test_an_attempt_that_is_repeated_has_the_same_key_and_is_paid_once(client_of, emulator, naps):
    """R003-25: a refusal for the rate is repeated; two calls are two pictures."""
    client = client_of("doitong")
    with emulator.fault("rate_limit", times=1):
        first = client.create_images(model="seedream", prompt=CITY)
    second = client.create_images(model="seedream", prompt=CITY)
    keys = [each.headers["idempotency-key"] for each in emulator.requests]
    assert keys[0] == keys[1] != keys[2]
    assert first.task_id != second.task_id


def test_a_lost_answer_is_sent_once(client_of, emulator):
    """R003-25."""
    with emulator.fault("lost_answer"), pytest.raises(AmbiguousSubmit):
        client_of("doitong").create_images(model="seedream", prompt=CITY)
    assert len(emulator.requests) == 1


def test_the_rate_headers_are_in_the_answer(client_of, emulator):
    """R003-24."""
    found = client_of("doitong").create_images(model="seedream", prompt=CITY)
    assert (found.raw["rate"]["limit"], found.raw["rate"]["remaining"]) == (30, 29)
    assert found.raw["rate"]["reset"] > 1_700_000_000


def test_a_refusal_waits_for_the_end_of_the_window(at_gateway, naps):
    """R003-24: whose unit is not documented; a small number is taken for seconds."""
    answers = [
        httpx.Response(429, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "12"}),
        httpx.Response(200, json={"data": {"generate": JOB}}),
    ]
    client = at_gateway("doitong", lambda _: answers.pop(0))
    assert client.create_images(model="seedream", prompt=CITY).images[0].url
    assert naps == [12.0]


def test_a_refusal_for_the_rate_with_status_200_waits_as_it_says(client_of, emulator, naps):
    """R003-24: the emulator's GraphQL refuses so; a picture is asked for again and made once."""
    with emulator.fault("rate_limit", times=1, retry_after=7):
        made = client_of("doitong").create_images(model="seedream", prompt=CITY)
    assert (bool(made.images[0].url), naps) == (True, [7.0])


def test_a_window_that_is_used_up_with_status_200_is_waited_out(client_of, emulator, naps):
    """R003-24: until ``X-RateLimit-Reset``, as after a 429."""
    emulator.world.table(Quota)["doitong"] = Quota(requests=1, window=100)
    client = client_of("doitong", max_retries=1)
    client.create_images(model="seedream", prompt=CITY)
    with pytest.raises(RateLimited) as caught:
        client.create_images(model="seedream", prompt=CITY)
    assert (caught.value.status, caught.value.code) == (200, "RATE_LIMITED")
    # What a pause without a hint would be is far below.
    assert len(naps) == 1
    assert 10 < naps[0] <= 101


@pytest.mark.parametrize("code", ["RATE_LIMITED", "TOO_MANY_REQUESTS", "THROTTLED"])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-RateLimit-Reset": "12"}, 12),
        ({"Retry-After": "3", "X-RateLimit-Reset": "12"}, 3),
        ({}, None),
    ],
)
def test_a_rate_code_under_200_has_the_pause_of_a_429(answered, code, headers, seconds):
    """R003-24, R003-15."""
    with pytest.raises(RateLimited) as caught:
        answered({"errors": [{"message": "Slow down", "extensions": {"code": code}}]}, **headers)
    assert (caught.value.status, caught.value.retry_after) == (200, seconds)


def test_the_same_headers_beside_another_refusal_say_nothing(answered):
    """R003-24: they stand on every answer."""
    error = {"message": "Too few", "extensions": {"code": "INSUFFICIENT_CREDITS"}}
    with pytest.raises(InsufficientCredits) as caught:
        answered({"errors": [error]}, **{"X-RateLimit-Reset": "12"})
    assert caught.value.retry_after is None
