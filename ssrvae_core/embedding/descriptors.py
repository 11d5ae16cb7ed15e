"""Shape descriptors: what a microscopist measures of an outline, whatever its angle, place, size and handedness.

Everything but the Hu moments is measured on the outline between the pixels (marching squares on the mask, smoothed by
one pixel), not by counting pixels: a mask's steps make its perimeter and convex hull depend on its angle.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist
from skimage.filters import threshold_otsu
from skimage.measure import find_contours, moments_central, moments_hu, moments_normalized
from skimage.morphology import reconstruction
from skimage.segmentation import watershed

POINTS = 128
"""Points of an outline, equally far apart along it."""

DIRECTIONS = 64
"""Directions from the centroid in which the radius is measured."""

ELLIPTIC_ORDERS = (-1, *(sign * order for order in range(2, 12) for sign in (1, -1)))
"""Frequencies of the outline as a complex function of its arc length; the amplitude of 1 is the unit of the others."""

RADIAL_ORDERS = tuple(range(1, 13))
"""Frequencies of the radius as a function of the direction from the centroid."""

HU_MOMENTS = 4
"""The first ones: they do not change their sign in a mirror."""

HU_FLOOR = 1e-6
"""Added to a Hu moment before its logarithm: of symmetric shapes all but the first are 0 up to the pixels' grain."""

SMOOTHING = 1.0
"""Standard deviation in pixels of what smooths a mask's steps before its outline is drawn."""

MARGIN = 4
"""Empty pixels added around a mask: an object at the border has a closed outline, and smoothing room."""

SMALLEST = 0.005
"""Share of the image's pixels below which a component is a speck, not the particle."""

FLAT = 0.75
"""Share of the border pixels that have the very same grey level where the background was set, not seen."""

FAINTEST = 10.0
"""Percentile of the object's contrast over such a background that the threshold is half of."""

SIMPLE_NAMES = ("solidity", "eccentricity", "circularity", "extent", "axis_ratio", "area_over_feret_squared")
"""The six that every image-analysis program has."""

DESCRIPTOR_NAMES = (
    *SIMPLE_NAMES,
    *(f"elliptic_{order:+d}" for order in ELLIPTIC_ORDERS),
    *(f"radial_{order}" for order in RADIAL_ORDERS),
    *(f"hu_{order + 1}" for order in range(HU_MOMENTS)),
)
"""What the columns of :func:`shape_descriptors` are."""

MIDDLE = 0.15
"""Radius of the image's middle, which is inside the particle, over the image's side."""

NECK = 0.05
"""How much narrower than the largest particle the neck is at which neighbours are cut off."""

_EIGHT = np.ones((3, 3), dtype=bool)
_DIRECTIONS = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS


def shape_descriptors(masks: Bool[np.ndarray, "n height width"]) -> Float[np.ndarray, "n descriptors"]:
    """Measure the outline of each mask.

    Parameters
    ----------
    masks : bool array (N, H, W)
        True inside the object. Of several components the largest is measured, and its holes are filled.

    Returns
    -------
    float32 array (N, D)
        In the order of :data:`DESCRIPTOR_NAMES`; without unit, always finite, and all 0 where a mask is empty. They do
        not change when the object is turned, mirrored, shifted or enlarged, up to the grain of the pixels.

        ``solidity``: area over that of the convex hull. ``eccentricity``, ``axis_ratio``: of the ellipse with the same
        second moments. ``circularity``: 4 pi area / perimeter^2. ``extent``: area over that of the *smallest* rectangle
        around the object, as that of an upright one changes with the angle. ``area_over_feret_squared``: with the
        largest diameter. ``elliptic_k``: amplitudes of the elliptic Fourier coefficients (Kuhl & Giardina 1982,
        doi:10.1016/0146-664X(82)90034-X) in units of the first. ``radial_k``: those of the radius of the outermost
        outline over its mean, around the centroid. ``hu_k``: -log10 of the moments of Hu (1962).
    """
    described = np.zeros((len(masks), len(DESCRIPTOR_NAMES)), dtype=np.float32)
    for mask, row in zip(masks, described, strict=True):
        if mask.any():
            row[:] = _described(_solid(mask))
    return described


