"""The images of one cell of a confusion matrix, small and beside it, and the mistakes to begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import plotly.graph_objects as go

from ssrvae_core.records import Predictions
from ssrvae_core.shares import share
from ui.images import Pictures, data_uri
from ui.selection import rows_of

TOOLS, LINE = 24, 20
"""Pixels of a tool bar above a matrix, and of a line of its title."""

MOST = 30
"""Pictures beside a matrix; the gallery below has all of them."""

STYLE = """<style>
.cell-images {display: grid; grid-template-columns: repeat(auto-fill, minmax(52px, 1fr)); gap: 5px; max-height: 330px;
  overflow-y: auto}
.cell-images img {width: 100%; display: block; image-rendering: pixelated; border-radius: 3px}
</style>"""


@dataclass(frozen=True)
class Mistake:
    """So many of a class's images are taken for another class."""

    true: int
    predicted: int
    n: int
    of: int


def room_above(figure: go.Figure) -> int:
    """Return the pixels above a matrix that its title takes, and the tool bar above that."""
    return TOOLS + LINE * (figure.layout.annotations[0].text.count("<br>") + 1)


def mistakes(matrix: np.ndarray, most: int) -> list[Mistake]:
    """Return the most frequent mistakes of a confusion matrix (K, K), a row per true class; the first one first."""
    wrong = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    cells = [divmod(int(at), len(matrix)) for at in order]
    return [Mistake(t, p, int(wrong[t, p]), int(matrix[t].sum())) for t, p in cells if wrong[t, p]]


def in_words(class_names: Sequence[str], true: int | None, predicted: int | None) -> str:
    """Say which images these are; None stands for any class."""
    if true is None:
        return f"Taken for {class_names[predicted]}" if predicted is not None else "All images"
    if predicted is None:
        return f"All {class_names[true]}"
    right = "recognised" if true == predicted else f"taken for {class_names[predicted]}"
    return f"{class_names[true]} {right}"


def html(ids: np.ndarray, pictures: Pictures, predictions: Predictions, class_names: Sequence[str]) -> str:
    """Return pictures of these samples, in this order, as HTML; what a model says of each shows on hovering."""
    shown = [(int(sample), pictures.of(int(sample))) for sample in ids[:MOST]]
    rows = rows_of(ids[:MOST], predictions)
    images = ""
    for (sample, picture), row in zip(shown, rows, strict=True):
        if picture is None:
            continue
        label, confidence = class_names[predictions.predicted[row]], predictions.confidence[row]
        about = escape(f"Sample {sample}: {label}, confidence {share(float(confidence))}", quote=True)
        images += f'<img data-sample="{sample}" src="{data_uri(picture)}" alt="{about}" title="{about}">'
    return f'{STYLE}<div class="cell-images" role="group" aria-label="Images of the cell">{images}</div>'
