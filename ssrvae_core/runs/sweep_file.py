"""Sweeps written down in YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ssrvae_core.config import DATASETS, UserError
from ssrvae_core.runs.sweep_spec import SweepSpec, spec_of


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice, of which YAML would keep the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise UserError(f"line {key.start_mark.line + 1} has '{key.value}' a second time; keep one of them.")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_spec(path: Path) -> SweepSpec:
    """Read a sweep from a YAML (or JSON) file; paths of image files are relative to it.

    Raises
    ------
    UserError
        If the file cannot be read or a field is refused; the sentence names both.
    """
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise UserError(f"The sweep {path} cannot be opened: {error.strerror}.") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UserError(f"{path} is not YAML{where}: {error.problem}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}.") from error
    except RecursionError as error:
        raise UserError(f"{path} is not a sweep: it is nested too deeply.") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if not isinstance(values, dict):
        fields = ", ".join(SweepSpec.model_fields)
        raise UserError(
            f"{path} is not a sweep: write fields and values, such as 'seeds: [0, 1, 2]'; there are {fields}."
        )
    try:
        spec = spec_of(values)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    here = path.absolute().parent
    data = [name if name in DATASETS or not name.strip() or name[0] == "~" else str(here / name) for name in spec.data]
    return spec.model_copy(update={"data": tuple(data)})
