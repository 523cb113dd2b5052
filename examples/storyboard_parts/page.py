"""The board as one HTML page that needs nothing but the pictures and films beside it."""

from __future__ import annotations

from html import escape
from pathlib import Path
from urllib.parse import quote

from quickstart_parts.look import style
from quickstart_parts.service import Service

from storyboard_parts.board import Board, Panel, total

_STYLE = style(__file__)


def write(board: Board, service: Service, folder: Path) -> Path:
    """Write ``index.html`` into *folder* and give its path."""
    page = folder / "index.html"
    page.write_text(render(board, service, folder), encoding="utf-8")
    return page


def render(board: Board, service: Service, folder: Path) -> str:
    """Make the page; files are named relative to *folder*, so that it can be moved as a whole."""
    title = escape(board.script.title)
    panels = "".join(_panel(each, folder) for each in board.panels)
    costs = [cost for panel in board.panels for cost in panel.costs]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{_STYLE}</style>
</head>
<body>
<header>
<h1>{title}</h1>
{_service(service)}
</header>
<main>
{panels}</main>
<footer>By list prices: {escape(total(costs))}. No bill was looked at.</footer>
</body>
</html>
"""


def _service(service: Service) -> str:
    models = f"{escape(service.image)} · {escape(service.video)}"
    if service.is_emulator:
        said = "Made by the local emulator, not by Doubao: pictures and films are placeholders"
        return f'<p class="service emulated">{said} · {models}</p>'
    return f'<p class="service">Made by {escape(service.title)} · {models}</p>'


def _panel(panel: Panel, folder: Path) -> str:
    problems = "".join(f'<p class="problem">{escape(each)}</p>\n' for each in panel.problems)
    return f"""<section>
{_screen(panel, folder)}
<h2><span>{panel.scene.number}</span> {escape(panel.scene.title)}</h2>
<p>{escape(panel.scene.picture)}</p>
<p class="motion">{escape(panel.scene.motion)}</p>
{problems}</section>
"""


def _screen(panel: Panel, folder: Path) -> str:
    picture = _address(panel.picture, folder)
    film = _address(panel.film, folder)
    if film:
        poster = f' poster="{picture}"' if picture else ""
        how = 'controls loop muted playsinline preload="metadata"'
        return f'<video {how}{poster} src="{film}"></video>'
    if picture:
        return f'<img src="{picture}" alt="{escape(panel.scene.picture)}">'
    return '<div class="empty">nothing yet</div>'


def _address(file: Path | None, folder: Path) -> str:
    return "" if file is None else quote(file.relative_to(folder).as_posix())
