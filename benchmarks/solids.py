"""Silhouettes of cubes, octahedra and spheres as they lie on a support, by micrograph: data to choose by.

A micrograph holds one class, and has a size, a truncation of the corners, a stretch, a tilt and a roughness of its own.
So class and micrograph are confounded, and what new micrographs look like has to be guessed, as for real particles. A
solid is a superquadric, abs(x)^p + abs(y)^p + abs(z)^p <= 1, and its silhouette is where its support function allows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MICROGRAPHS = 4
"""Per class."""

PER_MICROGRAPH = 45
SIDE = 64
DIRECTIONS = 120
"""Of the support function."""

GROWTH = (0.85, 1.15, 1.0)
"""Factors of the radius of each class, so that their silhouettes are of one size."""


@dataclass(frozen=True)
class Kind:
    """How far micrographs differ.

    Attributes
    ----------
    powers : tuple of tuples
        Smallest and largest power of cubes, octahedra and spheres.
    stretch, tilt : float
        Largest standard deviation of the axes, and of the tilt, radians.
    on_face : float
        Smallest share of the octahedra of a micrograph that lie on a face, the others on an edge.
    """

    powers: tuple[tuple[float, float], ...]
    stretch: float
    tilt: float
    on_face: float


KINDS = {
    "solids": Kind(((3.0, 9.0), (1.05, 1.5), (1.75, 2.3)), 0.15, 0.5, 0.0),
    "solids-mild": Kind(((3.5, 9.0), (1.05, 1.3), (1.8, 2.2)), 0.1, 0.3, 0.5),
}


def solids(name: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return silhouettes bool (N, 64, 64), classes and micrographs."""
    kind, rng = KINDS[name], np.random.default_rng(100 * list(KINDS).index(name) + seed)
    masks, groups = [], []
    for group in range(3 * MICROGRAPHS):
        number = group // MICROGRAPHS
        power = [rng.uniform(*limits) for limits in kind.powers][number]
        size, spread = rng.uniform(12, 21), rng.uniform(0.03, 0.12)
        stretch, tilt = rng.uniform(0, kind.stretch), rng.uniform(0.05, kind.tilt)
        rough, on_face = rng.uniform(0.002, 0.02), rng.uniform(kind.on_face, 1)
        for _ in range(PER_MICROGRAPH):
            down = (0, 0, 1) if number == 0 else (1, 1, 1) if rng.random() < on_face else (0, 1, 1)
            axes = 1 + stretch * np.abs(rng.normal(size=3))
            axes /= np.prod(axes) ** (1 / 3)
            edge = rough * _wobble(rng)
            turn = _turn(rng, tilt, _facing(np.array(down, dtype=float)))
            radius = size * np.exp(spread * rng.normal()) * GROWTH[number]
            masks.append(_silhouette(power, axes, turn, radius, edge))
            groups.append(group)
    groups = np.array(groups)
    return np.array(masks), groups // MICROGRAPHS, groups


def _silhouette(power: float, axes: np.ndarray, turn: np.ndarray, radius: float, edge: np.ndarray) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, DIRECTIONS, endpoint=False)
    normal = np.stack([np.cos(angle), np.sin(angle), np.zeros(DIRECTIONS)])
    dual = power / (power - 1)
    support = (np.abs((turn.T @ normal).T * axes) ** dual).sum(axis=1) ** (1 / dual)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    reach = x[..., None] * normal[0] + y[..., None] * normal[1]
    return (reach <= radius * support * (1 + edge)).all(axis=-1)


def _wobble(rng: np.random.Generator) -> np.ndarray:
    """Return a smooth deviation by direction, of standard deviation 1."""
    waves = np.fft.rfft(rng.normal(size=DIRECTIONS))
    waves[0], waves[8:] = 0, 0
    smooth = np.fft.irfft(waves, DIRECTIONS)
    return smooth / smooth.std()


def _facing(down: np.ndarray) -> np.ndarray:
    """Return the rotation that brings a direction of the solid under the eye."""
    down = down / np.linalg.norm(down)
    side = np.cross([0.3, 0.5, 0.8], down)
    side /= np.linalg.norm(side)
    return np.stack([side, np.cross(down, side), down])


def _turn(rng: np.random.Generator, tilt: float, base: np.ndarray) -> np.ndarray:
    """Return a rotation: the base, tilted a little, and at any angle in the plane."""
    axis = rng.normal(size=3) * tilt
    angle = np.linalg.norm(axis) + 1e-9
    a, b, c = axis / angle
    cross = np.array([[0, -c, b], [c, 0, -a], [-b, a, 0]])
    tilted = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    turn = rng.uniform(0, 2 * np.pi)
    plane = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    return plane @ tilted @ base
