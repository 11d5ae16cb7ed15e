"""What a report shows of its particles: the explorer within its bytes, mistakes, and the result in a sentence."""

from __future__ import annotations

import json
import re
import shutil
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest

from ssrvae_core.reports import particles
from ssrvae_core.reports.explorer.page import ANGLES, as_bytes, explorer, whole
from ssrvae_core.reports.report import report_html
from ssrvae_core.runs import RunStore, directory, particle_file
from tests.core.reports.conftest import NAMES as HOSTILE
from tests.data import make_golden_store as golden
from tests.explorer_page import NAMES, as_pictures, invented


def parts_of(page):
    """Settings and sheets of the first explorer of a page."""
    found = {name: re.search(f'data-part="{name}">(.*?)</script>', page)[1] for name in ("settings", "sheets")}
    return json.loads(found["settings"]), json.loads(found["sheets"])


def test_an_explorer_fits_into_its_bytes_and_says_how_many_particles_it_leaves_out():
    sources, pixels = invented(900, models=2)
    noise = np.random.default_rng(0).integers(0, 256, pixels.shape, dtype=np.uint8)
    pictures = as_pictures(sources, noise)
    large, small = (explorer(sources, NAMES, pictures, name="a", budget=b, most=500) for b in (700_000, 250_000))
    assert len(small) < 275_000 < len(large) < 770_000
    assert "500 of 900 particles" in small
    (_, sheets), (_, more) = parts_of(small), parts_of(large)
    assert 0 < sum(map(len, sheets)) < sum(map(len, more))


def test_a_whole_report_of_many_particles_with_pictures_that_cannot_be_packed_is_no_larger_than_8_megabytes(
    tmp_path, monkeypatch
):
    store = golden.unpack(tmp_path, golden.long_configs())
    runs = [store.get(config.run_id) for config in golden.long_configs()]
    sources, _ = invented(4200, models=2)
    for run, source in zip(runs, sources, strict=True):
        particle_file.write(run.path, source.particles)
    noise = np.random.default_rng(0).integers(0, 256, (4200, 40, 40), dtype=np.uint8)
    ids = sources[0].particles.ids
    monkeypatch.setattr(particles, "pixels_of", lambda run, some: (some, noise[np.searchsorted(ids, some)]))
    page = report_html(runs)
    assert "4,000 of 4,200 particles" in page
    settings, sheets = parts_of(page)
    assert settings["sheets"]["height"] >= 16 and len(sheets) == 4 and all(sheets)
    assert 6_000_000 < len(page.encode()) <= 8_000_000, "the pictures take what the rest of the page leaves"


def test_without_pictures_the_maps_are_there_all_the_same():
    sources, _ = invented(20)
    settings, sheets = parts_of(explorer(sources, NAMES, None, name="a", budget=10_000))
    assert sheets == [] and settings["sheets"]["height"] == 0 and settings["drawings"] is None


def test_a_saved_explorer_is_a_page_of_its_own_that_needs_no_network():
    sources, pixels = invented(20)
    page = whole(
        explorer(sources, NAMES, as_pictures(sources, pixels), name="a", budget=10**6), "<b>", "<i>caption</i>"
    )
    assert page.startswith("<!doctype html>") and "default-src 'none'" in page
    assert "<i>caption" not in page and "&lt;i&gt;caption" in page


def test_names_from_the_data_are_text_in_an_explorer(hostile_pair):
    page = report_html(hostile_pair)
    assert page.count('class="explorer-file"') == 1
    assert not any(name in page for name in HOSTILE)
    settings, _ = parts_of(page)
    assert settings["drawings"] is not None and len(settings["drawings"]) == 2


def test_a_report_shows_all_particles_of_runs_that_have_classified_them(hostile_pair, tmp_path):
    assert len(particles.sources_of(hostile_pair)[0].particles) == 60
    shutil.copytree(hostile_pair[0].path, tmp_path / hostile_pair[0].id)
    (tmp_path / hostile_pair[0].id / directory.PARTICLES).unlink()
    earlier = RunStore(tmp_path).get(hostile_pair[0].id)
    assert len(particles.sources_of([earlier])[0].particles) == 16
    assert len(particles.sources_of([earlier, hostile_pair[1]])[1].particles) == 16


