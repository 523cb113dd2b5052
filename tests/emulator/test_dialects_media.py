"""The picture and film dialects of the emulator: what seeds 002, 003 and 004 print."""

import io

import httpx
import pytest
from PIL import Image

from doubao_emulator import AfterReads, Immediate
from doubao_emulator.dialects.quota import Quota

KEY = {"Authorization": "Bearer k"}
OWN_KEY = {"X-API-Key": "k"}
TASKS = "/contents/generations/tasks"
GENERATE = (
    "mutation Generate($input: GenerateInput!) { generate(input: $input) "
    "{ id status type provider url metadata creditCost } }"
)
GENERATE_IMAGE = """
    mutation GenerateImage($input: ImageGenerationInput!) {
        generateImage(input: $input) {
          id
          url
          width
          height
        }
      }
"""
NESTED = {"type": "IMAGE", "provider": "seedream", "input": {"text": "tea"}}
FLAT = {"service": "seedream", "prompt": "tea"}


@pytest.fixture
def slowly(emulator):
    """Tasks that are queued, then running, then done, one step for each look."""
    emulator.world.progress = AfterReads(2)
    yield
    emulator.world.progress = Immediate()


# Agentsflare


def flare(emulator, method, path, headers=KEY, **body):
    url = emulator.base_url_of("agentsflare") + path
    return httpx.request(method, url, json=body or None, headers=headers)


def test_agentsflare_makes_and_shows_a_task_as_byteplus_does(emulator):
    asked = {"model": "seedance-1-0-pro-250528", "content": [{"type": "text", "text": "tea"}]}
    made = flare(emulator, "POST", TASKS, **asked).json()
    assert made.keys() == {"id"}
    shown = flare(emulator, "GET", f"{TASKS}/{made['id']}").json()
    assert shown["status"] == "succeeded"
    assert {"content", "usage", "seed", "ratio", "framespersecond", "draft"} <= shown.keys()


def test_agentsflare_knows_the_upstreams_models_only(emulator):
    asked = {"model": "doubao-seedance-1-0-pro-250528", "content": [{"type": "text", "text": "t"}]}
    answer = flare(emulator, "POST", TASKS, **asked)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "InvalidEndpointOrModel.NotFound"


def test_agentsflare_refuses_in_its_own_words(emulator):
    unknown_key = flare(emulator, "GET", f"{TASKS}/cgt-1", headers={})
    assert unknown_key.json() == {"statusCode": 404, "message": "Key not found"}
    unknown_path = flare(emulator, "GET", TASKS)
    assert unknown_path.status_code == 404
    assert unknown_path.json() == {
        "message": f"Cannot GET {TASKS}",
        "error": "Not Found",
        "statusCode": 404,
    }
    with emulator.fault("quota"):
        broke = flare(emulator, "GET", f"{TASKS}/cgt-1")
    assert (broke.status_code, "balance" in broke.json()["message"]) == (429, True)
    with emulator.fault("rate_limit"):
        busy = flare(emulator, "GET", f"{TASKS}/cgt-1")
    assert (busy.status_code, "balance" in busy.json()["message"]) == (429, False)


# Anyfast


def test_anyfast_wraps_a_task_and_copies_the_link_of_a_success(emulator, slowly):
    base = f"{emulator.base_url_of('anyfast')}/v1/video/generations"
    asked = {
        "model": "doubao-seedance-1-0-pro-250528",
        "content": [{"type": "text", "text": "tea"}],
    }
    made = httpx.post(base, json=asked, headers=KEY).json()
    assert (made["status"], made["progress"], made["object"]) == ("", 0, "video")
    assert made["id"] == made["task_id"]
    seen = [httpx.get(f"{base}/{made['id']}", headers=KEY).json() for _ in range(3)]
    assert {each["code"] for each in seen} == {"success"}
    tasks = [each["data"] for each in seen]
    assert [(each["status"], each["progress"]) for each in tasks] == [
        ("QUEUED", "0%"),
        ("IN_PROGRESS", "50%"),
        ("SUCCESS", "100%"),
    ]
    assert [each["data"]["status"] for each in tasks] == ["queued", "running", "succeeded"]
    assert tasks[0]["finish_time"] == tasks[0]["start_time"] == 0
    assert tasks[2]["result_url"] == tasks[2]["fail_reason"] != ""


