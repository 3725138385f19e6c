"""The small basin that trainings are tested on."""

import shutil
from pathlib import Path

import pytest
from training_cases import after, train, write_basin, write_config

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


@pytest.fixture(scope="session")
def _stopped(_basin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(_basin, tmp_path_factory.mktemp("stopped") / "basin"))
    train(write_config(folder), after(4))
    return folder


@pytest.fixture
def stopped(_stopped: Path, tmp_path: Path) -> Path:
    """The basin in a folder of one's own with ``out``, a training by `write_config` that was stopped after 4."""
    return Path(shutil.copytree(_stopped, tmp_path / "stopped"))


@pytest.fixture(scope="session")
def _trained(_basin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(_basin, tmp_path_factory.mktemp("trained") / "basin"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CsvLogger, "draw", lambda *args: None)
        train(write_config(folder))
    return folder


@pytest.fixture
def trained(_trained: Path, tmp_path: Path) -> Path:
    """The basin in a folder of one's own with ``out``, a training by `write_config` to its end."""
    return Path(shutil.copytree(_trained, tmp_path / "trained"))


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take longer than the small trainings that they show."""
    monkeypatch.setattr(CsvLogger, "draw", lambda *args: None)
