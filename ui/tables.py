"""Small tables as HTML: every cell can be read by a screen reader, and both themes keep their contrast."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ssrvae_core import shares

_FIT_A_PHONE = 4  # columns; of more, every row becomes a list there

STYLE = """<style>
.numbers {overflow-x: auto; position: relative}
.numbers table {border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; width: 100%}
.numbers caption {text-align: left; font-weight: 600; padding: 2px 0 4px}
.numbers th, .numbers td {padding: 4px 0 4px 8px; text-align: right; border: 0;
  border-bottom: 1px solid rgba(138, 138, 138, 0.3)}
.numbers thead th {font-weight: 600; border-bottom: 1px solid rgba(138, 138, 138, 0.8)}
.numbers th:first-child {text-align: left; padding-left: 0}
.numbers tbody th {font-weight: 400}
.numbers tr.ours th {font-weight: 600}
@media (max-width: 640px) {
  .numbers.many thead {position: absolute; left: -9999px}
  .numbers.many tr {display: block; padding: 6px 0; border-bottom: 1px solid rgba(138, 138, 138, 0.8)}
  .numbers.many :is(tbody th, td) {display: flex; justify-content: space-between; gap: 12px; padding: 2px 0; border: 0}
  .numbers.many td::before {content: attr(data-name)}
}
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
        + "".join(
            f'<td data-name="{escape(column)}">{escape(cell)}</td>'
            for column, cell in zip(columns[1:], cells, strict=True)
        )
        + "</tr>"
        for at, (name, *cells) in enumerate(rows)
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    many = " many" if len(columns) > _FIT_A_PHONE else ""
    table = f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'{STYLE}<div class="numbers{many}">{table}</div>'


def share(value: float | None) -> str:
    """Write a number from 0 to 1 as reports do, "n/a" where there is none."""
    return "n/a" if value is None else shares.share(value)


def decimals(value: float | None) -> str:
    """Write any other number likewise."""
    return "n/a" if value is None else shares.decimals(value)
