"""Measure the dashboard as its visitors feel it, in Chromium and under load.

Usage: ``python benchmarks/dashboard.py --store DIR [--repeats 20] [--visitors 30] [--seconds 180] [--idle 50]``

The store should hold an ss-VAE and an ss-rVAE at several labelled ratios, such as ``make demo`` leaves them. The
browser measures the first useful paint, beside that of a bare page with two scatters, a page change, the way from a
lasso to its gallery, and the films. Then visitors without a browser click through the pages at once; what they meet
and how the server's memory goes is told.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from common import machine, report
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from serving import PATIENCE, ROOT, Server, chromium, serve
from visitors import Visitor

from ssrvae_core.runs import RunStore

PATIENCE_MS = 1000 * PATIENCE
FILM_MS = 20_000
"""A film may take until its models have drawn their manifolds."""
TARGETS_MS = {
    "first paint, cold": 2500,
    "first paint, warm": 1500,
    "page change": 800,
    "lasso to gallery": 500,
    "film step": 60,
}
PAGES = {
    "overview": "Overview",
    "latent_space": "Latent space",
    "confusion": "Confusion",
    "data": "Data",
    "learn": "Learn",
}
FILMS = ("supervised_ratio", "training_film")
SIZE = {"width": 1280, "height": 900}
SETTLE_SECONDS = 20

UNDRAWN = '[data-testid="stSkeleton"], .stPlotlyChart:not(:has(.main-svg))'
NOTHING_SELECTED = re.compile("^0 selected")

# A film says which of its frames is drawn.
STEP = """(film, index) => new Promise(done => {
    const slider = film.querySelector('input');
    const began = performance.now();
    const drawn = () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - began), 0));
    const watch = new MutationObserver(() => { watch.disconnect(); drawn(); });
    watch.observe(film, {attributes: true, attributeFilter: ['data-shown']});
    slider.value = index;
    slider.dispatchEvent(new Event('input'));
})"""
PLAY = """async film => {
    const [slider, button] = [film.querySelector('input'), film.querySelector('.play')];
    const times = [];
    const watch = new MutationObserver(() => times.push(performance.now()));
    watch.observe(film, {attributes: true, attributeFilter: ['data-shown']});
    slider.value = 0;
    slider.dispatchEvent(new Event('input'));
    await new Promise(done => setTimeout(done, 1000));
    times.length = 0;
    button.click();
    do await new Promise(done => setTimeout(done, 200)); while (button.textContent !== 'Play');
    watch.disconnect();
    return 1000 * (times.length - 1) / (times.at(-1) - times[0]);
}"""


def tell(what: str, seconds: Sequence[float], **more: Any) -> None:
    """Print median and worst of some times beside what they should be."""
    ms = 1000 * np.asarray(seconds)
    report(
        what=what,
        median_ms=round(float(np.median(ms)), 1),
        worst_ms=round(float(ms.max()), 1),
        n=len(ms),
        target_ms=TARGETS_MS.get(what.split(":")[0]),
        **more,
    )


# In the browser.


def timed(act: Callable[[], object]) -> float:
    """Seconds an action takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def drawn(page: Page, charts: int = 2) -> None:
    """Wait until charts are there to look at."""
    expect(page.locator(".js-plotly-plot .main-svg:first-child")).not_to_have_count(0, timeout=PATIENCE_MS)
    page.locator(".js-plotly-plot").nth(charts - 1).wait_for(timeout=PATIENCE_MS)


def whole(page: Page) -> None:
    """Wait until a page has all it shows; its heading comes first, as before that the script may not have begun."""
    page.locator("h1").first.wait_for(timeout=PATIENCE_MS)
    finished = page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')
    finished.wait_for(timeout=PATIENCE_MS)
    expect(page.locator(UNDRAWN)).to_have_count(0, timeout=PATIENCE_MS)


def first_paint(browser: Browser, address: str, page: str = "latent_space") -> float:
    """Seconds from asking for a page to its two scatters, in a browser that has nothing of it yet."""
    context = browser.new_context(viewport=SIZE)
    tab = context.new_page()

    def act() -> None:
        tab.goto(f"{address}/{page}", wait_until="commit")
        drawn(tab)

    seconds = timed(act)
    context.close()
    return seconds


