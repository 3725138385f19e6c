"""Forcing from ERA5-Land."""

from typing import Final

import numpy as np

from bmi_colm.forcing.config import Era5LandForcing, Remap
from bmi_colm.forcing.humidity import saturation_vapour_pressure, specific_humidity
from bmi_colm.forcing.names import (
    AIR_PRESSURE,
    AIR_TEMPERATURE,
    LONGWAVE,
    PRECIPITATION,
    SHORTWAVE,
    SPECIFIC_HUMIDITY,
    WIND_X,
    WIND_Y,
)
from bmi_colm.forcing.netcdf import SeriesRecord, common_times, label, lacking, open_files, remap_of
from bmi_colm.forcing.netcdf_series import ForcingSeries
from bmi_colm.forcing.units import converter
from bmi_common.arrays import Array
from bmi_common.calendar import DAY, HOUR, Times, show
from bmi_common.errors import ConfigError
from bmi_common.file_grid import Cells
from bmi_common.netcdf_file import NetcdfFile
from bmi_common.netcdf_time import stamps

ACCUMULATED: Final = {PRECIPITATION: "tp", SHORTWAVE: "ssrd", LONGWAVE: "strd"}
"""Totals since 00 UTC at the end of their hour, by BMI name."""

INSTANTANEOUS: Final = {AIR_TEMPERATURE: "t2m", AIR_PRESSURE: "sp", WIND_X: "u10", WIND_Y: "v10"}
"""Values at their time stamp, by BMI name; humidity comes from the dew point."""

DEW_POINT: Final = "d2m"

_UNITS: Final = {
    "tp": "m", "ssrd": "J m-2", "strd": "J m-2",
    "t2m": "K", "d2m": "K", "sp": "Pa", "u10": "m s-1", "v10": "m s-1",
}  # fmt: skip

_PER_SECOND: Final = {"tp": 1000.0 / 3600.0, "ssrd": 1.0 / 3600.0, "strd": 1.0 / 3600.0}
# tp: m of water to kg m-2 with 1000 kg m-3


def deaccumulate(before: Array, after: Array, first_of_day: Array) -> Array:
    """Return the amounts of hours from totals since 00 UTC.

    Parameters
    ----------
    before, after
        Totals at start and end of each hour, (n, ...); `before` is not used in the first hour of a day.
    first_of_day
        Whether the hour starts at 00 UTC, (n,) bool: the total at 00 UTC is that of the day before.

    Notes
    -----
    Muñoz-Sabater et al. (2021), Earth Syst. Sci. Data 13, 4349; ECMWF, "ERA5-Land: data documentation",
    section on accumulations.
    """
    anew = np.reshape(first_of_day, (-1,) + (1,) * (after.ndim - 1))
    return after - np.where(anew, 0.0, before)


