"""What error control did while the evaluated run went on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from bmi_common import ConfigError
from bmi_common.arrays import Array
from bmi_common.calendar import Times
from bmi_common.netcdf_file import NetcdfFile
from bmi_common.netcdf_time import stamps
from coupler.config import CONTROL_FILE, DECISIONS_FILE


@dataclass(frozen=True)
class ErrorControlRecord:
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


def read_error_control(run: Path) -> ErrorControlRecord | None:
    """Read what error control has left in the folder of a run; None where it had none.

    Raises
    ------
    ConfigError
        If its files are damaged.
    """
    record, decisions = run / CONTROL_FILE, run / DECISIONS_FILE
    if not decisions.is_file():
        return None
    entries = _decisions(decisions)
    if not record.is_file():
        return ErrorControlRecord(entries, np.array([], dtype="datetime64[s]"), {}, {})
    with NetcdfFile(record) as file:
        if "time" not in file or file["time"].dimensions != ("time",):
            raise ConfigError(f"{record}: has no variable time with the dimension time")
        of_steps = [v for v in file.variables if v.name != "time" and v.dimensions == ("time",)]
        series = {v.name: file.values(v.name) for v in of_steps}
        units = {v.name: v.text("units") for v in of_steps}
        return ErrorControlRecord(entries, stamps(file, "time"), series, units)


def _decisions(file: Path) -> list[dict[str, Any]]:
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))["decisions"]
        for entry in entries:
            figures = [*entry["found"].values(), *entry["limits"].values()]
            words = [entry[key] for key in ("time", "by", "action", "reason")]
            kinds = [isinstance(f, int | float | None) for f in figures] + [isinstance(w, str) for w in words]
            if not all(kinds):
                raise TypeError(f"a decision is {entry}")
            datetime.fromisoformat(entry["time"])
    except (OSError, RecursionError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{file}: what error control has left there cannot be read ({type(error).__name__}: {error}); "
            "move the file away to evaluate the run without them"
        ) from error
    return list(entries)
