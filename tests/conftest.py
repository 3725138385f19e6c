"""Fixtures of the whole suite."""

import os
from pathlib import Path

import pytest

REFERENCE_VARIABLE = "ROOTZONE_REFERENCE_DATA"
_DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of reference data: ``$ROOTZONE_REFERENCE_DATA``, or ``../shared/data`` beside the checkout."""
    folder = Path(os.environ.get(REFERENCE_VARIABLE, _DEFAULT))
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder} (set {REFERENCE_VARIABLE} to the folder that holds it)")
    return folder
