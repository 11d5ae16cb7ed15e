"""What comes with the program, so that nothing has to be trained to teach: a lesson, and a sweep over labels."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from ssrvae_core.config import UserError
from ssrvae_core.data.formats import ZIP_DAMAGES
from ssrvae_core.runs import Run, RunStore

BUNDLE = Path(__file__).with_name("lesson.zip")
"""The lesson: six small runs. Made by ``benchmarks/lesson.py``."""
LABELS_ARCHIVE = Path(__file__).with_name("labels.zip")
"""The sweep over labels: what its film shows of 36 runs, without their weights. Made by ``benchmarks/labels.py``."""


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


def labels_runs() -> Sequence[Run]:
    """Return the runs of the sweep over labels, apart from the dashboard's own; they have results and no weights.

    Raises
    ------
    UserError
        If the archive is damaged.
    """
    return RunStore(_labels_unpacked().name).runs()


@st.cache_resource(max_entries=1, show_spinner="Opening the sweep over labels")
def _labels_unpacked() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="ssrvae-labels-")  # removed when the server ends
    try:
        unpack(LABELS_ARCHIVE, Path(folder.name))
    except UserError:
        folder.cleanup()
        raise
    return folder


def unpack(archive: Path, folder: Path) -> None:
    """Take the files of an archive that came with the program into a folder.

    Raises
    ------
    UserError
        If it is damaged or not there, or the folder cannot be written.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            file.extractall(folder)
    except OSError as error:
        reason = error.strerror or "it is cut short"
        raise UserError(
            f"{archive.name} cannot be unpacked ({reason}); make room for temporary files or install the program again."
        ) from error
    except ZIP_DAMAGES as error:
        raise UserError(f"{archive.name} is damaged; install the program again.") from error