def test_anyfast_says_why_a_task_failed(emulator):
    base = f"{emulator.base_url_of('anyfast')}/v1/video/generations"
    asked = {
        "model": "doubao-seedance-1-0-pro-250528",
        "content": [{"type": "text", "text": "tea"}],
    }
    with emulator.fault("task_failed", message="Too dark."):
        made = httpx.post(base, json=asked, headers=KEY).json()
    task = httpx.get(f"{base}/{made['id']}", headers=KEY).json()["data"]
    assert (task["status"], task["result_url"]) == ("FAILURE", "")
    assert task["fail_reason"].startswith("Too dark.")


# Doitong


def graphql(emulator, query, headers=KEY, **asked):
    body = {"query": query, "variables": {"input": asked}}
    return httpx.post(f"{emulator.base_url_of('doitong')}/graphql", json=body, headers=headers)


def rest(emulator, headers=OWN_KEY, **asked):
    url = f"{emulator.base_url_of('doitong')}/v1/text_to_image"
    return httpx.post(url, json=asked, headers=headers)


def test_a_mutation_answers_with_what_it_selects(emulator):
    options = {"width": 512, "height": 512}
    made = graphql(emulator, GENERATE, **NESTED, options=options).json()["data"]["generate"]
    assert list(made) == ["id", "status", "type", "provider", "url", "metadata", "creditCost"]
    assert (made["status"], made["creditCost"]) == ("completed", 15)
    with Image.open(io.BytesIO(httpx.get(made["url"]).content)) as picture:
        assert picture.size == (512, 512)
    made = graphql(emulator, GENERATE_IMAGE, **FLAT).json()["data"]["generateImage"]
    assert list(made) == ["id", "url", "width", "height"]
    assert (made["width"], made["height"]) == (1024, 1024)


def test_rest_answers_under_the_pages_name(emulator):
    made = rest(emulator, **FLAT).json()["data"]["generateimage"]
    assert made.keys() == {"id", "status", "url", "duration", "createdAt"}
    assert made["duration"] is None


def test_a_picture_that_is_not_done_has_no_url(emulator, slowly):
    made = rest(emulator, **FLAT, webhookUrl="https://me.example/cb").json()["data"]
    assert made["generateimage"]["status"] == "processing"
    assert made["generateimage"]["url"] is None
    assert made["generateimage"]["webhookUrl"] == "https://me.example/cb"


@pytest.mark.parametrize(
    ("query", "asked", "code"),
    [
        ("{ me { id } }", NESTED, "GRAPHQL_PARSE_FAILED"),
        (GENERATE.replace("creditCost", "price"), NESTED, "GRAPHQL_VALIDATION_FAILED"),
        (GENERATE.replace("GenerateInput", "Other"), NESTED, "GRAPHQL_VALIDATION_FAILED"),
        (GENERATE.replace(" generate(", " paint("), NESTED, "GRAPHQL_VALIDATION_FAILED"),
        (GENERATE, {**NESTED, "type": "VIDEO"}, "BAD_USER_INPUT"),
        (GENERATE, {**NESTED, "options": {"count": 2}}, "BAD_USER_INPUT"),
        (GENERATE, {**NESTED, "options": {"version": "seedream-5.0"}}, "BAD_USER_INPUT"),
        (GENERATE, {**NESTED, "options": {"width": "1024"}}, "BAD_USER_INPUT"),
        (GENERATE_IMAGE, {**FLAT, "quality": "high"}, "BAD_USER_INPUT"),
        (GENERATE_IMAGE, {**FLAT, "prompt": ""}, "BAD_USER_INPUT"),
        (GENERATE_IMAGE, {"prompt": "tea"}, "BAD_USER_INPUT"),
    ],
)
def test_a_query_that_the_page_does_not_show_is_refused(emulator, query, asked, code):
    (error,) = graphql(emulator, query, **asked).json()["errors"]
    assert error["extensions"]["code"] == code


def test_each_path_wants_its_own_header(emulator):
    assert graphql(emulator, GENERATE, headers=OWN_KEY, **NESTED).status_code == 401
    refused = rest(emulator, headers=KEY, **FLAT)
    assert refused.status_code == 401
    assert refused.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


