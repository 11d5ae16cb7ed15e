"""The embeddings of a store. Importing this module, and answering from an embedding, needs no torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ssrvae_core.config import DatasetConfig, UserError
from ssrvae_core.runs import directory
from ssrvae_core.runs.data_files import EMBEDDINGS, dataset_name, readable
from ssrvae_core.runs.directory import Status
from ssrvae_core.runs.embeddings.config import LEARNT, StoredEmbeddingConfig
from ssrvae_core.runs.embeddings.progress import EmbeddingProgress
from ssrvae_core.runs.files import atomic_write, held, writing
from ssrvae_core.runs.mode import require_editor
from ssrvae_core.runs.progress import read_progress_as
from ssrvae_core.runs.shelf import Shelf
from ssrvae_core.runs.store import BrokenRun, RunStore, read_parts

if TYPE_CHECKING:
    from ssrvae_core.embedding.estimator import ParticleEmbedding
    from ssrvae_core.runs.embeddings.files import EmbeddedImages


@dataclass(frozen=True)
class EmbeddingRun:
    """One embedding, as its directory was when it was read.

    Attributes
    ----------
    id : str
        12 hex digits, see :attr:`ssrvae_core.runs.embeddings.config.StoredEmbeddingConfig.embedding_id`.
    path : Path
        Its directory.
    config : StoredEmbeddingConfig
        What it is made of.
    status : Status
        Its state, as that of a run; it has no epochs, and its images are ``n_labelled`` and ``n_unlabelled``.
    progress : EmbeddingProgress, optional
        How far it is, and where it goes on; None where it is finished.
    """

    id: str
    path: Path
    config: StoredEmbeddingConfig
    status: Status
    progress: EmbeddingProgress | None

    @property
    def store_root(self) -> Path:
        """The store it is in."""
        return self.path.parents[1]

    @property
    def data_name(self) -> str:
        """Name of the data set, see :func:`ssrvae_core.config.data_name`; an uploaded file's own."""
        return dataset_name(self.config.dataset, self.store_root)

    @property
    def dataset(self) -> DatasetConfig:
        """The data set with a path that can be read here, see :func:`ssrvae_core.runs.data_files.readable`."""
        return readable(self.config.dataset, self.store_root)

    @property
    def title(self) -> str:
        """What it is, in words."""
        return title_of(self.data_name, self.config.seed)

    @property
    def n_images(self) -> int | None:
        """Number of its images; None before the data set was first loaded."""
        labelled, unlabelled = self.status.n_labelled, self.status.n_unlabelled
        return None if labelled is None or unlabelled is None else labelled + unlabelled

    @property
    def steps(self) -> int:
        """Steps of the unsupervised stage; 0 where its features need none."""
        return self.config.embedding.steps if LEARNT & set(self.config.embedding.blocks) else 0

    @property
    def steps_done(self) -> int:
        """Steps that are done."""
        if self.status.state == "finished":
            return self.steps
        return self.progress.step if self.progress else 0

    @property
    def share(self) -> float:
        """Share of the work that is done, in [0, 1]."""
        if self.status.state == "finished":
            return 1.0
        return self.progress.share if self.progress else 0.0

    def images(self) -> EmbeddedImages:
        """Return its images: their features, their labels in the data set, and what answers label questions.

        Raises
        ------
        UserError
            If it has not finished, or its ``features.npz`` cannot be read.
        """
        from ssrvae_core.runs.embeddings.files import read_images

        self._check_finished()
        return read_images(self.path, self.config)

    def embedding(self, device: str = "auto") -> ParticleEmbedding:
        """Return the fitted embedding, which takes new images, too; nothing is trained.

        Parameters
        ----------
        device : str
            Where new images are encoded, see :func:`ssrvae_core.training.device.choose_device`.

        Returns
        -------
        ParticleEmbedding
            Its images are those of :func:`ssrvae_core.data.load`, and the new ones are on the same scale: intensities
            in [0, 1], black and white where ``config.dataset.intensity`` has them.

        Raises
        ------
        UserError
            If it has not finished, or a file of it cannot be read.
        """
        from ssrvae_core.embedding.estimator import ParticleEmbedding
        from ssrvae_core.runs.embeddings.files import read_fitted

        self._check_finished()
        features, images = read_fitted(self.path, self.config, device)
        return ParticleEmbedding.fitted(features, images.answers, images.image_shape)

    def cancel(self) -> None:
        """Ask the process that makes it to stop after the current step.

        Raises
        ------
        UserError
            If nobody makes it, or this is a viewer.
        """
        require_editor()
        if self.status.state != "running":
            raise UserError(f"Embedding {self.id} is {self.status.state}, so there is nothing to cancel.")
        with writing(f"The store {self.store_root}"):
            atomic_write(self.path / directory.CANCEL, "")

    def _check_finished(self) -> None:
        if self.status.state != "finished":
            raise UserError(
                f"Embedding {self.id} cannot be asked yet: it is {self.status.state}; make it to the end first."
            )


