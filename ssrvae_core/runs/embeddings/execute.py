"""The one road from a configuration to a finished embedding in the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ssrvae_core.config import UserError
from ssrvae_core.runs.data_files import readable
from ssrvae_core.runs.embeddings.config import StoredEmbeddingConfig
from ssrvae_core.runs.embeddings.progress import EmbeddingProgress
from ssrvae_core.runs.embeddings.store import EmbeddingRun, EmbeddingStore
from ssrvae_core.runs.execute import alone, wait_for_others
from ssrvae_core.runs.files import writing
from ssrvae_core.runs.mode import require_editor
from ssrvae_core.runs.store import RunStore

if TYPE_CHECKING:
    from ssrvae_core.data import ImageSet
    from ssrvae_core.runs.execute import Loader


def train_embedding(
    config: StoredEmbeddingConfig,
    store: RunStore,
    *,
    device: str = "auto",
    on_progress: Callable[[EmbeddingProgress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    wait: bool = True,
    loader: Loader | None = None,
) -> EmbeddingRun:
    """Make the embedding of a data set, or go on with it, or return it untouched if it is finished.

    One that was cancelled, interrupted or killed goes on to the same result: from the step it was cancelled at, from
    the last checkpoint where it was ended otherwise.

    Parameters
    ----------
    config : StoredEmbeddingConfig
        What to make, see :func:`ssrvae_core.runs.embeddings.config.embedding_config`.
    store : RunStore
        Where it is kept.
    device : str
        See :func:`ssrvae_core.training.device.choose_device`.
    on_progress : callable, optional
        Called with how far it is, about twice a second.
    should_stop : callable, optional
        Asked several times a second; once it says True the embedding stops as one that is cancelled.
    wait : bool
        Whether to wait where another process makes the same embedding.
    loader : callable, optional
        Gives the images of a data set's configuration; by default :func:`ssrvae_core.data.load`. They are not changed.

    Returns
    -------
    EmbeddingRun
        Finished, or cancelled if it was told to stop.

    Raises
    ------
    UserError
        If the data or the device are not fit for it (the store is then untouched), the training diverges, the store
        cannot be written, this is a viewer, or another process makes it and ``wait`` is false.
    """
    embeddings = EmbeddingStore(store)
    path = embeddings.path(config.embedding_id)
    if one := _finished(embeddings, config):
        return one
    require_editor()
    wait_for_others(path, "embedding", wait)
    if one := _finished(embeddings, config):
        return one
    images = _load(config, loader, store)
    from ssrvae_core.runs.embeddings.session import EmbeddingSession
    from ssrvae_core.training.device import choose_device

    used = str(choose_device(device))
    with writing(f"The store {store.root}"), alone(path, "embedding", wait):
        if one := _finished(embeddings, config):
            return one
        EmbeddingSession(path, config, images, used, on_progress, should_stop).run()
    return embeddings.get(config.embedding_id)


def check(config: StoredEmbeddingConfig, device: str = "auto") -> None:
    """Refuse what :func:`train_embedding` refuses before its first step, and train nothing.

    Raises
    ------
    UserError
        If the data or the device are not fit for it.
    """
    from ssrvae_core.training.device import choose_device

    choose_device(device)
    _load(config, None, None)


def _finished(embeddings: EmbeddingStore, config: StoredEmbeddingConfig) -> EmbeddingRun | None:
    one = embeddings.find(config)
    return one if one is not None and one.status.state == "finished" else None


def _load(config: StoredEmbeddingConfig, loader: Loader | None, store: RunStore | None) -> ImageSet:
    """Return all images of the data set, from which something can be learnt."""
    from ssrvae_core.data import load, naming

    dataset = config.dataset if store is None else readable(config.dataset, store.root)
    with naming(dataset):
        images = (loader or load)(dataset)
        if len(images) < 2:
            raise UserError("There is a single image; an embedding needs at least 2.")
        if images.images.min() == images.images.max():
            raise UserError("All its images are of one and the same grey level; there is nothing to learn.")
    return images
