"""``observations.yaml``: stations, what they measure, and how their files are to be read."""

from __future__ import annotations

from datetime import UTC, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from bmi_common.config import Config, ConfigPath
from bmi_common.durations import parse_duration
from bmi_common.places import PlaceConfig
from bmi_common.suggest import did_you_mean
from rootzone.evaluation.observations.kinds import KINDS, Kind
from rootzone.evaluation.observations.zones import Zone

MONTH: Final = "month"
NETCDF = (".nc", ".nc4", ".cdf")
_LONGEST_NAME = 60
_SHORTEST = timedelta(minutes=1)


class Format(StrEnum):
    """How a file holds its series."""

    CSV = "csv"
    """A table of text with a header."""
    NETCDF = "netcdf"
    """A variable along time."""
    FLUXNET = "fluxnet"
    """FLUXNET2015, AmeriFlux, ICOS: ``TIMESTAMP_START`` or ``TIMESTAMP``, ``LE_F_MDS``, ``LE_F_MDS_QC``, …"""
    GRDC = "grdc"
    """Discharge of the Global Runoff Data Centre, days or months."""
    GSIM = "gsim"
    """Monthly means of the Global Streamflow Indices and Metadata archive."""
    USGS = "usgs"
    """RDB of the US Geological Survey: ``datetime``, ``tz_cd``, ``149022_00060``, ``149022_00060_cd``, …"""


def _quantity(value: Any) -> Any:
    if not isinstance(value, str) or value not in KINDS:
        raise ValueError(f"no quantity {str(value)[:_LONGEST_NAME]!r}{did_you_mean(str(value), KINDS)}")
    return value


def _interval(value: Any) -> Any:
    if value in (MONTH, "1 month"):
        return MONTH
    length = parse_duration(value)
    if length < _SHORTEST:
        raise ValueError(f"{value!r} is shorter than a minute")
    return length


def _list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _missing(value: Any) -> Any:
    found: list[float | str] = []
    for entry in _list(value):
        if isinstance(entry, bool) or not isinstance(entry, int | float | str):
            raise ValueError(f"expected numbers and words, got {entry!r}; write a word in quotes")
        try:
            found.append(float(entry))
        except ValueError:
            found.append(entry)
    return found


def _column(value: Any) -> Any:
    if isinstance(value, int | float):
        raise ValueError(f"YAML reads a number, {value!r}; write the name of the column in quotes, '1234_00060'")
    return value


def _columns(value: Any) -> Any:
    return None if value is None else [_column(name) for name in _list(value)]


Column = Annotated[str, BeforeValidator(_column)]
"""Name of a column, which YAML may take for a number."""


class StationConfig(Config):
    """A series that was measured at a place.

    Attributes
    ----------
    name : str
        What to call it.
    quantity : str
        One of `KINDS`.
    file : Path
        Table of text, or NetCDF file.
    format : Format, optional
        How it is to be read, if that is not to be recognised.
    column, variable : str, optional
        Where the values are: column of a table; variable of a NetCDF file.
    time_column : list of str, optional
        Column of the times, or of dates and of times of day; the first by default.
    units : str, optional
        Units of the values; by default those that the format or the NetCDF file names, else those of the quantity.
    zone : tzinfo
        Clock of the file's times.
    times : str
        Where in its interval the time of a value lies: ``start``, ``middle`` or ``end``.
    interval : timedelta or "month", optional
        What a value is the mean of; by default what lies between two times.
    missing : list of float or str
        Numbers that stand for no value, and words in a table.
    quality_column : str, optional
        Column of flags.
    quality : float, optional
        Largest flag of values that count; of FLUXNET's days and months the smallest share that was measured.
    gauge : str, optional
        Gauge of the run, for discharge; by default the one of the station's name.
    cell : PlaceConfig, optional
        Where the station is, for all else.
    depth : float, optional
        Depth [m] below the ground of a probe of soil moisture, or of the screen of a well for a head.
    """

    name: Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME)]
    quantity: Annotated[str, BeforeValidator(_quantity)]
    file: ConfigPath
    format: Format | None = None
    column: Column | None = None
    variable: str | None = None
    time_column: Annotated[list[str], Field(min_length=1, max_length=2), BeforeValidator(_columns)] | None = None
    units: str | None = None
    zone: Zone = UTC
    times: Literal["start", "middle", "end"] = "start"
    interval: Annotated[timedelta | Literal["month"] | None, BeforeValidator(_interval)] = None
    missing: Annotated[list[float | str], BeforeValidator(_missing)] = [-9999.0]
    quality_column: Column | None = None
    quality: float | None = None
    gauge: str | None = None
    cell: PlaceConfig | None = None
    depth: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> StationConfig:
        if not self.name.isprintable() or not self.name.strip():
            raise ValueError(f"name: {self.name!r} must have printable characters")
        if self.quantity == "discharge":
            if self.cell is not None:
                raise ValueError("cell: discharge is known at the gauges of a run; name one, `gauge: outlet`")
        else:
            if self.gauge is not None:
                raise ValueError(f"gauge: without effect on {self.kind.title}; give the cell")
            if self.cell is None:
                raise ValueError("cell: is missing; give {x, y}, {easting, northing} or {latitude, longitude}")
        if self.quantity == "soil_moisture" and self.depth is None:
            raise ValueError("depth: is missing; soil moisture is compared at a depth [m] below the ground")
        if self.quantity not in ("soil_moisture", "head") and self.depth is not None:
            raise ValueError(f"depth: without effect on {self.kind.title}")
        self._check_file()
        return self

    def _check_file(self) -> None:
        if self.is_netcdf:
            if self.variable is None:
                raise ValueError(f"variable: is missing; name the one of {self.file.name} that was measured")
            if any(isinstance(entry, str) for entry in self.missing):
                raise ValueError("missing: a NetCDF file has numbers only")
            idle: tuple[str, ...] = ("column", "time_column", "quality_column", "quality")
        else:
            idle = ("variable",)
            if self.format is Format.NETCDF:
                raise ValueError(f"format: {self.file.name} is not called like a NetCDF file (.nc)")
        for key in idle:
            if getattr(self, key) is not None:
                raise ValueError(f"{key}: without effect on a {'NetCDF file' if self.is_netcdf else 'table'}")

    @property
    def kind(self) -> Kind:
        """What is measured."""
        return KINDS[self.quantity]

    @property
    def is_netcdf(self) -> bool:
        """Whether the file is a NetCDF file."""
        return self.file.suffix.lower() in NETCDF

    @property
    def gauge_name(self) -> str:
        """Gauge of the run that is compared."""
        return self.gauge or self.name


class ObservationsConfig(Config):
    """Content of ``observations.yaml``."""

    stations: Annotated[list[StationConfig], Field(min_length=1)]

    @property
    def files(self) -> list[Path]:
        """Files that are read."""
        return [station.file for station in self.stations]