def page_changes(page: Page, repeats: int) -> None:
    """Go round the pages by the links of the sidebar."""
    times: dict[str, list[float]] = {}
    headings: list[float] = []
    order = cycle(PAGES.items())
    for _ in range(repeats + len(PAGES)):  # the first round fills the caches
        name, title = next(order)

        began = time.perf_counter()
        page.get_by_test_id("stSidebarNav").get_by_role("link", name=title, exact=True).click()
        expect(page.locator("h1")).to_have_text(title, timeout=PATIENCE_MS)
        headings.append(time.perf_counter() - began)
        whole(page)
        times.setdefault(name, []).append(time.perf_counter() - began)
    tell("page heading", headings[len(PAGES) :])
    warm = [seconds for of_page in times.values() for seconds in of_page[1:]]
    tell(
        "page change", warm, by_page={name: round(1000 * float(np.median(t[1:]))) for name, t in times.items() if t[1:]}
    )


def lassos(page: Page, address: str, repeats: int) -> None:
    """Draw lassos of several sizes, and wait for the images."""
    times = []
    for index in range(repeats + 1):
        page.goto(f"{address}/latent_space")  # anew, with nothing selected
        drawn(page)
        whole(page)
        nothing = page.get_by_text(NOTHING_SELECTED)
        nothing.wait_for(timeout=PATIENCE_MS)
        galleries = page.locator(".gallery").count()  # that of the nearest neighbours
        area = page.locator(".js-plotly-plot").first.locator(".nsewdrag").first
        area.scroll_into_view_if_needed()
        box = area.bounding_box()
        if box is None:
            raise SystemExit("the scatter has no area to draw a lasso in")
        edge = 0.02 + 0.2 * (index % 3) / 3
        corners = [(edge, edge), (1 - edge, edge), (1 - edge, 1 - edge), (edge, 1 - edge), (edge, edge + 0.01)]
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=4)

        began = time.perf_counter()
        page.mouse.up()
        nothing.wait_for(state="detached", timeout=PATIENCE_MS)
        expect(page.locator(".gallery")).to_have_count(galleries + 1, timeout=PATIENCE_MS)
        times.append(time.perf_counter() - began)
    tell("lasso to gallery", times[1:])


def films(page: Page, address: str, repeats: int) -> None:
    """Pull the sliders of the films, and let them play."""
    for name in FILMS:
        if not (ROOT / "pages" / f"{name}.py").exists():
            continue
        page.goto(f"{address}/{name}")
        whole(page)
        film = page.locator(".film[data-shown]")
        try:
            film.wait_for(timeout=FILM_MS)
        except PlaywrightTimeout:
            report(what=f"film step: {name}", skipped="this store has no film to show there")
            continue
        page.wait_for_timeout(2000)
        steps = 1 + int(film.locator("input").get_attribute("max") or 0)
        if steps < 2:
            report(what=f"film step: {name}", skipped="this store's film has one frame")
            continue
        at, seconds = int(film.locator("input").input_value()), []
        for index in range(repeats + 3):  # to the next frame, the one after it, and so on
            at = (at + 1 + index % (steps - 1)) % steps
            seconds.append(film.evaluate(STEP, at) / 1000)
        tell(f"film step: {name}", seconds[3:], frames=steps)
        report(what=f"play: {name}", frames_per_second=round(film.evaluate(PLAY), 2), target=10)


# Under load.


def memory(server: Server) -> float:
    """Resident megabytes of the server and its children."""
    process = psutil.Process(server.pid)
    return round(sum(p.memory_info().rss for p in [process, *process.children(recursive=True)]) / 2**20, 1)


