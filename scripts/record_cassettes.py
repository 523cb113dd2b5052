"""Record the cassettes: from the emulator, or from the live service with a key of your own.

``python scripts/record_cassettes.py --from emulator`` writes the same files each time.
``python scripts/record_cassettes.py --from live --provider ark --yes`` costs money.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import nullcontext
from pathlib import Path

from cassette_cases import Case, cases
from cassette_store import recorder

from doubao_core import Client, ConfigError, DoubaoError
from doubao_core.gateways import gateway
from doubao_emulator import AfterReads, Emulator, ManualClock

FOLDER = Path(__file__).parent.parent / "cassettes"
PROVIDERS = ("ark", "byteplus")
EMULATOR = "the emulator of this repository (doubao_emulator)"
MEDIA = "https://media.example"
# Any key will do for the emulator; this one is looked for in what was recorded.
_LOCAL_KEY = "sk-recording"
_LIVE_PAUSE = 5.0
_NO_PAUSE = 0.001


class WrongEndError(Exception):
    """A case did not end as it should."""


def record(case: Case, client: Client, poll: float) -> None:
    """Do what *case* says; its end must be the expected one."""
    try:
        case.call(client, poll)
    except DoubaoError as error:
        if case.error is None or not isinstance(error, case.error):
            raise WrongEndError(f"{case.operation}/{case.name} ended with {error!r}") from error
        return
    if case.error is not None:
        raise WrongEndError(f"{case.operation}/{case.name} did not end with {case.error.__name__}")


def path_of(folder: Path, provider: str, case: Case) -> Path:
    """Give the file of a case."""
    return folder / provider / case.operation / f"{case.name}.yaml"


def from_emulator(folder: Path, provider: str, key: str = _LOCAL_KEY) -> None:
    """Record every case of *provider* from a fresh emulator whose clock stands still."""
    with Emulator(clock=ManualClock(), progress=AfterReads(3)) as emulator:
        base_url = emulator.base_url if provider == "ark" else emulator.byteplus_base_url
        origin = emulator.base_url.removesuffix("/api/v3")
        moves = {base_url: str(gateway(provider).base_url), origin: MEDIA}
        tape = recorder(EMULATOR, moves=moves, secret=key, mode="once")
        for case in cases(provider):
            emulator.reset()
            fault = emulator.fault(case.fault, **case.params) if case.fault else nullcontext()
            client = Client(provider=provider, base_url=base_url, api_key=key, max_retries=1)
            with client, fault, tape.use_cassette(_fresh(folder, provider, case)):
                record(case, client, _NO_PAUSE)


def from_live(folder: Path, provider: str, key: str) -> None:
    """Record from the service itself what it can be asked for."""
    tape = recorder(f"the live service, provider {provider}", secret=key, mode="once")
    with Client(provider=provider, api_key=key, max_retries=1) as client:
        for case in possible(provider):
            print(f"{case.operation}/{case.name}")
            with tape.use_cassette(_fresh(folder, provider, case)):
                record(case, client, _LIVE_PAUSE)


def possible(provider: str) -> list[Case]:
    """Give the cases that need no fault and no clock of the emulator."""
    return [case for case in cases(provider) if not case.fault and not case.local]


def _fresh(folder: Path, provider: str, case: Case) -> str:
    path = path_of(folder, provider, case)
    path.unlink(missing_ok=True)
    return str(path)


def _key(provider: str) -> str:
    chosen = gateway(provider)
    for name in chosen.key_env:
        if key := os.environ.get(name):
            return key
    names = " or ".join(chosen.key_env)
    raise ConfigError(f"recording from the live service needs a key: set {names}")


def _plan(provider: str) -> str:
    costs = [f"  {each.costs} ({each.operation}/{each.name})" for each in possible(provider)]
    made = "\n".join(line for line in costs if not line.startswith("   ("))
    return (
        f"This asks the live service of {provider!r} with your key, and you pay for it. Besides "
        f"some hundred tokens and small files it makes:\n{made}\n"
        "Say --yes if you want that."
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="source", choices=["emulator", "live"], required=True)
    parser.add_argument("--provider", choices=PROVIDERS, help="default: all, or ark if live")
    parser.add_argument("--yes", action="store_true", help="spend money on the live service")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write")
    chosen = parser.parse_args(arguments)
    if chosen.source == "emulator":
        for provider in [chosen.provider] if chosen.provider else PROVIDERS:
            from_emulator(chosen.folder, provider)
        return 0
    provider = chosen.provider or "ark"
    try:
        key = _key(provider)
    except ConfigError as error:
        print(error.message, file=sys.stderr)
        return 2
    if not chosen.yes:
        print(_plan(provider))
        return 1
    from_live(chosen.folder, provider, key)
    return 0


if __name__ == "__main__":
    sys.exit(main())
