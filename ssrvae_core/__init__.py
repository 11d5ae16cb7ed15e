"""Semi-supervised, rotationally invariant variational autoencoders of images with strong rotational disorder."""

from importlib import import_module
from typing import Any

__all__ = ["SSRVAEClassifier", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the estimator when it is asked for: it brings torch, which takes seconds."""
    if name == "SSRVAEClassifier":
        return import_module("ssrvae_core.estimator").SSRVAEClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
