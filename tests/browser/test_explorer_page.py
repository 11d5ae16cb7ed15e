"""The explorer on the Latent space page: its data from the server, its answers, its address and its exports."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from ssrvae_core.data import read_images
from ssrvae_core.runs.everything import write_particles
from tests.browser.shared import PATIENCE, assert_no_sideways_scrolling, pictures_drawn, until_stored
from tests.browser.test_explorer import LEFT, RIGHT, lasso, selected, shown_ids

pytestmark = pytest.mark.slow

IDS = "document.querySelector('.explorer-place').mounted.view.ids"
PARTICLES = re.compile(r":\d+/media/\w+\.(bin|webp)")
"""Files with which the explorer begins."""
ALL = 80
"""Images of each run: 16 labelled, 32 unlabelled and 32 for validation."""


@pytest.fixture(scope="module")
def store(store):
    for run in store.runs():
        write_particles(run, device="cpu")
    return store


@pytest.fixture
def page(open_page):
    page = open_page("latent_space")
    drawn(page)
    return page


def drawn(page):
    """Wait until both maps, with their axes, and the pictures are there."""
    expect(page.locator("[data-explorer-map] .gl-container .painted")).to_have_count(4)
    pictures_drawn(page)


def test_lassoed_particles_of_all_parts_are_shown_and_downloaded_with_what_is_known_of_them(page, tmp_path):
    expect(page.locator(".counter")).to_have_text(f"0 of {ALL} selected")
    lasso(page, LEFT, chart=1)
    n = selected(page)
    assert 0 < n < ALL and shown_ids(page)
    expect(page.get_by_text(f"{n} selected of {ALL}", exact=True)).to_be_visible(timeout=PATIENCE)
    with page.expect_download() as download:
        page.get_by_role("button", name="Selection as CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))
    assert len(rows) == 2 * n, "a row per particle and model"
    assert shown_ids(page) <= {int(row["id"]) for row in rows}
    assert {row["part"] for row in rows} <= {"labelled", "unlabelled", "validation"} and "p_hearts" in rows[0]
    with page.expect_download() as download:
        page.get_by_role("button", name="Selection as npz").click()
    download.value.save_as(tmp_path / "selection.npz")
    assert set(read_images(tmp_path / "selection.npz").ids) == {int(row["id"]) for row in rows}


def test_a_particle_is_drawn_by_its_models_and_the_address_restores_it_with_the_selection(page, open_page, store):
    page.get_by_label("Colour by").select_option("confidence")
    lasso(page, LEFT, chart=0)
    ids = page.evaluate(IDS)
    page.locator(".pictures [data-sample]").nth(1).click()
    card = page.locator(".card")
    expect(card.locator("figcaption", has_text="Drawing")).to_have_count(2, timeout=PATIENCE)
    expect(card.locator("img")).to_have_count(4, timeout=PATIENCE)
    expect(card.locator(".posterior")).to_have_count(1, timeout=PATIENCE)
    for name in ("colour=confidence", "select=", "sample="):
        page.wait_for_url(re.compile(name), timeout=PATIENCE)

    other = open_page(page.url.split("/", 3)[3])
    drawn(other)
    assert other.evaluate(IDS) == ids and selected(other) == selected(page)
    expect(other.locator(".card")).to_contain_text(card.locator("header b").inner_text())
    expect(other.get_by_label("Colour by")).to_have_value("confidence")
    other.close()


def test_the_particles_and_their_pictures_are_fetched_once_whatever_is_chosen_afterwards(open_page, context):
    asked = []
    context.on("request", lambda request: asked.append(request.url))
    page = open_page("latent_space")
    drawn(page)
    media = PARTICLES.findall("\n".join(asked))
    assert sorted(media) == ["bin", "webp"], "a table of the particles and one sheet of their pictures"
    for corners in (LEFT, RIGHT):
        lasso(page, corners, chart=1)
        n = selected(page)
        expect(page.get_by_text(f"{n} selected of {ALL}", exact=True)).to_be_visible()  # the server has answered
    page.get_by_label("Colour by").select_option("confidence")
    page.locator(".pictures [data-sample]").first.click()
    expect(page.locator(".card figcaption", has_text="Drawing")).to_have_count(2)
    assert PARTICLES.findall("\n".join(asked)) == media


def test_the_explorer_is_saved_as_a_page_of_its_own_that_opens_from_the_disk(page, browser, tmp_path):
    with page.expect_download() as download:
        page.get_by_role("button", name="Explorer as HTML").click()
    assert download.value.suggested_filename.endswith(".html")
    download.value.save_as(tmp_path / "saved.html")
    saved = browser.new_page(viewport={"width": 1280, "height": 900})
    saved.set_default_timeout(PATIENCE)
    asked, errors = [], []
    saved.on("request", lambda request: asked.append(request.url))
    saved.on("pageerror", lambda error: errors.append(str(error)))
    saved.goto((tmp_path / "saved.html").as_uri())
    expect(saved.locator("[data-explorer-map] .painted")).to_have_count(4)
    expect(saved.locator(".pictures .tile.waiting")).to_have_count(0)
    expect(saved.locator(".counter")).to_have_text(f"0 of {ALL} selected")
    lasso(saved, LEFT, chart=1)
    assert 0 < selected(saved) < ALL and shown_ids(saved)
    saved.locator(".pictures [data-sample]").first.click()
    expect(saved.locator(".card figcaption", has_text="Drawing")).to_have_count(2)
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [saved.url.split("#")[0]]
    assert not errors
    saved.close()


def test_a_selection_kept_under_a_name_is_there_for_the_next_visitor_and_stays_with_other_runs(page, open_page, store):
    lasso(page, LEFT, chart=1)
    n = selected(page)
    page.get_by_text("Selections").click()
    page.get_by_label("Name of the selection").fill("odd ones")
    page.get_by_label("Name of the selection").press("Enter")
    kept = store.root / "explorer"
    expect(page.locator(".kept .use", has_text="odd ones")).to_contain_text(str(n), timeout=PATIENCE)
    until_stored(page, lambda: any("odd ones" in file.read_text("utf-8") for file in kept.glob("*.jsonl")))
    other = open_page("latent_space?right=none")
    expect(other.locator("[data-explorer-map] .painted")).to_have_count(2, timeout=PATIENCE)
    other.get_by_text("Selections").click()
    other.locator(".kept .use", has_text="odd ones").click()
    assert selected(other) == n
    assert [path.suffix for path in kept.iterdir()] == [".jsonl"]
    other.close()


def test_the_page_fits_on_a_phone(open_page):
    page = open_page("latent_space", width=390)
    drawn(page)
    assert_no_sideways_scrolling(page)
    tops = [page.locator(place).first.bounding_box()["y"] for place in (".bar", "[data-explorer-map]", ".pictures")]
    assert tops == sorted(tops)


def test_maps_and_pictures_fill_the_window_whatever_comes_and_goes_above(page):
    place = page.locator(".explorer-place")
    free = "() => Math.abs(document.querySelector('.explorer-place').getBoundingClientRect().bottom - innerHeight) < 12"
    page.wait_for_function(free)
    high = place.bounding_box()["height"]
    page.evaluate(
        """() => {
            const above = document.createElement("div");
            above.id = "above";
            above.style.height = "120px";
            document.querySelector("h1").before(above);
        }"""
    )
    page.wait_for_function(free)
    assert place.bounding_box()["height"] < high - 100
    page.evaluate("document.getElementById('above').remove()")
    page.wait_for_function(free)
    assert place.bounding_box()["height"] == pytest.approx(high, abs=1)


def test_in_a_presentation_its_type_grows_and_all_of_it_is_on_one_screen(open_page):
    sizes = """() => ['.explorer button', '.holder figcaption', '.explorer .caption', '.explorer .xtick text'].map(
        (one) => document.querySelector(one) && parseFloat(getComputedStyle(document.querySelector(one)).fontSize))"""
    page = open_page("latent_space")
    drawn(page)
    expect(page.locator(".explorer .xtick text").first).to_be_visible()  # Plotly draws axes after the points
    usual = page.evaluate(sizes)
    page.get_by_text("Presentation", exact=True).click()  # of a page that is there: what it drew is drawn again
    page.set_viewport_size({"width": 1280, "height": 720})
    grown = "([sizes, usual]) => eval(sizes)().every((size, i) => Math.abs(size / usual[i] - 1.4) < 0.05)"
    page.wait_for_function(grown, arg=[sizes, usual])
    on_screen = """() => ['.explorer .bar', '[data-explorer-map]', '.explorer .pictures'].every((one) => {
        const { top, bottom } = document.querySelector(one)?.getBoundingClientRect() ?? {};
        return top >= 0 && bottom <= innerHeight && bottom - top > 20;
    })"""
    page.wait_for_function(on_screen)
    room = """() => {
        const { pitch } = document.querySelector('.explorer-place').mounted.view.grid;
        return pitch - document.querySelector('.pictures [data-sample]').getBoundingClientRect().height;
    }"""
    assert page.evaluate(room) > 0, "captions lie over the pictures below"


def test_two_maps_stand_beside_each_other_the_pictures_at_their_right_and_the_bar_above(page):
    boxes = [page.locator(".explorer .holder").nth(at).bounding_box() for at in range(2)]
    pictures = page.locator(".explorer .side").bounding_box()
    bar = page.locator(".explorer .bar").bounding_box()
    assert page.viewport_size["width"] == 1280
    assert [box["y"] for box in boxes] == [pictures["y"]] * 2
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    assert boxes[1]["x"] + boxes[1]["width"] <= pictures["x"]
    assert bar["y"] + bar["height"] <= pictures["y"] and pictures["y"] + pictures["height"] <= 900
    assert bar["x"] <= boxes[0]["x"] and bar["x"] + bar["width"] >= pictures["x"] + pictures["width"]
