import csv
import io
import subprocess
import sys

import numpy as np
import pytest
import rich.console

import ssrvae_core
from ssrvae_core.cli import console
from ssrvae_core.cli import train as cli
from ssrvae_core.config import DATASETS
from ssrvae_core.runs import RunStore, directory
from ssrvae_core.runs.sweep_spec import SweepSpec


@pytest.fixture
def in_store(finished):
    return "--store", finished.path.parent


@pytest.fixture
def image_file(tmp_path):
    """Write an image file; its images need not mean anything."""

    def write(name="images.npz", side=16, class_names=("clubs", "hearts"), **arrays):
        images = np.random.default_rng(0).random((8, side, side))
        values = {"images": images, "labels": np.arange(8) % 2} | arrays
        np.savez(tmp_path / name, **values | ({} if class_names is None else {"class_names": np.array(class_names)}))
        return tmp_path / name

    return write


def test_train_prints_its_result_as_the_last_line(finished, result_of, tiny_options, tmp_path):
    result = result_of("train", *tiny_options, "--store", tmp_path / "runs")
    assert (result["id"], result["status"], result["epoch"]) == (finished.id, "finished", 4)
    assert result["validation"]["accuracy"] == finished.status.validation["accuracy"]
    assert result["seconds"] > 0


def test_train_returns_a_finished_run_at_once(finished, result_of, tiny_options, in_store):
    result = result_of("train", *tiny_options, *in_store)
    assert (result["id"], result["seconds"]) == (finished.id, finished.status.seconds)


@pytest.mark.usefixtures("stops_between_epochs")
def test_a_time_limit_is_no_error_and_says_how_to_go_on(run_cli, tiny_options, tmp_path):
    code, out, _ = run_cli("train", *tiny_options, "--time-limit", 0, "--store", tmp_path)
    assert code == 0
    assert "is interrupted after 1 of" in out
    assert "goes on" in out


