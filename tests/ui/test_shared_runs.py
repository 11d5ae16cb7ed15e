"""The pages of a run that came from somebody else, without the file that it was trained on."""

import hashlib
import io

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from ssrvae_core.config import RunConfig
from ssrvae_core.data.readers import file_dataset, fingerprint
from ssrvae_core.runs import RunStore
from ssrvae_core.runs.bundle import export_bundle, import_bundle
from ssrvae_core.runs.execute import train_run
from ssrvae_core.runs.uploads import FOLDER, label_upload
from tests.ui.conftest import APP, PAGES, tiny_config
from tests.ui.test_overview_page import tick
from tests.ui.test_pages import said
from ui import manage
from ui.images import validation_pictures

NAME = "my rods.npz"
PAGES = PAGES | {"learn": "pages/learn.py"}


def put_into(store, content, name=NAME):
    kept = store.root / FOLDER / f"{hashlib.sha256(content).hexdigest()}.npz"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(content)
    label_upload(kept, name, sha256=fingerprint(kept))
    return kept


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A run on an upload of 72 x 72 pixels, in its owner's store, and the content of the file."""
    store = RunStore(tmp_path_factory.mktemp("owner"))
    images = np.random.default_rng(0).integers(0, 255, (40, 72, 72), dtype=np.uint8)
    out = io.BytesIO()
    np.savez(out, images=images, labels=np.arange(40) % 2, class_names=np.array(["rod", "cube"]))
    kept = put_into(store, out.getvalue())
    config = tiny_config("ss-rvae").model_copy(update={"dataset": file_dataset(kept)})
    return train_run(RunConfig.model_validate(config.model_dump()), store, device="cpu"), out.getvalue()


@pytest.fixture
def brought(own, tmp_path, monkeypatch):
    """Import the run into the store that the pages show."""

    def bring(*, pictures):
        store = RunStore(tmp_path / "elsewhere")
        out = io.BytesIO()
        export_bundle([own[0]], out, thumbnails=pictures)
        import_bundle(out.getvalue(), store)
        monkeypatch.setenv("SSRVAE_STORE", str(store.root))
        return store

    return bring


@pytest.fixture
def open_any():
    def go(page, /, **address):
        app = AppTest.from_file(str(APP), default_timeout=60)
        if page != "overview":
            app.switch_page(PAGES[page])
        for name, value in address.items():
            app.query_params[name] = value
        return app.run()

    return go


@pytest.mark.parametrize("page", ["confusion", "learn", "latent"])
def test_without_the_file_a_page_says_which_file_to_upload(page, own, brought, open_any):
    brought(pictures=False)
    app = open_any(page, **({"sel": str(own[0].predictions().ids[0])} if page != "learn" else {}))
    assert not app.exception
    assert own[0].config.dataset.sha256[:20] not in said(app)
    if page == "learn":
        assert NAME in said(app)
        assert "upload the same file" in said(app)


def test_without_the_file_small_pictures_stand_in_and_say_so(own, brought):
    store = brought(pictures=True)
    run = store.get(own[0].id)
    ids = run.predictions().ids
    small = validation_pictures(run, ids)
    assert small.pixels.shape == (len(ids), 64, 64)
    assert NAME in small.note
    assert "small pictures" in small.note
    assert "upload" in small.note.lower()
    put_into(store, own[1], "theirs.npz")
    whole = validation_pictures(store.get(run.id), ids)
    assert whole.pixels.shape == (len(ids), 72, 72)
    assert whole.note == ""


def test_a_page_uses_the_file_as_soon_as_it_is_uploaded(own, brought, open_any):
    store = brought(pictures=False)
    put_into(store, own[1], "theirs.npz")
    app = open_any("learn")
    assert not app.exception
    assert "upload the same file" not in said(app)
    assert NAME in said(app)


def test_the_overview_offers_pictures_of_runs_on_files_only(own, brought, make_store, open_any, monkeypatch):
    store = RunStore(own[0].path.parent)
    assert manage.bundle_bytes(store.runs()) != manage.bundle_bytes(store.runs(), thumbnails=True)
    tick(monkeypatch, 0)
    monkeypatch.setenv("SSRVAE_STORE", str(store.root))
    app = open_any("overview")
    boxes = [box for box in app.checkbox if "small pictures" in box.label.lower()]
    assert [(box.value, "keep these pictures" in box.help) for box in boxes] == [(False, True)]
    beside = [box for column in app.columns for box in column.checkbox]
    assert [box.label for box in beside] == [boxes[0].label], "it would push the list down as a run is ticked"
    brought(pictures=False)  # where there is nothing to make them of
    assert not open_any("overview").checkbox
    make_store("one")
    assert not open_any("overview").checkbox


@pytest.mark.parametrize("pictures", [True, False])
def test_a_gallery_says_that_its_pictures_are_small_or_what_to_upload(pictures, own, brought, open_any):
    brought(pictures=pictures)
    app = open_any("latent", sample=str(own[0].predictions().ids[0]), near="left")
    assert not app.exception
    assert NAME in said(app)
    assert ("small pictures" in said(app)) is pictures
    assert ("upload the same file" in said(app)) is not pictures