async def click_through(visitor: Visitor, until: float) -> None:
    """Wander through the pages until the time is over; what goes wrong ends the visit and is told."""
    pages = [name for name in (*PAGES, *FILMS) if (ROOT / "pages" / f"{name}.py").exists() and name != "overview"]
    try:
        async with visitor:
            while time.monotonic() < until:
                await asyncio.sleep(visitor.pause())
                await asyncio.wait_for(visitor.wander(["", *pages]), PATIENCE)
    except (OSError, TimeoutError) as error:
        visitor.errors.append(f"the visit ended: {type(error).__name__} {error}")


async def load(server: Server, run_ids: list[str], visitors: int, seconds: float) -> None:
    """Let many click at once, each at a run of its own, and watch the server's memory."""
    before = memory(server)
    everyone = [Visitor(server.address, run_ids[i % len(run_ids)], i) for i in range(visitors)]
    series: list[float] = []

    async def watch() -> None:
        while True:
            await asyncio.sleep(max(seconds / 12, 1))
            series.append(memory(server))

    watching = asyncio.create_task(watch())
    until = time.monotonic() + seconds
    await asyncio.gather(*(click_through(visitor, until) for visitor in everyone))
    watching.cancel()
    await asyncio.sleep(SETTLE_SECONDS)
    errors = [error for visitor in everyone for error in visitor.errors]
    report(what="load", visitors=visitors, seconds=seconds, errors=len(errors), first_errors=errors[:5])
    for kind, name in (("page", "load: page change"), ("slider", "load: slider step")):
        times = [t for visitor in everyone for t in visitor.times.get(kind, [])]
        if times:
            tell(name, times, p95_ms=round(1000 * float(np.percentile(times, 95)), 1))
    report(what="load: memory", before_mb=before, during_mb=series, after_mb=memory(server))


async def idle(server: Server, run_ids: list[str], viewers: int) -> None:
    """Let many look and do nothing."""
    everyone = [Visitor(server.address, run_ids[i % len(run_ids)], i) for i in range(viewers)]
    for visitor in everyone:
        await visitor.__aenter__()
    await asyncio.sleep(SETTLE_SECONDS)
    errors = sum(len(visitor.errors) for visitor in everyone)
    report(what="idle viewers", viewers=viewers, memory_mb=memory(server), target_mb=2048, errors=errors)
    for visitor in everyone:
        await visitor.__aexit__(None, None, None)


def main() -> None:
    """Print a line a measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=20, help="of each measurement in the browser; 0 leaves it out")
    parser.add_argument("--cold", type=int, default=3, help="fresh servers for the cold first paint")
    parser.add_argument("--visitors", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=180, help="of clicking; 0 leaves it out")
    parser.add_argument("--idle", type=int, default=50, help="viewers that only look; 0 leaves it out")
    arguments = parser.parse_args()
    run_ids = [run.id for run in RunStore(arguments.store).runs() if run.status.state == "finished"]
    if not run_ids:
        raise SystemExit(f"{arguments.store} has no finished run to look at; train some with 'make demo'.")
    report(benchmark="dashboard", machine=machine(), runs=len(run_ids))
    if arguments.repeats:
        with chromium() as browser:
            cold = []
            for _ in range(arguments.cold):
                with serve(arguments.store) as server:
                    cold.append(first_paint(browser, server.address))
            if cold:
                tell("first paint, cold", cold)
            with serve(arguments.store, app="benchmarks/bare_app.py") as server:
                bare = [first_paint(browser, server.address, page="") for _ in range(arguments.repeats + 1)]
                tell("bare page: first paint, warm", bare[1:])
            with serve(arguments.store) as server:
                warm = [first_paint(browser, server.address) for _ in range(arguments.repeats + 1)]
                tell("first paint, warm", warm[1:])
                page = browser.new_context(viewport=SIZE).new_page()
                page.goto(server.address)
                whole(page)
                page_changes(page, arguments.repeats)
                lassos(page, server.address, arguments.repeats)
                films(page, server.address, arguments.repeats)
    if arguments.seconds:
        with serve(arguments.store) as server:
            asyncio.run(load(server, run_ids, arguments.visitors, arguments.seconds))
    if arguments.idle:
        with serve(arguments.store) as server:
            asyncio.run(idle(server, run_ids, arguments.idle))


if __name__ == "__main__":
    main()
