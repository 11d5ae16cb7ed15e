"""Rivals in the store: fitted once on the data, split and seed of a run, and read as cheaply as a run.

``<store>/rivals/<12 hex digits>/`` holds ``result.json``, a :class:`RivalResult`; ``validation.npz``, the predictions
in a run's format; ``environment.json``; and ``lock``, held by the process that fits it. The result is written last:
without one that can be read there is none, and the rival is fitted again.
Reading needs neither torch nor scikit-learn.
"""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ssrvae_core.config import DatasetConfig, RunConfig, SplitConfig, choose, data_name
from ssrvae_core.records import Predictions
from ssrvae_core.registry import NAME, RIVALS
from ssrvae_core.runs import directory
from ssrvae_core.runs.data_files import readable
from ssrvae_core.runs.environment import environment
from ssrvae_core.runs.files import atomic_write, locked, write_json, writing
from ssrvae_core.runs.mode import require_editor
from ssrvae_core.runs.store import RunStore

if TYPE_CHECKING:
    from ssrvae_core.data import Split
    from ssrvae_core.runs.execute import Loader

RIVALS_DIRECTORY = "rivals"
RESULT = "result.json"


class RivalResult(BaseModel):
    """What a rival is worth on one data set, split and seed; the content of ``result.json``.

    Attributes
    ----------
    id : str
        12 hex digits, :func:`rival_id` of what it was fitted on.
    rival, version : str and int
        Its name and the version of its recipe, see :data:`ssrvae_core.registry.RIVALS`.
    dataset, split, seed
        As in the configuration of a run.
    class_names : tuple of str
        Name of class ``k`` at position ``k``.
    n_labelled, n_unlabelled, n_validation : int
        Images of each part. Only label spreading and FixMatch use the unlabelled ones.
    parameters : dict
        What was chosen, and how.
    validation : dict
        The evaluation on the validation images, with the names of a run's.
    fit_seconds, predict_seconds : float
        Wall time of fitting, search included, and of predicting the validation images.
    device : str
        Where the networks were trained; the other rivals use the CPU.
    updated : float
        When this was written, Unix time.
    path : Path
        The directory; it is not written.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    rival: Annotated[str, Field(pattern=NAME)]
    version: int
    dataset: DatasetConfig
    split: SplitConfig
    seed: int
    class_names: tuple[str, ...]
    n_labelled: int
    n_unlabelled: int
    n_validation: int
    parameters: dict[str, Any]
    validation: dict[str, Any]
    fit_seconds: float
    predict_seconds: float
    device: str
    updated: float
    path: Path = Field(exclude=True)

    @field_validator("validation")
    @classmethod
    def _is_an_evaluation(cls, validation: dict[str, Any]) -> dict[str, Any]:
        for name in ("accuracy", "balanced_accuracy", "nll", "ece"):
            if isinstance(validation.get(name, ""), bool | str | list | dict):
                raise ValueError(f"its '{name}' is not a number")
        if "confusion" not in validation:
            raise ValueError("it has no confusion matrix")
        return validation

    @property
    def data_name(self) -> str:
        """Name of the data set, see :func:`ssrvae_core.config.data_name`."""
        return data_name(self.dataset)

    @property
    def accuracy(self) -> float | None:
        """Accuracy on the validation images, None where none has a label."""
        return self.validation["accuracy"]

    def predictions(self) -> Predictions:
        """Return what the rival says of the validation images: ids, labels, class probabilities and factors.

        It has no latents (``z_mean`` has no columns) and knows no angles.

        Raises
        ------
        UserError
            If the file cannot be read.
        """
        return directory.read_predictions(self.path)

    def as_row(self) -> dict[str, Any]:
        """Return a row of a table of runs and rivals; ``model`` is the rival's name."""
        metrics = {name: self.validation[name] for name in ("accuracy", "balanced_accuracy", "nll", "ece")}
        return {
            "run_id": self.id,
            "data": self.data_name,
            "model": self.rival,
            "labelled_ratio": self.split.labelled_ratio,
            "labels_per_class": self.split.labels_per_class,
            "n_labelled": self.n_labelled,
            "seed": self.seed,
            "state": "finished",
            **metrics,
            "seconds": self.fit_seconds,
            "error": None,
        }


