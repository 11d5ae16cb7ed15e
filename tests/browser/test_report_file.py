"""A report opened by a double click, in a real browser."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from ssrvae_core.reports.explorer.page import explorer, whole
from ssrvae_core.reports.report import write_report
from tests.browser.shared import PATIENCE
from tests.browser.test_explorer import LEFT, lasso, selected, shown_ids
from tests.data import make_golden_store as golden
from tests.explorer_page import NAMES, as_pictures, invented

pytestmark = pytest.mark.slow

AT_THE_FIRST = "() => document.querySelector('.slider-container .slider-label').textContent.endsWith('1')"
LATENTS = "film => film.data.filter(t => t.type === 'scattergl').map(t => JSON.stringify(t.x))"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report on an ss-VAE and an ss-rVAE."""
    folder = tmp_path_factory.mktemp("report")
    store = golden.unpack(folder / "runs", golden.long_configs())
    runs = [store.get(config.run_id) for config in golden.long_configs()]
    write_report(runs, folder / "report.html")
    return folder / "report.html"


@pytest.fixture
def page(browser, report):
    """The report from the disk; afterwards, nothing else was fetched and no error was logged."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE)
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(report.as_uri())
    yield page
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [report.as_uri()]
    assert not errors
    page.close()


def scroll_to_the_film(page):
    film = page.locator(".plot", has=page.locator(".slider-container"))
    heading = page.get_by_role("heading", name="Training", exact=True)
    heading.scroll_into_view_if_needed()
    film.first.scroll_into_view_if_needed()
    return film.first


def to_the_first_epoch(page, film):
    film.locator(".slider-rail-touch-rect").click(position={"x": 3, "y": 5})
    page.wait_for_function(AT_THE_FIRST)


def test_the_slider_shows_another_epoch_and_a_dark_page_has_all_drawn_again_at_the_same_epoch(page):
    chart = page.locator(".chart .xtitle").first
    chart.wait_for()
    light_chart = chart.evaluate("node => getComputedStyle(node).fill")
    film = scroll_to_the_film(page)
    film.locator(".slider-container").wait_for()
    before = film.evaluate(LATENTS)
    assert film.locator(".slider-label").first.text_content().endswith("3"), "the film does not begin at its last epoch"
    to_the_first_epoch(page, film)
    latents = film.evaluate(LATENTS)
    assert latents != before, "the slider does not change what is shown"

    light = film.locator(".xtitle").first.evaluate("node => getComputedStyle(node).fill")
    page.emulate_media(color_scheme="dark")  # every chart is drawn again
    chart_fill = "getComputedStyle(document.querySelector('.chart .xtitle')).fill"
    page.wait_for_function(f"light => {chart_fill} !== light", arg=light_chart)
    fill = "getComputedStyle(document.querySelector('.plot:has(.slider-container) .xtitle')).fill"
    page.wait_for_function(f"light => {fill} !== light", arg=light)
    page.wait_for_function(AT_THE_FIRST)
    assert film.evaluate(LATENTS) == latents, "another epoch is shown after drawing again"


def test_a_lasso_in_the_file_shows_pictures_in_both_maps_mistakes_stand_below_and_the_address_keeps_it(page, browser):
    page.wait_for_function("document.querySelectorAll('[data-explorer-map] .gl-container .painted').length === 4")
    assert re.match(
        r"The ss-r?VAE is right for \d+ % of 32 validation images", page.locator("main p").first.inner_text()
    )
    page.locator("[data-explorer-map]").first.scroll_into_view_if_needed()
    lasso(page, LEFT)
    n = selected(page)
    assert 0 < n < 32 and 0 < len(shown_ids(page)) <= n
    assert page.locator(".pictures .tile.waiting").count() == 0
    page.locator(".pictures [data-sample]").first.click()
    card = page.locator(".card")
    expect(card.locator("figcaption", has_text="Difference")).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("button", name="Selected particles as CSV").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == 1 + 2 * n
    expect(page.locator(".mistakes img").first).to_be_attached()
    page.wait_for_url(re.compile("#.*select="))

    other = browser.new_page(viewport={"width": 1280, "height": 900})
    other.goto(page.url)
    expect(other.locator("[data-selected]")).to_have_text(str(n))
    expect(other.locator(".card")).to_contain_text(card.locator("header b").inner_text())
    other.close()


def test_filters_in_the_file_hide_points_and_pictures_alike(page):
    page.wait_for_function("document.querySelectorAll('[data-explorer-map] .gl-container .painted').length === 4")
    page.locator("[data-explorer-map]").first.scroll_into_view_if_needed()
    whole = shown_ids(page)
    total = int(re.search(r"of (\d+) selected", page.locator(".counter").inner_text())[1])
    assert len(whole) > 8
    entry = page.locator(".legend .entry", has_text="hearts")
    hearts = int(entry.locator("small").inner_text())
    entry.click()
    expect(page.locator(".counter")).to_have_text(f"0 of {total - hearts} selected")
    expect(page.locator(".told")).to_have_text(f"{total - hearts} in sight")
    everywhere = ((0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99))
    lasso(page, everywhere)
    assert "hearts" in entry.inner_text() and shown_ids(page) < whole
    labels = page.locator(".pictures [data-sample]").evaluate_all("all => all.map(one => one.ariaLabel)")
    assert labels and not any("truly hearts" in label for label in labels)
    entry.click()
    page.get_by_role("button", name="Clear the selection").click()
    (first, *_) = sorted(whole)
    page.get_by_label("Search by id").fill(str(first))
    expect(page.locator(".counter")).to_have_text("0 of 1 selected")
    assert shown_ids(page) == {first}
    page.get_by_label("Search by id").fill("")
    expect(page.locator(".counter")).to_have_text(f"0 of {total} selected")


def test_the_charts_are_drawn_and_fit_on_a_phone_and_on_paper(page):
    page.locator(".chart .main-svg").first.wait_for()
    assert all(config.run_id in page.title() for config in golden.long_configs())

    page.set_viewport_size({"width": 390, "height": 800})
    width = page.evaluate("() => document.documentElement.scrollWidth")
    assert width == 390, "the report scrolls sideways on a phone"
    lines = "all => all.map((one) => one.getClientRects().length)"
    torn = [n for n in page.locator("main p .one, main figcaption .one").evaluate_all(lines) if n > 1]
    assert not torn, "a line ends between a number and its percent sign"
    assert page.locator("main p .one").count() > 0
    page.locator(".kept summary").click()
    menu = page.locator(".kept .menu").bounding_box()
    assert menu["x"] >= 0 and menu["x"] + menu["width"] <= 390, "an open menu is cut on a phone"
    page.locator(".kept summary").click()
    page.set_viewport_size({"width": 1280, "height": 900})

    page.set_viewport_size({"width": 700, "height": 990})  # A4 between its margins
    page.emulate_media(media="print")
    widths = page.locator("table").evaluate_all("tables => tables.map((table) => table.getBoundingClientRect().right)")
    assert widths and max(widths) <= 700, "a table is cut on paper"
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 1280, "height": 900})

    charts = page.locator(".chart").count()
    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    drawn = "() => [...document.querySelectorAll('.chart')].filter(c => c.querySelector('.main-svg')).length"
    assert page.evaluate(drawn) == charts, "a chart is missing on paper"
    assert page.locator("canvas").count() == 0, "a chart on paper is made of pixels"


SPREADS = """papers => papers.map((paper) => {
    const points = [...paper.querySelectorAll('.point')].map((one) => one.getBoundingClientRect());
    const area = paper.querySelector('.gridlayer').getBoundingClientRect();
    const over = (side) => Math.max(...points.map((one) => one[side])) - Math.min(...points.map((one) => one[side]));
    return Math.max(over('left') / area.width, over('top') / area.height); })"""


def test_a_report_that_was_not_scrolled_prints_its_charts_and_maps_as_wide_as_the_paper_and_comes_back(page, tmp_path):
    page.wait_for_function("document.querySelectorAll('[data-explorer-map] .gl-container .painted').length === 4")
    page.evaluate("""() => addEventListener('beforeprint', () => {
        const charts = [...document.querySelectorAll('.chart, .paper')];
        window.blank = charts.filter((one) => !one.querySelector('.xtitle')).length; })""")
    for _ in range(2):  # what one print leaves behind is not in the way of the next
        page.pdf(path=tmp_path / "report.pdf", format="A4")
        assert page.evaluate("window.blank") == 0, "a chart is still empty when it is printed"
    painted = "document.querySelectorAll('[data-explorer-map] .gl-container .painted').length === 4"
    page.wait_for_function(painted)

    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 700, "height": 990})
    papers = page.locator(".paper")
    assert papers.count() == 2 and min(papers.evaluate_all(SPREADS)) > 0.5, "the points of a map are a clump on paper"
    rights = page.locator(".main-svg").evaluate_all("all => all.map((one) => one.getBoundingClientRect().right)")
    assert max(rights) <= 701, "a chart is cut on paper"
    page.emulate_media(media="screen")
    page.evaluate("() => dispatchEvent(new Event('afterprint'))")
    page.wait_for_function(painted)
    assert papers.count() == 0


def test_of_three_runs_a_reader_chooses_two_and_keeps_what_is_selected(browser, tmp_path):
    sources, pixels = invented(120, models=3)
    sources = [replace(source, title=f"model {number}") for number, source in enumerate(sources)]
    out = tmp_path / "three.html"
    posterior = np.full((120, 72), 1 / 72)
    drawn = [lambda ids: (pixels[: len(ids)], posterior[: len(ids)])] * 3
    pictures = replace(as_pictures(sources, pixels), drawn=drawn)
    out.write_text(whole(explorer(sources, NAMES, pictures, name="a", budget=10**6), "Three", "Three runs."), "utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(out.as_uri())
    maps = page.locator("[data-explorer-map]")
    expect(maps).to_have_count(2)
    page.wait_for_function("document.querySelectorAll('[data-explorer-map] .gl-container .painted').length === 4")
    lasso(page, LEFT, chart=0)
    n = selected(page)
    assert 0 < n < 120
    page.get_by_label("Right map").select_option("2")
    expect(page.locator("figure.holder > figcaption").last).to_contain_text("model 2", timeout=PATIENCE)
    assert selected(page) == n and len(shown_ids(page)) > 0
    page.get_by_label("Right map").select_option("0")  # the left one's: they change places
    captions = page.locator("figure.holder > figcaption")
    expect(captions.first).to_contain_text("model 2", timeout=PATIENCE)
    expect(captions.last).to_contain_text("model 0")
    page.wait_for_function("new URLSearchParams(location.hash.slice(1)).get('runs') === '3.1'")
    page.locator(".pictures [data-sample]").first.click()
    page.locator(".card .circle .posterior").wait_for()
    page.reload()
    expect(captions.first).to_contain_text("model 2", timeout=PATIENCE)
    assert selected(page) == n and not errors
    page.close()
