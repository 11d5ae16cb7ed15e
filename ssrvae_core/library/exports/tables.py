"""The particles of a library as a table: CSV and Parquet with the same columns and rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ssrvae_core.library.exports.selection import SET_BY, Ids, class_name, selected_rows, whole
from ssrvae_core.library.state import NONE, Library, Origin
from ssrvae_core.library.upright import batches
from ssrvae_core.records import PARTS, Particles
from ssrvae_core.spreadsheets import harmless

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 20_000
"""Rows that are put together at a time."""


def write_csv(path: Path, library: Library, particles: Particles, ids: Ids | None = None) -> int:
    """Write particles as CSV, whole or not at all, and return how many.

    The columns are ``id``, ``name`` (its file), ``group`` (its micrograph), ``part`` (labelled, unlabelled or
    validation), ``class`` (of the library), ``set_by`` (model, label, outlier or hand), ``by`` and ``at`` (who moved
    it, and when, UTC), ``label`` (that the run was given), ``model_class``, ``p_<class>`` for every class of the run,
    ``angle_degrees`` (counter-clockwise), ``confidence``, ``outlier_score``, ``size`` with its unit in the name, every
    factor, and ``z_1`` and so on. What is not known is empty. Texts are those of
    :func:`ssrvae_core.spreadsheets.harmless`.

    Parameters
    ----------
    path : Path
        The file; its directory must exist.
    library, particles : Library and Particles
        Of one run.
    ids : sequence of int, optional
        Which particles; by default all. They are written in the order of their ids.

    Raises
    ------
    UserError
        If one is not a particle of the run, or the file cannot be written.
    """
    from pyarrow import csv

    return _write(path, library, particles, ids, lambda file, schema: csv.CSVWriter(file, schema), _for_people)


def write_parquet(path: Path, library: Library, particles: Particles, ids: Ids | None = None) -> int:
    """Write particles as Parquet; all else is as in :func:`write_csv`."""
    from pyarrow import parquet

    return _write(
        path, library, particles, ids, lambda file, schema: parquet.ParquetWriter(file, schema), lambda table: table
    )


def _write(
    path: Path,
    library: Library,
    particles: Particles,
    ids: Ids | None,
    writer: Callable[[str, pa.Schema], pa.csv.CSVWriter | pa.parquet.ParquetWriter],
    finish: Callable[[pa.Table], pa.Table],
) -> int:
    rows = selected_rows(library, ids)
    tables = map(finish, _tables(library, particles, rows))
    first = next(tables)
    with whole(path) as temporary, writer(str(temporary), first.schema) as out:
        out.write_table(first)
        for table in tables:
            out.write_table(table)
    return len(rows)


def _for_people(table: pa.Table) -> pa.Table:
    """Return a table whose texts no spreadsheet takes for formulas."""
    import pyarrow as pa

    for at, column in enumerate(table.schema):
        if pa.types.is_string(column.type):
            texts = [text and harmless(text) for text in table.column(at).to_pylist()]
            table = table.set_column(at, column, pa.array(texts, pa.string()))
    return table.rename_columns([harmless(name) for name in table.column_names])


def _tables(library: Library, particles: Particles, rows: np.ndarray) -> Iterator[pa.Table]:
    import pyarrow as pa

    for part in batches(len(rows), BATCH):
        yield pa.table(_columns(library, particles, rows[part]))


def _columns(library: Library, particles: Particles, rows: np.ndarray) -> dict[str, pa.Array]:
    import pyarrow as pa

    def texts(values: Iterator[str | None]) -> pa.Array:
        return pa.array(values, pa.string())

    def numbers(values: np.ndarray) -> pa.Array:
        return pa.array(values, mask=np.isnan(values))

    predictions, base = particles.predictions, library.base
    ids = base.ids[rows]
    by_hand = (library.origin[rows] == Origin.HAND).tolist()
    decisions = [
        library.decisions[number] if moved else None for number, moved in zip(ids.tolist(), by_hand, strict=True)
    ]
    given = np.where(predictions.labels[rows] == NONE, NONE, base.labels[rows])
    assigned = library.assigned[rows].tolist()
    columns = {
        "id": pa.array(ids),
        "name": texts(_named(particles.names, row) for row in rows.tolist()),
        "group": texts(_group(particles, row) for row in rows.tolist()),
        "part": texts(PARTS[part] for part in particles.part[rows].tolist()),
        "class": texts(class_name(library, number) for number in assigned),
        "set_by": texts(SET_BY[Origin(origin)] for origin in library.origin[rows].tolist()),
        "by": texts(None if one is None else one.who for one in decisions),
        "at": texts(None if one is None else _utc(one.time) for one in decisions),
        "label": texts(None if k == NONE else base.class_names[k] for k in given.tolist()),
        "model_class": texts(base.class_names[k] for k in base.predicted[rows].tolist()),
    }
    columns |= {f"p_{name}": numbers(predictions.class_prob[rows, k]) for k, name in enumerate(base.class_names)}
    columns |= {
        "angle_degrees": numbers(np.degrees(predictions.angle[rows])),
        "confidence": numbers(predictions.confidence[rows]),
        "outlier_score": numbers(particles.outlier_score[rows]),
    }
    if particles.size is not None:
        columns[f"size_{particles.size_unit}"] = numbers(particles.size[rows])
    columns |= {name: numbers(values[rows]) for name, values in predictions.factors.items() if name not in columns}
    return columns | {f"z_{d + 1}": numbers(predictions.z_mean[rows, d]) for d in range(predictions.z_mean.shape[1])}


def _named(names: tuple[str, ...] | None, row: int) -> str | None:
    return None if names is None else names[row].encode("utf-8", "replace").decode()


def _group(particles: Particles, row: int) -> str | None:
    if particles.groups is None:
        return None
    group = int(particles.groups[row])
    return str(group) if particles.group_names is None else _named(particles.group_names, group)


def _utc(unix: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix))
