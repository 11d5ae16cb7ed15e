import json
import subprocess
import sys

import numpy as np
import psutil
import pytest

from ssrvae_core.config import UserError
from ssrvae_core.records import Epoch, Predictions, Snapshot
from ssrvae_core.runs import RunStore, Status, directory
from ssrvae_core.runs.files import locked


@pytest.fixture
def add_run(store, tiny_config):
    """Put a run into the store without training it."""

    def add(config=None, **status):
        config = config or tiny_config()
        path = store.path(config.run_id)
        path.mkdir(parents=True)
        (path / directory.CONFIG).write_text(config.model_dump_json())
        if status:
            directory.write_status(path, Status(**status))
        return path

    return add


def epoch(number):
    return Epoch(number, *[0.5] * 10, validation_accuracy=float("nan"))


def test_a_store_that_is_not_there_is_empty_and_stays_away(store):
    assert store.runs() == []
    assert not store.root.exists()


def test_the_store_is_the_one_given_else_the_environment_s_else_runs(monkeypatch):
    monkeypatch.setenv("SSRVAE_STORE", "elsewhere")
    assert RunStore("here").root.name == "here"
    assert RunStore().root.name == "elsewhere"
    monkeypatch.delenv("SSRVAE_STORE")
    assert RunStore().root.name == "runs"


def test_a_run_reads_back_as_it_was_written(store, add_run, tiny_config):
    config = tiny_config()
    add_run(config, state="failed", epoch=2, epochs=4, error="It diverged.", class_names=("a", "b"))
    run = store.get(config.run_id)
    assert run.config == config
    assert (run.status.state, run.status.epoch, run.status.error) == ("failed", 2, "It diverged.")
    assert run.class_names == ("a", "b")
    assert run.status.pid == psutil.Process().pid


def test_runs_come_last_updated_first(store, add_run, tiny_config):
    configs = [tiny_config(seed=seed) for seed in range(3)]
    for config in configs:
        add_run(config, state="finished")
    assert [run.id for run in store.runs()] == [config.run_id for config in reversed(configs)]


def test_a_run_answers_to_the_beginning_of_its_id(store, add_run):
    path = add_run()
    assert store.get(path.name[:4]).id == path.name


def test_an_ambiguous_beginning_is_refused_by_name(store):
    for name in ("abc000000000", "abc111111111"):
        (store.root / name).mkdir(parents=True)
    with pytest.raises(UserError, match="2 runs \\(abc000000000, abc111111111\\)"):
        store.get("abc")


@pytest.mark.parametrize("name", ["../etc", "..", "", "/", "ABCDEF", "abc000000000/..", "xyz", "a" * 13])
def test_what_is_no_run_id_never_leaves_the_store(store, name, add_run):
    add_run()
    for refuses in (store.get, store.delete, store.path):
        with pytest.raises(UserError, match="not a run id"):
            refuses(name)


def test_a_link_out_of_the_store_is_no_run(store, tmp_path, add_run):
    add_run()
    outside = tmp_path / "outside"
    outside.mkdir()
    (store.root / "abcdefabcdef").symlink_to(outside)
    assert len(store.runs()) == 1
    with pytest.raises(UserError, match="no run abcdef"):
        store.delete("abcdef")


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        (directory.CONFIG, None, "config.json is missing"),
        (directory.CONFIG, "", "config.json: .*not valid"),
        (directory.CONFIG, '{"model": 3}', "config.json: model is not valid"),
        (directory.STATUS, "{", "status.json: .*not valid"),
    ],
)
def test_a_broken_run_is_listed_with_its_reason_and_the_others_are_fine(
    store, file, content, reason, add_run, tiny_config
):
    path = add_run(state="finished")
    other = add_run(tiny_config(seed=1), state="finished")
    (path / file).unlink() if content is None else (path / file).write_text(content)
    runs, broken = store.scan()
    assert [run.id for run in runs] == [other.name]
    assert [lost.id for lost in broken] == [path.name]
    with pytest.raises(UserError, match=f"broken: {reason}"):
        store.get(path.name)
    store.delete(path.name)
    assert not path.exists()


def test_a_run_whose_process_is_gone_is_interrupted(store, add_run):
    path = add_run(state="running")
    assert store.get(path.name).status.state == "running"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    sign(path, pid=gone.pid)
    assert store.get(path.name).status.state == "interrupted"


def test_a_process_that_took_over_the_number_is_not_the_run_s(store, add_run):
    path = add_run(state="running")
    sign(path, pid_started=psutil.Process().create_time() - 3600)
    assert store.get(path.name).status.state == "interrupted"


def sign(path, **changes):
    values = json.loads((path / directory.STATUS).read_text())
    (path / directory.STATUS).write_text(json.dumps(values | changes))


def test_a_run_without_a_status_is_queued(store, add_run):
    path = add_run()
    assert store.get(path.name).status.state == "queued"


