"""Synthetic transmission electron micrographs of nanoparticles: dark on a light film, noisy, with neighbours.

A particle is a signed distance to its outline; from it follow its thickness and, by mass-thickness contrast
(Beer-Lambert), its darkness. Film grain, a background gradient, a Fresnel fringe, bending contrast, Poisson and read
noise make the rest of the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ssrvae_core.config import DatasetConfig
from ssrvae_core.data.generated import Drawing, DrawnImages, Stream, generate, pool_labels, stream
from ssrvae_core.data.pose import linear_maps, pixel_centres

CHUNK = 64
"""Images drawn at once: the intermediate arrays stay small."""

NEIGHBOURS = 2
"""Most neighbours of a particle; each is there in half of the images."""


@dataclass(frozen=True)
class Kind:
    """A class of particles, as ranges of its factors.

    Attributes
    ----------
    corners : int
        Corners of its outline; 4 is a rectangle, whose aspect is that of its sides.
    diameter : (float, float)
        Of the circle around it, in image sides.
    aspect : (float, float)
        Length over width.
    rounding : (float, float)
        Radius of the corners over the largest possible one: 0 is sharp, 1 is a disc or the cap of a rod.
    bevel : (float, float)
        Width of the rim over which the thickness rises, over the largest possible one; 1 is a ball or a cylinder.
    """

    corners: int
    diameter: tuple[float, float]
    aspect: tuple[float, float]
    rounding: tuple[float, float]
    bevel: tuple[float, float]


KINDS: dict[str, Kind] = {
    "sphere": Kind(4, (0.36, 0.62), (1.0, 1.12), (1.0, 1.0), (1.0, 1.0)),
    "rod": Kind(4, (0.5, 0.8), (2.2, 4.0), (0.9, 1.0), (0.9, 1.0)),
    "cube": Kind(4, (0.45, 0.72), (1.0, 1.12), (0.12, 0.4), (0.1, 0.35)),
    "triangle": Kind(3, (0.5, 0.78), (1.0, 1.1), (0.1, 0.4), (0.1, 0.4)),
    "hexagon": Kind(6, (0.42, 0.68), (1.0, 1.1), (0.05, 0.3), (0.1, 0.35)),
}
"""The classes in order."""

CONTRAST = (0.5, 1.5)
"""Optical density of a particle where it is thickest."""

FACTORS = ("diameter", "aspect", "rounding", "bevel")


def draw_particles(config: DatasetConfig) -> DrawnImages:
    """Draw spheres, rods, cubes, triangles and hexagons as a transmission electron microscope shows them.

    Parameters
    ----------
    config : DatasetConfig
        Image size, numbers a class, disorder and seed.

    Returns
    -------
    DrawnImages
        Images (N, 1, size, size) with ``masks`` of the central particle. Beside those of the pose the factors are
        ``size`` (diameter of the circle around the particle before scaling, pixels), ``aspect``, ``rounding`` and
        ``contrast`` (optical density). ``as_labelled`` draws the same particles with the labelled disorder.
    """
    _, labels = pool_labels(config, len(KINDS))
    rng = stream(config, Stream.OBJECTS)
    objects = _draw_objects(labels, config.size, rng.random((len(labels), len(FACTORS) + 1)))

    def draw(positions: np.ndarray, labels: np.ndarray, poses: Mapping[str, np.ndarray], look: int) -> Drawing:
        shape = (len(positions), config.size, config.size)
        images, masks = np.empty((shape[0], 1, *shape[1:]), dtype=np.float32), np.empty(shape, dtype=bool)
        for start in range(0, len(positions), CHUNK):
            rows = slice(start, start + CHUNK)
            rngs = [stream(config, Stream.RENDERING, int(i), look) for i in positions[rows]]
            particles = {name: values[positions[rows]] for name, values in objects.items()}
            chosen = {name: values[rows] for name, values in poses.items()}
            images[rows, 0], masks[rows] = _micrographs(labels[rows], particles, chosen, config.size, rngs)
        return Drawing(images, masks)

    shown = {"size": objects["diameter"], **{name: objects[name] for name in ("aspect", "rounding", "contrast")}}
    return generate(config, tuple(KINDS), draw, shown)


def _draw_objects(labels: np.ndarray, size: int, uniform: np.ndarray) -> dict[str, np.ndarray]:
    """Factors of particles of these classes from uniform numbers (n, 5); the diameter in pixels."""
    ranges = {name: np.array([getattr(kind, name) for kind in KINDS.values()])[labels] for name in FACTORS}
    ranges["contrast"] = np.broadcast_to(CONTRAST, (len(labels), 2))
    drawn = {}
    for (name, bounds), u in zip(ranges.items(), uniform.T, strict=True):
        low, high = bounds.T
        drawn[name] = low + (high - low) * u
    drawn["diameter"] *= size
    return drawn


def _micrographs(
    labels: np.ndarray,
    particles: Mapping[str, np.ndarray],
    poses: Mapping[str, np.ndarray],
    size: int,
    rngs: list[np.random.Generator],
) -> tuple[np.ndarray, np.ndarray]:
    """Images and masks (n, size, size) of particles in their poses."""
    from scipy.ndimage import gaussian_filter

    uniform = np.array([rng.random(10 + 10 * NEIGHBOURS) for rng in rngs])
    grain = np.array([rng.standard_normal((size, size), dtype=np.float32) for rng in rngs])
    distance = _outline(labels, particles, poses, size)
    density = _density(distance, labels, particles, poses) * _bending(uniform[:, :3], size)
    fringe = _fringe(distance)
    for k in range(NEIGHBOURS):
        there, neighbours, places = _neighbours(labels, particles, poses, size, uniform[:, 10 + 10 * k :][:, :10])
        beside = _outline(labels[there], neighbours, places, size)
        density[there] += _density(beside, labels[there], neighbours, places)
        fringe[there] += _fringe(beside)
    film = _film(uniform[:, 3:6], size) * (1 + 0.03 * gaussian_filter(grain, (0, 0.8, 0.8)) / 0.35)
    clean = gaussian_filter(film * np.exp(-density) * (1 + fringe), (0, 0.6, 0.6), mode="nearest")
    dose = (60 + 240 * uniform[:, 6])[:, None, None]
    read_noise = (0.005 + 0.015 * uniform[:, 7])[:, None, None]
    counts = np.array([rng.poisson(mean) for rng, mean in zip(rngs, clean * dose, strict=True)])
    noise = np.array([rng.standard_normal((size, size), dtype=np.float32) for rng in rngs])
    return np.clip(counts / dose + read_noise * noise, 0, 1).astype(np.float32), distance < 0


def _outline(
    labels: np.ndarray, particles: Mapping[str, np.ndarray], poses: Mapping[str, np.ndarray], size: int
) -> np.ndarray:
    """Signed distance to the outline in object pixels, float32 (n, size, size)."""
    inverse = np.linalg.inv(linear_maps(poses)).astype(np.float32)[..., None, None]
    centre_x, centre_y = pixel_centres(size, size)
    x, y = centre_x - _field(poses["shift_x"]), centre_y - _field(poses["shift_y"])
    x, y = inverse[:, 0, 0] * x + inverse[:, 0, 1] * y, inverse[:, 1, 0] * x + inverse[:, 1, 1] * y
    distance = np.empty_like(x)
    corners = np.array([kind.corners for kind in KINDS.values()])[labels]
    for n in np.unique(corners):
        rows = corners == n
        chosen = {name: _field(values[rows]) for name, values in particles.items()}
        outline = _rectangle if n == 4 else _polygon
        distance[rows] = outline(x[rows], y[rows], int(n), chosen)
    return distance


def _rectangle(x: np.ndarray, y: np.ndarray, _: int, particle: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rectangle with rounded corners inside its circle; wholly round ones are a disc or a rod as long as the circle."""
    aspect, rounding = particle["aspect"], particle["rounding"]
    # A sharp corner lies at (aspect, 1) half-widths; a fully rounded end at aspect half-widths.
    half_width = particle["diameter"] / 2 / ((1 - rounding) * np.hypot(aspect, 1) + rounding * aspect)
    radius = rounding * half_width
    dx, dy = np.abs(x) - (half_width * aspect - radius), np.abs(y) - (half_width - radius)
    return np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0) - radius


