import json
import os
import signal
import threading
import time

import numpy as np
import pytest
import torch

from ssrvae_core.config import UserError, run_config
from ssrvae_core.data import load, split
from ssrvae_core.data.readers import file_dataset
from ssrvae_core.evaluation.evaluate import predict
from ssrvae_core.runs import RunStore, directory
from ssrvae_core.runs.execute import train_run
from ssrvae_core.runs.files import locked, remove_directory
from ssrvae_core.training import Diverged, Trainer
from tests.trainings import Training


def weights(run):
    return (run.path / directory.WEIGHTS).read_bytes()


def assert_same_result(run, reference):
    """The weights, the film and the metrics are those of a run that nothing disturbed."""
    assert run.status.state == "finished"
    assert weights(run) == weights(reference)
    assert [line["epoch"] for line in run.metrics()] == [line["epoch"] for line in reference.metrics()]
    for (at, frame), (other_at, other) in zip(run.snapshots(), reference.snapshots(), strict=True):
        assert at == other_at
        np.testing.assert_array_equal(frame.z_mean, other.z_mean)


@pytest.fixture
def stop_after(monkeypatch):
    """Have something happen, once, while the trainer works on the epoch after the given one."""

    def arrange(epoch, happening):
        fit, pending = Trainer.fit, [happening]

        def disturbed(self):
            for record in fit(self):
                yield record
                if record.epoch == epoch and pending:
                    pending.pop()()

        monkeypatch.setattr(Trainer, "fit", disturbed)

    return arrange


def raising(error):
    def happen(*_):
        raise error

    return happen


def test_a_finished_run_holds_all_that_was_promised(finished):
    assert {file.name for file in finished.path.iterdir()} == {
        directory.CONFIG,
        directory.STATUS,
        directory.METRICS,
        directory.WEIGHTS,
        directory.SNAPSHOTS,
        directory.MANIFOLD,
        directory.VALIDATION,
        directory.PARTICLES,
        directory.LOG,
        directory.ENVIRONMENT,
        directory.LOCK,
    }
    status = finished.status
    assert (status.state, status.epoch, status.epochs, status.device) == ("finished", 4, 4, "cpu")
    assert 0 <= status.validation["accuracy"] <= 1
    assert [line["epoch"] for line in finished.metrics()] == [1, 2, 3, 4]
    assert [at for at, _ in finished.snapshots()] == [1, 2, 3, 4]
    assert set(finished.class_names) == {"hearts", "spades", "diamonds", "clubs"}
    assert "torch" in json.loads((finished.path / directory.ENVIRONMENT).read_text())["packages"]


def test_the_stored_model_makes_the_stored_predictions(finished):
    images = split(load(finished.config.dataset), finished.config.split).validation
    stored = finished.predictions()
    np.testing.assert_array_equal(stored.ids, images.ids)
    assert "angle" in stored.factors
    np.testing.assert_allclose(
        predict(finished.model("cpu"), images).class_prob, stored.class_prob, rtol=1e-4, atol=1e-6
    )


def test_a_finished_run_is_returned_untouched(finished, monkeypatch):
    monkeypatch.setattr(Trainer, "__init__", raising(AssertionError("it was trained again")))
    before = {file: file.stat().st_mtime_ns for file in finished.path.iterdir()}
    again = train_run(finished.config, RunStore(finished.path.parent))
    assert again.status == finished.status
    assert {file: file.stat().st_mtime_ns for file in finished.path.iterdir()} == before


def test_the_same_config_gives_the_same_weights(finished, store):
    assert_same_result(train_run(finished.config, store), finished)


def test_a_run_of_several_starts_is_recorded_once_and_can_be_killed_anywhere(tiny_config, store, tmp_path, stop_after):
    config = tiny_config(training__starts=2, training__start_epochs=2)
    undisturbed = train_run(config, RunStore(tmp_path / "undisturbed"))
    assert [line["epoch"] for line in undisturbed.metrics()] == [1, 2, 3, 4]
    assert "start 2 of 2: epoch 2 done" in (undisturbed.path / directory.LOG).read_text()
    stop_after(1, raising(KeyboardInterrupt))  # the second epoch is done, but not recorded yet
    with pytest.raises(KeyboardInterrupt):
        train_run(config, store)
    assert_same_result(train_run(config, store), undisturbed)


def test_a_run_can_be_cancelled_among_its_short_starts(tiny_config, store, monkeypatch):
    config = tiny_config(training__starts=2)
    choose = Trainer.choose_start

    def cancelling(self):
        for start in choose(self):
            store.get(config.run_id).cancel()
            yield start

    monkeypatch.setattr(Trainer, "choose_start", cancelling)
    assert (train_run(config, store).status.state, store.get(config.run_id).status.validation) == ("cancelled", None)
    monkeypatch.undo()
    assert train_run(config, store).status.state == "finished"


