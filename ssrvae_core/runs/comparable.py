"""Which runs are judged on the same validation images, so that they can be compared."""

from __future__ import annotations

from collections.abc import Iterable

from ssrvae_core.runs.store import Run


def same_images(run: Run, other: Run) -> bool:
    """Whether two runs are judged on the same validation images.

    A generated data set brings its own validation part; that of a file depends on the split.
    """
    if run.config.dataset.model_dump(exclude={"path"}) != other.config.dataset.model_dump(exclude={"path"}):
        return False
    rules = [(r.config.split.seed, r.config.split.by_group, r.config.split.validation_fraction) for r in (run, other)]
    return run.config.dataset.source != "file" or rules[0] == rules[1]


def by_images(runs: Iterable[Run]) -> list[list[Run]]:
    """Group runs that are judged on the same images, both groups and runs in the order given."""
    groups: list[list[Run]] = []
    for run in runs:
        group = next((group for group in groups if same_images(group[0], run)), None)
        if group is None:
            groups.append([run])
        else:
            group.append(run)
    return groups
