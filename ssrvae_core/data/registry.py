"""The one way to load a data set; :mod:`ssrvae_core.registry` has the sources, and says how to add one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ssrvae_core.config import DatasetConfig, UserError, choose
from ssrvae_core.data.dataset import ImageSet
from ssrvae_core.data.views import view
from ssrvae_core.registry import SOURCES, SourceSpec

__all__ = ["SOURCES", "SourceSpec", "load", "naming"]


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
    images: ImageSet = choose("data source", SOURCES, config.source)(config)
    return view(images, config.view)