def test_a_cancelled_run_stops_at_once_and_goes_on_to_the_same_result(finished, store):
    seen = []

    def cancel_after_two(epoch):
        seen.append(epoch.epoch)
        if epoch.epoch == 2:
            store.get(finished.id).cancel()

    run = train_run(finished.config, store, on_epoch=cancel_after_two)
    assert (run.status.state, run.status.epoch, seen) == ("cancelled", 2, [1, 2])
    assert not (run.path / directory.CANCEL).exists()
    assert_same_result(train_run(finished.config, store), finished)


@pytest.mark.usefixtures("stops_between_epochs")
def test_a_time_limit_that_passes_stops_before_the_next_epoch(finished, store):
    epochs = []
    while not epochs or epochs[-1] < 4:
        run = train_run(finished.config, store, time_limit=0)
        assert run.status.state == ("finished" if run.status.epoch == 4 else "interrupted")
        epochs.append(run.status.epoch)
    assert epochs == [1, 2, 3, 4]
    assert_same_result(run, finished)


@pytest.fixture
def interruptible():
    """Python's own answer to Ctrl-C: a test runner started in the background would have none."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_leaves_a_run_that_goes_on(finished, store, stop_after):
    stop_after(3, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        train_run(finished.config, store)
    assert store.get(finished.id).status.state == "interrupted"
    assert_same_result(train_run(finished.config, store), finished)


def test_sigterm_is_like_ctrl_c_and_the_caller_s_handler_comes_back(finished, store, stop_after):
    before = signal.getsignal(signal.SIGTERM)
    stop_after(2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(KeyboardInterrupt):
        train_run(finished.config, store)
    assert store.get(finished.id).status.state == "interrupted"
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_was_recorded_after_the_checkpoint_is_dropped_on_resuming(store, tiny_config, stop_after):
    """Checkpoints every 3 epochs, a crash after the 2nd of them: metrics hold an epoch the checkpoint does not."""
    config = tiny_config(training__checkpoint_every=3, training__epochs=5)
    reference = train_run(config, RunStore(store.root / "reference"))
    stop_after(4, raising(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        train_run(config, store)
    crashed = store.get(config.run_id)
    assert (crashed.status.state, crashed.status.error) == ("failed", "RuntimeError: a bug")
    assert "Traceback" in (crashed.path / directory.LOG).read_text()
    assert [line["epoch"] for line in crashed.metrics()] == [1, 2, 3, 4]
    with (crashed.path / directory.METRICS).open("a") as metrics:
        metrics.write('{"epoch": 5, "elb')
    (crashed.path / ".status.json.1-1.tmp").write_text("half")

    resumed = []
    run = train_run(config, store, on_epoch=lambda epoch: resumed.append(epoch.epoch))
    assert resumed == [4, 5]
    assert_same_result(run, reference)
    assert not list(run.path.glob(".*"))


def test_a_diverged_run_says_so_and_starts_anew(finished, store, stop_after):
    stop_after(2, raising(Diverged("The training diverged in epoch 3.")))
    with pytest.raises(Diverged):
        train_run(finished.config, store)
    status = store.get(finished.id).status
    assert (status.state, status.error, status.epoch) == ("failed", "The training diverged in epoch 3.", 2)
    seen = []
    run = train_run(finished.config, store, on_epoch=lambda epoch: seen.append(epoch.epoch))
    assert seen == [1, 2, 3, 4]
    assert_same_result(run, finished)


@pytest.mark.filterwarnings("ignore:Encountered NaN")
def test_a_real_divergence_fails_with_a_sentence(store, tiny_config):
    config = tiny_config(training__learning_rate=1e30)
    with pytest.raises(Diverged, match="learning_rate"):
        train_run(config, store)
    assert store.get(config.run_id).status.state == "failed"


@pytest.mark.parametrize("existing", [False, True])
def test_unusable_data_leave_the_store_untouched(finished, store, tmp_path, existing):
    if existing:
        train_run(finished.config, store, time_limit=0)
    before = snapshot_of(store.root)
    images = tmp_path / "images.npz"
    np.savez(images, images=np.zeros((0, 16, 16)), labels=np.zeros(0, int))
    with pytest.raises(UserError):
        train_run(run_config(dataset=file_dataset(images)), store)
    assert snapshot_of(store.root) == before


def snapshot_of(root):
    return {file: file.stat().st_mtime_ns for file in root.rglob("*")}


def test_a_device_that_is_not_there_leaves_the_store_untouched(store, tiny_config):
    with pytest.raises(UserError, match="cuda:77"):
        train_run(tiny_config(), store, device="cuda:77")
    assert not store.root.exists()


def test_a_store_that_cannot_be_made_is_a_sentence(tmp_path, tiny_config):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        train_run(tiny_config(), RunStore(tmp_path / "file" / "runs"))


def damaged(path):
    path.write_bytes(b"damaged")


def from_another_version(path):
    torch.save({"trainer": {"epoch": 1}, "seconds": 1.0}, path)


@pytest.mark.parametrize("spoil", [damaged, from_another_version])
def test_a_checkpoint_that_cannot_be_used_is_a_sentence(finished, store, spoil):
    run = train_run(finished.config, store, time_limit=0)
    spoil(run.path / directory.CHECKPOINT)
    with pytest.raises(UserError, match="train again"):
        train_run(finished.config, store)
    assert store.get(finished.id).status.state == "interrupted"


def test_who_will_not_wait_is_told_of_the_other_process(finished, store):
    lock = store.path(finished.id) / directory.LOCK
    with locked(lock, wait=False), pytest.raises(UserError, match="Another process is training"):
        train_run(finished.config, store, wait=False)


def test_who_waits_says_so_and_takes_over_the_other_s_result(finished, store, caplog):
    results = []
    first = threading.Event()
    go_on = threading.Event()

    def hold(epoch):
        first.set()
        assert go_on.wait(60)

    def run_first():
        results.append(train_run(finished.config, store, on_epoch=hold))

    def run_second():
        results.append(train_run(finished.config, store, on_epoch=raising(AssertionError("it was trained twice"))))

    threads = [threading.Thread(target=run_first), threading.Thread(target=run_second)]
    threads[0].start()
    assert first.wait(60)
    threads[1].start()
    while "waiting for it" not in caplog.text:
        time.sleep(0.01)
    go_on.set()
    for thread in threads:
        thread.join()
    assert [run.status.state for run in results] == ["finished", "finished"]
    assert results[0].status == results[1].status


def test_who_waits_for_a_run_that_is_deleted_and_whose_data_are_gone_leaves_nothing_of_it(store, tiny_config, caplog):
    path, failed = store.path(tiny_config().run_id), []

    def train():
        with pytest.raises(UserError, match="data are gone"):
            train_run(tiny_config(), store, loader=raising(UserError("The data are gone.")))
        failed.append(True)

    other = threading.Thread(target=train)
    with locked(path / directory.LOCK, wait=False):
        other.start()
        while "waiting for it" not in caplog.text:
            time.sleep(0.01)
        remove_directory(path)
    other.join()
    assert failed
    assert not path.exists()


@pytest.mark.slow
def test_a_run_killed_at_any_moment_resumes_to_bit_equal_weights(store, tiny_config):
    """Kill -9 as soon as an epoch is recorded, and again in the midst of what follows; then let it come to its end."""
    config = tiny_config(training__epochs=6, training__min_steps=8)
    reference = train_run(config, RunStore(store.root / "reference"))
    first = []
    for delay in (0.0, 0.03, None):
        training = Training(config, store)
        first.append(training.hear())
        code, state = training.kill_after(delay), store.get(config.run_id).status.state
        assert (code, state) == ((0, "finished") if delay is None else (-signal.SIGKILL, "interrupted"))
    assert first[0] == 1 and first == sorted(set(first)), "no epoch that was recorded is trained again"
    assert_same_result(store.get(config.run_id), reference)


@pytest.mark.slow
def test_a_full_disk_fails_with_a_sentence_and_leaves_finished_runs_whole(finished, store, tiny_config):
    """A limit on the size of files stands for the full disk: the checkpoint does not fit, smaller files do."""
    other = train_run(finished.config, store)
    before = snapshot_of(other.path)
    config = tiny_config(seed=1)

    training = Training(config, store, largest_file=4000)
    complaint = training.hear()
    assert training.end() != 0
    assert "UserError: The store" in complaint and "cannot be written" in complaint
    failed = store.get(config.run_id)
    assert failed.status.state == "failed"
    assert not list(failed.path.glob(".*"))
    assert snapshot_of(other.path) == before
    assert train_run(config, store).status.state == "finished"


def test_progress_that_cannot_be_written_costs_no_training(tiny_config, tmp_path, monkeypatch):
    calls = []

    def full(*_):
        calls.append(1)
        if len(calls) > 1:  # at the beginning there was room
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("ssrvae_core.runs.session.write_progress", full)
    assert train_run(tiny_config(training__epochs=1), RunStore(tmp_path)).status.state == "finished"
    assert len(calls) > 1
