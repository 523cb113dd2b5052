"""Tests of the live service: off unless asked for, and never a film unless asked for that."""

from __future__ import annotations

import os

import pytest


def pytest_addoption(parser):
    parser.addoption("--video", action="store_true", help="also make a film; it costs the most")


def pytest_collection_modifyitems(config, items):
    """Leave the tests of this folder out unless ``-m live`` asks for them."""
    wanted = "live" in (config.option.markexpr or "")
    here = [item for item in items if item.get_closest_marker("live")]
    if wanted or not here:
        return
    config.hook.pytest_deselected(items=here)
    items[:] = [item for item in items if item not in here]


@pytest.fixture(scope="session", autouse=True)
def authorities():
    """Trust whom this machine trusts, unlike other tests."""


@pytest.fixture
def client(socket_enabled):
    """Return a client of the provider that the environment names, if there is a key."""
    from doubao_core import ApiKey, Client, ConfigError
    from doubao_core.gateways import gateway

    provider = os.environ.get("DOUBAO_PROVIDER", "ark")
    if provider == "emulator":
        pytest.skip("DOUBAO_PROVIDER is the emulator, which is not a live service")
    try:
        ApiKey().resolve(gateway(provider))
    except ConfigError as error:
        pytest.skip(error.message)
    with Client(provider=provider) as client:
        yield client


@pytest.fixture
def film_wanted(request):
    """Skip unless ``--video`` was given."""
    if not request.config.getoption("--video"):
        pytest.skip("a film costs the most: give --video")
