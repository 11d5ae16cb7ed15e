"""What the command ``library`` exports: which particles, and as which kind of file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ssrvae_core.cli.app import spare
from ssrvae_core.cli.console import print_json
from ssrvae_core.config import UserError
from ssrvae_core.runs import Run, RunStore

if TYPE_CHECKING:
    import numpy as np

    from ssrvae_core.library import Library
    from ssrvae_core.library.fractions import Fractions
    from ssrvae_core.records import Particles


def export_particles(
    run: Run,
    runs: RunStore,
    library: Library,
    particles: Particles,
    out: Path,
    ids: str | None,
    in_class: list[str],
    upright: bool,
    model_labels: bool,
    as_json: bool,
) -> None:
    """Write the particles that are chosen to a file, and print how many; arguments as the command's options."""
    from ssrvae_core.library import exports

    spare(out, runs)
    kind = out.suffix.lower()
    if model_labels and kind != ".npz":
        raise UserError(f"--model-labels does nothing for {out}; leave it out, or end its name in .npz.")
    chosen = _chosen(library, ids, in_class)
    n = _write(run, library, particles, out, chosen, upright, model_labels)
    print(f"Wrote {'1 particle' if n == 1 else f'{n:,} particles'} to {out}.")
    if kind == ".npz":
        print(exports.labels_text(library, chosen, model_labels=model_labels))
    if kind == ".zip":
        print(exports.folders_text(library, chosen))
    if as_json:
        print_json({"id": run.id, "particles": n, "out": str(out)})


def _chosen(library: Library, ids: str | None, in_class: list[str]) -> np.ndarray | None:
    """Return the ids of the particles that are named and in the classes that are; None for all."""
    import numpy as np

    chosen: np.ndarray | None = None if ids is None else library.base.ids[library.base.rows(particle_ids(ids))]
    if in_class:
        members = np.concatenate([library.members(library.class_called(name)) for name in in_class])
        chosen = members if chosen is None else np.intersect1d(chosen, members)
    return chosen


def _write(
    run: Run,
    library: Library,
    particles: Particles,
    out: Path,
    chosen: np.ndarray | None,
    upright: bool,
    model_labels: bool,
) -> int:
    """Write what the ending of a file's name asks for, and return of how many particles it is."""
    from ssrvae_core.library import exports
    from ssrvae_core.library.crops import crops
    from ssrvae_core.library.outliers import outliers
    from ssrvae_core.library.sheets import sheets

    kind = out.suffix.lower()
    if kind in (".csv", ".parquet"):
        if upright:
            raise UserError(f"--upright does nothing for a table such as {out}; leave it out.")
        write = exports.write_csv if kind == ".csv" else exports.write_parquet
        return write(out, library, particles, chosen)
    if kind not in (".zip", ".npz", ".html"):
        raise UserError(f"{out} does not say what to write; end its name in .csv, .parquet, .zip, .npz or .html.")
    images = crops(run, particles)
    if kind == ".zip":
        return exports.write_pictures(out, library, images, chosen, turned=upright)
    if kind == ".npz":
        return exports.write_image_file(out, library, images, chosen, turned=upright, model_labels=model_labels)
    return exports.write_page(
        out,
        library,
        images,
        chosen,
        title=exports.page_title(run),
        turned=upright,
        sheets=sheets(library, particles, images),
        fractions=fractions_of(run, library, particles),
        outliers=outliers(library, particles),
    )


def fractions_of(run: Run, library: Library, particles: Particles) -> Fractions:
    """Return the true shares of the classes, with the remarks of the head that says them best."""
    from dataclasses import replace

    from ssrvae_core.library.fractions import class_fractions
    from ssrvae_core.library.left_out import best_known
    from ssrvae_core.library.quick import head_at_hand

    head = head_at_hand(run, particles)
    classified = best_known(library, particles, head, by_micrograph=run.config.split.by_group)
    found = class_fractions(library, particles, classified=classified)
    return found if head is None else replace(found, remarks=(*found.remarks, *head.remarks))


def particle_ids(text: str) -> list[int]:
    """Return the sample ids that an option names."""
    try:
        return [int(part) for part in text.replace(",", " ").split()]
    except ValueError as error:
        raise UserError(
            f"'{text}' is not a list of sample ids; write whole numbers with commas, such as 3,17."
        ) from error
