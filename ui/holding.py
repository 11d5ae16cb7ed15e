"""What is held out to measure the accuracy on, and what is to be said of a split before anything is trained on it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ssrvae_core.config import SplitConfig, UserError
from ssrvae_core.data import ImageSet, Split, split
from ui import markdown
from ui.state import pick

NAME = "group"
"""Name of the choice in the address of either page that has it."""
GROUPS, IMAGES = "groups", "images"
TITLES = {GROUPS: "Whole micrographs", IMAGES: "Single images"}
FEW = 50
"""Labelled validation images below which the accuracy is said to be uncertain."""


def is_choice(images: ImageSet) -> bool:
    """Whether there are micrographs to hold out, and the data set does not say itself what is held out."""
    return images.groups is not None and (images.validation is None or not images.validation.any())


def refusal(images: ImageSet, rule: SplitConfig) -> str:
    """Say why whole micrographs cannot be held out; empty where they can.

    Parameters
    ----------
    images : ImageSet
        The data set; its pixels are not looked at.
    rule : SplitConfig
        The seed and the share to hold out.
    """
    bare = replace(images, images=np.zeros((len(images), 1, 1, 1), np.float32), masks=None, as_labelled=None)
    whole = SplitConfig(seed=rule.seed, validation_fraction=rule.validation_fraction, by_group=True)
    try:
        split(bare, whole)
    except UserError as error:
        return str(error)
    return ""


def pick_hold_out(page: str, images: ImageSet, rule: SplitConfig) -> bool:
    """Ask what is held out, where that is a choice, and return whether whole micrographs are.

    Those are where they can be, as long as nobody chose otherwise: images of one micrograph are alike.
    """
    if not is_choice(images):
        return False
    why_not = refusal(images, rule)
    chosen = pick(
        page,
        NAME,
        "Measure the accuracy on",
        [GROUPS, IMAGES],
        IMAGES if why_not else GROUPS,
        format_func=TITLES.__getitem__,
        segmented=True,
        help="Whole micrographs that the model never sees say how well it does on new ones; single images are from "
        "micrographs that it knows.",
    )
    if why_not and chosen == IMAGES:
        markdown.note(f"Whole micrographs cannot be held out: {why_not}")
    return chosen == GROUPS


def labels_text(parts: Split) -> str:
    """Say of all labels how many are trained on, and how many are held out; empty where none is held out."""
    hidden = int((parts.hidden_labels >= 0).sum())
    held_out = int((parts.validation.labels >= 0).sum())
    if not held_out:
        return ""
    own = len(parts.labelled)
    hides = f", {hidden:,} as unlabelled ones" if hidden else ""
    return (
        f"Of {own + hidden + held_out:,} images with a label, {own:,} {'is' if own == 1 else 'are'} trained on with "
        f"{'its' if own == 1 else 'their'} label{hides}, and {held_out:,} held out to measure the accuracy."
    )


def cautions(parts: Split) -> list[str]:
    """Return what is to be known of a split before anything is trained on it, a sentence each."""
    found = []
    training = [part.groups for part in (parts.labelled, parts.unlabelled) if part.groups is not None]
    if parts.validation.groups is not None and training:
        shared = np.intersect1d(np.concatenate(training), parts.validation.groups)
        if len(shared):
            of = len(np.unique(parts.validation.groups))
            found.append(
                f"{len(shared)} of the {of} {'micrograph' if of == 1 else 'micrographs'} with validation images are "
                "trained on as well: images of one micrograph are alike, so the accuracy will look better than it is "
                "on a new micrograph."
            )
    if not len(parts.unlabelled):
        found.append(
            "Every training image has a label, so nothing is learnt from unlabelled images: add images without a "
            "label, or use fewer of the labels to see what the others are worth."
        )
    n = int((parts.validation.labels >= 0).sum())
    if 0 < n < FEW:
        found.append(
            f"The accuracy is measured on {n} {'image' if n == 1 else 'images'}, so it is known to about "
            f"\u00b1{min(50, round(98 / math.sqrt(n)))} percentage points at worst."
        )
    return found
