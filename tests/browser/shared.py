"""What the browser tests agree on."""

import time
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import expect

from tests.data.make_golden_store import RIVAL as RIVAL

ROOT = Path(__file__).parents[2]
PATIENCE = 60_000
"""Milliseconds that anything may take on a busy machine."""

_WATCH = """() => {
    const app = document.querySelector('[data-testid=stApp]');
    window.scriptRuns = 0;
    new MutationObserver(() => { window.scriptRuns += app.dataset.testScriptState === 'notRunning' })
        .observe(app, { attributeFilter: ['data-test-script-state'] });
}"""
_STILL = """(all) => {
    const boxes = [...document.querySelectorAll(all)].map((one) => JSON.stringify(one.getBoundingClientRect()));
    const now = [document.documentElement.outerHTML.length, ...boxes].join();
    window.stillSince = now === window.lastLayout ? window.stillSince : performance.now();
    window.lastLayout = now;
    return performance.now() - window.stillSince > 300;
}"""


@contextmanager
def script_runs(page):
    """Wait until the page's script, which what is done inside starts, has run to its end."""
    page.evaluate(_WATCH)
    yield
    page.wait_for_function("window.scriptRuns > 0", polling=50, timeout=PATIENCE)
    until_idle(page)


def until_idle(page):
    """Wait until the page's script has run to its end."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE)


def until_stored(page, there):
    """Wait until ``there()`` is true: until what was done in the browser has been done in the store.

    A page is idle also before the browser's action has reached the server.
    """
    deadline = time.monotonic() + PATIENCE / 1000
    while not there():
        assert time.monotonic() < deadline, "what was done in the browser is not in the store"
        page.wait_for_timeout(50)


def pictures_drawn(page):
    """Wait until there are pictures, none of them still to come, and the page's script has run to its end."""
    expect(page.locator(".picture[data-sample]").first).to_be_visible()
    expect(page.locator(".tile.waiting")).to_have_count(0)
    until_idle(page)


def until_still(page, elements=".js-plotly-plot, .js-plotly-plot .nsewdrag, .film"):
    """Wait until the page and these elements of it have been the same for a moment."""
    page.evaluate("window.lastLayout = null")
    page.wait_for_function(_STILL, arg=elements, polling=100, timeout=PATIENCE)


def assert_no_sideways_scrolling(page):
    """What the page shows is no wider than the page."""
    main = page.get_by_test_id("stMain")
    assert main.evaluate("element => element.scrollWidth <= element.clientWidth"), "the page scrolls sideways"
