"""What error control did while the evaluated run went on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from bmi_common import ConfigError
from coupler.config import CONTROL_FILE, DECISIONS_FILE
from coupler.evaluate.records import Times

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Control:
    """The record of error control.

    Attributes
    ----------
    decisions : list of dict
        As in ``error_control.json``: time, by, action, reason, found, limits.
    times : ndarray of datetime64[s], shape (hours,)
        End of every step.
    series : dict
        What was recorded in every step, by name; NaN where nothing was.
    units : dict
        Units by name.
    """

    decisions: list[dict[str, Any]]
    times: Times
    series: Mapping[str, Array]
    units: Mapping[str, str]

    def limits(self, by: str) -> dict[str, float]:
        """Return what figures of one kind were held against."""
        found: dict[str, float] = {}
        for decision in self.decisions:
            if decision["by"] == by:
                found |= decision["limits"]
        return found

    def actions(self, *names: str) -> list[np.datetime64]:
        """Return the times of decisions for one of these actions."""
        return [np.datetime64(d["time"], "s") for d in self.decisions if d["action"] in names]


def read_control(run: Path) -> Control | None:
    """Read what error control has left in the folder of a run; None where it had none.

    Raises
    ------
    ConfigError
        If its files are damaged.
    """
    record, decisions = run / CONTROL_FILE, run / DECISIONS_FILE
    if not decisions.is_file():
        return None
    try:
        entries = json.loads(decisions.read_text(encoding="utf-8"))["decisions"]
        if not record.is_file():
            return Control(entries, np.array([], dtype="datetime64[s]"), {}, {})
        with netCDF4.Dataset(record) as data:
            start = np.datetime64(data["time"].units.split(" since ")[1].strip().replace(" ", "T"), "s")
            hours = np.ma.filled(data["time"][:].astype(np.float64), np.nan)
            names = [n for n in data.variables if n != "time"]
            series = {n: np.ma.filled(data[n][:].astype(np.float64), np.nan) for n in names}
            units = {n: str(data[n].units) for n in names}
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ConfigError(f"{run}: what error control has left there cannot be read: {error}") from error
    return Control(entries, start + np.round(hours * 3600.0).astype("timedelta64[s]"), series, units)
