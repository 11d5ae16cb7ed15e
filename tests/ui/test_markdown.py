"""Names come from files and from other people's bundles: a page shows them as they are, and never as Markdown."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from ssrvae_core.runs import Run, directory
from tests.ui.conftest import APP, copy_run, tiny_config

PICTURE = "![x](http://127.0.0.1:9/x.png)"
"""As Markdown it would have the reader's browser ask somebody else's server for a picture."""
PAGES = ["latent_space", "confusion", "supervised_ratio", "training_film", "compare", "data", "train", "learn"]


def as_markdown(app):
    """Everything of a page that Streamlit reads as Markdown, except what it only has as plain text."""
    kinds = (app.info, app.warning, app.error, app.success, app.caption, app.markdown, app.header, app.subheader)
    said = [element.value for kind in kinds for element in kind]
    said += [expander.label for expander in app.expander]
    said += [element.proto.text for element in app.get("progress")]
    said += [option.content for group in app.get("button_group") for option in group.proto.options]
    return said


@pytest.mark.parametrize("page", ["", *PAGES])
def test_a_name_is_never_read_as_markdown(page, make_store, monkeypatch):
    monkeypatch.setattr("ui.entry.through_app", lambda: None)
    store = make_store("two")
    names = (PICTURE, *store.runs()[0].class_names[1:])
    for run in store.runs():
        directory.write_status(run.path, run.status.model_copy(update={"class_names": names}))
    copy_run(store, store.runs()[0], tiny_config("ss-rvae", 5), state="running", validation=None)
    copy_run(store, store.runs()[0], tiny_config("ss-rvae", 6), state="failed", error=PICTURE, validation=None)
    monkeypatch.setattr(Run, "data_name", PICTURE)
    monkeypatch.setattr("ssrvae_core.config.data_name", lambda dataset: PICTURE)
    app = AppTest.from_file(str(APP), default_timeout=60)
    if page:
        app.switch_page(f"pages/{page}.py")
    app.run()
    assert not app.exception
    shown = as_markdown(app)
    assert not [text for text in shown if PICTURE in text]