def test_every_option_of_train_reaches_the_configuration(tiny_options, image_file, monkeypatch, run_cli):
    seen = []
    monkeypatch.setattr(cli, "_train", lambda config, *_: seen.append(config) or sys.exit(0))
    path = image_file()
    options = ["--model", "ss-vae", "--seed", 3, "--labelled-ratio", 0.5, "--group-split", "--epochs", 7]
    run_cli("train", "--data", path, "--view", "mask", *options, "--set", "model.latent_dim=3", "--preset", "esi")
    (config,) = seen
    assert (config.dataset.source, config.dataset.path, config.dataset.view) == ("file", str(path), "mask")
    assert (config.model.name, config.model.latent_dim) == ("ss-vae", 3)
    assert (config.seed, config.split.seed, config.split.labelled_ratio, config.split.by_group) == (3, 3, 0.5, True)
    assert (config.training.epochs, config.training.learning_rate) == (7, 1e-4)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--data", "nothing.npz"], "no file 'nothing.npz'"),
        (["--data", ""], "no file ''"),
        (["--set", "model.hidden=[]"], "model.hidden is not valid"),
        (["--set", "model.channels=[0]"], "model.channels.0 is not valid"),
        (["--set", "model.hidden=[1000000]"], "model.hidden.0 is not valid"),
        (["--set", "model.channels=[]"], "model.channels is not valid: give at least one value"),
        (
            ["--set", "model.channels=32"],
            "give a list in brackets, such as [32, 64] (got 32)",
        ),
        (["--set", "model.centre=maybe"], "model.centre is not valid: give true or false (got 'maybe')"),
        (["--set", "model=3"], "model is not valid: it is a group of settings; set one of them by its dotted name"),
        (["--model", "vae"], "no model called 'vae'; choose one of ss-vae"),
        (["--preset", "slow"], "no preset called 'slow'"),
        (["--set", "model.size=3"], "no setting 'model.size'"),
        (["--set", "model.latent_dim"], "has no value"),
        (["--set", "model.latent_dim=many"], "model.latent_dim is not valid"),
        (["--labels-per-class", 0], "labels_per_class is not valid"),
        (["--labelled-ratio", 0.1, "--labels-per-class", 3], "not both"),
        (["--epochs", 0], "training.epochs is not valid"),
        (["--epochs", 2, "--set", "training.epochs=3"], "--epochs and --set training.epochs say the same thing"),
        (["--seed", 4, "--set", "seed=5"], "--seed and --set seed say the same thing"),
        (["--device", "cuda:77"], "'cuda:77' is not available"),
    ],
)
def test_a_wrong_option_is_one_sentence_and_the_store_stays_untouched(complaint_of, tmp_path, options, sentence):
    assert sentence in complaint_of("train", "--data", "digits", *options, "--store", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_an_unknown_option_and_an_unknown_command_exit_with_2(run_cli):
    assert run_cli("train", "--nonsense")[0] == 2
    assert run_cli("nonsense")[0] == 2


def test_a_file_that_is_no_image_file_is_one_sentence_that_names_it(complaint_of, tmp_path):
    path = tmp_path / "images.npz"
    path.write_bytes(b"nothing of the kind")
    assert str(path) in complaint_of("train", "--data", path, "--store", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arrays", "options", "sentence"),
    [
        ({"class_names": ("clubs",), "labels": np.zeros(8, int)}, [], "at least two"),
        ({"labels": np.full(8, -1)}, [], "label"),
        ({}, ["--view", "mask"], "no masks"),
        ({}, ["--group-split"], "no groups"),
        ({}, ["--labels-per-class", 50], "50 labels per class"),
    ],
)
def test_a_complaint_about_the_images_names_their_file(complaint_of, image_file, tmp_path, arrays, options, sentence):
    path = image_file(**arrays)
    said = complaint_of("train", "--data", path, *options, "--store", tmp_path / "runs")
    assert sentence in said and path.name in said
    assert not (tmp_path / "runs").exists()


def test_what_a_name_would_tell_the_terminal_is_not_passed_on(complaint_of, tmp_path):
    path = tmp_path / "\x1b[2Jgone\x07.npz"
    path.write_bytes(b"no zip")
    said = complaint_of("train", "--data", path)
    assert "gone" in said and "\x1b" not in said and "\x07" not in said


def test_ctrl_c_says_that_nothing_is_lost(run_cli, monkeypatch, tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_train", interrupt)
    code, _, err = run_cli("train", "--data", "digits", "--store", tmp_path)
    assert code == 130
    assert "goes on from the last checkpoint" in err


def test_list_names_every_run_and_the_broken_ones(finished, result_of, run_cli, tiny_options, tmp_path):
    assert "no runs" in run_cli("list", "--store", tmp_path)[1]
    assert result_of("list", "--store", tmp_path) == []
    result_of("train", *tiny_options, "--store", tmp_path)
    (tmp_path / "abcabcabcabc").mkdir()
    assert "5 labels per class" in run_cli("list", "--store", tmp_path)[1]
    run, broken = result_of("list", "--store", tmp_path)
    assert (run["id"], run["state"], run["model"]) == (finished.id, "finished", "ss-rvae")
    assert run["accuracy"] == finished.status.validation["accuracy"]
    assert broken == {"id": "abcabcabcabc", "state": "broken", "error": "config.json is missing."}


def test_show_tells_the_whole_configuration(finished, result_of, run_cli, in_store):
    assert "latent_dim 2" in run_cli("show", finished.id[:5], *in_store)[1]
    shown = result_of("show", finished.id[:5], *in_store)
    assert shown["config"] == finished.config.model_dump(mode="json")
    assert shown["last_epoch"]["epoch"] == 4


def test_delete_deletes(result_of, complaint_of, tiny_options, tmp_path):
    run_id = result_of("train", *tiny_options, "--time-limit", 0, "--store", tmp_path)["id"]
    assert result_of("delete", run_id, "--store", tmp_path) == {"id": run_id}
    assert RunStore(tmp_path).runs() == []
    assert f"no run {run_id}" in complaint_of("delete", run_id, "--store", tmp_path)


def test_evaluate_without_data_repeats_the_validation(finished, result_of, in_store):
    assert result_of("evaluate", finished.id, *in_store).items() >= finished.status.validation.items()


def test_evaluate_judges_other_images_by_the_name_of_their_class(finished, result_of, in_store, image_file):
    """The file numbers its two classes in its own way; the confusion is in the run's numbers."""
    result = result_of("evaluate", finished.id, "--data", image_file(), *in_store)
    rows = [sum(row) for row in result["confusion"]]
    assert dict(zip(finished.class_names, rows, strict=True)) == {"hearts": 4, "spades": 0, "diamonds": 0, "clubs": 4}


def test_a_file_that_does_not_name_its_classes_has_the_run_s(finished, run_cli, result_of, in_store, image_file):
    path = image_file("full.npz", class_names=None)
    said = run_cli("evaluate", finished.id, "--data", path, *in_store)
    assert said[0] == 0 and "does not name its classes" in said[2]
    named = image_file("named.npz", class_names=finished.class_names)
    same = [result_of("evaluate", finished.id, "--data", file, *in_store)["nll"] for file in (path, named)]
    assert same[0] == same[1]


def test_evaluate_sees_a_named_data_set_as_the_run_sees_its_own(result_of, tiny_options, monkeypatch, tmp_path):
    small = DATASETS["particles"].model_copy(update={"size": 16, "validation_per_class": 4, "train_per_class": 8})
    monkeypatch.setitem(DATASETS, "particles", small)
    settings = [option for option in tiny_options if option.startswith(("model.", "training."))]
    options = [part for setting in settings for part in ("--set", setting)]
    store = ("--store", tmp_path / "runs")
    trained = result_of("train", "--data", "particles", "--view", "mask", *options, "--labels-per-class", 4, *store)
    judged = result_of("evaluate", trained["id"], "--data", "particles", *store)
    run = RunStore(tmp_path / "runs").get(trained["id"])
    assert judged["nll"] == pytest.approx(run.status.validation["nll"], rel=1e-4)


def test_names_with_brackets_are_shown_as_they_are(result_of, run_cli, image_file, tiny_options, tmp_path):
    settings = [option for option in tiny_options if option.startswith(("model.", "training."))]
    options = [part for setting in settings for part in ("--set", setting)]
    store = ("--store", tmp_path / "runs")
    path = image_file("data[new].npz", class_names=np.array(["[/x]", ":gear:"]))
    trained = result_of("train", "--data", path, *options, *store)
    code, out, _ = run_cli("show", trained["id"], *store)
    assert code == 0 and "[/x]" in out and ":gear:" in out
    assert "data[new].npz" in run_cli("list", *store)[1]


def test_integers_for_a_run_on_drawn_images_have_the_scale_of_their_own_bits(finished, result_of, in_store, image_file):
    levels = np.random.default_rng(0).integers(0, 256, (8, 16, 16)).astype(np.uint16)
    same = [
        result_of("evaluate", finished.id, "--data", image_file(name, images=images), *in_store)["nll"]
        for name, images in (("8.npz", levels.astype(np.uint8)), ("16.npz", levels))
    ]
    assert same[0] == pytest.approx(same[1], rel=1e-4)


def test_evaluate_uses_the_validation_part_where_there_is_one(finished, result_of, in_store, image_file):
    parts = np.array(["train"] * 5 + ["validation"] * 3)
    assert result_of("evaluate", finished.id, "--data", image_file(split=parts), *in_store)["n"] == 3


def test_the_file_a_run_was_trained_on_is_judged_by_the_held_out_images_alone(
    result_of, run_cli, image_file, tiny_options, tmp_path
):
    path, store = image_file(), ("--store", tmp_path / "runs")
    settings = [option for option in tiny_options if option.startswith(("model.", "training."))]
    options = [part for setting in settings for part in ("--set", setting)]
    trained = result_of("train", "--data", path, *options, *store)
    judged = result_of("evaluate", trained["id"], "--data", path, *store)
    assert judged["n"] == trained["validation"]["n"] < 8
    assert "held out" in run_cli("evaluate", trained["id"], "--data", path, *store)[2]


def test_images_a_run_cannot_be_judged_on_are_refused_in_a_sentence(finished, complaint_of, in_store, image_file):
    def complaint(path):
        return complaint_of("evaluate", finished.id, "--data", path, *in_store)

    assert "class 'joker'" in complaint(image_file(class_names=("clubs", "joker")))
    assert "1x20x20" in complaint(image_file(side=20))
    assert "No image of" in complaint(image_file(labels=np.full(8, -1)))


def test_predict_writes_a_table_with_a_row_an_image(finished, result_of, in_store, image_file, tmp_path):
    out = tmp_path / "predictions.csv"
    result = result_of("predict", finished.id, image_file(labels=np.full(8, -1)), "--out", out, *in_store)
    assert result["images"] == 8
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    probabilities = [f"p_{name}" for name in finished.class_names]
    known = ["id", "name", "group", "part", "label", "class", *probabilities, "angle_degrees", "confidence"]
    assert list(rows[0]) == [*known, "outlier_score", "size", "size_unit", "z_1", "z_2"]
    assert len(rows) == 8
    for row in rows:
        shares = [float(row[name]) for name in probabilities]
        assert sum(shares) == pytest.approx(1, abs=1e-5)
        assert row["class"] == finished.class_names[int(np.argmax(shares))]
        assert float(row["confidence"]) == max(shares)
        assert -180 <= float(row["angle_degrees"]) <= 180


@pytest.mark.parametrize("dtype", [float, np.int16])
def test_other_images_are_seen_on_the_scale_of_the_run(result_of, image_file, tiny_options, tmp_path, dtype):
    """The darker half of the training file gets the predictions it has among the brighter half, in another type."""
    levels = np.random.default_rng(0).integers(100, 900, (8, 16, 16))
    levels[4:] += 3000
    settings = [option for option in tiny_options if option.startswith(("model.", "training."))]
    options = [part for setting in settings for part in ("--set", setting)]
    store = ("--store", tmp_path / "runs")
    trained = result_of("train", "--data", image_file(images=levels.astype(float)), *options, *store)

    def predicted(path):
        result_of("predict", trained["id"], path, "--out", tmp_path / "p.csv", *store)
        with (tmp_path / "p.csv").open(newline="") as file:
            return {row["id"]: {**row, "name": None} for row in csv.DictReader(file)}

    dark = {"images": levels[:4].astype(dtype), "labels": np.arange(4) % 2}
    together, alone = predicted(image_file(images=levels.astype(float))), predicted(image_file("dark.npz", **dark))
    assert len(alone) == 4
    for row in alone:
        for column in ("confidence", "z_1", "z_2"):
            assert float(alone[row][column]) == pytest.approx(float(together[row][column]), rel=1e-3, abs=1e-4)


def test_the_user_names_the_grey_levels_of_black_and_white(result_of, image_file, tiny_options, tmp_path):
    settings = [option for option in tiny_options if option.startswith(("model.", "training."))]
    options = [part for setting in settings for part in ("--set", setting)]
    path = image_file(images=np.random.default_rng(0).integers(0, 4096, (8, 16, 16), dtype=np.uint16))
    store = tmp_path / "runs"
    trained = result_of("train", "--data", path, *options, "--set", "dataset.intensity=[0,4095]", "--store", store)
    assert RunStore(store).get(trained["id"]).config.dataset.intensity == (0, 4095)


def test_raw_grey_levels_are_refused_where_the_run_has_no_scale(finished, complaint_of, in_store, image_file, tmp_path):
    path = image_file("raw.npz", images=np.random.default_rng(0).random((8, 16, 16)) * 812 - 3)
    for command in (
        ("predict", finished.id, path, "--out", tmp_path / "p.csv"),
        ("evaluate", finished.id, "--data", path),
    ):
        complaint = complaint_of(*command, *in_store)
        assert "raw.npz" in complaint and "dataset.intensity" in complaint and "[0, 1]" in complaint


def test_a_table_that_cannot_be_written_is_a_sentence(finished, complaint_of, in_store, image_file, tmp_path):
    missing = tmp_path / "missing" / "predictions.csv"
    assert "cannot be written" in complaint_of("predict", finished.id, image_file(), "--out", missing, *in_store)


def test_nothing_is_written_over_a_file_of_the_store_or_over_the_images(
    finished, complaint_of, in_store, image_file, tmp_path
):
    weights, images = finished.path / directory.WEIGHTS, image_file()
    before = weights.read_bytes(), images.read_bytes()
    for command in (("predict", finished.id, images), ("export", finished.id), ("report", finished.id)):
        assert "is in what the store" in complaint_of(*command, "--out", weights, *in_store)
        assert "is not a plain file" in complaint_of(*command, "--out", tmp_path, *in_store)
    folder = images.parent
    for source, out in ((images, images), (folder, folder / "labels.csv")):
        assert "among the images that are read" in complaint_of("predict", finished.id, source, "--out", out, *in_store)
    assert (weights.read_bytes(), images.read_bytes()) == before


def test_an_unfinished_run_can_be_neither_asked_nor_judged(result_of, complaint_of, tiny_options, image_file, tmp_path):
    store = tmp_path / "runs"
    run_id = result_of("train", *tiny_options, "--time-limit", 0, "--store", store)["id"]
    assert "is interrupted" in complaint_of("evaluate", run_id, "--store", store)
    assert "is interrupted" in complaint_of(
        "predict", run_id, image_file(), "--out", tmp_path / "p.csv", "--store", store
    )


def test_the_demo_trains_both_models_at_every_ratio_once(
    monkeypatch, work_here, result_of, run_cli, tiny_settings, tmp_path
):
    settings = tiny_settings | {"training.epochs": 1}
    tiny = {"data": "cards-b2", "models": ("ss-vae", "ss-rvae"), "labelled_ratios": (0.25, 0.5)}
    monkeypatch.setattr(cli, "DEMO", SweepSpec(**tiny, settings=settings))
    rows = result_of("demo", "--store", tmp_path)
    assert [(row["model"], row["labelled_ratio"], row["state"]) for row in rows] == [
        (model, ratio, "finished") for model in ("ss-vae", "ss-rvae") for ratio in (0.25, 0.5)
    ]
    code, out, err = run_cli("demo", "--store", tmp_path)
    assert (code, err) == (0, "")
    assert "make demo" in out
    assert [run.status.updated for run in RunStore(tmp_path).runs()] == sorted(
        (row["updated"] for row in rows), reverse=True
    )


def test_the_doctor_reports_versions_and_tests_itself(monkeypatch, result_of, tiny_config, tmp_path):
    monkeypatch.setattr(cli, "run_config", lambda **_: tiny_config())
    result = result_of("doctor", "--store", tmp_path / "runs")
    assert result["ok"]
    assert result["packages"]["torch"]
    assert result["device"] == "cpu"
    assert not (tmp_path / "runs").exists()


def test_the_doctor_finds_a_store_that_cannot_be_written(run_cli, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = run_cli("doctor", "--store", tmp_path / "file" / "runs")
    assert code == 2
    assert "cannot be written" in err


def test_the_module_runs_and_needs_no_torch_to_be_imported():
    script = "import sys, ssrvae_core; print('torch' in sys.modules, 'pydantic' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "False"]
    answer = subprocess.run([sys.executable, "-m", "ssrvae_core", "--help"], capture_output=True, text=True, check=True)
    assert all(command in answer.stdout for command in ("demo", "train", "evaluate", "predict", "doctor"))


def test_the_classifier_is_there_when_it_is_asked_for():
    assert ssrvae_core.SSRVAEClassifier.__name__ == "SSRVAEClassifier"
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = ssrvae_core.Nothing


def test_the_directory_of_a_run_never_leaves_the_store(complaint_of, finished, in_store):
    for command in ("show", "delete", "evaluate"):
        assert "not a run id" in complaint_of(command, f"../{finished.path.parent.name}", *in_store)
    assert (finished.path / directory.CONFIG).exists()


def test_the_progress_keeps_to_one_line_of_a_narrow_terminal(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(
        console, "Console", lambda **_: rich.console.Console(file=screen, width=80, force_terminal=True)
    )
    with console.epoch_progress() as progress:
        task = progress.add_task("ss-rvae-paper", total=1.0, at="epoch 999/1000, step 99/120, about 25 min", news="")
        progress.update(task, completed=0.999, news="accuracy 99.1%")
    assert any("ss-rvae-paper" in line and "99.1%" in line for line in screen.getvalue().splitlines())


def test_a_column_of_shares_has_a_decimal_and_hides_no_errors():
    shares = (None, 0.0, 0.012, 0.9934, 0.9996, 1.0)
    assert [console.in_percent(share) for share in shares] == ["-", "0 %", "1.2 %", "99.3 %", ">99.9 %", "100 %"]
