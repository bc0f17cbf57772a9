"""Parts of an HTML page that needs nothing but itself. What comes from data is escaped by whoever puts it in."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import quote

from iamm.table.write.style import STYLE

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""For the browser: no script, and nothing from elsewhere."""


class Section(NamedTuple):
    """A part of the page: its anchor, its heading, its content; without content it is left out."""

    name: str
    title: str
    body: str


def escaped(value: object) -> str:
    return html.escape(str(value))


def prose(text: str) -> str:
    """Escaped, with what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped(text.strip()))


def link(target: str, text: str) -> str:
    return f'<a href="{escaped(quote(target))}">{escaped(text)}</a>'


def bullets(items: Iterable[str], kind: str = "") -> str:
    lines = "".join(f"<li>{item}</li>" for item in items)
    return f"<ul{class_of(kind)}>{lines}</ul>" if lines else ""


def terms(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and what is said of them; nothing of what is empty."""
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{said}</dd>" for name, said in pairs if said) + "</dl>"


def grid(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that scrolls in its own box; the first cell of each row heads it. Empty without rows."""
    lines = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for first, *cells in rows
    )
    if not lines:
        return ""
    heads = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"
    return figure(f'<div class="scroll" tabindex="0">{table}</div>', caption)


def details(summary: str, body: str, *, shown: bool = False) -> str:
    return f"<details{' open' if shown else ''}><summary>{summary}</summary>{body}</details>"


def figure(body: str, caption: str) -> str:
    said = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f"<figure>{said}{body}</figure>"


def block(kind: str, body: str) -> str:
    return f'<div class="{kind}">{body}</div>' if body else ""


def class_of(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def page(title: str, opening: str, sections: Iterable[Section]) -> str:
    """The whole file.

    Args:
        title: as text.
        opening: what stands below it.
        sections: in order; those without content are left out of the contents too.
    """
    filled = [section for section in sections if section.body]
    contents = bullets(f'<a href="#{section.name}">{section.title}</a>' for section in filled)
    body = "\n".join(
        f'<section id="{section.name}"><h2>{section.title}</h2>\n{section.body}\n</section>' for section in filled
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escaped(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header><h1>{escaped(title)}</h1>
{opening}
<nav aria-label="Contents">{contents}</nav></header>
<main>
{body}
</main>
</body>
</html>
"""
