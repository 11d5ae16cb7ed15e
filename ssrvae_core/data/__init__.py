"""Data sets: image generators, readers of the user's own images, and splits."""

from ssrvae_core.data.batches import Images, whole
from ssrvae_core.data.dataset import UNLABELLED, ImageSet, Split
from ssrvae_core.data.readers import READERS, file_dataset, fingerprint, open_images, read_images
from ssrvae_core.data.registry import SOURCES, in_batches, load, naming
from ssrvae_core.data.split import split

__all__ = [
    "READERS",
    "SOURCES",
    "UNLABELLED",
    "ImageSet",
    "Images",
    "Split",
    "file_dataset",
    "fingerprint",
    "in_batches",
    "load",
    "naming",
    "open_images",
    "read_images",
    "split",
    "whole",
]
