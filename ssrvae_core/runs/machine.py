"""What this machine has to share out among processes, found out without importing torch."""

from __future__ import annotations

import os
import platform
from pathlib import Path

POLL = 0.5
"""Seconds between two looks at what other processes do."""


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cuda_gpus() -> list[str]:
    """Return the CUDA devices this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip() not in {"", "-1"}]
    installed = Path("/proc/driver/nvidia/gpus")
    return [str(number) for number in range(len(list(installed.iterdir())))] if installed.is_dir() else []


def default_jobs() -> int:
    """Return how many trainings this machine takes at a time: one a GPU, else one every two cores."""
    if os.environ.get("SSRVAE_DEVICE") != "cpu":
        if gpus := cuda_gpus():
            return len(gpus)
        if platform.system() == "Darwin" and platform.machine() == "arm64":
            return 1
    return max(1, cores() // 2)
