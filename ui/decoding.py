"""What a model draws: the latent plane of a class, each latent by itself, or one point."""

from __future__ import annotations

import numpy as np
import streamlit as st

from ssrvae_core.evaluation.latents import FEWEST, manifold_bounds
from ssrvae_core.figures import Panel
from ssrvae_core.runs import Run
from ui import charts, images
from ui.markdown import verbatim
from ui.sliders import number

KINDS = {"plane": "Manifold", "each": "Each latent", "point": "One point"}


def explain(kind: str, dims: int) -> str:
    """Say how far the pictures of this kind reach, where there are so many latents."""
    if kind == "point":
        others = " Other latents are in the middle of the class." if dims > 2 else ""
        return f"The sliders reach as far as the latents of the validation images do.{others}"
    others = " Other latents are in the middle of theirs." if dims > 2 or kind == "each" else ""
    return (
        "The pictures reach over the middle 95 % of the latents of the images a model takes for this class, or from "
        f"-2 to 2 where these are fewer than {FEWEST}.{others}"
    )


def show(
    page: str, side: str, kind: str, run: Run, panel: Panel, label: int, degrees: int, dims: tuple[int, int]
) -> None:
    """Show one picture, its caption, and a button that saves it.

    Parameters
    ----------
    page, side : str
        The page, and which of its models this is.
    kind : str
        One of :data:`KINDS`.
    run, panel
        The model, and what it says of the validation images.
    label, degrees : int
        Class and angle.
    dims : pair of int
        The latents across and upwards, from 0.

    Raises
    ------
    UserError
        If the model cannot be read.
    """
    name = run.class_names[label]
    bounds = manifold_bounds(panel.predictions, label)
    if kind == "plane":
        picture = images.manifold(run, label, degrees, dims, bounds)
        where = images.reach(bounds, dims)
    elif kind == "each":
        picture = images.traversals(run, label, degrees, bounds)
        where = "; ".join(images.span(bounds, d) for d in range(len(bounds))) + ", a row each"
    else:
        z = _point(page, side, run, panel, bounds, label, [d for d in dims if d < len(bounds)])
        picture = images.point(run, label, degrees, z)
        where = ", ".join(f"z{d + 1} = {value:.3g}" for d, value in enumerate(z))
    fixed = "" if run.config.model.rotation != "none" else ", which has no angle to turn"
    st.image(
        picture,
        caption=verbatim(f"{name} by {panel.title}{fixed}: {where}"),
        width="content" if kind == "point" else "stretch",
        alt=f"{KINDS[kind]} of class {name} as {panel.title} draws it at {degrees} degrees: {where}.",
    )
    st.download_button(
        "PNG",
        data=lambda: images.png(picture),
        file_name=f"{kind}-{run.id}-{charts.harmless_file_name(name)}.png",
        mime="image/png",
        on_click="ignore",
        key=f"{page}-drawn-png-{side}",
        icon=":material/download:",
    )


def _point(page: str, side: str, run: Run, panel: Panel, bounds: np.ndarray, label: int, dims: list[int]) -> np.ndarray:
    """Let a point be chosen: a slider each for two latents, the others in the middle of the class."""
    z = bounds.mean(axis=1)
    means = panel.predictions.z_mean.astype(np.float64)
    for d in dims:
        n = images.decimals(float(np.ptp(means[:, d])))
        low, high = np.floor(means[:, d].min() * 10**n) / 10**n, np.ceil(means[:, d].max() * 10**n) / 10**n
        middle = round(float(np.clip(z[d], low, high)), n + 1)
        (z[d],) = number(
            page,
            f"{side}-z{d + 1}",
            f"z{d + 1} of {panel.title}",
            float(low),
            float(high),
            middle,
            of=f"{run.id}-{label}",
            step=float(10.0 ** -(n + 1)),
            format=f"%.{n + 1}f",
        )
    return z
