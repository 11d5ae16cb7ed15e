"""The smallest run there is: 16x16 cards, a few dozen images, networks of a few units."""

import json
import math

import pytest

from ssrvae_core.cli import main
from ssrvae_core.config import RunConfig, applies, run_config, with_settings
from ssrvae_core.runs import RunStore, embedding_config, train_embedding

TINY = {
    "dataset.size": 16,
    "dataset.train_per_class": 20,
    "dataset.validation_per_class": 8,
    "model.channels": [4, 4],
    "model.hidden": [8],
    "model.radii": 6,
    "model.angles": 8,
    "training.epochs": 4,
    "training.starts": 1,
    "training.batch_size": 20,
    "training.labelled_batch_size": 20,
    "training.min_steps": 1,
    "training.tracked": 10,
}
"""Settings that make any preset tiny; a run takes well under a second once the packages are imported."""


def _tiny_config(**changes) -> RunConfig:
    asked = {name.replace("__", "."): value for name, value in changes.items()}
    whole = with_settings(RunConfig(), TINY | asked)
    settings = {name: value for name, value in TINY.items() if applies(whole, name)} | asked
    return run_config(data="cards-b2", labels_per_class=5, settings=settings)


@pytest.fixture(scope="session")
def tiny_config():
    """Build a tiny run's configuration; dots of the settings' names are written as double underscores."""
    return _tiny_config


@pytest.fixture(scope="session")
def tiny_settings() -> dict:
    """The settings of a tiny run."""
    return dict(TINY)


@pytest.fixture(scope="session")
def tiny_options() -> list[str]:
    """The default tiny run as options of ``train``."""
    settings = [option for name, value in TINY.items() for option in ("--set", f"{name}={value}")]
    return ["--data", "cards-b2", "--labels-per-class", "5", *settings]


TINY_EMBEDDING = {
    **{name: value for name, value in TINY.items() if name.startswith("dataset.")},
    **{name.replace("model.", "embedding."): value for name, value in TINY.items() if name.startswith("model.")},
    "embedding.latent_dim": 2,
    "embedding.steps": 6,
    "embedding.batch_size": 20,
    "embedding.components": 5,
}


def _tiny_embedding(seed=0, dataset=None, **changes):
    settings = TINY_EMBEDDING | {f"embedding.{name}": value for name, value in changes.items()}
    if dataset is not None:
        settings = {name: value for name, value in settings.items() if not name.startswith("dataset.")}
    return embedding_config(data=None if dataset else "cards-b2", dataset=dataset, seed=seed, settings=settings)


@pytest.fixture(scope="session")
def tiny_embedding():
    """Build a tiny embedding's configuration; ``changes`` are settings of the embedding."""
    return _tiny_embedding


@pytest.fixture(scope="session")
def embedding_options() -> list[str]:
    """The tiny embedding as options of ``embed``."""
    settings = [option for name, value in TINY_EMBEDDING.items() for option in ("--set", f"{name}={value}")]
    return ["--data", "cards-b2", *settings]


@pytest.fixture(scope="session")
def embedded(tmp_path_factory):
    """A finished tiny embedding. It is shared: read it, do not change it."""
    return train_embedding(_tiny_embedding(), RunStore(tmp_path_factory.mktemp("embedded")))


@pytest.fixture
def store(tmp_path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
def stops_between_epochs(monkeypatch):
    """Have a training in this process look only between epochs whether it is to stop, however slow its steps are."""
    monkeypatch.setattr("ssrvae_core.runs.session.LOOK", math.inf)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished tiny run. It is shared: read it, do not change it."""
    from ssrvae_core.runs.execute import train_run

    return train_run(_tiny_config(), RunStore(tmp_path_factory.mktemp("finished")))


@pytest.fixture
def work_here(monkeypatch):
    """Have sweeps work through their tasks in this process; what worker processes add is tested with them."""
    from ssrvae_core.runs import pool
    from ssrvae_core.runs.sweep_work import Event, perform

    def run_here(tasks, store, *, workers, device, log):
        for number, task in enumerate(tasks):
            epochs = []
            state, error = perform(
                task.config,
                task.model if task.rival else None,
                store,
                device=device,
                on_progress=lambda epoch, share, accuracy, seen=epochs: seen.append((epoch, share, accuracy)),
            )
            yield from (Event(number, "running", epoch, accuracy) for epoch, share, accuracy in epochs)
            yield Event(number, state, error=error)

    monkeypatch.setattr(pool, "run_on_pool", run_here)


@pytest.fixture
def run_cli(capsys):
    """Run a command line; return its exit code and what it printed on stdout and stderr."""

    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return left.value.code or 0, said.out, said.err

    return run


@pytest.fixture
def result_of(run_cli):
    """Run a command with ``--json``; return the JSON of its last line."""

    def run(*arguments):
        code, out, err = run_cli(*arguments, "--json")
        assert code == 0, err
        return json.loads(out.splitlines()[-1])

    return run


@pytest.fixture
def complaint_of(run_cli):
    """Run a command that must fail with exit 2 and without a result; return its one line on stderr.

    What was read from images is told on stdout before: a line with the path, and indented ones.
    """

    def run(*arguments):
        code, out, err = run_cli(*arguments)
        assert code == 2
        first, *told = out.splitlines() or [":"]
        assert first.endswith(":") and all(line.startswith("  ") for line in told)
        lines = err.strip().splitlines()
        assert len(lines) == 1, err
        return lines[0]

    return run
