"""The one road from a configuration to a finished run in the store."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ssrvae_core.config import DatasetConfig, RunConfig, UserError
from ssrvae_core.records import Epoch
from ssrvae_core.runs import directory
from ssrvae_core.runs.data_files import readable
from ssrvae_core.runs.files import locked, remove_directory, writing
from ssrvae_core.runs.mode import require_editor
from ssrvae_core.runs.progress import Progress
from ssrvae_core.runs.store import Run, RunStore
from ssrvae_core.runs.training_session import Caller, TrainingSession

if TYPE_CHECKING:
    from ssrvae_core.data import ImageSet, Split
    from ssrvae_core.training import Trainer

_logger = logging.getLogger(__name__)

Loader = Callable[[DatasetConfig], "ImageSet"]


def train_run(
    config: RunConfig,
    store: RunStore,
    *,
    device: str = "auto",
    time_limit: float | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    wait: bool = True,
    loader: Loader | None = None,
) -> Run:
    """Train a configuration, or go on with it, or return it untouched if it is finished.

    A run that was cancelled, interrupted or killed goes on to the same result: from the step it was cancelled at, from
    the last checkpoint where it was ended otherwise.

    Parameters
    ----------
    config : RunConfig
        What to train.
    store : RunStore
        Where the run is kept.
    device : str
        See :func:`ssrvae_core.training.device.choose_device`.
    time_limit : float, optional
        Seconds from now; the run stops, ready to go on, after the step that passes it.
    on_epoch : callable, optional
        Called with the record of every epoch once it is on disk.
    on_progress : callable, optional
        Called with how far it is, about twice a second.
    should_stop : callable, optional
        Asked several times a second; once it says True the run stops as one that is cancelled.
    wait : bool
        Whether to wait where another process trains the same configuration.
    loader : callable, optional
        Gives the images of a data set's configuration; by default :func:`ssrvae_core.data.load`. They are not changed.

    Returns
    -------
    Run
        Finished, or cancelled or interrupted if it was told to stop.

    Raises
    ------
    UserError
        If the data or the device are not fit for it (the store is then untouched), the training diverges, the store
        cannot be written, this is a viewer, or another process trains it and ``wait`` is false.
    """
    deadline = None if time_limit is None else time.monotonic() + time_limit
    path = store.path(config.run_id)
    if run := _finished(store, config):
        return run
    require_editor()
    wait_for_others(path, "run", wait)
    if run := _finished(store, config):
        return run
    data, trainer = _prepare(config, device, loader, store)
    with writing(f"The store {store.root}"), alone(path, "run", wait):
        if run := _finished(store, config):
            return run
        caller = Caller(deadline, on_epoch, on_progress, should_stop)
        TrainingSession(path, config, data, trainer, caller).run()
    return store.get(config.run_id)


def _prepare(
    config: RunConfig, device: str, loader: Loader | None, store: RunStore | None = None
) -> tuple[Split, Trainer]:
    from ssrvae_core.data import load, naming, split
    from ssrvae_core.training import Trainer

    dataset = config.dataset if store is None else readable(config.dataset, store.root)
    with naming(dataset):
        data = split((loader or load)(dataset), config.split)
    return data, Trainer(config, data, device=device)


def check(config: RunConfig, device: str = "auto") -> None:
    """Refuse what :func:`train_run` refuses before its first epoch, and train nothing.

    Raises
    ------
    UserError
        If the data or the device are not fit for it.
    """
    _prepare(config, device, None)


def _finished(store: RunStore, config: RunConfig) -> Run | None:
    run = store.find(config)
    return run if run is not None and run.status.state == "finished" else None


def wait_for_others(path: Path, what: str, wait: bool) -> None:
    """Wait until nobody else trains in a directory, so that not even the data are loaded before.

    Parameters
    ----------
    path : Path
        The directory of a run or an embedding, in a store.
    what : str
        ``run`` or ``embedding``.
    wait : bool
        Whether to wait; else it is refused.
    """
    if not path.exists():
        return
    with writing(f"The store {path.parent}"), alone(path, what, wait):
        if [file.name for file in path.iterdir()] == [directory.LOCK]:  # it was deleted: only our lock is here
            remove_directory(path)


@contextmanager
def alone(path: Path, what: str, wait: bool) -> Iterator[None]:
    """Hold the lock of a directory; where another process has it, say so and wait, or refuse."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path / directory.LOCK, wait=False))
        except BlockingIOError as error:
            if not wait:
                raise UserError(
                    f"Another process is training {what} {path.name}; wait for it, or stop it first."
                ) from error
            _logger.warning("Another process is training %s %s; waiting for it.", what, path.name)
            stack.enter_context(locked(path / directory.LOCK, wait=True))
        yield
