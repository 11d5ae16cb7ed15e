"""Commands that look after the store: ``list``, ``show`` and ``delete``."""

from __future__ import annotations

from rich.table import Table

from ssrvae_core.cli.app import Json, RunId, Store, app
from ssrvae_core.cli.console import (
    in_percent,
    labels,
    print_evaluation,
    print_json,
    print_sections,
    print_table,
    say,
    summary_row,
)
from ssrvae_core.cli.embeddings import show_embedding
from ssrvae_core.reports.wording import judgement_text
from ssrvae_core.runs import EmbeddingRun, RunStore
from ssrvae_core.runs.embeddings.store import home_of
from ssrvae_core.times import time_text


@app.command("list")
def list_runs(store: Store = None, as_json: Json = False) -> None:
    """List the runs, last updated first."""
    runs, broken = RunStore(store).scan()
    rows = [summary_row(run) for run in runs]
    table = Table("id", "model", "data", "labels", "seed", "state", "epochs", "accuracy")
    for row in rows:
        epochs = f"{row['epoch']}/{row['epochs']}"
        columns = (row["id"], row["model"], row["data"], labels(row), row["seed"], row["state"], epochs)
        table.add_row(*map(str, columns), in_percent(row["accuracy"]))
    for lost in broken:
        table.add_row(lost.id, "", "", "", "", "broken")
    print_table(table) if rows or broken else print(f"There are no runs in {RunStore(store).root} yet.")
    for lost in broken:
        say(f"{lost.id} is broken: {lost.reason}")
    if as_json:
        print_json([*rows, *({"id": lost.id, "state": "broken", "error": lost.reason} for lost in broken)])


@app.command()
def show(run_id: RunId, store: Store = None, as_json: Json = False) -> None:
    """Show a run's state, configuration and evaluation; or an embedding's, as 'embeddings' does."""
    run = home_of(run_id, RunStore(store)).get(run_id)
    if isinstance(run, EmbeddingRun):
        show_embedding(run, as_json)
        return
    metrics = run.metrics()
    updated = time_text(run.status.updated, seconds=True)
    told = {"path": run.path, "device": run.status.device, "seconds": round(run.status.seconds, 1), "updated": updated}
    for name, value in (summary_row(run) | told).items():
        if value is not None:
            print(f"{name:>18}  {value}")
    print_sections(run.config)
    if run.status.validation is not None:
        print_evaluation(run.status.validation, run.class_names)
        if run.status.judgement is not None:
            print(judgement_text(run.status.judgement, run.status.n_labelled))
    if as_json:
        shown = {"path": str(run.path), "config": run.config.model_dump(mode="json"), "class_names": run.class_names}
        last = metrics[-1] if metrics else None
        print_json(summary_row(run) | shown | {"last_epoch": last, "validation": run.status.validation})


@app.command()
def delete(run_id: RunId, store: Store = None, as_json: Json = False) -> None:
    """Delete a run or an embedding for good."""
    runs = RunStore(store)
    home = home_of(run_id, runs)
    deleted = home.delete(run_id)
    print(f"Deleted {'run' if home is runs else 'embedding'} {deleted} from {runs.root}.")
    if as_json:
        print_json({"id": deleted})
