from pathlib import Path

import pytest
from parflow_runs import ParflowRun


@pytest.fixture
def parflow(tmp_path: Path) -> ParflowRun:
    (tmp_path / "run").mkdir()
    return ParflowRun(tmp_path / "run")
