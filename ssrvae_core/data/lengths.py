"""Lengths in files: from the many spellings of a unit to nanometres."""

from __future__ import annotations

import math

NANOMETRES: dict[str, float] = {
    **dict.fromkeys(("pm", "picometer", "picometre"), 1e-3),
    **dict.fromkeys(("å", "a", "ang", "angstrom", "ångström"), 0.1),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1.0),
    **dict.fromkeys(("um", "µm", "μm", "micron", "micrometer", "micrometre"), 1e3),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e6),
    **dict.fromkeys(("m", "meter", "metre"), 1e9),
}
"""Nanometres in a unit. Centimetres are missing on purpose: they measure a camera's screen, not the specimen."""

PLAUSIBLE = (1e-5, 1e7)
"""Smallest and largest pixel, nanometres: far below an atom, and a centimetre."""


def nanometres(scale: object, unit: object) -> float | None:
    """Return a step in nanometres, None where the unit is not a length or the step is not a positive number."""
    try:
        step = abs(float(scale))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    text = str(unit).strip().strip("[]").replace("_", "").strip().lower()
    factor = NANOMETRES.get(text, NANOMETRES.get(text.removesuffix("s")))
    return step * factor if factor and math.isfinite(step) and step > 0 else None


def pixel_size(height: float | None, width: float | None) -> tuple[float, float] | None:
    """Return height and width of a pixel in nanometres, None unless both are known and a microscope can have them.

    Formats that have one unit for images and diffraction patterns give sizes far off.
    """
    if height is None or width is None or not all(PLAUSIBLE[0] < side < PLAUSIBLE[1] for side in (height, width)):
        return None
    return (height, width)
