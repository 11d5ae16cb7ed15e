"""Commands that write pages: ``report`` and ``paper``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from ssrvae_core.cli.app import Device, Json, Store, app, interruptible, setting, spare
from ssrvae_core.cli.console import print_json
from ssrvae_core.config import DATASETS, PAPER_DATA, PAPER_RATIOS, PAPER_SEEDS, PRESETS
from ssrvae_core.runs import RunStore


@app.command()
def report(
    run_ids: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of finished runs, or their beginnings.")],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    title: Annotated[
        str | None, typer.Option(help="Heading of the page.", show_default="the data and the runs")
    ] = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Write a report on runs: one HTML file that any browser opens, without a network."""
    from ssrvae_core.reports.report import write_report

    there = RunStore(store)
    runs = {run.id: run for run in map(there.get, run_ids)}
    spare(out, there)
    write_report(list(runs.values()), out, title)
    print(f"Wrote a report on {len(runs)} {'run' if len(runs) == 1 else 'runs'} to {out}.")
    if as_json:
        print_json({"out": str(out), "runs": list(runs), "bytes": out.stat().st_size})


@app.command()
def paper(
    out: Annotated[Path, typer.Option(help="Directory for report.html and the videos.")] = Path("paper"),
    preset: Annotated[str, typer.Option(help=f"{', '.join(PRESETS)}; esi: the source's own settings.")] = next(
        iter(PRESETS)
    ),
    data: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(DATASETS)}; once for each. By default {PAPER_DATA} and the preset's own."),
    ] = None,
    seeds: Annotated[list[int] | None, typer.Option("--seed", "--seeds", min=0, help="Once for each seed.")] = None,
    ratios: Annotated[
        list[float] | None,
        typer.Option("--ratio", "--ratios", min=0, max=1, help="Supervised ratio of Video 3, once for each."),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any setting, such as training.epochs=20.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that train at the same time.")] = None,
    time_limit: Annotated[
        float | None, typer.Option(min=0, help="Seconds after which to stop, ready to go on.")
    ] = None,
    store: Store = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Build every figure and video of the paper's supplementary information. What is trained is not trained again."""
    from ssrvae_core.cli.sweeps import run_shown
    from ssrvae_core.reports.paper import Paper, build_paper

    wanted = Paper(
        preset=preset,
        data=tuple(data or ()),
        seeds=tuple(seeds or PAPER_SEEDS),
        ratios=tuple(ratios or PAPER_RATIOS),
        settings=dict(setting(text) for text in settings or []),
    )
    with interruptible():
        built = build_paper(
            wanted, RunStore(store), out, workers=workers, device=device, time_limit=time_limit, sweep=run_shown
        )
    if built.missing:
        left = f"{built.missing} {'run or baseline' if built.missing == 1 else 'runs or baselines'} still to train"
        print(f"Stopped unfinished: {left}, so that no page was written. What is trained is kept. To go on, repeat:")
        options = {"--out": out, "--preset": preset, "--data": data, "--seed": seeds, "--ratio": ratios}
        options |= {"--set": settings, "--workers": workers, "--time-limit": time_limit}
        print(_command("paper", options | {"--store": store, "--device": device}))
    for path in built.files:
        print(f"Wrote {path}.")
    if as_json:
        print_json({"finished": not built.missing, "missing": built.missing, "files": [str(p) for p in built.files]})


def _command(name: str, options: dict[str, Any]) -> str:
    """Write a command with its options, without those that were not given."""
    words = ["python", "-m", "ssrvae_core", name]
    for option, value in options.items():
        for each in value if isinstance(value, list) else [value]:
            words += [] if each is None else [option, str(each)]
    return shlex.join(words)
