"""How many tokens a film takes, from the request alone (ark.md 15.1 to 15.4, 15.6).

width x height x (24 x seconds + 1) / 1024, where films that are given as references count with
their seconds too. So it was seen; the vendor's own estimate leaves the one frame out. A setting
that is left to the service or to the model is counted as the dearest that it may become.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import product
from typing import Any

from doubao_core.prices.forecast import SEARCHES, Case, Forecast, of_family, sizes

FPS = 24
_PIXELS_PER_TOKEN = 1024
_CHOOSE = -1
_UPRIGHT = {"9:16": "16:9", "3:4": "4:3"}
# Settings that are written into the prompt count too, and a language model may write them there.
_FLAG = re.compile(r"--(\w+)[\s=]+([\w:.-]+)")
_FLAGS = {
    "rs": "resolution",
    "rt": "ratio",
    "dur": "duration",
    "resolution": "resolution",
    "ratio": "ratio",
    "duration": "duration",
    "frames": "frames",
}
_DRAFT = "480p"
_NO_MINIMUM = "a film among the inputs has a minimum charge that is not in this"
_NO_DRAFT_FACTOR = "a draft is counted with fewer tokens, how many is not published"


def tokens(width: int, height: int, frames: int) -> int:
    """Count a film of *frames* frames: 24 a second, and one more (ark.md 15.4)."""
    return width * height * frames // _PIXELS_PER_TOKEN


def forecast(request: Mapping[str, Any], model: str, watched: float | None) -> Forecast:
    """Count what *request* may cost.

    Args:
        request: Body of a video task.
        model: The model, if the request names an endpoint that serves it.
        watched: Seconds of all films in the request together; the longest allowed if not known.
    """
    facts = price_facts(request, model)
    family = of_family("films", model)
    if family is None:
        return Forecast(cases=(Case(facts=facts),))
    written = said(request)
    resolutions = _resolutions(request, written, family)
    ratios = _ratios(request, written, family)
    frames, chosen = _frames(request, written, family)
    factor = _draft_factor(request, facts, family)
    notes = {
        _NO_MINIMUM: facts["input_video"],
        _NO_DRAFT_FACTOR: factor is None,
        SEARCHES: bool(request.get("tools")),
    }
    longest = family["watches"] if watched is None else watched
    extra = round(FPS * longest) if facts["input_video"] else 0
    cases = tuple(
        Case(
            tokens=int(tokens(*size, count + extra) * (factor or 1)),
            facts={**facts, "resolution": resolution},
        )
        for resolution, count in product(resolutions, frames)
        for size in _sizes(family, resolution, ratios)
    )
    settled = len(cases) == 1 and not chosen and ratios != [None]
    return Forecast(
        cases=cases,
        certain=settled and not facts["input_video"] and factor is not None,
        notes=tuple(note for note, applies in notes.items() if applies),
    )


def price_facts(request: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Say on what the price of a token depends; ``None`` for what *request* leaves open."""
    family = of_family("films", model)
    content = request.get("content")
    kinds = {item.get("type") for item in content or ()}
    audio = request.get("generate_audio")
    # A film from a draft is made with the draft's settings, which are not in the request.
    if audio is None and family is not None and "draft_task" not in kinds:
        audio = family["audio"]
    if family is not None and not family["audio"]:
        audio = False
    return {
        "resolution": _lower(request.get("resolution")),
        "input_video": None if content is None else "video_url" in kinds,
        "audio": audio,
        "tier": request.get("service_tier") or "default",
    }


def _lower(text: Any) -> str | None:
    return text.lower() if isinstance(text, str) else None


def said(request: Mapping[str, Any]) -> dict[str, list[str]]:
    """Find the settings that are written into the prompt (ark.md 15.1)."""
    found: dict[str, list[str]] = {}
    for item in request.get("content") or ():
        for setting, values in settings_in(item.get("text") or "").items():
            found.setdefault(setting, []).extend(values)
    return found


