import json
import re
import shutil
from dataclasses import replace
from html import escape

import numpy as np
import pytest

from ssrvae_core.config import UserError, run_config
from ssrvae_core.data.readers import file_dataset
from ssrvae_core.reports.html import get_plotlyjs
from ssrvae_core.reports.report import differences, report_html, write_report
from ssrvae_core.reports.wording import verdict
from ssrvae_core.runs import RunStore, directory
from ssrvae_core.runs.execute import train_run
from ssrvae_core.shares import percent
from tests.core.reports.conftest import FILE, NAMES


@pytest.fixture(scope="module")
def own(hostile_pair):
    """The report on both runs, without plotly."""
    return report_html(hostile_pair).replace(get_plotlyjs(), "")


def test_names_from_the_data_are_text_everywhere(own):
    for name in (*NAMES, FILE):
        assert name not in own
    figures = [json.loads(text) for text in re.findall(r'<script type="application/json">(.*?)</script>', own)]
    texts = set(_strings(figures))
    assert not any(name in text for text in texts for name in (*NAMES, FILE))
    assert any("&lt;script&gt;" in text for text in texts)


def _strings(values):
    if isinstance(values, str):
        yield values
    elif isinstance(values, list | dict):
        for value in values.values() if isinstance(values, dict) else values:
            yield from _strings(value)


def test_every_chart_has_a_caption_with_its_conditions(own, hostile_pair):
    captions = [re.sub("<.*?>", "", found) for found in re.findall(r"<figcaption>(.*?)</figcaption>", own)]
    told = [text for text in captions if "N = 16 validation images" in text]
    assert len(told) >= 4
    for run in hostile_pair:
        accuracy = percent(run.status.validation["accuracy"])
        assert all(f"(run {run.id}): 44 labels, seed 0, accuracy {accuracy}, 4 epochs" in text for text in told)


def test_every_section_of_the_report_is_there(own):
    for heading in ("Runs", "Latent space", "Confusion", "Calibration", "Training"):
        assert re.search(f"<h[23]>{heading}</h[23]>", own), heading


def test_a_title_names_the_data_and_the_runs_unless_another_is_given(own, hostile_pair):
    title = re.search("<title>(.*?)</title>", own)[1]
    assert escape(FILE) in title and all(run.id in title for run in hostile_pair)
    many = re.search("<title>(.*?)</title>", report_html([hostile_pair[0]] * 5))[1]
    assert escape(FILE) in many and "5 runs" in many
    assert "<title>My pages</title>" in report_html([hostile_pair[0]], "My pages")


def test_settings_are_named_as_in_the_form_and_not_by_their_keys(own, hostile_pair):
    whole = report_html([hostile_pair[0]])
    for page in (own, whole):
        assert ">Rotation</th><td>not inferred</td>" in page and ">model.rotation<" not in page
    assert ">Supervised ratio</th>" in whole
    assert not re.search(r'<th scope="row">(dataset|split|model|training)\.', whole)


def test_only_settings_that_differ_are_told_of(hostile_pair):
    told = dict(differences(hostile_pair))
    assert told["model.rotation"] == ["none", "marginal"]
    assert all(values[0] != values[1] for values in told.values())


def test_runs_on_different_images_have_a_section_each(hostile_pair, finished):
    headings = re.findall("<h2>(.*?)</h2>", report_html([hostile_pair[0], finished]).replace(get_plotlyjs(), ""))
    assert len(headings) == 3


def test_accuracy_against_rotation_is_shown_where_angles_are_known(own, finished):
    assert "Accuracy against rotation" not in own
    assert "Accuracy against rotation" in report_html([finished])


