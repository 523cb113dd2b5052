"""No URL of a result leads to an address that is not public, at once or by a redirect."""

from __future__ import annotations

import ipaddress
import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubao_core import ConfigError, DoubaoError
from doubao_core.media import Fetch, is_public, resolve

API = "http://127.0.0.1:8765/api/v3"
SECRET = "hunter2"
LINES = (Path(__file__).parent / "hostile_urls.jsonl").read_text("utf-8").splitlines()
ROWS = [json.loads(line) for line in LINES]


def test_there_are_as_many_as_promised():
    assert len({row["url"] for row in ROWS}) >= 140


def test_a_hostile_url_is_refused_before_anything_is_sent(hostile_url):
    looked_up = []

    def names(host):
        looked_up.append(host)
        return hostile_url.addresses

    with pytest.raises(ConfigError, match="will not download") as caught:
        Fetch(hostile_url.url, API, 1000).addresses(names)
    assert SECRET not in str(caught.value)
    assert len(looked_up) <= 1


def test_both_clients_refuse_every_hostile_url_before_anything_is_sent(
    hostile_urls, download, server, tmp_path, monkeypatch
):
    own = server.url.rpartition(":")[2]
    for row in hostile_urls:
        url = row.url.replace(":8765", f":{own}").replace(":8766", ":1")
        monkeypatch.setattr("doubao_core.media.resolve", lambda host, row=row: row.addresses)
        with pytest.raises(ConfigError, match="will not download"):
            download(url, tmp_path, name="x")
    assert server.asked == []
    assert list(tmp_path.iterdir()) == []


def test_both_clients_refuse_every_hostile_url_behind_a_redirect(
    hostile_urls, download, server, tmp_path, monkeypatch
):
    """Over real HTTP: the API's own host answers, and sends elsewhere."""
    said = [row for row in hostile_urls if can_be_a_location(row.url)]
    assert len(said) >= 140
    for row in said:
        server.answers["/a"] = (302, {"location": row.url.replace(":8765", ":1")}, b"")
        monkeypatch.setattr("doubao_core.media.resolve", lambda host, row=row: row.addresses)
        with pytest.raises(ConfigError, match="will not download"):
            download(f"{server.url}/a", tmp_path, name="x")
    assert [path for path, _ in server.asked] == ["/a"] * len(said)
    assert list(tmp_path.iterdir()) == []


def can_be_a_location(url):
    """Whether a header can say it, and it is not relative to where it is said."""
    try:
        scheme, host, *_ = urlsplit(url)
    except ValueError:
        scheme, host = "broken", "brackets"
    is_relative = not host and scheme in {"", "http", "https"}
    return url.isascii() and url.isprintable() and " " not in url and not is_relative


@pytest.mark.parametrize(
    "address",
    sorted(
        {
            address
            for row in ROWS
            for address in row["addresses"]
            if "@" not in row["url"] and len(row["addresses"]) == 1 and address != "8.8.8.8"
        }
    ),
)
def test_the_addresses_of_the_list_are_not_public_themselves(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.1",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.1",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700::1",
        "2001:4860:4860::8888",
        "2400:3200::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
        "2001:0:808:808::f7f7:f7f7",
        "2606:4700::5efe:8.8.8.8",
    ],
)
def test_what_is_public_is_taken_up_to_the_edges_of_what_is_not(address):
    """An IPv6-only network reaches every IPv4 server through NAT64: that must go on working."""
    assert is_public(address)


@given(st.integers(0, 2**32 - 1))
def test_what_python_takes_for_private_is_not_public(number):
    address = ipaddress.IPv4Address(number)
    if not address.is_global or address.is_multicast:
        assert not is_public(str(address))


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_an_address_within_another_decides(inner, noise):
    public = is_public(str(ipaddress.IPv4Address(inner)))
    for carrier in (
        (0xFFFF << 32) | inner,
        (0xFFFF0000 << 32) | inner,
        (0x64FF9B << 96) | inner,
        (0x2002 << 112) | (inner << 80) | noise,
        (0x20010000 << 96) | (0x08080808 << 64) | (~inner & 0xFFFFFFFF),
        (0x2606470000000000 << 64) | (0x5EFE << 32) | inner,
    ):
        assert is_public(str(ipaddress.IPv6Address(carrier))) is public


@given(st.text(max_size=60), st.sampled_from(["", "https://", "http://", "https://127.0.0.1"]))
def test_no_text_is_fetched_from_anywhere_but_https_and_public(text, start):
    try:
        guard = Fetch(start + text, API, 1000)
        found = guard.addresses(lambda host: ["8.8.8.8"])
    except DoubaoError:
        return
    assert guard.url.lower().startswith("https://")
    assert found == ["8.8.8.8"]


NUMBERS = ["0x7f000001", "2130706433", "017700000001", "0177.0.0.1", "127.1", "0"]


@pytest.mark.skipif(os.name == "nt", reason="Windows looks such names up")
@pytest.mark.parametrize("host", NUMBERS)
def test_the_resolver_of_this_machine_turns_numbers_into_the_addresses_of_the_list(host):
    """So that refusing by the address, and not by the text, is what helps."""
    assert all(not is_public(address) for address in resolve(host))


RANGES = [
    "10.1.2.3",
    "100.64.1.2",
    "127.0.0.1",
    "169.254.169.254",
    "172.20.0.1",
    "192.168.3.4",
    "192.0.0.192",
    "198.18.5.6",
    "224.0.0.5",
    "250.1.2.3",
    "[::1]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "[2001:db8::5]",
    "[::ffff:10.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:7f00:1::]",
]


@pytest.mark.parametrize("hops", [1, 3])
@pytest.mark.parametrize("host", RANGES)
def test_redirects_to_every_private_range_end(download, server, tmp_path, host, hops):
    """With the resolver of this machine, after detours over the API's own origin."""
    for hop in range(1, hops):
        server.answers[f"/{hop}"] = (307, {"location": f"/{hop + 1}"}, b"")
    server.answers[f"/{hops}"] = (301, {"location": f"https://{host}/latest/meta-data"}, b"")
    with pytest.raises(ConfigError, match="its address is not public"):
        download(f"{server.url}/1", tmp_path, name="x")
    assert len(server.asked) == hops
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_talks_of_another_host_in_a_header_leads_nowhere(download, server, tmp_path):
    """Only Location counts, and only of a redirect."""
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(50))
    headers = {"location": "https://127.0.0.1/", "refresh": "0; url=https://127.0.0.1/"}
    server.answers["/a"] = (200, {**headers, "content-location": "https://10.0.0.1/"}, png)
    saved = download(f"{server.url}/a", tmp_path, name="x")
    assert saved.path.read_bytes() == png
