"""What every benchmark prints: JSON lines that begin with the machine."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the project runs from its clone, and a script's own folder is all Python looks in

LARGEST = 3_000_000
"""Bytes that an archive which comes with the program may have."""


def report(**values: Any) -> None:
    """Print one JSON line at once."""
    print(json.dumps(values, default=float), flush=True)


def report_archive(out: Path, title: str, advice: str) -> None:
    """Report the size of an archive that comes with the program, and end with an error where it is too large."""
    size = out.stat().st_size
    report(out=out.name, bytes=size)
    if size > LARGEST:
        raise SystemExit(f"{title} has {size:,} bytes, more than {LARGEST:,}; {advice}.")


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    revision = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT)
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "revision": revision.stdout.strip(),
    }


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Return all values with their mean, standard deviation, worst and best."""
    array = np.asarray(values, dtype=float)
    sd = array.std(ddof=1) if len(array) > 1 else 0.0
    summary = {"mean": array.mean(), "sd": sd, "min": array.min(), "max": array.max()}
    return {"values": array.round(4).tolist(), **{name: round(float(number), 4) for name, number in summary.items()}}
