"""Embeddings from the command line."""

import csv
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from ssrvae_core.runs import EmbeddingStore, directory
from ssrvae_core.runs import job as files
from ssrvae_core.runs import jobs as queueing
from ssrvae_core.runs import worker as working
from ssrvae_core.runs.files import locked
from ssrvae_core.runs.jobs import JobQueue


@pytest.fixture
def in_store(embedded):
    return "--store", embedded.store_root


@pytest.fixture
def labels(tmp_path):
    (tmp_path / "labels.csv").write_text("id,label\n0,spade\n30,heart\n60,club\n")
    return tmp_path / "labels.csv"


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_embed_makes_it_once(embedded, result_of, run_cli, embedding_options, tmp_path, in_store):
    made = result_of("embed", *embedding_options, "--store", tmp_path / "runs")
    assert (made["id"], made["state"], made["images"], made["steps_done"]) == (embedded.id, "finished", 112, 6)
    again = result_of("embed", *embedding_options, *in_store)
    assert (again["id"], again["updated"]) == (embedded.id, embedded.status.updated)
    assert "propose" in run_cli("embed", *embedding_options, *in_store)[1]


def test_an_embedding_is_listed_and_shown(embedded, result_of, run_cli, in_store, tmp_path):
    assert "no embeddings" in run_cli("embeddings", "--store", tmp_path)[1]
    assert [row["id"] for row in result_of("embeddings", *in_store)] == [embedded.id]
    assert embedded.id in run_cli("embeddings", *in_store)[1]
    for command in ("embeddings", "show"):
        shown = result_of(command, embedded.id[:6], *in_store)
        assert (shown["id"], shown["config"]["embedding"]["steps"]) == (embedded.id, 6)
    assert result_of("list", *in_store) == []


def test_a_broken_embedding_is_listed_and_deleted(store, run_cli, result_of):
    path = EmbeddingStore(store).path("0" * 12)
    path.mkdir(parents=True)
    (path / directory.CONFIG).write_text("{")
    code, out, err = run_cli("embeddings", "--store", store.root)
    assert code == 0 and "broken" in out and "0" * 12 in err
    assert result_of("delete", "000", "--store", store.root) == {"id": "0" * 12}
    assert not path.exists()


def test_propose_says_what_to_label_next(embedded, result_of, run_cli, labels, in_store):
    told = result_of("propose", embedded.id[:6], "--labels", labels, "-n", 4, *in_store)
    assert told["labelled"] == 3 and len(told["propose"]) == 4
    y = np.full(112, -1)
    y[[0, 30, 60]] = [2, 1, 0]
    assert [row["id"] for row in told["propose"]] == embedded.embedding().propose(y, 4).tolist()
    assert "label already" in run_cli("propose", embedded.id, *in_store)[1]


def test_classify_writes_a_row_per_image(embedded, result_of, labels, in_store, tmp_path):
    out = tmp_path / "classes.csv"
    told = result_of("classify", embedded.id, "--labels", labels, "--out", out, *in_store)
    assert (told["images"], told["labelled"], set(told["classes"])) == (112, 3, {"club", "heart", "spade"})
    rows = rows_of(out)
    assert len(rows) == 112
    assert (rows[0]["label"], rows[0]["class"], rows[1]["label"]) == ("spade", "spade", "")
    y = np.full(112, -1)
    y[[0, 30, 60]] = [2, 1, 0]
    expected = embedded.embedding().predict_proba(y)
    np.testing.assert_allclose([[float(row[f"p_{c}"]) for c in told["classes"]] for row in rows], expected, rtol=1e-5)
    np.testing.assert_allclose([float(row["confidence"]) for row in rows], expected.max(axis=1), rtol=1e-5)
    scores = embedded.images().answers.outlier_scores
    np.testing.assert_allclose([float(row["outlier_score"]) for row in rows], scores, atol=1e-4)


def test_the_labels_of_the_data_are_the_default(embedded, result_of, in_store, tmp_path):
    told = result_of("classify", embedded.id, "--out", tmp_path / "classes.csv", *in_store)
    assert (told["labelled"], len(told["classes"])) == (112, 4)


def test_other_images_are_classified_too(embedded, result_of, complaint_of, labels, in_store, tmp_path):
    images = np.random.default_rng(0).random((5, 16, 16))
    np.savez(tmp_path / "new.npz", images=images, ids=np.arange(50, 55))
    np.savez(tmp_path / "large.npz", images=np.random.default_rng(0).random((5, 20, 20)))
    out = tmp_path / "new.csv"
    command = ("classify", embedded.id, "--labels", labels, "--out", out, *in_store)
    assert result_of(*command, "--data", tmp_path / "new.npz")["images"] == 5
    assert [row["id"] for row in rows_of(out)] == ["50", "51", "52", "53", "54"]
    assert {row["outlier_score"] for row in rows_of(out)} == {""}
    said = complaint_of(*command, "--data", tmp_path / "large.npz")
    assert "20 x 20" in said and "16 x 16" in said and "large.npz" in said


