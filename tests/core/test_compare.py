"""The command ``compare``."""

import json

import pytest

from ssrvae_core import cli
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
    assert (told["data"], told["labels_per_class"], told["seeds"]) == ("cards-b2", 5, 2)
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
    assert f"Ahead of ss-rvae, the best of our models: {', '.join(ahead) or 'no rival'}." in out


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
        (["--labels-per-class", 50], "50 labels a class"),
    ],
)
def test_a_wrong_option_is_one_sentence(compare, options, sentence, tmp_path):
    code, out, err = compare(*options)
    assert (code, out) == (2, "")
    assert sentence in err and len(err.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()