def test_credits_are_used_up_once_for_each_idempotency_key(emulator):
    emulator.world.table(Quota)["doitong"] = Quota(requests=100, window=60)
    large = {**FLAT, "width": 2048, "height": 2048}
    for _ in range(30):
        headers = {**OWN_KEY, "Idempotency-Key": "same"}
        assert rest(emulator, headers=headers, **large).status_code == 200
    for _ in range(24):
        assert rest(emulator, **large).status_code == 200
    broke = rest(emulator, **large)
    assert broke.status_code == 402
    assert broke.json()["errors"][0]["extensions"] == {
        "code": "INSUFFICIENT_CREDITS",
        "creditsRequired": 40,
        "creditsAvailable": 0,
    }
    nested = {**NESTED, "options": {"width": 2048, "height": 2048}}
    assert graphql(emulator, GENERATE, **nested).status_code == 200
    assert "errors" in graphql(emulator, GENERATE, **nested).json()


def test_an_emulated_quota_is_a_lack_of_credits(emulator):
    with emulator.fault("quota"):
        assert rest(emulator, **FLAT).status_code == 402
        refused = graphql(emulator, GENERATE, **NESTED)
    assert refused.status_code == 200
    assert refused.json()["errors"][0]["extensions"]["code"] == "INSUFFICIENT_CREDITS"


def test_the_rate_headers_count_down(emulator):
    left = [rest(emulator, **FLAT).headers["x-ratelimit-remaining"] for _ in range(2)]
    assert left == ["29", "28"]


@pytest.mark.parametrize(
    ("ask", "status"),
    [
        (lambda emulator: graphql(emulator, GENERATE, **NESTED), 200),
        (lambda emulator: rest(emulator, **FLAT), 429),
    ],
)
def test_graphql_refuses_for_the_rate_under_200(emulator, ask, status):
    with emulator.fault("rate_limit", retry_after=7):
        refused = ask(emulator)
    assert (refused.status_code, refused.headers["retry-after"]) == (status, "7")
    assert refused.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"


STATUS = "query Job($id: ID!) { checkJobStatus(id: $id) { id status url error } }"


def test_the_assumed_query_tells_a_picture_from_its_start_to_its_end(emulator, slowly):
    made = graphql(emulator, GENERATE, **NESTED).json()["data"]["generate"]
    url = f"{emulator.base_url_of('doitong')}/graphql"

    def look(picture_id, query=STATUS):
        body = {"query": query, "variables": {"id": picture_id}}
        answer = httpx.post(url, json=body, headers=KEY)
        assert answer.status_code == 200
        return answer.json()

    looks = [look(made["id"])["data"]["checkJobStatus"] for _ in range(3)]
    assert [each["status"] for each in looks] == ["processing", "processing", "completed"]
    assert [bool(each["url"]) for each in looks] == [False, False, True]
    assert {each["id"] for each in looks} == {made["id"]}
    (error,) = look("another")["errors"]
    assert error["extensions"]["code"] == "NOT_FOUND"
    (error,) = look(made["id"], STATUS.replace("error", "mood"))["errors"]
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


# seedance2api


def seedance(emulator, method, path, headers=KEY, **body):
    url = emulator.base_url_of("seedance2api") + path
    return httpx.request(method, url, json=body or None, headers=headers)


def test_a_picture_comes_at_once_in_an_envelope(emulator):
    asked = {"prompt": "tea", "model": "seedream-4.5", "resolution": "4k", "num_images": 2}
    answer = seedance(emulator, "POST", "/v1/seedream/generate", **asked)
    body = answer.json()
    assert body["status"] == "success"
    assert body["data"].keys() == {
        *("task_id", "images", "model", "resolution", "processing_time_ms"),
    }
    assert [list(each) for each in body["data"]["images"]] == [
        ["id", "url", "width", "height", "format", "size_bytes"]
    ] * 2
    with Image.open(io.BytesIO(httpx.get(body["data"]["images"][0]["url"]).content)) as picture:
        assert (picture.size, picture.format) == ((2048, 2048), "PNG")
    assert answer.headers["x-ratelimit-retryafter"] == "3600"


