"""Images of a file as a model sees them that was trained on other data."""

from __future__ import annotations

from ssrvae_core.config import DatasetConfig
from ssrvae_core.data.batches import FileImages
from ssrvae_core.data.pictures.pages import PICTURE_SUFFIXES
from ssrvae_core.data.readers import ImageFile
from ssrvae_core.data.registry import naming


def scale_for(own: DatasetConfig, opened: ImageFile) -> tuple[float, float]:
    """Return the grey levels of a file that a model sees as black and white."""
    return opened.scale_for(_intensity(own, opened))


def seen_by(own: DatasetConfig, opened: ImageFile, skip_missing: bool = False) -> tuple[FileImages, DatasetConfig]:
    """Return the images of a file as a model sees them, and their configuration.

    They are on the scale of the model's own images, and in its view. Generated images have no scale that a file's
    integers could be on; those are on their own.

    Parameters
    ----------
    own : DatasetConfig
        The data that the model was trained on.
    opened : ImageFile
        The file.
    skip_missing : bool
        Whether rows of its table of labels whose picture is missing were passed over.

    Raises
    ------
    UserError
        If the images cannot be used.
    """
    config = opened.config(own.view, skip_missing)
    with naming(config):
        n, names = len(opened.pixels), opened.annotations.names
        if names is None and opened.path.suffix.lower() in PICTURE_SUFFIXES and n > 1:
            names = tuple(f"{opened.path.name}#{page}" for page in range(n))
        return FileImages(opened, own.view, _intensity(own, opened), names), config


def _intensity(own: DatasetConfig, opened: ImageFile) -> tuple[float, float] | None:
    if own.source == "file":
        return own.intensity
    return None if opened.pixels.dtype.kind == "f" else opened.scale.needed
