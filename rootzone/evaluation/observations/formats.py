"""Tables of known archives: by what they are recognised, and where their times and values are."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from bmi_common.errors import ConfigError
from rootzone.evaluation.observations.config import MONTH, Format, StationConfig
from rootzone.evaluation.observations.stamps import Interval
from rootzone.evaluation.observations.table import Table

FLUXNET_SHARE = 0.8
"""Least share of a day or a month that FLUXNET has measured or filled reliably, if the user names none."""

_FLUXNET_COLUMNS = {
    "latent_heat": ("LE_F_MDS", "LE"),
    "sensible_heat": ("H_F_MDS", "H"),
    "soil_moisture": ("SWC_F_MDS_1", "SWC_1", "SWC"),
}
"""By quantity, in the order in which they are looked for. Column 1 of the soil moistures is of the uppermost probe."""
_FLUXNET_TIMES = ("TIMESTAMP_START", "TIMESTAMP")
_FLUXNET_RESOLUTIONS = {"TIMESTAMP_START": 0.0, "TIMESTAMP": FLUXNET_SHARE}
_GRDC_DATE, _GRDC_CLOCK = "YYYY-MM-DD", "hh:mm"
_GRDC_VALUES = ("Value", "Calculated", "Original")
_GSIM = ("date", "MEAN", "n.missing", "n.available")
_CLOCK = re.compile(r"\d{2}:\d{2}")


@dataclass(frozen=True)
class Layout:
    """Where a table has what is needed.

    Attributes
    ----------
    format : Format
        What it is.
    value, time : str
        Columns.
    units : str, optional
        Units that the format prescribes.
    quality : str, optional
        Column of flags.
    limit : float
        Largest flag of values that count, or with `shares` the smallest.
    shares : bool
        Whether flags are the share of an interval that was measured.
    missing : tuple of float
        Numbers that stand for no value.
    interval : timedelta or "month", optional
        Of every value, where the format prescribes it.
    """

    format: Format
    value: str
    time: str
    units: str | None = None
    quality: str | None = None
    limit: float = 0.0
    shares: bool = False
    missing: tuple[float, ...] = ()
    interval: Interval | None = None


def recognise(path: Path, table: Table) -> Format:
    """Say whose format a table has; ``csv`` where it is nobody's."""
    names = set(table.columns)
    if _FLUXNET_TIMES[0] in names or ("TIMESTAMP" in names and any(name.endswith("_F_MDS") for name in names)):
        return Format.FLUXNET
    if _GRDC_DATE in names:
        return Format.GRDC
    return Format.GSIM if set(_GSIM) <= names else Format.CSV


def layout(station: StationConfig, table: Table) -> Layout:
    """Find the columns of a station's table.

    Raises
    ------
    ConfigError
        If the format does not have the station's quantity, or a column is not there.
    """
    kind = station.format or recognise(station.file, table)
    find = {Format.FLUXNET: _fluxnet, Format.GRDC: _grdc, Format.GSIM: _gsim}.get(kind, _csv)
    found = find(station, table)
    found = replace(
        found,
        value=station.column or found.value,
        time=station.time_column or found.time,
        units=station.units or found.units,
        quality=station.quality_column or found.quality,
        limit=found.limit if station.quality is None else station.quality,
        missing=(*found.missing, *station.missing),
        interval=station.interval or found.interval,
    )
    if station.quality is not None and found.quality is None:
        raise ConfigError("without effect, because no quality_column is named", key="quality")
    return found


def _csv(station: StationConfig, table: Table) -> Layout:
    others = [name for name in table.columns if name != (station.time_column or table.columns[0])]
    if station.column is None and len(others) > 1:
        raise ConfigError(f"is missing; {station.file.name} has the columns {', '.join(others)}", key="column")
    return Layout(Format.CSV, station.column or others[0], table.columns[0])


def _fluxnet(station: StationConfig, table: Table) -> Layout:
    if "zone" not in station.model_fields_set:
        raise ConfigError(
            "is missing; FLUXNET writes local standard time: give its offset from UTC, such as +08:00", key="zone"
        )
    if "times" in station.model_fields_set:
        raise ConfigError("without effect, because FLUXNET's columns of times say where they lie", key="times")
    candidates = _FLUXNET_COLUMNS.get(station.quantity, ())
    value = station.column or next((name for name in candidates if name in table.columns), None)
    if value is None:
        looked = f" ({', '.join(candidates)})" if candidates else ""
        raise ConfigError(f"{table.path}: no column of {station.kind.title} that FLUXNET has{looked}; name the column")
    time = next((name for name in _FLUXNET_TIMES if name in table.columns), None)
    if time is None:
        raise ConfigError(f"{table.path}: neither {' nor '.join(_FLUXNET_TIMES)}, which FLUXNET has")
    quality = f"{value}_QC"
    return Layout(
        Format.FLUXNET,
        value,
        time,
        "percent" if station.quantity == "soil_moisture" else None,
        quality if quality in table.columns else None,
        _FLUXNET_RESOLUTIONS[time],
        shares=time == "TIMESTAMP",
        missing=(-9999.0,),
    )


def _discharge(station: StationConfig, whose: str) -> None:
    if station.quantity != "discharge":
        raise ConfigError(f"{whose} has discharge, not {station.kind.title}", key="quantity")


def _grdc(station: StationConfig, table: Table) -> Layout:
    _discharge(station, "GRDC")
    value = next((name for name in _GRDC_VALUES if name in table.columns), _GRDC_VALUES[0])
    return Layout(Format.GRDC, value, _GRDC_DATE, "m3 s-1", missing=(-999.0,))


def _gsim(station: StationConfig, table: Table) -> Layout:
    _discharge(station, "GSIM")
    return Layout(Format.GSIM, "MEAN", "date", "m3 s-1", interval=MONTH)


def time_texts(table: Table, where: Layout) -> list[str]:
    """Return the times of a table; GRDC has the time of day in a column of its own, if at all."""
    dates = table.texts(where.time)
    if where.format is not Format.GRDC or _GRDC_CLOCK not in table.columns:
        return dates
    clocks = table.texts(_GRDC_CLOCK)
    return [f"{d} {c}" if _CLOCK.fullmatch(c) else d for d, c in zip(dates, clocks, strict=True)]
