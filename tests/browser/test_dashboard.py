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
from tests.browser.shared import PATIENCE, RIVAL, until_idle, until_still
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


def test_a_lasso_shows_the_images_of_the_points_in_it(open_page):
    page = open_page("latent_space")
    expect(page.get_by_text("0 selected")).to_be_visible(timeout=PATIENCE)
    _lasso(page, 0)
    expect(page.get_by_text("32 selected")).to_be_visible(timeout=PATIENCE)
    figures = page.locator(".gallery").first.locator("figure")
    expect(figures).to_have_count(12, timeout=PATIENCE)  # the second gallery shows neighbours
    expect(figures.first.locator("img")).to_have_count(3)
    expect(page.locator(".gallery figcaption").first).to_contain_text(re.compile(r"ss-rVAE: .*confidence .*\d°"))
    with page.expect_download() as download:
        page.get_by_role("button", name="Selection as CSV").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == 1 + 2 * 32


def test_points_lassoed_in_either_scatter_light_up_in_the_other_until_a_double_click(open_page):
    page = open_page("latent_space")
    expect(page.get_by_text("0 selected")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".js-plotly-plot")).to_have_count(2, timeout=PATIENCE)
    assert _lit(page) == [None, None]

    def both_alike(lit):
        return len(lit) == 2 and lit[0] is not None and lit[0] == lit[1]

    _lasso(page, 0, right=0.5)
    first, _ = _wait_until_lit(page, both_alike)
    assert 0 < len(first) < 32
    expect(page.get_by_text(f"{len(first)} selected", exact=True)).to_be_visible(timeout=PATIENCE)
    _lasso(page, 1, right=0.6)
    second, _ = _wait_until_lit(page, lambda lit: both_alike(lit) and lit[0] != first)
    expect(page.get_by_text(f"{len(second)} selected", exact=True)).to_be_visible(timeout=PATIENCE)
    until_idle(page)
    until_still(page)  # nothing goes on by itself
    assert _lit(page) == [second, second]
    box = _drawn_area(page, 0)
    page.mouse.dblclick(box["x"] + 3, box["y"] + 3)
    _wait_until_lit(page, lambda lit: lit == [None, None])
    expect(page.get_by_text("0 selected", exact=True)).to_be_visible(timeout=PATIENCE)


def test_the_same_lasso_counts_again_after_another_selection(open_page):
    page = open_page("latent_space")
    expect(page.get_by_text("0 selected")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".js-plotly-plot")).to_have_count(2, timeout=PATIENCE)
    _lasso(page, 0, right=0.5)
    first, _ = _wait_until_lit(page, lambda lit: lit[0] is not None and lit[0] == lit[1])
    expect(page.get_by_text(f"{len(first)} selected", exact=True)).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Clear the selection").click()
    expect(page.get_by_text("0 selected", exact=True)).to_be_visible(timeout=PATIENCE)
    _wait_until_lit(page, lambda lit: lit == [None, None])
    until_idle(page)
    _lasso(page, 0, right=0.5)
    expect(page.get_by_text(f"{len(first)} selected", exact=True)).to_be_visible(timeout=PATIENCE)
    assert _wait_until_lit(page, lambda lit: lit[0] is not None)[0] == first


@pytest.mark.parametrize("path", ["latent_space", "confusion"])
def test_a_chart_is_as_large_after_the_full_screen_as_before_it(open_page, path):
    page = open_page(path)
    expect(page.locator(".js-plotly-plot").nth(1)).to_be_visible(timeout=PATIENCE)
    chart = page.locator(".js-plotly-plot").first
    area = _drawn_area(page, 0)
    chart.hover()
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


def test_a_zoom_outlives_another_colour_and_the_whole_plane_is_found_again(open_page):
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
    assert _range(chart) == pytest.approx(zoomed)
    chart.hover()
    chart.locator('[data-title="Reset axes"]').click()
    wider = "([chart, zoomed]) => chart._fullLayout.xaxis.range[1] > zoomed[1]"
    page.wait_for_function(wider, arg=[chart.element_handle(), zoomed], timeout=PATIENCE)
    until_still(page)
    assert _range(chart) == pytest.approx(whole)


def test_a_zoom_outlives_a_selection(open_page):
    page = open_page("latent_space")
    expect(page.get_by_text("0 selected")).to_be_visible(timeout=PATIENCE)
    chart = page.locator(".js-plotly-plot").first
    _drawn_area(page, 0)
    zoomed = _zoom_in(page, chart, _range(chart))
    _lasso(page, 1)
    _wait_until_lit(page, lambda lit: len(lit) == 2 and None not in lit)
    assert _range(chart) == pytest.approx(zoomed)


