"""How the program was started, so that messages name commands that can be given where their reader is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

CONTAINER = "SSRVAE_CONTAINER"
"""Environment variable that the container's image sets to 1."""

ROOT = Path(__file__).parents[1]
"""The folder of the project."""


def in_container() -> bool:
    """Whether this is the container of the project, which has no make and no environment of its own."""
    return os.environ.get(CONTAINER) == "1"


def has_make() -> bool:
    """Whether the commands of the Makefile can be given here."""
    return not in_container() and (ROOT / "Makefile").is_file() and shutil.which("make") is not None


def python() -> str:
    """Return the Python to name in a command, from the folder of the project."""
    own = Path(".venv", "bin", "python")
    return str(own) if not in_container() and (ROOT / own).exists() else "python"


def command(words: str) -> str:
    """Return a command of the program, such as ``list``, as it is given in a terminal here."""
    return f"{python()} -m ssrvae_core {words}"


def demo_command() -> str:
    """Return the command that trains the demo."""
    return "make demo" if has_make() else command("demo")


def dashboard_sentence() -> str:
    """Say how the dashboard is opened: the beginning of a sentence, without its end."""
    if in_container():
        return "The dashboard of this container shows them"
    start = "make demo" if has_make() else f"{python()} -m ui.serve 127.0.0.1 8501"
    return f"'{start}' opens the dashboard on them"


def terminal() -> str:
    """Return where commands are given."""
    return "a terminal of the container" if in_container() else "a terminal"


def serving_argument(name: str, value: object) -> str:
    """Return an argument of the server as it is given: a variable of make, or one of the two arguments."""
    return f"{name}={value}" if has_make() else f"{value} as the {name.lower()}"
