"""The processes that share a run, and the messages between them.

A run on one process has the world `ALONE`, which needs no MPI. What else shares a run is found by `of_launcher` from
the environment that ``mpiexec`` (or ``srun``) sets, so that mpi4py is imported only where there is more than one
process.

No wait hangs because another process has failed: one that fails tells the others with `World.fail`, and they raise
`OtherProcessFailed` where they wait. A process that dies takes the others along, because its launcher ends them, or
because a wait for it comes to its `timeout`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bmi_common.errors import ConfigError, RootzoneError

Array = NDArray[Any]

_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "PMIX_SIZE", "MPI_LOCALNRANKS", "PALS_SIZE")
"""Variables in which launchers tell each process how many there are."""
_SLURM_SIZE, _SLURM_STEP = "SLURM_STEP_NUM_TASKS", "SLURM_STEP_ID"

_RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "MPI_LOCALRANKID", "PALS_RANKID", "SLURM_PROCID")

_NUMBERS, _VALUES, _FAILURE = 1, 2, 3
"""Tags of messages; those from `FIRST_FREE_TAG` on are the callers'."""
TILES_TAG = 4
"""Tag of the messages of `coupler.tiles`."""
FIRST_FREE_TAG = 16

_PATIENCE = 200
"""Looks at a request before a waiting process looks for failures of others, too, and sleeps between two looks."""
_NAP = 2.0e-5
"""Seconds between two looks; with more processes than processors, others compute meanwhile."""
_GRACE = 10.0
"""Seconds in which another process may say why a message from it does not fit."""