def test_without_weights_and_images_there_is_a_report_still(hostile_pair, tmp_path, monkeypatch):
    def lost(*_):
        raise particles.UserError("The images are not here; upload them.")

    monkeypatch.setattr(particles, "pixels_of", lost)
    settings, sheets = parts_of(report_html(hostile_pair))
    assert sheets == [] and settings["drawings"] is None


def test_the_first_sentence_says_the_result_the_best_first(hostile_pair):
    predictions = {run.id: run.predictions() for run in hostile_pair}
    shares = [0.419, 0.9996]
    runs = [
        replace(run, status=run.status.model_copy(update={"validation": run.status.validation | {"accuracy": share}}))
        for run, share in zip(hostile_pair, shares, strict=True)
    ]
    words = particles.result_sentence(runs, predictions)
    assert words == "The ss-rVAE is right for >99.9 % of 16 validation images, the ss-VAE for 42 % (44 labels)."
    split = runs[1].config.split.model_copy(update={"labelled_ratio": 0.5})
    fewer = replace(runs[1], config=runs[1].config.model_copy(update={"split": split}))
    words = particles.result_sentence([runs[1], fewer], {run.id: predictions[runs[1].id] for run in (runs[1], fewer)})
    assert "The ss-rVAE (44 labels) is right for" in words and "the ss-rVAE (50 % labelled) for" in words
    unknown = {
        run.id: replace(p, labels=np.full(len(p), -1)) for run, p in zip(runs, predictions.values(), strict=True)
    }
    assert "none of which has a label" in particles.result_sentence(runs, unknown)


def test_the_most_frequent_mistakes_are_shown_with_their_pictures_and_counts():
    sources, pixels = invented(200)
    p = sources[0].predictions
    shown = particles.mistakes("ours <b>", p, NAMES, as_pictures(sources, pixels).seen)
    assert "<b>" not in shown and shown.count("<img") == min(particles.CELLS, shown.count("<figcaption"))
    first = re.search(r"(\d+) of class (\w+) taken for (\w+)", shown)
    true, predicted = NAMES.index(first[2]), NAMES.index(first[3])
    cell = (p.labels == true) & (p.predicted == predicted)
    assert int(first[1]) == cell.sum()
    assert all(int(n) <= cell.sum() for n in re.findall(r"(\d+) of class", shown))
    right = replace(p, labels=p.predicted)
    assert particles.mistakes("ours", right, NAMES, as_pictures(sources, pixels).seen) == ""
    assert particles.mistakes("ours", p, NAMES, None) == ""


@pytest.mark.parametrize("fitted", [True, False])
def test_methods_on_the_same_labels_stand_beside_the_runs(fitted, hostile_pair, monkeypatch):
    class Tree:
        id, rival, accuracy, fit_seconds = "0" * 12, "decision-tree", 0.99, 2.0

    monkeypatch.setattr(
        particles, "find_rival", lambda config, name, store: Tree if fitted and "tree" in name else None
    )
    table = particles.methods(hostile_pair)
    assert (
        ("Decision tree" in table and table.index("Decision tree") < table.index("ss-VAE")) if fitted else table == ""
    )


def test_the_angles_of_each_particle_are_in_the_file_where_they_are_small_enough():
    sources, pixels = invented(40)
    posterior = np.random.default_rng(0).dirichlet(np.ones(180), 40)
    pictures = replace(as_pictures(sources, pixels), drawn=[lambda ids: (pixels[: len(ids)], posterior[: len(ids)])])
    settings, _ = parts_of(explorer(sources, NAMES, pictures, name="a", budget=10**6))
    (one,) = settings["drawings"]
    kept = np.frombuffer(b64decode(one["posteriors"]), np.uint8).reshape(40, ANGLES)
    assert (kept.max(axis=1) == 255).all()
    assert (np.abs(kept.argmax(axis=1) * 180 / ANGLES - posterior.argmax(axis=1)) < 180 / ANGLES).all()
    settings, _ = parts_of(explorer(sources, NAMES, pictures, name="a", budget=45_000))
    assert settings["drawings"] is None or settings["drawings"][0]["posteriors"] is None
    flat = as_bytes(np.full((1, 12), 1 / 12))
    assert flat.shape == (1, ANGLES) and (flat == 255).all() and not as_bytes(np.zeros((1, 72))).any()
