"""Tables of known archives: by what they are recognised, and where their times and values are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bmi_common.errors import ConfigError
from rootzone.evaluation.observations.config import MONTH, Format, StationConfig
from rootzone.evaluation.observations.stamps import Interval, Precision, written
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
_GRDC_UNITS = re.compile(r"unit of measure:\s*(\S.*)", re.IGNORECASE)
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")

_USGS = {"agency_cd", "site_no", "datetime"}
_USGS_ZONE = "tz_cd"
_USGS_VALUE = re.compile(r"(?:\d+_)?(?P<parameter>\d{5})(?:_(?P<statistic>\d{5}))?")
_USGS_MEAN = "00003"
_USGS_PARAMETERS = {"discharge": ("00060", "ft3 s-1"), "water_table_depth": ("72019", "ft")}
"""Code and units, by quantity."""
_USGS_WORDS = (
    *("***", "Ice", "Eqp", "Bkw", "Dis", "Dry", "Fld", "Mnt", "Pmp", "Rat", "Ssn", "Tst", "Ukn", "Zfl"),
    *("Ice*", "Eqp*"),
)
"""What stands in the place of a value that is not known."""
_USGS_CLOCKS: Mapping[str, str] = {
    "UTC": "+00:00",
    "GMT": "+00:00",
    "AST": "-04:00",
    "ADT": "-03:00",
    "EST": "-05:00",
    "EDT": "-04:00",
    "CST": "-06:00",
    "CDT": "-05:00",
    "MST": "-07:00",
    "MDT": "-06:00",
    "PST": "-08:00",
    "PDT": "-07:00",
    "AKST": "-09:00",
    "AKDT": "-08:00",
    "HST": "-10:00",
    "HDT": "-09:00",
    "SST": "-11:00",
    "GST": "+10:00",
}
"""Offsets from UTC; GST is that of Guam."""


@dataclass(frozen=True)
class Layout:
    """Where a table has what is needed.

    Attributes
    ----------
    format : Format
        What it is.
    value, time : str
        Columns.
    clock, zone : str, optional
        Columns of the time of day, where `time` has the date alone, and of the zone's name.
    units : str, optional
        Units that the format prescribes.
    quality : str, optional
        Column of flags.
    limit : float
        Largest flag of values that count, or with `shares` the smallest.
    shares : bool
        Whether flags are the share of an interval that was measured.
    missing : tuple of float or str
        Numbers and words that stand for no value.
    interval : timedelta or "month", optional
        Of every value, where the format prescribes it.
    """

    format: Format
    value: str
    time: str
    clock: str | None = None
    zone: str | None = None
    units: str | None = None
    quality: str | None = None
    limit: float = 0.0
    shares: bool = False
    missing: tuple[float | str, ...] = ()
    interval: Interval | None = None

    @property
    def times(self) -> str:
        """What has the times, in words."""
        return self.time if self.clock is None else f"{self.time} {self.clock}"


def recognise(path: Path, table: Table) -> Format:
    """Say whose format a table has; ``csv`` where it is nobody's."""
    names = set(table.columns)
    if _FLUXNET_TIMES[0] in names or ("TIMESTAMP" in names and any(name.endswith("_F_MDS") for name in names)):
        return Format.FLUXNET
    if _GRDC_DATE in names:
        return Format.GRDC
    if names >= _USGS:
        return Format.USGS
    return Format.GSIM if names >= set(_GSIM) else Format.CSV


def layout(station: StationConfig, table: Table) -> Layout:
    """Find the columns of a station's table.

    Raises
    ------
    ConfigError
        If there is no header, the format does not have the station's quantity, or a column is not there.
    """
    _require_header(table)
    kind = station.format or recognise(station.file, table)
    find = {Format.FLUXNET: _fluxnet, Format.GRDC: _grdc, Format.GSIM: _gsim, Format.USGS: _usgs}.get(kind, _csv)
    found = find(station, table)
    if station.time_column is not None:
        time, *clock = station.time_column
        found = replace(found, time=time, clock=clock[0] if clock else None)
    found = replace(
        found,
        value=station.column or found.value,
        units=station.units or found.units,
        quality=station.quality_column or found.quality,
        limit=found.limit if station.quality is None else station.quality,
        missing=(*found.missing, *station.missing),
        interval=station.interval or found.interval,
    )
    if station.quality is not None and found.quality is None:
        raise ConfigError("without effect, because no quality_column is named", key="quality")
    return found


def _require_header(table: Table) -> None:
    if any(map(_is_time, table.columns)) and any(map(_is_number, table.columns)):
        raise ConfigError(
            f"{', '.join(table.columns)[:60]!r} are values; a header with the names of the columns must stand above "
            "them, such as time,value",
            file=table.path,
            line=table.header,
        )


