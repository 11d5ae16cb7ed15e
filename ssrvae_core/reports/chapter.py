"""One data set's figures and videos: Figs S1 to S3, Videos 1 to 3."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import numpy as np

from ssrvae_core.config import PAPER_MODELS, UserError, ratio_text
from ssrvae_core.figures.counts import validation_text
from ssrvae_core.registry import rival_title
from ssrvae_core.reports import html, panels, particles
from ssrvae_core.reports.explorer.source import Source, of_validation
from ssrvae_core.reports.film import ALIGNED, Film
from ssrvae_core.reports.gather import ratio_film, training_film
from ssrvae_core.reports.report import save
from ssrvae_core.reports.wording import (
    MODEL_TITLES,
    conditions,
    course_text,
    duration_text,
    model_title,
    seeds_text,
    spread_text,
    titles,
    verdict,
)
from ssrvae_core.runs import Run, RunStore
from ssrvae_core.runs.comparison import RivalResult, rival_result

SECONDS, FASTEST = 4.0, 10.0
"""A video file plays for about this long, at no more frames a second than this."""

EXPLORER = 3_000_000
"""Bytes of the explorer of a data set: a chapter's films take more."""


@dataclass(frozen=True)
class Chapter:
    """What is shown of one data set.

    Attributes
    ----------
    data : str
        Name of the data set.
    runs : mapping of str to list of Run
        Runs of each model at one number of labels, a seed each, the seed that is shown first.
    baselines : mapping of str to list of RivalResult
        Results of each rival, a seed each, in the same order.
    by_ratio : list of Run
        Runs of both models at every supervised ratio.
    failures : list of str
        A sentence for every run or baseline that is missing because it failed.
    device : str
        Where a manifold is decoded that is not kept yet.
    """

    data: str
    runs: Mapping[str, list[Run]]
    baselines: Mapping[str, list[RivalResult]]
    by_ratio: list[Run]
    failures: list[str]
    device: str

    @classmethod
    def read(
        cls,
        data: str,
        shown: Sequence[Mapping[str, Any]],
        by_ratio: Sequence[Mapping[str, Any]],
        store: RunStore,
        device: str,
    ) -> Self:
        """Read the finished runs and baselines that the rows of two sweeps name.

        Raises
        ------
        UserError
            If every run of a model failed; then there is nothing to set beside the other.
        """
        finished = [row for row in shown if row["state"] == "finished"]
        runs = {
            model: [store.get(row["run_id"]) for row in finished if row["model"] == model] for model in PAPER_MODELS
        }
        for model, of_model in runs.items():
            if not of_model:
                errors = (row["error"] for row in shown if row["model"] == model and row["error"])
                why = next(errors, "none was trained to its end; run the same command again.")
                raise UserError(f"No run of {model} on {data} succeeded: {why}")
        split_of = {run.config.seed: run.config for of_model in runs.values() for run in of_model}
        baselines = {
            rival: [
                rival_result(split_of[row["seed"]], rival, store)
                for row in finished
                if row["model"] == rival and row["seed"] in split_of
            ]
            for rival in dict.fromkeys(row["model"] for row in finished if row["model"] not in MODEL_TITLES)
        }
        failures = [
            f"{row['model']}, seed {row['seed']}, failed and is left out: {row['error']}"
            for row in (*shown, *by_ratio)
            if row["state"] == "failed"
        ]
        # A baseline of a seed at which no model was trained has nothing beside it.
        baselines = {rival: results for rival, results in baselines.items() if results}
        ratio_runs = [store.get(row["run_id"]) for row in by_ratio if row["state"] == "finished"]
        return cls(data, runs, baselines, ratio_runs, failures, device)

    def write(self, out: Path) -> tuple[str, list[Path]]:
        """Write the videos into a directory; return the chapter as HTML, and the files.

        Raises
        ------
        UserError
            If a file cannot be written.
        """
        blocks, files = [], []
        for video in self._videos():
            written = video.write(out, f"{self._stem}-video-{video.number}")
            links = html.file_links("As a file:", [path.name for path in written])
            blocks.append(html.subsection(f"Video {video.number}: {video.title}", video.block(), links))
            files += written
        chapter = html.section(
            self.data,
            html.subsection("Figure S1: latent variables", self._latents()),
            html.subsection("Figure S2: confusion of the models", self._confusion()),
            html.subsection("Figure S3: confusion of the baselines", self._baseline_confusion()),
            *blocks,
            *map(html.paragraph, (*self._without_film(), *self.failures)),
        )
        return chapter, files

    @property
    def _stem(self) -> str:
        """The name of the data set as files have it: a changed one's has spaces and parentheses."""
        return re.sub(r"[^\w.-]+", "-", self.data).strip("-")

    @property
    def _first(self) -> list[Run]:
        """The run of each model that is shown."""
        return [of_model[0] for of_model in self.runs.values()]

    def _latents(self) -> str:
        """Return the explorer of the validation images, which are those of the paper's figure."""
        shown = self._first
        sources = [
            Source(run.id, title, of_validation(run.predictions()))
            for run, title in zip(shown, titles(shown), strict=True)
        ]
        made = particles.explorer_of(shown, sources, f"{self._stem}-figure-s1", EXPLORER)
        return html.explorer(made, f"Latent means, coloured and shaped by true class. {self._told()}")

    def _confusion(self) -> str:
        return panels.confusions(panels.run_confusions(self._first), self._first[0].class_names, self._told())

    def _baseline_confusion(self) -> str:
        if not self.baselines:
            return html.paragraph("No baseline was fitted.")
        counts = {
            rival_title(name): np.array(results[0].validation["confusion"])
            for name, results in self.baselines.items()
            if results[0].validation["confusion"] is not None
        }
        shares = {rival_title(name): _known(r.accuracy for r in results) for name, results in self.baselines.items()}
        each = "; ".join(
            f"{rival_title(name)}: accuracy {spread_text(shares[rival_title(name)])}, fitted in "
            f"{duration_text(results[0].fit_seconds)}"
            for name, results in self.baselines.items()
        )
        one = next(iter(self.baselines.values()))[0]
        ours = {MODEL_TITLES[model]: _known(run.accuracy for run in runs) for model, runs in self.runs.items()}
        caption = (
            f"The same {one.n_labelled:,} labelled and {one.n_validation:,} validation images as in Fig. S2, "
            f"{seeds_text(one.seed, self._seeds)}. {each}. The settings of every baseline were chosen by "
            "cross-validation on the labelled images alone. "
            + verdict(*({name: float(np.mean(s)) for name, s in each.items() if s} for each in (ours, shares)))
        )
        return panels.confusions(counts, self._first[0].class_names, caption)

    def _videos(self) -> list[_Video]:
        videos = []
        for number, run in enumerate(self._first, start=1):
            if not (kept := run.snapshots()):
                continue  # of an imported run, for one, whose film its owner did not share
            caption = (
                f"Every frame is an epoch, of {len(kept[-1][1].ids):,} tracked validation images; the curve is the"
                f" loss. {' '.join(filter(None, (ALIGNED, course_text(run), _conditions([run]))))}"
            )
            videos.append(_Video(number, f"training of the {model_title(run)}", training_film([run]), caption))
        if self.by_ratio:
            videos.append(self._ratio_video())
        return videos

    def _without_film(self) -> list[str]:
        """Say which runs have no video."""
        return [
            f"No epochs of run {run.id} were kept, so there is no film." for run in self._first if not run.snapshots()
        ]

    def _ratio_video(self) -> _Video:
        runs, said = self.by_ratio, self.by_ratio[0].predictions()
        ratios = sorted({run.config.split.labelled_ratio or 0.0 for run in runs})
        seeds = sorted({run.config.seed for run in runs})
        ends = "; ".join(
            f"{MODEL_TITLES[model]}: accuracy "
            + ", ".join(f"{spread_text(self._at(model, ratio))} at {ratio_text(ratio)}" for ratio in ratios)
            for model in self.runs
        )
        caption = (
            f"{self.data}: every frame is a supervised ratio, the share of the training images that carry a label; "
            "their number stays the same, so that a larger share leaves fewer unlabelled images. "
            f"{validation_text(said.n_labelled, len(said))}, {seeds_text(seeds[0], len(seeds))}. {ends}. {len(runs)}"
            f" runs, {duration_text(sum(run.status.seconds for run in runs))} of training. {ALIGNED} The manifold"
            " shows what each model draws where the images of a class are, a block per class, turned to the nearest"
            " quarter."
        )
        return _Video(3, "the supervised ratio", ratio_film(runs, device=self.device), caption)

    def _at(self, model: str, ratio: float) -> list[float]:
        """Accuracies of a model at a supervised ratio, a seed each."""
        here = [run for run in self.by_ratio if run.config.split.labelled_ratio == ratio]
        return _known(run.accuracy for run in here if run.config.model.name == model)

    def _told(self) -> str:
        """Conditions of the runs that are shown, and the accuracy over all seeds."""
        told = _conditions(self._first)
        if self._seeds == 1:
            return told
        each = "; ".join(
            f"{MODEL_TITLES[model]} {spread_text(_known(run.accuracy for run in runs))}"
            for model, runs in self.runs.items()
        )
        return f"{told} Accuracy over the seeds: {each}."

    @property
    def _seeds(self) -> int:
        return max(len(of_model) for of_model in self.runs.values())


@dataclass(frozen=True)
class _Video:
    number: int
    title: str
    film: Film
    caption: str

    def block(self) -> str:
        """Return the film with its caption."""
        return panels.film(self.film, self.caption)

    def write(self, out: Path, stem: str) -> list[Path]:
        """Write it as GIF, and as MP4 where that can be encoded."""
        frames = max(len(track.frames) for track in self.film.tracks)
        fps = min(FASTEST, frames / SECONDS)
        files = {out / f"{stem}.gif": self.film.gif(fps)}
        if find_spec("imageio_ffmpeg"):
            files[out / f"{stem}.mp4"] = self.film.mp4(fps)
        for path, content in files.items():
            save(path, content)
        return list(files)


def _conditions(runs: Sequence[Run]) -> str:
    said = runs[0].predictions()
    return conditions(runs, len(said), said.n_labelled)


def _known(accuracies: Iterable[float | None]) -> list[float]:
    return [share for share in accuracies if share is not None]
