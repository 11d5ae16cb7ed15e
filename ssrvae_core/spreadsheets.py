"""Texts in tables that people open in a spreadsheet, which takes one that begins with =, +, - or @ for a formula.

Names of files and classes come from anywhere, and a formula may fetch what it likes. An apostrophe before such a text
makes it a text for a spreadsheet; :func:`original` takes it off again.
"""

from __future__ import annotations

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def harmless(text: str) -> str:
    """Return a text as it goes into a table for people: with an apostrophe before what would be a formula.

    A text that looks as if it had one already gets another, so that :func:`original` gives every text back.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def original(text: str) -> str:
    """Return the text that :func:`harmless` was given."""
    return text[1:] if _GUARDED.match(text) else text
