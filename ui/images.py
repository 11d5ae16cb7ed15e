"""The validation images of a run, what its model makes of them, and how they go into a page."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from PIL import Image

from ssrvae_core.config import DatasetConfig, UserError
from ssrvae_core.records import Predictions
from ssrvae_core.runs import Run
from ssrvae_core.runs.data_files import load_images
from ssrvae_core.runs.thumbnails import LARGEST_SIDE, thumbnails, to_pixels

if TYPE_CHECKING:
    from ssrvae_core.models import SSVAE

GRID = 9
"""Images along a side of the manifold."""
PRINT_PIXELS = 720
"""Smallest side of an enlarged picture."""


@dataclass(frozen=True)
class Pictures:
    """Images as bytes: ``pixels`` (N, H, W) grey or (N, H, W, 3), of the samples ``ids``, ascending.

    ``note`` is a sentence where they are not the images themselves.
    """

    ids: np.ndarray
    pixels: np.ndarray
    note: str = ""

    def of(self, sample: int) -> np.ndarray | None:
        """Return the picture of a sample, None where there is none."""
        row = int(np.searchsorted(self.ids, sample))
        return self.pixels[row] if row < len(self.ids) and self.ids[row] == sample else None


def validation_pictures(run: Run, ids: np.ndarray) -> Pictures:
    """Load a run's data set again, and keep the pictures of these samples.

    Where its file is not here, the small pictures that the run came with stand in.

    Raises
    ------
    UserError
        If there are neither; the sentence says how to get them.
    """
    held_out = run.config.split.model_dump_json(include={"seed", "by_group", "validation_fraction"})
    try:
        return _pictures(run.dataset.model_dump_json() + held_out, run.dataset, run, ids)
    except UserError:
        small = thumbnails(run)
        if small is None:
            raise
        kept = np.isin(small.ids, ids)
        return Pictures(small.ids[kept], small.pixels[kept], _SMALL.format(name=run.data_name))


_SMALL = (
    f"The file {{name}} is not here; these are small pictures of its images (at most {LARGEST_SIDE} pixels along a "
    "side), which came with the run. Upload the file on the Data page to see the images themselves."
)


@st.cache_resource(max_entries=4, show_spinner="Loading the images")
def _pictures(data: str, _dataset: DatasetConfig, _run: Run, _ids: np.ndarray) -> Pictures:
    images = load_images(_dataset, _run.path.parent)
    rows = np.flatnonzero(np.isin(images.ids, _ids))
    rows = rows[np.argsort(images.ids[rows])]
    return Pictures(images.ids[rows], to_pixels(images.images[rows]))


@st.cache_resource(max_entries=4, show_spinner="Loading the model")
def _model(path: str, updated: float, _run: Run) -> SSVAE:
    return _run.model()


def model_of(run: Run) -> SSVAE:
    """Return a run's trained model; the first one takes the time torch takes to import.

    Raises
    ------
    UserError
        If its weights cannot be read.
    """
    return _model(str(run.path.absolute()), run.status.updated, run)


def reconstructions(run: Run, predictions: Predictions, rows: np.ndarray) -> np.ndarray:
    """Decode the latents of these rows at angle zero: the objects de-rotated. Bytes, as in :class:`Pictures`."""
    import torch

    z, y = torch.from_numpy(predictions.z_mean[rows]), torch.from_numpy(predictions.predicted[rows])
    return to_pixels(model_of(run).decode(z, y).cpu().numpy())


@st.cache_data(max_entries=256, show_spinner="Drawing the manifold")
def _manifold(
    path: str, updated: float, label: int, degrees: int, dims: tuple[int, int], _bounds: np.ndarray, _run: Run
) -> np.ndarray:
    model, angle = model_of(_run), float(np.radians(degrees))
    if _run.config.model.latent_dim == 1:
        grid = model.traverse(label, 0, GRID, angle=angle, bounds=_bounds)[None]
    else:
        grid = model.manifold2d(label, GRID, angle=angle, dims=dims, bounds=_bounds)
    return enlarge(tile(to_pixels(grid.cpu().numpy())), PRINT_PIXELS)


def manifold(run: Run, label: int, degrees: int, dims: tuple[int, int], bounds: np.ndarray) -> np.ndarray:
    """Decode a grid over two latent dimensions of a class, turned by an angle in degrees, as one picture.

    ``bounds`` (D, 2) are those of the class in this run, see :func:`ssrvae_core.evaluation.latents.manifold_bounds`.
    """
    return _manifold(str(run.path.absolute()), run.status.updated, label, degrees, dims, bounds, run)


@st.cache_data(max_entries=256, show_spinner="Drawing the traversals")
def _traversals(path: str, updated: float, label: int, degrees: int, _bounds: np.ndarray, _run: Run) -> np.ndarray:
    model, angle = model_of(_run), float(np.radians(degrees))
    rows = [model.traverse(label, d, GRID, angle=angle, bounds=_bounds) for d in range(_run.config.model.latent_dim)]
    return enlarge(tile(to_pixels(np.stack([row.cpu().numpy() for row in rows]))), PRINT_PIXELS)


def traversals(run: Run, label: int, degrees: int, bounds: np.ndarray) -> np.ndarray:
    """Decode steps along every latent of a class, a row each, as one picture; all is as in :func:`manifold`."""
    return _traversals(str(run.path.absolute()), run.status.updated, label, degrees, bounds, run)


def point(run: Run, label: int, degrees: float, z: np.ndarray) -> np.ndarray:
    """Decode one point (D,) of the latent space of a class, turned by an angle in degrees."""
    import torch

    at = torch.from_numpy(z.astype(np.float32))[None]
    image = model_of(run).decode(at, torch.tensor([label]), float(np.radians(degrees)))
    return enlarge(to_pixels(image.cpu().numpy())[0], PRINT_PIXELS // 2)


def reach(bounds: np.ndarray, dims: tuple[int, int]) -> str:
    """Say where a manifold within ``bounds`` (D, 2) reaches along the dimensions across and upwards."""
    directions = [(d, way) for d, way in zip(dims, ("right", "up"), strict=True) if d < len(bounds)]
    return ", ".join(f"{span(bounds, d)} ({way})" for d, way in directions)


def span(bounds: np.ndarray, dim: int) -> str:
    """Say how far one dimension reaches within ``bounds`` (D, 2)."""
    n = decimals(float(np.ptp(bounds[dim])))
    return f"z{dim + 1} from {bounds[dim, 0]:.{n}f} to {bounds[dim, 1]:.{n}f}"


def decimals(width: float) -> int:
    """Return as many decimals as tell the ends of a range of this width apart."""
    return max(0, 1 - math.floor(math.log10(max(width, 1e-6))))


def tile(grid: np.ndarray) -> np.ndarray:
    """Lay pictures (rows, columns, H, W[, 3]) out as one."""
    rows, columns, height, width = grid.shape[:4]
    return np.moveaxis(grid, 2, 1).reshape(rows * height, columns * width, *grid.shape[4:])


def enlarge(picture: np.ndarray, least: int) -> np.ndarray:
    """Repeat pixels until the longer side has at least this many, so that no browser blurs them."""
    factor = -(-least // max(picture.shape[:2]))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def png(picture: np.ndarray) -> bytes:
    """Encode a picture as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()


def data_uri(picture: np.ndarray) -> str:
    """Return a picture as the address of an HTML image."""
    return "data:image/png;base64," + base64.b64encode(png(picture)).decode()
