"""Particles of one's own, of which a few are labelled: uploaded, trained on, and every one's class taken away."""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import pytest
from playwright.sync_api import expect

from ssrvae_core.runs import RunStore
from tests.browser.shared import PATIENCE
from tests.browser.test_training import LONG, fill

pytestmark = pytest.mark.slow

N, N_LABELLED, SIDE = 504, 40, 12
NAMES = ("bars", "discs")
SMALL = {"Epochs": 1, "Fewest steps": 1}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return RunStore(tmp_path_factory.mktemp("own"))


def particles():
    """Return the images and labels of bars and discs, of which the first forty are labelled."""
    rng = np.random.default_rng(0)
    across, down = np.meshgrid(*[np.linspace(-1, 1, SIDE)] * 2)
    shapes = ((np.abs(across) < 0.25) & (np.abs(down) < 0.8), np.hypot(across, down) < 0.6)
    kinds = np.arange(N) % 2
    images = np.stack([np.rot90(shapes[kind], turns) for kind, turns in zip(kinds, rng.integers(0, 4, N), strict=True)])
    noise = rng.uniform(0, 0.2, images.shape)
    return (0.8 * images + noise).astype(np.float32), np.where(np.arange(N) < N_LABELLED, kinds, -1)


def test_forty_labels_give_the_classes_of_all_504_particles_as_a_table(open_page, store):
    images, labels = particles()
    file = io.BytesIO()
    np.savez(file, images=images, labels=labels, class_names=np.array(NAMES))
    page = open_page("data")
    page.locator("input[type=file]").set_input_files(
        {"name": "mine.npz", "mimeType": "application/octet-stream", "buffer": file.getvalue()}
    )
    expect(page.get_by_text(re.compile("mine.npz .*12 x 12 pixels, 2 classes"))).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Train on this").click()
    expect(page.get_by_role("heading", name="New training")).to_be_visible(timeout=PATIENCE)
    page.get_by_text("All settings").click()
    for label, value in SMALL.items():
        fill(page, label, value)
    page.get_by_role("button", name="Start training").click()

    classes = page.get_by_role("button", name="Classes of all particles")
    expect(classes).to_be_visible(timeout=LONG)
    with page.expect_download() as download:
        classes.click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8"))))
    assert [int(row["id"]) for row in rows] == list(range(N))
    assert {row["class"] for row in rows} <= set(NAMES)
    assert all(abs(sum(float(row[f"p_{name}"]) for name in NAMES) - 1) < 1e-4 for row in rows)
    known = {int(row["id"]): row["label"] for row in rows if row["label"]}
    assert known == {row: NAMES[labels[row]] for row in range(N_LABELLED)}
    assert {row["part"] for row in rows} == {"labelled", "unlabelled", "validation"}
