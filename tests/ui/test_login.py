"""A login, where the secrets ask for one, keeps everything from those who are not logged in."""

from __future__ import annotations

import pytest

from ui.login import providers

GOOGLE = {"client_id": "id", "client_secret": "secret", "server_metadata_url": "https://example.org/openid"}
AUTH = {"redirect_uri": "http://localhost:8501/oauth2callback", "cookie_secret": "x" * 48}


@pytest.fixture
def open_app(make_store, open_page):
    """Open a page as somebody, with an [auth] section in the secrets."""

    def go(page, auth, user):
        make_store("two")
        app = open_page(page)
        app.secrets["auth"] = auth
        app.user = user
        return app.run()

    return go


def everything(app):
    return [element.value for kind in (app.title, app.caption, app.markdown, app.code) for element in kind]


@pytest.mark.parametrize("page", ["overview", "latent", "confusion"])
@pytest.mark.parametrize("user", [{}, {"is_logged_in": False}])
def test_nothing_is_shown_before_the_login(page, user, open_app):
    app = open_app(page, AUTH | GOOGLE, user)
    assert not app.exception
    assert [title.value for title in app.title] == ["Log in"]
    assert not app.dataframe and not app.selectbox and not app.code and not app.caption


def test_who_is_logged_in_sees_the_page_and_a_way_out(open_app):
    app = open_app("latent", AUTH | GOOGLE, {"is_logged_in": True, "email": "ann@example.org"})
    assert [title.value for title in app.title] == ["Latent space"]
    assert "Logged in as ann@example.org" in [text.value for text in app.sidebar.text]
    assert "Log out" in [button.label for button in app.sidebar.button]


def test_without_an_auth_section_nobody_is_asked(make_store, open_page):
    make_store("two")
    app = open_page("overview")
    assert app.title[0].value == "Overview"
    assert "Log out" not in [button.label for button in app.sidebar.button]


def test_every_provider_has_a_button(open_app, monkeypatch):
    monkeypatch.setattr("ui.login.find_spec", lambda name: True)
    app = open_app("overview", AUTH | {"google": GOOGLE, "campus": GOOGLE}, {})
    assert [button.label for button in app.button] == ["Log in with google", "Log in with campus"]


def test_settings_of_a_provider_are_no_provider():
    assert providers(AUTH | GOOGLE | {"client_kwargs": {"prompt": "login"}}) == ["default"]


def test_a_login_without_authlib_or_without_a_provider_is_a_sentence(open_app, monkeypatch):
    monkeypatch.setattr("ui.login.find_spec", lambda name: None)
    assert "needs Authlib" in open_app("overview", AUTH | GOOGLE, {}).error[0].value


def test_an_empty_auth_section_keeps_everybody_out(open_app):
    app = open_app("overview", AUTH, {})
    assert "names no client_id" in app.error[0].value and [title.value for title in app.title] == ["Log in"]


def test_secrets_that_cannot_be_read_keep_everybody_out(make_store, open_page, tmp_path, monkeypatch):
    make_store("two")
    (tmp_path / "secrets.toml").write_text("[auth")
    monkeypatch.setattr("ui.login.st.get_option", lambda name: [str(tmp_path / "secrets.toml")])
    app = open_page("latent")
    assert "secrets.toml cannot be read" in app.error[0].value
    assert [title.value for title in app.title] == ["Log in"]
