"""Reads a microscope's file with RosettaSciIO, as a job of :mod:`ssrvae_core.data.apart.server`.

It works in the directory of the file, which the one who asks has made for it.
"""

from __future__ import annotations

import importlib
import logging
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

RGB = ("R", "G", "B")


def prepare(request: dict[str, Any]) -> None:
    """Import the reader of the format, and what readers import only once they read."""
    warnings.simplefilter("ignore")
    logging.disable()
    importlib.import_module("dask.config").set(scheduler="synchronous")
    importlib.import_module(f"rsciio.{request['plugin']}")
    importlib.import_module("dask.array").zeros(1).compute()  # which imports the rest


def serve(request: dict[str, Any]) -> tuple[list[dict[str, Any]], np.ndarray | None]:
    """Say what is in the file, and give the values of the signal that is asked for, if one is."""
    path, plugin = request["path"], request["plugin"]
    os.chdir(Path(path).parent)
    reader = importlib.import_module(f"rsciio.{plugin}").file_reader
    try:
        signals = reader(path, lazy=True)
    except ValueError:
        signals = reader(path, lazy=False)  # colour images have no other way
    wanted = request.get("signal")
    return [described(signal, plugin) for signal in signals], None if wanted is None else values(signals[wanted])


def described(signal: dict[str, Any], plugin: str) -> dict[str, Any]:
    """Return what a signal is, as JSON can hold it; axes in the order of the array's."""
    data = signal["data"]
    is_colour = data.dtype.names is not None and set(RGB) <= set(data.dtype.names)
    ordered = sorted(enumerate(signal["axes"]), key=lambda entry: entry[1].get("index_in_array", entry[0]))
    header = signal.get("original_metadata", {}).get("std_header", {})
    # Without these MRC headers one nanometre is reported, and TVIPS has the pixels of the camera.
    has_scale = all(header.get(key, 1) for key in ("MX", "MY")) and plugin != "tvips"
    axes = [
        {
            "navigate": bool(axis.get("navigate")),
            "scale": float(axis.get("scale", 1)) if has_scale else None,
            "units": str(axis.get("units") or ""),
        }
        for _, axis in ordered
    ]
    return {
        "title": str(signal.get("metadata", {}).get("General", {}).get("title", "")),
        "shape": [int(side) for side in data.shape],
        "dtype": "|u1" if is_colour else data.dtype.str,
        "is_colour": is_colour,
        # DigitalMicrograph's spectrum images are turned after reading, and look like stacks of images before.
        "is_spectrum": len(signal.get("post_process") or ()) > 1,
        "axes": axes,
    }


def values(signal: dict[str, Any]) -> np.ndarray:
    """Return the values of a signal, colours in a last axis."""
    data = np.asarray(signal["data"])
    if data.dtype.names is not None:
        data = np.stack([data[name] for name in RGB], axis=-1)
    return np.ascontiguousarray(data)
