"""The command ``library``: the particles of a run by class, corrected, exported and trained on again."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ssrvae_core.cli.app import Device, Json, RunId, Store, app
from ssrvae_core.cli.console import print_json, print_submitted, print_table, say
from ssrvae_core.cli.library_export import export_particles, fractions_of, particle_ids
from ssrvae_core.config import UserError
from ssrvae_core.invocation import command
from ssrvae_core.runs import Run, RunStore
from ssrvae_core.runs.jobs import JobQueue
from ssrvae_core.times import time_text

if TYPE_CHECKING:
    from ssrvae_core.library import Journal, Library
    from ssrvae_core.records import Particles

Numbers = Annotated[str | None, typer.Option("--ids", metavar="ID,ID,...", help="Which particles to export.")]


@app.command()
def library(
    run_id: RunId,
    move: Annotated[str | None, typer.Option(metavar="ID,ID,...", help="Put these particles into --to CLASS.")] = None,
    split: Annotated[str | None, typer.Option(metavar="ID,ID,...", help="Make them a new class, --to NAME.")] = None,
    rename: Annotated[str | None, typer.Option(metavar="CLASS", help="Give the class another name, --to NAME.")] = None,
    merge: Annotated[str | None, typer.Option(metavar="CLASS", help="Put the class into another, --to CLASS.")] = None,
    to: Annotated[str | None, typer.Option(help="A class's name, 'none of these', or the new name.")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Particles with a larger outlier score are none of these.")
    ] = None,
    no_threshold: Annotated[
        bool, typer.Option("--no-threshold", help="No outlier score puts a particle into none of these any more.")
    ] = False,
    false_alarms: Annotated[
        float | None, typer.Option(help="Set the threshold by the share of good particles it may cost.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take the last change back.")] = False,
    redo: Annotated[bool, typer.Option("--redo", help="Make the change that was undone last again.")] = False,
    history: Annotated[bool, typer.Option("--history", help="List who changed what and when.")] = False,
    export: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Write .csv, .parquet, .zip (pictures), .npz or .html.")
    ] = None,
    ids: Numbers = None,
    in_class: Annotated[
        list[str] | None, typer.Option("--class", metavar="CLASS", help="Export this class; may be given again.")
    ] = None,
    upright: Annotated[bool, typer.Option("--upright", help="Export pictures turned upright.")] = False,
    model_labels: Annotated[
        bool, typer.Option("--model-labels", help="Export the model's classes as labels, too, in an .npz.")
    ] = False,
    train_again: Annotated[
        bool, typer.Option("--train-again", help="Queue a training with the corrected labels.")
    ] = False,
    who: Annotated[str | None, typer.Option(help="Who makes the change; by default the user of this machine.")] = None,
    store: Store = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Show a run's particles by class with fractions, correct them, export them, or train on them again."""
    from ssrvae_core.library import Journal

    runs = RunStore(store)
    run = runs.get(run_id)
    changes = {"--move": move, "--split": split, "--rename": rename, "--merge": merge}
    _only_one(*changes.values(), threshold, no_threshold, false_alarms, undo, redo, history, export, train_again)
    _check_names(changes, to)
    _goes_with(ids or in_class or upright, "--ids, --class and --upright", export, "--export")
    _goes_with(model_labels, "--model-labels", export, "--export")
    particles = run.particles()
    journal = Journal(run, particles)
    assert particles is not None  # the journal refuses a run without
    if history:
        _history(journal, as_json)
    elif export is not None:
        chosen = ids, in_class or [], upright, model_labels
        export_particles(run, runs, journal.read(), particles, export, *chosen, as_json)
    elif train_again:
        _train_again(run, runs, journal, particles, device, as_json)
    else:
        asked = (move, split, rename, merge, to, threshold, no_threshold, false_alarms, undo, redo)
        change = _change(journal, particles, *asked)
        _show(run, journal.read() if change is None else change(who or _user()), particles, as_json)


