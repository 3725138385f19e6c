"""Runs of physics that a surrogate can learn from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bmi_common.run_records import Series


@dataclass(frozen=True)
class Run:
    """Hourly records of one run without a gap.

    A record holds the head at the end of an hour and the source that acted during that hour. The head before the first
    record is not known, so the first record gives a head only, unless another run ends where this one begins.

    Attributes
    ----------
    path : Path
        Folder or file as the user named it.
    head : Series
        Pressure head [m], (nz, ny, nx) a record.
    source : Series
        Net source [h-1] of the same records, (source layers, ny, nx) a record; the first one of a run of ParFlow is
        not there.
    first : datetime or None
        Calendar time (UTC) of the first head; None where the files do not say.
    """

    path: Path
    head: Series
    source: Series
    first: datetime | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that the records are read from."""
        return tuple(dict.fromkeys((*self.head.files, *self.source.files)))

    @property
    def records(self) -> int:
        """Number of records."""
        return len(self.head)


def fingerprint(files: Iterable[Path]) -> str:
    """SHA-256 of the names, sizes and times of change of files: reading them would take as long as copying them."""
    digest = hashlib.sha256()
    for file in (f for path in files for f in (sorted(path.rglob("*")) if path.is_dir() else [path])):
        status = file.stat()
        digest.update(f"{file.name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()
