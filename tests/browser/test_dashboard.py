"""The dashboard in a real browser: what only a mouse can do, and what only an address can."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from ssrvae_core.runs.comparison import find_rival
from tests.browser.shared import (
    PATIENCE,
    RIVAL,
    assert_no_sideways_scrolling,
    until_idle,
    until_still,
)
from tests.ui.conftest import tiny_config

pytestmark = pytest.mark.slow


def _drawn_area(page, chart):
    """Bounding box of the axes of a chart on the page, counted from 0, once it stands still."""
    area = page.locator(".js-plotly-plot").nth(chart).locator(".nsewdrag").first
    expect(area).to_be_attached(timeout=PATIENCE)
    until_idle(page)
    area.evaluate("area => area.scrollIntoView({block: 'center'})")  # not below the page's header
    until_still(page)
    return area.bounding_box()


def test_a_permalink_is_the_first_thing_a_fresh_server_is_asked_for(open_page, store):
    run = next(run for run in store.runs() if run.config.model.name == "ss-rvae")
    page = open_page(f"confusion?left={run.id}&right=none&cells=shares&true=2&predicted=any")
    expect(page.get_by_role("link", name="Overview")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("8 selected")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("Share of the true class")).to_have_count(0)
    assert f"left={run.id}" in page.url and "cells=shares" in page.url and "true=2" in page.url


def test_panels_fit_on_a_phone_and_a_chart_is_as_large_after_the_full_screen_as_before_it(open_page):
    page = open_page("confusion", width=390)
    panels = [_drawn_area(page, chart) for chart in (0, 1)]
    boxes = [page.locator(".js-plotly-plot").nth(chart).bounding_box() for chart in (0, 1)]
    assert all(box["width"] > 150 for box in panels), "a panel is too narrow on a phone"
    assert boxes[1]["y"] >= boxes[0]["y"] + boxes[0]["height"], "the panels are not one under the other on a phone"
    assert_no_sideways_scrolling(page)

    page.set_viewport_size({"width": 1280, "height": 900})
    expect(page.get_by_test_id("stSidebar")).to_have_attribute("data-collapsed", "false", timeout=PATIENCE)
    area = _drawn_area(page, 0)
    page.locator(".js-plotly-plot").first.hover()
    page.get_by_role("button", name="Fullscreen").first.click()
    page.wait_for_function("document.querySelector('.js-plotly-plot')._fullLayout.width > 1000")
    page.keyboard.press("Escape")
    page.wait_for_function("document.querySelector('.js-plotly-plot')._fullLayout.width < 600")
    after = _drawn_area(page, 0)
    assert (after["width"], after["height"]) == pytest.approx((area["width"], area["height"]), abs=1)


def test_latents_that_share_a_legend_have_their_own_in_the_full_screen(open_page):
    page = open_page("compare", width=1280)
    chart = page.locator(".js-plotly-plot").last
    chart.scroll_into_view_if_needed()
    expect(chart.locator(".legend2")).to_be_hidden(timeout=PATIENCE)
    expect(page.locator(".js-plotly-plot .legend").first).to_be_visible()  # of the trainings, which have no other
    chart.hover()
    chart.get_by_role("button", name="Fullscreen").click()
    expect(page.locator(".js-plotly-plot .legend2:visible")).to_have_count(1, timeout=PATIENCE)


@pytest.mark.parametrize(("export", "within"), [("Explorer as HTML", None), ("Comparison as HTML", "Export")])
def test_maps_of_compared_runs_are_saved_as_an_explorer(export, within, open_page, browser, store, tmp_path):
    runs = store.runs()
    page = open_page(f"compare?runs={','.join(run.id for run in runs)}")
    until_idle(page)
    if within:
        page.get_by_role("button", name=within).first.click()
    with page.expect_download() as download:
        page.get_by_role("button", name=export).click()
    out = tmp_path / "saved.html"
    download.value.save_as(out)
    saved = browser.new_page(viewport={"width": 1280, "height": 900})
    errors = []
    saved.on("pageerror", lambda error: errors.append(str(error)))
    saved.goto(out.as_uri())
    expect(saved.locator("[data-explorer-map]")).to_have_count(len(runs), timeout=PATIENCE)
    expect(saved.locator("[data-sample]").first).to_be_visible(timeout=PATIENCE)
    for title in ("ss-VAE", "ss-rVAE"):
        expect(saved.locator("figure.holder > figcaption", has_text=title).first).to_be_visible(timeout=PATIENCE)
    assert not errors
    saved.close()


def _click_cell(page, chart, true, predicted, images, inside=0.5):
    """Click a cell of a chart's matrix once its hover says how many images are in it; until then the page may move."""
    hover = page.locator(".hoverlayer").nth(chart)
    deadline = time.monotonic() + PATIENCE / 1000
    while f"{images} images" not in hover.inner_html():
        assert time.monotonic() < deadline, hover.inner_html()
        box = _drawn_area(page, chart)
        x, y = box["x"] + (predicted + inside) * box["width"] / 4, box["y"] + (true + inside) * box["height"] / 4
        page.mouse.move(x - 3, y - 3)
        page.mouse.move(x, y, steps=10)
        page.wait_for_timeout(300)
    page.mouse.down()
    page.mouse.up()


def _largest_cell(confusion):
    """Row, column and count of the cell with the most images."""
    cells = [(row, column, n) for row, counts in enumerate(confusion) for column, n in enumerate(counts)]
    return max(cells, key=lambda cell: cell[2])


def _assert_cell_is_shown(page, method, cell):
    true, predicted, images = cell
    expect(page.get_by_text(f"{images} selected", exact=True)).to_be_visible(timeout=PATIENCE)
    page.wait_for_url(re.compile(f"of={method}"), timeout=PATIENCE)
    assert f"true={true}" in page.url and f"predicted={predicted}" in page.url, "the address names another cell"


def test_a_clicked_cell_of_a_model_and_of_a_rival_shows_its_images(open_page, store):
    runs = {run.config.model.name: run for run in store.runs()}
    page = open_page(f"confusion?left={runs['ss-vae'].id}&right={runs['ss-rvae'].id}")
    until_idle(page)  # the page is whole, nothing moves
    until_still(page)
    cell = _largest_cell(runs["ss-rvae"].status.validation["confusion"])
    # Near the corner of the cell: all of it can be clicked, not only the number.
    _click_cell(page, 1, *cell, inside=0.2)
    _assert_cell_is_shown(page, "right", cell)

    until_idle(page)
    cell = _largest_cell(find_rival(tiny_config("ss-vae"), RIVAL, store).validation["confusion"])
    _click_cell(page, 2, *cell)
    _assert_cell_is_shown(page, RIVAL, cell)
    expect(page.locator(".cell-images img").first).to_be_in_viewport(timeout=PATIENCE)
    page.get_by_text("What the models say of each").click()
    expect(page.locator(".gallery figcaption").first).to_contain_text("Decision tree: ", timeout=PATIENCE)


def test_the_overview_needs_no_sideways_scrolling_on_a_phone(open_page):
    assert_no_sideways_scrolling(open_page("", width=390))
