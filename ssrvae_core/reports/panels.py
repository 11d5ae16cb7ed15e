"""The charts of a report, each with its caption: latents, confusion, accuracy by angle, calibration and films."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ssrvae_core.figures import Panel, accuracy_by_angle_figure, confusion_figure, latent_scatter
from ssrvae_core.records import Predictions
from ssrvae_core.reports import html
from ssrvae_core.reports.film import Film
from ssrvae_core.reports.reliability import reliability, reliability_figure
from ssrvae_core.reports.wording import judged_text, plain, titles
from ssrvae_core.runs import Run

LATENT_HEIGHT, CONFUSION_HEIGHT, CURVE_HEIGHT = 520, 430, 400


def latents(runs: Sequence[Run], predictions: Sequence[Predictions], caption: str) -> str:
    """Return the latent scatter of each run, coloured by true class."""
    charts = []
    for title, run, said in zip(titles(runs), runs, predictions, strict=True):
        figure = latent_scatter([Panel(plain(title), said)], _names(run))
        figure.update_layout(dragmode="pan")
        alt = (
            f"Scatter of the latent means of {len(said):,} images under the {title}, coloured by class; "
            f"{judged_text(run.accuracy)}."
        )
        charts.append(html.chart(figure, alt, height=LATENT_HEIGHT))
    return html.side_by_side(charts, f"Latent means, coloured and shaped by true class. {caption}")


def confusions(counts: Mapping[str, np.ndarray], class_names: Sequence[str], caption: str) -> str:
    """Return confusion matrices on one colour scale.

    Parameters
    ----------
    counts : mapping of str to int array (K, K)
        Title and counts of each matrix; a row per true class.
    class_names : sequence of str, length K
        Name of class ``k`` at position ``k``.
    caption : str
        Data, N, labels, seed and what else belongs below.

    Returns
    -------
    str
        A sentence where there is no matrix, as no image has a label.
    """
    if not counts:
        return html.paragraph(f"No validation image has a label, so there is no confusion to show. {caption}")
    charts = []
    for title, matrix in counts.items():
        shown = [plain(name) for name in class_names]
        figure = confusion_figure(matrix, shown, normalise=True, title=plain(title))
        figure.update_layout(coloraxis={"showscale": False})
        n, right = int(matrix.sum()), int(np.trace(matrix))
        alt = f"Confusion matrix of {title}: {right:,} of {n:,} images on the diagonal."
        charts.append(html.chart(figure, alt, height=CONFUSION_HEIGHT))
    return html.side_by_side(
        charts, f"Shares of each true class (a row) by predicted class, with numbers of images. {caption}"
    )


def run_confusions(runs: Sequence[Run]) -> dict[str, np.ndarray]:
    """Return the confusion matrix of every run under its title; a run judged on no labelled image has none."""
    counts = {
        title: (run.status.validation or {}).get("confusion") for title, run in zip(titles(runs), runs, strict=True)
    }
    return {title: np.array(matrix) for title, matrix in counts.items() if matrix is not None}


def accuracy_by_angle(runs: Sequence[Run], caption: str) -> str | None:
    """Return the accuracy of the runs against the angle of the images; None where the angles are unknown."""
    bins = {
        plain(title): (run.status.validation or {}).get("accuracy_by_angle")
        for title, run in zip(titles(runs), runs, strict=True)
    }
    if not all(bins.values()):
        return None
    figure = accuracy_by_angle_figure({name: b for name, b in bins.items() if b}, chance=1 / len(runs[0].class_names))
    alt = f"Accuracy against the absolute angle an image is turned by, for {', '.join(titles(runs))}."
    return html.chart(figure, alt, height=CURVE_HEIGHT, caption=f"In bins of 15 degrees. {caption}")


def calibration(runs: Sequence[Run], predictions: Sequence[Predictions], caption: str) -> str | None:
    """Return the accuracy of the runs against their confidence; None where no image has a label."""
    points = {
        title: reliability(said)
        for title, said in zip(titles(runs), predictions, strict=True)
        if (said.labels >= 0).any()
    }
    if not points:
        return None
    figure = reliability_figure({plain(title): bins for title, bins in points.items()})
    alt = f"Accuracy against confidence for {', '.join(points)}; on the diagonal a model is as right as it says."
    return html.chart(figure, alt, height=CURVE_HEIGHT, caption=f"In bins of equal width by confidence. {caption}")


def film(shown: Film, caption: str) -> str:
    """Return a film with its slider and its play button."""
    figure = shown.figure()
    return html.chart(figure, shown.alt(), height=int(figure.layout.height), caption=caption, wide=True)


def _names(run: Run) -> list[str]:
    """Class names as plotly shows them letter by letter."""
    return [plain(name) for name in run.class_names]
