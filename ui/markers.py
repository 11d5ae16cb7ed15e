"""The outlines of plotly's markers, where the pages look for them."""

from ssrvae_core.figures.markers import SHAPES as SHAPES