def _polygon(x: np.ndarray, y: np.ndarray, n: int, particle: Mapping[str, np.ndarray]) -> np.ndarray:
    """Regular polygon with rounded corners, one corner up, stretched sideways by the aspect."""
    apothem = particle["diameter"] / 2 * np.cos(np.pi / n)
    radius = particle["rounding"] * apothem
    stretch = np.sqrt(particle["aspect"])
    # Fold the plane into half a side's sector, whose axis is the side's normal.
    angle = np.mod(np.arctan2(x / stretch, y * stretch), 2 * np.pi / n) - np.pi / n
    length = np.hypot(x / stretch, y * stretch)
    out, along = length * np.cos(angle) - (apothem - radius), length * np.abs(np.sin(angle))
    beyond = along - (apothem - radius) * np.tan(np.pi / n)
    return np.where(beyond > 0, np.hypot(out, beyond), out) - radius


def _density(
    distance: np.ndarray, labels: np.ndarray, particles: Mapping[str, np.ndarray], poses: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Optical density: the thickness rises like a quarter circle over the rim, which is soft over a pixel."""
    corners = np.array([kind.corners for kind in KINDS.values()])[labels]
    half_width = (
        np.where(corners == 4, 0.5 / particles["aspect"], 0.5 * np.cos(np.pi / corners)) * particles["diameter"]
    )
    rim = _field(particles["bevel"] * half_width)
    depth = np.clip(-distance / rim, 0, 1)
    soft = np.clip(0.5 - distance * _field(poses["scale"]), 0, 1)
    return _field(particles["contrast"]) * soft * np.maximum(np.sqrt(2 * depth - depth**2), 0.15)


def _fringe(distance: np.ndarray) -> np.ndarray:
    """Bright Fresnel fringe just outside an outline."""
    return 0.07 * np.exp(-((distance - 1.2) ** 2))


def _bending(uniform: np.ndarray, size: int) -> np.ndarray:
    """Slow variation of the contrast across a crystal: one wave in a random direction."""
    direction, phase = 2 * np.pi * uniform[:, 0], 2 * np.pi * uniform[:, 1]
    wave = (1 + 2 * uniform[:, 2]) * 2 * np.pi / size
    x, y = pixel_centres(size, size)
    along = _field(np.cos(direction) * wave) * x + _field(np.sin(direction) * wave) * y
    return 1 + 0.15 * np.sin(along + _field(phase))


def _film(uniform: np.ndarray, size: int) -> np.ndarray:
    """Background with a linear gradient."""
    x, y = pixel_centres(size, size)
    slope_x, slope_y = _field(0.3 * uniform[:, 0] - 0.15), _field(0.3 * uniform[:, 1] - 0.15)
    return _field(0.66 + 0.16 * uniform[:, 2]) * (1 + slope_x * x / size + slope_y * y / size)


def _neighbours(
    labels: np.ndarray,
    particles: Mapping[str, np.ndarray],
    poses: Mapping[str, np.ndarray],
    size: int,
    uniform: np.ndarray,
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Rows that have this neighbour, and its factors and pose: of the same class, cut by the image's border."""
    there = np.flatnonzero(uniform[:, 0] < 0.5)
    u = uniform[there]
    neighbours = _draw_objects(labels[there], size, u[:, 1:6])
    neighbours["contrast"] = particles["contrast"][there]
    direction = 2 * np.pi * u[:, 6]
    own = particles["diameter"][there] / 2 * poses["scale"][there]
    radius = neighbours["diameter"] / 2
    # Far enough not to touch the particle, near enough to reach into the image.
    to_border = size / 2 / np.maximum(np.abs(np.cos(direction)), np.abs(np.sin(direction)))
    away = np.maximum(to_border + (0.8 * u[:, 7] - 0.2) * radius, own + radius + 1)
    still = np.zeros(len(there))
    places = {
        "angle": 2 * np.pi * u[:, 8],
        "shear_x": still,
        "shear_y": still,
        "scale": still + 1,
        "shift_x": poses["shift_x"][there] + away * np.cos(direction),
        "shift_y": poses["shift_y"][there] + away * np.sin(direction),
    }
    return there, neighbours, places


def _field(values: np.ndarray) -> np.ndarray:
    """One number an image, broadcast over its pixels."""
    return np.asarray(values, dtype=np.float32)[:, None, None]
