"""Settings written into a video prompt, such as ``--rs 720p --dur 5`` (ark.md 15.1).

They are weak: an unknown or a bad one is swallowed without a word. Only the resolution and the
duration are checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from doubao_emulator.errors import invalid_parameter
from doubao_emulator.media_models import RATIOS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from doubao_emulator.wire import JSON

_FLAG = re.compile(r"(?:^|\s)--(?P<name>[A-Za-z]+)(?:[ \t]+(?P<value>(?!--)\S+))?")
_NAMES = {
    "resolution": "resolution", "rs": "resolution",
    "ratio": "ratio", "rt": "ratio",
    "duration": "duration", "dur": "duration",
    "frames": "frames",
    "seed": "seed",
    "camerafixed": "camera_fixed", "cf": "camera_fixed",
    "watermark": "watermark", "wm": "watermark",
}  # fmt: skip
_BOOLEANS = {"true": True, "false": False}
_INTEGERS = frozenset({"duration", "frames", "seed"})
CHECKED = frozenset({"resolution", "duration"})


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt taken apart.

    Attributes:
        text: The words without the flags.
        settings: What the flags set, by the names of the body fields.
        path: Where the flags stand, for error paths: ``contents[0].text``.
    """

    text: str = ""
    settings: Mapping[str, JSON] = field(default_factory=dict)
    path: str = ""

    def param(self, name: str) -> str:
        """Return the path of a setting as the service's errors print it."""
        return f"{self.path}.{name}"


def split(text: str, index: int) -> Prompt:
    """Take the flags out of the text of content item `index`.

    Raises:
        ArkError: 400 for a duration that is not a whole number.
    """
    path = f"contents[{index}].text"
    settings: dict[str, JSON] = {}
    for match in _FLAG.finditer(text):
        name = _NAMES.get(match["name"].lower())
        if name is not None:
            value = _value(name, match["value"] or "", path)
            if value is not None:
                settings[name] = value
    return Prompt(_FLAG.sub("", text).strip(), settings, path)


def _value(name: str, text: str, path: str) -> JSON:
    if name in _INTEGERS:
        if re.fullmatch(r"-?\d{1,10}", text):
            return int(text)
        if name in CHECKED:
            raise invalid_parameter(f"{path}.{name}", "an integer is expected.")
        return None
    if name == "ratio":
        return text if text in {*RATIOS, "adaptive"} else None
    if name == "resolution":
        return text
    return _BOOLEANS.get(text.lower())
