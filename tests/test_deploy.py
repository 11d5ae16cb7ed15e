"""What docs/deploy.md, the Dockerfile and the files they name promise each other."""

import ast
import json
import os
import re
import shlex
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
GUIDE = (ROOT / "docs/deploy.md").read_text()
HEALTH = "/_stcore/health"


def instructions(name):
    """The arguments of every instruction of that name."""
    return re.findall(rf"^\s*{name} (.+)$", DOCKERFILE, flags=re.MULTILINE)


def test_the_default_address_is_this_machine_alone():
    server = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["server"]
    assert server["address"] == "127.0.0.1" and server["enableXsrfProtection"]
    assert "ADDRESS ?= 127.0.0.1" in (ROOT / "Makefile").read_text()


def test_everything_the_image_copies_exists_and_reaches_the_builder():
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [source for copy in instructions("COPY") for source in copy.split()[:-1]]
    assert {"app.py", "pages", "ui", "ssrvae_core", "requirements.txt"} <= set(copied)
    assert all((ROOT / source).exists() for source in copied)
    assert set(copied) <= let_through


def test_secrets_runs_and_history_stay_out_of_the_image():
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"
    assert not any("secrets" in copy or ".git" in copy or "runs" in copy for copy in instructions("COPY"))


def test_the_image_runs_as_a_user_of_its_own_who_owns_the_store():
    (user,) = instructions("USER")
    uid = user.split(":")[0]
    assert uid != "0" and uid.isdigit() and uid in GUIDE
    (made,) = [run for run in instructions("RUN") if "useradd" in run]
    assert f"--uid {uid}" in made and "-o ssrvae -g ssrvae /store" in made
    assert instructions("VOLUME") == ["/store"]


def test_the_image_is_a_viewer_unless_told_otherwise():
    (environment,) = [env for env in instructions("ENV") if "SSRVAE" in env]
    assert dict(pair.split("=") for pair in shlex.split(environment)) == {
        "SSRVAE_STORE": "/store",
        "SSRVAE_MODE": "viewer",
        "SSRVAE_CONTAINER": "1",
    }


@pytest.mark.parametrize("prefix", ["", "ssrvae", "/ssrvae/"])
def test_the_health_check_asks_the_address_the_server_answers_at(prefix, monkeypatch):
    (command,) = re.findall(r"^\s*HEALTHCHECK .*CMD (\[.*\])$", DOCKERFILE, flags=re.MULTILINE)
    asked = []
    monkeypatch.setattr("urllib.request.urlopen", lambda address, timeout: asked.append(address))
    monkeypatch.setitem(os.environ, "STREAMLIT_SERVER_BASE_URL_PATH", prefix)
    exec(json.loads(command)[2], {})
    (port,) = instructions("EXPOSE")
    started = json.loads(instructions("CMD")[-1])
    assert started == ["python", "-m", "ui.serve", "0.0.0.0", port]
    assert asked == [f"http://127.0.0.1:{port}{'/ssrvae' if prefix else ''}{HEALTH}"]
    assert HEALTH in GUIDE


def test_the_guide_and_the_image_install_the_same_login():
    pins = {name: re.findall(rf"{name}==[\d.]+", DOCKERFILE + GUIDE) for name in ("Authlib", "httpx")}
    assert all(len(found) == 2 and len(set(found)) == 1 for found in pins.values())


def test_the_guides_secrets_are_what_streamlit_asks_for():
    (text,) = re.findall(r"```toml\n(.*?)```", GUIDE, flags=re.DOTALL)
    auth = tomllib.loads(text)["auth"]
    assert set(auth) == {"redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url"}
    assert auth["redirect_uri"].endswith("/ssrvae/oauth2callback")


def test_the_guides_proxy_upgrades_to_a_websocket_and_takes_as_much_as_the_dashboard():
    (text,) = re.findall(r"```nginx\n(.*?)```", GUIDE, flags=re.DOTALL)
    assert text.count("{") == text.count("}")
    assert "proxy_set_header Upgrade $http_upgrade;" in text and "proxy_set_header Host $host;" in text
    most = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["server"]["maxUploadSize"]
    assert f"client_max_body_size {most}m;" in text


@pytest.mark.parametrize("page", sorted((ROOT / "pages").glob("*.py")), ids=lambda page: page.stem)
def test_no_page_shows_anything_before_it_has_gone_through_the_app(page):
    """Streamlit may run a page by itself, and the login is in ``app.py``."""
    calls = [
        node.value.func
        for node in ast.parse(page.read_text()).body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ]
    assert isinstance(calls[0], ast.Name) and calls[0].id == "through_app"
