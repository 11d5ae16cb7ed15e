"""What the Overview opens with: what the dashboard is for, and the best result of the store as a picture."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape

import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.figures.counts import judged_words
from ssrvae_core.figures.mapsvg import map_svg
from ssrvae_core.reports.wording import TIE, ahead, model_title
from ssrvae_core.runs import Run
from ssrvae_core.shares import percent
from ui import charts, markdown
from ui.markers import SHAPES
from ui.runs import partner, predictions_of

PURPOSE = (
    "Classes for images of particles, learnt from a few labels, whichever way the particles are turned. Train on your "
    "own images, look at every particle on a map of what was learnt, and take the classes away."
)
MOST_CLASSES = 8
"""Classes that the legend of the picture names."""

_STYLE = """<style>
.best {display: flex; gap: 20px}
.best figure {margin: 0; flex: 1 1 0; max-width: 460px}
.best figcaption {font-size: 0.95rem; padding-bottom: 2px}
.best figcaption b {font-size: 1.5rem; font-variant-numeric: tabular-nums; padding-left: 8px}
.best img {width: 100%; display: block}
</style>"""


def best_pair(runs: Sequence[Run]) -> tuple[Run, Run] | None:
    """Return the run without and the run with invariance that differ most, judged on the same images and labels.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs.

    Returns
    -------
    (Run, Run) or None
        The ss-VAE and the ss-rVAE; of equal ones those with the fewest labels. None where no ss-rVAE is ahead.
    """
    pairs = []
    for run in runs:
        if run.config.model.rotation == "none" or run.accuracy is None:
            continue
        other = partner(run, [one for one in runs if one.config.split == run.config.split and one.accuracy is not None])
        if other is not None and ahead(run.accuracy, other.accuracy or 0.0):
            pairs.append((other, run))
    return max(pairs, key=lambda pair: (round(_lead(pair) / TIE), -(pair[1].status.n_labelled or 0)), default=None)


def _lead(pair: tuple[Run, Run]) -> float:
    return (pair[1].accuracy or 0.0) - (pair[0].accuracy or 0.0)


def right_text(run: Run) -> str:
    """Write a run's accuracy so that it does not break over two lines."""
    return percent(run.accuracy or 0.0).replace(" ", "\u00a0")


def result_text(pair: tuple[Run, Run], n_validation: int | None = None) -> str:
    """Say in a sentence what two runs came to, where known with how many images were held out, labelled or not."""
    control, run = pair
    labels = run.status.n_labelled
    n = (run.status.validation or {}).get("n")
    known = f"With {labels:,} labelled images" if labels else "On the same labels"
    of = judged_words(n, n_validation or n) if n else "the validation images"
    return (
        f"{known}, the {model_title(run)} is right about {right_text(run)} of {of} of {run.data_name} "
        f"({len(run.class_names)} classes); the {model_title(control)}, which does not know that particles turn, about "
        f"{right_text(control)}."
    )


def show(runs: Sequence[Run]) -> None:
    """Show what the dashboard is for, with the best pair of finished runs as two maps where there is one."""
    pair = best_pair(runs)
    try:
        maps = "".join(map(_figure, pair)) if pair else ""
    except UserError:  # the list says what is wrong with a run that cannot be read
        pair, maps = None, ""
    if pair is None:
        markdown.show(PURPOSE)
        return
    pictures, words = st.columns([3, 2], gap="medium", vertical_alignment="center")
    with pictures:
        st.html(f'{_STYLE}<div class="best">{maps}</div>')
    with words:
        markdown.show(PURPOSE)
        markdown.show("**{result}**", result=result_text(pair, len(predictions_of(pair[1]))))
        st.html(charts.class_legend(pair[1].class_names[:MOST_CLASSES]))
        st.page_link(
            "pages/latent_space.py",
            label="Open these two maps",
            icon=":material/scatter_plot:",
            query_params={"left": pair[0].id, "right": pair[1].id},
        )


def _figure(run: Run) -> str:
    p = predictions_of(run)
    svg = map_svg(p.z_mean, p.labels, SHAPES)
    title, accuracy = model_title(run), right_text(run)
    alt = escape(f"Map of the latents of {len(p):,} validation images by {title}, coloured by class; {accuracy} right.")
    source = f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"
    caption = f"<figcaption>{escape(title)}<b>{escape(accuracy)}</b></figcaption>"
    return f'<figure>{caption}<img src="{source}" alt="{alt}"></figure>'
