"""Names come from files and from other people's bundles: a page shows them as they are, and never as markup."""

from __future__ import annotations

import json
import shutil

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block

from ssrvae_core.runs import RunStore
from tests.ui import hostile
from tests.ui.conftest import APP
from ui.markdown import filled, public, verbatim

PAGES = [
    "",
    "latent_space",
    "library",
    "confusion",
    "supervised_ratio",
    "training_film",
    "compare",
    "data",
    "train",
    "learn",
]
PLAIN = {"text", "code", "arrow_data_frame", "selectbox", "multiselect"}
"""What shows its text as it is; of the last two the label and the help are Markdown."""


def elements(node):
    """Every element of a page, and the blocks around them."""
    for child in node.children.values():
        yield child
        if isinstance(child, Block):
            yield from elements(child)


def texts(node):
    """What Streamlit reads as Markdown of an element or a block."""
    proto = node.proto
    kind = type(proto).__name__
    for name in ("label", "help", "body", "text", "tooltip"):
        if node.type not in {"text", "code"} and kind != "Html" and isinstance(getattr(proto, name, None), str):
            yield getattr(proto, name)
    for block in ("expandable", "popover"):
        if isinstance(node, Block) and proto is not None and hasattr(proto, block):
            yield getattr(proto, block).label
    if node.type == "button_group":
        yield from (option.content for option in proto.options)
    if node.type == "imgs":
        yield from (image.caption for image in proto.imgs)
    if node.type in {"radio"}:
        yield from proto.options


def live(app):
    """Everything on a page that a name made live."""
    found = []
    for root in (app.main, app.sidebar):
        for node in elements(root):
            if node.proto is None:
                continue
            found += [(node.type, kinds, text) for text in texts(node) if (kinds := hostile.live_markdown(text))]
            kind = type(node.proto).__name__
            if kind == "Html":
                found += [(kind, tags) for tags in [hostile.live_html(node.proto.body)] if tags]
            if '"figure"' in (data := getattr(node.proto, "json", "") or ""):  # of a film
                film = json.loads(data)["figure"]
                found += [(kind, parts) for parts in [hostile.live_figure(film)] if parts]
            if kind == "PlotlyChart":
                found += [(kind, parts) for parts in [hostile.live_figure(node.proto.spec)] if parts]
    return found


@pytest.fixture(scope="module")
def store_of_names(tmp_path_factory):
    return hostile.make_store(tmp_path_factory.mktemp("names") / "store")


@pytest.fixture(params=["there", "gone"])
def hostile_store(request, store_of_names, tmp_path, monkeypatch):
    """A store of such names, with the image file and without it, when pages say so by its name."""
    made, path = store_of_names
    store = RunStore(tmp_path / "store")
    shutil.copytree(made.root, store.root)
    monkeypatch.setenv("SSRVAE_STORE", str(store.root))
    away = path.with_suffix(".away")
    if request.param == "gone":
        path.rename(away)
    yield store
    if away.exists():
        away.rename(path)


@pytest.mark.parametrize("page", PAGES)
def test_no_name_is_live_on_any_page(page, hostile_store, monkeypatch):
    monkeypatch.setattr("ui.entry.through_app", lambda: None)
    app = AppTest.from_file(str(APP), default_timeout=60)
    if page:
        app.switch_page(f"pages/{page}.py")
    if page == "data":
        app.query_params["data"] = next(iter(hostile_store.root.glob("uploads/*.npz"))).name[:12]
    if page == "train":
        app.query_params["data"] = next(iter(hostile_store.root.glob("uploads/*.npz"))).name[:12]
        app.query_params["job"] = ",".join(run.id for run in hostile_store.runs())
    app.run()
    assert not app.exception
    assert not live(app)


@pytest.mark.parametrize("hostile_store", ["gone"], indirect=True)
@pytest.mark.parametrize("page", PAGES)
def test_who_may_only_look_is_not_told_where_anything_lies(page, hostile_store, store_of_names, monkeypatch):
    monkeypatch.setattr("ui.entry.through_app", lambda: None)
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    app = AppTest.from_file(str(APP), default_timeout=60)
    if page:
        app.switch_page(f"pages/{page}.py")
    if page == "train":
        app.query_params["job"] = ",".join(run.id for run in hostile_store.runs())
    if page == "compare":
        app.query_params["settings"] = "all"
    app.run()
    assert not app.exception
    everything = "\n".join(str(node.proto) for root in (app.main, app.sidebar) for node in elements(root))
    everything += "\n".join(str(frame.value.to_dict()) for frame in app.dataframe)
    assert str(hostile_store.root.parent) not in everything
    assert str(store_of_names[1].parent) not in everything


@pytest.mark.parametrize("show", ["error", "warning", "info", "success", "note"])
def test_no_message_is_read_as_markdown(show):
    def page(show, name):
        from ui import markdown

        getattr(markdown, show)(name)
        markdown.progress(0.5, name)
        markdown.show("**ours** {name}", name=name)

    app = AppTest.from_function(page, kwargs={"show": show, "name": hostile.NAME}).run()
    assert not app.exception
    assert not live(app)
    assert "**ours**" in app.markdown[0].value


@pytest.mark.parametrize(
    "text", ["# head", "- item", "+ item", "> quote", "1. item", "12) item", "---", "    code", "a\n# b"]
)
def test_what_means_something_at_the_beginning_of_a_line_is_escaped_there(text):
    shown = verbatim(text)
    assert "\n" not in shown
    assert not shown.startswith(("#", "- ", "+", ">", "---", " ", "1. ", "12) "))


def test_ordinary_text_stays_as_it_is():
    text = "A file: 3.5 % of 12 images, named my_file-2.npz at 10:30 (a/b, 2 x 3)."
    assert verbatim(text) == text


def test_a_template_keeps_its_own_markup_and_takes_what_is_ready():
    assert filled("**{a}** {b}", a="x*y", b=filled("*{c}*", c="z")) == "**x\\*y** *z*"


def test_who_may_only_look_sees_no_folder_of_the_server(monkeypatch, tmp_path):
    monkeypatch.setenv("SSRVAE_STORE", str(tmp_path / "my lab" / "runs"))
    text = (
        f"{tmp_path / 'my lab' / 'runs'}/uploads/a.npz and /srv/lab/b.npz are gone, a/b and http://x.org/y/z are not."
    )
    assert public(text) == text
    monkeypatch.setenv("SSRVAE_MODE", "viewer")
    assert str(tmp_path) not in public(text) and "/srv" not in public(text)
    monkeypatch.setenv("SSRVAE_STORE", "/data")
    assert public("/data/uploads/a.npz, my/data and /data-2 stay") == "data/uploads/a.npz, my/data and /data-2 stay"
    monkeypatch.setenv("SSRVAE_STORE", str(tmp_path / "my lab" / "runs"))
    assert "a.npz and b.npz are gone, a/b and http://x.org/y/z are not." in public(text)
