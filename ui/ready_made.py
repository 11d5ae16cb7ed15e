"""The lesson that comes with the program: six small runs in a bundle, so that nothing has to be trained to teach."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st

from ssrvae_core.runs import RunStore

BUNDLE = Path(__file__).with_name("lesson.zip")
"""Made by ``benchmarks/lesson.py``."""


def lesson_store() -> RunStore:
    """Return a store with the runs of the lesson, apart from the dashboard's own, which may be read-only.

    Raises
    ------
    UserError
        If the bundle is damaged.
    """
    return RunStore(_unpacked().name)


@st.cache_resource(max_entries=1, show_spinner="Opening the lesson")
def _unpacked() -> tempfile.TemporaryDirectory[str]:
    from ssrvae_core.runs.bundle import unpack_bundle

    folder = tempfile.TemporaryDirectory(prefix="ssrvae-lesson-")  # removed when the server ends
    unpack_bundle(BUNDLE, RunStore(folder.name))
    return folder
