"""Rivals: what our models are compared with, on exactly the same split, labels and validation images.

:mod:`ssrvae_core.registry` has them, and says how to add one.
"""

from ssrvae_core.evaluation.rivals.contract import Fitted, Rival
from ssrvae_core.evaluation.rivals.judge import Judged, judge
from ssrvae_core.registry import RIVALS, RivalSpec

__all__ = ["RIVALS", "Fitted", "Judged", "Rival", "RivalSpec", "judge"]
