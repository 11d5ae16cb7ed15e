"""Whether this installation may change anything: ``SSRVAE_MODE`` is ``editor`` (the default) or ``viewer``."""

from __future__ import annotations

import os

from ssrvae_core.config import UserError

ENVIRONMENT = "SSRVAE_MODE"
EDITOR, VIEWER = "editor", "viewer"


def is_viewer() -> bool:
    """Whether runs and jobs may only be looked at.

    Raises
    ------
    UserError
        If ``SSRVAE_MODE`` is neither of the two modes.
    """
    mode = os.environ.get(ENVIRONMENT) or EDITOR
    if mode not in {EDITOR, VIEWER}:
        raise UserError(f"{ENVIRONMENT} is '{mode}'; set it to '{EDITOR}' or '{VIEWER}'.")
    return mode == VIEWER


def require_editor() -> None:
    """Refuse to go on in viewer mode; everything that changes the store for a visitor calls this first.

    Raises
    ------
    UserError
        If ``SSRVAE_MODE`` is ``viewer``.
    """
    if is_viewer():
        raise UserError(
            f"This is read-only ({ENVIRONMENT}={VIEWER}); start it with {ENVIRONMENT}={EDITOR} to change it."
        )