def _change(
    journal: Journal,
    particles: Particles,
    move: str | None,
    split: str | None,
    rename: str | None,
    merge: str | None,
    to: str | None,
    threshold: float | None,
    no_threshold: bool,
    false_alarms: float | None,
    undo: bool,
    redo: bool,
) -> Callable[[str], Library] | None:
    """Return what changes the library as it is asked for; None where nothing does."""
    from ssrvae_core.library.outliers import threshold_for

    known = journal.read()
    name = to or ""
    if move is not None:
        number = known.class_called(name)
        return lambda who: journal.move(particle_ids(move), number, who=who)
    if split is not None:
        return lambda who: journal.split(particle_ids(split), name, who=who)
    if rename is not None:
        return lambda who: journal.rename(known.class_called(rename), name, who=who)
    if merge is not None:
        into = known.class_called(name)
        return lambda who: journal.merge([known.class_called(merge)], into, who=who)
    if false_alarms is not None:
        value = threshold_for(known, particles, false_alarms)
        return lambda who: journal.set_threshold(value, who=who)
    if threshold is not None or no_threshold:
        return lambda who: journal.set_threshold(threshold, who=who)
    if undo or redo:
        return lambda who: (journal.undo if undo else journal.redo)(who=who)
    return None


def _show(run: Run, library: Library, particles: Particles, as_json: bool) -> None:
    from ssrvae_core.library.outliers import outliers

    found = fractions_of(run, library, particles)
    table = Table(
        "class", "particles in it", "known by a person", "true share (95 % interval)", title=f"Library of run {run.id}"
    )
    for one in found.classes:
        table.add_row(library.names[one.number], found.called(one), f"{one.known:,}", one.in_words)
    none = library.counts[-1]
    table.add_row("none of these", f"{none:,}", "", "")
    print_table(table)
    print(found.in_words)
    for remark in found.remarks:
        print(remark)
    cost = outliers(library, particles)
    print(cost.in_words)
    if as_json:
        shown = [
            {"class": one.number, "name": library.names[one.number], "count": one.counted, "known": one.known}
            | {"fraction": one.estimate, "low": one.low, "high": one.high}
            for one in found.classes
        ]
        alarms = vars(cost.rate)
        threshold = {"threshold": cost.threshold, "beyond": cost.beyond, "false_alarms": alarms}
        print_json(
            {"id": run.id, "particles": len(particles), "classes": shown, "none": none, "entries": library.n_entries}
            | {
                "outliers": threshold,
                "confusion_known_from": found.confusion.n,
                "left_out": found.confusion.left_out,
                "remarks": list(found.remarks),
            }
        )


def _train_again(run: Run, runs: RunStore, journal: Journal, particles: Particles, device: str, as_json: bool) -> None:
    from ssrvae_core.library.judging import moved_text
    from ssrvae_core.library.training import train_again_config, training_labels
    from ssrvae_core.runs.execute import check

    now = journal.read()
    labels = training_labels(now, particles)
    config = train_again_config(run, now, particles)
    check(config, device)
    told = f"Training again with {labels.in_words}, as run {config.run_id}."
    say(" ".join(filter(None, (told, moved_text(labels.held_out)))))
    print_submitted(JobQueue(runs).submit(config=config, device=device), as_json)


def _history(journal: Journal, as_json: bool) -> None:
    from ssrvae_core.library.entries import Redo, Undo
    from ssrvae_core.library.journal import in_words

    names = journal.read().all_names
    entries = journal.entries()
    table = Table("when", "who", "what", title=f"Changes in the library of run {journal.base.run}")
    for entry in entries:
        back = "undone" if isinstance(entry, Undo) else "done again" if isinstance(entry, Redo) else ""
        of = entries[entry.entry] if isinstance(entry, Undo | Redo) and entry.entry < len(entries) else entry
        what = "" if isinstance(of, Undo | Redo) else in_words(of, names)
        table.add_row(time_text(entry.time), entry.who, f"{back}: {what}" if back else what)
    print_table(table)
    if not entries:
        print(f"Nothing was changed yet; '{command(f'library {journal.base.run} --move ID --to CLASS')}' does.")
    if as_json:
        print_json([entry.model_dump(mode="json", by_alias=True) for entry in entries])


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without a name, as in a container
        return "unknown"


def _only_one(*asked: Any) -> None:
    if sum(one is not None and one is not False for one in asked) > 1:
        raise UserError("The options ask for several things at once; give one of them at a time.")


def _check_names(changes: Mapping[str, str | None], to: str | None) -> None:
    """Refuse a change that needs ``--to`` without it, and ``--to`` without such a change."""
    _goes_with(to, "--to", *changes.values(), "--move, --split, --rename or --merge")
    for option, asked in changes.items():
        if asked is not None and to is None:
            raise UserError(f"{option} needs a class or a name; give it with --to.")


def _goes_with(given: Any, option: str, *others: Any) -> None:
    *wanted, named = others
    if given and all(one is None for one in wanted):
        do = "do" if " and " in option else "does"
        raise UserError(f"{option} {do} nothing without {named}; add it, or leave {option} out.")
