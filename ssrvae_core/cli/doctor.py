"""The command ``doctor``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from ssrvae_core.cli.app import Device, Json, SkipMissing, Store, app, opened_file, tell
from ssrvae_core.cli.console import in_percent, print_json
from ssrvae_core.config import DEMO_PRESET, SELF_TEST, UserError, run_config
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.mode import is_viewer


@app.command()
def doctor(
    data: Annotated[
        str | None, typer.Option(help="Read this image file or folder instead, and tell what is in it.")
    ] = None,
    skip_missing: SkipMissing = False,
    store: Store = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Check the installation: versions, device, store, and a training of a few seconds; or an image file."""
    if data is not None:
        found = tell(opened_file(data, skip_missing, held=False))
        if as_json:
            print_json(found.as_json())
        return
    _check_installation(store, device, as_json)


def _check_installation(store: Path | None, device: str, as_json: bool) -> None:
    from ssrvae_core.runs.environment import environment
    from ssrvae_core.runs.execute import train_run
    from ssrvae_core.training.device import choose_device

    found = environment(str(choose_device(device))) | {"cores": os.cpu_count(), "store": str(RunStore(store).root)}
    for name, value in (found | found["packages"]).items():
        if name != "packages":
            print(f"{name:>18}  {value}")
    if is_viewer():
        print(f"{'self-test':>18}  none, as this is read-only")
        if as_json:
            print_json(found | {"ok": True, "self_test": None})
        return
    _check_writable(RunStore(store).root)
    with tempfile.TemporaryDirectory() as scratch:
        run = train_run(run_config(preset=DEMO_PRESET, settings=SELF_TEST), RunStore(scratch), device=device)
        accuracy, seconds, bounds = run.accuracy, run.status.seconds, [m["elbo_unlabelled"] for m in run.metrics()]
    if len(bounds) > 1 and not bounds[-1] > bounds[0]:
        raise UserError(
            f"The self-test did not learn: the ELBO went from {bounds[0]} to {bounds[-1]}; try --device cpu."
        )
    print(f"{'self-test':>18}  trained in {seconds:.1f} s, accuracy {in_percent(accuracy)}")
    print("All is well.")
    if as_json:
        print_json(found | {"ok": True, "self_test": {"seconds": seconds, "accuracy": accuracy}})


def _check_writable(root: Path) -> None:
    """Write a file where the store is, or where it would be made."""
    place = next(folder for folder in (root.absolute(), *root.absolute().parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise UserError(
            f"The store {root} cannot be written ({error.strerror}); choose another with --store."
        ) from error
