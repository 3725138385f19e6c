"""Runs of physics that a surrogate can learn from: what `prepare` needs of them, whatever their files look like."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Run(Protocol):
    """Hourly records of one run without a gap.

    A record holds the head at the end of an hour and the source that acted during that hour. The head before the first
    record is not known, so the first record gives a head only, unless another run ends where this one begins.
    """

    @property
    def path(self) -> Path:
        """Folder or file as the user named it."""
        ...

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that the records are read from."""
        ...

    @property
    def records(self) -> int:
        """Number of records."""
        ...

    @property
    def first(self) -> datetime | None:
        """Calendar time (UTC) of the first head; None where the files do not say."""
        ...

    def heads(self, begin: int, end: int) -> Array:
        """Pressure heads [m] of records `begin` to `end` - 1, (records, nz, ny, nx); NaN where missing."""
        ...

    def sources(self, begin: int, end: int) -> Array:
        """Net sources [h-1] of the same records, (records, source layers, ny, nx); NaN where missing."""
        ...

    def describe_head(self, record: int) -> str:
        """File, variable and hour of a head, for messages."""
        ...

    def describe_source(self, record: int) -> str:
        """File, variable and hour of a source, for messages."""
        ...


def fingerprint(files: Iterable[Path]) -> str:
    """SHA-256 of the names, sizes and times of change of files: reading them would take as long as copying them."""
    digest = hashlib.sha256()
    for file in files:
        status = file.stat()
        digest.update(f"{file.name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()
