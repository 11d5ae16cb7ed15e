"""The command line: ``python -m ssrvae_core``.

Results go to stdout, everything else to stderr. With ``--json`` the last line of stdout is the result as JSON. An error
the user can fix is one sentence on stderr, below the usage where an option is wrong, and exit code 2. Heavy packages
are imported where they are used: ``list`` needs none of them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

from ssrvae_core.cli import (
    compare,
    doctor,
    embeddings,
    jobs,
    judge,
    library,
    predict,
    reports,
    runs,
    sharing,
    sweeps,
    train,
)
from ssrvae_core.cli.app import app
from ssrvae_core.cli.console import say
from ssrvae_core.config import MissingPictures, UserError
from ssrvae_core.registry import load_plugins

__all__ = ["app", "main"]

COMMANDS = (train, sweeps, judge, predict, compare, embeddings, runs, library, reports, sharing, jobs, doctor)
"""Modules whose commands are registered, in the order of ``--help``."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0, 2 for what the user can fix, 130 when interrupted."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if given[:1] not in (["work"], ["queue"]):  # a job says itself what it lacks
            load_plugins()
        app(given)
        sys.exit()
    except UserError as error:
        say("Error: " + " ".join(_sentence(error).split()))
        sys.exit(2)


def _sentence(error: UserError) -> str:
    """Return a complaint, with the way out that only the command line has."""
    if isinstance(error, MissingPictures) and not error.all_missing:
        return f"{str(error).removesuffix('.')}, or go on without them with --skip-missing."
    return str(error)
