"""One call of ParFlow: a process with a time limit that never outlives Python, and what its failure means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bmi_common.subprocesses import ChildProcess, kill_session, terminate_session

_GRACE = 5.0
"""Seconds that a process has to end after it was told to; mpiexec needs them to end its children."""
_TAIL_LINES = 12
_CAUSES = (
    (
        r"Time step failed for time",
        "the nonlinear solver failed to converge although the step was cut in halves "
        "(more halvings: `Solver.MaxConvergenceFailures`, at most 9; more iterations: `Solver.Nonlinear.MaxIter`). "
        "A sink that takes more water than the soil holds has the same effect",
    ),
    (r"Time increment is too small", "the nonlinear solver failed to converge with the smallest step"),
    (
        r"not compiled with hypre|[Ii]nvalid value <(PFMG|PFMGOctree|SMG)>",
        "this ParFlow was built without hypre; build it with hypre, or set "
        "`solver: {Solver.Linear.Preconditioner: MGSemi}`",
    ),
    (r"Opening as 'split' file", "this ParFlow was built to read files split by process; build it with sequential I/O"),
    (r"[Ii]nvalid value|InputError|Input Error", "ParFlow refuses a key of the run definition"),
    (r"Can't open", "ParFlow cannot open a file"),
    (r"not enough slots", "MPI offers fewer slots than processes were asked for"),
    (r"run as root|running as root", "Open MPI refuses to run as root; OMPI_ALLOW_RUN_AS_ROOT=1 and "
     "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 in the environment allow it"),
)  # fmt: skip


@dataclass(frozen=True)
class StepOutcome:
    """How a call ended.

    Attributes
    ----------
    code : int or None
        Exit code; None if it was ended because it took too long.
    said : str
        Standard output and error.
    """

    code: int | None
    said: str

    @property
    def cause(self) -> str | None:
        """What is known to have gone wrong; None for a call that ended well, as far as one can tell from here.

        ParFlow ends with exit code 0 and "Problem solved" also after a time step that failed.
        """
        for pattern, meaning in _CAUSES:
            if re.search(pattern, self.said):
                return meaning
        return None

    @property
    def tail(self) -> str:
        """Last lines of what the process said."""
        lines = [line.rstrip() for line in self.said.splitlines() if line.strip()]
        return "\n".join(f"  | {line}" for line in lines[-_TAIL_LINES:]) or "  | (it said nothing)"


def call(
    command: Sequence[str], folder: Path, log: Path, timeout: float, environment: Mapping[str, str] | None = None
) -> StepOutcome:
    """Run a command in `folder` until it ends or `timeout` [s] is over; it writes what it says into `log`.

    Raises
    ------
    OSError
        If it cannot be started.
    """
    with ChildProcess(
        command,
        ending=(terminate_session, kill_session),
        patience=_GRACE,
        log_file=log,
        folder=folder,
        environment=environment,
        ends_with_parent=True,
    ) as process:
        code = process.wait(timeout)
    return StepOutcome(code, log.read_text(errors="replace"))
