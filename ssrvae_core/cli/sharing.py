"""Commands that take runs from one store to another: ``export`` and ``import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ssrvae_core.cli.app import Json, Store, app, spare
from ssrvae_core.cli.console import print_json
from ssrvae_core.runs import RunStore


@app.command()
def export(
    run_ids: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Finished runs, by (the beginning of) their ids.")
    ],
    out: Annotated[Path, typer.Option(help="The bundle to write, a zip file.")],
    thumbnails: Annotated[
        bool,
        typer.Option(
            help="Add small pictures of the images (at most 64 x 64 pixels, 64 MB per run) of runs on image "
            "files, so that others see them without the file; whoever gets the bundle can keep them."
        ),
    ] = False,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Write runs as one file for others: configuration, weights, metrics and predictions, but no training image.

    The predictions are of every image, with its name and micrograph, where the run has classified all of them.
    """
    from ssrvae_core.runs.bundle import export_bundle

    there = RunStore(store)
    runs = [there.get(run_id) for run_id in run_ids]
    spare(out, there)
    export_bundle(runs, out, thumbnails=thumbnails)
    size = out.stat().st_size
    ids = list(dict.fromkeys(run.id for run in runs))
    print(f"Wrote {len(ids)} run{'s' * (len(ids) > 1)} to {out} ({size / 1e6:.1f} MB); each says what its licence is.")
    if as_json:
        print_json({"ids": ids, "out": str(out), "bytes": size})


@app.command("import")
def import_runs(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A file that 'export' wrote.")],
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Take the runs of a bundle into the store, after everything in it has been verified."""
    from ssrvae_core.runs.bundle import import_bundle

    runs = RunStore(store)
    report = import_bundle(bundle, runs)
    for run_id in report.imported:
        print(f"Imported run {run_id} into {runs.root}.")
    for run_id in report.already_there:
        what = "it got the small pictures of its images" if run_id in report.pictured else "it was left as it is"
        print(f"Run {run_id} is already there; {what}.")
    if as_json:
        print_json({"imported": report.imported, "already_there": report.already_there})
