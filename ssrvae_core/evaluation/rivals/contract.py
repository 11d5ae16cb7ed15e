"""What a rival is: one signature for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ssrvae_core.data import Split


class Fitted(Protocol):
    """A fitted rival."""

    @property
    def parameters(self) -> dict[str, Any]:
        """What was chosen, and how; ready for JSON."""

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        """Return the class probabilities (N, K), a column per class, of images (N, C, H, W).

        A method that declares ``masks`` (:class:`ssrvae_core.registry.RivalSpec`) takes their masks as well.
        """


Rival = Callable[[Split, int, str], Fitted]
"""``fit(data, seed, device)``: learn from ``data.labelled`` and, if it can, from ``data.unlabelled``; never look at
``data.validation`` or ``data.hidden_labels``. The result is a function of the arguments alone."""
