"""What a batch refuses before it does anything."""

from __future__ import annotations

import pytest

from doubao_core import ConfigError
from doubao_core.jobs import Batch, Budget
from doubao_core.studio import ImageOrder

PICTURE = ImageOrder(
    model="doubao-seedream-4-0-250828", prompt="a cat", options={"size": "1024x1024"}
)


@pytest.fixture
def settings(emulator, tmp_path):
    return {
        "ledger": f"sqlite:///{tmp_path}/jobs.sqlite3",
        "output_dir": tmp_path / "media",
        "provider": "emulator",
        "base_url": emulator.base_url,
    }


@pytest.mark.parametrize("key", ["k" * 200, "line\nbreak"])
def test_a_key_that_no_ledger_can_keep_is_refused_when_it_is_added(settings, key):
    with (
        Batch("posters", **settings) as batch,
        pytest.raises(ConfigError, match=r"is no job key"),
    ):
        batch.add(PICTURE, key=key)


@pytest.mark.parametrize("amount", [0, -1, "much", None, "NaN", "inf"])
def test_a_budget_is_an_amount_of_money(amount):
    with pytest.raises(ConfigError, match="budget is"):
        Budget(amount, "CNY")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": ""}, "a name"),
        ({"name": "a/b"}, "without slashes"),
        ({"concurrency": 0}, "concurrency is 1 or more"),
        ({"per_minute": 0}, "per_minute is 1 or more"),
        ({"client": None}, "makes its own clients"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, wrong, said):
    with pytest.raises(ConfigError, match=said):
        Batch(**{"name": "posters", **settings, **wrong})


def test_a_batch_is_used_in_a_with_block(settings):
    batch = Batch("posters", **settings)
    with pytest.raises(ConfigError, match="with block"):
        batch.add(PICTURE)
