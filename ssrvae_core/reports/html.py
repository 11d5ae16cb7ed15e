"""A report as one HTML file: everything inside, nothing fetched, opened by a double click.

The functions return HTML and escape every text they are given; what they are given as a block is HTML already.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from importlib.resources import files

import plotly.graph_objects as go
from plotly.io.json import to_json_plotly
from plotly.offline import get_plotlyjs

from ssrvae_core.figures import theme
from ssrvae_core.reports.explorer.page import scripts as explorer_scripts
from ssrvae_core.reports.explorer.page import style as explorer_style

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)
"""What the browser lets the file do: nothing that needs a network. WebGL's programs are built with ``new Function``."""

_PERCENTAGE = re.compile(r"(?:&[lg]t;)?\d[\d.,]* %")

WIDE = 960
"""Least width of a chart of several panels, in pixels; a smaller screen scrolls through it."""


def page(title: str, lead: Sequence[str], *sections: str, explorers: bool = False) -> str:
    """Return the whole file.

    Parameters
    ----------
    title : str
        Heading and title of the window.
    lead : sequence of str
        Paragraphs below the heading.
    *sections : str
        What :func:`section` returns.
    explorers : bool
        Whether there are explorers of particles among them.
    """
    templates = {name: theme.template(dark=name == "dark").to_plotly_json() for name in ("light", "dark")}
    return "\n".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta name="color-scheme" content="light dark">\n<title>{escape(title)}</title>',
            f"<style>{_asset('report.css')}{explorer_style() if explorers else ''}</style>\n</head>\n<body>\n<main>",
            f"<h1>{escape(title)}</h1>",
            *(f"<p>{_text(paragraph)}</p>" for paragraph in lead),
            "<noscript><p>The charts of this page need JavaScript, which this browser has switched off.</p></noscript>",
            *sections,
            "</main>",
            f'<script type="application/json" id="templates">{to_json_plotly(templates)}</script>',
            f"<script>{get_plotlyjs()}</script>",
            f"<script>{_asset('report.js')}</script>{explorer_scripts() if explorers else ''}\n</body>\n</html>\n",
        )
    )


def section(title: str, *blocks: str) -> str:
    """Return a part of the page under a heading."""
    return "\n".join((f"<section>\n<h2>{_text(title)}</h2>", *blocks, "</section>"))


def subsection(title: str, *blocks: str) -> str:
    """Return a part of a section under a heading of its own."""
    return "\n".join((f"<section>\n<h3>{_text(title)}</h3>", *blocks, "</section>"))


def paragraph(text: str) -> str:
    """Return a paragraph."""
    return f"<p>{_text(text)}</p>"


def chart(figure: go.Figure, alt: str, *, height: int, caption: str = "", wide: bool = False) -> str:
    """Return a chart, drawn when it comes into view, in the colours of a light or a dark page.

    Parameters
    ----------
    figure : go.Figure
        The figure, in the project's template.
    alt : str
        What is to be seen, for people who cannot see it.
    height : int
        Pixels.
    caption : str
        Below the chart.
    wide : bool
        Whether it has several panels side by side, which a small screen scrolls through.
    """
    values = figure.to_dict()
    values["layout"].pop("template", None)
    values["config"] = {**theme.CONFIG, "responsive": True, "toImageButtonOptions": {"format": "svg"}}
    # A panel on a small screen is as wide as the screen, and needs no more height than that.
    size = f"height: {height}px; min-width: {WIDE}px" if wide else f"height: min({height}px, 85vw + 130px)"
    below = f"\n<figcaption>{_text(caption)}</figcaption>" if caption else ""
    return (
        f'<figure class="chart">\n<div class="scroll"><div class="plot" role="group" aria-label="{escape(alt)}" '
        f'style="{size}"></div></div>\n<script type="application/json">{to_json_plotly(values)}</script>{below}\n'
        "</figure>"
    )


def explorer(shown: str, caption: str) -> str:
    """Return an explorer of particles as wide as the window, with its caption."""
    return f'<figure class="wide">\n{shown}\n<figcaption>{_text(caption)}</figcaption>\n</figure>'


def side_by_side(charts: Sequence[str], caption: str) -> str:
    """Return charts beside each other where there is room, below each other where there is not, under one caption."""
    shown = "\n".join(charts)
    return f'<figure>\n<div class="row">\n{shown}\n</div>\n<figcaption>{_text(caption)}</figcaption>\n</figure>'


def table(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """Return a table; the first column names the row."""
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in header)
    body = "\n".join(
        f'<tr><th scope="row">{_text(first)}</th>{"".join(f"<td>{_text(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f"<figure>\n<figcaption>{_text(caption)}</figcaption>\n"
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}">\n'
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>\n</figure>"
    )


def details(summary: str, *blocks: str) -> str:
    """Return blocks that are shown on a click."""
    return "\n".join((f"<details>\n<summary>{_text(summary)}</summary>", *blocks, "</details>"))


def file_links(text: str, names: Sequence[str]) -> str:
    """Return links to files that lie beside the page."""
    links = ", ".join(f'<a href="{escape(name)}">{escape(name)}</a>' for name in names)
    return f'<p class="files">{escape(text)} {links}</p>'


def _text(text: str) -> str:
    """Return a text as HTML in which no line ends between a number and its percent sign."""
    return _PERCENTAGE.sub(r'<span class="one">\g<0></span>', escape(text))


def _asset(name: str) -> str:
    return files("ssrvae_core.reports").joinpath(name).read_text(encoding="utf-8")
