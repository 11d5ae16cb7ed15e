"""What the browser tests share: a store, a server of the dashboard, and Chromium."""

from __future__ import annotations

import os
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from ssrvae_core.runs import RunStore
from tests.browser.shared import PATIENCE
from tests.data import make_golden_store as golden
from tests.explorer_page import HOST, files, invented, serving_files
from tests.serving import serving

expect.set_options(timeout=PATIENCE)  # of every expectation that names no other

INSTALL = "apt-get install chromium-headless-shell"


@pytest.fixture(scope="session")
def chromium_path():
    """Path of the system's Chromium. Playwright's own download is not used, because it needs the network.

    The headless shell draws the same pages without a window, and takes less of the processor.
    """
    path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if path is None and os.environ.get("CI"):
        pytest.fail(f"Chromium is missing, and on CI the browser tests must run: {INSTALL}.")
    if path is None:
        pytest.skip(f"Chromium is not installed; '{INSTALL}' lets the browser tests run.")
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """An ss-VAE and an ss-rVAE, trained for one epoch on a few tiny cards, and a rival fitted on the same."""
    return golden.unpack(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def store(trained, tmp_path_factory):
    """The store the server looks at; a module may have one of its own."""
    root = tmp_path_factory.mktemp("browser") / "store"
    shutil.copytree(trained.root, root)
    return RunStore(root)


@pytest.fixture(scope="module")
def server(store):
    """Address of a fresh server on a free port."""
    with serving(store.root) as (_, port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def browser(chromium_path):
    with sync_playwright() as playwright:
        # One process draws all tabs of a server, and so keeps the compiled scripts from one test to the next.
        options = ["--no-sandbox", "--disable-gpu", "--process-per-site"]
        browser = playwright.chromium.launch(executable_path=chromium_path, args=options)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def context(browser, server):
    """One visitor of the server, whose browser loads the dashboard's scripts once."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, color_scheme="light", reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE)
    kept = context.new_page()  # while it is open, the process that draws the others stays
    kept.goto(f"{server}/_stcore/health")
    yield context
    context.close()


@pytest.fixture
def open_page(context, server):
    """Open an address of the dashboard in a tab of its own, 1280 pixels wide unless told otherwise."""

    def go(path, width=1280):
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{server}/{path}")
        expect(page.locator("h1")).to_be_visible(timeout=PATIENCE)
        return page

    yield go
    for page in context.pages[1:]:
        page.wait_for_load_state()  # Chromium may never close one that is still loading
        page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        page.close()


@pytest.fixture(scope="module")
def particles():
    """What two models say of 300 invented particles, of which only the second infers angles, and their pictures."""
    return invented(300, models=2)


@pytest.fixture(scope="module")
def explorer_tab(browser, particles):
    """One tab with an explorer of the modules alone, and the errors that are logged in it."""
    page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
    page.set_default_timeout(PATIENCE)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    with serving_files(page, files(*particles)):
        page.goto(f"{HOST}/")
        page.wait_for_function("window.ready")
        yield page, errors
    page.close()


@pytest.fixture
def explorer(explorer_tab):
    """That tab, with the usual choices; afterwards, no error was logged."""
    page, errors = explorer_tab
    page.mouse.move(1, 1)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.evaluate("explorer.set(explorer.usual); explorer.maps.forEach((map) => map.use('lasso'));")
    yield page
    assert not errors
