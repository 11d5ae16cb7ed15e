"""Everything the supplementary information of the paper shows, built again from nothing and resumably.

Figs S1 and S2 (latents and confusion of both models), Fig S3 (the baselines) and Videos 1 to 3 (the training of either
model, and the supervised ratio), for one data set or several.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ssrvae_core.config import (
    DATASETS,
    PAPER_DATA,
    PAPER_MODELS,
    PAPER_RATIOS,
    PAPER_RIVALS,
    PAPER_SEEDS,
    PRESETS,
    UserError,
    choose,
)
from ssrvae_core.reports import html
from ssrvae_core.reports.chapter import Chapter
from ssrvae_core.reports.report import save
from ssrvae_core.reports.wording import seeds_named
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.sweep import Sweep, SweepSpec, run_sweep
from ssrvae_core.runs.sweep_spec import spec_of
from ssrvae_core.times import time_text

PAGE = "report.html"


@dataclass(frozen=True)
class Paper:
    """What to build.

    Attributes
    ----------
    preset : str
        How to train; ``esi`` are the source's own settings.
    data : tuple of str
        Named data sets; empty for the particles and the preset's own.
    seeds : tuple of int
        Of every run and baseline. Figures show the first, captions tell of all.
    ratios : tuple of float
        Supervised ratios of Video 3.
    rivals : tuple of str
        Baselines of Fig. S3, names in :data:`ssrvae_core.registry.RIVALS`.
    settings : dict
        Dotted names and values that override the preset.
    """

    preset: str = next(iter(PRESETS))
    data: tuple[str, ...] = ()
    seeds: tuple[int, ...] = PAPER_SEEDS
    ratios: tuple[float, ...] = PAPER_RATIOS
    rivals: tuple[str, ...] = PAPER_RIVALS
    settings: dict[str, Any] = field(default_factory=dict)

    def sweeps(self) -> tuple[SweepSpec, SweepSpec]:
        """Return the sweep of the figures, with the baselines, and that of Video 3.

        Raises
        ------
        UserError
            If the preset or a data set is unknown, or a seed, a ratio or a setting is refused.
        """
        suggested = choose("preset", PRESETS, self.preset).data
        data = self.data or tuple(dict.fromkeys((PAPER_DATA, suggested)))
        for name in data:
            choose("data set", DATASETS, name)
        common: dict[str, Any] = {
            "data": data,
            "models": PAPER_MODELS,
            "seeds": self.seeds,
            "preset": self.preset,
            "settings": self.settings,
        }
        return spec_of({**common, "rivals": self.rivals}), spec_of({**common, "labelled_ratios": self.ratios})


@dataclass(frozen=True)
class Built:
    """What came of it: the files, or, where the time ran out, how many runs and baselines are still to train."""

    files: tuple[Path, ...] = ()
    missing: int = 0


def build_paper(
    paper: Paper,
    store: RunStore,
    out: Path,
    *,
    workers: int | None = None,
    device: str = "auto",
    time_limit: float | None = None,
    sweep: Callable[..., Any] = run_sweep,
) -> Built:
    """Train what is missing, and write the page and the videos.

    Parameters
    ----------
    paper : Paper
        What to build.
    store : RunStore
        Where the runs are kept; those that are there are not trained again.
    out : Path
        Directory for ``report.html`` and the videos.
    workers, device
        As for :func:`ssrvae_core.runs.sweep.run_sweep`.
    time_limit : float, optional
        Seconds after which to stop, ready to go on.
    sweep : callable
        Runs a sweep as :func:`ssrvae_core.runs.sweep.run_sweep` does, and may show how far it is.

    Raises
    ------
    UserError
        If a name is unknown, a run failed without which there is no figure, or ``out`` cannot be written.
    """
    deadline = None if time_limit is None else time.monotonic() + time_limit
    specs = paper.sweeps()
    _make_directory(out)
    sweeps = [
        sweep(
            spec,
            store,
            workers=workers,
            device=device,
            should_stop=lambda: deadline is not None and time.monotonic() >= deadline,
        )
        for spec in specs
    ]
    if missing := sum(row["state"] not in ("finished", "failed") for each in sweeps for row in each.rows):
        return Built(missing=missing)
    shown, by_ratio = sweeps
    chapters = [
        Chapter.read(name, _rows(shown, name), _rows(by_ratio, name), store, device)
        for name in dict.fromkeys(row["data"] for row in shown.rows)
    ]
    written = [chapter.write(out) for chapter in chapters]
    page = html.page(
        "Figures and videos, built again", _lead(paper), *(section for section, _ in written), explorers=True
    )
    save(out / PAGE, page)
    return Built((out / PAGE, *(path for _, videos in written for path in videos)))


def _rows(sweep: Sweep, data: str) -> list[dict[str, Any]]:
    return [row for row in sweep.rows if row["data"] == data]


def _make_directory(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The directory {out} cannot be made ({error.strerror}); choose another with --out.") from error


def _lead(paper: Paper) -> Sequence[str]:
    changed = ", ".join(f"{name} = {value}" for name, value in paper.settings.items())
    return (
        "The figures S1 to S3 and the videos 1 to 3 of the paper's supplementary information, trained again: latent "
        "variables and confusion of a semi-supervised variational autoencoder without (ss-VAE) and with rotational "
        "invariance (ss-rVAE), the baselines, the training, and the effect of the supervised ratio.",
        f"Preset '{paper.preset}'{f', with {changed}' if changed else ''}; {seeds_named(paper.seeds)}; "
        f"built {time_text()}. All accuracies are on validation images that nothing "
        "was trained on or chosen by.",
    )
