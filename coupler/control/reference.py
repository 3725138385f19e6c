"""States of an earlier run, to start segments from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from bmi_common.config import read_yaml
from bmi_common.errors import ConfigError, describe_cell, out_of_range
from bmi_common.folder_lock import require_at_rest
from bmi_common.groundwater import POSSIBLE_HEADS, PRESSURE_HEAD
from coupler.checkpoint import RECORD, Checkpoint, read
from coupler.component import Component
from coupler.config import CHECKPOINTS
from coupler.durations import parse_duration
from coupler.run_folder import MARKER

_OFF = np.timedelta64(1, "ms")  # what times in files may be from whole seconds


@dataclass(frozen=True)
class _Record:
    """Where a head is in a file of a run."""

    file: Path
    variable: str
    index: int


class ReferenceRun:
    """The states that a run has written.

    Parameters
    ----------
    folder : Path
        Of the run.
    groundwater : Component
        The component of this run that is to take them up.
    times : sequence of datetime
        Calendar times (UTC) at which a state is needed.
    whole : bool
        Whether all components are wanted, not only pressure head.

    Raises
    ------
    ConfigError
        If the run has no state at one of the times, or of another grid, or the times of its file cannot be read.
    """

    def __init__(self, folder: Path, groundwater: Component, times: Sequence[datetime], whole: bool) -> None:
        self.folder = folder
        self._groundwater = groundwater
        require_at_rest(folder)
        self._checkpoints = {t: p for p in _checkpoints(folder) if (t := _time_of(p)) is not None}
        self._records = {} if whole else _records(folder, groundwater.shape(PRESSURE_HEAD))
        if not folder.is_dir():
            raise ConfigError(f"{folder} is no folder of a run", key="restart_from")
        for time in times:
            if time not in self._checkpoints and time not in self._records:
                raise ConfigError(
                    f"{folder} has no state at {time:%Y-%m-%dT%H:%M}; {_advice(whole)}", key="restart_from"
                )

    def head(self, time: datetime) -> NDArray[Any]:
        """Pressure head [m] at a time; NaN in inactive cells.

        Raises
        ------
        ConfigError
            If it cannot be read.
        """
        record = self._records.get(time)
        if record is None:
            return self._head_of_checkpoint(self.checkpoint(time))
        try:
            with netCDF4.Dataset(record.file) as data:
                values = data[record.variable][record.index]
        except (OSError, RuntimeError, KeyError, IndexError) as error:
            raise ConfigError(f"{record.file}: cannot be read: {error}") from error
        head = np.ma.filled(values.astype(np.float64), np.nan)
        low, high = POSSIBLE_HEADS
        bad = (head < low) | (head > high)
        if bad.any():
            cell = tuple(int(i) for i in np.argwhere(bad)[0])
            raise ConfigError(
                f"{record.file}: {PRESSURE_HEAD} of {time:%Y-%m-%dT%H:%M} {out_of_range(head[cell], low, high, 'm')} "
                f"at {describe_cell(cell)}"
            )
        return head

    def checkpoint(self, time: datetime) -> Checkpoint:
        """Read the run's checkpoint of a time."""
        return read(self._checkpoints[time])

    def _head_of_checkpoint(self, checkpoint: Checkpoint) -> NDArray[Any]:
        shape = self._groundwater.shape(PRESSURE_HEAD)
        # what another component was given is older than what its maker has
        targets = [x["to"] for x in checkpoint.settings["exchanges"]]
        copies = {t["component"] for t in targets if t["variable"] == PRESSURE_HEAD}
        for name in checkpoint.settings["components"]:
            if name in copies:
                continue
            with netCDF4.Dataset(checkpoint.folder / f"{name}.nc") as data:
                if PRESSURE_HEAD in data.variables and data[PRESSURE_HEAD].shape == shape:
                    return np.ma.filled(data[PRESSURE_HEAD][...].astype(np.float64), np.nan)
        raise ConfigError(
            f"{checkpoint.folder}: no component's state holds {PRESSURE_HEAD} of {' x '.join(map(str, shape))} cells"
        )


def _advice(whole: bool) -> str:
    every = "`checkpoint: {every: ..., keep: ...}` in it writes and keeps enough of them"
    if whole:
        return f"restart: all needs its checkpoints; {every}"
    return f"write pressure head every hour in `precision: double, method: point` there, or checkpoints: {every}"


def _checkpoints(folder: Path) -> list[Path]:
    parent = folder / CHECKPOINTS
    found = parent.iterdir() if parent.is_dir() else ()
    return sorted(p for p in found if not p.name.startswith(".") and (p / RECORD).is_file())


def _time_of(checkpoint: Path) -> datetime | None:
    try:
        record = json.loads(json.loads((checkpoint / RECORD).read_text(encoding="utf-8"))["record"])
        return datetime.fromisoformat(record["time"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # a damaged one is as good as none; what is missing then is named


def _records(folder: Path, shape: tuple[int, ...]) -> dict[datetime, _Record]:
    found: dict[datetime, _Record] = {}
    step = _step_of(folder)
    for path in sorted(folder.glob("*.nc")):
        try:
            with netCDF4.Dataset(path) as data:
                found.update(_records_of(data, path, shape, step))
        except (OSError, RuntimeError):
            continue  # not a file of results
    return found


def _records_of(data: Any, path: Path, shape: tuple[int, ...], step: np.timedelta64) -> dict[datetime, _Record]:
    wanted = [
        v
        for v in data.variables.values()
        if getattr(v, "csdms_name", "") == PRESSURE_HEAD
        and v.dtype == np.float64
        and v.shape[1:] == shape
        and "time" in v.dimensions
    ]
    if not wanted or "time" not in data.variables:
        return {}
    variable, time = wanted[0], data["time"]
    methods = str(getattr(variable, "cell_methods", ""))
    if "mean" in methods and ("interval" in methods or not _is_of_single_steps(data, step)):
        return {}
    exact = _dates(time, time)
    seconds = (exact + np.timedelta64(500, "ms")).astype("datetime64[s]")
    return {
        stamp: _Record(path, variable.name, i)
        for i, (stamp, off) in enumerate(zip(seconds.tolist(), np.abs(exact - seconds), strict=True))
        if off <= _OFF
    }


def _is_of_single_steps(data: Any, step: np.timedelta64) -> bool:
    # the mean over a single step is the value at its end, that over several is no state
    bounds = _dates(data["time"], data["time_bounds"])
    return bool(len(bounds)) and bool((np.abs(bounds[:, 1] - bounds[:, 0] - step) <= _OFF).all())


def _dates(time: Any, values: Any) -> NDArray[np.datetime64]:
    from coupler.evaluate.netcdf_input import dates, numbers  # imports slowly

    return dates(time, numbers(values))


def _step_of(folder: Path) -> np.timedelta64:
    """Coupling step by the run's own record; not a time, which no mean matches, where it does not tell."""
    try:
        return np.timedelta64(parse_duration(read_yaml(folder / MARKER).data["time"]["step"]))
    except (ConfigError, KeyError, TypeError, ValueError):
        return np.timedelta64("NaT", "ms")
