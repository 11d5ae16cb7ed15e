"""Predictions as tables that other programs open: CSV and Parquet.

A table of particles is made and written some rows at a time, so that a million of them take no more memory than a few.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.records import PARTS, Particles
from ssrvae_core.runs.files import atomic_write, replacing
from ssrvae_core.spreadsheets import harmless

if TYPE_CHECKING:
    import pyarrow

    from ssrvae_core.data.labels import Labels
    from ssrvae_core.runs.embeddings.files import Samples

ROWS = 10_000
"""Rows that are made at a time."""

CSV, PARQUET = ".csv", ".parquet"

Columns = Mapping[str, np.ndarray | list[str]]
"""Columns of a table by name: numbers, NaN where there is none, or texts, empty where there is none."""


def check_kind(out: Path) -> None:
    """Refuse the name of a table that says neither CSV nor Parquet.

    Raises
    ------
    UserError
        If it ends in anything else.
    """
    if out.suffix.lower() not in WRITERS:
        raise UserError(f"{out} ends neither in {CSV} nor in {PARQUET}; choose such a name with --out.")


def write_table(
    out: Path,
    particles: Particles,
    class_names: Sequence[str],
    rows: np.ndarray | None = None,
    *,
    label_names: Sequence[str] | None = None,
) -> None:
    """Write what a run says of images as CSV or Parquet, as the file's name ends, whole or not at all.

    The columns are those of :func:`columns`.

    Parameters
    ----------
    out : Path
        A file ending in ``.csv`` or ``.parquet``; its directory must exist.
    particles : Particles
        N images and K classes.
    class_names : sequence of str, length K
        Name of class ``k`` at position ``k``.
    rows : int array (n,), optional
        Which rows to write, in this order; by default all.
    label_names : sequence of str, optional
        Names of the true classes, where those are not the run's.

    Raises
    ------
    UserError
        If the file cannot be written, or its name says neither.
    """
    check_kind(out)
    parts = in_parts(particles, class_names, rows, label_names)
    try:
        with replacing(out) as temporary, temporary.open("wb") as file:
            WRITERS[out.suffix.lower()](file, parts)
    except OSError as error:
        raise UserError(f"The table {out} cannot be written ({error.strerror}); choose another place.") from error


def table_bytes(kind: str, particles: Particles, class_names: Sequence[str], rows: np.ndarray | None = None) -> bytes:
    """Return the table that :func:`write_table` writes, as it is downloaded; ``kind`` is ``.csv`` or ``.parquet``."""
    return bytes_of(kind, in_parts(particles, class_names, rows))


def bytes_of(kind: str, parts: Iterable[Columns]) -> bytes:
    """Return a table that is made some rows at a time as a file; ``kind`` is ``.csv`` or ``.parquet``."""
    file = io.BytesIO()
    WRITERS[kind](file, parts)
    return file.getvalue()


def in_parts(
    particles: Particles,
    class_names: Sequence[str],
    rows: np.ndarray | None = None,
    label_names: Sequence[str] | None = None,
) -> Iterator[Columns]:
    """Yield the columns of a table, at least once and at most :data:`ROWS` rows at a time."""
    chosen = np.arange(len(particles)) if rows is None else np.asarray(rows)
    for start in range(0, max(len(chosen), 1), ROWS):
        yield columns(particles, class_names, chosen[start : start + ROWS], label_names)


def columns(
    particles: Particles,
    class_names: Sequence[str],
    rows: np.ndarray,
    label_names: Sequence[str] | None = None,
) -> Columns:
    """Return some rows of a table of particles.

    The columns are ``id``, ``name`` (the file), ``group`` (the micrograph), ``part`` (labelled, unlabelled or
    validation), ``label`` (the true class), ``class`` (the predicted one), ``p_<class>`` for every class,
    ``angle_degrees`` (counter-clockwise), ``confidence``, ``outlier_score``, ``size`` and ``size_unit`` (see
    :class:`ssrvae_core.records.Particles`), and the latents ``z_1``, ``z_2`` and so on. What is not known is empty.

    Parameters
    ----------
    particles : Particles
        N images.
    class_names : sequence of str
        Name of class ``k`` at position ``k``.
    rows : int array (n,)
        Which rows, in which order.
    label_names : sequence of str, optional
        Names of the true classes, where those are not the run's.
    """
    predictions = particles.predictions
    probabilities, latents = predictions.class_prob[rows], predictions.z_mean[rows]
    sizes, n = particles.size, len(rows)
    groups, names = particles.groups, particles.names
    return {
        "id": predictions.ids[rows],
        "name": [""] * n if names is None else [plain(names[row]) for row in rows],
        "group": [""] * n if groups is None else _named(groups[rows], particles.group_names),
        "part": _named(particles.part[rows], PARTS),
        "label": _named(predictions.labels[rows], class_names if label_names is None else label_names),
        "class": _named(probabilities.argmax(axis=1), class_names),
        **{f"p_{plain(name)}": probabilities[:, k] for k, name in enumerate(class_names)},
        "angle_degrees": np.round(np.degrees(predictions.angle[rows].astype(np.float64)), 3),
        "confidence": probabilities.max(axis=1),
        "outlier_score": particles.outlier_score[rows],
        "size": np.full(n, np.nan, np.float32) if sizes is None else sizes[rows],
        "size_unit": [particles.size_unit or ""] * n,
        **{f"z_{number}": latents[:, number - 1] for number in range(1, latents.shape[1] + 1)},
    }


def csv_lines(part: Columns, *, header: bool) -> bytes:
    """Return columns as lines of CSV; with the names of the columns as the first one, if asked for.

    Texts are those of :func:`ssrvae_core.spreadsheets.harmless`.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    if header:
        table.writerow(map(harmless, part))
    table.writerows(zip(*map(_texts, part.values()), strict=True))
    return text.getvalue().encode()


