"""``doubao webhooks serve``, in a process of its own, told by the emulator's real deliveries."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest

from doubao_core import Client
from doubao_core.webhooks import new_token

ORDER = {
    "model": "doubao-seedance-2-0-260128",
    "content": [{"type": "text", "text": "waves at dusk"}],
}
SECRET = "whsec-3f9a1c77d2"


@contextmanager
def command(*arguments, **environment):
    """Run ``doubao webhooks``; ends it at the end, also in the middle of its start."""
    with subprocess.Popen(
        [sys.executable, "-m", "doubao_core.cli", "webhooks", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def test_the_command_prints_the_url_to_use_and_the_tasks_as_they_come(emulator, key):
    token = new_token()
    with command(
        "serve", "--port", "0", "--base-url", emulator.base_url,
        ARK_API_KEY=key, DOUBAO_WEBHOOK_TOKEN=token,
    ) as process, Client(base_url=emulator.base_url, api_key=key) as client:  # fmt: skip
        url = process.stdout.readline().removeprefix("callback_url:").strip()
        assert url.endswith(f"/{token}")
        made = client.create_video(**ORDER, callback_url=url)
        lines = [process.stdout.readline().split()]
        while lines[-1][-1] != "succeeded":
            lines.append(process.stdout.readline().split())
        assert {line[1] for line in lines} == {made.id}
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert token not in rest + errors
    assert "--public-url" in errors


def test_the_command_prints_the_public_url_and_makes_a_token(emulator, key):
    with command(
        "serve", "--port", "0", "--public-url", "https://me.example/hooks",
        "--base-url", emulator.base_url, ARK_API_KEY=key,
    ) as process:  # fmt: skip
        url = process.stdout.readline().split()[1]
    assert url.startswith("https://me.example/hooks/")
    assert len(url.rpartition("/")[2]) >= 43


def test_the_command_says_what_is_wrong(emulator, key):
    taken = emulator.base_url.split(":")[2].split("/")[0]
    for wrong in (("--port", taken), ("--public-url", "me.example"), ("--provider", "nobody")):
        with command("serve", "--port", "0", *wrong, ARK_API_KEY=key) as process:
            shown, errors = process.communicate(timeout=30)
        assert (process.returncode, shown) == (2, "")
        assert errors.startswith("doubao: ")
        assert len(errors.splitlines()) == 1


@contextmanager
def serving(emulator, provider, *arguments, **environment):
    """Run the command for a gateway; gives its URL and what reads a line of its output."""
    address = emulator.base_url_of(provider)
    common = ("serve", "--port", "0", "--provider", provider, "--base-url", address)
    with command(*common, *arguments, **environment) as process:
        url = process.stdout.readline().removeprefix("callback_url:").strip()
        yield url, lambda: process.stdout.readline().strip().split(maxsplit=2)[1:]


def picture(emulator, key, url):
    """Order a picture from Doitong, whose webhook tells of it."""
    with Client(
        provider="doitong", base_url=emulator.base_url_of("doitong"), api_key=key
    ) as client:
        extra = {"webhookUrl": url}
        return client.create_images(model="seedream", prompt="A city", extra_body=extra).task_id


def test_the_command_checks_signatures_as_it_is_told(emulator, key):
    """R003-14: the secret comes from the environment, the header from Doitong's page."""
    with serving(
        emulator, "doitong", "--signs", "body", DOUBAO_WEBHOOK_SECRET=SECRET
    ) as (url, line):  # fmt: skip
        assert httpx.post(url, json={"id": "forged", "status": "completed"}).status_code == 400
        with emulator.sign_webhooks(SECRET, header="X-Doitong-Signature", prefix="sha256="):
            made = picture(emulator, key, url)
            assert line() == [made, "succeeded"]


def test_the_command_needs_but_the_secret_where_the_rest_is_known(emulator, key):
    with serving(
        emulator, "vibegen", DOUBAO_WEBHOOK_SECRET=SECRET, VIBEGEN_API_KEY=key
    ) as (url, line), Client(
        provider="vibegen", base_url=emulator.base_url_of("vibegen"), api_key=key
    ) as client:  # fmt: skip
        assert httpx.post(url, json={"data": {"id": "forged"}}).status_code == 400
        with emulator.sign_webhooks(SECRET, header="X-Seedance-Signature"):
            order = {**ORDER, "model": "seedance-2.0", "callback_url": url}
            assert line_of(line, client.create_video(**order).id) == "succeeded"


def test_the_command_takes_each_part_of_a_scheme(emulator, key):
    """R003-14."""
    options = {
        "--signs": "timestamp.body",
        "--signature-header": "X-Sig",
        "--signature-prefix": "v1:",
        "--signature-encoding": "hex",
        "--signature-algorithm": "sha256",
        "--timestamp-header": "X-Time",
        "--tolerance": "600",
    }
    words = [word for pair in options.items() for word in pair]
    with serving(emulator, "doitong", *words, DOUBAO_WEBHOOK_SECRET=SECRET) as (url, line):
        signing = {"header": "X-Sig", "prefix": "v1:", "timestamp_header": "X-Time"}
        with emulator.sign_webhooks(SECRET, **signing, age=400):
            made = picture(emulator, key, url)
            assert line() == [made, "succeeded"]


def test_the_command_says_of_unsigned_pictures_that_they_are_possibly_done(emulator, key):
    """R003-12, R003-14."""
    with serving(emulator, "doitong") as (url, line):
        made = picture(emulator, key, url)
        said, text = line()
    assert said == made
    assert "possibly done" in text


def test_the_command_prints_the_films_of_a_gateway(emulator, key):
    """R004-35, R004-36."""
    with serving(emulator, "seedance2api", SEEDANCE2API_API_KEY=key) as (url, line), Client(
        provider="seedance2api", base_url=emulator.base_url_of("seedance2api"), api_key=key
    ) as client:  # fmt: skip
        order = {**ORDER, "model": "seedance-2.0", "duration": 5, "callback_url": url}
        assert line_of(line, client.create_video(**order).id) == "succeeded"
        with emulator.fault("task_failed", message="too dark"):
            made = client.create_video(**order).id
            assert line_of(line, made) == "failed too dark"


def line_of(line, task_id):
    """Give what is said of a task."""
    said, text = line()
    assert said == task_id
    return text


@pytest.mark.parametrize(
    ("arguments", "secret", "said"),
    [
        ((), SECRET, "--signs body"),
        (("--signature-header", "X-Sig"), "", "--signs body"),
        (("--signs", "body"), "", "DOUBAO_WEBHOOK_SECRET"),
        (("--signs", "timestamp.body"), SECRET, "timestamp_header"),
        (("--signs", "body", "--provider", "seedance2api"), SECRET, "give its name"),
        (("--signs", "timestamp.body", "--signature-fields", "t"), SECRET, "t,v1"),
        (("--signs", "body"), "short", "too short"),
        (("--provider", "xroute"), "", "does not say what it delivers"),
        (("--provider", "vibegen", "--signature-prefix", "v1:"), "", "DOUBAO_WEBHOOK_SECRET"),
    ],
)
def test_the_command_guesses_nothing_of_a_signature(arguments, secret, said):
    """R003-14, R004-39: what is missing is named, and nothing listens."""
    given = ("serve", "--port", "0", "--provider", "doitong", *arguments)
    with command(*given, DOUBAO_WEBHOOK_SECRET=secret) as process:
        shown, errors = process.communicate(timeout=60)
    assert (process.returncode, shown) == (2, "")
    assert said in errors
    assert SECRET not in errors
    assert len(errors.splitlines()) == 1
