"""How the folders of a data set are meant: class folders, train and test folders, images beside their masks.

Everything here works on relative paths alone; nothing is opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ssrvae_core.data.fields import PARTS, part_of
from ssrvae_core.data.labels import is_unlabelled, normal

IMAGE_FOLDERS = frozenset(("images", "image", "imgs", "img", "pictures", "crops", "particles", "x"))
MASK_FOLDERS = frozenset(
    (
        *("masks", "mask", "segmentation", "segmentations", "silhouettes", "y"),
        *("labels", "label", "gt", "ground truth", "ground_truth", "groundtruth", "annotations"),
    )
)
"""Folders of masks, where a folder of images stands beside."""
MASK_ENDINGS = ("_mask", "-mask", "_masks", "_seg")
"""What the name of a mask may have behind the name of its image."""


@dataclass(frozen=True)
class Place:
    """Where a file stands in a data set.

    Attributes
    ----------
    folders : tuple of str
        The folders it is in, from the class folder on.
    part : str or None
        "train" or "validation" where a folder says so.
    is_mask : bool
        Whether it is in a folder of masks that stands beside a folder of images.
    key : str
        What an image and its mask have in common.
    """

    folders: tuple[str, ...]
    part: str | None
    is_mask: bool
    key: str

    @property
    def text(self) -> str:
        """The class folder's name, empty outside of any."""
        return self.folders[0] if self.folders else ""


def places(paths: Sequence[PurePosixPath]) -> list[Place]:
    """Return the place of every file, given relative to the data set's folder."""
    pairs = _pairs(paths)
    beside = _beside_their_images(paths)
    reduced = [_without_pairs(path, pairs) for path in paths]
    reduced = [(folders, is_mask or path in beside) for path, (folders, is_mask) in zip(paths, reduced, strict=True)]
    depth = _depth_of_parts([folders for folders, is_mask in reduced if not is_mask])
    out = []
    for path, (folders, is_mask) in zip(paths, reduced, strict=True):
        part = None
        if depth is not None and len(folders) > depth and (part := part_of(folders[depth])) is not None:
            rest = (*folders[:depth], *folders[depth + 1 :])
        else:
            rest = folders
        key = normal("/".join((*folders, _stem(path.name, is_mask)))).casefold()
        out.append(Place(rest, part, is_mask, key))
    return out


def below_leading_folders(paths: Iterable[PurePosixPath], tables: Iterable[PurePosixPath]) -> PurePosixPath:
    """Return the folder in which the data set begins.

    That is below every folder that has nothing beside it and in which more folders, or a table of labels, come; so a
    packed folder and the folder itself are the same data set.
    """
    folders = [path.parent.parts for path in paths]
    tops = {path.parent.parts for path in tables}
    root: tuple[str, ...] = ()
    while folders and root not in tops:
        level = len(root)
        children = {parts[level] if len(parts) > level else None for parts in folders}
        below = (*root, *children) if len(children) == 1 and None not in children else None
        if below is None:
            break
        leaf = any(len(parts) == level + 1 for parts in folders)
        if leaf and below not in tops:
            break
        root = tuple(str(part) for part in below)
    return PurePosixPath(*root)


def remarks(paths: Sequence[PurePosixPath]) -> tuple[str, ...]:
    """Return how folders were taken that could be meant otherwise."""
    stand = [place for place in places(paths) if not place.is_mask]
    tops = {place.text for place in stand if place.text}
    told = []
    as_parts = sorted(name for name in tops if part_of(name) is not None)
    others = sorted(tops - set(as_parts) - {name for name in tops if is_unlabelled(name)})
    if as_parts and not any(place.part for place in stand):
        beside = f", as '{others[0]}' stands beside" if others else ", as none of them is for training"
        told.append(f"The folder '{as_parts[0]}' is taken as a class and not as a part of the split{beside}.")
    below = [{place.folders[1] for place in stand if place.text == top and len(place.folders) > 1} for top in tops]
    if len(tops) > 1 and len(below[0]) > 1 and all(names == below[0] for names in below):
        inner, outer = ", ".join(sorted(below[0])[:3]), ", ".join(sorted(tops)[:3])
        told.append(
            f"The classes are the outer folders ({outer}), and each holds the same folders ({inner}); if those are the"
            " classes, put all pictures of a class into one folder."
        )
    return tuple(told)


def _beside_their_images(paths: Sequence[PurePosixPath]) -> set[PurePosixPath]:
    """Return the files that are called as a mask of an image beside them."""
    stems = {(path.parent, path.stem.casefold()) for path in paths}
    return {
        path
        for path in paths
        if (stem := _stem(path.name, True)) != path.stem and (path.parent, stem.casefold()) in stems
    }


def _pairs(paths: Iterable[PurePosixPath]) -> dict[tuple[str, ...], bool]:
    """Folders that stand for no class, by their path: True of those that hold masks."""
    children: dict[tuple[str, ...], set[str]] = {}
    for path in paths:
        parts = path.parent.parts
        for level, name in enumerate(parts):
            children.setdefault(parts[:level], set()).add(name)
    pairs: dict[tuple[str, ...], bool] = {}
    for parent, names in children.items():
        images = [name for name in names if name.casefold() in IMAGE_FOLDERS]
        masks = [name for name in names if name.casefold() in MASK_FOLDERS]
        if images and masks:
            pairs |= {(*parent, name): False for name in images} | {(*parent, name): True for name in masks}
        elif images and len(names) == 1:
            pairs[(*parent, images[0])] = False
    return pairs


def _without_pairs(path: PurePosixPath, pairs: dict[tuple[str, ...], bool]) -> tuple[tuple[str, ...], bool]:
    """Return the folders of a path that stand for something, and whether masks are in them."""
    parts = path.parent.parts
    kept = tuple(name for level, name in enumerate(parts) if parts[: level + 1] not in pairs)
    return kept, any(pairs.get(parts[: level + 1], False) for level in range(len(parts)))


def _depth_of_parts(folders: Sequence[tuple[str, ...]]) -> int | None:
    """Return the level, 0 or 1, at which the folders are train, test and the like; None where they are not."""
    for depth in (0, 1):
        names = {parts[depth] for parts in folders if len(parts) > depth and not _stands_apart(parts, depth)}
        found = {part_of(name) for name in names}
        if PARTS[0] in found and None not in found:
            return depth
    return None


def _stands_apart(parts: tuple[str, ...], depth: int) -> bool:
    """Whether a path is in a folder of unlabelled images, which belongs to no part."""
    return is_unlabelled(parts[0]) or is_unlabelled(parts[depth])


def _stem(name: str, is_mask: bool) -> str:
    stem = PurePosixPath(name).stem
    if is_mask:
        ending = next((ending for ending in MASK_ENDINGS if stem.casefold().endswith(ending)), "")
        stem = stem[: len(stem) - len(ending)]
    return stem