def test_a_file_without_labels_is_embedded_and_asks_for_some(
    result_of, complaint_of, store, tmp_path, embedding_options
):
    np.savez(tmp_path / "images.npz", images=np.random.default_rng(0).random((8, 16, 16)))
    pairs = zip(embedding_options[2::2], embedding_options[3::2], strict=True)
    settings = [word for pair in pairs if not pair[1].startswith("dataset.") for word in pair]
    made = result_of("embed", "--data", tmp_path / "images.npz", *settings, "--store", store.root)
    assert (made["images"], made["labelled"], made["data"]) == (8, 0, "images.npz")
    assert len(result_of("propose", made["id"], "-n", 3, "--store", store.root)["propose"]) == 3
    said = complaint_of("classify", made["id"], "--out", tmp_path / "o.csv", "--store", store.root)
    assert "has a label" in said and "propose" in said and "--labels" in said


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--data", "nothing.npz"], "no file 'nothing.npz'"),
        (["--data", "digits", "--set", "embedding.steps=0"], "embedding.steps is not valid"),
        (["--data", "digits", "--set", "embedding.nonsense=1"], "embed --help"),
        (["--data", "digits", "--set", "embedding.standardise=true"], "does nothing for an embedding"),
        (["--data", "digits", "--seed", 3, "--set", "seed=4"], "--seed and --set seed say the same thing"),
        (["--data", "digits", "--view", "mask", "--set", "dataset.view=mask"], "say the same thing"),
        (["--data", "digits", "--device", "abacus"], "'abacus' is not available"),
        (["--data", "digits", "--device", "abacus", "--detach"], "'abacus' is not available"),
    ],
)
def test_a_wrong_option_is_one_sentence_and_the_store_stays_untouched(complaint_of, tmp_path, options, sentence):
    assert sentence in complaint_of("embed", *options, "--store", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_what_runs_are_asked_says_that_it_is_an_embedding(embedded, complaint_of, in_store, tmp_path):
    for command in (["evaluate"], ["report", "--out", tmp_path / "r.html"], ["export", "--out", tmp_path / "b.zip"]):
        assert "is an embedding and not a run" in complaint_of(*command, embedded.id, *in_store)
    assert "not an embedding id" in complaint_of("propose", "x", *in_store)
    inside = embedded.path / "out.csv"
    assert "choose another place" in complaint_of("classify", embedded.id, "--out", inside, *in_store)


def test_a_viewer_asks_and_makes_nothing(embedded, complaint_of, result_of, embedding_options, in_store, monkeypatch):
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    assert result_of("embed", *embedding_options, *in_store)["id"] == embedded.id
    assert "read-only" in complaint_of("embed", *embedding_options, "--seed", 9, *in_store)
    assert "read-only" in complaint_of("embed", *embedding_options, "--seed", 9, "--detach", *in_store)
    assert "read-only" in complaint_of("delete", embedded.id, *in_store)
    assert len(result_of("embeddings", *in_store)) == 1


@pytest.mark.slow
def test_ctrl_c_is_heard_also_where_the_images_are_compared(embedding_options, store):
    """Which is a computation in C that may take a minute of very many images."""
    code = (
        "import threading, hashlib, signal\n"
        "from ssrvae_core.cli import main\nfrom ssrvae_core.runs.embeddings import session\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def deaf(_):\n    threading.Timer(0.2, print, ('begun',), {'flush': True}).start()\n"
        "    hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)\n"
        f"session.outlier_scores = deaf\nmain({['embed', *embedding_options, '--store', str(store.root)]!r})\n"
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as process:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "goes on from the last checkpoint" in err
    (one,) = EmbeddingStore(store).scan()[0]
    assert (one.status.state, one.progress.goes_on) == ("interrupted", "its trained stage")


# Jobs.


@pytest.fixture
def nobody_starts(monkeypatch):
    monkeypatch.setattr(queueing, "ensure_dispatcher", lambda store: None)
    monkeypatch.setattr(working, "ensure_dispatcher", lambda store: None)


def test_a_detached_embedding_is_a_job_that_makes_it(
    nobody_starts, embedded, run_cli, result_of, embedding_options, store
):
    where = ("--store", store.root)
    job = result_of("embed", *embedding_options, "--detach", *where)
    assert (job["id"], job["kind"], job["state"], job["unit"]) == (embedded.id, "embed", "queued", "steps")
    assert "embedding of cards (changed), seed 0" in run_cli("jobs", *where)[1]
    assert result_of("cancel", job["id"][:6], *where)["state"] == "cancelled"
    assert result_of("resume", job["id"], *where)["state"] == "queued"
    path = JobQueue(store).get(job["id"]).path
    with locked(path / files.LOCK, wait=False) as lock:
        run_cli("work", job["id"], "--lock", os.dup(lock), *where)
    done = JobQueue(store).get(job["id"])
    assert (done.state, done.done, done.total, done.share, done.embedding_id) == ("finished", 6, 6, 1.0, embedded.id)
    assert (done.run_id, done.sweep_id, done.error) == (None, None, None)
    assert EmbeddingStore(store).get(job["id"]).status.state == "finished"


def test_one_that_stopped_in_a_terminal_is_resumed_as_a_job(nobody_starts, result_of, complaint_of, store, embedded):
    path = EmbeddingStore(store).path(embedded.id)
    path.mkdir(parents=True)
    (path / directory.CONFIG).write_text(embedded.config.model_dump_json())
    directory.write_status(path, directory.Status(state="running"))
    assert result_of("cancel", embedded.id[:8], "--store", store.root)["id"] == embedded.id
    assert (path / directory.CANCEL).exists()
    assert "running" in complaint_of("resume", embedded.id, "--store", store.root)
    directory.write_status(path, directory.Status(state="interrupted"))
    job = result_of("resume", embedded.id[:8], "--store", store.root)
    assert (job["kind"], job["state"]) == ("embed", "queued")
