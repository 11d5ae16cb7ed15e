"""How many images a figure shows, and on how many of them, those with a label, an accuracy is judged."""

from __future__ import annotations


def n_text(accuracy: float | None, judged: int, shown: int) -> str:
    """Return the N of a title: of an accuracy the images it is judged on, else those that are shown.

    Parameters
    ----------
    accuracy : float, optional
        The accuracy that stands before it.
    judged : int
        Number of images with a label.
    shown : int
        Number of images in the figure.
    """
    if accuracy is None:
        return f"N = {shown:,}"
    return f"N = {judged:,} of {shown:,}" if judged < shown else f"N = {judged:,}"


def judged_words(judged: int, n: int) -> str:
    """Return the images that an accuracy is of: "800 validation images", "16 labelled validation images" of more."""
    images = f"validation {'image' if judged == 1 else 'images'}"
    return f"{judged:,} {'labelled ' if judged < n else ''}{images}"


def validation_text(judged: int, n: int) -> str:
    """Return how many validation images there are, and how many of them have a label where that is another number."""
    if judged == n:
        return f"N = {n:,} validation images"
    if judged == 1:
        return f"1 of {n:,} validation images has a label"
    return f"{f'{judged:,}' if judged else 'None'} of {n:,} validation images have labels"
