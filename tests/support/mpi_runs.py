"""Programs that mpiexec starts on several processes."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
_BESIDE_PYTHON = Path(sys.executable).with_name("mpiexec")
MPIEXEC = str(_BESIDE_PYTHON) if _BESIDE_PYTHON.exists() else shutil.which("mpiexec")

needs_mpi = pytest.mark.skipif(
    MPIEXEC is None or find_spec("mpi4py") is None, reason="needs mpi4py and mpiexec: pip install 'rootzone[mpi]' mpich"
)


def start(processes: int, *command: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    """Start a command on several processes, one thread each."""
    assert MPIEXEC is not None
    path = os.pathsep.join(str(p) for p in (TESTS, TESTS / "support"))
    return subprocess.Popen(
        [MPIEXEC, "-n", str(processes), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )


def launch(processes: int, *command: str, cwd: Path | None = None, code: int | None = 0) -> str:
    """Run a command on several processes; return what they print, after they have ended with this exit code, or any."""
    process = start(processes, *command, cwd=cwd)
    output, _ = process.communicate(timeout=600)
    assert code is None or process.returncode == code, output
    return output
