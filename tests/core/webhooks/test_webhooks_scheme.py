"""What a delivery proves: pure functions of headers, bytes and time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from pydantic import SecretStr

from doubao_core import ConfigError
from doubao_core.gateways import Webhook, gateway
from doubao_core.webhooks import Proof, Refused, Signed, Unsigned, callback_url, new_token
from doubao_core.webhooks.reading import task_of

SECRET = "whsec-3f9a1c77d2"
BODY = json.dumps({"id": "cgt-1", "status": "succeeded", "model": "m"}).encode()
NOW = 1_790_000_000.0


def digest(content=BODY, secret=SECRET, algorithm="sha256"):
    return hmac.new(secret.encode(), content, algorithm).digest()


SETTINGS = {"secret": SECRET, "header": "X-Signature"}
PLAIN = Signed(**SETTINGS, signs="body", prefix="sha256=")
TIMED = Signed(**SETTINGS, signs="timestamp.body", timestamp_header="X-Timestamp")
PAIRS = Signed(**SETTINGS, signs="timestamp.body", fields=("t", "v1"))


def stamped(at, body=BODY):
    """Sign *body* as sent at *at*; gives both headers."""
    text = str(at)
    signature = digest(text.encode() + b"." + body).hex()
    return {"x-timestamp": text, "x-signature": signature}


def paired(at):
    signed = stamped(at)
    return {"x-signature": f"t={signed['x-timestamp']}, v1={signed['x-signature']}"}


def test_an_unsigned_delivery_proves_nothing():
    assert Unsigned().verify({}, BODY, NOW) == Proof(genuine=False, key=None)


def test_the_body_is_that_of_a_look_up():
    task = task_of(Webhook(), BODY)
    assert (task.id, task.status, task.model) == ("cgt-1", "succeeded", "m")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[1, 2]",
        b'"succeeded"',
        b"null",
        b"{}",
        b'{"status": "succeeded"}',
        b'{"id": ["cgt-1"], "status": "succeeded"}',
        b'{"id": "../../files", "status": "succeeded"}',
        b'{"id": "cgt-1/cancel", "status": "succeeded"}',
        b'{"error": {"code": "X", "message": "no task"}}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_message_about_a_task_is_refused(body):
    with pytest.raises(Refused):
        task_of(Webhook(), body)


@pytest.mark.parametrize(
    "odd", [{"content": "no object"}, {"progress": {"of": 3}}, {"error": [3]}, {"model": 3}]
)
def test_odd_fields_of_a_task_are_left_out(odd):
    task = task_of(Webhook(), json.dumps({"id": 17, "status": "running", **odd}).encode())
    assert (task.id, task.status, task.progress) == ("17", "running", None)


def test_a_signed_delivery_is_genuine_and_known_again():
    headers = {"x-signature": f"sha256={digest().hex()}"}
    first, again = (PLAIN.verify(headers, BODY, NOW) for _ in range(2))
    assert first.genuine
    assert first.key == again.key != None  # noqa: E711 - it is a key


@pytest.mark.parametrize(
    ("signature", "accepted"),
    [
        (f"sha256={digest().hex()}", True),
        (f"sha256={digest().hex().upper()}", True),
        (digest().hex(), False),
        (f"sha256={digest(secret='another one').hex()}", False),
        (f"sha256={digest(BODY + b' ').hex()}", False),
        (f"sha256={digest().hex()[:-2]}", False),
        ("sha256=", False),
        ("sha256=not hex", False),
        ("sha256=äöü", False),
        ("", False),
    ],
)
def test_only_the_right_signature_of_the_very_bytes_is_accepted(signature, accepted):
    if accepted:
        assert PLAIN.verify({"x-signature": signature}, BODY, NOW).genuine
    else:
        with pytest.raises(Refused):
            PLAIN.verify({"x-signature": signature}, BODY, NOW)


def test_a_delivery_without_the_header_is_refused():
    with pytest.raises(Refused, match="X-Signature"):
        PLAIN.verify({}, BODY, NOW)


def test_signatures_are_compared_in_constant_time(monkeypatch):
    compared = []

    def compare(one, other):
        compared.append((one, other))
        return one == other

    monkeypatch.setattr("doubao_core.webhooks.scheme.hmac.compare_digest", compare)
    PLAIN.verify({"x-signature": f"sha256={digest().hex()}"}, BODY, NOW)
    assert compared == [(digest(), digest())]


def test_base64_and_other_hashes_are_read_as_configured():
    ways = {"encoding": "base64", "algorithm": "sha512"}
    scheme = Signed(secret=SECRET, header="X-Sig", signs="body", **ways)
    signature = base64.b64encode(digest(algorithm=hashlib.sha512)).decode()
    assert scheme.verify({"x-sig": signature}, BODY, NOW).genuine
    with pytest.raises(Refused, match="base64"):
        scheme.verify({"x-sig": "%%%"}, BODY, NOW)


@pytest.mark.parametrize(("scheme", "sign"), [(TIMED, stamped), (PAIRS, paired)])
@pytest.mark.parametrize(
    ("at", "accepted"),
    [
        (1_790_000_000, True),
        (1_789_999_701, True),
        (1_790_000_299, True),
        (1_789_999_699, False),
        (1_790_000_301, False),
        (1_790_000_000_000, True),
        ("2026-09-21T14:13:20Z", True),
        ("yesterday", False),
        ("nan", False),
    ],
)
def test_the_time_of_sending_is_signed_and_must_be_near(scheme, sign, at, accepted):
    if accepted:
        assert scheme.verify(sign(at), BODY, NOW).genuine
    else:
        with pytest.raises(Refused, match="time"):
            scheme.verify(sign(at), BODY, NOW)


def test_another_time_than_the_signed_one_is_refused():
    headers = {**stamped(1_789_000_000), "x-timestamp": "1790000000"}
    with pytest.raises(Refused, match="signature"):
        TIMED.verify(headers, BODY, NOW)


@pytest.mark.parametrize("value", ["t=1790000000", "v1=ab", "nonsense", "t=1790000000,v0=ab"])
def test_a_header_that_lacks_a_field_is_refused(value):
    with pytest.raises(Refused, match="field"):
        PAIRS.verify({"x-signature": value}, BODY, NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": "short"},
        {"encoding": "base32"},
        {"algorithm": "md5"},
        {"fields": ("t", "v1"), "timestamp_header": "X-Time", "signs": "timestamp.body"},
        {"signs": "everything"},
        {"signs": "timestamp.body"},
        {"fields": ("t", "v1")},
        {"timestamp_header": "X-Time"},
    ],
)
def test_a_scheme_that_cannot_be_meant_is_refused(wrong):
    with pytest.raises(ConfigError):
        Signed(**{**SETTINGS, "signs": "body", **wrong})


def test_what_is_signed_is_never_guessed():
    """R003-14, R004-39: no document says it."""
    with pytest.raises(TypeError, match="signs"):
        Signed(**SETTINGS)
    with pytest.raises(ConfigError, match="what 'doitong' signs: give signs='body'"):
        Signed.as_documented("doitong", secret=SECRET)


def test_of_what_is_documented_only_the_header_is_taken():
    """R003-14: Doitong's page names a header and a prefix; that this is an HMAC is the user's."""
    scheme = Signed.as_documented("doitong", secret=SECRET, signs="body")
    assert (scheme.header, scheme.prefix) == ("X-Doitong-Signature", "sha256=")
    other = Signed.as_documented("doitong", secret=SECRET, signs="body", prefix="hmac ")
    assert (other.header, other.prefix) == ("X-Doitong-Signature", "hmac ")


def test_what_is_documented_to_be_signed_need_not_be_said(monkeypatch):
    says = Webhook(header="X-Theirs", signs="body")
    theirs = gateway("doitong").but(name="theirs", webhook=says)
    monkeypatch.setattr("doubao_core.webhooks.scheme.gateway", {"theirs": theirs}.get)
    scheme = Signed.as_documented("theirs", secret=SECRET)
    assert (scheme.header, scheme.prefix, scheme.signs) == ("X-Theirs", "", "body")
    assert scheme.verify({"x-theirs": digest().hex()}, BODY, NOW).genuine
    timed = {"signs": "timestamp.body", "timestamp_header": "X-Time"}
    assert Signed.as_documented("theirs", secret=SECRET, **timed).signs == "timestamp.body"


def test_vibegens_package_says_everything_but_the_secret():
    scheme = Signed.as_documented("vibegen", secret=SECRET)
    assert (scheme.header, scheme.prefix, scheme.signs) == ("X-Seedance-Signature", "", "body")


@pytest.mark.parametrize("provider", ["seedance2api", "ark", "anyfast"])
def test_where_no_header_is_documented_it_has_to_be_given(provider):
    """R004-39."""
    with pytest.raises(ConfigError, match="give its name"):
        Signed.as_documented(provider, secret=SECRET, signs="body")
    scheme = Signed.as_documented(provider, secret=SECRET, signs="body", header="X-Sig")
    assert (scheme.header, scheme.prefix) == ("X-Sig", "")


@pytest.mark.parametrize("secret", [SECRET, SECRET.encode(), SecretStr(SECRET)])
def test_the_secret_is_taken_in_each_form_and_shown_in_none(secret):
    scheme = Signed(secret=secret, header="X-Signature", signs="body")
    assert scheme.verify({"x-signature": digest().hex()}, BODY, NOW).genuine
    assert SECRET not in repr(scheme)


def test_tokens_are_long_random_and_fit_for_a_path():
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(
        len(each) >= 43 and each.replace("-", "").replace("_", "").isalnum() for each in tokens
    )


def test_the_callback_url_ends_with_the_token():
    token = new_token()
    assert callback_url("https://me.example/hooks/", token) == f"https://me.example/hooks/{token}"


@pytest.mark.parametrize(
    ("base", "token"),
    [
        ("ftp://me.example", "a" * 40),
        ("me.example/hooks", "a" * 40),
        ("https://me.example/?a=1", "a" * 40),
        ("https://me.example/#a", "a" * 40),
        ("https://user:pass@me.example/", "a" * 40),
        ("https://me.example", "guessable"),
        ("https://me.example", "a/../" + "a" * 40),
        ("https://me.example", ""),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused_without_showing_the_token(base, token):
    with pytest.raises(ConfigError) as caught:
        callback_url(base, token)
    assert not token or token not in str(caught.value)
