"""The size of a pixel, from what microscopes and the programs around them write into the tags of a TIFF file."""

from __future__ import annotations

import math
import re

from ssrvae_core.data.pictures.ifd import DESCRIPTION, Tags, number, text
from ssrvae_core.data.pictures.ome import Element, named

NANOMETRES = {"pm": 1e-3, "a": 0.1, "å": 0.1, "angstrom": 0.1, "nm": 1.0, "nanometer": 1.0, "nanometre": 1.0}
NANOMETRES |= {"um": 1e3, "µm": 1e3, "μm": 1e3, "micron": 1e3, "micrometer": 1e3, "micrometre": 1e3, "mm": 1e6}
METRE = 1e9
CENTIMETRE_UNIT = 3

FINEST_PRINT = 1e4
"""Nanometres. A resolution per centimetre is a calibration only where its pixels are smaller than this (2540 dots per
inch): printers and scanners write theirs into the same tags. A resolution per inch is theirs always."""

LARGEST, SMALLEST = 1e9, 1e-4
"""Nanometres between which the size of a pixel is believed: a metre, and less than an electron microscope resolves."""

PixelSize = tuple[float, float]


def pixel_size(tags: Tags, ome: Element | None) -> PixelSize | None:
    """Return the height and width of a pixel as stored, in nanometres; None where the page does not say.

    OME-XML comes first, then the tags of Zeiss, FEI and DigitalMicrograph, ImageJ's unit, a resolution per centimetre.
    """
    description = text(tags, DESCRIPTION)
    if ome is not None:
        return _believed(_ome(ome))
    for found in (_zeiss(tags), _fei(tags), _digital_micrograph(tags), _resolution(tags, description)):
        if _believed(found) is not None:
            return found
    return None


def _believed(size: PixelSize | None) -> PixelSize | None:
    return size if size is not None and all(SMALLEST < side < LARGEST for side in size) else None


def _zeiss(tags: Tags) -> PixelSize | None:
    """SmartSEM: ``Image Pixel Size`` is that of the stored image, ``Pixel Size`` that of the scan."""
    content = text(tags, 34118)
    for name in ("Image Pixel Size", "Pixel Size"):
        parts = re.fullmatch(r"([\d.eE+-]+) *(\D+)", _value(content, name))
        side = _length(parts[1], parts[2]) if parts else None
        if side:
            return side, side
    return None


def _fei(tags: Tags) -> PixelSize | None:
    """FEI and Thermo Fisher: metres, in the section on the scan."""
    content = text(tags, 34682) or text(tags, 34680)
    height, width = (_number(_value(content, f"Pixel{side}")) for side in ("Height", "Width"))
    return (height * METRE, width * METRE) if height and width else None


def _value(content: str, name: str) -> str:
    """Return what is behind a name and ``=`` in a line of their own, empty where there is no such line."""
    found = re.search(rf"^{name} {{0,9}}=(.{{0,80}})$", content, re.MULTILINE)
    return found[1].strip() if found else ""


def _digital_micrograph(tags: Tags) -> PixelSize | None:
    sides = [_length(repr(tags[s][0]), text(tags, u)) for s, u in ((65010, 65004), (65009, 65003)) if tags.get(s)]
    return (sides[0], sides[1]) if len(sides) == 2 and sides[0] and sides[1] else None


def _ome(root: Element) -> PixelSize | None:
    pixels = next((pixels for image in named(root, "Image") for pixels in named(image, "Pixels")), None)
    if pixels is None:
        return None
    units = (pixels.get(f"PhysicalSize{axis}Unit", "µm") for axis in "YX")
    height, width = (
        _length(pixels.get(f"PhysicalSize{axis}", ""), unit) for axis, unit in zip("YX", units, strict=True)
    )
    return (height, width) if height and width else None


def _resolution(tags: Tags, description: str) -> PixelSize | None:
    """Pixels per ImageJ's unit, or per centimetre."""
    height, width = (_inverse(tags, code) for code in (283, 282))
    if height is None or width is None:
        return None
    if description.startswith("ImageJ="):
        found = re.search(r"^unit=(.+)$", description, re.MULTILINE)
        unit = _nanometres(found[1]) if found else None
        return (height * unit, width * unit) if unit else None
    size = height * METRE / 100, width * METRE / 100
    is_calibration = number(tags, 296, 2) == CENTIMETRE_UNIT and max(size) < FINEST_PRINT
    return size if is_calibration else None


def _inverse(tags: Tags, code: int) -> float | None:
    """Units per pixel of a tag of pixels per unit."""
    value = tags.get(code, ())
    if isinstance(value, bytes) or len(value) != 2 or not value[0] or not value[1]:
        return None
    return value[1] / value[0]


def _length(value: str, unit: str) -> float | None:
    """Nanometres."""
    size, scale = _number(value), _nanometres(unit)
    return size * scale if size and scale else None


def _nanometres(unit: str) -> float | None:
    unit = unit.strip().strip('"').replace("\\u00B5", "µ").replace("\\u00b5", "µ").replace("\\u00C5", "Å")
    lower = unit.lower() if unit != "Mm" else ""
    return NANOMETRES.get(lower) or NANOMETRES.get(lower.removesuffix("s"))


def _number(value: str) -> float | None:
    """Parse a positive number, None where it is none."""
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) and found > 0 else None
