"""Trainings in processes of their own: forks of one that has imported what they need, and has done nothing else.

They can be killed like any process, and do not take the seconds in which a new interpreter imports torch.
"""

import multiprocessing
import os
import resource
import signal
import sys
import traceback

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    [
        *("pytest", "ssrvae_core.evaluation.evaluate", "ssrvae_core.runs.execute", "ssrvae_core.training"),
        *("ssrvae_core.embedding.estimator", "ssrvae_core.runs.embeddings.session", __name__),
    ]
)


class Training:
    """A process that trains a run, or makes an embedding.

    Parameters
    ----------
    config : RunConfig or StoredEmbeddingConfig
        The run, or the embedding.
    store : RunStore
        Where it is kept.
    killed_at : str, optional
        The process kills itself (SIGKILL) at the first step whose place begins with these words.
    largest_file : int, optional
        Bytes that a file can have, which stands for a full disk.
    """

    def __init__(self, config, store, *, killed_at=None, largest_file=None):
        self._heard, told = _PROCESSES.Pipe(duplex=False)
        arguments = (config.model_dump_json(), str(store.root), told, killed_at, largest_file)
        target = _embed if hasattr(config, "embedding_id") else _train
        self._process = _PROCESSES.Process(target=target, args=arguments)
        self._process.start()
        told.close()

    def hear(self):
        """Wait for its next word: an epoch it has recorded, or the traceback of the UserError it ends with."""
        return self._heard.recv()

    def end(self):
        """Wait for its end; return its exit code, or of a process that was killed the negative signal."""
        self._process.join()
        self._heard.close()
        return self._process.exitcode

    def kill_after(self, seconds):
        """Kill it after a time, or without one let it come to its end; return what :meth:`end` does."""
        self._process.join(seconds)
        if self._process.exitcode is None:
            self._process.kill()
        return self.end()


def _embed(config, root, told, killed_at, _):
    from ssrvae_core.runs import RunStore, StoredEmbeddingConfig, session, train_embedding
    from ssrvae_core.runs.embeddings import session as of_embeddings

    def look(progress):
        if killed_at is not None and progress.in_words.startswith(killed_at):
            os.kill(os.getpid(), signal.SIGKILL)

    session.TELL = of_embeddings.SAVE = 0.0
    train_embedding(StoredEmbeddingConfig.model_validate_json(config), RunStore(root), device="cpu", on_progress=look)
    told.send("finished")


def _train(config, root, told, killed_at, largest_file):
    from ssrvae_core.config import RunConfig, UserError
    from ssrvae_core.runs import RunStore, session
    from ssrvae_core.runs.execute import train_run

    def look(progress):
        if killed_at is not None and progress.in_words.startswith(killed_at):
            os.kill(os.getpid(), signal.SIGKILL)

    if killed_at is not None:
        session.TELL = 0.0
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    try:
        run = RunConfig.model_validate_json(config), RunStore(root)
        train_run(*run, device="cpu", on_epoch=lambda epoch: told.send(epoch.epoch), on_progress=look)
    except UserError:
        told.send(traceback.format_exc())
        sys.exit(1)
