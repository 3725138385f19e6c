"""The user's installation of ParFlow: where it is and how it is started."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bmi_common.errors import ConfigError

VARIABLE = "PARFLOW_DIR"
PROCESSES = "{processes}"

_SETTINGS = Path("config") / "pf-cmake-env.sh"
_ASSIGNMENT = re.compile(r'^\s*(?:export\s+)?(\w+)="?([^"\n]*)"?\s*$', re.MULTILINE)
_BUILD = "build ParFlow (https://parflow.org) or load its module"


@dataclass(frozen=True)
class Installation:
    """What is needed to start ParFlow.

    Attributes
    ----------
    folder : Path
        ``PARFLOW_DIR``.
    command : tuple of str
        Words in front of the name of the run.
    version : str
        Version as the installation's settings tell it, or "unknown".
    """

    folder: Path
    command: tuple[str, ...]
    version: str


def find_installation(folder: Path | None, mpi_command: str | None, processes: int) -> Installation:
    """Find the executable, and for several processes the command that starts them.

    Without `mpi_command`, one process is started directly and several by the ``MPIEXEC`` that the installation was
    configured with, or by ``mpiexec`` on the path.

    Parameters
    ----------
    folder : Path, optional
        Installation; by default the environment variable ``PARFLOW_DIR``.
    mpi_command : str, optional
        Such as ``srun -n {processes}``.
    processes : int
        How many to start.

    Raises
    ------
    ConfigError
        If something is missing, saying what to install or to set.
    """
    folder = _folder(folder)
    executable = folder / "bin" / "parflow"
    if not executable.is_file() or not os.access(executable, os.X_OK):
        raise ConfigError(
            f"parflow: no executable {executable}; {VARIABLE} (or parflow_dir) must name the folder that ParFlow was "
            f"installed into, with bin/parflow in it"
        )
    settings = _settings(folder)
    return Installation(
        folder=folder,
        command=(*_unbuffered(), *_launcher(settings, mpi_command, processes), str(executable)),
        version=settings.get("PARFLOW_VERSION", "unknown"),
    )


def _folder(given: Path | None) -> Path:
    if given is not None:
        return given.resolve()
    variable = os.environ.get(VARIABLE, "")
    if not variable:
        raise ConfigError(
            f"parflow: no ParFlow given: {_BUILD}, and set the environment variable {VARIABLE} (or the key "
            f"parflow.parflow_dir) to the folder it was installed into"
        )
    path = Path(variable).expanduser()
    if not path.is_dir():
        raise ConfigError(f"parflow: {VARIABLE} is {variable!r}, which is no folder")
    return path.resolve()


def _settings(folder: Path) -> dict[str, str]:
    """Values that ParFlow's build left for its own starter."""
    file = folder / _SETTINGS
    return dict(_ASSIGNMENT.findall(file.read_text(errors="replace"))) if file.is_file() else {}


def _launcher(settings: dict[str, str], mpi_command: str | None, processes: int) -> Sequence[str]:
    if mpi_command is not None:
        words = shlex.split(mpi_command.replace(PROCESSES, str(processes)))
        _require_program(words[0], "parflow.mpi_command")
        return words
    if processes == 1:
        return ()
    given = settings.get("MPIEXEC", "")
    program = given if given and shutil.which(given) else shutil.which("mpiexec")
    if program is None:
        said = f" (ParFlow was built with {given}, which is not there)" if given else ""
        raise ConfigError(
            f"parflow: no mpiexec found for {processes} processes{said}: install MPI or load its module, name the "
            f"command as `mpi_command: srun -n {PROCESSES}`, or set `processes: [1, 1]`"
        )
    flag = settings.get("MPIEXEC_NUMPROC_FLAG") or "-n"
    before = shlex.split(settings.get("MPIEXEC_POSTFLAGS", ""))
    after = shlex.split(settings.get("MPIEXEC_PREFLAGS", ""))
    return [program, flag, str(processes), *before, *after]


def _require_program(program: str, key: str) -> None:
    if shutil.which(program) is None:
        raise ConfigError(f"{key}: no such program: {program!r}")


def _unbuffered() -> Sequence[str]:
    # ParFlow ends by abort() on many mistakes, and what it has just said is lost in a buffer
    program = shutil.which("stdbuf")
    return () if program is None else (program, "-oL", "-eL")