def test_only_a_running_run_can_be_cancelled(store, add_run, tiny_config):
    running, done = add_run(state="running"), add_run(tiny_config(seed=1), state="finished")
    store.get(running.name).cancel()
    assert (running / directory.CANCEL).exists()
    with pytest.raises(UserError, match="is finished"):
        store.get(done.name).cancel()


def test_deleting_takes_the_run_and_nothing_else_but_what_a_killed_process_left_of_others(store, add_run, tiny_config):
    path, other = add_run(), add_run(tiny_config(seed=1))
    (store.root / ".deleted-abcabcabcabc-1").mkdir()
    (store.root / ".deleted-abcabcabcabc-1" / "model.safetensors").touch()
    store.delete(path.name)
    assert list(store.root.iterdir()) == [other]


def test_a_run_in_training_is_not_deleted(store, add_run):
    path = add_run()
    with locked(path / directory.LOCK, wait=False), pytest.raises(UserError, match="being trained"):
        store.delete(path.name)
    assert store.get(path.name)


def test_a_viewer_neither_deletes_nor_cancels(store, add_run, monkeypatch):
    run = store.get(add_run(state="running").name)
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    for change in (lambda: store.delete(run.id), run.cancel):
        with pytest.raises(UserError, match="read-only"):
            change()
    assert store.get(run.id) and not (run.path / directory.CANCEL).exists()


def test_metrics_skip_the_line_being_written_and_truncate_to_an_epoch(store, add_run):
    path = add_run()
    for number in (1, 2, 3):
        directory.append_metrics(path, epoch(number))
    with (path / directory.METRICS).open("a") as file:
        file.write('{"epoch": 4, "el')
    assert [line["epoch"] for line in store.get(path.name).metrics()] == [1, 2, 3]
    assert store.get(path.name).metrics()[0]["validation_accuracy"] is None
    directory.truncate_metrics(path, 2)
    assert (path / directory.METRICS).read_text().count("\n") == 2


def test_predictions_and_snapshots_read_back_equal(store, add_run):
    rng = np.random.default_rng(0)
    path = add_run(state="finished")
    rows = [rng.random(shape, dtype=np.float32) for shape in [(5, 3), (5, 2), (5, 2), (5,), (5,), (5,)]]
    said = Predictions(np.arange(5), np.zeros(5, int), *rows, factors={"angle": rng.random(5, dtype=np.float32)})
    directory.write_predictions(path, said)
    read = store.get(path.name).predictions()
    for name in ("ids", "labels", "class_prob", "z_mean", "z_sd", "angle", "concentration", "log_likelihood"):
        np.testing.assert_array_equal(getattr(read, name), getattr(said, name))
    np.testing.assert_array_equal(read.factors["angle"], said.factors["angle"])

    frames = [(at, Snapshot(np.arange(4), rng.random((4, 2)), rng.random((4, 3)))) for at in (2, 4)]
    directory.write_snapshots(path, frames)
    for (at, frame), (read_at, read_frame) in zip(frames, store.get(path.name).snapshots(), strict=True):
        assert at == read_at
        np.testing.assert_array_equal(frame.z_mean, read_frame.z_mean)
        np.testing.assert_array_equal(frame.class_prob, read_frame.class_prob)


def test_an_unfinished_run_says_that_it_has_no_predictions_and_no_model(store, add_run):
    path = add_run(state="interrupted")
    run = store.get(path.name)
    assert run.snapshots() == []
    with pytest.raises(UserError, match="no predictions: it is interrupted"):
        run.predictions()
    with pytest.raises(UserError, match="no trained model: it is interrupted"):
        run.model()
    for name in (directory.VALIDATION, directory.WEIGHTS):  # which come before the evaluation
        (path / name).touch()
    for ask in (run.predictions, run.model):
        with pytest.raises(UserError, match="it is interrupted"):
            ask()


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 torn"])
def test_damaged_predictions_are_named(store, content, add_run):
    path = add_run(state="finished")
    (path / directory.VALIDATION).write_bytes(content)
    with pytest.raises(UserError, match=r"validation\.npz cannot be read"):
        store.get(path.name).predictions()


def test_pickled_arrays_are_never_loaded(store, add_run):
    path = add_run(state="finished")
    np.savez(path / directory.VALIDATION, ids=np.array([{}], dtype=object))
    with pytest.raises(UserError, match=r"validation\.npz cannot be read"):
        store.get(path.name).predictions()


def test_listing_a_store_imports_no_heavy_package(store, add_run):
    add_run(state="finished")
    script = (
        "import sys; from ssrvae_core.cli import app; from ssrvae_core.runs import RunStore;"
        f"print(len(RunStore({str(store.root)!r}).runs()),"
        "*{'torch', 'pyro', 'sklearn', 'pandas', 'scipy', 'skimage'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["1"]


def test_a_run_that_is_just_being_made_is_not_listed_as_broken(store):
    path = store.path("a" * 12)
    with locked(path / directory.LOCK, wait=False):
        assert store.scan() == ([], [])
    assert [run.reason for run in store.scan()[1]] == ["config.json is missing."]
