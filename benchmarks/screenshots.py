"""Take the pictures of every page, light and dark, for ``docs/screenshots`` and the README.

Usage: ``python benchmarks/screenshots.py --store DIR [--out docs/screenshots] [--pages latent_space confusion]``

The store is what ``make demo`` leaves; the pages are those of ``app.py``.
"""

from __future__ import annotations

import argparse
import io
import re
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect
from serving import PATIENCE, ROOT, chromium, serve

SIZE = {"width": 1280, "height": 900}
TALLEST = 2000
PRESENTED = "latent_space"
COLOURS = 256


def pages() -> list[str]:
    """Names of the pages the dashboard has."""
    return re.findall(r'st\.Page\("pages/(\w+)\.py"', (ROOT / "app.py").read_text())


def settle(page: Page) -> None:
    """Wait until everything on a page is drawn."""
    patience = 1000 * PATIENCE
    expect(page.locator("h1").first).to_be_visible(timeout=patience)
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(timeout=patience)
    expect(
        page.locator('[data-testid="stSkeleton"], .stPlotlyChart:not(:has(.main-svg)), .film.loading')
    ).to_have_count(0, timeout=patience)
    page.wait_for_timeout(2000)  # fonts, tables and WebGL have no end to wait for


def take(page: Page, file: Path) -> None:
    """Save what a page shows, all of it up to a height, as a small PNG."""
    content = page.get_by_test_id("stMainBlockContainer").evaluate("element => element.scrollHeight")
    page.set_viewport_size({"width": SIZE["width"], "height": min(max(content, SIZE["height"]), TALLEST)})
    page.wait_for_timeout(1500)
    save(page.screenshot(), file)


def save(png: bytes, file: Path) -> None:
    """Write a picture with a palette, which takes a third of the space."""
    Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"{file} {file.stat().st_size // 1024} KB", flush=True)


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/screenshots")
    parser.add_argument("--pages", nargs="+", choices=pages(), default=pages())
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with serve(arguments.store, mode="editor") as server, chromium() as browser:
        for theme in ("light", "dark"):
            context = browser.new_context(viewport=SIZE, color_scheme=theme)
            for name in arguments.pages:
                page = context.new_page()
                page.goto(f"{server.address}/{'' if name == 'overview' else name}")
                settle(page)
                take(page, arguments.out / f"{name.replace('_', '-')}-{theme}.png")
                page.close()
            context.close()
            if PRESENTED in arguments.pages:
                context = browser.new_context(viewport={"width": 1920, "height": 1080}, color_scheme=theme)
                page = context.new_page()
                page.goto(f"{server.address}/{PRESENTED}?present=1")
                settle(page)
                save(page.screenshot(), arguments.out / f"presentation-{theme}.png")
                context.close()


if __name__ == "__main__":
    main()
