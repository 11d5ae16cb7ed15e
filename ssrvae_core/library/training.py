"""Corrected labels become training labels: a copy of the run's images with them, kept in the store, and its run.

The copy is an image file among the store's uploads, called by the fingerprint of its content, labels included. So the
new run's configuration holds the hash of the labels it was trained on, and everything that a run on an uploaded file
can do works: it is resumed, found again, shared and deleted like any other. The images that the run held out stay held
out, so that both runs can be compared on them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ssrvae_core.config import DatasetConfig, RunConfig, UserError
from ssrvae_core.data.dataset import UNLABELLED
from ssrvae_core.library.judging import held_out_and_corrected
from ssrvae_core.library.state import NONE, Library, Origin
from ssrvae_core.records import PARTS, Particles
from ssrvae_core.registry import source_of
from ssrvae_core.relevance import settle
from ssrvae_core.runs.files import replacing, writing
from ssrvae_core.runs.mode import require_editor
from ssrvae_core.runs.uploads import FOLDER, label_upload, upload_at, uploads

if TYPE_CHECKING:
    from ssrvae_core.data import ImageSet
    from ssrvae_core.data.contents import Fields
    from ssrvae_core.data.readers import ImageFile
    from ssrvae_core.runs.store import Run

_PARENT = "library"
"""Entry of an upload's label that says which library it came from."""

_CORRECTED = "corrected"
"""In it, the ids of all particles whose class a person had set by hand by then."""

_MOVED = "moved"
"""In it, the class of each held-out image among them, by its id: the file has no label of these."""


@dataclass(frozen=True)
class Labels:
    """The labels that a training from a library has.

    Attributes
    ----------
    rows : int64 array (M,)
        Positions of the particles that take part; those that a person put into none of these do not.
    labels : int64 array (M,)
        Position of each one's class in ``class_names``; -1 where no person knows it, and of the held-out images that a
        person moved, which must not judge the run.
    class_names : tuple of str
        The classes with a training label.
    n : int
        Training images with a label.
    new : int
        Those of them that had none before.
    changed : int
        Those of them that had another one before.
    held_out : int
        Images that the run held out and a person moved to a class: they teach nothing and judge nothing.
    left_out : int
        Images that were in the run's data, and are not in the next.
    """

    rows: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    n: int
    new: int
    changed: int
    held_out: int
    left_out: int

    def teach_as(self, other: Labels) -> bool:
        """Whether a training with these labels is one with the others: the same images, classes and parts."""
        same = np.array_equal(self.rows, other.rows) and np.array_equal(self.labels, other.labels)
        return same and self.class_names == other.class_names

    @property
    def in_words(self) -> str:
        """What it is trained with, such as ``37 labels, 12 new``."""
        told = ["1 label" if self.n == 1 else f"{self.n:,} labels"]
        told += [f"{self.new:,} new"] if self.new else []
        told += [f"{self.changed:,} changed"] if self.changed else []
        if self.left_out:
            told += ["1 particle left out" if self.left_out == 1 else f"{self.left_out:,} particles left out"]
        return ", ".join(told)


def training_labels(library: Library, particles: Particles) -> Labels:
    """Return the labels that the next training has: those the run was given, as people corrected them.

    Raises
    ------
    UserError
        If a class has no training label, or there are fewer than two classes.
    """
    left_out = (library.origin == Origin.HAND) & (library.assigned == NONE)
    training = particles.part != PARTS.index("validation")
    rows = np.flatnonzero(~left_out)
    known, teaches = library.known, library.known != NONE
    numbers = []
    for number, name in library.names.items():
        if (teaches & training & (known == number)).any():
            numbers.append(number)
        elif (library.assigned == number).any():
            raise UserError(
                f"No training image of class '{name}' has a label from a person; move one of its particles there by"
                " hand, or merge the class into another."
            )
    if len(numbers) < 2:
        raise UserError(
            "Training again needs labels of at least two classes; move particles to a second class by hand first."
        )
    before = library.current(library.base.labels)
    position = np.full(library.next_class + 1, UNLABELLED)  # the last one is that of -1
    position[numbers] = np.arange(len(numbers))
    taught = teaches & training
    moved = held_out_and_corrected(library, particles)
    return Labels(
        rows=rows,
        labels=np.where(moved, UNLABELLED, position[known])[rows],
        class_names=tuple(library.names[number] for number in numbers),
        n=int(taught.sum()),
        new=int((taught & (before == NONE)).sum()),
        changed=int((taught & (before != NONE) & (before != known)).sum()),
        held_out=int(moved.sum()),
        left_out=int(left_out.sum()),
    )


