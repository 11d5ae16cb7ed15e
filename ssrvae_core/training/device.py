"""Where to compute, how much memory that takes, and reproducible randomness."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ssrvae_core.config import UserError

ENVIRONMENT = "SSRVAE_DEVICE"

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
KEPT = 2**30
"""Free bytes at the end of the heap above which they are given back."""
LARGEST_KEPT = (2**28, 2**25)
"""Bytes of the largest block that is kept: as asked for, and where that is refused."""


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


def keep_freed_memory() -> None:
    """Have glibc keep what a training step frees for the next step, in this process from now on.

    By itself it gives many large blocks back to the system, and the kernel hands them out again page by page, which
    takes a sixth of a step on a CPU. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    # It answers 0 to what it refuses; an older one refuses the larger threshold.
    if mallopt is not None and any(mallopt(M_MMAP_THRESHOLD, size) for size in LARGEST_KEPT):
        mallopt(M_TRIM_THRESHOLD, KEPT)


def random_state(generator: torch.Generator) -> list[torch.Tensor]:
    """Return the state of all that a step draws from: the global generators, and one of our own on its device."""
    state = [torch.get_rng_state(), generator.get_state()]
    if generator.device.type == "cuda":
        state.append(torch.cuda.get_rng_state(generator.device))
    elif generator.device.type == "mps":
        state.append(torch.mps.get_rng_state())
    return state


def restore_random_state(generator: torch.Generator, state: list[torch.Tensor]) -> None:
    """Go on from what :func:`random_state` returned."""
    torch.set_rng_state(state[0])
    generator.set_state(state[1])
    if generator.device.type == "cuda":
        torch.cuda.set_rng_state(state[2], generator.device)
    elif generator.device.type == "mps":
        torch.mps.set_rng_state(state[2])


NO_MEMORY = ("out of memory", "can't allocate memory")
"""What PyTorch's allocators say: those of CUDA and MPS, and that of the CPU."""


@contextmanager
def within_memory(device: torch.device, advice: str) -> Iterator[None]:
    """Say what to do where the device has too little memory for what is done inside.

    Raises
    ------
    UserError
        If an allocation fails; the sentence ends with ``advice``.
    """
    try:
        yield
    except RuntimeError as error:
        if not any(words in str(error) for words in NO_MEMORY):
            raise
        raise UserError(f"The device '{device}' has too little memory; {advice}.") from error


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Have equal inputs give equal results on the device.

    On CUDA that is asked of cuDNN, whose fastest gradients of convolutions add up in whatever order threads come; no
    other kernel of a training step does so.
    """
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = before or device.type == "cuda"
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before


@contextmanager
def seeded(device: torch.device, *key: int) -> Iterator[torch.Generator]:
    """Make everything random inside a function of ``key``, and leave the caller's random state untouched.

    Yields a generator on ``device``; Pyro's samples, which take none, draw from the global one, seeded alike.
    """
    seed = 0
    for part in key:
        seed = (seed * 1_000_003 + part + 1) % (2**63 - 1)
    devices = [device] if device.type != "cpu" else []
    forked = torch.random.fork_rng(devices=devices, device_type=device.type if devices else "cuda")
    with repeatable(device), forked:
        torch.manual_seed(seed)
        yield torch.Generator(device).manual_seed(seed)
