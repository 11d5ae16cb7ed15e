"""One piece of a sweep's work, as every kind of worker does it, and what the workers say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ssrvae_core.config import DatasetConfig, RunConfig, SplitConfig, UserError
from ssrvae_core.records import Epoch
from ssrvae_core.registry import load_plugins
from ssrvae_core.runs.comparison import rival_path, rival_result
from ssrvae_core.runs.directory import State
from ssrvae_core.runs.execute import Loader, train_run
from ssrvae_core.runs.progress import Progress
from ssrvae_core.runs.store import RunStore
from ssrvae_core.runs.sweep_task import Task

if TYPE_CHECKING:
    from ssrvae_core.data import ImageSet

TRIES = 3
"""How often a task is begun before the sweep goes on without it, where its worker dies each time."""


PATIENCE = 10.0
"""Seconds a process of ours whose parent is gone has to stop in before it ends itself."""

GRACE = 0.8
"""Seconds a process of ours that is told to stop has to write down where it is, before it is ended: what it has
finished is on disk, and a fit of a method may not listen."""


@dataclass(frozen=True)
class Event:
    """What happened to a task.

    Attributes
    ----------
    task : int
        Its position in the list that was handed out.
    state : str
        As in :class:`ssrvae_core.runs.directory.Status`; ``queued`` where a lost worker's task waits for another one.
    epoch : int
        Epochs done.
    share : float
        Share of the task that is done, in [0, 1].
    accuracy : float, optional
        Of the tracked validation images at that epoch.
    error : str, optional
        The sentence of a failed task.
    """

    task: int
    state: State
    epoch: int = 0
    accuracy: float | None = None
    error: str | None = None
    share: float = 0.0


@lru_cache(maxsize=2)
def cached_load(dataset: DatasetConfig) -> ImageSet:
    """Load a data set once a process, as a worker trains on the same one again and again."""
    from ssrvae_core.data import load

    return load(dataset)


def perform(
    config: RunConfig,
    rival: str | None,
    store: RunStore,
    *,
    device: str = "auto",
    on_progress: Callable[[int, float, float | None], None],
    should_stop: Callable[[], bool] | None = None,
    loader: Loader = cached_load,
) -> tuple[State, str | None]:
    """Train a run, or fit a rival, into a store.

    Parameters
    ----------
    config : RunConfig
        The run; of a rival, a run with the data, split and seed it is given.
    rival : str, optional
        Name of the rival.
    store : RunStore
        Where the result goes.
    device : str
        See :func:`ssrvae_core.training.device.choose_device`.
    on_progress : callable
        Called, about twice a second and after each epoch of a run, with the epochs done, the share of the run that is
        done, and the accuracy on the tracked validation images, None where there is no new one.
    should_stop : callable, optional
        Asked between two steps of a run, several times a second; once it says True the run stops.
    loader : callable
        Gives the images of a data set's configuration.

    Returns
    -------
    str and str or None
        The state it came to, and the sentence if it failed for a reason the user can fix. What else goes wrong is
        raised.
    """
    share = 0.0

    def tell_progress(progress: Progress) -> None:
        nonlocal share
        share = progress.share
        on_progress(0 if progress.start else progress.epoch, share, None)

    def tell_epoch(epoch: Epoch) -> None:
        on_progress(epoch.epoch, share, epoch.as_json()["validation_accuracy"])

    try:
        load_plugins()
        if rival is not None:
            rival_result(config, rival, store, device, loader=loader)
            return "finished", None
        run = train_run(
            config,
            store,
            device=device,
            on_epoch=tell_epoch,
            on_progress=tell_progress,
            should_stop=should_stop,
            loader=loader,
        )
        return run.status.state, None
    except UserError as error:
        return "failed", str(error)


def check_data(tasks: Iterable[Task]) -> None:
    """Load every image file of some tasks, and try each of the rules they split it by, with one seed.

    So what is wrong with a file is said once and at once, not by every task. Generated data, which take time to draw,
    are left to the tasks.

    Raises
    ------
    UserError
        If a file's images are not fit for the view or the split; the sentence names it.
    """
    from ssrvae_core.data import naming, split

    rules: dict[DatasetConfig, dict[SplitConfig, SplitConfig]] = {}
    for task in tasks:
        config = task.config
        if config.dataset.path is not None:
            anyhow = config.split.model_copy(update={"seed": 0})
            rules.setdefault(config.dataset, {}).setdefault(anyhow, config.split)
    for dataset, splits in rules.items():
        with naming(dataset):
            images = cached_load(dataset)
            for rule in splits.values():
                split(images, rule)


def result_path(config: RunConfig, rival: str | None, store: RunStore) -> Path:
    """Return the directory of a run or a rival."""
    return store.path(config.run_id) if rival is None else rival_path(config, rival, store)
