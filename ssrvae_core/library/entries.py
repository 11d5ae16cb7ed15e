"""What a line of a library's journal may say: one model per action, checked when it is read and when it is written."""

from __future__ import annotations

import json
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from ssrvae_core.config import Frozen, UserError
from ssrvae_core.data.labels import is_unlabelled, normal
from ssrvae_core.data.limits import MAX_NAME
from ssrvae_core.refusals import in_words, json_in_words
from ssrvae_core.runs.directory import LATEST

MAX_WHO = 80
"""Most characters of the name of who changes a library."""

NONE_OF_THESE = "none of these"
"""What particles are called that belong to no class."""

ClassId = Annotated[int, Field(ge=0, le=2**31 - 1)]
SampleId = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]


class Written(Frozen):
    """What every entry says: when (Unix time), by whom, and of which run it is."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True, strict=True)

    time: Annotated[float, Field(ge=0, le=LATEST)]
    who: Annotated[str, Field(min_length=1, max_length=MAX_WHO)]
    run: str

    def line(self) -> str:
        """Return the entry as a line of the journal."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), separators=(",", ":"), allow_nan=False)


Several = Annotated[tuple[SampleId, ...], Field(min_length=1, strict=False)]
Before = Annotated[tuple[ClassId | None, ...], Field(alias="from", strict=False)]


class _OfParticles(Written):
    """An entry about particles: their ids, and the class each was in before, None for none of these."""

    particles: Several
    before: Before

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if len(self.before) != len(self.particles):
            raise ValueError("it has another number of classes under 'from' than of particles")
        return self


class Move(_OfParticles):
    """Particles belong to another class; ``to`` is None for none of these."""

    action: Literal["move"] = "move"
    to: ClassId | None


class Divide(_OfParticles):
    """Particles make a new class: its id is ``class``, its name ``to``."""

    action: Literal["split"] = "split"
    number: Annotated[ClassId, Field(alias="class")]
    to: str


class Rename(Written):
    """A class has another name."""

    action: Literal["rename"] = "rename"
    number: Annotated[ClassId, Field(alias="class")]
    before: Annotated[str, Field(alias="from")]
    to: str


class Merge(Written):
    """Classes go into another one, whose name stays."""

    action: Literal["merge"] = "merge"
    numbers: Annotated[tuple[ClassId, ...], Field(alias="class", min_length=1, strict=False)]
    to: ClassId


class Threshold(Written):
    """Particles with a larger outlier score belong to none of these; None: no score does that."""

    action: Literal["threshold"] = "threshold"
    before: Annotated[float | None, Field(alias="from")]
    to: float | None


class Undo(Written):
    """The last entry that counts does not count any more; ``entry`` is its position in the journal, from 0."""

    action: Literal["undo"] = "undo"
    entry: Annotated[int, Field(ge=0)]


class Redo(Written):
    """The entry that was undone last counts again."""

    action: Literal["redo"] = "redo"
    entry: Annotated[int, Field(ge=0)]


Change = Move | Divide | Rename | Merge | Threshold
Entry = Change | Undo | Redo

_ENTRY: TypeAdapter[Entry] = TypeAdapter(Annotated[Entry, Field(discriminator="action")])


def parse(line: str) -> Entry:
    """Return what a line says.

    Raises
    ------
    ValueError
        If it is not an entry; the text is a clause without a full stop.
    """
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(json_in_words(error)) from error
    if not isinstance(values, dict):
        raise ValueError('it is not a change with its fields in braces, such as {"action": "undo"}')
    try:
        return _ENTRY.validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"].startswith("union_tag"):
            raise ValueError("it does not say which change it is, such as 'move' or 'rename'") from error
        _, *fields = first["loc"]  # after the kind of change
        where = ".".join(map(str, fields))
        words = in_words(first).rstrip(".")
        raise ValueError(f"its field '{where}' cannot be used: {words}" if where else words) from error


def checked_who(who: str) -> str:
    """Return the name of who changes a library, as it is kept.

    Raises
    ------
    UserError
        If it is empty or too long.
    """
    name = normal(who)
    if not 0 < len(name) <= MAX_WHO:
        raise UserError(
            f"The name of who changes the library has {len(name)} characters; give 1 to {MAX_WHO}, such as"
            " your initials."
        )
    return name


def checked_name(name: str) -> str:
    """Return the name of a class as it is kept.

    Raises
    ------
    UserError
        If it is empty, too long, or a word that image files and tables take for "no label".
    """
    kept = normal(name)
    if not 0 < len(kept) <= MAX_NAME:
        shown = f"'{kept[:30]}...' has {len(kept)} characters" if kept else "An empty name cannot be that of a class"
        raise UserError(f"{shown}; give the class a name of 1 to {MAX_NAME} characters.")
    if is_unlabelled(kept) or kept.casefold() == NONE_OF_THESE:
        raise UserError(
            f"'{kept}' means that a particle has no class wherever labels are read; give the class another name, such"
            f" as '{kept} class'."
        )
    return kept
