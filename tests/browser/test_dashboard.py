"""The dashboard in a real browser: what only a mouse can do, and what only an address can."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from ssrvae_core.data import read_images
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


def _lasso(page, chart, right=0.98):
    """Draw a lasso around all points of a chart, or around those left of a share of its width."""
    box = _drawn_area(page, chart)
    corners = [(0.02, 0.02), (right, 0.02), (right, 0.98), (0.02, 0.98), (0.02, 0.03)]
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=8)
    page.mouse.up()


def _lit(page):
    """Ids of the samples that are painted over each chart, None where all points are alike, else what is wrong."""
    return page.locator(".js-plotly-plot").evaluate_all(
        """charts => charts.map(chart => {
             const marks = chart.querySelector('.marks');
             if (!marks) return null;  // not drawn yet
             const ids = chart.duties.ids(), brush = marks.getContext('2d'), ratio = devicePixelRatio;
             const faded = chart.querySelector('.scatterlayer').style.opacity !== '';
             if (faded !== ids.size > 0) return 'faded without reason, or not';
             const { xaxis, yaxis } = chart._fullLayout;
             const painted = [];
             for (const { customdata, x, y } of chart._fullData) {
               for (let i = 0; i < (customdata?.length ?? 0); i += 1) {
                 if (!ids.has(customdata[i])) continue;
                 painted.push(customdata[i]);
                 const [across, down] = [xaxis.d2p(x[i]), yaxis.d2p(y[i])];
                 if (across < 0 || across > xaxis._length || down < 0 || down > yaxis._length) continue;  // zoomed away
                 const at = [across + xaxis._offset, down + yaxis._offset].map(pixels => Math.round(pixels * ratio));
                 if (brush.getImageData(...at, 1, 1).data[3] !== 255) return `${customdata[i]} is not where it belongs`;
               }
             }
             const left = brush.getImageData(0, 0, marks.width, marks.height).data;
             if (!ids.size && left.some(Boolean)) return 'something is left';
             return ids.size ? painted.sort((a, b) => a - b) : null;
           })"""
    )


def _wait_until_lit(page, condition):
    deadline = time.monotonic() + PATIENCE / 1000
    while not condition(lit := _lit(page)):
        assert time.monotonic() < deadline, lit
        page.wait_for_timeout(100)
    return lit


def test_a_permalink_is_the_first_thing_a_fresh_server_is_asked_for(open_page, store):
    run = next(run for run in store.runs() if run.config.model.name == "ss-rvae")
    page = open_page(f"confusion?left={run.id}&right=none&cells=shares&true=2&predicted=any")
    expect(page.get_by_role("link", name="Overview")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("8 selected")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("Share of the true class")).to_have_count(0)
    assert f"left={run.id}" in page.url and "cells=shares" in page.url and "true=2" in page.url


def _coloured(page):
    """Where the left scatter's container has colour, as it is on the screen."""
    png = page.locator(".st-key-latent-scatter-left").screenshot()
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=int)
    return np.ptp(pixels, axis=2) > 60


def test_a_picture_stands_where_the_points_will_be_until_plotly_is_there(open_page, context):
    held = []
    context.route("**/PlotlyChart*.js", lambda route: held.append(route))
    try:
        page = open_page("latent_space")
        expect(page.locator(".st-key-latent-scatter-right")).to_be_visible(timeout=PATIENCE)
        until_idle(page)
        until_still(page)
        assert page.locator(".js-plotly-plot").count() == 0
        before = _coloured(page)
    finally:
        for route in held:
            route.continue_()
        context.unroute("**/PlotlyChart*.js")
    expect(page.locator(".js-plotly-plot")).to_have_count(2, timeout=PATIENCE)
    _wait_until_lit(page, lambda lit: lit == [None, None])
    page.mouse.move(0, 0)
    until_still(page)
    after = _coloured(page)
    assert before.shape == after.shape and after.sum() > 200
    assert (before & after).sum() > 0.6 * (before | after).sum()  # one pixel to the side it would be less


def _both_alike(lit):
    return len(lit) == 2 and lit[0] is not None and lit[0] == lit[1]


def test_lassoed_points_show_their_images_and_light_up_in_both_scatters_until_a_double_click(open_page):
    page = open_page("latent_space")
    expect(page.get_by_text("0 selected")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".js-plotly-plot")).to_have_count(2, timeout=PATIENCE)
    assert _lit(page) == [None, None], "something is lit before anything is selected"

    _lasso(page, 0)
    expect(page.get_by_text("32 selected")).to_be_visible(timeout=PATIENCE)
    every, _ = _wait_until_lit(page, _both_alike)
    assert len(every) == 32, "a lasso around all points takes all of them"
    _assert_gallery_and_csv_show_every_point(page)

    _lasso(page, 1, right=0.6)
    some, _ = _wait_until_lit(page, lambda lit: _both_alike(lit) and lit[0] != every)
    assert 0 < len(some) < 32, "a lasso around the left of the right scatter takes some of the points"
    expect(page.get_by_text(f"{len(some)} selected", exact=True)).to_be_visible(timeout=PATIENCE)
    until_idle(page)
    until_still(page)  # nothing goes on by itself
    assert _lit(page) == [some, some], "the lit points changed by themselves"

    box = _drawn_area(page, 0)
    page.mouse.dblclick(box["x"] + 3, box["y"] + 3)
    _wait_until_lit(page, lambda lit: lit == [None, None])
    expect(page.get_by_text("0 selected", exact=True)).to_be_visible(timeout=PATIENCE)


