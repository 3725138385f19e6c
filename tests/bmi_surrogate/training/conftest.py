"""The small basin that trainings are tested on."""

import shutil
from pathlib import Path

import pytest
from training_cases import write_basin

from bmi_surrogate.training.logger import CsvLogger


@pytest.fixture(scope="session")
def _basin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("basin")
    write_basin(folder)
    return folder


@pytest.fixture
def basin(_basin: Path, tmp_path: Path) -> Path:
    """A folder of one's own with the basin in it."""
    return Path(shutil.copytree(_basin, tmp_path / "basin"))


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take longer than the small trainings that they show."""
    monkeypatch.setattr(CsvLogger, "draw", lambda *args: None)
