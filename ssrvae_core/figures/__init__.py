"""Figures: arrays in, a plotly Figure out."""

from ssrvae_core.figures.angle import accuracy_by_angle_figure
from ssrvae_core.figures.confusion import confusion_figure, confusion_figures
from ssrvae_core.figures.latent import Panel, colourings, latent_scatter

__all__ = ["Panel", "accuracy_by_angle_figure", "colourings", "confusion_figure", "confusion_figures", "latent_scatter"]
