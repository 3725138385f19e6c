"""Fixtures of the whole suite."""

import os
from pathlib import Path

import pytest
import yaml

REFERENCE_VARIABLE = "ROOTZONE_REFERENCE_DATA"
_DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of reference data: ``$ROOTZONE_REFERENCE_DATA``, or ``../shared/data`` beside the checkout."""
    folder = Path(os.environ.get(REFERENCE_VARIABLE, _DEFAULT))
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder} (set {REFERENCE_VARIABLE} to the folder that holds it)")
    return folder


_REPRESENTERS = dict(yaml.SafeDumper.yaml_representers)


def pytest_runtest_setup(item: pytest.Item) -> None:
    # model_metadata, which some tests import, makes `yaml.safe_dump` sort the keys of every mapping in the process
    yaml.SafeDumper.yaml_representers = dict(_REPRESENTERS)
