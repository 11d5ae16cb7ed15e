"""What axe finds on every page in both themes, and what can be done without a mouse."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.shared import PATIENCE, ROOT, until_idle, until_still

pytestmark = pytest.mark.slow

PAGES = re.findall(r'st\.Page\("pages/(\w+)\.py"', (ROOT / "app.py").read_text())
IN_THE_NAVIGATION = '[data-testid="stSidebarNavItems"]'
STREAMLITS_OWN = {
    "list": (IN_THE_NAVIGATION, "Streamlit groups the pages of its navigation by a div inside of the list."),
    "listitem": (IN_THE_NAVIGATION, "The same div stands between these items and their list."),
}
"""Rules that Streamlit itself breaks: where, which is the only place they are let pass, and why."""


STOPS = 30
MARKED = """() => {
    let one = document.activeElement;
    while (one.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
    if (one === document.body) return "";
    const around = [];
    for (let at = one; at && around.length < 4; at = at.parentElement) around.push(at);
    const looks = () => around.map((element) => {
        const { outlineStyle, outlineWidth, outlineColor, boxShadow, borderColor } = getComputedStyle(element);
        const outline = outlineStyle === "none" ? "" : outlineStyle + outlineWidth + outlineColor;
        return [outline, boxShadow, borderColor].join();
    });
    const focused = looks();
    one.blur();
    const same = looks().every((look, at) => look === focused[at]);
    one.focus({ focusVisible: true, preventScroll: true });
    return same ? one.outerHTML.slice(0, 160) : "";
}"""


def unmarked(page):
    """What looks the same with the keyboard on it as without, of the next stops of the tabulator."""
    found = []
    for _ in range(STOPS):
        page.keyboard.press("Tab")
        found.append(page.evaluate(MARKED))
    return [what for what in found if what]


def settle(page):
    """Wait until the script has run, every chart is drawn and nothing is loading."""
    until_idle(page)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=PATIENCE)
    expect(page.locator(".stPlotlyChart:not(:has(.main-svg))")).to_have_count(0, timeout=PATIENCE)
    expect(page.locator(".film:not([data-shown])")).to_have_count(0, timeout=PATIENCE)
    until_still(page)  # a chart grows into its place


def severe(page):
    """Serious and critical violations on a page, but for Streamlit's own, one line each."""
    found = []
    for violation in Axe().run(page).response["violations"]:
        rule = violation["id"]
        for node in violation["nodes"]:
            place, _ = STREAMLITS_OWN.get(rule, ("", ""))
            target = node["target"][0]
            inside = (
                place
                and isinstance(target, str)
                and page.locator(target).first.evaluate("(element, place) => element.closest(place) !== null", place)
            )
            if violation["impact"] in ("serious", "critical") and not inside:
                found.append(f"{rule}: {node['html'][:160]}")
    return found


def opened(open_page, path):
    page = open_page(path)
    settle(page)
    return page


def severe_in_both_themes(page):
    settle(page)  # what had the keyboard a moment ago fades
    found = severe(page)
    page.emulate_media(color_scheme="dark")
    expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", "dark", timeout=PATIENCE)
    settle(page)
    return found + [f"dark: {line}" for line in severe(page)]


def test_the_pages_are_those_of_the_dashboard():
    assert {"overview", "latent_space", "learn"} <= set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious_every_chart_and_image_says_what_it_shows_and_the_focus_is_marked(name, open_page):
    page = opened(open_page, "" if name == "overview" else name)
    assert page.locator(".stPlotlyChart:not([aria-label])").count() == 0, "a chart does not say what it shows"
    assert page.locator("img:not([alt])").count() == 0, "an image does not say what it shows"
    assert not unmarked(page), "the keyboard cannot be seen there"
    assert not severe_in_both_themes(page)
    assert not unmarked(page), "the keyboard cannot be seen there on a dark page"


def test_the_presentation_is_entered_left_and_kept_by_keyboard_and_nothing_in_it_is_serious_to_axe(open_page):
    page = opened(open_page, "learn")
    size = "getComputedStyle(document.documentElement).fontSize"
    before = float(page.evaluate(size).removesuffix("px"))
    page.get_by_role("switch", name="Presentation").focus()
    page.keyboard.press("Space")
    leave = page.get_by_role("button", name="Leave the presentation")
    expect(leave).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_test_id("stSidebar")).to_be_hidden(timeout=PATIENCE)
    page.wait_for_url(re.compile("present=1"), timeout=PATIENCE)
    assert float(page.evaluate(size).removesuffix("px")) == pytest.approx(1.4 * before)

    page.get_by_test_id("stTopNavSection").first.press("Enter")
    page.get_by_role("menuitem", name="Confusion").press("Enter")
    expect(page.locator("h1")).to_have_text("Confusion", timeout=PATIENCE)
    page.wait_for_url(re.compile("confusion.*present=1"), timeout=PATIENCE)

    again = opened(open_page, page.url.split("/", 3)[3] + "&true=0")
    expect(again.locator(".cell-images img").first).to_be_visible(timeout=PATIENCE)
    again.get_by_text("What the models say of each").click()
    expect(again.locator(".gallery figure").first).to_be_visible(timeout=PATIENCE)
    assert not severe_in_both_themes(again), "in the gallery or in a presentation"
    again.get_by_role("button", name="Leave the presentation").press("Enter")
    expect(again.get_by_test_id("stSidebar")).to_be_visible(timeout=PATIENCE)
    expect(again.get_by_role("button", name="Leave the presentation")).to_have_count(0, timeout=PATIENCE)
    assert "present" not in again.url
