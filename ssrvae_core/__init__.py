"""Semi-supervised, rotationally invariant variational autoencoders of images with strong rotational disorder."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssrvae_core.estimator import SSRVAEClassifier

__version__ = "0.1.0"
__all__ = ["SSRVAEClassifier", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the classifier when it is first asked for: it needs torch, and most commands do not."""
    if name == "SSRVAEClassifier":
        from ssrvae_core.estimator import SSRVAEClassifier

        return SSRVAEClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
