"""Room on the disk: a write that fails half-way leaves an HDF5 file damaged, so it is better not begun."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has no limits of processes
    resource = None  # type: ignore[assignment]

RESERVE = 1 << 20
"""Bytes beyond the values themselves that the library may write for its own purposes, also when a file is closed."""


def require_room(path: Path, size: int) -> None:
    """Check that a file can grow.

    What other processes write at the same moment, and quotas that the file system does not count as free space, are
    not known here.

    Parameters
    ----------
    path : Path
        The file, which may be yet to be made.
    size : int
        Bytes to be written.

    Raises
    ------
    OSError
        With ENOSPC, if the disk or the process's limit of file sizes has no room for them and a reserve.
    """
    needed = size + RESERVE
    rooms = {"on the disk": shutil.disk_usage(path.parent).free}
    if resource is not None:
        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        if limit != resource.RLIM_INFINITY:
            rooms["below the limit of file sizes"] = limit - (path.stat().st_size if path.exists() else 0)
    for where, room in rooms.items():
        if room < needed:
            raise OSError(
                errno.ENOSPC, f"{max(room, 0) / 1e6:.1f} MB are left {where}, {needed / 1e6:.1f} MB needed; make room"
            )
