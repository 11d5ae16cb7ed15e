"""Data sets: image generators, readers of the user's own images, and splits."""

from ssrvae_core.data.dataset import UNLABELLED, ImageSet, Split

__all__ = ["UNLABELLED", "ImageSet", "Split"]
