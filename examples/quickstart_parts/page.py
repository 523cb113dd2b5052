"""The results as one HTML page that needs nothing but the picture and the film beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from quickstart_parts.look import style
from quickstart_parts.result import Result, Source, Usage
from quickstart_parts.service import Service

_STYLE = style(__file__)


def render(results: Sequence[Result], service: Service, folder: Path) -> str:
    """Write the page; files are named relative to *folder*, so that it can be moved as a whole."""
    question = escape(results[0].question)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{question}</title>
<style>
{_STYLE}</style>
</head>
<body>
<header>
<h1>{question}</h1>
{_service(service)}
</header>
<main class="frameworks">
{"".join(_card(result, folder) for result in results)}</main>
{_usage(results)}
</body>
</html>
"""


def _service(service: Service) -> str:
    models = f"{escape(service.chat)} · {escape(service.embedding)}"
    if service.is_emulator:
        text = f"Answered by the local emulator, not by Doubao · {models}"
        return f'<p class="service emulated">{text}</p>'
    return f'<p class="service">Answered by {escape(service.title)} · {models}</p>'


def _card(result: Result, folder: Path) -> str:
    parts = [
        f'<section class="card">\n<h2>{escape(result.framework)}</h2>\n',
        f'<p class="failure">{escape(result.failure)}</p>\n' if result.failure else "",
        f'<p class="answer">{escape(result.answer)}</p>\n' if result.answer else "",
        _reasoning(result.reasoning),
        _sources(result.sources),
        _media(result, folder),
        "</section>\n",
    ]
    return "".join(parts)


def _reasoning(text: str) -> str:
    if not text:
        return ""
    return (
        '<details class="reasoning"><summary>How the model reasoned</summary>'
        f"<p>{escape(text)}</p></details>\n"
    )


def _sources(sources: Iterable[Source]) -> str:
    items = "".join(
        f"<li><details><summary>{escape(source.file)} "
        f'<span class="place">{escape(source.place)}</span> '
        f'<span class="score">· {source.score:.2f}</span></summary>'
        f'<p class="quote">{escape(source.text)}</p></details></li>\n'
        for source in sources
    )
    return f"<h3>Sources</h3>\n<ol>\n{items}</ol>\n" if items else ""


def _media(result: Result, folder: Path) -> str:
    figures = ""
    if result.image:
        picture = _address(result.image, folder)
        figures += (
            f'<figure><a href="{picture}"><img src="{picture}" '
            f'alt="{escape(result.image_prompt)}"></a>'
            f"<figcaption>{escape(result.image_prompt)}</figcaption></figure>\n"
        )
    if result.video:
        film = _address(result.video, folder)
        figures += (
            f'<figure><video controls loop muted playsinline preload="metadata" src="{film}#t=0.1">'
            f"</video><figcaption>{escape(result.video_prompt)}</figcaption></figure>\n"
        )
    caption = f'<p class="caption">{escape(result.caption)}</p>\n' if result.caption else ""
    if not figures and not caption:
        return ""
    return f'<h3>Illustrations by the agent</h3>\n<div class="media">\n{figures}</div>\n{caption}'


def _address(file: Path, folder: Path) -> str:
    return quote(file.relative_to(folder).as_posix())


def _usage(results: Iterable[Result]) -> str:
    rows = [(result.framework, usage) for result in results for usage in result.usage]
    if not rows:
        return ""
    total_in = sum(usage.input_tokens for _, usage in rows)
    total_out = sum(usage.output_tokens for _, usage in rows)
    return f"""<section class="card usage">
<h2>Token usage</h2>
<div class="table"><table>
<thead><tr><th>Framework</th><th>Step</th><th>Model</th>
<th class="number">Input</th><th class="number">Output</th></tr></thead>
<tbody>
{"".join(_usage_row(framework, usage) for framework, usage in rows)}</tbody>
<tfoot><tr><td colspan="3">Total</td>
<td class="number">{total_in:,}</td><td class="number">{total_out:,}</td></tr></tfoot>
</table></div>
</section>"""


def _usage_row(framework: str, usage: Usage) -> str:
    return (
        f"<tr><td>{escape(framework)}</td><td>{escape(usage.step)}</td>"
        f'<td>{escape(usage.model)}</td><td class="number">{usage.input_tokens:,}</td>'
        f'<td class="number">{usage.output_tokens:,}</td></tr>\n'
    )
