"""A store full of names that would be markup wherever one of them is not escaped."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser

import numpy as np

from ssrvae_core.config import run_config
from ssrvae_core.data import file_dataset
from ssrvae_core.runs import RunStore, directory
from ssrvae_core.runs.comparison import rival_result
from ssrvae_core.runs.execute import train_run
from tests.ui.conftest import TINY, TINY_POLAR, copy_run
from ui.uploads import keep

NAMES = (
    "**bold** [x](javascript:alert(1)) <img src=x onerror=alert(1)> $x^2$ :red[hot] %{q} {{}} # head",
    "`code` ~~gone~~ :material/delete: :100: &lt;b&gt; http://127.0.0.1:9/ www.evil.org me@evil.org",
)
"""As long as the name of a class may be."""
NAME = " ".join(NAMES)
FILE_NAME = NAME.replace("/", "|")
LIVE = {
    "bold": r"(?<!\\)\*\*bold",
    "link": r"(?<!\\)\[x(?<!\\)\]\(",
    "tag": r"(?<!\\)<img",
    "formula": r"(?<!\\)\$x",
    "colour": r"(?<!\\):red",
    "icon": r"(?<!\\):material/delete",
    "emoji": r"(?<!\\):100",
    "code": r"(?<!\\)`code",
    "strike": r"(?<!\\)~~gone",
    "entity": r"(?<!\\)&lt;b",
    "address": r"http\\?://127|www\.evil|me@evil",
}
"""What Markdown would make something of, in a text that holds the name."""


def live_markdown(text):
    """What of the name is live in a text that is read as Markdown."""
    return [kind for kind, pattern in LIVE.items() if re.search(pattern, text)]


def live_figure(spec):
    """What of the name plotly would make something of: its little HTML, and fields where it hovers."""
    text = json.dumps(json.loads(spec), ensure_ascii=False)
    return [part for part in ("<img src=x", "<Img src=x", "%{q}", "&lt;b&gt; http") if part in text]


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        if any(name.startswith("on") or (value or "").startswith(("javascript:", "x")) for name, value in attrs):
            self.found.append((tag, attrs))


def live_html(html):
    """What of the name became a tag."""
    tags = _Tags()
    tags.feed(html)
    return tags.found


def content():
    """An npz whose classes and factors have the name."""
    rng, buffer = np.random.default_rng(0), io.BytesIO()
    labels = np.arange(96) % 3
    images = (rng.random((96, 16, 16)) * 0.3 + (labels[:, None, None] == np.arange(16)[:, None] // 6) * 0.6).astype(
        "f4"
    )
    names = np.array([*NAMES, "plain"])
    factors = {f"factors/{NAMES[0]}": rng.random(96).astype("f4"), "factors/angle": rng.random(96).astype("f4")}
    np.savez(buffer, images=images, labels=labels, class_names=names, groups=labels * 0 + np.arange(96) % 4, **factors)
    return buffer.getvalue()


def make_store(root):
    """Train both models for an epoch on a file of such names, beside an upload, a rival and a failed run."""
    folder = root.parent / "images"
    folder.mkdir(parents=True)
    path = folder / f"{FILE_NAME}.npz"
    path.write_bytes(content())
    store = RunStore(root)
    keep("mine.npz", content(), store)
    dataset = file_dataset(path)
    tiny = {name: value for name, value in TINY.items() if not name.startswith("dataset.")}

    def config(model, seed=0):
        settings = tiny | (TINY_POLAR if model == "ss-rvae" else {})
        return run_config(
            preset="teaching", model=model, dataset=dataset, labelled_ratio=0.5, seed=seed, settings=settings
        )

    runs = [train_run(config(model), store, device="cpu") for model in ("ss-vae", "ss-rvae")]
    rival = rival_result(config("ss-vae"), "decision-tree", store, "cpu")
    told = json.loads((rival.path / "result.json").read_text())
    told["parameters"] |= {NAME: NAME}
    (rival.path / "result.json").write_text(json.dumps(told))
    copy_run(store, runs[0], config("ss-vae", 5), state="running", validation=None)
    copy_run(store, runs[0], config("ss-vae", 6), state="failed", error=f"{NAME}.", validation=None)
    broken = store.path("0123456789ab")
    broken.mkdir()
    (broken / directory.CONFIG).write_text("{")
    return store, path
