"""Splitting a data set into labelled, unlabelled and validation images.

Every choice is a prefix of a random order that depends on the seed alone, so fewer labels are always a subset of more,
and the validation images do not depend on the number of labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from ssrvae_core.config import SplitConfig, UserError
from ssrvae_core.data.batches import Images
from ssrvae_core.data.dataset import UNLABELLED, ImageSet, Split

GROUP_TRIALS = 200
"""Random orders of the groups tried before a split by group is given up."""


class _Stream(IntEnum):
    """Independent random streams of one seed."""

    VALIDATION = 0
    LABELS = 1
    GROUPS = 2


@dataclass(frozen=True)
class Positions:
    """Rows of a data set that are in each of its parts, int64 in ascending order."""

    labelled: np.ndarray
    unlabelled: np.ndarray
    validation: np.ndarray


def split(images: ImageSet, config: SplitConfig) -> Split:
    """Split a data set into its labelled, unlabelled and validation parts.

    Parameters
    ----------
    images : ImageSet
        The data set. If it marks validation images itself, they are used; else a share of the labelled images of
        every class, or whole groups, are held out. An unlabelled image is held out only by the data set itself or
        with its group.
    config : SplitConfig
        The rule, and the seed.

    Returns
    -------
    Split
        The parts are disjoint, and together they are the whole data set. Labelled images have the look of
        ``images.as_labelled`` where there is one.

    Raises
    ------
    UserError
        If there are too few classes, labels or groups for the rule; the sentence names them.
    """
    at = positions(images, config)
    return Split(
        labelled=images.as_labelled(at.labelled) if images.as_labelled else images.take(at.labelled),
        unlabelled=images.take(at.unlabelled).without_labels(),
        validation=images.take(at.validation),
        hidden_labels=images.labels[at.unlabelled],
    )


def positions(images: Images, config: SplitConfig) -> Positions:
    """Return which images :func:`split` puts into which part; it copies none.

    Raises
    ------
    UserError
        As :func:`split` does.
    """
    _check_labels(images)
    held_out = _held_out(images, config)
    training = np.flatnonzero(~held_out)
    _check_every_class(images, training)
    labelled = np.sort(_labelled(images, training, config))
    unlabelled = np.setdiff1d(training, labelled, assume_unique=True)
    return Positions(labelled, unlabelled, np.flatnonzero(held_out))


def _check_labels(images: Images) -> None:
    if not images.n_classes:
        raise UserError(
            "No image of the data set has a label; store labels of at least two classes, as 'labels' beside the images"
            " (npz, HDF5), in a labels.csv beside the pictures, or as one folder per class."
        )
    if images.n_classes < 2:
        names = f" ('{images.class_names[0]}')" if images.class_names else ""
        raise UserError(
            f"The data set's labels have {images.n_classes} class{names}, but a classifier needs at least two;"
            " label images of another class."
        )
    wrong = np.flatnonzero((images.labels < UNLABELLED) | (images.labels >= images.n_classes))
    if len(wrong):
        raise UserError(
            f"Image {wrong[0]} has the label {images.labels[wrong[0]]}, but labels go from 0 to {images.n_classes - 1},"
            " or are -1 where there is none."
        )


def _check_every_class(images: Images, training: np.ndarray) -> None:
    counts = _class_counts(images, training)
    if not counts.all():
        missing = images.class_names[int(counts.argmin())]
        raise UserError(f"No training image of class '{missing}' has a label; label at least one, or drop the class.")


def _class_counts(images: Images, positions: np.ndarray) -> np.ndarray:
    """Labelled images per class among these positions, int64 (K,)."""
    labels = images.labels[positions]
    return np.bincount(labels[labels >= 0], minlength=images.n_classes)


# Validation


def _held_out(images: Images, config: SplitConfig) -> np.ndarray:
    """Bool (N,): True for the validation images."""
    own = images.validation if images.validation is not None and images.validation.any() else None
    if not config.by_group:
        return _share_held_out(images, config) if own is None else own.copy()
    if images.groups is None:
        raise UserError("The data set has no groups, so it cannot be split by group; a file with a field 'groups' can.")
    if own is None:
        return _groups_held_out(images, images.groups, config)
    _check_groups_whole(images.groups, own)
    return own.copy()


def _check_groups_whole(groups: np.ndarray, validation: np.ndarray) -> None:
    both = np.intersect1d(groups[validation], groups[~validation])
    if len(both):
        raise UserError(
            f"The data set's own validation part shares group {both[0]} with its training part, so it is not a split by"
            " group; fix the field 'split', or leave it out."
        )


def _share_held_out(images: Images, config: SplitConfig) -> np.ndarray:
    """Hold out a share of the labelled images of every class."""
    held_out = np.zeros(len(images), dtype=bool)
    for label, name in enumerate(images.class_names):
        members = np.flatnonzero(images.labels == label)
        if len(members) < 2:
            raise UserError(
                f"Class '{name}' has {len(members) or 'no'} labelled image{'s' if not len(members) else ''}, but one to"
                " train on and one to validate on are needed; label more, or drop the class."
            )
        order = np.random.default_rng([config.seed, _Stream.VALIDATION, label]).permutation(members)
        n = min(max(round(config.validation_fraction * len(members)), 1), len(members) - 1)
        held_out[order[:n]] = True
    return held_out


def _groups_held_out(images: Images, groups: np.ndarray, config: SplitConfig) -> np.ndarray:
    """Hold out whole groups: every class is among them, and keeps a group in training."""
    names, group = np.unique(groups, return_inverse=True)
    has_class = np.zeros((len(names), images.n_classes), dtype=bool)
    labelled = images.labels >= 0
    has_class[group[labelled], images.labels[labelled]] = True
    groups_of = has_class.sum(axis=0)
    if groups_of.min() < 2:
        scarce = int(groups_of.argmin())
        raise UserError(
            f"Class '{images.class_names[scarce]}' is in {groups_of[scarce]} of {len(names)} groups, but a split by"
            " group needs two, one to train on and one to validate on; split by image instead."
        )
    sizes = np.bincount(group[labelled], minlength=len(names))
    rng = np.random.default_rng([config.seed, _Stream.GROUPS])
    for _ in range(GROUP_TRIALS):
        chosen = _choose_groups(rng.permutation(len(names)), has_class, sizes, config.validation_fraction)
        if chosen is not None:
            return chosen[group]
    raise UserError(
        "No choice of groups was found that has every class both in training and in validation;"
        " split by image instead, or add groups."
    )


def _choose_groups(order: np.ndarray, has_class: np.ndarray, sizes: np.ndarray, fraction: float) -> np.ndarray | None:
    """Take groups in this order: first those that bring a missing class, then those that come nearer the share.

    Returns bool (groups,), or None if a class is still missing.
    """
    chosen = np.zeros(len(order), dtype=bool)

    def can_spare(group: int) -> bool:
        rest = ~chosen
        rest[group] = False
        return bool(has_class[rest].any(axis=0).all())

    for group in order:
        missing = ~has_class[chosen].any(axis=0)
        if has_class[group][missing].any() and can_spare(group):
            chosen[group] = True
    if not has_class[chosen].any(axis=0).all():
        return None
    target = fraction * sizes.sum()
    for group in order[~chosen[order]]:
        held = sizes[chosen].sum()
        if abs(held + sizes[group] - target) < abs(held - target) and can_spare(group):
            chosen[group] = True
    return chosen


# Labels


def _labelled(images: Images, training: np.ndarray, config: SplitConfig) -> np.ndarray:
    """Positions of the training images that carry labels."""
    orders = [
        np.random.default_rng([config.seed, _Stream.LABELS, label]).permutation(
            training[images.labels[training] == label]
        )
        for label in range(images.n_classes)
    ]
    if config.labels_per_class is not None:
        return _by_class(images, orders, config.labels_per_class)
    if config.labelled_ratio is not None:
        return _by_ratio(orders, len(training), config.labelled_ratio)
    return np.concatenate(orders)


def _by_class(images: Images, orders: list[np.ndarray], n: int) -> np.ndarray:
    for name, order in zip(images.class_names, orders, strict=True):
        if len(order) < n:
            raise UserError(
                f"{n:,} labels per class are asked for, but class '{name}' has {len(order):,} labelled training images;"
                " ask for fewer."
            )
    return np.concatenate([order[:n] for order in orders])


def _by_ratio(orders: list[np.ndarray], n_training: int, ratio: float) -> np.ndarray:
    """Stratified, at least one per class; a larger ratio only appends to the list."""
    total = max(round(ratio * n_training), len(orders))
    known = sum(map(len, orders))
    if total > known:
        raise UserError(
            f"A supervised ratio of {ratio:g} needs {total:,} labels, but {known:,} of the {n_training:,} training"
            f" images have one; ask for at most {known / n_training:.3g}."
        )
    positions = np.concatenate(orders)
    rank = np.concatenate([np.arange(len(order)) for order in orders])
    share = np.concatenate([(np.arange(len(order)) + 0.5) / len(order) for order in orders])
    return positions[np.lexsort((share, rank > 0))][:total]