def outlines(images: Float[np.ndarray, "n channel height width"]) -> Bool[np.ndarray, "n height width"]:
    """Find the particle in the middle of each image by a threshold, where there is no mask.

    Parameters
    ----------
    images : float array (N, C, H, W)
        Particles darker or brighter than what is around them; channels are averaged.

    Returns
    -------
    bool array (N, H, W)
        True inside the particle, its holes included; all False where an image has no contrast. The threshold is Otsu's
        (1979) on the image smoothed by a pixel, or, where the background is one single grey level (silhouettes,
        objects on black), half of the object's contrast. The particle is on the side of it that most of the image's
        middle is on, as a border is often full of neighbours; of several components it is the one nearest to the
        centre that is not a speck. Neighbours that touch it are cut off at their necks.
    """
    found = np.zeros((len(images), *images.shape[2:]), dtype=bool)
    for image, mask in zip(images, found, strict=True):
        mask[:] = _outline(image.mean(axis=0, dtype=np.float64))
    return found


# The mask of an image


def _outline(image: np.ndarray) -> np.ndarray:
    if not image.max() > image.min():
        return np.zeros(image.shape, dtype=bool)
    border = np.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]])
    levels, counts = np.unique(border, return_counts=True)
    background = levels[counts.argmax()]
    if counts.max() >= FLAT * len(border) and background in (image.min(), image.max()):
        return _central(_above_background(np.abs(image - background)))
    return _apart(_central(_middle_side(ndimage.gaussian_filter(image, SMOOTHING, mode="nearest"))))


def _above_background(contrast: np.ndarray) -> np.ndarray:
    object_contrast = contrast[contrast > 0.05 * contrast.max()]
    return contrast > np.percentile(object_contrast, FAINTEST) / 2


def _middle_side(image: np.ndarray) -> np.ndarray:
    """Return the side of Otsu's threshold that most of the image's middle is on."""
    bright = image > threshold_otsu(image)
    middle = _from_centre(image.shape) <= max(MIDDLE * min(image.shape), 1)
    return bright if bright[middle].mean() > 0.5 else ~bright


def _from_centre(shape: tuple[int, ...]) -> np.ndarray:
    y, x = np.indices(shape)
    return np.hypot(y - (shape[0] - 1) / 2, x - (shape[1] - 1) / 2)


def _central(inside: np.ndarray) -> np.ndarray:
    """Return the component nearest to the centre that is not a speck, or the largest where all are; holes filled."""
    components, number = ndimage.label(inside)
    if not number:
        return inside
    sizes = np.bincount(components.ravel())[1:]
    nearest = ndimage.minimum(_from_centre(inside.shape), components, np.arange(1, number + 1))
    large = sizes >= min(SMALLEST * inside.size, sizes.max())
    chosen = np.lexsort((-sizes, np.where(large, nearest, np.inf)))[0]
    return _filled(components == chosen + 1)


def _apart(inside: np.ndarray) -> np.ndarray:
    """Cut off the neighbours that a particle touches, at the necks between them (watershed of the depth).

    Neighbours reach out of the image; a particle that does not touch the border is left whole.
    """
    if not (inside[[0, -1]].any() or inside[:, [0, -1]].any()):
        return inside
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(inside), SMOOTHING)
    rise = NECK * depth.max()
    flooded = reconstruction(depth - rise, depth)
    markers, number = ndimage.label(depth - flooded > 0.99 * rise, _EIGHT)
    return _central_region(watershed(-flooded, markers, mask=inside)) if number > 1 else inside


def _central_region(regions: np.ndarray) -> np.ndarray:
    weight = np.exp(-((_from_centre(regions.shape) / (MIDDLE * min(regions.shape))) ** 2))
    return _filled(regions == ndimage.sum(weight, regions, np.arange(1, regions.max() + 1)).argmax() + 1)


