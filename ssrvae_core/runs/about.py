"""What people call a run and note of it: ``about.json`` in its directory, which training neither reads nor writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ssrvae_core.config import UserError
from ssrvae_core.runs.files import atomic_write, writing
from ssrvae_core.runs.mode import require_editor

if TYPE_CHECKING:
    from ssrvae_core.runs.store import Run

ABOUT = "about.json"
LONGEST_NAME, LONGEST_NOTE = 60, 2000

_SPACE = re.compile(r"[\s\x00-\x1f\x7f]+")


class About(BaseModel):
    """The content of ``about.json``: a name in one line, and a note; both may be empty."""

    model_config = ConfigDict(frozen=True)

    name: str = Field("", max_length=LONGEST_NAME)
    note: str = Field("", max_length=LONGEST_NOTE)


def read_about(path: Path) -> About:
    """Return what a run's directory says of it; nothing where there is no such file, or one that cannot be read."""
    try:
        return About.model_validate_json((path / ABOUT).read_bytes())
    except (OSError, ValidationError):
        return About()


def write_about(run: Run, name: str, note: str) -> About:
    """Name a run and note something of it; what is empty is removed.

    Parameters
    ----------
    run : Run
        The run.
    name : str
        A name, of which line breaks and repeated spaces become one space.
    note : str
        Any text.

    Raises
    ------
    UserError
        If either is too long, the store cannot be written, or this is a viewer.
    """
    require_editor()
    about = {"name": _SPACE.sub(" ", name).strip(), "note": note.strip()}
    for what, most in (("name", LONGEST_NAME), ("note", LONGEST_NOTE)):
        if len(about[what]) > most:
            raise UserError(f"The {what} of run {run.id} has {len(about[what])} characters; {most} are the most.")
    kept = About(**about)
    with writing(f"The store {run.path.parent}"):
        if kept == About():
            (run.path / ABOUT).unlink(missing_ok=True)
        else:
            atomic_write(run.path / ABOUT, kept.model_dump_json(indent=2) + "\n")
    return kept
