"""Embedding at scale: the script as its users run it, and a small Ray of this process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from doubao_emulator import Emulator

SCRIPT = Path(__file__).parents[2] / "examples" / "embed_at_scale.py"
MOST_SECONDS = 240.0


class Embedding:
    """Starts the script with an output of its own and, unless told otherwise, a key."""

    def __init__(self, folder: Path, emulator: Emulator) -> None:
        self.output = folder / "vectors"
        self.emulator = emulator
        self._folder = folder
        self._environment = {
            **{name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ},
            "HOME": str(folder),
            "PYTHONUTF8": "1",
            "ARK_API_KEY": "test-key-8c1f",
            "DOUBAO_BASE_URL": emulator.base_url,
        }

    def start(self, source: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, SCRIPT, "--input", source, "--output", self.output, *arguments],
            cwd=self._folder,
            env={**self._environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __call__(
        self, source: Path, *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        with self.start(source, *arguments, **environment) as process:
            stdout, stderr = process.communicate(timeout=MOST_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def parts(self) -> list[Path]:
        """What is finished."""
        return sorted(self.output.glob("*.parquet"))

    def rows(self) -> list[dict[str, object]]:
        """All rows of the output, as any reader of a folder of Parquet files sees them."""
        import pyarrow.parquet as pq

        return pq.read_table(self.output).to_pylist()

    def sent(self) -> Counter[str]:
        """How often each text arrived at the service."""
        return Counter(request.body["input"][0]["text"] for request in self.emulator.requests)


@pytest.fixture
def embedding(tmp_path, emulator):
    pytest.importorskip("pyarrow", reason="needs the extra ray")
    return Embedding(tmp_path, emulator)


@pytest.fixture
def wait_for() -> Callable[[Callable[[], object]], object]:
    """Give what *found* gives as soon as it is something."""

    def wait_for(found: Callable[[], object]) -> object:
        end = time.monotonic() + MOST_SECONDS
        while not (value := found()):
            assert time.monotonic() < end, "it never happened"
            time.sleep(0.01)
        return value

    return wait_for


@pytest.fixture
def texts_file(tmp_path):
    """Make a Parquet file of *count* different texts, in row groups of 20."""

    def texts_file(count: int, name: str = "texts.parquet") -> Path:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = tmp_path / name
        texts = [f"Lighthouse {number} stands on a rock." for number in range(count)]
        pq.write_table(pa.table({"number": range(count), "text": texts}), path, row_group_size=20)
        return path

    return texts_file


@pytest.fixture
def kill() -> Callable[[int], None]:
    """End a process that the test started, at once."""
    return lambda pid: os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def ray_folder() -> Iterator[Path]:
    """One Ray for the tests of a module; its workers have no settings but the key."""
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        patch.setenv("ARK_API_KEY", "test-key-5d2e")
        patch.delenv("DOUBAO_BASE_URL", raising=False)
        import ray

        ray.init(
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=200_000_000,
            log_to_driver=False,
            logging_level="error",
            _temp_dir=str(folder),
        )
        try:
            address = ray.get_runtime_context().gcs_address
            assert address.startswith("127.0.0.1:"), "Ray was imported before its settings"
            yield folder
        finally:
            ray.shutdown()
            shutil.rmtree(folder, ignore_errors=True)
