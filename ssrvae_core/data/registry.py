"""The one way to load a data set; :mod:`ssrvae_core.registry` has the sources, and says how to add one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ssrvae_core.config import DatasetConfig, UserError, choose
from ssrvae_core.data.batches import FileImages, Images
from ssrvae_core.data.dataset import ImageSet
from ssrvae_core.data.generated import DrawnImages
from ssrvae_core.data.readers import open_file
from ssrvae_core.data.views import view
from ssrvae_core.registry import SOURCES, SourceSpec

__all__ = ["SOURCES", "SourceSpec", "in_batches", "load", "naming"]


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
    found: ImageSet | DrawnImages = choose("data source", SOURCES, config.source)(config)
    return found.whole() if isinstance(found, DrawnImages) else view(found, config.view)


def in_batches(config: DatasetConfig) -> Images:
    """Return the images of a data set so that some can be taken at a time.

    Those of a file stay as they are stored, and generated ones are drawn when they are taken; those of any other source
    are loaded.

    Raises
    ------
    UserError
        As :func:`load` does.
    """
    if config.source == "file":
        return FileImages(open_file(config), config.view, config.intensity)
    found: ImageSet | DrawnImages = choose("data source", SOURCES, config.source)(config)
    return found if isinstance(found, DrawnImages) else view(found, config.view)
