"""Measure the films in Chromium: payload, time of a frame step, and frames a second while playing.

Usage: ``python benchmarks/films.py [--repeats 20] [--points 4000] [--screenshots FOLDER]``

The film has 8 frames of 2 models with 4 000 points each, 4 classes, a manifold and 2 curves; the points are invented.
They are drawn by the painter of the dashboard's pages, and by plotly's frames as in the files that are saved. Beside
the time of the call, and the time until the page's next frame, stand the CPU seconds of the browser's processes, which
other work on the machine disturbs least.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import psutil
from common import ROOT, machine, report
from playwright.sync_api import Browser, Page
from plotly.offline import get_plotlyjs
from serving import chromium

from ssrvae_core.figures import theme
from ssrvae_core.figures.film import film
from ssrvae_core.figures.frames import Curve, Frame, Track, steps_of
from ssrvae_core.figures.pictures import film_gif
from ui.charts import SHAPES
from ui.films import USUAL_WIDTH as WIDTH
from ui.reel import reel

NAMES = ("hearts", "spades", "diamonds", "clubs")
RATIOS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
STEP = """async index => {
    const began = performance.now();
    await window.step(index);
    const switched = performance.now() - began;
    await new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)));
    return [switched, performance.now() - began];
}"""
PLAY = """async ([frames, seconds]) => {
    const began = performance.now();
    let shown = 0;
    while (performance.now() - began < 1000 * seconds) {
        const due = performance.now() + 100;
        await window.step(shown++ % frames);
        await new Promise(done => requestAnimationFrame(() => setTimeout(done, Math.max(0, due - performance.now()))));
    }
    return 1000 * shown / (performance.now() - began);
}"""
ANIMATED = """<script>
    const graph = document.querySelector('.js-plotly-plot');
    const still = {mode: 'immediate', frame: {duration: 0, redraw: true}, transition: {duration: 0}};
    window.step = index => Plotly.animate(graph, [graph._transitionData._frames[index].name], still);
</script></body>"""
PAINTED = """<script>(async () => {
    const graph = document.getElementById('film'), figure = FIGURE;
    const painter = await Painter.of(figure, SHAPES);
    const layout = {...figure.layout, annotations: [], images: []};
    await Plotly.newPlot(graph, painter.standing, layout, {responsive: true});
    painter.attach(graph, document.body);
    painter.paint(figure.frames.length - 1);
    for (const event of ['plotly_afterplot', 'plotly_relayouting']) graph.on(event, () => painter.paint());
    window.step = index => painter.paint(index);
})()</script>"""


def invented(points: int, classes: int = 4, side: int = 261) -> tuple[list[Track], list[Curve]]:
    """Return two models whose classes part as the ratio grows."""
    rng = np.random.default_rng(0)
    labels, ids = np.arange(points) % classes, np.arange(points)
    tracks, curves = [], []
    rows, columns = np.mgrid[0:side, 0:side]
    for model, (name, skill) in enumerate({"ss-VAE": 0.6, "ss-rVAE": 1.0}.items()):
        noise = rng.normal(size=(points, 2))
        frames = []
        for index, ratio in enumerate(RATIOS):
            known = skill * (0.55 + 0.45 * index / (len(RATIOS) - 1))
            turn = 2 * np.pi * labels / classes + model
            z = noise * 0.6 + 3 * known * np.stack([np.cos(turn), np.sin(turn)], axis=1)
            predicted = np.where(rng.random(points) < known, labels, rng.integers(0, classes, points))
            confusion = np.zeros((classes, classes), int)
            np.add.at(confusion, (labels, predicted), 1)
            tiles = np.hypot(rows % 29 - 14, (columns % 29 - 14) * (1 + known * np.sin(rows // 29 + columns // 29) / 3))
            picture = (255 / (1 + np.exp(tiles - 9))).astype(np.uint8)
            z = z.astype(np.float32)
            frames.append(
                Frame(ratio, f"{ratio:g}", ids, z, labels, predicted, confusion, picture, f"run{model}{index}")
            )
        tracks.append(Track(name, tuple(frames)))
        y = np.array([frame.accuracy for frame in frames])
        curves.append(Curve(name, np.array(RATIOS), y, y - 0.03, np.minimum(y + 0.02, 1)))
    return tracks, curves


def page_of(figure: go.Figure, *, dark: bool = False) -> str:
    """Return a page that shows the film, still."""
    html = figure.to_html(include_plotlyjs=True, config=theme.CONFIG | {"responsive": True}, auto_play=False)
    background = "#0E1117" if dark else "#FFFFFF"
    head = '<head><meta name="viewport" content="width=device-width">'
    return html.replace("<head>", head, 1).replace("<body>", f'<body style="background: {background}">', 1)


def painted(figure: go.Figure) -> str:
    """Return a page that shows the film as the dashboard's pages do."""
    scripts = (get_plotlyjs(), (ROOT / "ui/markers.js").read_text(), (ROOT / "ui/film/painter.js").read_text())
    start = PAINTED.replace("FIGURE", figure.to_json()).replace("SHAPES", json.dumps(SHAPES))
    style = "<style>.painted {position: absolute; inset: 0; pointer-events: none}</style>"
    loaded = "".join(f"<script>{script}</script>" for script in scripts)
    return f'<html><head><meta charset="utf-8">{style}</head><body><div id="film"></div>{loaded}{start}</body></html>'


