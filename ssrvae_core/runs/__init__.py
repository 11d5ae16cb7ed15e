"""Runs: the store on disk (:mod:`~ssrvae_core.runs.store`) and the one road that trains into it."""

from ssrvae_core.runs.store import BrokenRun, Run, RunStore, Status

__all__ = ["BrokenRun", "Run", "RunStore", "Status"]
