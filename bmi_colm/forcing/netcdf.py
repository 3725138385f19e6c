"""Forcing from NetCDF files with CF metadata."""

import warnings
from collections.abc import Iterable
from functools import reduce
from pathlib import Path

import numpy as np

from bmi_colm.forcing.config import NetcdfForcing, Remap, StandardName, expand
from bmi_colm.forcing.names import PRECIPITATION
from bmi_colm.forcing.netcdf_series import ForcingSeries, hour_starts
from bmi_colm.forcing.plausible import ForcingWarning
from bmi_colm.forcing.record import Record
from bmi_colm.forcing.units import Converter, converter
from bmi_colm.forcing.ways import WAYS, Way, aligned
from bmi_common.arrays import Array
from bmi_common.calendar import Times, show
from bmi_common.errors import ConfigError
from bmi_common.file_grid import Cells
from bmi_common.netcdf_file import NetcdfFile
from bmi_common.units import conversion

Found = list[tuple[NetcdfFile, str]]
"""Files that have a variable, and its name in each."""


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
            readable: list[StandardName] = [name for ways in WAYS.values() for way in ways for name in way.reads]
            found = {name: self._find(name, spec) for name in dict.fromkeys(readable)}
            self._ways = self._choose(found, spec)
            self._series = {
                name: self._open(name, units, found[name], spec, cells, remap_of(names[0], spec.remap))
                for names, way in self._ways.items()
                for name, units in way.reads.items()
            }
            self.times = common_times(series.times for series in self._series.values())
        except BaseException:
            self.close()  # the user may correct the file, which stays locked while it is open
            raise
        self.gridded = any(series.gridded for series in self._series.values())

    def _find(self, standard_name: StandardName, spec: NetcdfForcing) -> Found:
        chosen = spec.variables.get(standard_name)
        found: Found = []
        for file in self._files:
            if chosen is None:
                names = file.with_standard_name((standard_name,))
            else:
                names = [chosen.variable] if chosen.variable in file else []
            found.extend((file, variable) for variable in names)
        return found

    def _choose(self, found: dict[StandardName, Found], spec: NetcdfForcing) -> dict[tuple[str, ...], Way]:
        """Return the way to each variable of the forcing: one that the user names, else the first that is there."""
        chosen: dict[tuple[str, ...], Way] = {}
        lacking: list[tuple[Way, ...]] = []
        for names, ways in WAYS.items():
            possible = [way for way in ways if all(found[name] for name in way.reads)]
            if not possible or any(not found[n] for way in ways for n in way.reads if n in spec.variables):
                lacking.append(ways)
                continue
            # `max` returns the first of equals
            chosen[names] = max(possible, key=lambda way: sum(name in spec.variables for name in way.reads))
        for way in chosen.values():
            for name in way.reads:
                _require_one(name, found[name])
        self._require(lacking, found, spec)
        read = {name for way in chosen.values() for name in way.reads}
        idle = [name for name in spec.variables if name not in read]
        if idle:
            raise ConfigError(
                f"{self.label}: forcing: variables: {', '.join(idle)}: without effect, because "
                f"{', '.join(sorted(read))} are read"
            )
        self._warn_of_snow(found, read)
        return chosen

    def _require(self, lacking: list[tuple[Way, ...]], found: dict[StandardName, Found], spec: NetcdfForcing) -> None:
        if not lacking:
            return
        # all at once: who names them one by one would meet this message eight times
        named: list[str] = []
        unnamed: list[str] = []
        keys: list[str] = []
        parts: list[str] = []
        for ways in lacking:
            wrong = [name for way in ways for name in way.reads if name in spec.variables and not found[name]]
            named += [repr(spec.variables[name].variable) for name in dict.fromkeys(wrong)]
            unnamed += [] if wrong else [repr(name) for name in ways[0].reads if not found[name]]
            keys += wrong or [name for name in ways[0].reads if not found[name]]
            parts += [
                f"{found[has][0][1]!r} is {has}, and {lacks} goes with it"
                for way in ways
                for has in way.reads
                for lacks in way.reads
                if found[has] and not found[lacks] and way is not ways[0]
            ]
        what = [", ".join(named)] if named else []
        what += [f"with standard_name {', '.join(unnamed)}"] if unnamed else []
        raise ConfigError(
            f"{self.label}: no variable {' and none '.join(what)}; the files have {', '.join(self._files[0].names)}; "
            + "".join(f"{part}; " for part in dict.fromkeys(parts))
            + f"say which in forcing: variables: {{{', '.join(f'{key}: NAME' for key in keys)}}}"
        )

    def _warn_of_snow(self, found: dict[StandardName, Found], read: set[StandardName]) -> None:
        rain, snow = found.get("precipitation_flux"), found.get("snowfall_flux")
        if not rain or not snow or "precipitation_flux" not in read:
            return
        file, variable = rain[0]
        if file.attribute(variable, "standard_name") == "rainfall_flux":
            warnings.warn(
                f"{file.path}: {variable!r} is rainfall alone, and the snowfall in {snow[0][1]!r} is left out; "
                f"variables: {{rainfall_flux: {variable}, snowfall_flux: {snow[0][1]}}} adds both",
                ForcingWarning,
                stacklevel=2,
            )

    def _open(
        self,
        standard_name: StandardName,
        target: str,
        found: Found,
        spec: NetcdfForcing,
        cells: Cells,
        remap: Remap | None,
    ) -> ForcingSeries:
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
        return ForcingSeries(
            found,
            cells,
            convert=_rate(units, target, where, f"{{{standard_name}: {{variable: {variable}, units: {units} h-1}}}}"),
            hours=hour_starts(spec.time_stamp),
            remap=remap,
            column=True,
            fill=True,
        )

    def load(self, times: Times) -> dict[str, Array]:  # noqa: D102
        values: dict[str, Array] = {}
        for names, way in self._ways.items():
            read = [self._series[name].read(times) for name in way.reads]
            if len(read) == 2:
                read = list(aligned(*read))
            values |= dict(zip(names, way.make(read, values), strict=True))
        return values

    def source(self, name: str, time: np.datetime64) -> str:  # noqa: D102
        way = next(way for names, way in self._ways.items() if name in names)
        first, *others = (self._series[read] for read in way.reads)
        return " and ".join([first.source(time), *(repr(other.variable(time)) for other in others)])

    def lacking(self, time: np.datetime64) -> str:  # noqa: D102
        return lacking(self._series.values(), time)


