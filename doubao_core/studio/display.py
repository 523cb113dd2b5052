"""How a result looks in a notebook: the picture or the player itself, from the local file.

Never the service's URL: it opens the file for whoever gets the notebook.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path

# A notebook keeps what it shows, and becomes unusable with more.
_MOST_BYTES = 24 * 1024 * 1024
_SHOWN = {
    "image": '<img src="{source}" alt="{said}" style="max-width:100%;max-height:320px">',
    "video": '<video src="{source}" controls style="max-width:100%;max-height:320px"></video>',
}


def figure(path: Path | None, media_type: str | None, said: str) -> str:
    """Show a file with *said* below it, or *said* alone if there is none to show."""
    shown = _shown(path, media_type or "", said)
    return (
        '<figure style="display:inline-block;margin:4px;max-width:480px">'
        f'{shown}<figcaption style="font-size:small">{html.escape(said)}</figcaption></figure>'
    )


def panel(figures: Sequence[str], footing: str) -> str:
    """Put *figures* side by side, with *footing* below them."""
    line = f'<div style="font-size:small">{html.escape(footing)}</div>' if footing else ""
    return f"<div>{''.join(figures)}{line}</div>"


def _shown(path: Path | None, media_type: str, said: str) -> str:
    template = _SHOWN.get(media_type.partition("/")[0])
    if path is None or template is None:
        return ""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return ""
        content = base64.b64encode(path.read_bytes()).decode()
    except OSError:
        # Moved or deleted since: the words are what is left.
        return ""
    source = f"data:{html.escape(media_type)};base64,{content}"
    return template.format(source=source, said=html.escape(said))
