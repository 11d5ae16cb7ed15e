"""A page of its own for the explorer's modules: no Streamlit, no server, invented particles."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import plotly

from ssrvae_core.records import Particles, Predictions
from ssrvae_core.reports.explorer import bundle
from ssrvae_core.reports.explorer.look import look
from ssrvae_core.reports.explorer.page import Pictures
from ssrvae_core.reports.explorer.sheets import Sheets
from ssrvae_core.reports.explorer.source import Source
from ssrvae_core.reports.explorer.table import table

HOST = "http://explorer.test"
NAMES = ("hearts", "spades", "diamonds", "clubs")
SIDE = 24
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"

_BEGIN = """
import { Explorer } from "./explorer.js";
import { Shelf } from "./kept.js";
import { readTable } from "./table.js";
const settings = await (await fetch("settings.json")).json();
const table = readTable(await (await fetch("table.bin")).arrayBuffer());
const kept = new Map(Object.entries(JSON.parse(sessionStorage.getItem("kept") ?? "{}")));
const address = Object.fromEntries(new URLSearchParams(location.search));
const shelf = new Shelf("test", sessionStorage, table.ids);
const explorer = new Explorer(document.querySelector("#place"), table, {
  ...settings, address, shelf, decodes: false, usual: {},
  changed: (self) => { window.changes = (window.changes ?? 0) + 1; },
  keep: (name, ids, self) => { shelf.keep(name, ids); },
  forget: (name, self) => { shelf.forget(name); self.drawBar(); },
  link: async (self) => { window.copied = "?" + new URLSearchParams(self.address); return true; },
});
window.explorer = explorer;
await explorer.draw(window.Plotly);
window.ready = true;
"""
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Explorer</title>
<style>:root { color-scheme: light dark; --page: #ffffff; --text: #101114; --link: #0072b2 }
@media (prefers-color-scheme: dark) { :root { --page: #0e1117; --text: #fafafa; --link: #56b4e9 } }
body { margin: 12px; background: var(--page) }</style><link rel="stylesheet" href="explorer.css">
<script src="plotly.js"></script></head><body><div id="place"></div><script type="module" src="begin.js"></script>
</body></html>"""


def invented(n: int, models: int = 1, seed: int = 0) -> tuple[list[Source], np.ndarray]:
    """Return models' views of invented particles, and their pictures: bars of four grey levels, turned."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    ids = 3 * np.arange(n) + 10
    angle = rng.uniform(-np.pi, np.pi, n)
    sources = []
    for model in range(models):
        skill = 0.9 if model == models - 1 else 0.5
        predicted = np.where(rng.random(n) < skill, labels, rng.integers(0, 4, n))
        prob = rng.dirichlet(np.ones(4), n) * 0.5
        prob[np.arange(n), predicted] += 0.5
        turn = np.pi / 2 * labels + model
        z = 3 * np.stack([np.cos(turn), np.sin(turn)], 1) + rng.normal(size=(n, 2))
        turns = model == models - 1
        predictions = Predictions(
            ids=ids.astype(np.int64),
            labels=np.where(np.arange(n) % 5 == 1, -1, labels),
            class_prob=prob.astype(np.float32),
            z_mean=z.astype(np.float32),
            z_sd=np.full((n, 2), 0.1, np.float32),
            angle=(angle if turns else np.full(n, np.nan)).astype(np.float32),
            concentration=np.full(n, 0.9 if turns else np.nan, np.float32),
            log_likelihood=rng.normal(-100, 5, n).astype(np.float32),
            factors={"angle": angle.astype(np.float32), "shift_x": rng.normal(size=n).astype(np.float32)},
        )
        sources.append(
            Source(
                run_id=f"{model:012x}",
                title=("ss-VAE", "ss-rVAE")[model + 2 - models],
                particles=Particles(
                    predictions,
                    part=(np.arange(n) % 3).astype(np.int8),
                    outlier_score=rng.gamma(1, 1, n).astype(np.float32),
                    groups=(np.arange(n) % 4).astype(np.int64),
                    group_names=("grid <b>1</b>.tif", "b.tif", "c.tif", "d.tif"),
                    names=tuple(f"crop-{i:05d}.png" for i in range(n)),
                    size=rng.normal(50, 5, n).astype(np.float32),
                    size_unit="nm",
                ),
            )
        )
    return sources, pictures_of(labels, angle)


ANY_IDS = (-7, -3, 0, 5, 2**53 + 1, 1_700_000_000_000_000_001)
"""Ids below 0, and such as no number of a browser holds: the last is a time in nanoseconds."""


def with_ids(particles: Particles, ids: np.ndarray) -> Particles:
    """Return the same particles under other ids, ascending."""
    return replace(particles, predictions=replace(particles.predictions, ids=ids.astype(np.int64)))


def under(sources: list[Source], ids: np.ndarray) -> list[Source]:
    """Return the same views of particles that have other ids, ascending."""
    return [replace(source, particles=with_ids(source.particles, ids)) for source in sources]


def pictures_of(labels: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Return a bar of a class's length on every picture, turned counter-clockwise, uint8 (N, 24, 24)."""
    at = np.arange(SIDE) - (SIDE - 1) / 2
    x, y = at[None, None], -at[None, :, None]
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    along, across = cos * y - sin * x, cos * x + sin * y
    inside = (np.abs(across) < 2) & (along > -3) & (along < 4 + 2 * labels[:, None, None])
    return (40 + 180 * inside).astype(np.uint8)


def files(sources: list[Source], pixels: np.ndarray, class_names=NAMES) -> dict[str, tuple[str, bytes]]:
    """Return what the page asks for, by name: type and content."""
    sheets = Sheets.of(len(pixels), *pixels.shape[1:3])
    urls = {i: f"sheet-{i}.webp" for i in range(sheets.count)}
    settings = {
        "look": look("map", csv=True, keeps_where="Kept by this browser."),
        "sheets": sheets.described(urls),
    }
    made = {
        "": ("text/html", _PAGE.encode()),
        "begin.js": ("text/javascript", _BEGIN.encode()),
        "explorer.css": ("text/css", bundle.style().encode()),
        "plotly.js": ("text/javascript", PLOTLY.read_bytes()),
        "settings.json": ("application/json", json.dumps(settings).encode()),
        "table.bin": ("application/octet-stream", table(sources, class_names)),
    }
    for module in bundle.modules():
        made[module] = ("text/javascript", (bundle.HERE / module).read_bytes())
    for i, url in urls.items():
        made[url] = ("image/webp", sheets.encoded(pixels[sheets.rows(i).start : sheets.rows(i).stop]))
    return made


def as_pictures(sources: list[Source], pixels: np.ndarray) -> Pictures:
    """Return the same pictures for an explorer in a file."""
    ids = sources[0].particles.ids
    return Pictures(seen=lambda some: pixels[np.searchsorted(ids, some)])


@contextmanager
def serving_files(page, made):
    """Have a page find these files, and nothing else, at :data:`HOST`."""

    def answer(route):
        name = route.request.url.split("?")[0].removeprefix(f"{HOST}/")
        if name in made:
            kind, content = made[name]
            route.fulfill(content_type=kind, body=content)
        else:
            route.fulfill(status=404, body="")

    page.route(f"{HOST}/**", answer)
    yield
    page.unroute(f"{HOST}/**")
