"""One script of the explorer's modules, for pages that cannot import them: without Node, by taking the imports out.

That works while every module keeps to what a test holds: imports are single lines of names from a neighbour, what is
exported is declared where it is exported, and no two modules declare the same name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
ENTRIES = ("table.js", "kept.js", "explorer.js")

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w.]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const)\b)", re.MULTILINE)
_DECLARED = re.compile(r"^(?:export )?(?:async )?(?:function|class|const|let) (?:\[([^\]]*)\]|(\w+))", re.MULTILINE)


@cache
def script() -> str:
    """Return all modules in the order in which they need each other, as declarations of one scope."""
    return "\n".join(_plain(name) for name in modules())


@cache
def style() -> str:
    """Return the style sheet."""
    return (HERE / "explorer.css").read_text("utf-8")


def modules() -> list[str]:
    """Names of the modules, each after those that it imports."""
    found: list[str] = []

    def visit(name: str) -> None:
        if name not in found:
            for _, other in _IMPORT.findall(_text(name)):
                visit(other)
            found.append(name)

    for entry in ENTRIES:
        visit(entry)
    return found


def declared(name: str) -> Iterator[str]:
    """Yield the names that a module declares at its top."""
    for several, one in _DECLARED.findall(_text(name)):
        yield from (word.strip() for word in several.split(",")) if several else [one]


def _text(name: str) -> str:
    return (HERE / name).read_text("utf-8")


def _plain(name: str) -> str:
    return _EXPORT.sub("", _IMPORT.sub("", _text(name)))
