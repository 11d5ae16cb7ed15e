"""Small tables as HTML: every cell can be read by a screen reader, and both themes keep their contrast."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ssrvae_core.figures import theme

STYLE = """<style>
.numbers {overflow-x: auto}
.numbers table {border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; width: 100%}
.numbers caption {text-align: left; font-weight: 600; padding: 2px 0 4px}
.numbers th, .numbers td {padding: 4px 0 4px 8px; text-align: right; border: 0;
  border-bottom: 1px solid rgba(138, 138, 138, 0.3)}
.numbers thead th {font-weight: 600; border-bottom: 1px solid rgba(138, 138, 138, 0.8)}
.numbers th:first-child {text-align: left; padding-left: 0}
.numbers tbody th {font-weight: 400}
.numbers tr.ours th {font-weight: 600}
</style>"""


def html(columns: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str = "", ours: Sequence[int] = ()) -> str:
    """Return a table whose first column names the rows; every text in it is escaped.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : sequence of sequence of str
        Cells, a sequence a row.
    caption : str
        What the table shows.
    ours : sequence of int
        Rows to name in heavy type, from 0.
    """
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "".join(
        f'<tr{" class=ours" if at in ours else ""}><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for at, (name, *cells) in enumerate(rows)
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'{STYLE}<div class="numbers"><table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def share(value: float | None) -> str:
    """Write a number from 0 to 1 as figures do, "n/a" where there is none."""
    return "n/a" if value is None else theme.share(value)
