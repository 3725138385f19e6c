"""Forcing from NetCDF files with CF metadata."""

from collections.abc import Iterable, Mapping
from functools import reduce
from pathlib import Path
from typing import Final, get_args

import numpy as np

from bmi_colm.forcing.config import NetcdfForcing, StandardName, expand
from bmi_colm.forcing.humidity import FloatArray
from bmi_colm.forcing.names import (
    AIR_PRESSURE,
    AIR_TEMPERATURE,
    LONGWAVE,
    PRECIPITATION,
    SHORTWAVE,
    SPECIFIC_HUMIDITY,
    UNITS,
    WIND_X,
    WIND_Y,
)
from bmi_colm.forcing.netcdf_series import Series, hour_starts
from bmi_colm.forcing.record import Record
from bmi_colm.forcing.units import converter
from bmi_common.calendar import Times, show
from bmi_common.errors import ConfigError
from bmi_common.file_grid import Cells
from bmi_common.netcdf_file import NetcdfFile

STANDARD_NAMES: Final[dict[str, StandardName]] = {
    PRECIPITATION: "precipitation_flux",
    AIR_TEMPERATURE: "air_temperature",
    AIR_PRESSURE: "air_pressure",
    SPECIFIC_HUMIDITY: "specific_humidity",
    SHORTWAVE: "surface_downwelling_shortwave_flux_in_air",
    LONGWAVE: "surface_downwelling_longwave_flux_in_air",
    WIND_X: "eastward_wind",
    WIND_Y: "northward_wind",
}
"""CF standard names, by BMI name."""

_ALSO: Final = {"air_pressure": ("surface_air_pressure",)}

if set(STANDARD_NAMES.values()) != set(get_args(StandardName)):  # both tables serve the user
    raise AssertionError("configuration and reader know different standard names")


class SeriesRecord(Record):
    """Eight or more series of the same files; an hour is there when all have it."""

    _files: list[NetcdfFile]

    def close(self) -> None:  # noqa: D102
        for file in self._files:
            file.close()


class NetcdfRecord(SeriesRecord):
    """Variables found by standard name or by the user's table.

    Raises
    ------
    ConfigError
        A variable is not there, or twice; its units or dimensions do not fit; times are unusable.
    """

    remedy = "units in forcing: variables: {NAME: {variable: …, units: …}} go before the file's attribute"

    def __init__(self, spec: NetcdfForcing, cells: Cells) -> None:
        self._files = open_files(spec.file)
        try:
            self.label = label(self._files)
            found = {name: self._find(standard_name, spec) for name, standard_name in STANDARD_NAMES.items()}
            self._require(found, spec)
            self._series = {name: self._open(name, found[name], spec, cells) for name in STANDARD_NAMES}
            self.times = common_times(series.times for series in self._series.values())
        except BaseException:
            self.close()  # the user may correct the file, which stays locked while it is open
            raise
        self.gridded = any(series.gridded for series in self._series.values())

    def _find(self, standard_name: StandardName, spec: NetcdfForcing) -> list[tuple[NetcdfFile, str]]:
        chosen = spec.variables.get(standard_name)
        found: list[tuple[NetcdfFile, str]] = []
        for file in self._files:
            if chosen is None:
                names = file.with_standard_name((standard_name, *_ALSO.get(standard_name, ())))
            else:
                names = [chosen.variable] if chosen.variable in file else []
            if len(names) > 1:
                raise ConfigError(
                    f"{file.path}: {', '.join(names)} all have standard_name {standard_name!r}; "
                    f"say which in forcing: variables: {{{standard_name}: …}}"
                )
            found.extend((file, variable) for variable in names)
        return found

    def _require(self, found: Mapping[str, list[tuple[NetcdfFile, str]]], spec: NetcdfForcing) -> None:
        lacking = [STANDARD_NAMES[name] for name, where in found.items() if not where]
        if not lacking:
            return
        # all at once: who names them one by one would meet this message eight times
        named = [repr(spec.variables[name].variable) for name in lacking if name in spec.variables]
        unnamed = [repr(name) for name in lacking if name not in spec.variables]
        what = [", ".join(named)] if named else []
        what += [f"with standard_name {', '.join(unnamed)}"] if unnamed else []
        raise ConfigError(
            f"{self.label}: no variable {' and none '.join(what)}; the files have {', '.join(self._files[0].names)}; "
            f"say which in forcing: variables: {{{', '.join(f'{name}: NAME' for name in lacking)}}}"
        )

    def _open(self, name: str, found: list[tuple[NetcdfFile, str]], spec: NetcdfForcing, cells: Cells) -> Series:
        standard_name = STANDARD_NAMES[name]
        chosen = spec.variables.get(standard_name)
        all_units = {
            (chosen.units if chosen and chosen.units else file.attribute(variable, "units")): (file, variable)
            for file, variable in found
        }
        if len(all_units) > 1:
            raise ConfigError(f"{self.label}: {found[0][1]!r} has units {', '.join(map(repr, all_units))} in turn")
        ((units, (file, variable)),) = all_units.items()
        where = f"{file.path}: {variable!r}"
        if not units:
            raise ConfigError(
                f"{where} has no units; give them in forcing: "
                f"variables: {{{standard_name}: {{variable: {variable}, units: …}}}}"
            )
        return Series(
            found,
            cells,
            convert=converter(units, UNITS[name], where),
            hours=hour_starts(spec.time_stamp),
            remap=spec.remap == "nearest",
            column=True,
            fill=True,
        )

    def load(self, times: Times) -> dict[str, FloatArray]:  # noqa: D102
        return {name: series.read(times) for name, series in self._series.items()}

    def source(self, name: str, time: np.datetime64) -> str:  # noqa: D102
        return self._series[name].source(time)

    def lacking(self, time: np.datetime64) -> str:  # noqa: D102
        return lacking(self._series.values(), time)


def open_files(files: tuple[Path, ...]) -> list[NetcdfFile]:
    """Open all files that the configuration names.

    Raises
    ------
    ConfigError
        None matches, or one cannot be opened.
    """
    paths = expand(files)
    if not paths:
        raise ConfigError(f"{', '.join(map(str, files))}: no such NetCDF file")
    return [NetcdfFile(path) for path in paths]


def label(files: list[NetcdfFile]) -> str:
    """Return files for messages."""
    first, last = files[0].path, files[-1].path
    return str(first) if len(files) == 1 else f"{first} … {last.name} ({len(files)} files)"


def common_times(times: Iterable[Times]) -> Times:
    """Return what all of `times` have."""
    return reduce(np.intersect1d, times)


def lacking(series: Iterable[Series], time: np.datetime64) -> str:
    """Return which of `series` lack `time`, for messages."""
    without = [one for one in series if time not in one.times]
    return (
        "no record of "
        + ", ".join(f"{one.source(time)} ({show(one.times[0])} to {show(one.times[-1])})" for one in without[:1])
        + (f" and {len(without) - 1} other variables" if len(without) > 1 else "")
    )
