"""The particles of a library as one HTML file: classes with counts, fractions, averages, and every picture."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape
from pathlib import Path

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.library.crops import Crops
from ssrvae_core.library.exports.pictures import png
from ssrvae_core.library.exports.selection import Ids, class_name, selected_rows, whole
from ssrvae_core.library.fractions import Fractions
from ssrvae_core.library.outliers import Outliers
from ssrvae_core.library.sheets import Sheet
from ssrvae_core.library.state import NONE, Library
from ssrvae_core.library.upright import batches
from ssrvae_core.runs.store import Run
from ssrvae_core.runs.thumbnails import shrunk, to_pixels

MOST = 20_000
"""Most pictures of a page: about 40 MB, and as many as a browser shows at once."""

COLUMNS = 32
"""Pictures in a row of a sprite sheet."""

SPRITES = 1024
"""Pictures of a sprite sheet at most."""

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""What the browser lets the file do: nothing but show what is in it."""

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 1200px; padding: 1.5rem; }
section { border-top: 1px solid #8888; margin-top: 2rem; }
table { border-collapse: collapse; } th, td { padding: .2rem .8rem .2rem 0; text-align: right; }
th:first-child { text-align: left; }
.sheet { display: flex; flex-wrap: wrap; gap: 2px; }
.sheet i { background-repeat: no-repeat; display: block; image-rendering: auto; }
.average { display: flex; flex-wrap: wrap; gap: 1.5rem; margin-bottom: 1rem; }
.average img { height: 128px; image-rendering: pixelated; }
figure { margin: 0; max-width: 16rem; } figcaption { font-size: .875rem; }
"""


def page_title(run: Run) -> str:
    """Return the heading of a run's page, which says what its images are."""
    return f"Library of {run.data_name}, run {run.id}"


def write_page(
    path: Path,
    library: Library,
    crops: Crops,
    ids: Ids | None = None,
    *,
    title: str,
    turned: bool = True,
    sheets: tuple[Sheet, ...] = (),
    fractions: Fractions | None = None,
    outliers: Outliers | None = None,
) -> int:
    """Write particles as one HTML file that needs no network, whole or not at all, and return how many.

    Every picture is an element ``[data-sample="ID"]``, and ``[data-selected]`` holds their number.

    Parameters
    ----------
    path, library, crops, ids
        As in :func:`ssrvae_core.library.exports.pictures.write_pictures`.
    title : str
        Heading of the page.
    turned : bool
        Whether the pictures are upright; else they are as seen.
    sheets : tuple of Sheet
        Whose averages are shown, of all particles of a class.
    fractions, outliers : optional
        What is said of the whole library.

    Raises
    ------
    UserError
        If one is not a particle of the run, there are too many for a page, or the file cannot be written.
    """
    rows = selected_rows(library, ids)
    if len(rows) > MOST:
        raise UserError(
            f"{len(rows):,} particles are too many for a page, which shows {MOST:,} at most; select fewer, or export a"
            " zip of pictures."
        )
    averages = {sheet.number: sheet for sheet in sheets}
    assigned = library.assigned[rows]
    with whole(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(_head(title))
        told = "1 particle" if len(rows) == 1 else f"{len(rows):,} particles"
        file.write(f"<h1>{escape(title)}</h1>\n<p>{told} of {len(library.base.ids):,}: ")
        file.write(f"<span data-selected>{len(rows)}</span> pictures, {'upright' if turned else 'as seen'}.</p>\n")
        if fractions is not None:
            file.write(_table(library, fractions))
        if outliers is not None:
            file.write(f"<p>{escape(outliers.in_words)}</p>\n")
        for number in (*library.names, NONE):
            own = rows[assigned == number]
            if len(own):
                file.write(_section(library, number, len(own), averages.get(number)))
                file.writelines(_pictures(library, crops, own, number, turned))
                file.write("</section>\n")
        file.write("</body>\n</html>\n")
    return len(rows)


def _head(title: str) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
    )


def _table(library: Library, fractions: Fractions) -> str:
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("class", "particles in it", "labelled or moved by a person", "true share")
    )
    rows = "\n".join(
        f'<tr><th scope="row">{escape(class_name(library, one.number))}</th><td>{fractions.called(one)}</td>'
        f"<td>{one.known:,}</td><td>{one.in_words}</td></tr>"
        for one in fractions.classes
    )
    remarks = "".join(f"<p>{escape(remark)}</p>\n" for remark in fractions.remarks)
    caption = f"<p>{escape(fractions.in_words)}</p>\n"
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n{caption}{remarks}"


def _section(library: Library, number: int, count: int, sheet: Sheet | None) -> str:
    heading = f"<section>\n<h2>{escape(class_name(library, number))} ({count:,})</h2>\n"
    if sheet is None or sheet.mean is None or sheet.variance is None:
        return heading
    deviation = np.sqrt(sheet.variance)
    every = sheet.averaged == sheet.count
    which = "all" if every else f"{sheet.averaged:,} of the"
    why = "" if every else ": the model gives the others other classes, and angles that do not compare"
    shown = {
        f"Average of {which} {sheet.count:,} particles of the class, upright{why}.": sheet.mean,
        f"Standard deviation of the same particles, pixel by pixel; white is {deviation.max():.2g}.": deviation
        / (deviation.max() or 1),
    }
    figures = "".join(
        f'<figure><img alt="{escape(text)}" src="{_data(to_pixels(image))}"><figcaption>{escape(text)}</figcaption>'
        "</figure>\n"
        for text, image in shown.items()
    )
    return f'{heading}<div class="average">\n{figures}</div>\n'


def _pictures(library: Library, crops: Crops, rows: np.ndarray, number: int, turned: bool) -> Iterator[str]:
    for place, part in enumerate(batches(len(rows), SPRITES)):
        pictures = crops.rows(rows[part], turned=turned)
        pixels = shrunk(pictures, np.arange(len(pictures)))
        height, width = pixels.shape[1:3]
        name = f"s{number if number != NONE else 'n'}-{place}"
        yield f"<style>.{name} i {{ height: {height}px; width: {width}px; background-image: url({_sprites(pixels)}); }}"
        yield f'</style>\n<div class="sheet {name}">\n'
        for position, row in enumerate(rows[part].tolist()):
            x, y = position % COLUMNS * width, position // COLUMNS * height
            label = f"particle {library.base.ids[row]}"
            yield (
                f'<i data-sample="{library.base.ids[row]}" role="img" aria-label="{label}" title="{label}"'
                f' style="background-position: -{x}px -{y}px"></i>\n'
            )
        yield "</div>\n"


def _sprites(pixels: np.ndarray) -> str:
    """Return pictures (N, H, W) or (N, H, W, 3) side by side in rows, as an address of data."""
    n, height, width = pixels.shape[:3]
    down = -(-n // COLUMNS)
    across = min(n, COLUMNS)
    whole = np.zeros((down * across, *pixels.shape[1:]), dtype=np.uint8)
    whole[:n] = pixels
    grid = whole.reshape(down, across, height, width, -1).swapaxes(1, 2).reshape(down * height, across * width, -1)
    return _data(grid[..., 0] if grid.shape[-1] == 1 else grid)


def _data(pixels: np.ndarray) -> str:
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()