def cpu_seconds() -> dict[str, float]:
    """CPU time of the browser so far: its page, and what stands in for a graphics card."""
    seconds = {"page": 0.0, "graphics": 0.0}
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            command, used = " ".join(process.cmdline()), process.cpu_times()
            for kind, mark in (("page", "--type=renderer"), ("graphics", "--type=gpu-process")):
                if mark in command:
                    seconds[kind] += used.user + used.system
    return seconds


def step_times(page: Page, frames: int, repeats: int) -> dict[str, float]:
    """Milliseconds of the call, and until the page's next frame, over frames in a mixed order; CPU a step."""
    for index in range(frames):
        page.evaluate(STEP, index)
    before = cpu_seconds()
    times = np.array([page.evaluate(STEP, 3 * i % frames) for i in range(repeats)])
    after = cpu_seconds()
    return {
        "call_median_ms": round(float(np.median(times[:, 0])), 1),
        "call_worst_ms": round(float(times[:, 0].max()), 1),
        "shown_median_ms": round(float(np.median(times[:, 1])), 1),
        "shown_worst_ms": round(float(times[:, 1].max()), 1),
        **{f"{kind}_cpu_ms": round(1000 * (after[kind] - before[kind]) / repeats, 1) for kind in before},
    }


def measure(browser: Browser, ways: dict[str, str], folder: Path, frames: int, repeats: int) -> None:
    """Print the times of a step and of playing for each way to draw the film."""
    for way, text in ways.items():
        file = folder / "film.html"
        file.write_text(text)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(file.as_uri())
        page.wait_for_function("() => window.step !== undefined")
        report(what="step", drawn=way, load=os.getloadavg()[0], **step_times(page, frames, repeats))
        report(what="play at 10 frames/s", drawn=way, frames_per_second=round(page.evaluate(PLAY, [frames, 3]), 2))
        page.close()


def take(browser: Browser, tracks: list[Track], options: dict[str, Any], folder: Path) -> None:
    """Save pictures of the film, light and dark, wide and narrow."""
    folder.mkdir(parents=True, exist_ok=True)
    for width, columns in ((1280, 2), (390, 1)):
        for dark in (False, True):
            name = f"film-{width}-{'dark' if dark else 'light'}"
            figure = film(tracks, NAMES, columns=columns, dark=dark, **options)
            (folder / f"{name}.html").write_text(page_of(figure, dark=dark))
            page = browser.new_page(viewport={"width": width, "height": 1000})
            page.goto((folder / f"{name}.html").absolute().as_uri())
            page.wait_for_selector(".slider-container", state="attached")
            page.wait_for_timeout(1000)
            page.screenshot(path=folder / f"{name}.png", full_page=True)
            page.close()


def main() -> None:
    """Print a line per measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--points", type=int, default=4000)
    parser.add_argument("--screenshots", type=Path)
    arguments = parser.parse_args()
    report(benchmark="films", machine=machine(), points=arguments.points, frames=len(RATIOS))
    tracks, curves = invented(arguments.points)
    options = {"axis": "supervised ratio", "curves": curves, "curve_title": "Accuracy"}
    began = time.perf_counter()
    figure = film(tracks, NAMES, controls=False, **options)
    sent = reel(figure, steps_of(tracks), tracks, WIDTH, lambda step: step.label).figure
    report(what="payload", megabytes=len(sent) / 1e6, built_in_seconds=time.perf_counter() - began)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        animated = page_of(film(tracks, NAMES, **options)).replace("</body>", ANIMATED)
        ways = {"by the painter": painted(figure), "by plotly's frames": animated}
        measure(browser, ways, Path(folder), len(figure.frames), arguments.repeats)
        if arguments.screenshots:
            take(browser, tracks, options, arguments.screenshots)
    began = time.perf_counter()
    picture = film_gif(tracks, NAMES, **options)
    report(what="gif", megabytes=len(picture) / 1e6, seconds=time.perf_counter() - began)


if __name__ == "__main__":
    main()
