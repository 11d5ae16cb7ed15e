"""Labels for the images of an embedding, from a table that names them by sample id or by file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.dataset import UNLABELLED
from ssrvae_core.data.folders.matching import Names
from ssrvae_core.data.folders.tables import Row, Table, read_table
from ssrvae_core.data.labels import Labels, from_texts
from ssrvae_core.paths import located
from ssrvae_core.runs.embeddings.files import Samples

ID_COLUMNS = ("id", "sample", "sample id", "sample_id")
"""Columns whose numbers are sample ids before they are parts of a file's name."""


def read_labels(path: str | Path, samples: Samples) -> Labels:
    """Read a table of labels.

    Parameters
    ----------
    path : str or Path
        A table as :func:`ssrvae_core.data.folders.tables.read_table` takes it, such as CSV with the columns ``file`` or
        ``id``, and ``label``. What counts as "no label" is said at :func:`ssrvae_core.data.labels.is_unlabelled`.
    samples : Samples
        Those that it labels, a few of them or all.

    Returns
    -------
    Labels
        Of all images, the classes being those in the table.

    Raises
    ------
    UserError
        If the table cannot be read, names an image that is not there or fits several, gives one image two classes, or
        has no label at all.
    """
    file = located(path)
    if file is None or not file.is_file():
        raise UserError(f"There is no table of labels {path}; check the path.")
    index = _Index(samples)
    table = read_table(file, index.has, ID_COLUMNS)
    if "label" not in table.roles:
        raise UserError(f"{file} has no column of labels; call the one that names the classes 'label'.")
    found = from_texts([row.values["label"] for row in table.rows])
    by_id = table.file_column.casefold() in ID_COLUMNS
    labels = np.full(len(samples), UNLABELLED)
    lines = np.zeros(len(samples), dtype=np.int64)
    for row, label in zip(table.rows, found.index, strict=True):
        position = index.position(row, table, by_id)
        if label == UNLABELLED:
            continue
        if labels[position] not in (UNLABELLED, label):
            raise UserError(
                f"Lines {lines[position]} and {row.line} of {file} give '{row.file}' two classes,"
                f" '{found.class_names[labels[position]]}' and '{found.class_names[label]}'; keep one of them."
            )
        labels[position], lines[position] = label, row.line
    remarks = (*table.remarks, *found.remarks)
    if by_id and any(index.could_be_a_name(row.file) for row in table.rows):
        column = table.file_column
        remarks = (*remarks, f"The column '{column}' is taken as sample ids; call it 'file' if it holds file names.")
    if (labels == UNLABELLED).all():
        raise UserError(f"No row of {file} has a label; write the class of some images into its column of labels.")
    return Labels(labels, found.class_names, remarks)


def present(labels: Labels) -> Labels:
    """Return the same labels with only the classes that an image has, as a head needs them."""
    classes, index = np.unique(labels.index, return_inverse=True)
    unlabelled = int((labels.index == UNLABELLED).any())
    names = tuple(labels.class_names[number] for number in classes[unlabelled:])
    return Labels(index - unlabelled, names, labels.remarks)


@dataclass
class _Index:
    """The images by sample id and by file name."""

    samples: Samples

    def __post_init__(self) -> None:
        self._ids = {str(number): position for position, number in enumerate(self.samples.ids.tolist())}
        self._names = None if self.samples.names is None else Names(self.samples.names)

    def has(self, cell: str) -> bool:
        """Whether a cell of a table names one of the images."""
        return cell in self._ids or bool(self._named(cell))

    def could_be_a_name(self, cell: str) -> bool:
        """Whether a sample id is also the file name of another image."""
        known, named = self._ids.get(cell), self._named(cell)
        return known is not None and bool(named) and named != [known]

    def position(self, row: Row, table: Table, by_id: bool) -> int:
        """Return the position of the image that a row names."""
        known, named = self._ids.get(row.file), self._named(row.file)
        if known is not None and (by_id or not named):
            return known
        if len(named) == 1:
            return named[0]
        if not named:
            example = self.samples.name(0) or str(self.samples.ids[0])
            raise UserError(
                f"Line {row.line} of {table.path} names '{row.file}', which is not an image of this embedding; give the"
                f" id or the file name of one, such as {example}."
            )
        first, second = (self.samples.name(position) for position in named[:2])
        raise UserError(
            f"Line {row.line} of {table.path} names '{row.file}', which fits {first} and {second}; write its ending and"
            " its folder, too."
        )

    def _named(self, cell: str) -> list[int]:
        """Return the positions of the images a file name fits."""
        return [] if self._names is None else self._names.find(cell)
