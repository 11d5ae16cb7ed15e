"""Where to compute, how much memory that takes, and reproducible randomness."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ssrvae_core.config import UserError

ENVIRONMENT = "SSRVAE_DEVICE"


def choose_device(name: str = "auto") -> torch.device:
    """Return the device to compute on.

    Parameters
    ----------
    name : str
        ``cpu``, ``cuda``, ``cuda:1``, ``mps`` or ``auto``: ``$SSRVAE_DEVICE`` if set, else CUDA, then MPS, then CPU.

    Raises
    ------
    UserError
        If the device does not exist or is not available here.
    """
    if name == "auto":
        name = os.environ.get(ENVIRONMENT, "auto")
    if name == "auto":
        available = torch.accelerator.current_accelerator(check_available=True)
        return available if available is not None and available.type in {"cuda", "mps"} else torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(f"Device '{name}' is not available here; use 'auto', or 'cpu' to be sure.") from error
    return device


def peak_memory_mb(device: torch.device) -> float:
    """Return the largest memory used so far, MB: the device's on CUDA, else the process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 1e6 if sys.platform == "darwin" else used / 1e3  # bytes on macOS, kilobytes on Linux


@contextmanager
def seeded(device: torch.device, *key: int) -> Iterator[torch.Generator]:
    """Make everything random inside a function of ``key``, and leave the caller's random state untouched.

    Yields a generator on ``device``; Pyro's samples, which take none, draw from the global one, seeded alike.
    """
    seed = 0
    for part in key:
        seed = (seed * 1_000_003 + part + 1) % (2**63 - 1)
    devices = [device] if device.type != "cpu" else []
    with torch.random.fork_rng(devices=devices, device_type=device.type if devices else "cuda"):
        torch.manual_seed(seed)
        yield torch.Generator(device).manual_seed(seed)