def _is_time(text: str) -> bool:
    try:
        written(text)
    except ValueError:
        return False
    return True


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return not _is_time(text)  # 20191001 is a day


def _csv(station: StationConfig, table: Table) -> Layout:
    times = station.time_column or table.columns[:1]
    others = [name for name in table.columns if name not in times]
    clock = next((name for name in others if _CLOCK.fullmatch(table.texts(name)[0])), None)
    if len(times) == 1 and clock is not None and _names_a_day(table.texts(times[0])[0]):
        raise ConfigError(
            f"{times[0]} has days and {clock} times of day; name both: [{times[0]}, {clock}]", key="time_column"
        )
    if station.column is None and len(others) > 1:
        raise ConfigError(f"is missing; {station.file.name} has the columns {', '.join(others)}", key="column")
    if not others:
        raise ConfigError(f"{table.path}: has no column beside {' and '.join(times)}")
    return Layout(Format.CSV, station.column or others[0], times[0])


def _names_a_day(text: str) -> bool:
    return _is_time(text) and written(text)[1] is Precision.DAY


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
        units="percent" if station.quantity == "soil_moisture" else None,
        quality=quality if quality in table.columns else None,
        limit=_FLUXNET_RESOLUTIONS[time],
        shares=time == "TIMESTAMP",
        missing=(-9999.0,),
    )


def _discharge(station: StationConfig, whose: str) -> None:
    if station.quantity != "discharge":
        raise ConfigError(f"{whose} has discharge, not {station.kind.title}", key="quantity")


def _grdc(station: StationConfig, table: Table) -> Layout:
    _discharge(station, "GRDC")
    value = next((name for name in _GRDC_VALUES if name in table.columns), _GRDC_VALUES[0])
    said = next((match[1] for match in map(_GRDC_UNITS.search, table.comments) if match), "m3 s-1")
    units = "m3 s-1" if said in ("m³/s", "m3/s") else said
    clock = _GRDC_CLOCK if _GRDC_CLOCK in table.columns else None
    return Layout(Format.GRDC, value, _GRDC_DATE, clock, units=units, missing=(-999.0,))


def _gsim(station: StationConfig, table: Table) -> Layout:
    _discharge(station, "GSIM")
    return Layout(Format.GSIM, "MEAN", "date", units="m3 s-1", interval=MONTH)


def _usgs(station: StationConfig, table: Table) -> Layout:
    zone = _USGS_ZONE if _USGS_ZONE in table.columns else None
    if zone is None and "zone" not in station.model_fields_set:
        raise ConfigError(
            "is missing; the days of USGS are those of the station's clock: give its offset, such as -06:00", key="zone"
        )
    if zone is not None and "zone" in station.model_fields_set:
        raise ConfigError(f"without effect, because {zone} names the zone of every time", key="zone")
    code, units = _USGS_PARAMETERS.get(station.quantity, ("", None))
    if station.column is not None:
        given = _USGS_VALUE.fullmatch(station.column)
        if given is None or given["parameter"] != code:
            units = None
        if units is None and station.units is None:
            raise ConfigError(f"is missing; {station.column} does not say them", key="units")
        return Layout(Format.USGS, station.column, "datetime", zone=zone, units=units, missing=_USGS_WORDS)
    names = {name: _USGS_VALUE.fullmatch(name) for name in table.columns if not name.endswith("_cd")}
    of = {name: match["statistic"] for name, match in names.items() if match and match["parameter"] == code}
    means = [name for name, statistic in of.items() if statistic in (None, _USGS_MEAN)]
    if len(means) != 1:
        found = [name for name, match in names.items() if match]
        raise ConfigError(
            f"is missing; {station.file.name} has {', '.join(found) or 'no column of values'}", key="column"
        )
    return Layout(Format.USGS, means[0], "datetime", zone=zone, units=units, missing=_USGS_WORDS)


def time_texts(table: Table, where: Layout) -> list[str]:
    """Return the times of a table, each with the time of day and the offset that stand in columns of their own.

    Raises
    ------
    ConfigError
        If a column is not there, or a zone is not known.
    """
    found = table.texts(where.time)
    if where.clock is not None:  # GRDC writes --:-- where there is none
        clocks = (c.zfill(5) if _CLOCK.fullmatch(c) else c.strip("-:") for c in table.texts(where.clock))
        found = [f"{date} {clock}".strip() for date, clock in zip(found, clocks, strict=True)]
    if where.zone is not None:
        found = [
            time + _offset(table, i, name)
            for i, (time, name) in enumerate(zip(found, table.texts(where.zone), strict=True))
        ]
    return found


def _offset(table: Table, row: int, zone: str) -> str:
    if zone not in _USGS_CLOCKS:
        raise table.error(row, f"no time zone {zone[:40]!r}; known: {', '.join(_USGS_CLOCKS)}")
    return _USGS_CLOCKS[zone]
