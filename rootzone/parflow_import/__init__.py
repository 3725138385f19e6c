"""Runs of this package from existing run definitions of ParFlow."""

from rootzone.parflow_import.run import Imported, import_run

__all__ = ["Imported", "import_run"]
