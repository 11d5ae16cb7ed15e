"""A gallery: images beside what each model says of them and how it draws them upright."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from zlib import crc32

import numpy as np
import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.figures import Panel
from ssrvae_core.runs import Run
from ssrvae_core.shares import share
from ui import markdown
from ui.images import Pictures, data_uri, reconstructions, validation_pictures
from ui.selection import least_certain_first, rows_of
from ui.sliders import number

PAGE_SIZE = 12

STYLE = """<style>
.gallery {display: grid; grid-template-columns: repeat(auto-fill, minmax(270px, 1fr)); gap: 12px; margin: 4px 0 8px}
.gallery figure {margin: 0; padding: 8px 10px; border: 1px solid rgba(138, 138, 138, 0.4); border-radius: 8px}
.gallery .pictures {display: flex; gap: 8px}
.gallery .pictures div {flex: 1; max-width: 96px; font-size: 0.75rem; line-height: 1.3}
.gallery img {width: 100%; image-rendering: pixelated; border-radius: 4px; display: block}
.gallery figcaption {font-size: 0.85rem; line-height: 1.45; margin-top: 6px}
.gallery .wrong {font-weight: 600; text-decoration: underline #D55E00 2px; text-underline-offset: 3px}
</style>"""


@dataclass(frozen=True)
class Verdict:
    """What one model says of one image; the angle in degrees, NaN for a model without rotation."""

    model: str
    predicted: str
    confidence: float
    angle: float
    right: bool | None
    drawn: np.ndarray | None


@dataclass(frozen=True)
class Card:
    """One image of the gallery, with its true class ("" where unknown)."""

    sample: int
    true: str
    picture: np.ndarray | None
    verdicts: tuple[Verdict, ...]
    note: str = ""


def html(cards: Sequence[Card]) -> str:
    """Return the gallery as HTML; every name in it is escaped."""
    return STYLE + '<div class="gallery">' + "".join(_figure(card) for card in cards) + "</div>"


def _figure(card: Card) -> str:
    true = escape(card.true) or "class unknown"
    pictures = [_picture(card.picture, "image", f"Image {card.sample}: {true}")]
    pictures += [
        _picture(v.drawn, escape(v.model), f"Image {card.sample} as {escape(v.model)} draws it, de-rotated")
        for v in card.verdicts
    ]
    note = f", {escape(card.note)}" if card.note else ""
    lines = "".join(f"<br>{_line(verdict)}" for verdict in card.verdicts)
    return (
        f'<figure><div class="pictures">{"".join(pictures)}</div>'
        f"<figcaption><b>{true}</b>, sample {card.sample}{note}{lines}</figcaption></figure>"
    )


def _picture(picture: np.ndarray | None, below: str, alt: str) -> str:
    return "" if picture is None else f'<div><img src="{data_uri(picture)}" alt="{alt}">{below}</div>'


def _line(verdict: Verdict) -> str:
    said = escape(verdict.predicted)
    marked = f'<span class="wrong">{said}, wrong</span>' if verdict.right is False else said
    angle = "" if np.isnan(verdict.angle) else f", {verdict.angle:.0f}\u00b0"
    return f"{escape(verdict.model)}: {marked}, confidence {share(float(verdict.confidence))}{angle}"


def cards(
    ids: np.ndarray,
    panels: Sequence[Panel],
    class_names: Sequence[str],
    pictures: Pictures | None,
    drawn: Sequence[np.ndarray | None],
    notes: Sequence[str] = (),
) -> list[Card]:
    """Put together what is known of these samples.

    Parameters
    ----------
    ids : int array (n,)
        Samples that every panel's predictions have.
    panels : sequence of Panel
        The models' titles and predictions.
    class_names : sequence of str
        Name of class ``k`` at position ``k``.
    pictures : Pictures, optional
        The images, where they can be had.
    drawn : sequence of array (n, H, W[, 3]) or None
        What each model draws of the samples.
    notes : sequence of str, optional
        More to say of each sample.
    """
    rows = [rows_of(ids, panel.predictions) for panel in panels]
    labels = panels[0].predictions.labels[rows[0]]
    return [
        Card(
            sample=int(sample),
            true=class_names[labels[at]] if labels[at] >= 0 else "",
            picture=None if pictures is None else pictures.of(int(sample)),
            verdicts=tuple(
                _verdict(panel, row[at], class_names, None if made is None else made[at])
                for panel, row, made in zip(panels, rows, drawn, strict=True)
            ),
            note=notes[at] if len(notes) else "",
        )
        for at, sample in enumerate(ids)
    ]


def _verdict(panel: Panel, row: int, class_names: Sequence[str], drawn: np.ndarray | None) -> Verdict:
    p = panel.predictions
    label, predicted = int(p.labels[row]), int(p.predicted[row])
    return Verdict(
        model=panel.title,
        predicted=class_names[predicted],
        confidence=float(p.confidence[row]),
        angle=float(np.degrees(p.angle[row])),
        right=None if label < 0 else label == predicted,
        drawn=drawn,
    )


def show_gallery(
    page: str, ids: np.ndarray, runs: Sequence[Run], panels: Sequence[Panel], *, by: Panel | None = None
) -> None:
    """Show these samples some at a time, those a model is least certain of first.

    Parameters
    ----------
    page : str
        The page.
    ids : int array (n,)
        Sample ids; those that some panel does not have are left out.
    runs : sequence of Run
        The runs of the first panels.
    panels : sequence of Panel
        What the runs say, then what rivals say, which draw nothing.
    by : Panel, optional
        Whose certainty counts; by default the first panel's.
    """
    for panel in panels:
        ids = panel.predictions.ids[rows_of(ids, panel.predictions)]
    ids = least_certain_first(ids, (by or panels[0]).predictions)
    first = PAGE_SIZE * (_turned_to(page, ids) - 1)
    show_cards(ids[first : first + PAGE_SIZE], runs, panels)


def show_cards(ids: np.ndarray, runs: Sequence[Run], panels: Sequence[Panel], notes: Sequence[str] = ()) -> None:
    """Show these samples, all at once and in this order; ``runs``, ``panels`` and ``notes`` as for the others."""
    try:
        pictures = validation_pictures(runs[0], panels[0].predictions.ids)
    except UserError as error:
        markdown.warning(f"The images cannot be shown: {error}")
        pictures = None
    if pictures is not None and pictures.note:
        markdown.note(pictures.note)
    drawn = [_drawn(run, panel, ids) for run, panel in zip(runs, panels, strict=False)]
    drawn += [None] * (len(panels) - len(runs))
    st.html(html(cards(ids, panels, runs[0].class_names, pictures, drawn, notes)))


def _turned_to(page: str, ids: np.ndarray) -> int:
    """Return the page of the gallery to show: the address's, and the first one when other samples are selected."""
    pages, selection = -(-len(ids) // PAGE_SIZE), str(crc32(ids.tobytes()))
    if st.session_state.setdefault(f"{page}-gallery", selection) != selection:
        st.session_state[f"{page}-gallery"] = selection
        st.query_params.pop("page", None)
    if pages < 2:
        st.query_params.pop("page", None)
        return 1
    label = f"Page of the gallery, 1 to {pages} ({PAGE_SIZE} images each, the least certain first)"
    with st.container(width=420):
        (turned_to,) = number(page, "page", label, 1, pages, 1, of=selection, slider=False)
    return int(turned_to)


def _drawn(run: Run, panel: Panel, ids: np.ndarray) -> np.ndarray | None:
    try:
        return reconstructions(run, panel.predictions, rows_of(ids, panel.predictions))
    except UserError as error:
        markdown.warning(f"{panel.title} cannot draw the images: {error}")
        return None
