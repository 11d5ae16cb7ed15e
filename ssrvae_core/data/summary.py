"""What was read from an image file, told before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ssrvae_core.data.contents import LeftOut
from ssrvae_core.data.readers import ImageFile


@dataclass(frozen=True)
class Summary:
    """What an image file or a folder holds.

    Attributes
    ----------
    images, height, width, channels : int
        Number of images, and their size in pixels.
    pixels : str
        Type of the numbers, such as "uint16".
    classes : dict of str to int
        Labelled images per class, training and validation together.
    unlabelled, validation, groups : int
        Images without a label, images that the file itself holds out, and groups (micrographs); 0 where there are none.
    masks : bool
        Whether there are masks.
    scale : (float, float)
        Grey levels of black and white.
    clipped : int
        Values beyond, set apart from all others.
    pixel_size : float or None
        Median side of a pixel in nanometres, None where it is not known.
    left_out : tuple of LeftOut
        What is not among the images.
    remarks : tuple of str
        How something was taken that could be taken otherwise.
    sha256 : str
        Fingerprint of all of it.
    """

    images: int
    height: int
    width: int
    channels: int
    pixels: str
    classes: dict[str, int]
    unlabelled: int
    validation: int
    groups: int
    masks: bool
    scale: tuple[float, float]
    clipped: int
    pixel_size: float | None
    left_out: tuple[LeftOut, ...]
    remarks: tuple[str, ...]
    sha256: str

    def as_json(self) -> dict[str, Any]:
        """Return what ``doctor --data PATH --json`` prints."""
        names = ("images", "height", "width", "channels", "classes", "unlabelled", "validation", "groups")
        left_out = [{"what": entry.what, "why": entry.why, "count": entry.count} for entry in self.left_out]
        known = {name: getattr(self, name) for name in names}
        return known | {"scale": list(self.scale), "left_out": left_out, "sha256": self.sha256}

    def lines(self) -> Iterator[str]:
        """Yield all of it in words, the remarks last."""
        channels = f", {self.channels} channels" if self.channels > 1 else ""
        size = f", pixels of {self.pixel_size:.3g} nm" if self.pixel_size is not None else ""
        masks = ", with masks" if self.masks else ""
        yield f"{counted(self.images, 'image')} of {self.height} x {self.width} pixels{channels}{size}{masks}"
        yield self.grey_levels()
        labelled = sum(self.classes.values())
        classes = ", ".join(f"{name} {count:,}" for name, count in self.classes.items())
        yield f"{labelled:,} labelled ({classes or 'no class'}), {self.unlabelled:,} unlabelled"
        if self.validation:
            yield f"{self.validation:,} held out for validation by the data set itself"
        if self.groups:
            yield counted(self.groups, "group")
        for entry in self.left_out:
            yield f"left out: {entry.what} ({entry.count:,}): {entry.why}"
        yield from self.remarks

    def grey_levels(self) -> str:
        """Return a line on the grey levels."""
        black, white = self.scale
        line = f"grey levels ({self.pixels}) from {black:g} (black) to {white:g} (white)"
        if not self.clipped:
            return line
        return f"{line}; {counted(self.clipped, 'value')} set apart from all others (hot or dead pixels) clipped"


def summary(file: ImageFile) -> Summary:
    """Return what was read from a file.

    Raises
    ------
    UserError
        If its images or its annotations cannot be used.
    """
    known, pixels = file.annotations, file.pixels
    n, height, width, channels = pixels.shape
    counts = np.bincount(known.labels[known.labels >= 0], minlength=len(known.class_names)).tolist()
    sizes = None if known.pixel_size is None else known.pixel_size[np.isfinite(known.pixel_size)]
    return Summary(
        images=n,
        height=height,
        width=width,
        channels=channels,
        pixels=str(pixels.dtype.newbyteorder("=")),
        classes=dict(zip(known.class_names, counts, strict=True)),
        unlabelled=int((known.labels < 0).sum()),
        validation=0 if known.validation is None else int(known.validation.sum()),
        groups=0 if known.groups is None else len(np.unique(known.groups)),
        masks=known.masks is not None,
        scale=(file.scale.black, file.scale.white),
        clipped=file.scale.clipped,
        pixel_size=None if sizes is None or not sizes.size else float(np.median(sizes)),
        left_out=file.contents.left_out,
        remarks=(*file.contents.remarks, *known.remarks),
        sha256=file.sha256,
    )


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 image" or "2 images"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
