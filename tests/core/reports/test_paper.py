import re

import pytest

from ssrvae_core.config import UserError
from ssrvae_core.reports.chapter import Chapter
from ssrvae_core.reports.html import get_plotlyjs
from ssrvae_core.reports.paper import PAGE, Paper, build_paper
from ssrvae_core.reports.wording import seeds_named
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.sweep_table import Sweep, row_of
from ssrvae_core.runs.sweep_work import perform


def sweep_here(spec, store, *, workers, device, should_stop):
    """Run a sweep in this process."""
    ended = {}
    for task in spec.tasks():
        if should_stop():
            break
        ended[task] = perform(task.config, task.model if task.rival else None, store, on_progress=lambda *_: None)
    rows = [row_of(task, store, *ended.get(task, (None, None))) for task in spec.tasks()]
    return Sweep("0" * 12, store.root, rows, {})


@pytest.fixture(scope="module")
def tiny_paper(tiny_settings):
    settings = tiny_settings | {"training.epochs": 2, "dataset.train_per_class": 50}
    return Paper(
        data=("cards-teaching",), seeds=(3, 4), ratios=(0.3, 0.6), rivals=("decision-tree",), settings=settings
    )


@pytest.fixture(scope="module")
def built(tiny_paper, tmp_path_factory):
    """The store and the directory of a paper that is built."""
    folder = tmp_path_factory.mktemp("paper")
    store = RunStore(folder / "runs")
    files = build_paper(tiny_paper, store, folder / "out", device="cpu", sweep=sweep_here).files
    assert files[0] == folder / "out" / PAGE
    return store, folder / "out"


@pytest.fixture(scope="module")
def page(built):
    return (built[1] / PAGE).read_text().replace(get_plotlyjs(), "")


@pytest.mark.slow
def test_every_figure_and_video_is_there(page, built):
    headings = re.findall("<h3>(.*?)</h3>", page)
    assert [heading.split(":")[0] for heading in headings] == [
        "Figure S1",
        "Figure S2",
        "Figure S3",
        "Video 1",
        "Video 2",
        "Video 3",
    ]
    for number in (1, 2, 3):
        name = f"cards-changed-video-{number}.gif"
        assert (built[1] / name).read_bytes().startswith(b"GIF8")
        assert f'<a href="{name}">' in page


@pytest.mark.slow
def test_the_latents_are_an_explorer_of_the_validation_images_of_both_models(page):
    assert page.count('class="explorer-file"') == 1 and 'data-part="sheets">["' in page
    first = re.findall("<figcaption>(.*?)</figcaption>", page)[0]
    assert "Latent means" in first and "N = 32 validation images" in first


@pytest.mark.slow
def test_captions_tell_of_data_labels_seeds_accuracy_and_time(page):
    captions = re.findall("<figcaption>(.*?)</figcaption>", page)[1:]
    s2, s3, _, _, video_3 = (re.sub("<.*?>", "", caption) for caption in captions)
    for said in (
        "cards (changed)",
        "N = 32 validation images",
        "40 labels",
        "seed 3",
        "accuracy ",
        " %, ",
        "worst 0.",
        " s on cpu",
    ):
        assert said in s2, said
    for said in ("Decision tree: accuracy", "cross-validation", "mean over 2 seeds", "32 validation images"):
        assert said in s3, said
    for said in ("at 30 %", "at 60 %", "8 runs"):
        assert said in video_3, said


@pytest.mark.slow
def test_building_again_trains_nothing(built, tiny_paper):
    store, out = built
    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("*.json")}
    assert not build_paper(tiny_paper, store, out, device="cpu", sweep=sweep_here).missing
    assert {path: path.stat().st_mtime_ns for path in store.root.rglob("*.json")} == before


def test_a_time_limit_leaves_the_rest_for_the_next_time(tiny_paper, tmp_path):
    built = build_paper(tiny_paper, RunStore(tmp_path), tmp_path / "out", time_limit=0, sweep=sweep_here)
    assert (built.files, built.missing) == ((), 4 + 2 + 8)
    assert not list((tmp_path / "out").iterdir())


def failed_row(**values):
    return {
        "run_id": "0" * 12,
        "data": "digits",
        "model": "ss-vae",
        "seed": 0,
        "state": "failed",
        "error": "It diverged.",
    } | values


def test_a_model_without_any_run_is_an_error(tmp_path):
    with pytest.raises(UserError, match="No run of ss-vae on digits succeeded: It diverged"):
        Chapter.read("digits", [failed_row()], [], RunStore(tmp_path), "cpu")


def test_what_failed_is_left_out_and_told(finished):
    rows = [
        failed_row(run_id=finished.id, model=model, state="finished", error=None) for model in ("ss-vae", "ss-rvae")
    ]
    store = RunStore(finished.path.parent)
    chapter = Chapter.read("cards", [*rows, failed_row(model="xgboost")], [failed_row(seed=7)], store, "cpu")
    assert (dict(chapter.baselines), chapter.by_ratio) == ({}, [])
    assert chapter.failures == [
        "xgboost, seed 0, failed and is left out: It diverged.",
        "ss-vae, seed 7, failed and is left out: It diverged.",
    ]


@pytest.mark.parametrize(
    ("preset", "data"),
    [
        ("fast", ("particles", "cards-b2")),
        ("esi", ("particles", "cards-b2")),
        ("teaching", ("particles", "cards-teaching")),
    ],
)
def test_particles_and_the_presets_own_data_are_shown(preset, data):
    figures, ratios = Paper(preset=preset).sweeps()
    assert (figures.data, ratios.data) == (data, data)


@pytest.mark.parametrize("wrong", [{"preset": "slow"}, {"data": ("images.npz",)}])
def test_an_unknown_name_is_refused_before_anything_is_made(wrong, tmp_path):
    with pytest.raises(UserError, match="choose one of"):
        build_paper(Paper(**wrong), RunStore(tmp_path / "runs"), tmp_path / "out", sweep=sweep_here)
    assert not list(tmp_path.iterdir())


def test_the_command_hands_its_options_on(run_cli, monkeypatch, tmp_path):
    from ssrvae_core.reports import paper

    seen = []
    monkeypatch.setattr(
        paper, "build_paper", lambda wanted, *_, **more: seen.append((wanted, more)) or paper.Built(missing=3)
    )
    options = [
        "--preset",
        "esi",
        "--data",
        "digits",
        "--seed",
        1,
        "--seed",
        2,
        "--ratio",
        0.1,
        "--set",
        "training.epochs=2",
    ]
    code, out, _ = run_cli("paper", *options, "--workers", 1, "--time-limit", 5, "--out", tmp_path)
    ((wanted, more),) = seen
    assert wanted == Paper("esi", ("digits",), (1, 2), (0.1,), settings={"training.epochs": 2})
    assert (more["workers"], more["time_limit"]) == (1, 5)
    assert code == 0
    assert "3 runs or baselines still to train" in out
    assert out.splitlines()[-1] == (
        f"python -m ssrvae_core paper --out {tmp_path} --preset esi --data digits --seed 1 --seed 2 --ratio 0.1 "
        "--set training.epochs=2 --workers 1 --time-limit 5.0 --device auto"
    )


def test_one_seed_is_not_called_seeds():
    assert seeds_named([0]) == "seed 0"
    assert seeds_named([0, 3]) == "seeds 0, 3"


def test_a_setting_with_an_option_of_its_own_is_one_sentence():
    with pytest.raises(UserError, match=r"settings: split\.seed cannot be set here"):
        Paper(settings={"split.seed": 3}).sweeps()
