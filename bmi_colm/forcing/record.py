"""Hourly forcing from a record: dates, blocks of hours, checks."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType, TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from bmi_colm.forcing.elevation import ElevationAdjustment
from bmi_colm.forcing.humidity import FloatArray
from bmi_colm.forcing.names import FORCING_NAMES
from bmi_colm.forcing.plausible import Inspector
from bmi_common.calendar import HOUR, Times, hours_from, show, to_time
from bmi_common.errors import ConfigError

HOURS_A_BLOCK: Final = 24

BLOCKS_OF_A_SAMPLE: Final = 6
"""First and last day of a run, and four between."""


class Record(ABC):
    """Hours of meteorology in one kind of file; knows its files, and nothing of the run.

    Attributes
    ----------
    label
        The files, for messages.
    times
        Starts of the hours for which all eight variables are there, ascending.
    remedy
        How the user tells the reader of other units than those it takes values for.
    """

    label: str
    times: Times
    remedy: str = ""

    @abstractmethod
    def load(self, times: Times) -> dict[str, FloatArray]:
        """Return the hours `times` (some of the record's own) of all variables, by BMI name.

        Arrays are (n, ny, nx), or (n,) where one value stands for all cells, in the units of
        `bmi_colm.forcing.names.UNITS`.
        """

    @abstractmethod
    def source(self, name: str, time: np.datetime64) -> str:
        """Return the file and the variable in it that hold `name` at `time`, for messages."""

    @abstractmethod
    def lacking(self, time: np.datetime64) -> str:
        """Return what would have to be there for the hour from `time`, for messages."""

    def close(self) -> None:  # noqa: B027  (records without open files have nothing to close)
        """Close the files; the record cannot be loaded from any more."""


class Forcing(ABC):
    """Meteorological forcing by the hour; a context manager that closes its files.

    Attributes
    ----------
    names
        BMI names that `read` returns.
    """

    names: tuple[str, ...]

    @abstractmethod
    def read(self, time: datetime) -> Mapping[str, FloatArray]:
        """Return the forcing of the hour [t, t + 1 h) that contains `time`.

        Parameters
        ----------
        time
            UTC, if it has no time zone.

        Returns
        -------
        Mapping[str, FloatArray]
            By BMI name; read-only arrays (ny, nx), y 0 the southern row, or () where one value stands for all
            cells. Units are those of `bmi_colm.forcing.names.UNITS`. Inactive cells may be NaN.

        Raises
        ------
        ConfigError
            The record has no such hour, or its values are unusable.
        """

    @property
    def end(self) -> datetime | None:
        """End (UTC) of the last hour that can be read; None without a limit."""
        return None

    def close(self) -> None:  # noqa: B027  (forcing without files has nothing to close)
        """Close all files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class NoForcing(Forcing):
    """Nothing is read: whoever steps the component sets all variables."""

    names = ()

    def read(self, time: datetime) -> Mapping[str, FloatArray]:
        """Return nothing, for any time."""
        return MappingProxyType({})


class RecordForcing(Forcing):
    """Forcing read from a record, one block of hours at a time.

    Parameters
    ----------
    record
        Where the hours come from.
    mask
        Active cells (ny, nx).
    cycle
        Repeat the record in both directions of time.
    adjust
        Applied to each hour.

    Raises
    ------
    ConfigError
        The record is empty, or is to be repeated and has a gap or does not consist of whole days.
    """

    names = FORCING_NAMES

    def __init__(
        self,
        record: Record,
        mask: NDArray[np.bool_],
        *,
        cycle: bool = False,
        adjust: ElevationAdjustment | None = None,
    ) -> None:
        if record.times.size == 0:
            raise ConfigError(f"{record.label}: there is no hour for which all eight variables are there")
        self._record = record
        self._inspect = Inspector(mask, record.source, record.remedy)
        self._cycle = cycle
        self._adjust = adjust
        self._block = -1
        self._values: dict[str, FloatArray] = {}
        self._of_run = np.zeros(record.times.size, dtype=np.bool_)  # what lies outside the run is not looked at
        if cycle:
            self._check_cycle()

    @property
    def end(self) -> datetime | None:  # noqa: D102
        return None if self._cycle else (self.times[-1] + HOUR).astype("datetime64[us]").item()

    @property
    def times(self) -> Times:
        """Starts of the hours that the record holds."""
        return self._record.times

    def read(self, time: datetime) -> Mapping[str, FloatArray]:  # noqa: D102  (described by Forcing)
        hour = self.hour_of(to_time(time))
        position = int(self._positions(np.array([hour]))[0])
        if not self._cycle and (position == self.times.size or self.times[position] != hour):
            self.require(hour, hour + HOUR)  # raises
        block, row = divmod(position, HOURS_A_BLOCK)
        if not self._of_run[position]:
            self._of_run[position] = True
            self._block = -1
        if block != self._block:
            self._load(block)
        values = {name: np.asarray(block_values[row]) for name, block_values in self._values.items()}
        if self._adjust is not None:
            values = self._adjust(values)
        for array in values.values():
            array.flags.writeable = False
        return MappingProxyType(values)

    def close(self) -> None:  # noqa: D102
        self._record.close()

    def hour_of(self, time: np.datetime64) -> np.datetime64:
        """Return the start of the hour, as the record divides time, that contains `time`."""
        into_hour: np.timedelta64 = (time - self.times[0]) % HOUR
        return time - into_hour

    def require(self, start: np.datetime64, end: np.datetime64) -> None:
        """Check that every hour of [start, end) is there.

        Raises
        ------
        ConfigError
            An hour is missing: names the first, what it would need, and what there is.
        """
        if self._cycle:
            return
        there = self.times[(self.times >= start) & (self.times < end)]
        count = int((end - start) // HOUR) - there.size
        if count == 0:
            return
        first, last = self.times[0], self.times[-1] + HOUR
        missing = start
        if there.size and there[0] == start:
            gaps = np.flatnonzero(np.diff(there) != HOUR)
            missing = there[gaps[0] if gaps.size else -1] + HOUR
        more = f" (and {count - 1} more until {show(end)})" if count > 1 else ""
        raise ConfigError(
            f"{self._record.label}: no forcing for the hour from {show(missing)}{more}: "
            f"{self._record.lacking(missing)}; hours from {show(first)} to {show(last)} are there"
            + ("" if self._contiguous else ", with gaps"),
            of_period=True,
        )

    def check_values(self, start: np.datetime64, end: np.datetime64, *, ends_only: bool) -> None:
        """Read the hours of [start, end), or its first, its last and some blocks between, for the checks of values.

        Raises
        ------
        ConfigError
            A value is unusable.
        """
        if self._cycle:  # a run of many rounds needs each hour of the record once
            end = min(end, start + self.times.size * HOUR)
        positions = self._positions(np.arange(start, end, HOUR))
        self._of_run[positions] = True
        blocks = np.unique(positions // HOURS_A_BLOCK)
        if ends_only:
            blocks = blocks[np.unique(np.linspace(0, blocks.size - 1, BLOCKS_OF_A_SAMPLE).astype(int))]
        for block in blocks:
            times = self._load(int(block))
            here = slice(int(block) * HOURS_A_BLOCK, (int(block) + 1) * HOURS_A_BLOCK)
            self._inspect.count(times, {name: v[self._of_run[here]] for name, v in self._values.items()})
        self._inspect.judge()

    @property
    def _contiguous(self) -> bool:
        return bool(np.all(np.diff(self.times) == HOUR))

    def _positions(self, hours: Times) -> NDArray[np.int64]:
        """Return where in the record the `hours` lie; they must be there."""
        if self._cycle:
            return np.asarray((hours - self.times[0]) // HOUR % self.times.size)
        return np.asarray(np.searchsorted(self.times, hours))

    def _load(self, block: int) -> Times:
        """Read a block, check its hours of the run, and return these."""
        here = slice(block * HOURS_A_BLOCK, (block + 1) * HOURS_A_BLOCK)
        needed, times = self._of_run[here], self.times[here]
        self._values = self._record.load(times)
        self._block = block
        times = times[needed]
        for name in self.names:
            checked = self._inspect(name, times, self._values[name][needed])
            if needed.all():
                self._values[name] = checked
            else:
                self._values[name] = np.array(self._values[name])
                self._values[name][needed] = checked
        return times

    def _check_cycle(self) -> None:
        if not self._contiguous:
            expected = hours_from(self.times[0], self.times.size)
            gap = expected[np.argmax(self.times != expected)]
            raise ConfigError(
                f"{self._record.label}: a record with gaps cannot be repeated (cycle: true); "
                f"the hour from {show(gap)} is missing: {self._record.lacking(gap)}"
            )
        if self.times.size % HOURS_A_BLOCK:
            raise ConfigError(
                f"{self._record.label}: {self.times.size} hours are not whole days; "
                "repeating them (cycle: true) would move noon from day to day; use whole days"
            )
