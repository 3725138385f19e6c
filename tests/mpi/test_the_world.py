"""How many processes share a run, and that one process needs no MPI."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner
from mpi_runs import launch, needs_mpi

from bmi_common.errors import ConfigError
from bmi_common.world import ALONE, among, current, is_first, launched, of_launcher

RUN = Path(__file__).parents[2] / "cfg" / "coupled-richards.yaml"


@pytest.mark.parametrize(
    ("environment", "count", "first"),
    [
        ({}, 1, True),
        ({"PMI_SIZE": "4", "PMI_RANK": "0"}, 4, True),
        ({"PMI_SIZE": "4", "PMI_RANK": "3"}, 4, False),
        ({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"}, 2, False),
        ({"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "5"}, 1, True),  # the script of a batch job, not srun
        ({"SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_ID": "0", "SLURM_PROCID": "5"}, 8, False),
    ],
)
def test_the_launcher_tells_how_many_processes_there_are(environment, count, first) -> None:
    assert launched(environment) == count
    assert is_first(environment) == first


def test_one_process_imports_no_mpi() -> None:
    script = "import sys; from rootzone import command; command.of_launcher(); sys.exit('mpi4py' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_components_are_made_for_the_world_of_their_block() -> None:
    assert current() is ALONE
    with among(ALONE):
        assert current() is ALONE
    assert current() is ALONE


def test_the_launcher_of_another_mpi_is_refused(monkeypatch) -> None:
    pytest.importorskip("mpi4py")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "3")  # this process has been started alone
    with pytest.raises(ConfigError, match=r"started 3 processes.*use the mpiexec of that MPI"):
        of_launcher()


@pytest.mark.parametrize("command", ["bmi-evaluate", "bmi-domain", "bmi-laws", "bmi-init", "bmi-train"])
@pytest.mark.parametrize(("rank", "words"), [("0", "has started 2 processes, and this is the work of one"), ("1", "")])
def test_what_one_process_does_is_refused_by_all_with_one_message(command, rank, words, monkeypatch) -> None:
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setenv("PMI_RANK", rank)
    monkeypatch.delenv("RANK", raising=False)
    module = import_module(f"rootzone.{command.replace('-', '_')}")
    arguments = {"bmi-evaluate": ["a", "b"], "bmi-laws": ["a"], "bmi-init": []}.get(command, ["a"])
    result = CliRunner().invoke(module.main, arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert bool(result.output) == bool(words)


SILENT = """
import time
from mpi4py import MPI
from bmi_common.world import MpiWorld
world = MpiWorld(MPI.COMM_WORLD)
world.timeout = 0.5
if world.rank == 1:
    time.sleep(300)
world.agree()
"""


@needs_mpi
@pytest.mark.slow
def test_a_process_that_does_not_answer_is_not_waited_for_beyond_the_timeout() -> None:
    told = launch(3, sys.executable, "-c", SILENT, code=None)
    assert "has waited 0.5 s for another one" in told


INTERRUPTED_EARLY = """
import os, sys
from rootzone import bmi_run
if os.environ["PMI_RANK"] == sys.argv.pop(1):
    def interrupted(*_):
        raise KeyboardInterrupt
    bmi_run.main.invoke = interrupted
bmi_run.main()
"""


@needs_mpi
@pytest.mark.slow
@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_process_that_is_interrupted_before_it_has_joined_the_others_takes_them_along(tmp_path, rank) -> None:
    command = (sys.executable, "-c", INTERRUPTED_EARLY, rank, str(RUN), "--output", str(tmp_path / "run"))
    told = launch(2, *command, code=130)
    assert told.count("bmi-run: interrupted") == 1
    assert not (tmp_path / "run").exists()
