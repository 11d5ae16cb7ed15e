"""Files and folders as users name them."""

from __future__ import annotations

from pathlib import Path


def located(name: str | Path) -> Path | None:
    """Return the file or folder that a user names, where ``~`` is a home; None where there is none of that name."""
    try:
        path = Path(name).expanduser()
        return path if str(name).strip() and path.exists() else None
    except (OSError, RuntimeError, ValueError):  # too long a name, nobody's home, or a name no file can have
        return None
