"""Compare the catalogue of models with what a cloud lists (ark.md 3.1), and bring it up to date.

    python scripts/refresh_catalogue.py                       # ARK_API_KEY; prints what differs
    python scripts/refresh_catalogue.py --provider byteplus --write

Limits, modalities, tools and new models are taken over. Facts that no list has (what a model
refuses, forces or makes of an effort) are written by hand and left alone, and so is structured
output, because the list has been seen to be wrong about it: differences are printed only.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from doubao_core import Client
from doubao_core.catalogue import ModelFacts

JSON: TypeAlias = dict[str, Any]

CATALOGUE = Path(__file__).resolve().parent.parent / "doubao_core" / "catalogue.json"
_FAMILY = {
    "LLM": "chat",
    "VLM": "chat",
    "Embedding": "embedding",
    "ImageGeneration": "seedream",
    "VideoGeneration": "seedance",
}
_LIMITS = {
    "context_window": "context_window",
    "max_input_token_length": "max_input_tokens",
    "max_output_token_length": "max_output_tokens",
    "max_reasoning_token_length": "max_reasoning_tokens",
}
_MODALITIES = ("text", "image", "video", "file", "audio")
_ORDER = [field.name for field in dataclasses.fields(ModelFacts)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A fact that is not as listed; ``taken`` says whether it is to be written."""

    model: str
    fact: str
    old: Any
    new: Any
    taken: bool = True

    def __str__(self) -> str:
        note = "" if self.taken else "  (not taken over)"
        return f"~ {self.model}: {self.fact} {_plain(self.old)} -> {_plain(self.new)}{note}"


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what differs; with ``--write``, write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--provider", help="default DOUBAO_PROVIDER, then ark")
    parser.add_argument("--catalogue", type=Path, default=CATALOGUE, help="the file to compare")
    parser.add_argument("--write", action="store_true", help="write what is taken over")
    chosen = parser.parse_args(arguments)
    with Client(provider=chosen.provider) as client:
        listed = [model.raw for model in client.list_models()]
    catalogue = json.loads(chosen.catalogue.read_text(encoding="utf-8"))
    lines = refresh(catalogue, listed)
    print("\n".join([*lines, f"{len(listed)} models listed, {len(lines)} lines above"]))
    if chosen.write:
        chosen.catalogue.write_text(rendered(catalogue), encoding="utf-8")


def refresh(catalogue: JSON, listed: Sequence[Mapping[str, Any]]) -> list[str]:
    """Bring *catalogue* up to date in place; gives a line for whatever a reader should know."""
    said = []
    for entry in listed:
        name, status = entry["id"], entry.get("status")
        if status:
            said.append(f"! {name} is {status}")
        if name not in catalogue["models"]:
            if (family := _FAMILY.get(entry.get("domain", ""))) is None:
                said.append(f"? {name} is of an unknown domain: {entry.get('domain')}")
                continue
            said.append(f"+ {name} ({family})")
            catalogue["models"][name] = {"family": family}
        line = catalogue["models"][name]
        family_facts = catalogue["families"][line["family"]]
        for change in _changes(name, {**family_facts, **line}, entry):
            said.append(str(change))
            if change.taken:
                line[change.fact] = change.new
    return said


def _changes(name: str, facts: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[Change]:
    limits = entry.get("token_limits") or {}
    for theirs, ours in _LIMITS.items():
        if limits.get(theirs) and limits[theirs] != facts.get(ours):
            yield Change(model=name, fact=ours, old=facts.get(ours), new=limits[theirs])
    yield from _modalities(name, facts.get("inputs"), entry)
    if facts["kind"] != "chat":
        return
    features = entry.get("features") or {}
    tools = (features.get("tools") or {}).get("function_calling")
    if tools is not None and tools != facts.get("tools"):
        yield Change(model=name, fact="tools", old=facts.get("tools"), new=tools)
    fact, structured = "structured_output", features.get("structured_outputs") or {}
    new = structured.get("json_schema")
    if new is not None and new != facts.get(fact):
        yield Change(model=name, fact=fact, old=facts.get(fact), new=new, taken=False)


def _modalities(
    name: str, known: Sequence[str] | None, entry: Mapping[str, Any]
) -> Iterator[Change]:
    """Add inputs, and never take one away: the list has no word for some, such as documents."""
    listed = (entry.get("modalities") or {}).get("input_modalities") or ()
    have = set(known or ())
    every = [each for each in _MODALITIES if each in have.union(listed)]
    if have != set(every):
        yield Change(model=name, fact="inputs", old=known, new=every)
    if listed and set(listed) != set(every):
        yield Change(model=name, fact="inputs", old=every, new=sorted(listed), taken=False)


def rendered(catalogue: Mapping[str, Mapping[str, JSON]]) -> str:
    """Write the catalogue with a line for each family and model, facts in a fixed order."""
    sections = []
    for section, entries in catalogue.items():
        lines = [
            f"    {_plain(name)}: {_plain(dict(sorted(facts.items(), key=_place)))}"
            for name, facts in entries.items()
        ]
        sections.append(f"  {_plain(section)}: {{\n" + ",\n".join(lines) + "\n  }")
    return "{\n" + ",\n".join(sections) + "\n}\n"


def _place(item: tuple[str, Any]) -> int:
    return _ORDER.index(item[0])


if __name__ == "__main__":
    main()
