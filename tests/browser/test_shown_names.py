"""Names of strangers in a browser: shown letter by letter, and never a link, a picture or a command."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.shared import PATIENCE
from tests.ui import hostile

PAGES = ["", "latent_space", "confusion", "supervised_ratio", "training_film", "compare", "data", "train", "learn"]
NAMED = {"confusion", "data", "learn", "compare", "latent_space"}
"""Pages that show the name of a class as text, not only in a list or a drawing."""
# Two buttons have the icon of their own that a name asks for.
MADE = """() => [
  ...document.querySelectorAll('img[src="x"], [onerror], a[href^="javascript"], a[href*="evil"], a[href$=":9/"]'),
  ...[...document.querySelectorAll('strong, b, em, del, code, h1, h2, h3, .katex, [data-testid="stIconMaterial"]')]
    .filter((e) => /^(bold|gone|code|head|x2|x\\^2|delete)$/.test(e.textContent.trim()))
    .filter((e) => !e.closest('.st-key-data-delete, .st-key-overview-delete')),
].map((e) => e.outerHTML.slice(0, 200))"""
SHOWN = ("[x](javascript:alert(1))", "<img src=x onerror=alert(1)>", "$x^2$", ":red[hot]", "%{q} {{}}")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    made, _ = hostile.make_store(tmp_path_factory.mktemp("names") / "store")
    return made


@pytest.mark.parametrize("path", PAGES)
def test_names_are_text_and_nothing_else(path, open_page, store):
    upload = next(iter(store.root.glob("uploads/*.npz"))).name[:12]
    runs = ",".join(run.id for run in store.runs())
    page = open_page(path + {"data": f"?data={upload}", "train": f"?data={upload}&job={runs}"}.get(path, ""))
    page.on("dialog", lambda dialog: pytest.fail(f"A name opened a dialog: {dialog.message}"))
    expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    if path in NAMED:
        for part in SHOWN:
            expect(page.get_by_text(part).first).to_be_attached(timeout=PATIENCE)
    assert page.evaluate(MADE) == []
