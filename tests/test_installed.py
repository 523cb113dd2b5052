"""What a user installs: the wheel, its packages and its dependencies."""

import importlib
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from doubao_core import ConfigError
from doubao_core.gateways import emulator
from doubao_core.pacing.stores import store

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ["doubao_core", "doubao_emulator", "langchain_doubao", "llamaindex_doubao"]
FRAMEWORK = {
    "langchain_doubao": ("ChatDoubao", "langchain", "langchain_core"),
    "llamaindex_doubao": ("Doubao", "llamaindex", "llama_index"),
    "doubao_emulator": ("Emulator", "emulator", "starlette"),
}


def _folder(package):
    return Path(importlib.import_module(package).__file__).parent


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_is_typed(package):
    assert (_folder(package) / "py.typed").is_file()


@pytest.mark.parametrize("package", PACKAGES)
def test_the_checks_run_against_the_wheel(package):
    """scripts/check.py installs the wheel and says so; by hand the sources are fine."""
    if os.environ.get("DOUBAO_TEST_INSTALLED"):
        assert not _folder(package).is_relative_to(ROOT / package)
        assert "site-packages" in _folder(package).parts
    else:
        assert _folder(package).name == package


def test_the_base_install_is_small():
    requirements = map(Requirement, importlib.metadata.requires("doubao-integrations"))
    base = {each.name for each in requirements if each.marker is None}
    assert base == {"httpx", "orjson", "pydantic", "pyrate-limiter"}


@pytest.mark.parametrize("package", FRAMEWORK)
def test_a_missing_extra_is_named_in_one_sentence(package):
    name, extra, framework = FRAMEWORK[package]
    hide = (
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] == {framework!r}:\n"
        "            raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
        f"from {package} import {name}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", hide], capture_output=True, text=True, check=False, timeout=60
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert f'pip install ".[{extra}]" in the folder of doubao-integrations' in last


@pytest.mark.parametrize(
    ("package", "url"),
    [("redis", "redis://127.0.0.1/0"), ("sqlalchemy", "sqlite:///limits.db")],
)
def test_a_shared_rate_limit_without_its_extra_names_it(monkeypatch, package, url):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf'{package}.*pip install "\.\[limits\]" in the folder'):
        store(url, "bucket")


def test_the_emulator_without_its_extra_names_it(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: ())
    emulator._starter.cache_clear()
    with pytest.raises(ConfigError, match=r'pip install "\.\[emulator\]" in the folder'):
        emulator._launch()
