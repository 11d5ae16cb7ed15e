"""What this machine has to share out among processes, found out without importing torch."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path

POLL = 0.5
"""Seconds between two looks at what other processes do."""

LISTEN = 0.2
"""Seconds between two looks whether somebody wants work to stop."""

WSL_ANSWERS = 10.0
"""Seconds that the list of GPUs may take."""


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cuda_gpus() -> list[str]:
    """Return the CUDA devices this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip() not in {"", "-1"}]
    installed = Path("/proc/driver/nvidia/gpus")
    number = len(list(installed.iterdir())) if installed.is_dir() else _behind_wsl()
    return [str(index) for index in range(number)]


@cache
def _behind_wsl() -> int:
    """Return the number of CUDA devices that Windows lends to Linux, which has no list of them of its own."""
    tool = shutil.which("nvidia-smi") if os.path.exists("/dev/dxg") else None
    if tool is None:
        return 0
    try:
        told = subprocess.run([tool, "--list-gpus"], capture_output=True, text=True, timeout=WSL_ANSWERS, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0
    return len(told.stdout.splitlines())


def default_jobs() -> int:
    """Return how many trainings this machine takes at a time: one per GPU, else one for every two cores."""
    if os.environ.get("SSRVAE_DEVICE") != "cpu":
        if gpus := cuda_gpus():
            return len(gpus)
        if platform.system() == "Darwin" and platform.machine() == "arm64":
            return 1
    return max(1, cores() // 2)