class EmbeddingStore:
    """The embeddings of a store, in its folder ``embeddings``.

    Parameters
    ----------
    store : RunStore
        The store.
    """

    def __init__(self, store: RunStore) -> None:
        self.store, self.root = store, store.root / EMBEDDINGS
        runs = Shelf(store.root, store.root, "run", "a", "list")
        self._shelf = Shelf(self.root, store.root, "embedding", "an", EMBEDDINGS, runs)

    def path(self, embedding_id: str) -> Path:
        """Return the directory of an embedding, which need not exist.

        Raises
        ------
        UserError
            If ``embedding_id`` is not 12 hex digits.
        """
        return self._shelf.path(embedding_id)

    def scan(self) -> tuple[list[EmbeddingRun], list[BrokenRun]]:
        """Read every embedding: last updated first, and those that cannot be read.

        One that a process is just making, and that has no configuration yet, is neither.
        """
        found, broken = [], []
        for one in map(_read, map(self.path, self._shelf.ids())):
            if isinstance(one, EmbeddingRun):
                found.append(one)
            elif not (one.incomplete and held(one.path / directory.LOCK)):
                broken.append(one)
        return sorted(found, key=lambda one: (-one.status.updated, one.id)), broken

    def get(self, embedding_id: str) -> EmbeddingRun:
        """Return one embedding by its id or the beginning of it.

        Raises
        ------
        UserError
            If none, more than one, or a broken one answers to it.
        """
        one = _read(self.root / self._shelf.resolve(embedding_id))
        if isinstance(one, BrokenRun):
            raise UserError(f"Embedding {one.id} in {self.root} is broken: {one.reason}")
        return one

    def has(self, prefix: str) -> bool:
        """Whether the id of an embedding begins with these digits."""
        return bool(prefix) and bool(self._shelf.matches(prefix))

    def find(self, config: StoredEmbeddingConfig) -> EmbeddingRun | None:
        """Return the embedding of exactly this configuration, or None if it is not in the store or is broken."""
        path = self.path(config.embedding_id)
        one = _read(path) if os.path.isdir(path) else None  # also where the store may not be looked into
        return one if isinstance(one, EmbeddingRun) and one.config.embedding_id == config.embedding_id else None

    def delete(self, embedding_id: str) -> str:
        """Delete an embedding, broken or not, by its id or the beginning of it, and return its id.

        Raises
        ------
        UserError
            If there is no such embedding, it is being made, the store cannot be written, or this is a viewer.
        """
        return self._shelf.delete(embedding_id)


def home_of(prefix: str, store: RunStore) -> RunStore | EmbeddingStore:
    """Return what an id belongs to: the runs of a store, or its embeddings; the runs where it is of neither.

    Raises
    ------
    UserError
        If it is the beginning of both.
    """
    embeddings = EmbeddingStore(store)
    if not embeddings.has(prefix):
        return store
    if store.has(prefix):
        raise UserError(f"'{prefix}' is the beginning of a run's and of an embedding's id; give more digits.")
    return embeddings


def title_of(data: str, seed: int) -> str:
    """Return what the embedding of a data set is called."""
    return f"embedding of {data}, seed {seed}"


def _read(path: Path) -> EmbeddingRun | BrokenRun:
    """Read the directory of an embedding, or say why it cannot be read."""
    found = read_parts(path, StoredEmbeddingConfig)
    if isinstance(found, BrokenRun):
        return found
    config, status = found
    progress = None if status.state == "finished" else read_progress_as(EmbeddingProgress, path)
    if progress is not None and status.state != "running":
        progress = progress.stopped
    return EmbeddingRun(path.name, path, config, status, progress)
