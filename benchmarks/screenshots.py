"""Photograph every page of the dashboard as a visitor's window shows it, in several sizes, light and dark.

Usage: ``python benchmarks/screenshots.py STORE OUT [--pages overview confusion?normalise=0] [--sizes 1280 1920 390]
[--themes light dark] [--tree DIR] [--whole] [--prefix before-]``

The pages are those of ``app.py``, and a page's address may hold what it is to show. ``--tree`` is another checkout,
whose server is then looked at: pictures of before and after a change come from the same store and the same script. A
picture shows the window; with ``--whole`` it shows all of the page, up to a height. ``docs/screenshots/README.md`` has
the commands of the pictures that are kept.
"""

from __future__ import annotations

import argparse
import io
import re
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize, expect
from serving import PATIENCE, ROOT, chromium, serve

SIZES = {"1280": (1280, 900), "1920": (1920, 1080), "390": (390, 844), "720": (1280, 720)}
"""Windows by their width: a laptop, a desktop or a projector at 1080 lines, a phone, and a projector at 720 lines."""
TALLEST = 5000
QUALITY = 50
STILL_SECONDS = 1.0
"""For how long nothing may have changed before a page counts as drawn."""


def pages(tree: Path) -> list[str]:
    """Return the names of the pages that the dashboard of a checkout has."""
    return re.findall(r'st\.Page\("pages/(\w+)\.py"', (tree / "app.py").read_text("utf-8"))


def wait_until_still(page: Page) -> None:
    """Wait until everything on a page is drawn and the window has looked the same for a moment."""
    patience = 1000 * PATIENCE
    expect(page.locator("h1").first).to_be_visible(timeout=patience)
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(timeout=patience)
    loading = '[data-testid="stSkeleton"], .stPlotlyChart:not(:has(.main-svg)), .film.loading'
    expect(page.locator(loading)).to_have_count(0, timeout=patience)
    deadline = time.monotonic() + PATIENCE
    before, since = page.screenshot(animations="disabled"), time.monotonic()
    while time.monotonic() - since < STILL_SECONDS:
        if time.monotonic() > deadline:  # a page on which something always moves is photographed as it is
            print(f"{page.url} does not come to rest", flush=True)
            return
        page.wait_for_timeout(200)
        now = page.screenshot(animations="disabled")
        if now != before:
            before, since = now, time.monotonic()


def grow(page: Page, size: ViewportSize) -> None:
    """Make the window as high as what the page holds."""
    content = page.get_by_test_id("stMainBlockContainer").evaluate("element => element.scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": min(max(content, size["height"]), TALLEST)})
    wait_until_still(page)


def save(png: bytes, file: Path) -> None:
    """Write a picture as WebP, which takes a tenth of the space."""
    Image.open(io.BytesIO(png)).convert("RGB").save(file, quality=QUALITY, method=6)
    print(f"{file} {file.stat().st_size // 1024} KB", flush=True)


def file_name(address: str, size: str, theme: str) -> str:
    """Return the name of a picture's file, without what the address asks of the page."""
    return f"{address.partition('?')[0].replace('_', '-')}-{size}-{theme}.webp"


def photograph(arguments: argparse.Namespace, addresses: list[str]) -> None:
    """Take all pictures, with one browser and one server."""
    with serve(arguments.store, mode="editor", tree=arguments.tree) as server, chromium() as browser:
        for size in arguments.sizes:
            window: ViewportSize = {"width": SIZES[size][0], "height": SIZES[size][1]}
            for theme in arguments.themes:
                context = browser.new_context(viewport=window, color_scheme=theme, reduced_motion="reduce")
                for address in addresses:
                    page = context.new_page()
                    page.goto(f"{server.address}/{address.removeprefix('overview')}")
                    wait_until_still(page)
                    if arguments.whole:
                        grow(page, window)
                    file = arguments.out / f"{arguments.prefix}{file_name(address, size, theme)}"
                    save(page.screenshot(animations="disabled"), file)
                    page.close()
                context.close()


def main() -> None:
    """Read what is asked for, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pages", nargs="+", help="names of pages, with ?NAME=VALUE for what they are to show")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["1280", "1920", "390"])
    parser.add_argument("--themes", nargs="+", choices=["light", "dark"], default=["light", "dark"])
    parser.add_argument("--tree", type=Path, default=ROOT, help="the checkout whose dashboard is looked at")
    parser.add_argument("--whole", action="store_true", help="the whole page, not the window")
    parser.add_argument("--prefix", default="", help="what the names of the files begin with")
    arguments = parser.parse_args()
    there = pages(arguments.tree)
    addresses = arguments.pages or there
    if unknown := [address for address in addresses if address.partition("?")[0] not in there]:
        parser.error(f"there is no page {', '.join(unknown)}: choose from {', '.join(there)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    photograph(arguments, addresses)


if __name__ == "__main__":
    main()