def plain(text: str) -> str:
    """Return a text that every program can read; a file may be called by bytes that are not characters."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def write_classes(
    path: Path, samples: Samples, labels: Labels, probabilities: np.ndarray, scores: np.ndarray | None
) -> None:
    """Write the classes of an embedding's images as CSV, whole or not at all.

    The columns are ``id``, ``name``, ``group`` (its micrograph), ``label`` (as it was given, empty where there is
    none), ``class``, ``confidence``, ``outlier_score`` and ``p_<class>`` for every class.

    Parameters
    ----------
    path : Path
        The file; its directory must exist.
    samples : Samples
        N images.
    labels : Labels
        Their labels and the K classes.
    probabilities : float array (N, K)
        Class probabilities.
    scores : float array (N,), optional
        Outlier scores; the column is empty without.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    names = labels.class_names
    predicted = probabilities.argmax(axis=1)
    rows = (
        [
            int(samples.ids[row]),
            samples.name(row),
            samples.group(row),
            names[labels.index[row]] if labels.index[row] >= 0 else "",
            names[predicted[row]],
            probabilities[row, predicted[row]],
            "" if scores is None else round(float(scores[row]), 4),
            *probabilities[row],
        ]
        for row in range(len(samples))
    )
    columns = ["id", "name", "group", "label", "class", "confidence", "outlier_score"]
    _write(path, [*columns, *(f"p_{name}" for name in names)], rows)


def _named(numbers: np.ndarray, names: Sequence[str] | None) -> list[str]:
    """Return the names of numbered things; empty for a number below 0, and the number itself where it has no name."""
    if names is None:
        return [str(number) if number >= 0 else "" for number in numbers.tolist()]
    known = [plain(name) for name in names]
    return [known[number] if number >= 0 else "" for number in numbers.tolist()]


def _texts(column: np.ndarray | list[str]) -> list[str]:
    """Return a column as texts, every number with as many digits as tell it from its neighbours."""
    if isinstance(column, list):
        return [harmless(text) for text in column]
    texts: list[str] = column.astype(str).tolist()
    if column.dtype.kind == "f":
        for row in np.flatnonzero(np.isnan(column)):
            texts[row] = ""
    return texts


def _write_csv(file: IO[bytes], parts: Iterable[Columns]) -> None:
    for number, part in enumerate(parts):
        file.write(csv_lines(part, header=number == 0))


def _write_parquet(file: IO[bytes], parts: Iterable[Columns]) -> None:
    import pyarrow
    from pyarrow import parquet

    tables = (pyarrow.table({name: _arrow(column) for name, column in part.items()}) for part in parts)
    first = next(tables)
    with parquet.ParquetWriter(file, first.schema) as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)


def _arrow(column: np.ndarray | list[str]) -> pyarrow.Array:
    """Return a column with null where a number or a text is not known."""
    import pyarrow

    if isinstance(column, list):
        return pyarrow.array([text or None for text in column], pyarrow.string())
    return pyarrow.array(column, from_pandas=True)


WRITERS: dict[str, Callable[[IO[bytes], Iterable[Columns]], None]] = {CSV: _write_csv, PARQUET: _write_parquet}
"""Kinds of tables by the ending of their files."""


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(map(harmless, columns))
    table.writerows([harmless(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    try:
        atomic_write(path, text.getvalue())
    except OSError as error:
        raise UserError(f"The table {path} cannot be written ({error.strerror}); choose another place.") from error
