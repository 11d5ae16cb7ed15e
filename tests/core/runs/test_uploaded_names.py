"""Files that were handed in are called as their owners called them, wherever they are spoken of."""

import hashlib

import pytest

from ssrvae_core.config import DATASETS
from ssrvae_core.data import load
from ssrvae_core.data.writing import npz_bytes
from ssrvae_core.runs import jobs
from ssrvae_core.runs.uploads import FOLDER, uploads, with_owners_names


@pytest.fixture
def upload(store):
    """The path of an uploaded file with a name of its owner's."""
    digits = load(DATASETS["digits"])
    content = npz_bytes({"images": digits.images[:300, 0], "labels": digits.labels[:300]})
    folder = store.root / FOLDER
    folder.mkdir(parents=True)
    path = folder / f"{hashlib.sha256(content).hexdigest()}.npz"
    path.write_bytes(content)
    path.with_suffix(".json").write_text('{"name": "my particles.npz"}')
    return path


def test_a_text_that_speaks_of_an_upload_calls_it_by_its_name(upload, store):
    assert with_owners_names(f"ss-rvae on {upload.name}", store.root) == "ss-rvae on my particles.npz"
    unknown = f"{'a' * 64}.npz"
    assert with_owners_names(unknown, store.root) == unknown
    assert [(file.path, file.name) for file in uploads(store.root)] == [(upload.absolute(), "my particles.npz")]


def test_a_run_and_its_job_call_an_upload_by_its_name(upload, store, run_cli, monkeypatch):
    monkeypatch.setattr(jobs, "ensure_dispatcher", lambda store: None)
    options = ("--data", upload, "--labels-per-class", 5, "--store", store.root)
    options += ("--set", "training.starts=1", "--set", "training.min_steps=1")
    run_cli("train", *options, "--time-limit", 0)
    assert [run.data_name for run in store.runs()] == ["my particles.npz"]
    assert "my particles.npz" in run_cli("train", *options, "--detach")[1]