def settings_in(prompt: str) -> dict[str, list[str]]:
    """Find the settings that *prompt* holds and that cost: ``duration``, ``resolution`` and so on.

    What the service does with one that the request sets, too, is not documented.
    """
    found: dict[str, list[str]] = {}
    for name, value in _FLAG.findall(prompt):
        if setting := _FLAGS.get(name.lower()):
            found.setdefault(setting, []).append(value)
    return found


def whole(value: Any) -> int | None:
    """Read a number of seconds or frames, which may be written in a prompt."""
    try:
        return int(str(value))
    except ValueError:
        return None


def _given(name: str, request: Mapping[str, Any], written: Mapping[str, list[str]]) -> list[Any]:
    given = [] if request.get(name) is None else [request[name]]
    return [*given, *written.get(name, ())]


def _resolutions(
    request: Mapping[str, Any], written: Mapping[str, list[str]], family: Mapping[str, Any]
) -> list[str]:
    known = sizes()["film_sizes"][family["sizes"]]
    given = {str(each).lower() for each in _given("resolution", request, written)}
    if not given:
        return [_DRAFT if request.get("draft") else family["resolution"]]
    return [each for each in known if each in given] or list(known)


def _ratios(
    request: Mapping[str, Any], written: Mapping[str, list[str]], family: Mapping[str, Any]
) -> list[str | None]:
    """Give the ratios that may be meant; ``None`` for any."""
    given = {_UPRIGHT.get(each, each) for each in _given("ratio", request, written)}
    if not given and family["text_ratio"] and not _has_picture(request):
        given = {family["text_ratio"]}
    known = sizes()["film_sizes"][family["sizes"]][family["resolution"]]
    return sorted(given) if given and given <= set(known) else [None]


def _has_picture(request: Mapping[str, Any]) -> bool:
    return any(item.get("type") != "text" for item in request.get("content") or ())


def usual(request: Mapping[str, Any]) -> dict[str, Any]:
    """Give the ``duration`` and ``resolution`` that a forecast takes where *request* has none.

    A length that the model chooses is the longest, in words. A film from a draft is as the draft.
    """
    family = of_family("films", request["model"])
    if family is None or _from_draft(request):
        return {}
    written = said(request)
    found: dict[str, Any] = {}
    if not _given("duration", request, written) and not _given("frames", request, written):
        longest = f"up to {family['longest']}"
        found["duration"] = longest if family["seconds"] == _CHOOSE else family["seconds"]
    if not _given("resolution", request, written):
        (found["resolution"],) = _resolutions(request, written, family)
    return found


def _from_draft(request: Mapping[str, Any]) -> bool:
    return any(item.get("type") == "draft_task" for item in request.get("content") or ())


def _frames(
    request: Mapping[str, Any], written: Mapping[str, list[str]], family: Mapping[str, Any]
) -> tuple[list[int], bool]:
    """Give the lengths that may be meant, in frames, and whether the model chooses one."""
    counted = _numbers(_given("frames", request, written))
    seconds = _numbers(_given("duration", request, written))
    if request.get("frames") is not None:
        # They beat the seconds of the request.
        return sorted(counted), False
    if not counted and not seconds:
        seconds = {_CHOOSE if _from_draft(request) else family["seconds"]}
    chosen = {family["longest"] if each == _CHOOSE else each for each in seconds}
    return sorted(counted | {FPS * each + 1 for each in chosen}), _CHOOSE in seconds


def _numbers(given: list[Any]) -> set[int]:
    return {number for each in given if (number := whole(each)) is not None}


def _sizes(
    family: Mapping[str, Any], resolution: str, ratios: list[str | None]
) -> Iterator[tuple[int, int]]:
    """Give the sizes in pixels; the largest of the resolution for a ratio that is not known."""
    known: Mapping[str, list[int]] = sizes()["film_sizes"][family["sizes"]][resolution]
    for ratio in ratios:
        width, height = known.get(ratio or "") or max(known.values(), key=lambda s: s[0] * s[1])
        yield width, height


def _draft_factor(
    request: Mapping[str, Any], facts: Mapping[str, Any], family: Mapping[str, Any]
) -> Decimal | None:
    if not request.get("draft"):
        return Decimal(1)
    factors = family.get("draft")
    return None if factors is None else Decimal(factors["audio" if facts["audio"] else "silent"])
