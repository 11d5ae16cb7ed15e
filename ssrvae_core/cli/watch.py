"""``predict --watch``: classify the files of an instrument while it writes them."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ssrvae_core.cli.console import print_json, say
from ssrvae_core.cli.judge import say_who_is_not_asked
from ssrvae_core.config import UserError
from ssrvae_core.runs import Run
from ssrvae_core.shares import certainty

if TYPE_CHECKING:
    from ssrvae_core.runs.instrument import Watch


def watch_folder(run: Run, folder: Path, out: Path, interval: float, device: str, as_json: bool) -> None:
    """Classify the files in a folder, and every one that is new or overwritten, into a table, until Ctrl-C or SIGTERM.

    Raises
    ------
    UserError
        If there is no such folder, the run is not finished, or the table cannot be used.
    """
    from ssrvae_core.paths import located
    from ssrvae_core.runs.everything import classify_others, usual_of
    from ssrvae_core.runs.growing import GrowingTable
    from ssrvae_core.runs.instrument import Watch
    from ssrvae_core.runs.interrupting import sigterm_interrupts

    place = located(str(folder))
    if place is None or not place.is_dir():
        raise UserError(f"There is no folder {folder}; give the folder that the instrument writes into.")
    model = run.model(device)
    say_who_is_not_asked(model, masks=False)
    classify = partial(classify_others, model, by=usual_of(run))
    with GrowingTable(out, run.class_names, run.config.model.latent_dim) as table:
        watch = Watch(place, run.dataset, classify, run.class_names, table)
        print(f"Watching {folder}: its images go to {out}, which has {table.next_id}; Ctrl-C ends it.", flush=True)
        try:
            with sigterm_interrupts():
                _go_on(watch, interval)
        except KeyboardInterrupt:
            print(f"Ended; {watch.n_images:,} images went to {out}, and the same command goes on.")
        if as_json:
            print_json({"id": run.id, "images": watch.n_images, "out": str(out)})


def _go_on(watch: Watch, interval: float) -> None:
    """Look at the folder again and again."""
    from ssrvae_core.runs.instrument import Classified, FolderAway

    refused = ""
    while True:
        try:
            for found in watch.look():
                if isinstance(found, Classified):
                    alone = f"{found.class_name} ({certainty(found.confidence)})"
                    again = "; it was overwritten, and its former rows are replaced" if found.again else ""
                    print(f"{found.name}: {alone if found.n == 1 else f'{found.n:,} images'}{again}", flush=True)
                else:
                    say(f"{found.name} is passed over until it changes: {found.reason}")
            refused = ""
        except FolderAway as error:
            if str(error) != refused:  # such as a drive of the network that is away for a while
                say(str(error))
            refused = str(error)
        time.sleep(interval)
