"""The section ``report:`` of ``coupled.yaml``."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from bmi_common.config import Config, ConfigPath
from bmi_common.durations import Duration

REPORT = "report"
"""Folder of the report in that of the run."""

REPORT_FILES = ("report.html", "report.json", "report.md", "hourly_errors.csv", "evaluation.nc", "errors.png")
"""Files that every report on a run beside its reference has, beside its figures."""

OBSERVATION_FILES = (
    "observations.html",
    "observations.json",
    "observations.md",
    "observations.csv",
    "observations.nc",
)
"""Files of a comparison with stations: page, numbers, tables, pairs."""


def _whole_hours(value: timedelta) -> timedelta:
    if value % timedelta(hours=1):
        raise ValueError("must be a whole number of hours")
    return value


def _ascending(value: tuple[timedelta, timedelta]) -> tuple[timedelta, timedelta]:
    if not timedelta() < value[0] < value[1]:
        raise ValueError("must be two lengths, the second larger, such as [2500h, 6000h]")
    return value


_Hours = Annotated[Duration, AfterValidator(_whole_hours)]


class ReportConfig(Config):
    """An evaluation by ``bmi-evaluate`` at the end of the run, into ``report/`` of its folder.

    Attributes
    ----------
    reference : Path, optional
        Run that the run is compared with; by default the run that ``error_control.segments`` restarts from.
    observations : Path, optional
        Stations with measurements; with them the report needs no reference.
    free_drainage : Path, optional
        The bound.
    thresholds : dict
        Largest acceptable errors with units, such as ``{water_table: 0.5m}``.
    precipitation, reanalysis : Path, optional
        Weather, if the run does not write it; a gridded reanalysis.
    name : str, optional
        What to call the run; by default as its folder.
    segment_length : timedelta
        Length of the parts that maps and precipitation are given for.
    stages : list of timedelta, optional
        Where the early stage ends and the late one begins, from the start of the run.
    """

    reference: ConfigPath | None = None
    observations: ConfigPath | None = None
    free_drainage: ConfigPath | None = None
    thresholds: dict[str, str] = {}
    precipitation: ConfigPath | None = None
    reanalysis: ConfigPath | None = None
    name: str | None = None
    segment_length: _Hours = timedelta(hours=720)
    stages: Annotated[tuple[_Hours, _Hours], AfterValidator(_ascending)] | None = None


def _from_switch(value: Any) -> Any:
    if value is True:
        return {}
    return None if value is False else value


Report = Annotated[ReportConfig | None, BeforeValidator(_from_switch)]
"""Type of the key: true, false or a mapping."""
