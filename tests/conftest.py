"""Fixtures of the whole suite."""

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import settings

# the same inputs every time, and a busy machine is no failure: who changed nothing sees nothing fail;
# `--hypothesis-profile=explore` draws new ones
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile("repeatable")

# workers have the processors busy: threads of theirs would wait for each other
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

REFERENCE_VARIABLE = "ROOTZONE_REFERENCE_DATA"
_DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of reference data: ``$ROOTZONE_REFERENCE_DATA``, or ``../shared/data`` beside the checkout."""
    folder = Path(os.environ.get(REFERENCE_VARIABLE, _DEFAULT))
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder} (set {REFERENCE_VARIABLE} to the folder that holds it)")
    return folder


_LONGEST = ("test_tutorials.py", "test_tutorial.py", "test_wheel.py", "test_runs_on_processes.py")
"""Each a minute or more."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # the longest files first, then those of whole runs: workers share out files, and none should be left alone with a
    # long one at the end
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path.name not in _LONGEST, item.path not in slow))


_REPRESENTERS = dict(yaml.SafeDumper.yaml_representers)


def pytest_runtest_setup(item: pytest.Item) -> None:
    # model_metadata, which some tests import, makes `yaml.safe_dump` sort the keys of every mapping in the process
    yaml.SafeDumper.yaml_representers = dict(_REPRESENTERS)