def _solid(mask: np.ndarray) -> np.ndarray:
    """Return the largest component with its holes filled, and a margin around it."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    padded = np.pad(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], MARGIN)
    components, number = ndimage.label(padded, _EIGHT)
    if number > 1:
        padded = components == np.bincount(components.ravel())[1:].argmax() + 1
    return _filled(padded)


def _filled(mask: np.ndarray) -> np.ndarray:
    outside, number = ndimage.label(np.pad(~mask, 1, constant_values=True))
    return (outside != outside[0, 0])[1:-1, 1:-1] if number > 1 else mask


# What is measured


def _described(mask: np.ndarray) -> np.ndarray:
    outline = _contour(mask)
    area, centroid, moments = _moments(outline)
    outline = outline - centroid
    amplitudes = np.abs(np.fft.fft(outline))[[1, *ELLIPTIC_ORDERS]]
    radius = _radius(outline)
    radial = np.abs(np.fft.rfft(radius / radius.mean()))[list(RADIAL_ORDERS)] / (DIRECTIONS / 2)
    simple = _simple(outline, area, moments)
    return np.concatenate([simple, amplitudes[1:] / amplitudes[0], radial, _hu(mask)])


def _contour(mask: np.ndarray) -> np.ndarray:
    """Return the outer outline, complex (POINTS,), counter-clockwise and equally spaced; y points up."""
    smooth = ndimage.gaussian_filter(mask.astype(np.float32), SMOOTHING, mode="constant")
    found = find_contours(smooth, 0.5) or find_contours(mask.astype(np.float32), 0.5)  # smoothing can drown a speck
    corners = max(found, key=len)
    path = corners[:, 1] - 1j * corners[:, 0]
    if _signed_area(path[:-1]) < 0:
        path = path[::-1]
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(path)))])
    return np.interp(np.arange(POINTS) * (length[-1] / POINTS), length, path)


def _signed_area(outline: np.ndarray) -> float:
    return float((np.conj(outline) * np.roll(outline, -1)).imag.sum() / 2)


def _moments(outline: np.ndarray) -> tuple[float, complex, np.ndarray]:
    """Area, centroid, and the variances (largest, smallest) of a polygon's inside."""
    after = np.roll(outline, -1)
    cross = (np.conj(outline) * after).imag
    area = cross.sum() / 2
    centroid = complex((cross * (outline + after)).sum() / (6 * area))
    z, after = outline - centroid, after - centroid
    cross = (np.conj(z) * after).imag
    # The integrals of |z|^2 and z^2 over the triangles from the centroid to each side.
    trace = (cross * (np.abs(z) ** 2 + np.abs(after) ** 2 + (np.conj(z) * after).real)).sum() / (12 * area)
    spread = np.abs((cross * (z**2 + after**2 + z * after)).sum()) / (12 * area)
    return float(area), centroid, np.array([trace + spread, max(trace - spread, 0.0)]) / 2


def _simple(outline: np.ndarray, area: float, moments: np.ndarray) -> np.ndarray:
    ratio = moments[1] / moments[0]
    perimeter = np.abs(outline - np.roll(outline, 1)).sum()
    hull_area, corners = _hull(outline)
    sides = np.roll(corners, -1) - corners
    # In the frame of each side of the hull in turn; the smallest rectangle has a side in common with it.
    turned = corners[:, None] * (np.conj(sides) / np.abs(sides))
    rectangle = (np.ptp(turned.real, axis=0) * np.ptp(turned.imag, axis=0)).min()
    feret = pdist(np.stack([corners.real, corners.imag], axis=1)).max()
    return np.array(
        [
            area / hull_area,
            np.sqrt(1 - ratio),
            4 * np.pi * area / perimeter**2,
            area / rectangle,
            np.sqrt(ratio),
            area / feret**2,
        ]
    )


def _hull(outline: np.ndarray) -> tuple[float, np.ndarray]:
    hull = ConvexHull(np.stack([outline.real, outline.imag], axis=1))
    return hull.volume, outline[hull.vertices]  # Qhull's "volume" in the plane is the area


def _radius(outline: np.ndarray) -> np.ndarray:
    """Distance from the origin to the outermost crossing in each direction, 0 where there is none."""
    # Turned into each direction, a side crosses the ray where it changes the sign of y at a positive x.
    cos, sin = np.cos(_DIRECTIONS), np.sin(_DIRECTIONS)
    x = np.outer(cos, outline.real) + np.outer(sin, outline.imag)
    y = np.outer(cos, outline.imag) - np.outer(sin, outline.real)
    below = y <= 0
    direction, side = np.nonzero(below != np.roll(below, -1, axis=1))
    after = (side + 1) % outline.size
    x, x_end, y, y_end = x[direction, side], x[direction, after], y[direction, side], y[direction, after]
    radius = np.zeros(DIRECTIONS)
    np.maximum.at(radius, direction, x - y * (x_end - x) / (y_end - y))
    return radius


def _hu(mask: np.ndarray) -> np.ndarray:
    hu = moments_hu(moments_normalized(moments_central(mask.astype(np.float64), order=3)))
    return -np.log10(np.abs(hu[:HU_MOMENTS]) + HU_FLOOR)