def _assert_gallery_and_csv_show_every_point(page):
    figures = page.locator(".gallery").first.locator("figure")
    expect(figures).to_have_count(12, timeout=PATIENCE)  # the second gallery shows neighbours
    expect(figures.first.locator("img")).to_have_count(3)
    expect(page.locator(".gallery figcaption").first).to_contain_text(re.compile(r"ss-rVAE: .*confidence .*\d°"))
    with page.expect_download() as download:
        page.get_by_role("button", name="Selection as CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 1 + 2 * 32, "the table has a line per selected image and run, below its heading"


def test_the_same_lasso_counts_again_after_another_selection(open_page):
    page = open_page("latent_space")
    expect(page.get_by_text("0 selected")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".js-plotly-plot")).to_have_count(2, timeout=PATIENCE)
    _lasso(page, 0, right=0.5)
    first, _ = _wait_until_lit(page, _both_alike)
    assert 0 < len(first) < 32, "a lasso around the left half takes some of the points"
    expect(page.get_by_text(f"{len(first)} selected", exact=True)).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Clear the selection").click()
    expect(page.get_by_text("0 selected", exact=True)).to_be_visible(timeout=PATIENCE)
    _wait_until_lit(page, lambda lit: lit == [None, None])
    until_idle(page)
    _lasso(page, 0, right=0.5)
    expect(page.get_by_text(f"{len(first)} selected", exact=True)).to_be_visible(timeout=PATIENCE)
    assert _wait_until_lit(page, lambda lit: lit[0] is not None)[0] == first


@pytest.mark.parametrize("path", ["latent_space", "confusion"])
def test_panels_fit_on_a_phone_and_a_chart_is_as_large_after_the_full_screen_as_before_it(path, open_page):
    page = open_page(path, width=390)
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


def _range(chart):
    return chart.evaluate("chart => [...chart._fullLayout.xaxis.range]")


def _zoom_in(page, chart, whole):
    """Zoom by the chart's button, and return the range it then shows."""
    chart.hover()
    chart.locator('[data-title="Zoom in"]').click()
    inside = """([chart, whole]) => {
        const [low, high] = chart._fullLayout.xaxis.range;
        return low > whole[0] && high < whole[1];
    }"""
    page.wait_for_function(inside, arg=[chart.element_handle(), whole], timeout=PATIENCE)
    until_still(page)
    return _range(chart)


def test_a_zoom_outlives_another_colour_and_a_selection_and_the_colour_comes_back_from_the_address(open_page):
    page = open_page("latent_space")
    expect(page.get_by_text("0 selected")).to_be_visible(timeout=PATIENCE)
    chart = page.locator(".js-plotly-plot").first
    _drawn_area(page, 0)
    whole = _range(chart)
    zoomed = _zoom_in(page, chart, whole)

    page.get_by_role("combobox", name="Colour by").click()
    page.get_by_role("option", name="Confidence").click()
    expect(chart).to_contain_text("Confidence", timeout=PATIENCE)
    until_idle(page)
    until_still(page)
    assert _range(chart) == pytest.approx(zoomed), "another colour moved what is zoomed into"

    page.wait_for_url(re.compile("colour=confidence"), timeout=PATIENCE)
    _assert_confidence_comes_back(open_page, page.url.split("/", 3)[3])

    _lasso(page, 1)
    _wait_until_lit(page, lambda lit: len(lit) == 2 and None not in lit)
    assert _range(chart) == pytest.approx(zoomed), "a selection moved what is zoomed into"

    chart.hover()
    chart.locator('[data-title="Reset axes"]').click()
    wider = "([chart, zoomed]) => chart._fullLayout.xaxis.range[1] > zoomed[1]"
    page.wait_for_function(wider, arg=[chart.element_handle(), zoomed], timeout=PATIENCE)
    until_still(page)
    assert _range(chart) == pytest.approx(whole), "the whole plane is not found again"


def _assert_confidence_comes_back(open_page, address):
    page = open_page(address)
    expect(page.get_by_text("0 selected")).to_be_visible(timeout=PATIENCE)
    assert "colour=confidence" in page.url
    expect(page.locator(".js-plotly-plot").first).to_contain_text("Confidence", timeout=PATIENCE)
    page.close()


@pytest.mark.parametrize("colour", ["class", "confidence"])
def test_samples_selected_by_keyboard_are_saved_as_images_and_in_a_picture(colour, open_page, store, tmp_path):
    ids = store.runs()[0].predictions().ids[:3]
    page = open_page(f"latent_space?colour={colour}")
    field = page.get_by_label("Select by sample id")
    field.fill(", ".join(map(str, ids)))
    field.press("Enter")
    expect(page.get_by_text("3 selected", exact=True)).to_be_visible(timeout=PATIENCE)
    _wait_until_lit(page, lambda lit: lit == [sorted(ids.tolist())] * 2)
    if colour == "class":  # the images have no colour
        with page.expect_download() as download:
            page.get_by_role("button", name="Selection as npz").click()
        download.value.save_as(tmp_path / "selection.npz")
        assert sorted(read_images(tmp_path / "selection.npz").ids) == sorted(ids), "other images were saved"

    chart = page.locator(".js-plotly-plot").nth(1)
    chart.scroll_into_view_if_needed()
    chart.hover()
    with page.expect_download() as download:
        chart.locator('[data-title^="Download plot"]').click()
    points = re.findall(r'<path class="point[^>]*?opacity: ([\d.]+)', Path(download.value.path()).read_text("utf-8"))
    shown = sorted(map(float, points))
    assert shown == [pytest.approx(0.06)] * 29 + [1.0] * 3, "the picture does not show what is selected"
    forgotten = "chart => chart.data.every(trace => !trace.selectedpoints?.length)"
    page.wait_for_function(forgotten, arg=chart.element_handle(), timeout=PATIENCE)
    page.get_by_role("button", name="Clear the selection").click()
    _wait_until_lit(page, lambda lit: lit == [None, None])


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
