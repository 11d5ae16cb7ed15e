"""Readers of picture files and folders of them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.contents import Contents, Fields
from ssrvae_core.data.dataset import UNLABELLED
from ssrvae_core.data.formats import readable
from ssrvae_core.data.limits import MAX_VALUES
from ssrvae_core.data.pages import PICTURE_SUFFIXES, read_pages

LABEL_TABLE = "labels.csv"
UNLABELLED_FOLDERS = ("unlabelled", "unlabeled")


def read_picture(path: Path) -> Contents:
    """Read one picture, or the pages of one TIFF, as unlabelled images.

    Where the file says it, the field ``pixel_size`` is the height and width of a pixel in nanometres, (N, 2).
    """
    pages = read_pages(path)
    fields: Fields = {"images": pages.images}
    if pages.pixel_size is not None:
        fields["pixel_size"] = np.tile(np.array(pages.pixel_size, dtype=np.float64), (len(pages.images), 1))
    return Contents(fields, pages.left_out, pages.remarks)


def read_folder(path: Path) -> Fields:
    """Read a folder of pictures.

    With a table ``labels.csv`` (columns ``file``, ``label``), pictures that have no label in it are unlabelled. Else
    every folder in it is a class, named for it; pictures beside the class folders, or in a folder called
    ``unlabelled``, are unlabelled. Every page of a TIFF is an image.
    """
    table = path / LABEL_TABLE
    files = visible_files(path, PICTURE_SUFFIXES)
    if not files:
        raise UserError(f"The folder {path} holds no picture; put {', '.join(PICTURE_SUFFIXES)} files into it.")
    texts = _table_labels(table, files) if table.exists() else [_folder_label(file, path) for file in files]
    images, pages = _stack(files, path)
    relative = [file.relative_to(path).as_posix() for file in files]
    names = [
        f"{n}#{page}" if count > 1 else n for n, count in zip(relative, pages, strict=True) for page in range(count)
    ]
    class_names = _class_names(texts)
    number = {name: label for label, name in enumerate(class_names)} | {"": UNLABELLED}
    labels = np.repeat([number[text] for text in texts], pages)
    return {
        "images": images,
        "labels": labels,
        "class_names": np.array(class_names, dtype=np.str_),
        "names": np.array(names),
    }


def visible_files(folder: Path, suffixes: Sequence[str] | None = None) -> list[Path]:
    """Files below a folder in the order of their relative path, without hidden files and folders."""
    files = [
        file
        for file in folder.rglob("*")
        if file.is_file() and not any(part.startswith((".", "__")) for part in file.relative_to(folder).parts)
    ]
    chosen = [file for file in files if suffixes is None or file.suffix.lower() in suffixes]
    return sorted(chosen, key=lambda file: file.relative_to(folder).as_posix())


def _folder_label(file: Path, folder: Path) -> str:
    """Name of the class folder a file is in, empty where unlabelled."""
    first, *rest = file.relative_to(folder).parts
    return first if rest and first.lower() not in UNLABELLED_FOLDERS else ""


def _class_names(texts: Sequence[str]) -> list[str]:
    """Class names in their order: numbers by size, other names by the alphabet."""
    names = {text for text in texts if text}
    if all(name.isdecimal() for name in names):
        return sorted(names, key=int)
    return sorted(names)


def _table_labels(table: Path, files: Sequence[Path]) -> list[str]:
    """Return the label of every file by a table, empty where it has none."""
    with readable(table, "a table of labels", csv.Error), table.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or not {"file", "label"} <= rows[0].keys():
        found = f"'{','.join(rows[0])}'" if rows else "no second line"
        raise UserError(
            f"{table} needs a first line 'file,label' and a line for every labelled picture, but has {found}."
        )
    labels: dict[Path, str] = {}
    known = set(files)
    for line, row in enumerate(rows, start=2):
        file = table.parent / (row["file"] or "").strip()
        if file not in known:
            raise UserError(f"Line {line} of {table} names the picture '{row['file']}', which is not in the folder.")
        if file in labels:
            raise UserError(f"Line {line} of {table} names the picture '{row['file']}' a second time.")
        labels[file] = (row["label"] or "").strip()
    return [labels.get(file, "") for file in files]


def _stack(files: Sequence[Path], source: Path) -> tuple[np.ndarray, list[int]]:
    """All pages of all files as one array (N, H, W, C), and the number of pages of each file."""
    stacks: list[np.ndarray] = []
    room = MAX_VALUES
    for file in files:
        stack = read_pages(file, room).images
        if stacks and stack.shape[1:3] != stacks[0].shape[1:3]:
            raise UserError(
                f"{file} is {_size(stack)} pixels but {files[0]} is {_size(stacks[0])}; all images of {source} must"
                " have one size."
            )
        if stacks and stack.dtype != stacks[0].dtype:
            raise UserError(
                f"{file} has {stack.dtype} pixels but {files[0]} has {stacks[0].dtype}; save all images of {source}"
                " with one depth."
            )
        room -= stack.size
        stacks.append(stack)
    channels = max(stack.shape[3] for stack in stacks)
    odd = next((i for i, stack in enumerate(stacks) if stack.shape[3] not in (1, channels)), None)
    if odd is not None:
        raise UserError(f"{files[odd]} has {stacks[odd].shape[3]} channels but others in {source} have {channels}.")
    counts = [len(stack) for stack in stacks]
    images = np.empty((sum(counts), *stacks[0].shape[1:3], channels), dtype=stacks[0].dtype)
    stacks.reverse()
    for stop, count in zip(np.cumsum(counts), counts, strict=True):
        images[stop - count : stop] = stacks.pop()  # each one goes as soon as it is copied
    return images, counts


def _size(stack: np.ndarray) -> str:
    return f"{stack.shape[1]} x {stack.shape[2]}"
