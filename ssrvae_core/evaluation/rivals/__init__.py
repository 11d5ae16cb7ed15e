"""Rivals: what our models are compared with, on exactly the same split, labels and validation images."""

from ssrvae_core.evaluation.rivals.contract import Fitted, Rival
from ssrvae_core.evaluation.rivals.convolutional import cnn, cnn_fixmatch
from ssrvae_core.evaluation.rivals.judge import Judged, judge
from ssrvae_core.evaluation.rivals.pixels import decision_tree, knn, logistic_regression, random_forest, xgboost
from ssrvae_core.evaluation.rivals.spreading import label_spreading

RIVALS: dict[str, Rival] = {
    "decision-tree": decision_tree,
    "random-forest": random_forest,
    "xgboost": xgboost,
    "logistic-regression": logistic_regression,
    "knn": knn,
    "label-spreading": label_spreading,
    "cnn": cnn,
    "cnn-fixmatch": cnn_fixmatch,
}
"""Rivals by name. To add your own, put it here and its version into :data:`ssrvae_core.config.RIVAL_VERSIONS`."""

__all__ = ["RIVALS", "Fitted", "Judged", "Rival", "judge"]