class Era5LandRecord(SeriesRecord):
    """Fluxes from accumulations, states from instantaneous values.

    The flux of the hour [t, t + 1 h) is the total at t + 1 h less that at t (nothing less when t is 00 UTC), so
    that the stamp t + 1 h is needed: a run until 31 October 00 UTC needs the stamp of 31 October 00 UTC. A state
    of the hour is by default the mean of the stamps t and t + 1 h, second-order accurate for the hour's mean as the
    fluxes are; ``states: start`` takes the stamp t. Specific humidity is computed at the stamps, then averaged.

    Raises
    ------
    ConfigError
        A variable is missing; units, dimensions or times do not fit.
    """

    def __init__(self, spec: Era5LandForcing, cells: Cells) -> None:
        self._files = open_files(spec.file)
        self.label = label(self._files)
        self._mean = spec.states == "mean"
        rain = ACCUMULATED[PRECIPITATION]
        self._series = {
            name: self._open(name, cells, remap_of(PRECIPITATION if name == rain else name, spec.remap))
            for name in _UNITS
        }
        self._stamps = {
            "accumulated": common_times(self._series[name].times for name in ACCUMULATED.values()),
            "instantaneous": common_times(self._series[name].times for name in (*INSTANTANEOUS.values(), DEW_POINT)),
        }
        candidates = np.union1d(self._stamps["instantaneous"], self._stamps["accumulated"] - HOUR)
        complete = np.ones(candidates.size, dtype=np.bool_)
        for kind, needed in self._needs(candidates):
            complete &= np.isin(needed, self._stamps[kind])
        self.times = candidates[complete]

    def _open(self, name: str, cells: Cells, remap: Remap | None) -> ForcingSeries:
        found = [(file, name) for file in self._files if name in file]
        if not found:
            raise ConfigError(
                f"{self.label}: no variable {name!r}; ERA5-Land forcing needs {', '.join(_UNITS)} "
                f"(the first file has {', '.join(self._files[0].names)})"
            )
        file, _ = found[0]
        where = f"{file.path}: {name!r}"
        convert = converter(file.attribute(name, "units"), _UNITS[name], where)
        return ForcingSeries(found, cells, convert=convert, hours=_stamps, remap=remap, column=False, fill=True)

    def _needs(self, times: Times) -> list[tuple[str, Times]]:
        """Return the kinds of stamps and the stamps that the hours `times` need."""
        needs = [("accumulated", times + HOUR), ("instantaneous", times)]
        needs.append(("accumulated", np.where(_first_of_day(times), times + HOUR, times)))
        if self._mean:
            needs.append(("instantaneous", times + HOUR))
        return needs

    def load(self, times: Times) -> dict[str, Array]:  # noqa: D102
        first_of_day = _first_of_day(times)
        values = {}
        for name, variable in ACCUMULATED.items():
            # the total before the first hour of a day is not needed, and need not be there
            before = np.where(first_of_day, times + HOUR, times)
            stamps = np.union1d(before, times + HOUR)
            totals = self._series[variable].read(stamps)
            amount = deaccumulate(
                totals[np.searchsorted(stamps, before)],
                totals[np.searchsorted(stamps, times + HOUR)],
                first_of_day,
            )
            values[name] = amount * _PER_SECOND[variable]
        stamps = np.union1d(times, times + HOUR) if self._mean else times
        states = {name: self._series[variable].read(stamps) for name, variable in INSTANTANEOUS.items()}
        vapour_pressure = saturation_vapour_pressure(self._series[DEW_POINT].read(stamps))
        states[SPECIFIC_HUMIDITY] = specific_humidity(vapour_pressure, states[AIR_PRESSURE])
        start, end = np.searchsorted(stamps, times), np.searchsorted(stamps, times + HOUR)
        for name, state in states.items():
            values[name] = 0.5 * (state[start] + state[end]) if self._mean else state
        return values

    def source(self, name: str, time: np.datetime64) -> str:  # noqa: D102
        if name in ACCUMULATED:
            variable = ACCUMULATED[name]
            return (
                f"{self._series[variable].source(time + HOUR)} (total at {show(time + HOUR)} less that before; those "
                "of ERA5-Land grow from 00 UTC on, those of ERA5 are of single hours: type: netcdf)"
            )
        if name == SPECIFIC_HUMIDITY:
            return f"{self._series[DEW_POINT].source(time)} and 'sp'"
        return self._series[INSTANTANEOUS[name]].source(time)

    def lacking(self, time: np.datetime64) -> str:  # noqa: D102
        for kind, needed in self._needs(np.array([time])):
            if needed[0] not in self._stamps[kind]:
                names = ACCUMULATED.values() if kind == "accumulated" else (*INSTANTANEOUS.values(), DEW_POINT)
                series = [self._series[name] for name in names]
                why = " (totals are stamped at the end of their hour)" if kind == "accumulated" else ""
                return f"it needs the stamp {show(needed[0])}{why}: {lacking(series, needed[0])}"
        raise AssertionError(f"nothing lacks at {time}")


def _first_of_day(times: Times) -> Array:
    return np.asarray((times - times.astype("datetime64[D]")) % DAY == 0 * HOUR)


def _stamps(file: NetcdfFile, coordinate: str) -> Times:
    found = stamps(file, coordinate)
    whole = found.astype("datetime64[h]").astype("datetime64[s]")
    if np.any(whole != found):
        raise ConfigError(
            f"{file.path}: stamp {show(found[np.argmax(whole != found)])} is no whole hour; ERA5-Land is hourly"
        )
    return found
