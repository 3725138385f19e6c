"""One writer at a time in a folder, on shared file systems too, and after a kill.

The lock is a file that names its owner: machine, process and the time at which that began. It comes into being whole,
by a hard link, which is atomic on network file systems as well. An owner on this machine that has died is recognised
and its lock taken over; of one on another machine nothing is known, so that it is respected until the user removes it.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import shlex
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bmi_common.errors import ConfigError

LOCK = ".rootzone.lock"

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_MOST_TRIES = 100  # locks that come and go while this one is being taken


class FolderIsBusyError(ConfigError):
    """Another process works in the folder; the message says which."""


@dataclass(frozen=True)
class Owner:
    """Who holds a lock.

    Attributes
    ----------
    work : str
        What is under way, such as ``a run``.
    command : str
        The command line.
    since : str
        Time of the lock, UTC.
    host, machine, boot, processes : str
        Name and identity of the machine, of its last start, and of the space that numbers the processes (containers
        have their own); empty where the system does not tell.
    process : int
        Number of the process.
    began : str
        When that process began, in the system's own words; numbers are used again, times are not.
    token : str
        Of this lock alone.
    """

    work: str
    command: str
    since: str
    host: str
    machine: str
    boot: str
    processes: str
    process: int
    began: str
    token: str

    @classmethod
    def of_this_process(cls, work: str) -> Owner:
        """Describe this process."""
        return cls(
            work=work,
            command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]).encode(errors="backslashreplace").decode(),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            host=platform.node(),
            machine=_first_line(Path("/etc/machine-id")),
            boot=_first_line(Path("/proc/sys/kernel/random/boot_id")),
            processes=_process_space(),
            process=os.getpid(),
            began=_began(os.getpid()) or "",
            token=uuid.uuid4().hex,
        )

    @property
    def is_dead(self) -> bool:
        """Whether the process is known to have ended; False where that cannot be known."""
        if not self._is_on_this_machine:
            return False
        if self.boot != _first_line(Path("/proc/sys/kernel/random/boot_id")):
            return True
        if self.processes != _process_space():
            return False
        try:
            os.kill(self.process, 0)
        except (ProcessLookupError, OverflowError):
            return True
        except OSError:  # another user's
            pass
        began = _began(self.process)
        return bool(self.began) and began is not None and began != self.began  # None: others' may be hidden

    @property
    def is_this_process(self) -> bool:
        """Whether it is the one that asks."""
        return self._is_on_this_machine and self.process == os.getpid() and self.began == (_began(os.getpid()) or "")

    @property
    def _is_on_this_machine(self) -> bool:
        return os.name == "posix" and (self.host, self.machine) == (
            platform.node(),
            _first_line(Path("/etc/machine-id")),
        )

    def busy(self, lock: Path) -> FolderIsBusyError:
        """Say that the folder of `lock` is in use, and what can be done."""
        here = self._is_on_this_machine and self.processes == _process_space()
        advice = (
            "wait for its end, or choose another folder"
            if here
            else f"if it has ended there, which cannot be seen from here, remove {lock}"
        )
        return FolderIsBusyError(
            f"{lock.parent}: {self.work} is under way there, process {self.process} on {self.host} since "
            f"{self.since.removesuffix('+00:00')} UTC ({self.command}); {advice}"
        )


@contextmanager
def locked(folder: Path, work: str) -> Iterator[None]:
    """Hold the lock of an existing folder.

    Parameters
    ----------
    folder : Path
        The folder.
    work : str
        What is done there, such as ``a run``; others are told.

    Raises
    ------
    FolderIsBusyError
        If another process holds it.
    ConfigError
        If the lock cannot be written, or is none.
    """
    lock, owner = folder / LOCK, Owner.of_this_process(work)
    try:
        _take(lock, owner)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error}") from error
    try:
        _remove_remains(folder)
        yield
    finally:
        # a forked process must not give away its parent's lock, nor this one somebody else's
        if os.getpid() == owner.process:
            with suppress(OSError, ConfigError):
                if _read(lock) == owner:
                    lock.unlink()


def require_at_rest(folder: Path) -> None:
    """Refuse to read a folder in which another process writes.

    Raises
    ------
    FolderIsBusyError
        Naming the process.
    ConfigError
        If there is a lock that cannot be read.
    """
    lock = folder / LOCK
    owner = _read(lock)
    if owner is not None and not owner.is_dead and not owner.is_this_process:
        raise owner.busy(lock)


def lock_token(folder: Path) -> str:
    """Return what the lock of a folder has of its own, by which another process knows the folder again; "" without one.

    Raises
    ------
    ConfigError
        If there is a lock that cannot be read.
    """
    owner = _read(folder / LOCK)
    return "" if owner is None else owner.token


def _take(lock: Path, owner: Owner) -> None:
    """Make `lock`, or take it over from an owner that has died.

    A dead owner's lock may be removed only by who holds a lock on that very lock, named by its token. So nobody removes
    a lock that somebody else has just taken over.
    """
    for _ in range(_MOST_TRIES):
        if _make(lock, owner):
            return
        other = _read(lock)
        if other is None:
            continue
        if not other.is_dead:
            raise other.busy(lock)
        right = lock.with_name(f"{LOCK}.{other.token}")
        _take(right, owner)
        try:
            if _read(lock) == other:
                lock.unlink()
        finally:
            right.unlink(missing_ok=True)
    raise ConfigError(f"{lock}: comes and goes; other processes use the folder")


def _remove_remains(folder: Path) -> None:
    """Remove what processes that were killed while they took a lock have left."""
    for path in folder.glob(f"{LOCK}.*"):
        with suppress(OSError, ConfigError):
            owner = _read(path)
            if owner is not None and owner.is_dead:
                path.unlink()


def _make(lock: Path, owner: Owner) -> bool:
    """Make a lock with its content; False if there is one."""
    draft = lock.with_name(f"{LOCK}.{owner.token}.draft")
    content = json.dumps(asdict(owner)) + "\n"
    try:
        with draft.open("x", encoding="ascii") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, lock)
        except FileExistsError:
            pass
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return _make_without_link(lock, content)
        return draft.stat().st_nlink == 2  # over a network a link may be made although its answer was lost
    finally:
        draft.unlink(missing_ok=True)


def _make_without_link(lock: Path, content: str) -> bool:
    try:
        with lock.open("x", encoding="ascii") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


def _read(lock: Path) -> Owner | None:
    """Read who holds a lock; None if there is none."""
    try:
        if not stat.S_ISREG(lock.stat().st_mode):  # a pipe would be read without end
            raise ValueError("it is no file")
        content: Any = json.loads(lock.read_text(encoding="ascii"))
        return Owner(**{f.name: _typed(content[f.name], f.type) for f in fields(Owner)})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ConfigError(
            f"{lock}: a lock that cannot be read ({type(error).__name__}: {error}); if nothing is under way in "
            f"{lock.parent}, remove it"
        ) from error


def _typed(value: Any, kind: object) -> Any:
    if type(value).__name__ != kind:
        raise TypeError(f"{value!r} is no {kind}")
    return value


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _process_space() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _began(process: int) -> str | None:
    """When a process began; empty if it has ended and only its parent has not noticed, None if that is hidden."""
    try:
        # after the name, which may hold anything: state, and as the 20th field the time since the machine's start
        status = Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return "" if status[0] in "ZXx" else status[19]
    except (OSError, IndexError):
        pass
    if Path("/proc/self/stat").exists() or os.name != "posix":
        return None
    try:  # systems without /proc
        told = subprocess.run(["ps", "-o", "lstart=", "-p", str(process)], capture_output=True, text=True, check=False)
        return told.stdout.strip() or None
    except OSError:
        return None
