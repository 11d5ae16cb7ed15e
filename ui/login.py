"""Who may look: everyone, or whoever logs in where the secrets have an ``[auth]`` section (``docs/deploy.md``)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAuthError

from ssrvae_core.config import UserError
from ui.markdown import public, verbatim
from ui.presentation import presenting

DEFAULT = "default"


def providers(auth: Mapping[str, Any]) -> list[str]:
    """Return the names of the identity providers an ``[auth]`` section has; its own is called ``default``."""
    named = [name for name, value in auth.items() if isinstance(value, Mapping) and "client_id" in value]
    return [DEFAULT, *named] if "client_id" in auth else named


def is_admitted() -> bool:
    """Whether this visitor may see the dashboard: no login is asked for, or they are logged in.

    Nobody may where the secrets cannot be read, and so might ask for a login; :func:`show_login` says so.
    """
    try:
        return _auth() is None or bool(st.user.get("is_logged_in"))
    except UserError:
        return False


def show_login() -> None:
    """Show the way in, and nothing else.

    Raises
    ------
    UserError
        If the login cannot work as it is set up, or the secrets cannot be read.
    """
    st.title("Log in")
    offered = providers(_auth() or {})
    if not offered:
        raise UserError("The section [auth] of the secrets names no client_id; docs/deploy.md has an example.")
    if find_spec("authlib") is None:
        raise UserError("The login needs Authlib on the server; docs/deploy.md says how to install it.")
    st.markdown("This dashboard shows itself to people who are logged in.")
    for provider in offered:
        label = "Log in" if provider == DEFAULT else f"Log in with {provider}"
        if st.button(verbatim(label), key=f"login-{provider}", type="primary", icon=":material/login:"):
            try:
                st.login(provider)
            except StreamlitAuthError as error:
                raise UserError(" ".join(str(error).split())) from error


def show_visitor() -> None:
    """Say in the sidebar who is logged in, with the way out; nothing where no login is asked for."""
    if _auth() is None or presenting():
        return
    st.sidebar.text(public(f"Logged in as {visitor() or 'somebody without a name'}"))
    st.sidebar.button("Log out", key="logout", icon=":material/logout:", on_click=st.logout)


def visitor() -> str:
    """Return who is logged in; empty where nobody has to be, or the login has no name."""
    return "" if _auth() is None else str(st.user.get("email") or st.user.get("name") or "")


def _auth() -> Mapping[str, Any] | None:
    """Return the ``[auth]`` section of the secrets, None where there is none."""
    if st.secrets.load_if_toml_exists():
        section: Mapping[str, Any] | None = st.secrets.get("auth")
        return section
    # Streamlit takes a file it cannot read for no file, which would open the dashboard to everyone.
    for file in map(Path, st.get_option("secrets.files")):
        if _may_exist(file):
            raise UserError(
                f"The secrets in {file.name} cannot be read; fix the file or its permissions, or remove it."
            )
    return None


def _may_exist(file: Path) -> bool:
    try:
        file.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True
