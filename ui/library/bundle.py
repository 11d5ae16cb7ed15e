"""One script of the library's modules and of the explorer's, which they use."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from ssrvae_core.reports.explorer import bundle

HERE = Path(__file__).parent
MODULES = ("marks.js", "choices.js", "column.js", "controls.js", "dragging.js", "threshold.js", "library.js")
"""The library's own, each after those that it imports."""

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./[\w.]+";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const)\b)", re.MULTILINE)


@cache
def script() -> str:
    """Return all modules as declarations of one scope."""
    own = (_EXPORT.sub("", _IMPORT.sub("", (HERE / name).read_text("utf-8"))) for name in MODULES)
    return "\n".join((bundle.script(), *own))


@cache
def style() -> str:
    """Return the style sheet."""
    return bundle.style() + (HERE / "library.css").read_text("utf-8")