def test_a_film_is_a_task_whose_result_is_elsewhere(emulator, slowly):
    asked = {"prompt": "tea", "model": "seedance-2.0", "duration": 5}
    made = seedance(emulator, "POST", "/v1/seedance/generate", **asked).json()
    assert made["status"] == "accepted"
    data = made["data"]
    assert data["check_status_url"] == f"/v1/tasks/{data['task_id']}"
    early = seedance(emulator, "GET", f"/v1/results/{data['task_id']}")
    assert early.status_code == 404
    seen = [seedance(emulator, "GET", data["check_status_url"]).json() for _ in range(3)]
    assert [(each["status"], each["progress"]) for each in seen] == [
        ("queued", 0),
        ("processing", 45),
        ("completed", 100),
    ]
    assert all("result" not in each for each in seen)
    result = seedance(emulator, "GET", f"/v1/results/{data['task_id']}").json()
    assert result["result"].keys() == {"video_url", "duration", "resolution"}
    assert result["completed_at"].endswith("Z")


def test_a_failed_task_has_an_error_message(emulator):
    asked = {"prompt": "tea", "model": "seedance-2.0", "duration": 5}
    with emulator.fault("task_failed", message="Too dark."):
        made = seedance(emulator, "POST", "/v1/seedance/generate", **asked).json()
    task = seedance(emulator, "GET", f"/v1/tasks/{made['data']['task_id']}").json()
    assert (task["status"], task["error_message"]) == ("failed", "Too dark.")


@pytest.mark.parametrize(
    ("path", "change", "field", "constraint"),
    [
        ("seedream", {"model": "seedream-9"}, "model", "choices"),
        ("seedream", {"num_images": 5}, "num_images", "choices"),
        ("seedream", {"quality": "best"}, "quality", "choices"),
        ("seedream", {"seed": "1"}, "seed", "type"),
        ("seedream", {"watermark": False}, "watermark", "unknown"),
        ("seedream", {"prompt": ""}, "prompt", "required"),
        ("seedance", {"duration": 31}, "duration", "choices"),
        ("seedance", {"fps": 25}, "fps", "choices"),
        ("seedance", {"content": []}, "content", "unknown"),
        ("seedance", {"duration": None}, "duration", "required"),
    ],
)
def test_what_no_table_has_is_refused_by_field(emulator, path, change, field, constraint):
    model = {"seedream": "seedream-4.5", "seedance": "seedance-2.0"}[path]
    asked = {"prompt": "tea", "model": model, **({"duration": 5} if path == "seedance" else {})}
    answer = seedance(emulator, "POST", f"/v1/{path}/generate", **{**asked, **change})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "INVALID_REQUEST"
    assert (error["details"]["field"], error["details"]["constraint"]) == (field, constraint)


def test_a_result_may_be_late_although_its_task_has_ended(emulator):
    asked = {"prompt": "tea", "model": "seedance-2.0", "duration": 5}
    made = seedance(emulator, "POST", "/v1/seedance/generate", **asked).json()["data"]["task_id"]
    assert seedance(emulator, "GET", f"/v1/tasks/{made}").json()["status"] == "completed"
    with emulator.fault("result_lag", times=1):
        late = seedance(emulator, "GET", f"/v1/results/{made}")
    assert (late.status_code, late.json()["error"]["code"]) == (404, "NOT_FOUND")
    assert seedance(emulator, "GET", f"/v1/results/{made}").json()["result"]["video_url"]


def test_a_long_prompt_is_refused_as_it_is_printed(emulator):
    asked = {"prompt": "p" * 301, "model": "seedream-4.5"}
    error = seedance(emulator, "POST", "/v1/seedream/generate", **asked).json()["error"]
    assert (error["code"], error["details"]["limit"]) == ("INVALID_PROMPT", 300)


@pytest.mark.parametrize("headers", [KEY, OWN_KEY])
def test_either_header_opens_the_door(emulator, headers):
    assert seedance(emulator, "GET", "/v1/tasks/t", headers=headers).status_code == 404


def test_no_key_is_the_printed_refusal(emulator):
    answer = seedance(emulator, "GET", "/v1/tasks/t", headers={})
    assert answer.status_code == 401
    assert (answer.json()["status"], answer.json()["error"]["code"]) == (
        "error",
        "INVALID_API_KEY",
    )


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [("rate_limit", 429, "RATE_LIMITED"), ("server_error", 500, "INTERNAL_ERROR")],
)
def test_a_fault_has_the_code_of_its_table(emulator, fault, status, code):
    with emulator.fault(fault):
        answer = seedance(emulator, "GET", "/v1/tasks/t")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_reset_forgets_tasks_and_credits(emulator):
    rest(emulator, **FLAT)
    emulator.reset()
    assert rest(emulator, **FLAT).headers["x-ratelimit-remaining"] == "29"
