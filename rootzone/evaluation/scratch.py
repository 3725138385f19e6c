"""Series of cells on disk: written hour by hour, read cell by cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bmi_common.arrays import Array

HOURS = 128
"""Records in a block of a file; what is held in memory for each variable."""


def bytes_of(columns: int, records: int) -> int:
    """Size of a file of so many records."""
    return columns * records * np.dtype(np.float32).itemsize


class Scratch:
    """One variable of all active columns over the whole period, in single precision.

    The file is a row of blocks, each (columns, `HOURS`), so that the series of neighbouring columns lie together and
    neither writing nor reading needs more than a part of it in memory.

    Parameters
    ----------
    path : Path
        File to be made.
    columns : int
        Number of active columns.
    """

    def __init__(self, path: Path, columns: int) -> None:
        self._path, self._columns = path, columns
        self._lengths: list[int] = []
        self._block = np.empty((HOURS, columns), np.float32)
        self._waiting = 0
        path.write_bytes(b"")

    @property
    def records(self) -> int:
        """Records so far."""
        return sum(self._lengths) + self._waiting

    def append(self, values: Array) -> None:
        """Add records, (records, columns)."""
        while len(values):
            part = values[: HOURS - self._waiting]
            self._block[self._waiting : self._waiting + len(part)] = part
            self._waiting += len(part)
            values = values[len(part) :]
            if self._waiting == HOURS:
                self._flush()

    def series(self, cells: slice) -> Array:
        """Read all records of some columns, (columns, records), in double precision."""
        self._flush()
        first, last, _ = cells.indices(self._columns)
        read = np.empty((last - first, self.records))
        offset = done = 0
        with self._path.open("rb") as file:
            for length in self._lengths:
                file.seek(offset + first * length * 4)
                part = np.fromfile(file, np.float32, (last - first) * length)
                read[:, done : done + length] = part.reshape(last - first, length)
                offset += self._columns * length * 4
                done += length
        return read

    def _flush(self) -> None:
        if not self._waiting:
            return
        with self._path.open("ab") as file:
            np.ascontiguousarray(self._block[: self._waiting].T).tofile(file)
        self._lengths.append(self._waiting)
        self._waiting = 0
