"""Shape annotations checked at every call of the package: jaxtyping binds the dimensions, and beartype compares."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from beartype import beartype
from jaxtyping import AbstractArray, install_import_hook

ROOT = Path(__file__).parents[1]


def annotated_modules() -> list[str]:
    """Return the modules with shape annotations; to check those without would only cost time."""
    files = sorted(ROOT.glob("ssrvae_core/**/*.py"))
    named = [file for file in files if "from jaxtyping import" in file.read_text()]
    return [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in named]


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check the shapes that a function takes and returns; of other types, mypy says more at less cost."""
    hints = {name: hint for name, hint in function.__annotations__.items() if _has_shape(hint)}
    function.__annotations__ = hints
    return beartype(function) if hints else function


def install() -> None:
    """Check the calls of the annotated modules, none of which may have been imported before."""
    install_import_hook(annotated_modules(), "tests.shapes.check")


def _has_shape(hint: Any) -> bool:
    return (inspect.isclass(hint) and issubclass(hint, AbstractArray)) or any(map(_has_shape, get_args(hint)))
