"""A report opened by a double click, in a real browser."""

from __future__ import annotations

import pytest

from ssrvae_core.reports.report import write_report
from tests.browser.shared import PATIENCE
from tests.data import make_golden_store as golden

pytestmark = pytest.mark.slow

SHOWN = "() => document.querySelectorAll('.chart .main-svg').length"
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


def test_the_report_opens_from_the_disk_and_draws_its_charts(page):
    page.locator(".chart .main-svg").first.wait_for()
    assert page.title() == "Report"


def test_moving_the_slider_shows_another_epoch(page):
    film = scroll_to_the_film(page)
    film.locator(".slider-container").wait_for()
    before = film.evaluate(LATENTS)
    label = film.locator(".slider-label").first
    assert label.text_content().endswith("3")
    film.locator(".slider-rail-touch-rect").click(position={"x": 3, "y": 5})
    page.wait_for_function("text => text.textContent.endsWith('1')", arg=label.element_handle())
    assert film.evaluate(LATENTS) != before


def test_a_film_that_is_drawn_anew_stays_at_its_epoch(page):
    film = scroll_to_the_film(page)
    film.locator(".slider-container").wait_for()
    film.locator(".slider-rail-touch-rect").click(position={"x": 3, "y": 5})
    first = "() => document.querySelector('.slider-container .slider-label').textContent.endsWith('1')"
    page.wait_for_function(first)
    latents = film.evaluate(LATENTS)
    light = film.locator(".xtitle").first.evaluate("node => getComputedStyle(node).fill")
    page.emulate_media(color_scheme="dark")  # every chart is drawn anew
    fill = "getComputedStyle(document.querySelector('.plot:has(.slider-container) .xtitle')).fill"
    page.wait_for_function(f"light => {fill} !== light", arg=light)
    page.wait_for_function(first)
    assert film.evaluate(LATENTS) == latents


def test_the_charts_follow_a_dark_page(page):
    text = page.locator(".chart .xtitle").first
    text.wait_for()
    light = text.evaluate("node => getComputedStyle(node).fill")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "light => getComputedStyle(document.querySelector('.chart .xtitle')).fill !== light", arg=light
    )


def test_every_chart_is_on_paper(page):
    charts = page.locator(".chart").count()
    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    assert (
        page.evaluate("() => [...document.querySelectorAll('.chart')].filter(c => c.querySelector('.main-svg')).length")
        == charts
    )
    assert page.locator("canvas").count() == 0


def test_a_phone_scrolls_downwards_only(page):
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390