@pytest.mark.parametrize("colour", ["class", "confidence"])
def test_a_saved_picture_shows_what_is_selected_and_the_page_forgets_it_again(colour, open_page, store):
    ids = store.runs()[0].predictions().ids[:3]
    page = open_page(f"latent_space?colour={colour}")
    field = page.get_by_label("Select by sample id")
    field.fill(", ".join(map(str, ids)))
    field.press("Enter")
    _wait_until_lit(page, lambda lit: lit == [sorted(ids.tolist())] * 2)
    chart = page.locator(".js-plotly-plot").nth(1)
    chart.scroll_into_view_if_needed()
    chart.hover()
    with page.expect_download() as download:
        chart.locator('[data-title^="Download plot"]').click()
    points = re.findall(r'<path class="point[^>]*?opacity: ([\d.]+)', Path(download.value.path()).read_text("utf-8"))
    assert sorted(map(float, points)) == [pytest.approx(0.06)] * 29 + [1.0] * 3
    forgotten = "chart => chart.data.every(trace => !trace.selectedpoints?.length)"
    page.wait_for_function(forgotten, arg=chart.element_handle(), timeout=PATIENCE)
    page.get_by_role("button", name="Clear the selection").click()
    _wait_until_lit(page, lambda lit: lit == [None, None])


def test_samples_are_selected_by_the_keyboard_alone_and_saved_as_images(open_page, store, tmp_path):
    ids = store.runs()[0].predictions().ids[:3]
    page = open_page("latent_space")
    field = page.get_by_label("Select by sample id")
    field.fill(", ".join(map(str, ids)))
    field.press("Enter")
    expect(page.get_by_text("3 selected", exact=True)).to_be_visible(timeout=PATIENCE)
    _wait_until_lit(page, lambda lit: lit == [sorted(ids.tolist())] * 2)
    with page.expect_download() as download:
        page.get_by_role("button", name="Selection as npz").click()
    download.value.save_as(tmp_path / "selection.npz")
    assert sorted(read_images(tmp_path / "selection.npz").ids) == sorted(ids)


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


def test_what_is_chosen_comes_back_from_the_address(open_page):
    page = open_page("latent_space")
    page.get_by_role("combobox", name="Colour by").click()
    page.get_by_role("option", name="Confidence").click()
    page.wait_for_url(re.compile("colour=confidence"), timeout=PATIENCE)
    again = open_page(page.url.split("/", 3)[3])
    expect(again.get_by_text("0 selected")).to_be_visible(timeout=PATIENCE)
    assert "colour=confidence" in again.url
    expect(again.locator(".js-plotly-plot").first).to_contain_text("Confidence", timeout=PATIENCE)


def test_a_clicked_cell_shows_its_images(open_page, store):
    runs = {run.config.model.name: run for run in store.runs()}
    page = open_page(f"confusion?left={runs['ss-vae'].id}&right={runs['ss-rvae'].id}")
    confusion = runs["ss-rvae"].status.validation["confusion"]
    true, predicted, images = max(
        ((row, column, n) for row, counts in enumerate(confusion) for column, n in enumerate(counts)),
        key=lambda cell: cell[2],
    )
    expect(page.locator(".gallery figure")).to_have_count(12, timeout=PATIENCE)  # the page is whole, nothing moves
    # Near the corner of the cell: all of it can be clicked, not only the number.
    _click_cell(page, 1, true, predicted, images, inside=0.2)
    expect(page.get_by_text(f"{images} selected", exact=True)).to_be_visible(timeout=PATIENCE)
    assert "of=right" in page.url and f"true={true}" in page.url and f"predicted={predicted}" in page.url


def test_a_clicked_cell_of_a_rival_shows_its_images(open_page, store):
    result = find_rival(tiny_config("ss-vae"), RIVAL, store)
    confusion = result.validation["confusion"]
    true, predicted, images = max(
        ((row, column, n) for row, counts in enumerate(confusion) for column, n in enumerate(counts)),
        key=lambda cell: cell[2],
    )
    page = open_page("confusion")
    expect(page.locator(".gallery figure")).to_have_count(12, timeout=PATIENCE)
    _click_cell(page, 2, true, predicted, images)
    expect(page.get_by_text(f"{images} selected", exact=True)).to_be_visible(timeout=PATIENCE)
    assert f"of={RIVAL}" in page.url and f"true={true}" in page.url and f"predicted={predicted}" in page.url
    expect(page.locator(".gallery figcaption").first).to_contain_text("Decision tree: ", timeout=PATIENCE)


@pytest.mark.parametrize("path", ["", "latent_space", "confusion"])
def test_a_phone_shows_one_panel_under_the_other_and_needs_no_sideways_scrolling(path, open_page):
    page = open_page(path, width=390)
    if path:
        panels = [_drawn_area(page, chart) for chart in (0, 1)]
        boxes = [page.locator(".js-plotly-plot").nth(chart).bounding_box() for chart in (0, 1)]
        assert all(box["width"] > 150 for box in panels)
        assert boxes[1]["y"] >= boxes[0]["y"] + boxes[0]["height"]
    main = page.get_by_test_id("stMain")
    assert main.evaluate("element => element.scrollWidth <= element.clientWidth")
