"""Where the images of a run are: its own file, or any other in reach that has the same content.

A run holds the fingerprint of its file and the path that led to it when it was configured. In another store, or once
the file was moved, the path leads nowhere; the fingerprint still says which file it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any, TypeVar

from ssrvae_core.config import DatasetConfig, UserError, data_name
from ssrvae_core.paths import located
from ssrvae_core.runs.uploads import harmless_name, is_upload_name, short_name, uploads, with_owners_names

if TYPE_CHECKING:
    from ssrvae_core.data import Images, ImageSet

T = TypeVar("T")

EMBEDDINGS = "embeddings"
"""The store's folder of embeddings, see :mod:`ssrvae_core.runs.embeddings`."""

_CONFIGS = "[0-9a-f]" * 12 + "/config.json"


def readable(dataset: DatasetConfig, root: Path) -> DatasetConfig:
    """Return a data set with a path that can be read here, where there is one.

    Parameters
    ----------
    dataset : DatasetConfig
        As a run has it; one without a file is returned as it is.
    root : Path
        The store. A file that was uploaded there comes first, then the data set's own path, then those of other runs
        on the same content. What is read is checked against the fingerprint when it is loaded.
    """
    if dataset.path is None or dataset.sha256 is None:
        return dataset
    uploaded = next((upload.path for upload in uploads(root) if upload.has_content(dataset.sha256)), None)
    if uploaded is not None:
        return dataset.model_copy(update={"path": str(uploaded)})
    if located(dataset.path) is None:
        for path in _paths_of_others(dataset.sha256, root):
            if located(path) is not None:
                return dataset.model_copy(update={"path": path})
    return dataset


def is_here(dataset: DatasetConfig) -> bool:
    """Whether the path of a data set leads to a file or folder, or it needs none."""
    return dataset.path is None or located(dataset.path) is not None


def load_images(dataset: DatasetConfig, root: Path) -> ImageSet:
    """Load a run's data set from wherever its file is.

    Raises
    ------
    UserError
        If no file of its content is in reach, or it cannot be used.
    """
    from ssrvae_core.data import load

    return _from_here(load, dataset, root)


def images_in_batches(dataset: DatasetConfig, root: Path) -> Images:
    """Return a run's images, from wherever its file is, so that some can be taken at a time.

    Raises
    ------
    UserError
        As in :func:`load_images`.
    """
    from ssrvae_core.data import in_batches

    return _from_here(in_batches, dataset, root)


def _from_here(read: Callable[[DatasetConfig], T], dataset: DatasetConfig, root: Path) -> T:
    here = readable(dataset, root)
    if not is_here(here):
        raise UserError(
            f"The file '{dataset_name(dataset, root)}' that the run was trained on is not here; upload the same file "
            "on the Data page, where it is recognised by its content, whatever its name is."
        )
    try:
        return read(here)
    except UserError as error:
        raise UserError(with_owners_names(str(error), root)) from error


def dataset_name(dataset: DatasetConfig, root: Path) -> str:
    """Return the name of a data set, as :func:`ssrvae_core.config.data_name` does, or its owner's for an upload."""
    name = data_name(dataset)
    if dataset.path is None or not is_upload_name(name):
        return name
    owners = with_owners_names(name, root)
    if owners != name:
        return owners
    # A run from another store, in a bundle that did not say what the file was called.
    alike = (upload.name for upload in uploads(root) if dataset.sha256 and upload.has_content(dataset.sha256))
    return next(alike, short_name(name))


def shared_name(dataset: DatasetConfig, root: Path) -> str:
    """Return the name of a data set's file as others may see it: no path, and no characters that could be markup."""
    name = PureWindowsPath(dataset_name(dataset, root)).name  # takes both kinds of slashes
    harmless = harmless_name(name)
    return harmless if harmless.strip(".~") else "images"


def _paths_of_others(sha256: str, root: Path) -> Iterator[str]:
    """Yield the paths of all runs and embeddings in a store that are of this content."""
    for file in [*sorted(root.glob(_CONFIGS)), *sorted(root.glob(f"{EMBEDDINGS}/{_CONFIGS}"))]:
        try:
            values: Any = json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError):
            continue  # a broken run says nothing of files, and is listed as broken
        match values:
            case {"dataset": {"sha256": str(other), "path": str(path)}} if other == sha256:
                yield path