def train_again_config(
    run: Run, library: Library, particles: Particles, load: Callable[[DatasetConfig], ImageSet] | None = None
) -> RunConfig:
    """Keep the images of a run with corrected labels in the store, and return the configuration of a run on them.

    The same labels give the same configuration, so that nothing is trained twice.

    Parameters
    ----------
    run : Run
        Finished, whose images are in reach.
    library, particles : Library and Particles
        Of that run.
    load : callable, optional
        Gives the images of a generated data set; by default they are drawn.

    Raises
    ------
    UserError
        If the labels do not suffice (see :func:`training_labels`), nothing was corrected, the images are not here, the
        store cannot be written, or this is a viewer.
    """
    require_editor()
    labels = training_labels(library, particles)
    if not corrected(labels, library):
        only = "but held-out images, which teach nothing" if labels.held_out else "in the library"
        raise UserError(
            f"Nothing was corrected {only}, so training again would only repeat the run; move other particles to the"
            " classes that they belong to first."
        )
    dataset = run.dataset
    fields = _drawn(run, load) if dataset.path is None else _stored(run)
    order = np.argsort(fields["ids"])
    if not np.array_equal(fields["ids"][order], particles.ids):
        raise UserError(
            f"The images of run {run.id} are not those that it classified; restore its file, or have it classify all"
            f" its images again, with 'predict {run.id} --all'."
        )
    rows = order[labels.rows]
    fields = {name: values if name.endswith("_names") else values[rows] for name, values in fields.items()}
    held_out = particles.part[labels.rows] == PARTS.index("validation")
    fields["labels"], fields["class_names"] = labels.labels, np.array(labels.class_names, dtype=np.str_)
    fields["split"] = np.where(held_out, "validation", "train")
    path, sha256 = _kept(run, fields, labels, library, particles)
    update: dict[str, Any] = {"source": "file", "path": str(path), "sha256": sha256, "skip_missing": False}
    return _config(run.config, dataset.model_copy(update=update))


def corrected(labels: Labels, library: Library) -> bool:
    """Whether a training with these labels would be another one than the library's run."""
    changed = labels.new or labels.changed or labels.left_out
    return bool(changed) or labels.class_names != library.base.class_names


@dataclass(frozen=True)
class Parent:
    """Which library a run was trained from: the run it is of, and the entries that its journal had."""

    run: str
    entries: int


def parent_of(run: Run) -> Parent | None:
    """Return the library that a run was trained from; None where it was trained from a file as it was."""
    return parent_of_data(run.config.dataset, run.path.parent)


def parent_of_data(dataset: DatasetConfig, root: Path) -> Parent | None:
    """Return the library whose labels a data set of a store has; None where it is a file as it was."""
    match _parent_told(dataset, root):
        case {"run": str(parent), "entries": int(entries)}:
            return Parent(parent, entries)
    return None


def _parent_told(dataset: DatasetConfig, root: Path) -> dict[str, Any]:
    """Return what the label of a data set's upload says of the library that it came from; empty where it is not one."""
    sha256 = dataset.sha256
    if sha256 is None:
        return {}
    told = [upload.told.get(_PARENT) for upload in uploads(root) if upload.has_content(sha256)]
    return next((one for one in told if isinstance(one, dict)), {})


def corrected_before(run: Run) -> list[int]:
    """Return the ids of the particles that people had moved by hand before a run was trained."""
    parent = _parent_told(run.config.dataset, run.path.parent)
    corrected = parent.get(_CORRECTED)
    return [one for one in corrected if isinstance(one, int)] if isinstance(corrected, list) else []


def moved_before(run: Run) -> dict[int, int]:
    """Return the class of each held-out image that people had moved before a run was trained, by its id."""
    moved = _parent_told(run.config.dataset, run.path.parent).get(_MOVED)
    found = moved.items() if isinstance(moved, dict) else ()
    return {int(name): k for name, k in found if re.fullmatch(r"-?\d+", name) and isinstance(k, int)}


