"""What OME-XML says of the planes in its own file; the names of other files in it are not followed."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from ssrvae_core.data.contents import LeftOut

DEEPEST = 64
"""Most elements of XML within one another."""

ORDERS = {"XYZCT", "XYZTC", "XYCTZ", "XYCZT", "XYTCZ", "XYTZC"}


@dataclass(frozen=True)
class OmePlanes:
    """Planes of one file by the numbers of its pages.

    Attributes
    ----------
    images : sequence of sequences of int
        Of every image, the pages that are its channels.
    left_out : tuple of LeftOut
        Planes in other files, and pages of this one that are not a plane.
    apart : bool
        Whether channels are taken as images, as others of their plane lie elsewhere or there are not always as many.
    """

    images: Sequence[Sequence[int]]
    left_out: tuple[LeftOut, ...]
    apart: bool = False


@dataclass(frozen=True)
class _Plane:
    """A plane in this file: which image it belongs to, and which of its channels it is."""

    image: tuple[int, int, int]
    channel: int
    page: int


def is_ome(description: str) -> bool:
    """Whether a page's text is OME-XML."""
    return description.rstrip()[-4:] == "OME>"


def ome_root(description: str) -> Element | None:
    """Parse a page's text; None where it is not OME-XML, not well formed, or of a kind that OME is never.

    That is: declarations of entities, and elements within elements within elements beyond ``DEEPEST``.
    """
    if not is_ome(description) or "<!" in description.replace("<!--", ""):
        return None
    try:
        root, depth = None, 0
        stream = io.BytesIO(description.rstrip().encode())
        for event, element in ElementTree.iterparse(stream, events=("start", "end")):
            root = element if root is None else root
            depth += 1 if event == "start" else -1
            if depth > DEEPEST:
                return None
    except ElementTree.ParseError:
        return None
    return root


def named(element: Element, name: str) -> Iterator[Element]:
    """Children of a name in whatever version of the OME schema."""
    return (child for child in element if isinstance(child.tag, str) and child.tag.rpartition("}")[2] == name)


def ome_planes(root: Element | None, name: str, samples: Mapping[int, int]) -> OmePlanes:
    """Tell which pages of a file are which planes.

    Parameters
    ----------
    root : Element or None
        The OME-XML.
    name : str
        The file's own name.
    samples : mapping of int to int
        The samples of every page by its number; they count as channels in OME.
    """
    if root is None:
        return OmePlanes([], ())
    reader = _Reader(root.get("UUID", ""), name, samples)
    for number, image in enumerate(named(root, "Image")):
        for pixels in named(image, "Pixels"):
            reader.read(number, pixels)
    return reader.result()


class _Reader:
    """Collects the planes of one file."""

    def __init__(self, uuid: str, name: str, samples: Mapping[int, int]) -> None:
        self.uuid, self.name, self.samples = uuid, name, samples
        self.planes: dict[int, _Plane] = {}
        self.channels: dict[int, int] = {}
        self.end = max(samples) + 1
        self.elsewhere = 0
        self.listed = 0

    def read(self, number: int, pixels: Element) -> None:
        """Add what one ``Pixels`` element says of the planes."""
        order = pixels.get("DimensionOrder", "XYCZT")
        order = order if order in ORDERS else "XYCZT"
        sizes = {axis: _count(pixels, f"Size{axis}", 1) for axis in "CZT"}
        blocks = list(named(pixels, "TiffData"))
        for block in blocks:
            ifd = _count(block, "IFD", 0)
            per_page = self.samples.get(ifd, 1)
            if sizes["C"] % per_page:
                per_page = 1
            wide = sizes | {"C": sizes["C"] // per_page}
            whole = math.prod(wide.values())
            if not self._is_own(block):
                self.elsewhere += min(whole, _count(block, "PlaneCount", 1))
                continue
            default = 1 if block.get("IFD") is not None else self.end
            count = max(0, min(_count(block, "PlaneCount", default), self.end - ifd))
            first = {axis: _count(block, f"First{axis}", 0) for axis in "CZT"}
            self.channels[number] = wide["C"]
            self._add(number, range(ifd, ifd + count), order[2:], wide, first)
        if not blocks and not number:
            per_page = next(iter(self.samples.values()))
            self.channels[number] = sizes["C"] // (1 if sizes["C"] % per_page else per_page)
            wide = sizes | {"C": self.channels[number]}
            self._add(number, range(self.end), order[2:], wide, dict.fromkeys("CZT", 0))

    def _add(self, number: int, pages: range, order: str, sizes: dict[str, int], first: dict[str, int]) -> None:
        """Assign consecutive pages to planes, the first axis of the order running fastest."""
        self.listed += len(pages)
        if self.listed > self.end:
            return  # some page is listed twice, so the list cannot be followed
        start, stride = 0, 1
        for axis in order:
            start += first[axis] * stride
            stride *= sizes[axis]
        for place, page in enumerate(pages, start=start):
            at, rest = {}, place
            for axis in order:
                rest, at[axis] = divmod(rest, sizes[axis])
            if not rest and page in self.samples:
                self.planes.setdefault(page, _Plane((number, at["T"], at["Z"]), at["C"], page))

    def _is_own(self, block: Element) -> bool:
        """Whether a block of planes lies in this file: by the identifier, by the name where there is none."""
        for element in named(block, "UUID"):
            if self.uuid:
                return (element.text or "").strip() == self.uuid.strip()
            file = element.get("FileName", "")
            return self.name in (PurePosixPath(file).name, PureWindowsPath(file).name)
        return True

    def result(self) -> OmePlanes:
        """Group the planes to images where all channels are here."""
        left_out = []
        if self.elsewhere:
            why = "they belong to its acquisition but lie in other files"
            left_out.append(LeftOut("planes in other files", why, self.elsewhere))
        if self.planes and len(self.planes) < len(self.samples) and self.listed <= self.end:
            why = "its description lists them as no plane"
            left_out.append(LeftOut("pages of the file", why, len(self.samples) - len(self.planes)))
        images: dict[tuple[int, int, int], dict[int, int]] = {}
        for plane in self.planes.values():
            images.setdefault(plane.image, {}).setdefault(plane.channel, plane.page)
        ordered = [images[image] for image in sorted(images)]
        if sum(map(len, ordered)) < len(self.planes) or self.listed > self.end:
            return OmePlanes([], tuple(left_out))  # two pages that are said to be one plane, or one to be two
        whole = all(len(images[image]) == self.channels[image[0]] for image in images)
        if not whole or len({len(channels) for channels in ordered}) > 1:
            return OmePlanes([(page,) for page in sorted(self.planes)], tuple(left_out), apart=True)
        return OmePlanes([[pages[c] for c in sorted(pages)] for pages in ordered], tuple(left_out))


def _count(element: Element, name: str, default: int) -> int:
    """Parse a whole number that is not negative, the default where the attribute is none."""
    value = element.get(name, "").strip()
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else default
