"""What a result may depend on besides its configuration."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ssrvae_core import __version__

PACKAGES = ("torch", "pyro-ppl", "numpy", "scikit-learn", "safetensors", "pydantic")
"""Distributions whose versions are kept with a run."""


def environment(device: str) -> dict[str, Any]:
    """Return versions, platform, the device named, and the git revision of the source (None outside a checkout)."""
    return {
        "ssrvae_core": __version__,
        "git_revision": _git_revision(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "device": device,
    }


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_revision() -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else None
