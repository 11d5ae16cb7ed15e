"""Readers of picture formats: PNG, JPEG, multi-page TIFF, and folders of them."""

from __future__ import annotations

import csv
import logging
import lzma
import math
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ssrvae_core.config import UserError
from ssrvae_core.data.contents import Fields
from ssrvae_core.data.dataset import UNLABELLED
from ssrvae_core.data.formats import readable
from ssrvae_core.data.limits import MAX_VALUES, check_declared

TIFF_SUFFIXES = (".tif", ".tiff")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", *TIFF_SUFFIXES)
TIFFFILE_CODECS = ("NONE", "PACKBITS", "DEFLATE", "ADOBE_DEFLATE", "LZMA")  # without a further package
ALPHA_SAMPLES = {1, 2}  # TIFF 6.0, ExtraSamples: associated and unassociated alpha
PARSER_DAMAGES = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, SyntaxError, TypeError),
    *(struct.error, zlib.error, lzma.LZMAError),
)  # all of them were seen to leave the picture libraries on damaged bytes
LABEL_TABLE = "labels.csv"
UNLABELLED_FOLDERS = ("unlabelled", "unlabeled")


def read_picture(path: Path) -> Fields:
    """Read one picture, or the pages of one TIFF, as unlabelled images."""
    return {"images": _stack([path], path)[0]}


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
        stack = _read_tiff(file, room) if file.suffix.lower() in TIFF_SUFFIXES else _read_pillow(file, room)[None]
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
    images = np.concatenate([np.broadcast_to(stack, (*stack.shape[:3], channels)) for stack in stacks])
    if channels == 3 and (images == images[..., :1]).all():
        images = images[..., :1]  # grey pictures that were saved in colour
    return images, [len(stack) for stack in stacks]


def _size(stack: np.ndarray) -> str:
    return f"{stack.shape[1]} x {stack.shape[2]}"


def _check_room(path: Path, shape: Sequence[int], room: int) -> None:
    check_declared(path, "images", shape)
    if math.prod(shape) > room:
        raise UserError(f"The folder of {path} holds more than {MAX_VALUES:,} pixel values; read fewer at once.")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a picture with Pillow, which refuses decompression bombs by their header."""
    from PIL import Image

    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    with readable(path, "a picture", *PARSER_DAMAGES, *bombs), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path) as picture:
            yield picture


def _read_pillow(path: Path, room: int) -> np.ndarray:
    """One PNG or JPEG, (H, W, C)."""
    with _opened(path) as picture:
        _check_room(path, (*picture.size[::-1], len(picture.getbands())), room)
        return _pixels(picture, path)


def _pixels(picture: Any, path: Path) -> np.ndarray:
    """Pixels (H, W, C) of a Pillow image: palettes resolved, alpha composited away."""
    if picture.mode == "P":
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    if picture.mode in ("1", "CMYK", "YCbCr", "LAB", "HSV"):
        picture = picture.convert("L" if picture.mode == "1" else "RGB")
    pixels = np.asarray(picture)
    if picture.mode == "I":  # what Pillow makes of some 16-bit pictures
        if pixels.min() < 0 or pixels.max() > np.iinfo(np.uint16).max:
            raise UserError(f"{path} has pixels of more than 16 bits; save it with 8 or 16 bits, or as float TIFF.")
        pixels = pixels.astype(np.uint16)
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    return _without_alpha(pixels) if picture.mode in ("LA", "RGBA") else pixels


def _without_alpha(pixels: np.ndarray) -> np.ndarray:
    """Composite on black: what is transparent has no colour of its own, whatever its pixels say."""
    colour, alpha = pixels[..., :-1], pixels[..., -1:]
    largest = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    return np.rint(colour * (alpha / largest)).astype(pixels.dtype) if (alpha < largest).any() else colour


def _read_tiff(path: Path, room: int) -> np.ndarray:
    """All pages of a TIFF, (N, H, W, C)."""
    import tifffile

    with readable(path, "a TIFF file", *PARSER_DAMAGES), _Complaints.raised(), tifffile.TiffFile(path) as file:
        pages = [series.keyframe for series in file.series]
        shapes = [series.shape for series in file.series]
        if len(set(shapes)) > 1:
            raise UserError(f"The pages of {path} have several sizes; save pages of one size.")
        if not shapes:
            raise ValueError("it has no page")
        _check_room(path, (len(shapes), *shapes[0]), room)
        readers_own = {tifffile.COMPRESSION[name] for name in TIFFFILE_CODECS}
        if any(page.compression not in readers_own for page in pages):
            return _read_pillow_pages(path)
        series = [(series.asarray(), series.axes) for series in file.series]
    stacks = [_channels_last(pixels, axes, path) for pixels, axes in series]
    photometric, extra = pages[0].photometric, set(pages[0].extrasamples)
    if photometric == tifffile.PHOTOMETRIC.PALETTE:
        raise UserError(f"{path} has a colour palette; save it as grey or RGB.")
    images = np.concatenate(stacks)
    if photometric == tifffile.PHOTOMETRIC.MINISWHITE and images.dtype.kind == "u":
        images = np.iinfo(images.dtype).max - images
    return _without_alpha(images) if "S" in series[0][1] and extra & ALPHA_SAMPLES else images


class _Complaints(logging.Handler):
    """Collects what tifffile logs: of a chain of pages that breaks off it says nothing else."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what concerns the chain of pages or the file; a strange tag alone does no harm."""
        message = record.getMessage()
        if message.startswith(("<tifffile.TiffPages", "<tifffile.TiffFile")):
            self.messages.append(message)

    @classmethod
    @contextmanager
    def raised(cls) -> Iterator[None]:
        """Raise the first complaint as a ValueError."""
        complaints, logger = cls(), logging.getLogger("tifffile")
        logger.addHandler(complaints)
        try:
            yield
        finally:
            logger.removeHandler(complaints)
        if complaints.messages:
            raise ValueError(complaints.messages[0].partition("> ")[2])


def _channels_last(pixels: np.ndarray, axes: str, path: Path) -> np.ndarray:
    """Bring samples or channels last, (N, H, W, C); every other axis of a TIFF series is a run of pages."""
    channel = next((axes.index(axis) for axis in "SC" if axis in axes), None)
    if channel is None:
        pixels, channel = pixels[..., None], pixels.ndim
    if not {"X", "Y"} <= set(axes):
        raise UserError(f"The pages of {path} have the axes '{axes}' and not X and Y; save a stack of images.")
    pixels = np.moveaxis(pixels, [axes.index("Y"), axes.index("X"), channel], [-3, -2, -1])
    return pixels.reshape(-1, *pixels.shape[-3:])


def _read_pillow_pages(path: Path) -> np.ndarray:
    """All pages of a TIFF in one of the compressions that Pillow brings."""
    from PIL import ImageSequence

    with _opened(path) as picture:
        return np.stack([_pixels(frame, path) for frame in ImageSequence.Iterator(picture)])