def test_a_run_without_predictions_is_refused(finished, tmp_path):
    shutil.copytree(finished.path, tmp_path / finished.id)
    (tmp_path / finished.id / directory.VALIDATION).unlink()
    with pytest.raises(UserError, match=r"has lost its validation.npz"):
        write_report([RunStore(tmp_path).get(finished.id)], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_a_place_that_cannot_be_written_is_told(finished, tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        write_report([finished], tmp_path / "nowhere" / "report.html")


def test_report_writes_the_page_and_says_so(finished, result_of, tmp_path):
    out = tmp_path / "report.html"
    result = result_of("report", finished.id, finished.id[:6], "--out", out, "--store", finished.path.parent)
    assert result == {"out": str(out), "runs": [finished.id], "bytes": out.stat().st_size}
    assert out.read_text().startswith("<!doctype html>")


def test_a_baseline_that_wins_is_told_of():
    assert verdict({"ss-VAE": 0.4, "ss-rVAE": 0.9}, {"Tree": 0.5, "Forest": 0.3}) == (
        "Tree reaches or passes the ss-VAE; Forest stays behind the ss-VAE and the ss-rVAE."
    )
    assert verdict({"ss-VAE": 0.4, "ss-rVAE": 0.9}, {"Tree": 0.3}) == "No baseline reaches the ss-VAE or the ss-rVAE."


def test_a_baseline_that_is_level_but_for_the_rounding_of_a_mean_reaches_the_model():
    assert verdict({"ss-rVAE": 0.3}, {"Tree": 0.1 + 0.2 - 1e-12}) == "Tree reaches or passes the ss-rVAE."


def test_a_baseline_is_behind_as_many_models_as_there_are():
    told = verdict({"A": 0.5, "B": 0.6, "C": 0.7}, {"Tree": 0.5, "Forest": 0.4})
    assert told == "Tree reaches or passes the A; Forest stays behind the A and the B and the C."


@pytest.fixture(scope="module")
def two_seeds(hostile_pair, tmp_path_factory):
    """The same file, split by another seed."""
    store = RunStore(tmp_path_factory.mktemp("seeds"))
    config = hostile_pair[0].config
    split = config.split.model_copy(update={"seed": 1})
    return [hostile_pair[0], train_run(config.model_copy(update={"split": split, "seed": 1}), store)]


def test_two_seeds_of_a_file_have_headings_of_their_own_and_a_sentence_says_why(two_seeds):
    page = report_html(two_seeds)
    name = escape(FILE)
    assert re.findall("<h2>(.*?)</h2>", page)[-2:] == [f"{name}, seed 0", f"{name}, seed 1"]
    assert page.count("held out for validation, so runs of other seeds are judged on other images") == 2


def test_a_chapter_that_is_alone_needs_no_seed(own):
    assert f"<h2>{escape(FILE)}</h2>" in own
    assert "runs of other seeds" not in own


def test_a_setting_that_one_model_has_no_use_for_is_no_difference(hostile_pair):
    assert not {"model.radii", "model.angles", "model.disc"} & dict(differences(hostile_pair)).keys()


def test_a_fingerprint_is_as_short_as_an_id(hostile_pair):
    run = hostile_pair[0]
    dataset = run.config.dataset.model_copy(update={"sha256": "0123456789abcdef" * 4})
    other = replace(run, config=run.config.model_copy(update={"dataset": dataset}))
    (_, there) = dict(differences([run, other]))["dataset.sha256"]
    assert there == "0123456789ab"


def test_a_report_shows_the_ss_vae_first_whatever_order_the_runs_come_in(hostile_pair):
    one, other = (re.findall("<td>(ss-r?VAE)</td>", report_html(runs)) for runs in (hostile_pair, hostile_pair[::-1]))
    assert one == other == ["ss-VAE", "ss-rVAE"]


def test_a_report_counts_the_images_that_its_accuracies_are_of(tmp_path, tiny_settings):
    path = tmp_path / "few.npz"
    labels = np.where(np.arange(80) < 20, np.arange(80) % 2, -1)
    split = np.where((np.arange(80) % 20 < 4) | (np.arange(80) > 50), "validation", "train")
    images = np.random.default_rng(0).random((80, 16, 16)).astype(np.float32)
    np.savez(path, images=images, labels=labels, split=split, class_names=np.array(["rod", "cube"]))
    shared = {name: value for name, value in tiny_settings.items() if name.startswith("training.")}
    config = run_config(dataset=file_dataset(path), model="ss-vae", settings=shared | {"model.hidden": [8]})
    run = train_run(config, RunStore(tmp_path / "runs"))
    n, judged = len(run.predictions()), run.status.validation["n"]
    assert 0 < judged < n
    page = report_html([run])
    (row,) = re.findall(rf"<tr>(.*?{run.id}.*?)</tr>", page, flags=re.DOTALL)[:1]
    assert f">{judged}<" in row and f">{n}<" not in row
    assert f"{judged} of {n} validation images have labels" in page
    assert f"N = {n} validation" not in page and not re.search(rf"accuracy [^<]{{1,8}}%, N = {n}\b", page)
