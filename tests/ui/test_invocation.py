"""Messages name commands that can be given where the program was started."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ssrvae_core import invocation
from ssrvae_core.config import UserError
from ssrvae_core.invocation import CONTAINER, dashboard_sentence, demo_command, has_make, python
from tests.ui.conftest import APP
from tests.ui.test_pages import said
from ui import serve

ROOT = Path(__file__).parents[2]
PAGES = ("overview", "latent_space", "confusion", "learn", "supervised_ratio", "training_film", "compare")


@pytest.fixture(params=["container", "no make", "no Makefile"])
def without_make(request, monkeypatch, tmp_path):
    if request.param == "container":
        monkeypatch.setenv(CONTAINER, "1")
    elif request.param == "no make":
        monkeypatch.setenv("PATH", str(tmp_path))
    else:
        monkeypatch.setattr(invocation, "ROOT", tmp_path)


def test_where_there_is_no_make_no_command_is_make_s(without_make):
    assert not has_make()
    for text in (demo_command(), dashboard_sentence()):
        assert "make" not in text
    assert demo_command().endswith("-m ssrvae_core demo")


def test_in_the_project_s_folder_the_short_commands_are_named():
    assert demo_command() == "make demo"
    assert "make demo" in dashboard_sentence()
    assert python() == ".venv/bin/python"


def test_the_container_has_its_python_on_its_path(monkeypatch):
    monkeypatch.setenv(CONTAINER, "1")
    assert python() == "python"
    assert ".venv" not in demo_command() + dashboard_sentence()


@pytest.mark.parametrize("page", PAGES)
def test_no_page_of_an_empty_store_names_make_in_a_container(page, make_store, monkeypatch):
    make_store("empty")
    monkeypatch.setenv(CONTAINER, "1")
    app = AppTest.from_file(str(APP), default_timeout=60)
    if page != "overview":
        app.switch_page(f"pages/{page}.py")
    app.run()
    assert not app.exception
    shown = said(app) + " ".join(block.value for block in app.code)
    assert not re.search(r"\bmake (demo|serve)\b|\.venv", shown)
    assert "-m ssrvae_core demo" in shown or page == "learn"  # which has a lesson of its own


def test_a_server_that_cannot_start_names_its_own_arguments(without_make):
    with pytest.raises(UserError, match="8502 as the port") as caught:
        serve.check("127.0.0.1", "many")
    assert "PORT=" not in str(caught.value)


def test_no_message_names_make_by_itself():
    """Every mention goes through the one module that knows whether there is a make."""
    files = [*ROOT.glob("ui/*.py"), *ROOT.glob("pages/*.py"), *ROOT.glob("ssrvae_core/**/*.py")]
    names = [str(path) for path in files if re.search(r"\bmake (demo|serve|test)\b|\.venv/", path.read_text())]
    assert names == [str(ROOT / "ssrvae_core/invocation.py")]
