"""Accuracy against the supervised ratio: how many labels are enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from ssrvae_core.figures import theme
from ssrvae_core.figures.curves import LOGARITHMIC, curve_traces, extent_of, position_axis, untrained_points
from ssrvae_core.figures.frames import Curve


def accuracy_against_ratio(
    curves: Sequence[Curve],
    *,
    run_ids: Mapping[str, Sequence[Sequence[str]]] | None = None,
    untrained: Sequence[float] = (),
    quantity: str = "Accuracy",
    chosen: float | None = None,
    dark: bool = False,
) -> go.Figure:
    """Draw the mean accuracy of each model with its spread over seeds, baselines dashed.

    Parameters
    ----------
    curves : sequence of Curve
        Means over the supervised ratio, from ``low`` to ``high`` over the seeds; ratios are spread by their logarithm,
        so that a few labels have as much room as many.
    run_ids : mapping of str to sequence of sequence of str, optional
        By the name of a curve, the runs behind each of its points. They and the ratio are a point's ``customdata``:
        (ratio, ids joined by blanks).
    untrained : sequence of float
        Ratios without a run, drawn as hollow circles on the axis; their ``customdata`` is (ratio, "").
    quantity : str
        What the vertical axis shows.
    chosen : float, optional
        The ratio that is looked at, drawn as a line.
    dark : bool
        Text and lines for a dark page.
    """
    figure = go.Figure()
    for index, curve in enumerate(curves):
        *bands, line = curve_traces(index, curve)
        runs = (run_ids or {}).get(curve.name, [()] * len(curve.x))
        line["customdata"] = [[float(x), " ".join(ids)] for x, ids in zip(curve.x, runs, strict=True)]
        line["text"] = [_behind(curve, point, len(ids)) for point, ids in enumerate(runs)]
        line["hovertemplate"] = f"{curve.name}<br>ratio %{{x:g}}: %{{y:.3f}}%{{text}}<extra></extra>"
        line["marker"] = {**line["marker"], "size": 9, "line": theme.OUTLINE}
        line["mode"] = "lines+markers"
        figure.add_traces([*bands, line])
    low, high = extent_of(curves) if curves else (0.0, 1.0)
    if len(untrained):
        figure.add_trace(untrained_points(untrained, low))
    if chosen is not None:
        figure.add_vline(x=chosen, line={"color": theme.NEUTRAL, "width": 2}, layer="below")
    positions = [float(x) for curve in curves for x in curve.x] + [float(x) for x in untrained]
    axis = position_axis(positions, LOGARITHMIC) if positions else {}
    figure.update_layout(
        template=theme.template(dark=dark),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        xaxis={"title": {"text": "Supervised ratio (labelled share of the training images)"}, **axis},
        yaxis={"title": {"text": quantity}, "range": [low, high]},
        hovermode="closest",
        meta={"alt": describe_ratio(curves, untrained, quantity)},
    )
    return figure


def describe_ratio(curves: Sequence[Curve], untrained: Sequence[float] = (), quantity: str = "Accuracy") -> str:
    """Return one sentence that says what the figure shows, for who cannot see it."""
    ends = []
    for curve in curves:
        known = np.flatnonzero(np.isfinite(np.asarray(curve.y, float)))
        if len(known):
            first, last = known[0], known[-1]
            start = f"{curve.name} from {curve.y[first]:.3f} at {curve.x[first]:g}"
            ends.append(f"{start} to {curve.y[last]:.3f} at {curve.x[last]:g}")
    missing = f"; not trained yet at {', '.join(f'{x:g}' for x in untrained)}" if len(untrained) else ""
    return f"{quantity} against the supervised ratio: {', '.join(ends) or 'no run yet'}{missing}."


def _behind(curve: Curve, point: int, runs: int) -> str:
    """Spread and number of runs of a point, as far as they are known."""
    text = ""
    if curve.low is not None and curve.high is not None and np.isfinite(curve.low[point]):
        text += f"<br>{curve.low[point]:.3f} to {curve.high[point]:.3f}"
    return text + (f"<br>{runs} {'run' if runs == 1 else 'runs'}" if runs else "")
