"""JSON of a stranger: bounded in size, depth, numbers and text, and saying everything once."""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import Any, NoReturn

from ssrvae_core.refusals import json_in_words
from ssrvae_core.runs.bundle.archive import Refusal

MAX_DEPTH = 12
MAX_TEXT = 300
"""Most characters of one string."""

MAX_PATH = 4096
"""Most characters of one string where paths of this machine may still be."""

_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # possessive, so that no text makes it slow
_BRACKET = re.compile(r"[\[\]{}]")


def parse(content: bytes, what: str, max_text: int = MAX_TEXT) -> Any:
    """Read JSON.

    Parameters
    ----------
    content : bytes
        UTF-8; the caller limits its length.
    what : str
        What it is called in a refusal.
    max_text : int
        Most characters of one string in it.

    Raises
    ------
    Refusal
        If it is not JSON, too deep, repeats a key, or holds a number that is not finite or does not fit into 64 bits,
        or a text that is too long or cannot be printed on one line.
    """
    try:
        text = content.decode("utf-8")
        if _depth(text) > MAX_DEPTH:
            raise Refusal(f"{what} is nested deeper than {MAX_DEPTH} levels")
        values = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
        _check(values, max_text)
    except Refusal:
        raise
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Refusal(f"{what} is not usable as JSON ({json_in_words(error)})") from error
    except ValueError as error:
        raise Refusal(f"{what} is not usable as JSON ({' '.join(str(error).split())[:100]})") from error
    return values


def parse_object(content: bytes, what: str, max_text: int = MAX_TEXT) -> dict[str, Any]:
    """Read JSON that is an object, as :func:`parse` does."""
    values = parse(content, what, max_text)
    if not isinstance(values, dict):
        raise Refusal(f"{what} is not a JSON object")
    return values


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _depth(text: str) -> int:
    brackets = _BRACKET.findall(_STRING.sub("", text))
    return max(itertools.accumulate(1 if bracket in "[{" else -1 for bracket in brackets), default=0)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key occurs twice")
    return values


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _check(value: Any, max_text: int) -> None:
    match value:
        case dict():
            for key, inner in value.items():
                _check(key, max_text)
                _check(inner, max_text)
        case list():
            for inner in value:
                _check(inner, max_text)
        case str():
            if len(value) > max_text or not value.isprintable():
                raise ValueError("a text is too long, or has characters that cannot be shown")
        case float():
            if not math.isfinite(value):
                raise ValueError("a number is not finite")
        case int():
            if abs(value) >= 2**63:
                raise ValueError("a number is too large")
