"""The command ``compare``."""

import json
import re

import numpy as np
import pytest

from ssrvae_core import cli
from ssrvae_core.cli import compare as command
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.comparison import list_rivals

QUICK = ("--models", "ss-rvae", "--rivals", "decision-tree,knn", "--seeds", "2", "--set", "training.epochs=1")


@pytest.fixture
def compare(capsys, tiny_options, tmp_path):
    """Run ``compare`` on the tiny data; return exit code, stdout and stderr."""

    def run(*options):
        with pytest.raises(SystemExit) as left:
            cli.main([*map(str, ("compare", *tiny_options, *options)), "--store", str(tmp_path / "runs")])
        said = capsys.readouterr()
        return left.value.code or 0, said.out, said.err

    return run


def test_every_method_has_a_row_and_the_most_accurate_comes_first(compare):
    code, out, err = compare(*QUICK, "--json")
    assert code == 0, err
    told = json.loads(out.splitlines()[-1])
    assert (told["data"], told["labels_per_class"], told["seeds"]) == ("cards (changed)", 5, 2)
    methods = {row["method"]: row for row in told["methods"]}
    assert {name: row["rival"] for name, row in methods.items()} == {
        "ss-rvae": False,
        "decision-tree": True,
        "knn": True,
    }
    means = [row["accuracy"]["mean"] for row in told["methods"]]
    assert means == sorted(means, reverse=True)
    for row in told["methods"]:
        assert row["accuracy"]["min"] == min(row["accuracy"]["values"])
        assert len(row["ids"]) == len(row["accuracy"]["values"]) == 2
        assert out.count(row["method"]) >= 1
        assert row["seconds"] > 0
    ours = methods["ss-rvae"]["accuracy"]["mean"]
    ahead = [row["method"] for row in told["methods"] if row["rival"] and row["accuracy"]["mean"] > ours]
    assert f"Ahead of ss-rvae, the best of our models: {', '.join(ahead) or 'no other method'}." in out
    assert told["ranked_by"] == "accuracy"
    assert "With 2 seeds a difference may be chance" in out
    assert re.search(r"^knn, seed 0: n neighbors \d+, weights \w+; chosen by 5 folds of the labelled images", out, re.M)


def test_our_time_is_that_of_the_epochs_as_a_rivals_is_that_of_the_fit(compare, tmp_path):
    told = json.loads(compare(*QUICK, "--seeds", 1, "--json")[1].splitlines()[-1])
    (run,) = RunStore(tmp_path / "runs").runs()
    ours = next(row for row in told["methods"] if not row["rival"])
    assert ours["seconds"] == pytest.approx(sum(line["seconds"] for line in run.metrics()))
    assert ours["seconds"] < run.status.seconds


def row(method, rival, accuracy, balanced=None, seeds=3):
    shares = {"accuracy": accuracy, "balanced_accuracy": accuracy if balanced is None else balanced}
    return {"method": method, "rival": rival, "ids": ["0"] * seeds} | {k: {"mean": v} for k, v in shares.items()}


def test_a_tie_but_for_rounding_is_level_and_the_rival_stands_first(capsys):
    assert 0.1 + 0.2 > 0.3
    rows = command._ranked([row("ss-rvae", False, 0.1 + 0.2), row("knn", True, 0.3), row("cnn", True, 0.9)], "accuracy")
    assert [each["method"] for each in rows] == ["cnn", "knn", "ss-rvae"]
    command._say_who_leads(rows, "accuracy")
    assert capsys.readouterr().out.splitlines() == [
        "Ahead of ss-rvae, the best of our models: cnn.",
        "Level with it: knn.",
    ]


@pytest.mark.parametrize(("support", "uneven"), [((10, 10), False), ((15, 10), False), ((16, 10), True)])
def test_classes_are_imbalanced_where_one_has_half_as_many_again(support, uneven):
    assert command._uneven({"confusion": [[support[0], 0, 0], [0, support[1], 0], [0, 0, 0]]}) == uneven


def test_a_file_with_a_rare_class_is_ranked_by_balanced_accuracy(run_cli, tmp_path):
    labels = np.repeat([0, 1], [48, 16])
    np.savez(tmp_path / "rare.npz", images=np.random.default_rng(0).random((64, 16, 16), np.float32), labels=labels)
    options = ("--models", "", "--rivals", "decision-tree,knn", "--seeds", 1, "--json", "--store", tmp_path / "runs")
    code, out, err = run_cli("compare", "--data", tmp_path / "rare.npz", *options)
    assert code == 0, err
    told = json.loads(out.splitlines()[-1])
    assert told["ranked_by"] == "balanced_accuracy"
    means = [row["balanced_accuracy"]["mean"] for row in told["methods"]]
    assert means == sorted(means, reverse=True)
    assert "ranked by balanced accuracy" in out


def test_a_method_that_always_says_one_class_does_not_lead_on_imbalanced_data(capsys):
    rows = [row("knn", True, 0.9, 0.5, seeds=1), row("ss-rvae", False, 0.8, 0.8, seeds=1)]
    rows = command._ranked(rows, "balanced_accuracy")
    command._say_who_leads(rows, "balanced_accuracy")
    said = capsys.readouterr().out
    assert rows[0]["method"] == "ss-rvae"
    assert "The classes are imbalanced" in said
    assert "Ahead of ss-rvae, the best of our models by balanced accuracy: no other method." in said
    assert "With 1 seed a difference may be chance; compare with --seeds 3 or more" in said


def test_a_file_that_does_not_fit_is_refused_before_anything_is_fitted_on_another(run_cli, tmp_path):
    rng, store = np.random.default_rng(0), tmp_path / "runs"
    np.savez(tmp_path / "few.npz", images=rng.random((12, 16, 16), np.float32), labels=np.repeat([0, 1, 2], 4))
    code, _, err = run_cli(
        "compare", "--data", tmp_path / "few.npz", "--labels-per-class", 9, "--rivals", "knn", "--store", store
    )
    assert code == 2
    assert "few.npz" in err
    assert not store.exists()


def test_what_is_done_is_not_done_again(compare, tmp_path):
    compare(*QUICK)
    runs = RunStore(tmp_path / "runs")
    updated = [run.status.updated for run in runs.runs()], [result.updated for result in list_rivals(runs)]
    first = compare(*QUICK, "--json")[1]
    assert updated == ([run.status.updated for run in runs.runs()], [result.updated for result in list_rivals(runs)])
    assert (len(updated[0]), len(updated[1])) == (2, 4)
    assert compare(*QUICK, "--json")[1] == first


def test_models_and_rivals_can_each_be_left_out(compare):
    alone = json.loads(compare("--models", "", "--rivals", "knn", "--seeds", 1, "--json")[1].splitlines()[-1])
    assert [row["method"] for row in alone["methods"]] == ["knn"]
    assert alone["methods"][0]["accuracy"]["sd"] is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--rivals", "oracle"], "no rival called 'oracle'; choose one of decision-tree"),
        (["--models", "vae"], "no model called 'vae'"),
        (["--models", "", "--rivals", ""], "nothing to compare"),
        (["--labelled-ratio", 0.5], "not both"),
        (["--labels-per-class", 50], "50 labels per class"),
    ],
)
def test_a_wrong_option_is_one_sentence(compare, options, sentence, tmp_path):
    code, out, err = compare(*options)
    assert (code, out) == (2, "")
    assert sentence in err and len(err.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()
