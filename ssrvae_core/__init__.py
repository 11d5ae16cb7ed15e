"""Semi-supervised, rotationally invariant variational autoencoders of images with strong rotational disorder."""

from importlib import import_module
from typing import Any

__all__ = ["ParticleEmbedding", "SSRVAEClassifier", "__version__"]
__version__ = "0.1.0"


_ESTIMATORS = {
    "ParticleEmbedding": "ssrvae_core.embedding.estimator",
    "SSRVAEClassifier": "ssrvae_core.estimator",
}


def __getattr__(name: str) -> Any:
    """Import an estimator when it is asked for: it brings torch, which takes seconds."""
    if name in _ESTIMATORS:
        return getattr(import_module(_ESTIMATORS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
