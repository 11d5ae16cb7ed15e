"""Reads one microscope file with RosettaSciIO, in a process of its own; see :mod:`ssrvae_core.data.microscopes.reader`.

RosettaSciIO takes files as they come: a damaged length can make it read for ever or fill the memory, so this process
has limits that the program itself must not have. It prints a line of JSON that says what the file holds, waits for the
number of a signal, and prints that signal's values. What goes wrong is the last line of its standard error.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
import warnings
from typing import Any

import numpy as np

RGB = ("R", "G", "B")


def limit(memory: int, seconds: float) -> None:
    """Limit the memory this process may take and the time it may compute from now on, where the system can."""
    if os.name != "posix":
        return
    import resource

    for kind, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_CPU, int(time.process_time() + seconds) + 1)):
        _, hardest = resource.getrlimit(kind)
        allowed = most if hardest == resource.RLIM_INFINITY else min(most, hardest)
        resource.setrlimit(kind, (allowed, allowed))


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


def main(plugin: str, path: str, memory: str, seconds: str) -> None:
    """Read the file, and answer on what was standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    warnings.simplefilter("ignore")
    logging.disable()
    importlib.import_module("dask.config").set(scheduler="synchronous")
    reader = importlib.import_module(f"rsciio.{plugin}").file_reader
    limit(int(memory), float(seconds))
    try:
        signals = reader(path, lazy=True)
    except ValueError:
        signals = reader(path, lazy=False)  # colour images have no other way
    answers.write(json.dumps([described(signal, plugin) for signal in signals]).encode() + b"\n")
    answers.flush()
    chosen = sys.stdin.readline().strip()
    if chosen:
        answers.write(values(signals[int(chosen)]).data.cast("B"))
    answers.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
