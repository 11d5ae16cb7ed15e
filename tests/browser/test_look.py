"""The look of every page, in a real browser: room for what is shown, and a keyboard that gets past it."""

from __future__ import annotations

import base64

import pytest
from playwright.sync_api import expect

from tests.browser.shared import PATIENCE, ROOT, assert_no_sideways_scrolling, until_idle, until_still

pytestmark = pytest.mark.slow

HEADER = 72
"""Pixels from the top of the window within which a title ends."""
FOCUSED = (
    "document.activeElement.closest('.modebar') ? 'tool' : document.activeElement.closest('h1, h2, h3') ? 'link' : ''"
)
LUMINANCE = """(element) => getComputedStyle(element).fill.match(/\\d+/g).slice(0, 3)
    .reduce((sum, part, i) => sum + [0.2126, 0.7152, 0.0722][i] * part / 255, 0)"""


@pytest.fixture
def compare(open_page):
    """The page with most charts, all of them drawn; a server's very first visitor may find the list of pages wider."""
    open_page("")
    page = open_page("compare")
    until_idle(page)
    expect(page.locator(".stPlotlyChart:not(:has(.main-svg))")).to_have_count(0, timeout=PATIENCE)
    until_still(page)
    return page


def test_a_page_begins_at_the_top_of_the_window_and_takes_its_width(compare):
    title = compare.locator("h1").bounding_box()
    main = compare.get_by_test_id("stMain").bounding_box()
    assert title["y"] + title["height"] <= HEADER
    assert title["x"] - main["x"] <= 48 and main["width"] >= 1040
    compare.set_viewport_size({"width": 390, "height": 844})
    until_still(compare)
    button = compare.get_by_test_id("stExpandSidebarButton").bounding_box()
    assert compare.locator("h1").bounding_box()["y"] >= button["y"] + button["height"]
    assert_no_sideways_scrolling(compare)


def test_a_chart_is_one_stop_for_the_keyboard_and_a_heading_none(compare):
    charts = compare.locator(".stPlotlyChart").count()
    stops = []
    for _ in range(120):
        compare.keyboard.press("Tab")
        stops.append(compare.evaluate(FOCUSED))
        if stops.count("tool") > charts:
            break
        if compare.evaluate("document.activeElement === document.body"):
            break
    assert 0 < stops.count("tool") <= charts and "link" not in stops


def test_arrow_keys_lead_from_tool_to_tool_which_are_then_in_sight(compare):
    bar = compare.locator(".modebar").first
    tools = bar.locator(".modebar-btn")
    tools.first.focus()
    compare.keyboard.press("ArrowRight")
    expect(tools.nth(1)).to_be_focused()
    expect(bar).to_have_css("opacity", "1")
    compare.keyboard.press("ArrowLeft")
    compare.keyboard.press("ArrowLeft")
    expect(tools.last).to_be_focused()
    compare.keyboard.press("Tab")
    assert bar.evaluate("bar => !bar.contains(document.activeElement)")
    tools.first.focus()  # the others are places to stop at again, for the mouse and for arrow keys
    compare.keyboard.press("ArrowRight")
    expect(tools.nth(1)).to_be_focused()


def test_the_tool_in_use_is_seen_on_a_dark_page(compare):
    compare.emulate_media(color_scheme="dark")
    expect(compare.get_by_test_id("stApp")).to_have_css("color-scheme", "dark", timeout=PATIENCE)
    active = compare.locator(".modebar-btn.active .icon path").first
    assert active.evaluate(LUMINANCE) > 0.7
    assert compare.locator(".xtick text").first.evaluate(LUMINANCE) > 0.7


def test_the_numbers_of_a_matrix_are_as_dark_as_the_other_text(compare):
    numbers = compare.locator(".textpoint text")
    expect(numbers.first).to_be_visible(timeout=PATIENCE)
    assert numbers.first.evaluate(LUMINANCE) < 0.1
    assert numbers.first.evaluate("number => Number(getComputedStyle(number).opacity)") == 1


def test_charts_are_higher_in_a_wide_window(open_page):
    def height(width):
        page = open_page("compare", width=width)
        until_idle(page)
        expect(page.locator(".stPlotlyChart:not(:has(.main-svg))")).to_have_count(0, timeout=PATIENCE)
        until_still(page)
        return page.locator(".js-plotly-plot").first.bounding_box()["height"]

    narrow = height(1280)
    assert height(1920) > 1.3 * narrow
    assert height(1280) == narrow  # of a window of its own


def test_a_wide_window_shows_the_choices_that_the_page_is_made_of(open_page):
    page = open_page("data", width=1920)
    until_idle(page)
    until_still(page)
    expect(page.get_by_text("cards-teaching: ")).to_be_visible(timeout=PATIENCE)
    assert "cards-teaching" in page.get_by_test_id("stSelectbox").first.inner_html()
    labels = page.get_by_role("spinbutton", name="Labels per class")
    expect(labels).to_have_value("40")


def test_the_width_of_a_window_is_told_only_when_the_page_stands(browser):
    script = base64.b64encode((ROOT / "ui/look.js").read_bytes()).decode()
    page = browser.new_page(viewport={"width": 1920, "height": 1080})
    page.set_content('<div id="app" data-test-script-state="running"><p data-testid="stSkeleton"></p></div>')
    page.evaluate(
        """async (script) => {
            const look = await import(`data:text/javascript;base64,${script}`);
            window.told = [];
            const setStateValue = (...all) => window.told.push(all);
            look.default({ data: { from: 1700, wide: false }, parentElement: {}, setStateValue });
        }""",
        script,
    )
    assert page.evaluate("window.told") == []  # the values that a run has set are shown first
    page.evaluate("document.getElementById('app').setAttribute('data-test-script-state', 'notRunning')")
    assert (
        page.evaluate("new Promise((done) => setTimeout(() => done(window.told)))") == []
    )  # a widget is still to come
    page.evaluate("document.querySelector('[data-testid=stSkeleton]').remove()")
    page.wait_for_function("window.told.length === 1 && window.told[0][1] === true", polling=50)
    page.close()


def test_on_a_phone_the_list_of_pages_goes_once_one_is_chosen_and_closed_it_is_no_stop_for_the_keyboard(open_page):
    page = open_page("compare", width=390)
    until_idle(page)
    stops = []
    for _ in range(10):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("Boolean(document.activeElement.closest('[data-testid=stSidebar]'))"))
    assert not any(stops)
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name="Train", exact=True).click()
    expect(page.get_by_role("heading", name="Train", exact=True)).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_test_id("stSidebarNav")).to_be_hidden(timeout=PATIENCE)
    mark = page.get_by_role("button", name="Help for Seed")
    mark.scroll_into_view_if_needed()
    reach = """(mark) => { const {left, top} = mark.getBoundingClientRect();
        return mark.contains(document.elementFromPoint(left - 5, top + 8)); }"""
    assert mark.evaluate(reach), "a finger need not hit the 16 pixels of a question mark"
