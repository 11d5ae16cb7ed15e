"""Measure the explorer in Chromium without a graphics card, beside two other ways to draw its points.

Usage: ``python benchmarks/explorer.py [--points 4000 20000 100000] [--maps 1] [--repeats 5] [--regl FOLDER]
[--only explorer]``

The page loads the modules as they are, without Streamlit: models of invented particles, four classes, with pictures
of 24 x 24 pixels. Times are from the event until what it asks for is painted. Beside it stand plotly's scattergl, and
regl-scatterplot where ``--regl`` names a folder below which it is unpacked, with what it needs, each in a folder of the
package's name: ``npm pack regl-scatterplot regl pub-sub-es``. It is not shipped.
"""

from __future__ import annotations

import argparse
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from common import machine, report
from playwright.sync_api import BrowserContext, Page, ViewportSize
from serving import visitor

from ssrvae_core.figures import theme
from tests.explorer_page import files, invented

SIZE: ViewportSize = {"width": 1280, "height": 900}
SECONDS = 3
TARGETS = {
    "lasso to pictures": "100 ms",
    "recolour": "50 ms",
    "scroll": "30 frames/s at 4 000, 10 at 100 000",
    "pan": "30 frames/s at 4 000, 10 at 100 000",
    "painted, warm": "2000 ms at 4 000",
}

SCRIPT = "measure.js"
PAGES = {
    "scattergl": """<div id="plot" style="width: 600px; height: 600px"></div><script src="plotly.js"></script>""",
    "regl": """<canvas id="plot" style="width: 600px; height: 600px"></canvas><script src="regl.js"></script>
<script type="importmap">{"imports": {"pub-sub-es": "./pubsub.js", "regl": "./regl-module.js"}}</script>""",
}
"""What stands on the pages of the other ways to draw points."""


@contextmanager
def serving(made: dict[str, tuple[str, bytes]]) -> Iterator[str]:
    """Serve files that a browser may keep."""

    class Files(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, content = made.get(self.path.lstrip("/").split("?")[0], ("text/plain", b""))
            self.send_response(200)
            for name, value in {
                "Content-Type": kind,
                "Content-Length": str(len(content)),
                "Cache-Control": "max-age=3600",
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Keep the output to the measurements."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def tell(points: int, way: str, what: str, values: list[float], unit: str = "ms") -> None:
    """Print the median and the worst of some times or speeds, and what they should be."""
    worst = max(values) if unit == "ms" else min(values)
    report(
        points=points,
        drawn=way,
        what=what,
        median=round(float(np.median(values)), 1),
        worst=round(worst, 1),
        unit=unit,
        target=TARGETS.get(what),
        load=round(os.getloadavg()[0], 1),
    )


def asked(page: Page, way: str, what: str, value: float) -> float:
    """Do one thing in the page, and return how long it took, or how many frames a second it had."""
    call = "async ([way, what, value]) => (await import('./measure.js'))[way][what](value)"
    return float(page.evaluate(call, [way, what, value]))


def the_explorer(context: BrowserContext, address: str, points: int, repeats: int) -> None:
    """Measure the explorer itself."""
    way, times = "explorerPage", []
    for _ in range(repeats + 1):
        page = context.new_page()
        page.goto(address, wait_until="commit")
        page.wait_for_function("window.ready && !document.querySelector('.pictures .waiting')", timeout=120_000)
        times.append(float(page.evaluate("performance.now()")))
        if len(times) <= repeats:
            page.close()
    tell(points, "explorer", "painted, warm", times[1:])
    sizes = np.linspace(0.15, 0.4, repeats + 1)
    tell(points, "explorer", "lasso to pictures", [asked(page, way, "lasso", float(s)) for s in sizes][1:])
    for turn in range(5):  # each colour once, so that its markers are drawn
        asked(page, way, "recolour", turn)
    tell(points, "explorer", "recolour", [asked(page, way, "recolour", turn) for turn in range(repeats + 1)][1:])
    tell(points, "explorer", "scroll", [asked(page, way, "scroll", SECONDS)], "frames/s")
    tell(points, "explorer", "pan", [asked(page, way, "pan", SECONDS)], "frames/s")
    page.close()


def another(context: BrowserContext, address: str, points: int, repeats: int, way: str) -> None:
    """Measure another way to draw the points: the map alone, without pictures."""
    page = context.new_page()
    page.on("pageerror", lambda error: report(error=str(error)))
    page.goto(f"{address}/{way}.html")
    draw = """async ([way, colours]) => {
        const { readTable } = await import('./table.js');
        const table = readTable(await (await fetch('table.bin')).arrayBuffer());
        return (await import('./measure.js'))[way].draw(table, colours);
    }"""
    tell(points, way, "drawn", [float(page.evaluate(draw, [way, list(theme.CLASS_COLOURS[:4])]))])
    sizes = np.linspace(0.15, 0.4, repeats + 1)
    tell(points, way, "selection", [asked(page, way, "lasso", float(s)) for s in sizes][1:])
    tell(points, way, "recolour", [asked(page, way, "recolour", turn) for turn in range(repeats + 1)][1:])
    tell(points, way, "pan", [asked(page, way, "pan", SECONDS)], "frames/s")
    page.close()


def of_regl(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Return the scripts of regl-scatterplot and what it needs."""
    return {
        name: ("text/javascript", next(folder.rglob(pattern)).read_bytes())
        for name, pattern in {
            "scatterplot.js": "regl-scatterplot.esm.js",
            "regl.js": "regl.min.js",
            "pubsub.js": "pub-sub-es*/**/dist/index.js",
        }.items()
    } | {"regl-module.js": ("text/javascript", b"export default window.createREGL;")}


def main() -> None:
    """Print a line per measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, nargs="+", default=[4000, 20_000, 100_000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--maps", type=int, default=1, help="maps of the explorer, beside each other")
    parser.add_argument("--regl", type=Path, help="folder with regl-scatterplot and what it needs")
    parser.add_argument("--only", nargs="+", default=["explorer", "scattergl", "regl"])
    arguments = parser.parse_args()
    report(benchmark="explorer", machine=machine())
    for points in arguments.points:
        made = files(*invented(points, arguments.maps))
        made |= {SCRIPT: ("text/javascript", Path(__file__).with_suffix(".js").read_bytes())}
        made |= {f"{way}.html": ("text/html", f"<!doctype html>{page}".encode()) for way, page in PAGES.items()}
        if arguments.regl:
            made |= of_regl(arguments.regl)
        for way in arguments.only:
            with serving(made) as address, visitor(SIZE) as context:
                if way == "explorer":
                    the_explorer(context, f"{address}/", points, arguments.repeats)
                elif way == "scattergl" or arguments.regl:
                    another(context, address, points, arguments.repeats, way)


if __name__ == "__main__":
    main()
