"""Who changed what in a library and when."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ssrvae_core.library import Library
from ssrvae_core.library.entries import Entry, Redo, Undo
from ssrvae_core.library.journal import in_words
from ssrvae_core.times import time_text
from ui import tables
from ui.markdown import note, verbatim

MOST = 200
"""Changes that a page lists; the journal has all."""


def lines(entries: Sequence[Entry], library: Library) -> list[tuple[str, str, str]]:
    """Return when, who and what of every entry, the latest first."""
    names = library.all_names
    found = []
    for entry in entries:
        of = entries[entry.entry] if isinstance(entry, Undo | Redo) and entry.entry < len(entries) else entry
        what = "" if isinstance(of, Undo | Redo) else in_words(of, names)
        back = "undone: " if isinstance(entry, Undo) else "made again: " if isinstance(entry, Redo) else ""
        found.append((time_text(entry.time), entry.who, back + what))
    return found[::-1]


def show(entries: Sequence[Entry], library: Library) -> None:
    """Show the changes of a library, to be opened."""
    with st.expander(verbatim(f"History: {len(entries):,} changes" if len(entries) != 1 else "History: 1 change")):
        if not entries:
            note("Nothing was changed yet. Every change is kept here with who made it and when, and can be undone.")
            return
        rows = lines(entries, library)
        st.html(tables.html(("When", "Who", "What"), rows[:MOST]))
        if len(rows) > MOST:
            note(f"The latest {MOST} of {len(rows):,} changes.")
