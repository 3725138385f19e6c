"""Whether several runs of physics hold the same hours: weights would be judged by what they were trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import cache
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from bmi_common import ConfigError
from bmi_common.arrays import Array
from bmi_surrogate.training.runs import Run


def require_distinct(runs: Sequence[Run], mask: NDArray[np.bool_]) -> None:
    """Refuse runs that hold the same hours, whatever they are called and however precisely they are stored.

    The first, the middle and the last hour of each run are compared with the hours of the others at the same time, at
    the same distance from the start, and at the same distance from the end.

    Parameters
    ----------
    runs : sequence of Run
        In the order in which the user names them.
    mask : ndarray of bool, shape (ny, nx)
        Active cells.

    Raises
    ------
    ConfigError
        Naming two runs and an hour that both have.
    """

    @cache
    def digest(number: int, record: int) -> bytes:
        run = runs[number]
        fields = (series.read(record, record + 1) for series in (run.head, run.source))
        return hashlib.sha256(b"".join(_rounded(field[..., mask]) for field in fields)).digest()

    for (a, run), (b, other) in permutations(enumerate(runs), 2):
        for record, there in _pairs(run, other):
            if digest(a, record) == digest(b, there):
                first, second = (run, other) if a < b else (other, run)
                raise ConfigError(
                    f"{second.path}: holds the same hours as {first.path}, such as {run.head.describe(record)} and "
                    f"{other.head.describe(there)}; the validation would be trained on: name each run once"
                )


def _pairs(run: Run, other: Run) -> Iterator[tuple[int, int]]:
    """Give records that may be the same hour; the first record of a run may have no source."""
    for record in sorted({1, run.records // 2, run.records - 1} - {0}):
        there = {record, other.records - run.records + record}
        if run.first is not None and other.first is not None:
            hours = (run.first - other.first) / timedelta(hours=1) + record
            there |= {int(hours)} if hours.is_integer() else set()
        yield from ((record, t) for t in sorted(there) if 0 < t < other.records and record < run.records)


def _rounded(values: Array) -> bytes:
    return (values.astype(np.float32) + np.float32(0.0)).tobytes()  # + 0: both zeros are one
