"""Sharing runs: a bundle is one file that leaves a store and is taken into another, verified to the last byte.

:mod:`~ssrvae_core.runs.bundle.manifest` says what a bundle is, :mod:`~ssrvae_core.runs.bundle.check` what a run in it
must say.
"""

from ssrvae_core.runs.bundle.export import export_bundle
from ssrvae_core.runs.bundle.install import ImportReport, import_bundle, unpack_bundle

__all__ = ["ImportReport", "export_bundle", "import_bundle", "unpack_bundle"]
