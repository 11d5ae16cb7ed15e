"""What the browser tests agree on."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 60_000
"""Milliseconds that anything may take on a busy machine."""
RIVAL = "decision-tree"
"""The rival of the store that the pages are looked at with."""
