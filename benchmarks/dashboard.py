"""Measure the dashboard as its visitors feel it, in Chromium and under load.

Usage: ``python benchmarks/dashboard.py --store DIR [--repeats 20] [--visitors 30] [--seconds 180] [--idle 50]``

The store should hold an ss-VAE and an ss-rVAE at several labelled ratios, such as ``make demo`` leaves them. The
browser measures the first useful paint, beside that of a bare page with two scatters, an answer of such a page, a page
change, the way from a lasso to its pictures, and the films. Then visitors without a browser click through the pages at
once; what they meet and how the server's memory goes is told.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from common import machine, report
from playwright.sync_api import BrowserContext, Page, ViewportSize
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from serving import PATIENCE, ROOT, Server, chromium, serve, visitor
from visitors import Visitor

from ssrvae_core.runs import RunStore

PATIENCE_MS = 1000 * PATIENCE
FILM_MS = 20_000
"""A film may take until its models have drawn their manifolds."""
TARGETS_MS = {
    "first paint, cold": 2500,
    "first paint, warm": 1500,
    "page change": 800,
    "lasso to pictures": 100,
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
MANY_FRAMES = 20
SIZE: ViewportSize = {"width": 1280, "height": 900}
SETTLE_SECONDS = 20

EXPLORER = "[data-explorer-map]:last-of-type .painted"
LANDING = {
    "overview": "table[aria-label='Runs of the store']",
    "latent_space": EXPLORER,
}
"""Where a visit may begin, and what a visitor came for there: runs, or maps with their pictures."""
CHART = ".js-plotly-plot .main-svg"

# Milliseconds from the next event of a kind until a condition holds and what it asks for is painted.
UNTIL = """([event, condition]) => {
    const holds = new Function('return ' + condition);
    window.timed = new Promise(done => addEventListener(event, () => {
        const began = performance.now();
        const painted = () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - began), 0));
        const look = () => holds() ? painted() : setTimeout(look, 5);
        look();
    }, {capture: true, once: true}));
}"""
WHOLE = """document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState === 'notRunning'
    && !document.querySelector('[data-testid="stSkeleton"], .stPlotlyChart:not(:has(.main-svg))')"""
# When all maps of the explorer are painted and no picture in view waits for its sheet.
PICTURED = """async () => {
    const frame = () => new Promise(requestAnimationFrame);
    const maps = () => [...document.querySelectorAll('[data-explorer-map]')];
    do await frame(); while (!maps().length || maps().some(map => !map.querySelector('.painted')));
    while (!document.querySelector('[data-sample]') || document.querySelector('.pictures .waiting')) await frame();
    await frame();
    await new Promise(done => setTimeout(done, 0));
}"""
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


def drawn(page: Page, what: str = CHART) -> None:
    """Wait until what a visitor came for is there to look at: in both of two charts."""
    if what == EXPLORER:
        page.evaluate(PICTURED)
        return
    page.locator(what).first.wait_for(timeout=PATIENCE_MS)
    if what == CHART:
        page.locator(".js-plotly-plot").nth(1).locator(".main-svg").first.wait_for(timeout=PATIENCE_MS)


def whole(page: Page) -> None:
    """Wait until a page has all it shows; its heading comes first, as before that the script may not have begun."""
    page.locator("h1").first.wait_for(timeout=PATIENCE_MS)
    page.wait_for_function(WHOLE, timeout=PATIENCE_MS)


def until(page: Page, event: str, condition: str, act: Callable[[], object]) -> float:
    """Seconds from the event that an action makes until a condition holds in the page and is painted."""
    page.evaluate(UNTIL, [event, condition])
    act()
    return float(page.evaluate("window.timed")) / 1000


def first_paint(context: BrowserContext, address: str, page: str, what: str) -> float:
    """Seconds from asking for a page, in a tab of its own, until it shows what a visitor came for."""
    tab = context.new_page()
    began = time.perf_counter()
    tab.goto(f"{address}/{page}", wait_until="commit")
    drawn(tab, what)
    seconds = time.perf_counter() - began
    tab.close()
    return seconds


def first_paints(store: Path, repeats: int, cold: int) -> None:
    """Come to each page for the first time, and again; and to a bare page with two scatters, for comparison."""
    visits = [(None, page, what, page) for page, what in LANDING.items()]
    visits += [
        ("benchmarks/bare_app.py", "", CHART, "bare page"),
        ("benchmarks/bare_text.py", "", '[data-testid="stText"]', "a line of text"),
    ]
    for app, page, what, name in visits:
        times = []
        for _ in range(cold):
            with serve(store, app=app) as server, visitor(SIZE) as context:
                times.append(first_paint(context, server.address, page, what))
        if times:
            tell(f"first paint, cold: {name}", times)
        with serve(store, app=app) as server:
            with visitor(SIZE) as context:
                warm = [first_paint(context, server.address, page, what) for _ in range(repeats + 3)]
            tell(f"first paint, warm: {name}", warm[3:])  # a browser keeps what it compiled once it came twice
            times = []
            for _ in range(cold):
                with visitor(SIZE) as context:
                    times.append(first_paint(context, server.address, page, what))
            if times:
                tell(f"a new visitor's first paint: {name}", times)


def round_trips(store: Path, repeats: int) -> None:
    """Click a checkbox whose fragment has nothing but a line of text: what any answer of the server costs at least."""
    with chromium() as browser, serve(store, app="benchmarks/bare_app.py") as server:
        page = browser.new_context(viewport=SIZE).new_page()
        page.goto(server.address)
        drawn(page)
        page.wait_for_timeout(1000)
        times = []
        for index in range(repeats + 1):
            there = f"document.body.innerText.includes('It is {'off' if index % 2 else 'on'}')"
            times.append(until(page, "click", there, page.get_by_text("Switch").click))
            page.wait_for_timeout(300)
        tell("bare page: round trip", times[1:])


def page_changes(page: Page, repeats: int) -> None:
    """Go round the pages by the links of the sidebar."""
    times: dict[str, list[float]] = {}
    order = cycle(PAGES.items())
    for _ in range(repeats + len(PAGES)):  # the first round fills the caches
        name, title = next(order)
        link = page.get_by_test_id("stSidebarNav").get_by_role("link", name=title, exact=True)
        there = f"document.querySelector('h1')?.textContent.startsWith('{title}')"
        times.setdefault(name, []).append(until(page, "click", f"{there} && {WHOLE}", link.click))
        page.wait_for_timeout(500)
    warm = [seconds for of_page in times.values() for seconds in of_page[1:]]
    tell(
        "page change", warm, by_page={name: round(1000 * float(np.median(t[1:]))) for name, t in times.items() if t[1:]}
    )


def lassos(page: Page, address: str, repeats: int) -> None:
    """Draw lassos of several sizes, and wait for the images."""
    times = []
    for index in range(repeats + 1):
        page.goto(f"{address}/latent_space")  # again, with nothing selected
        drawn(page, EXPLORER)
        whole(page)
        area = page.locator("[data-explorer-map]").first
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
        there = (
            "+document.querySelector('[data-selected]').textContent && !document.querySelector('.pictures .waiting')"
        )
        times.append(until(page, "pointerup", there, page.mouse.up))
    tell("lasso to pictures", times[1:])


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
        target = {"target": 10} if steps >= MANY_FRAMES else {}  # fewer play slower, on purpose
        report(what=f"play: {name}", frames_per_second=round(film.evaluate(PLAY), 2), **target)


# Under load.


def memory(server: Server) -> float:
    """Resident megabytes of the server and its children."""
    process = psutil.Process(server.pid)
    return round(sum(p.memory_info().rss for p in [process, *process.children(recursive=True)]) / 2**20, 1)


async def click_through(visitor: Visitor, end: float) -> None:
    """Wander through the pages until the time is over; what goes wrong ends the visit and is told."""
    pages = [name for name in (*PAGES, *FILMS) if (ROOT / "pages" / f"{name}.py").exists() and name != "overview"]
    try:
        async with visitor:
            while time.monotonic() < end:
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
    end = time.monotonic() + seconds
    await asyncio.gather(*(click_through(one, end) for one in everyone))
    watching.cancel()
    await asyncio.sleep(SETTLE_SECONDS)
    errors = [error for one in everyone for error in one.errors]
    report(what="load", visitors=visitors, seconds=seconds, errors=len(errors), first_errors=errors[:5])
    for kind, name in (("page", "load: page change"), ("slider", "load: slider step")):
        times = [t for one in everyone for t in one.times.get(kind, [])]
        if times:
            tell(name, times, p95_ms=round(1000 * float(np.percentile(times, 95)), 1))
    report(what="load: memory", before_mb=before, during_mb=series, after_mb=memory(server))


async def idle(server: Server, run_ids: list[str], viewers: int) -> None:
    """Let many look and do nothing."""
    everyone = [Visitor(server.address, run_ids[i % len(run_ids)], i) for i in range(viewers)]
    for viewer in everyone:
        await viewer.__aenter__()
    await asyncio.sleep(SETTLE_SECONDS)
    errors = sum(len(viewer.errors) for viewer in everyone)
    report(what="idle viewers", viewers=viewers, memory_mb=memory(server), target_mb=2048, errors=errors)
    for viewer in everyone:
        await viewer.__aexit__(None, None, None)


def main() -> None:
    """Print a line per measurement."""
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
        first_paints(arguments.store, arguments.repeats, arguments.cold)
        round_trips(arguments.store, arguments.repeats)
        with chromium() as browser, serve(arguments.store) as server:
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