def remap_of(name: str, remap: Remap | None) -> Remap | None:
    """Return how a variable of the forcing (BMI name) is mapped: precipitation is not interpolated.

    Between cells of a record interpolation would widen its showers and lower their peaks.
    """
    return "nearest" if remap is not None and name == PRECIPITATION else remap


def _require_one(standard_name: StandardName, found: Found) -> None:
    """Refuse a file that has several variables of one standard name."""
    for file in dict.fromkeys(file for file, _ in found):
        names = [variable for there, variable in found if there is file]
        if len(names) > 1:
            raise ConfigError(
                f"{file.path}: {', '.join(names)} all have standard_name {standard_name!r}; "
                f"say which in forcing: variables: {{{standard_name}: …}}"
            )


def _rate(units: str, target: str, where: str, given: str) -> Converter:
    """Return the conversion to a rate; of totals the message says how those of an hour are given."""
    try:
        return converter(units, target, where)
    except ConfigError as error:
        try:
            conversion(f"({units}) h-1", target)
        except ConfigError:
            raise error from None
        raise ConfigError(
            f"{error}; totals of one hour each: variables: {given}; of totals since some start, such as RAINNC of WRF, "
            "take the differences first"
        ) from None


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


def lacking(series: Iterable[ForcingSeries], time: np.datetime64) -> str:
    """Return which of `series` lack `time`, for messages."""
    without = [one for one in series if time not in one.times]
    return (
        "no record of "
        + ", ".join(f"{one.source(time)} ({show(one.times[0])} to {show(one.times[-1])})" for one in without[:1])
        + (f" and {len(without) - 1} other variables" if len(without) > 1 else "")
    )
