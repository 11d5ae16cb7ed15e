"""Turn latents of different moments or runs onto each other, so that motion means learning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ssrvae_core.config import UserError

FEWEST = 3
"""Shared samples below which two frames are not aligned: fewer do not fix a plane."""


def align_frames(frames: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
    """Rotate and reflect every frame onto the last one, and return what a plane shows of them.

    A latent space has no preferred direction, so two trainings may differ by a rotation or a mirror only. The best
    orthogonal map over the shared samples is the solution of the orthogonal Procrustes problem (Schönemann 1966,
    doi 10.1007/BF02289451); nothing is scaled, so the spread of a frame stays its own.

    Parameters
    ----------
    frames : sequence of (int array (N,), float array (N, D))
        Sample ids and latents, in the order of the film. A frame that shares fewer than three samples with the last
        one is not turned.

    Returns
    -------
    list of float32 array (N, 2)
        For D = 2 the aligned latents, the last frame untouched; for D > 2 their first two principal axes, those of
        the last frame; for D = 1 the latent and zero.

    Raises
    ------
    UserError
        If the frames have different numbers of latents.
    """
    if len({z.shape[1] for _, z in frames}) > 1:
        raise UserError(
            "Frames with different numbers of latents cannot be in one film; choose runs of equal latent_dim."
        )
    if not frames:
        return []
    last_ids, last = frames[-1]
    turned = [_turned(ids, z, last_ids, last) for ids, z in frames[:-1]] + [last.astype(np.float64)]
    return [plane.astype(np.float32) for plane in _in_plane(turned)]


def _turned(ids: np.ndarray, z: np.ndarray, last_ids: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Move a frame by the orthogonal map and the shift that bring its shared samples closest to the last frame's."""
    _, here, there = np.intersect1d(ids, last_ids, return_indices=True)
    z = z.astype(np.float64)
    known = np.isfinite(z[here]).all(axis=1) & np.isfinite(last[there]).all(axis=1)
    here, there = here[known], there[known]
    if len(here) < FEWEST:
        return z
    middle, goal = z[here].mean(axis=0), last[there].mean(axis=0, dtype=np.float64)
    u, _, vt = np.linalg.svd((z[here] - middle).T @ (last[there] - goal))
    return (z - middle) @ (u @ vt) + goal


def _in_plane(frames: list[np.ndarray]) -> list[np.ndarray]:
    dims = frames[-1].shape[1]
    if dims == 1:
        return [np.concatenate([z, np.zeros_like(z)], axis=1) for z in frames]
    known = frames[-1][np.isfinite(frames[-1]).all(axis=1)]
    if dims == 2 or not len(known):
        return [z[:, :2] for z in frames]
    middle = known.mean(axis=0)
    last = known - middle
    axes = np.linalg.eigh(last.T @ last)[1][:, [-1, -2]]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    return [(z - middle) @ axes for z in frames]
