"""Selections with names, kept in the store for everybody who looks at the same images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ssrvae_core.runs import Run, selections
from ssrvae_core.runs.mode import is_viewer


@dataclass(frozen=True)
class StoreShelf:
    """The selections of one data set in a store."""

    root: Path
    key: str

    def all(self) -> list[dict[str, str]]:
        """Return their ``name`` and ``ids``, as ranges."""
        return [{"name": one.name, "ids": one.ids} for one in selections.kept(self.root, self.key)]

    def keep(self, name: str, ids: str | None) -> None:
        """Keep a selection under a name, or forget it.

        Raises
        ------
        UserError
            If the store cannot be written, or the name or the ids cannot be meant.
        """
        selections.keep(self.root, self.key, name, ids)


def shelf_of(run: Run) -> StoreShelf | None:
    """Return the shelf for a run's images; None in a viewer, which writes nothing."""
    return None if is_viewer() else StoreShelf(run.path.parent, selections.key_of(run.config.dataset))
