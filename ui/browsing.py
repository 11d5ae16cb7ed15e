"""All images of a data set, some at a time: by part and class, with the micrograph each is from."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import streamlit as st

from ssrvae_core.config import DatasetConfig
from ssrvae_core.data import ImageSet, Split
from ssrvae_core.runs.thumbnails import to_pixels
from ui import datasets, markdown
from ui.images import data_uri
from ui.sliders import number
from ui.state import pick

A_PAGE = 96
SIDE = 96
"""Pixels of the longer side of a picture at most; larger images are thinned out."""
ALL = "all"
PARTS = ("labelled", "unlabelled", "validation")


def rows_of(parts: Split, part: str, label: str) -> list[tuple[str, int]]:
    """Return the images of a part and a class, as the name of their part and their row in it, by ascending id.

    Parameters
    ----------
    parts : Split
        The split.
    part : str
        One of the parts, or "all".
    label : str
        A class by its number, -1 for images that never had a label, or "all". Of unlabelled images it is the label
        that training does not see.
    """
    found: list[tuple[int, str, int]] = []
    for name in PARTS if part == ALL else (part,):
        images: ImageSet = getattr(parts, name)
        labels = parts.hidden_labels if name == "unlabelled" else images.labels
        rows = np.arange(len(images)) if label == ALL else np.flatnonzero(labels == int(label))
        found += [(int(images.ids[row]), name, int(row)) for row in rows]
    return [(name, row) for _, name, row in sorted(found)]


def caption(parts: Split, part: str, row: int) -> tuple[str, str]:
    """Return what stands under an image, its class and whether training sees it, and what its tooltip says."""
    images: ImageSet = getattr(parts, part)
    label = int(parts.hidden_labels[row] if part == "unlabelled" else images.labels[row])
    name = images.class_names[label] if label >= 0 else "no label"
    hidden = ", label hidden" if part == "unlabelled" and label >= 0 else ""
    origin = [f"sample {images.ids[row]}", part]
    if images.names is not None:
        origin.append(images.names[row])
    if images.groups is not None:
        group = int(images.groups[row])
        origin.append(images.group_names[group] if images.group_names else f"micrograph {group}")
    return name + hidden, ", ".join(origin)


def gallery(config: DatasetConfig, parts: Split, rows: Sequence[tuple[str, int]]) -> str:
    """Return images as HTML; every name is escaped."""
    figures = []
    for (part, row), image in zip(rows, datasets.pictures_of(config, parts, rows), strict=True):
        below, about = caption(parts, part, row)
        step = max(1, -(-max(image.shape[1:]) // SIDE))
        picture = np.ascontiguousarray(to_pixels(image)[::step, ::step])
        seen = f'<img src="{data_uri(picture)}" alt="{escape(f"{below}; {about}")}">'
        figures.append(f'<figure title="{escape(about)}">{seen}<figcaption>{escape(below)}</figcaption></figure>')
    return f'{datasets.GALLERY_STYLE}<div class="samples">{"".join(figures)}</div>'


def browse(page: str, of: str, config: DatasetConfig, parts: Split) -> None:
    """Show all images behind a fold; those of a generated data set are drawn once it is opened."""
    n = sum(len(getattr(parts, name)) for name in PARTS)
    fold = st.expander(
        markdown.verbatim(f"All {n:,} images"),
        icon=":material/photo_library:",
        key=f"{page}-browse",
        on_change="rerun",
    )
    if not fold.open:
        return
    with fold:
        columns = st.columns(3, vertical_alignment="bottom")
        of_part = {ALL: "All parts"} | {name: name.capitalize() for name in PARTS if len(getattr(parts, name))}
        with columns[0]:
            part = pick(page, "part", "Part", list(of_part), ALL, format_func=of_part.__getitem__)
        names = dict(enumerate(parts.labelled.class_names))
        of_class = {ALL: "All classes"} | {str(label): name for label, name in names.items()} | {"-1": "No label"}
        with columns[1]:
            label = pick(page, "shown", "Class", list(of_class), ALL, format_func=of_class.__getitem__)
        rows = rows_of(parts, part, label)
        pages = max(1, -(-len(rows) // A_PAGE))
        at = 1
        if pages > 1:
            title = f"Page, 1 to {pages}"
            with columns[2]:
                (chosen,) = number(page, "page", title, 1, pages, 1, of=f"{of}-{part}-{label}", slider=False)
            at = int(chosen)
        shown = rows[(at - 1) * A_PAGE : at * A_PAGE]
        if not shown:
            st.caption("No image is of this part and class.")
            return
        st.html(gallery(config, parts, shown))
        first = (at - 1) * A_PAGE + 1
        markdown.note(f"Images {first:,} to {first + len(shown) - 1:,} of {len(rows):,}; a tooltip says what each is.")
