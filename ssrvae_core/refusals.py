"""What pydantic and json refuse, in words for people who know neither."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_WORDS = {
    "missing": "it is missing",
    "extra_forbidden": "there is no such field",
    "bool_type": "give true or false",
    "bool_parsing": "give true or false",
    "int_type": "give a whole number",
    "int_parsing": "give a whole number",
    "int_parsing_size": "give a smaller whole number",
    "int_from_float": "give a whole number",
    "float_type": "give a number",
    "float_parsing": "give a number",
    "finite_number": "give a finite number",
    "greater_than": "give a number greater than {gt}",
    "greater_than_equal": "give {ge} or more",
    "less_than": "give a number less than {lt}",
    "less_than_equal": "give {le} or less",
    "string_type": "give a text",
    "string_unicode": "give a text of characters that can be written",
    "string_too_short": "give a text of {min_length} characters or more",
    "string_too_long": "give a text of {max_length} characters or fewer",
    "string_pattern_mismatch": "give a text of another form",
    "literal_error": "give {expected}",
    "tuple_type": "give a list in brackets, such as [32, 64]",
    "list_type": "give a list in brackets, such as [32, 64]",
    "too_short": "give at least one value",
    "too_long": "give {max_length} values or fewer",
    "dict_type": "it is a group of settings; set one of them by its dotted name",
    "model_type": "it is a group of settings; set one of them by its dotted name",
    "model_attributes_type": "it is a group of settings; set one of them by its dotted name",
    "json_invalid": "it is not JSON, or cut short",
    "json_type": "it is not JSON",
}
"""What to say by the type of pydantic's error; ``{names}`` are of its context."""


def in_words(problem: Mapping[str, Any]) -> str:
    """Return what is wrong with a value, as a clause; what a check of ours says, in its own words.

    Parameters
    ----------
    problem : mapping
        One of the ``errors()`` of a pydantic ``ValidationError``.
    """
    context = problem.get("ctx", {})
    if problem["type"] == "too_short" and context.get("min_length", 1) > 1:
        return f"give {context['min_length']} values or more"
    words = _WORDS.get(problem["type"])
    if words is None:
        said: str = problem["msg"].removeprefix("Value error, ")
        return said[:1].lower() + said[1:]
    return words.format(**context)


def json_in_words(error: ValueError | RecursionError) -> str:
    """Return why a text is not JSON, as a clause."""
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON from character {error.pos + 1} on"
    return "it is not JSON"
