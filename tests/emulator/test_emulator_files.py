"""Files: upload, life, listing (ark.md 9)."""

import httpx
import pytest

from doubao_emulator import AfterReads

KEY = {"Authorization": "Bearer k"}
DAY = 86_400


@pytest.fixture
def client(server):
    server.world.progress = AfterReads(1)
    with httpx.Client(base_url=server.base_url, headers=KEY) as client:
        yield client


def upload(client, name="a.pdf", content=b"%PDF-1.4", **fields):
    data = {"purpose": "user_data", **fields}
    return client.post("/files", files={"file": (name, content)}, data=data)


def test_a_file_is_processing_until_it_was_looked_at(server, client):
    created = upload(client).json()
    now = int(server.world.clock.now())
    assert created == {
        "object": "file",
        "id": created["id"],
        "purpose": "user_data",
        "filename": "a.pdf",
        "bytes": 8,
        "mime_type": "application/pdf",
        "created_at": now,
        "expire_at": now + 7 * DAY,
        "status": "processing",
    }
    statuses = [client.get(f"/files/{created['id']}").json()["status"] for _ in range(2)]
    assert statuses == ["processing", "active"]


def test_a_file_that_is_not_active_cannot_be_used(client):
    identifier = upload(client).json()["id"]
    body = {
        "model": "doubao-seed-2-1-pro-260915",
        "messages": [
            {
                "role": "user",
                "content": [{"type": "file", "file": {"file_id": identifier}}],
            }
        ],
    }
    refused = client.post("/chat/completions", json=body)
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "OperationDenied.InvalidState"
    client.get(f"/files/{identifier}")
    assert client.post("/chat/completions", json=body).status_code == 200


def test_video_options_are_echoed(client):
    options = {
        "preprocess_configs[video][fps]": "0.3",
        "preprocess_configs[video][model]": "doubao-seed-2-1-pro-260915",
        "preprocess_configs[video][max_video_tokens]": "20000",
    }
    assert upload(client, "v.mp4", **options).json()["preprocess_configs"] == {
        "video": {"fps": 0.3, "model": "doubao-seed-2-1-pro-260915", "max_video_tokens": 20_000}
    }


def test_a_file_may_be_given_by_link(client):
    data = {"purpose": "user_data", "url": "https://example.com/d/v.mp4?x=1"}
    created = client.post("/files", data=data).json()
    assert (created["filename"], created["mime_type"]) == ("v.mp4", "video/mp4")


def test_a_file_expires(server, client):
    identifier = upload(client).json()["id"]
    server.world.clock.advance(7 * DAY)
    answer = client.get(f"/files/{identifier}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NotFound.File")
    assert client.get("/files").json()["data"] == []


def test_files_are_listed_in_pages_newest_first(client):
    ids = [upload(client, f"{number}.txt").json()["id"] for number in range(3)]
    first = client.get("/files", params={"limit": 2}).json()
    assert [entry["id"] for entry in first["data"]] == [ids[2], ids[1]]
    assert (first["object"], first["has_more"]) == ("list", True)
    assert (first["first_id"], first["last_id"]) == (ids[2], ids[1])
    rest = client.get("/files", params={"limit": 2, "after": first["last_id"]}).json()
    assert [entry["id"] for entry in rest["data"]] == [ids[0]]
    assert rest["has_more"] is False
    ascending = client.get("/files", params={"order": "asc"}).json()
    assert [entry["id"] for entry in ascending["data"]] == ids


def test_files_are_listed_by_purpose(client):
    upload(client)
    agent = upload(client, purpose="agent").json()["id"]
    listed = client.get("/files", params={"purpose": "agent"}).json()
    assert [entry["id"] for entry in listed["data"]] == [agent]


def test_a_deleted_file_is_gone(client):
    identifier = upload(client).json()["id"]
    # The SDK sends the body `{}` with a DELETE (ark.md 1.5).
    deleted = client.request("DELETE", f"/files/{identifier}", json={})
    assert deleted.json() == {"id": identifier, "object": "file", "deleted": True}
    assert client.delete(f"/files/{identifier}").status_code == 404


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"purpose": ""}, "MissingParameter", "purpose"),
        ({"purpose": "fine-tune"}, "InvalidParameter", "purpose"),
        ({"url": "https://example.com/a"}, "InvalidParameter", "file"),
        ({"expire_at": "1790000001"}, "InvalidParameter", "expire_at"),
        ({"expire_at": "soon"}, "InvalidParameter", "expire_at"),
        (
            {"preprocess_configs[video][fps]": "6"},
            "InvalidParameter",
            "preprocess_configs.video.fps",
        ),
    ],
)
def test_a_wrong_upload_is_refused(client, fields, code, param):
    answer = upload(client, **fields)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, param)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "MissingParameter"),
        ("ftp://example.com/a", "InvalidParameter"),
        ("tos://bucket", "InvalidParameter.TosURLInvalid"),
        ("tos://bucket/key", "MissingParameter"),
    ],
)
def test_a_wrong_link_is_refused(client, url, code):
    answer = client.post("/files", data={"purpose": "user_data", "url": url})
    assert answer.json()["error"]["code"] == code


def test_a_body_that_is_no_form_is_refused(client):
    answer = client.post(
        "/files", content=b"garbage", headers={"Content-Type": "multipart/form-data"}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "InvalidParameter"


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 101}, {"limit": "x"}, {"order": "up"}])
def test_a_wrong_listing_is_refused(client, params):
    assert client.get("/files", params=params).status_code == 400


def test_byteplus_knows_one_purpose_only(server):
    url = f"{server.byteplus_base_url}/files"
    answers = [
        httpx.post(url, files={"file": b"x"}, data={"purpose": purpose}, headers=KEY).status_code
        for purpose in ("user_data", "agent")
    ]
    assert answers == [200, 400]


def test_byteplus_has_no_tokenization(server):
    body = {"model": "seed-2-0-pro-260328", "text": "x"}
    answer = httpx.post(f"{server.byteplus_base_url}/tokenization", json=body, headers=KEY)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"text": "x"}, "MissingParameter"),
        ({"model": "doubao-seed-2-0-pro-260215"}, "MissingParameter"),
        ({"model": "doubao-seed-2-0-pro-260215", "text": [1]}, "InvalidParameter"),
        ({"model": "nope", "text": "x"}, "InvalidEndpointOrModel.NotFound"),
    ],
)
def test_a_wrong_tokenization_is_refused(client, body, code):
    assert client.post("/tokenization", json=body).json()["error"]["code"] == code


def test_tokens_count_as_chat_usage_does(client):
    model, text = "doubao-seed-2-0-pro-260215", "The lighthouse was 100 metres tall. 灯塔"
    counted = client.post("/tokenization", json={"model": model, "text": text}).json()["data"][0]
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    used = client.post("/chat/completions", json=body).json()["usage"]["prompt_tokens"]
    # A message costs four tokens besides its text.
    assert used == counted["total_tokens"] + 4
    assert len(counted["token_ids"]) == len(counted["offset_mapping"]) == counted["total_tokens"]