def rival_result(
    config: RunConfig, rival: str, store: RunStore, device: str = "auto", *, loader: Loader | None = None
) -> RivalResult:
    """Fit a rival on a run's data, split and seed, or return what it gave when it was fitted before.

    Where another process fits the same, this one waits for it.

    Parameters
    ----------
    config : RunConfig
        A run; its model and training settings do not matter.
    rival : str
        A name in :data:`ssrvae_core.registry.RIVALS`.
    store : RunStore
        Where the result is kept.
    device : str
        See :func:`ssrvae_core.training.device.choose_device`; for the networks.
    loader : callable, optional
        Gives the images of a data set's configuration; by default :func:`ssrvae_core.data.load`. They are not changed.

    Raises
    ------
    UserError
        If the rival or the device is unknown, the data are not fit for the split or this is a viewer (the store is then
        untouched), or the store cannot be written.
    """
    if (result := find_rival(config, rival, store)) is not None:
        return result
    require_editor()
    from ssrvae_core.training.device import choose_device

    used, data = str(choose_device(device)), _split(config, loader, store)
    path = rival_path(config, rival, store)
    with writing(f"The store {store.root}"), locked(path / directory.LOCK, wait=True):
        return find_rival(config, rival, store) or _fit(config, rival, data, used, path)


def find_rival(config: RunConfig, rival: str, store: RunStore) -> RivalResult | None:
    """Return a rival's result on a run's data, split and seed, or None where it has not been fitted."""
    return _read(rival_path(config, rival, store))


def list_rivals(store: RunStore) -> list[RivalResult]:
    """Return every result that can be read, last fitted first."""
    found = [_read(path.parent) for path in (store.root / RIVALS_DIRECTORY).glob(f"*/{RESULT}")]
    return sorted((result for result in found if result is not None), key=lambda result: (-result.updated, result.id))


def rival_id(config: RunConfig, rival: str) -> str:
    """Return 12 hex digits: a hash of data, split and seed of a run, and of the rival's name and version.

    Raises
    ------
    UserError
        If the rival is unknown.
    """
    version = choose("rival", RIVALS, rival).version
    values = json.loads(config.canonical_json())
    told = {name: values[name] for name in ("schema_version", "dataset", "split", "seed")}
    text = json.dumps(told | {"rival": rival, "version": version}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def rival_path(config: RunConfig, rival: str, store: RunStore) -> Path:
    """Return the directory of a rival's result, whether there is one or not."""
    return store.root / RIVALS_DIRECTORY / rival_id(config, rival)


def _read(path: Path) -> RivalResult | None:
    try:
        values = json.loads((path / RESULT).read_bytes())
        return RivalResult.model_validate({**values, "path": path} if isinstance(values, dict) else values)
    except (OSError, ValueError, RecursionError):  # a validation error is a ValueError, too
        return None


def _split(config: RunConfig, loader: Loader | None, store: RunStore) -> Split:
    from ssrvae_core.data import load, naming, split

    dataset = readable(config.dataset, store.root)
    with naming(dataset):
        return split((loader or load)(dataset), config.split)


def _fit(config: RunConfig, rival: str, data: Split, device: str, path: Path) -> RivalResult:
    """Fit a rival and write what it gave; the result last."""
    from ssrvae_core.evaluation.rivals import judge

    judged = judge(RIVALS[rival], data, config.seed, device)
    result = RivalResult(
        id=path.name,
        rival=rival,
        version=RIVALS[rival].version,
        dataset=config.dataset,
        split=config.split,
        seed=config.seed,
        class_names=data.validation.class_names,
        n_labelled=len(data.labelled),
        n_unlabelled=len(data.unlabelled),
        n_validation=len(data.validation),
        parameters=judged.parameters,
        validation=judged.validation,
        fit_seconds=judged.fit_seconds,
        predict_seconds=judged.predict_seconds,
        device=device,
        updated=time.time(),
        path=path,
    )
    directory.write_predictions(path, judged.predictions)
    write_json(path / directory.ENVIRONMENT, environment(device))
    atomic_write(path / RESULT, result.model_dump_json(indent=2) + "\n")
    return result
