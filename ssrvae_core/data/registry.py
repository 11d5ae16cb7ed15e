"""The registry of image sources, and the one way to load a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ssrvae_core.config import DatasetConfig, UserError, choose
from ssrvae_core.data.cards import draw_cards
from ssrvae_core.data.dataset import ImageSet
from ssrvae_core.data.digits import draw_digits
from ssrvae_core.data.particles import draw_particles
from ssrvae_core.data.readers import read_file
from ssrvae_core.data.views import view

Source = Callable[[DatasetConfig], ImageSet]

SOURCES: dict[str, Source] = {
    "cards": draw_cards,
    "particles": draw_particles,
    "digits": draw_digits,
    "file": read_file,
}
"""Image sources by name; add your own: ``SOURCES["crystals"] = draw_crystals``."""


@contextmanager
def naming(config: DatasetConfig) -> Iterator[None]:
    """Let every complaint about a data set name its file, if it has one and the sentence does not name it yet."""
    try:
        yield
    except UserError as error:
        if config.path is None or Path(config.path).name in str(error):
            raise
        raise UserError(f"{config.path}: {error}") from error


def load(config: DatasetConfig) -> ImageSet:
    """Load or generate the images of a data set.

    Parameters
    ----------
    config : DatasetConfig
        ``config.source`` names an entry of :data:`SOURCES`, ``config.view`` what to show of its images.

    Raises
    ------
    UserError
        If the source is unknown, or its images cannot be used; the sentence names file and field.
    """
    return view(choose("data source", SOURCES, config.source)(config), config.view)
