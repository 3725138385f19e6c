"""States of an earlier run, to start segments from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bmi_common.errors import ConfigError
from bmi_common.folder_lock import require_at_rest
from bmi_common.groundwater import PRESSURE_HEAD
from bmi_common.netcdf_file import NetcdfFile, record_files
from bmi_common.run_records import NetcdfSeries, netcdf_series
from coupler.checkpoint import RECORD, Checkpoint, read
from coupler.config import CHECKPOINTS


class ReferenceRun:
    """The states that a run has written.

    Parameters
    ----------
    folder : Path
        Of the run.
    shape : tuple of int
        (layers, ny, nx) of the pressure head that is to be taken up.
    times : sequence of datetime
        Calendar times (UTC) at which a state is needed.
    whole : bool
        Whether all components are wanted, not only pressure head.

    Raises
    ------
    ConfigError
        If the run has no state at one of the times, or of another grid, or the times of its file cannot be read.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], times: Sequence[datetime], whole: bool) -> None:
        self.folder = folder
        self._shape = shape
        require_at_rest(folder)
        self._checkpoints = {t: p for p in _checkpoints(folder) if (t := _time_of(p)) is not None}
        self._heads = {} if whole else _heads(folder, shape)
        if not folder.is_dir():
            raise ConfigError(f"{folder} is not a run folder", key="restart_from")
        for time in times:
            if time not in self._checkpoints and time not in self._heads:
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
        if time not in self._heads:
            return self._head_of_checkpoint(self.checkpoint(time))
        series, record = self._heads[time]
        head: NDArray[Any] = series.read_possible(record, record + 1)[0]
        return head

    def checkpoint(self, time: datetime) -> Checkpoint:
        """Read the run's checkpoint of a time."""
        return read(self._checkpoints[time])

    def _head_of_checkpoint(self, checkpoint: Checkpoint) -> NDArray[Any]:
        # a copy that another component was given is older than the head of the component that computes it
        targets = [x["to"] for x in checkpoint.settings["exchanges"]]
        copies = {t["component"] for t in targets if t["variable"] == PRESSURE_HEAD}
        for name in checkpoint.settings["components"]:
            if name in copies:
                continue
            with NetcdfFile(checkpoint.folder / f"{name}.nc") as file:
                if PRESSURE_HEAD in file and file[PRESSURE_HEAD].shape == self._shape:
                    return file.values(PRESSURE_HEAD)
        cells = " x ".join(map(str, self._shape))
        raise ConfigError(f"{checkpoint.folder}: no component's state has {PRESSURE_HEAD} on {cells} cells")


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
        return None  # a damaged checkpoint counts as missing; the caller names what is missing


def _heads(folder: Path, shape: tuple[int, ...]) -> dict[datetime, tuple[NetcdfSeries, int]]:
    """Find the heads that are states, each by its time: its series and its record there."""
    found: dict[datetime, tuple[NetcdfSeries, int]] = {}
    for path in record_files(folder):
        try:
            file = NetcdfFile(path)
        except ConfigError:
            continue  # not a file of results
        for series in netcdf_series(file, PRESSURE_HEAD):
            if series.is_double and series.shape == shape and (series.is_point or series.is_of_single_steps):
                found |= {time: (series, i) for i, time in enumerate(series.times.tolist())}
                break
    return found