def _corrected(library: Library) -> list[int]:
    return library.base.ids[(library.origin == Origin.HAND) | library.base.corrected].tolist()


def _moved(labels: Labels, library: Library, particles: Particles) -> dict[str, int]:
    rows = np.flatnonzero(held_out_and_corrected(library, particles)).tolist()
    position = {number: labels.class_names.index(library.names[number]) for number in set(library.known[rows].tolist())}
    return {str(library.base.ids[row]): position[int(library.known[row])] for row in rows}


def _config(config: RunConfig, dataset: DatasetConfig) -> RunConfig:
    """Return a run's configuration on other data, with every label they have."""
    model = config.model
    if source_of(config.dataset.source).poses_known:  # those labelled by hand stand at any angle
        model = model.model_copy(update={"angle_prior_labelled": "uniform"})
    split = config.split.model_copy(update={"labels_per_class": None, "labelled_ratio": None})
    return settle(config.model_copy(update={"dataset": dataset, "model": model, "split": split}))


def _stored(run: Run) -> Fields:
    """Return the fields of a run's file, images as they are stored there, without labels."""
    from ssrvae_core.data.fields import FACTOR
    from ssrvae_core.data.readers import open_images
    from ssrvae_core.data.stored import in_memory
    from ssrvae_core.runs.data_files import is_here

    dataset = run.dataset
    if not is_here(dataset):
        raise UserError(
            f"The file '{run.data_name}' that the run was trained on is not here; upload the same file on the Data"
            " page, where it is recognised by its content, whatever its name is."
        )
    opened = open_images(dataset.path or "", dataset.skip_missing)
    if not opened.holds(dataset):
        raise UserError(f"The content of {run.data_name} has changed since the run was trained; restore the file.")
    pixels, known = in_memory(opened.pixels), opened.annotations
    fields: Fields = {"images": pixels[..., 0] if pixels.shape[3] == 1 else pixels, "ids": known.ids}
    arrays = {"groups": known.groups, "masks": known.masks, "pixel_size": known.pixel_size}
    fields |= {name: in_memory(values) for name, values in arrays.items() if values is not None}
    texts = {"names": known.names, "group_names": known.group_names}
    fields |= {name: np.array(values, dtype=np.str_) for name, values in texts.items() if values is not None}
    return fields | {FACTOR + name: values for name, values in known.factors.items()}


def _drawn(run: Run, load: Callable[[DatasetConfig], ImageSet] | None) -> Fields:
    """Return the fields of a generated data set, each image as the run saw it, without its view."""
    from ssrvae_core.data import load as draw
    from ssrvae_core.data import split
    from ssrvae_core.data.writing import fields_of, joined

    images = (load or draw)(run.config.dataset.model_copy(update={"view": "image"}))
    fields = fields_of(replace(joined(split(images, run.config.split)), validation=None))
    return {name: values for name, values in fields.items() if name not in ("labels", "class_names")}


def _kept(run: Run, fields: Fields, labels: Labels, library: Library, particles: Particles) -> tuple[Path, str]:
    """Keep an image file among the store's uploads; return its path and its fingerprint."""
    from ssrvae_core.data.contents import Contents
    from ssrvae_core.data.readers import ImageFile
    from ssrvae_core.data.summary import summary

    root = run.path.parent
    opened = ImageFile(Path(run.data_name), Contents(fields))
    sha256 = opened.sha256
    path = root / FOLDER / f"{sha256}.npz"
    with writing(f"The store {root}"):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, **fields)
        stem = Path(run.data_name).stem[:40]
        parent = {
            "run": run.id,
            "entries": library.n_entries,
            _CORRECTED: _corrected(library),
            _MOVED: _moved(labels, library, particles),
        }
        read = _told(opened, summary(opened)) | {_PARENT: parent}
        label_upload(path, f"{stem} with {labels.in_words}.npz", sha256=sha256, read=read)
    return upload_at(path).path, sha256


def _told(opened: ImageFile, found: Any) -> dict[str, Any]:
    """Return what the label of an upload says of what is read from it."""
    scale = {"scale": list(found.scale), "needed": opened.scale.needed}
    return {"lines": list(found.lines()), **scale, "masks": found.masks}
