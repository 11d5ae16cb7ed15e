"""Write an image file like a microscopist's: 505 crops on 12 micrographs, of which 40 are labelled.

Usage: ``python -m examples.own_particles particles.npz``, from the project's folder.

The crops are drawn ones (the data set ``particles``), with masks. The classes of the others are not in the file.
"""

from __future__ import annotations

import sys

import numpy as np

from ssrvae_core.config import run_config
from ssrvae_core.data import UNLABELLED, load

LABELLED_PER_CLASS = 8
MICROGRAPHS = 12


def main(path: str) -> None:
    """Draw the crops, and hide all but a few labels."""
    sizes = {"dataset.train_per_class": 84, "dataset.validation_per_class": 17}
    images = load(run_config(data="particles", settings=sizes).dataset)
    rng = np.random.default_rng(0)
    classes = range(images.n_classes)
    known = [rng.permutation(np.flatnonzero(images.labels == k))[:LABELLED_PER_CLASS] for k in classes]
    labels = np.full(len(images), UNLABELLED)
    labels[np.concatenate(known)] = images.labels[np.concatenate(known)]
    np.savez_compressed(
        path,
        images=(255 * images.images[:, 0]).round().astype(np.uint8),
        masks=images.masks,
        labels=labels,
        class_names=np.array(images.class_names),
        groups=np.arange(len(images)) % MICROGRAPHS,
    )


if __name__ == "__main__":
    main(sys.argv[1])