class OtherProcessFailed(RootzoneError):  # noqa: N818  # reads better where it is raised and caught
    """Another process of the run has failed.

    Attributes
    ----------
    code : int
        Exit code that belongs to the failure.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class World:
    """One process that has a run to itself; `MpiWorld` is several.

    Attributes
    ----------
    rank : int
        Number of this process, from 0. Process 0 reads and writes what belongs to the whole run.
    size : int
        Number of processes.
    decomposition : (int, int), optional
        Parts of the domain from west to east and from south to north, where somebody has chosen them.
    timeout : float, optional
        Longest wait [s] for another process, after which the processes are aborted; without it a wait may last.
    """

    def __init__(self, rank: int = 0, size: int = 1, decomposition: tuple[int, int] | None = None) -> None:
        self.rank, self.size, self.decomposition = rank, size, decomposition
        self.timeout: float | None = None
        self.parts: dict[str, Any] = {}  # parts of the domains that have been divided, by what describes the domain

    @property
    def leads(self) -> bool:
        """Whether this is process 0."""
        return self.rank == 0

    def sum(self, *numbers: float) -> tuple[float, ...]:
        """Sum numbers over all processes, in the order of their ranks: all get the same, to the last bit."""
        return numbers

    def any(self, flag: bool) -> bool:
        """Whether a flag is raised in any process."""
        return self.sum(float(flag))[0] > 0.0

    def largest(self, *numbers: float) -> tuple[float, ...]:
        """Return of each number the largest that a process has."""
        return numbers

    def gathered(self, value: Any) -> list[Any]:
        """Values of all processes, in the order of their ranks; all processes get them."""
        return [value]

    def collected(self, value: Any) -> list[Any] | None:
        """Values of all processes, in the order of their ranks, in process 0; None in the others."""
        return [value]

    def shared(self, value: Any) -> Any:
        """Return the value of process 0."""
        return value

    def dealt(self, values: Sequence[Any] | None) -> Any:
        """Of the values that process 0 has for all processes, return that for this one."""
        assert values is not None
        return values[0]

    def agree(self) -> None:
        """Wait until all processes have come here."""
        self.sum(0.0)

    def decompose(self, decomposition: tuple[int, int] | None) -> None:
        """From here on divide domains into so many parts from west to east and south to north; None leaves that open.

        Raises
        ------
        ConfigError
            If these are not as many as there are processes.
        """
        if decomposition is not None and decomposition[0] * decomposition[1] != self.size:
            columns, rows = decomposition
            processes = "one process" if self.size == 1 else f"{self.size} processes"
            raise ConfigError(
                f"{columns} times {rows} are {columns * rows} parts, and the run has {processes}; without the key "
                "(--set mpi.decomposition=null) the domain is divided to suit",
                key="mpi.decomposition",
            )
        self.decomposition = decomposition
        self.parts.clear()

    def fail(self, message: str, code: int) -> None:
        """Tell the other processes that this one has failed, with the exit code that belongs to it."""
        return


ALONE = World()


class MpiWorld(World):
    """The processes of an MPI communicator.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
        A communicator of mpi4py, which is duplicated.
    decomposition : (int, int), optional
        See `World`.
    """

    def __init__(self, comm: Any, decomposition: tuple[int, int] | None = None) -> None:
        from mpi4py import MPI

        super().__init__(comm.Get_rank(), comm.Get_size(), decomposition)
        self._mpi = MPI
        self._comm = comm.Dup()
        self._failed = False

    def _others(self) -> Iterator[int]:
        return (rank for rank in range(self.size) if rank != self.rank)

    def _poll(self, done: Callable[[], Any]) -> Any:
        """Return what `done` gives once that is true; raise `OtherProcessFailed` if another process fails meanwhile."""
        looks, begin = 0, time.monotonic()
        try:
            while not (found := done()):
                looks += 1
                if looks > _PATIENCE:
                    self._require_no_failure()
                    if self.timeout is not None and time.monotonic() - begin > self.timeout:
                        self._abort()
                    time.sleep(_NAP)
        except self._mpi.Exception:
            # a process that has met a mistake may be elsewhere than this one
            until = time.monotonic() + _GRACE
            while time.monotonic() < until:
                self._require_no_failure()
                time.sleep(_NAP)
            raise
        return found

    def _abort(self) -> None:
        """End all processes, of which one does not answer: it may be dead, or on a machine that is."""
        print(
            f"process {self.rank} has waited {self.timeout:g} s for another one, which does not answer (mpi.timeout); "
            "the run is aborted and goes on from its last checkpoint with bmi-run --restart",
            file=sys.stderr,
            flush=True,
        )
        self._comm.Abort(1)

    def _require_no_failure(self) -> None:
        if self._comm.iprobe(source=self._mpi.ANY_SOURCE, tag=_FAILURE):
            raise OtherProcessFailed(*self._comm.recv(source=self._mpi.ANY_SOURCE, tag=_FAILURE))

    # ------------------------------------------------------------------ messages of arrays

    def send(self, values: Array, to: int, tag: int) -> Any:
        """Begin to send an array, which must stay as it is until `wait`; returns the request."""
        return self._comm.Isend(values, dest=to, tag=tag)

    def receive(self, values: Array, source: int, tag: int) -> Any:
        """Begin to receive an array; returns the request."""
        return self._comm.Irecv(values, source=source, tag=tag)

    def wait(self, requests: Sequence[Any]) -> None:
        """Wait until all of the requests are done.

        Raises
        ------
        OtherProcessFailed
            If another process fails meanwhile.
        """
        if requests:
            self._poll(lambda: self._mpi.Request.Testall(requests))

    # ------------------------------------------------------------------ values

    def _send_value(self, value: Any, to: int) -> None:
        request = self._comm.isend(value, dest=to, tag=_VALUES)
        self._poll(lambda: request.test()[0])

    def _receive_value(self, source: int) -> Any:
        return self._poll(lambda: self._comm.improbe(source=source, tag=_VALUES)).recv()

    def sum(self, *numbers: float) -> tuple[float, ...]:
        """See `World.sum`."""
        return self._reduced(numbers, np.add)

    def largest(self, *numbers: float) -> tuple[float, ...]:
        """See `World.largest`."""
        return self._reduced(numbers, np.maximum)

    def _reduced(self, numbers: Sequence[float], two_into_one: Callable[[Array, Array], Array]) -> tuple[float, ...]:
        """Put the numbers of all processes together, in the order of their ranks."""
        own = np.array(numbers, dtype=np.float64)
        if self.leads:
            every = [own, *(np.empty_like(own) for _ in range(1, self.size))]
            self.wait([self.receive(every[rank], rank, _NUMBERS) for rank in self._others()])
            total = reduce(two_into_one, every)
            self.wait([self.send(total, rank, _NUMBERS) for rank in self._others()])
        else:
            total = np.empty_like(own)
            self.wait([self.send(own, 0, _NUMBERS), self.receive(total, 0, _NUMBERS)])
        return tuple(total.tolist())

    def gathered(self, value: Any) -> list[Any]:
        """See `World.gathered`."""
        found: list[Any] = self.shared(self.collected(value))
        return found

    def collected(self, value: Any) -> list[Any] | None:
        """See `World.collected`."""
        if not self.leads:
            self._send_value(value, 0)
            return None
        return [value, *(self._receive_value(rank) for rank in self._others())]

    def shared(self, value: Any) -> Any:
        """See `World.shared`."""
        return self.dealt([value] * self.size if self.leads else None)

    def dealt(self, values: Sequence[Any] | None) -> Any:
        """See `World.dealt`."""
        if not self.leads:
            return self._receive_value(0)
        assert values is not None
        for rank in self._others():
            self._send_value(values[rank], rank)
        return values[0]

    def fail(self, message: str, code: int) -> None:
        """See `World.fail`."""
        if self._failed:
            return
        self._failed = True
        for rank in self._others():
            self._comm.isend((message, code), dest=rank, tag=_FAILURE)  # so short that it is away at once


_current: ContextVar[World] = ContextVar("world", default=ALONE)


def current() -> World:
    """Return the world that components are made for: `ALONE`, unless within `among`."""
    return _current.get()


def _told(error: BaseException) -> tuple[str, int]:
    return str(error) or type(error).__name__, 1


@contextmanager
def among(world: World, told: Callable[[BaseException], tuple[str, int]] = _told) -> Iterator[None]:
    """Make the components of the block for these processes: each loads, and steps, its part of the domain.

    What ends the block in one process ends it in all, as soon as they wait for one another, with the message and the
    exit code that `told` makes of it.
    """
    token = _current.set(world)
    try:
        yield
    except BaseException as error:
        world.fail(*told(error))
        raise
    finally:
        _current.reset(token)


def launched(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many processes a launcher has started together, by what it tells each of them; 1 without one."""
    told = [environment.get(name, "") for name in _SIZES]
    if environment.get(_SLURM_STEP, "").isdigit():  # within srun, not in the batch script itself
        told.append(environment.get(_SLURM_SIZE, ""))
    return max([1, *(int(size) for size in told if size.isdigit())])


def is_first(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a launcher has told this process that it is the first, or has told it nothing: it speaks for all."""
    return launched(environment) == 1 or next((environment[n] for n in _RANKS if n in environment), "0") == "0"


def of_launcher() -> World:
    """Return the world of the processes that a launcher has started together.

    Raises
    ------
    ConfigError
        If mpi4py is not installed or cannot find MPI, or is of another MPI than the launcher.
    """
    count = launched()
    if count == 1:
        return ALONE
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise ConfigError(
            f"a launcher has started {count} processes, and mpi4py cannot be used: {str(error).splitlines()[0]}; "
            "pip install 'rootzone[mpi]', or start one process"
        ) from error
    if MPI.COMM_WORLD.Get_size() != count:
        library = MPI.Get_library_version().split("\n")[0].strip()
        raise ConfigError(
            f"a launcher has started {count} processes, but mpi4py, of {library}, finds "
            f"{MPI.COMM_WORLD.Get_size()}; use the mpiexec of that MPI"
        )
    return MpiWorld(MPI.COMM_WORLD)
