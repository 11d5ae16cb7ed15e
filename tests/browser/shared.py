"""What the browser tests agree on."""

from pathlib import Path

from tests.data.make_golden_store import RIVAL as RIVAL

ROOT = Path(__file__).parents[2]
PATIENCE = 60_000
"""Milliseconds that anything may take on a busy machine."""
