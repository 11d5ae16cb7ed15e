"""Evaluation: what a model's predictions are worth.

:mod:`~ssrvae_core.evaluation.metrics` and :mod:`~ssrvae_core.evaluation.angles` work on arrays alone;
:mod:`~ssrvae_core.evaluation.evaluate`, which runs a model, is imported by name because it needs torch.
"""

from ssrvae_core.evaluation.angles import SYMMETRY_ORDERS, angle_error, angle_report
from ssrvae_core.evaluation.metrics import summary

__all__ = ["SYMMETRY_ORDERS", "angle_error", "angle_report", "summary"]
