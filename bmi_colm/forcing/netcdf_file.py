"""An open NetCDF file: coordinates, attributes and dates."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import netCDF4
import numpy as np
from numpy.typing import NDArray

from bmi_colm.forcing.calendar import HOUR, Times, show
from bmi_colm.forcing.humidity import FloatArray
from bmi_common.errors import ConfigError

CALENDARS: Final = ("standard", "gregorian", "proleptic_gregorian")

Y_NAMES: Final = ("latitude", "projection_y_coordinate", "grid_latitude")
X_NAMES: Final = ("longitude", "projection_x_coordinate", "grid_longitude")


class NetcdfFile:
    """An open NetCDF file and what its metadata say.

    Raises
    ------
    ConfigError
        The file is missing or no NetCDF file.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ConfigError(f"{path}: no such NetCDF file")
        self.path = path
        try:
            self._dataset = netCDF4.Dataset(path)
        except OSError as error:
            raise ConfigError(f"{path}: not a readable NetCDF file ({error})") from error
        self._known: dict[str, NDArray[np.datetime64]] = {}  # all variables of a file have the same dates, mostly

    def __getitem__(self, name: str) -> Any:
        return self._dataset.variables[name]

    def __contains__(self, name: str) -> bool:
        return name in self._dataset.variables

    @property
    def names(self) -> tuple[str, ...]:
        """All variables of the file."""
        return tuple(self._dataset.variables)

    def close(self) -> None:
        """Close the file."""
        if self._dataset.isopen():
            self._dataset.close()

    def size(self, dimension: str) -> int:
        """Return the length of a dimension."""
        return int(self._dataset.dimensions[dimension].size)

    def values(self, name: str) -> FloatArray:
        """Return the whole of a variable, NaN where it has no value."""
        return self.part(name, ...)

    def part(self, name: str, index: Any) -> FloatArray:
        """Return a part of a variable, NaN where it has no value.

        Raises
        ------
        ConfigError
            It holds no numbers, or its scale, offset or missing value is none.
        """
        return np.ma.filled(np.ma.asarray(self._raw(name, index), dtype=np.float64), np.nan)

    def _raw(self, name: str, index: Any) -> Any:
        try:
            raw = self[name][index]
        except Exception as error:  # whatever the library meets in odd types, scale factors and fill values
            raise ConfigError(f"{self.path}: {name!r} cannot be read: {error}") from error
        if np.ma.asarray(raw).dtype.kind not in "biuf":
            raise ConfigError(f"{self.path}: {name!r} holds no numbers")
        return raw

    def attribute(self, name: str, key: str) -> str:
        """Return a variable's attribute, or an empty text."""
        return str(getattr(self[name], key, ""))

    def with_standard_name(self, standard_names: Iterable[str]) -> list[str]:
        """Return the variables that have one of the `standard_names`."""
        wanted = set(standard_names)
        return [name for name in self.names if self.attribute(name, "standard_name") in wanted]

    def axis(self, dimension: str, test: Callable[[str], bool]) -> str | None:
        """Return the one-dimensional coordinate of `dimension` that passes `test`, best the one of its name."""
        along = [name for name in self.names if self[name].dimensions == (dimension,) and test(name)]
        return dimension if dimension in along else next(iter(along), None)

    def is_time(self, name: str) -> bool:
        """Tell whether a variable holds dates."""
        return " since " in self.attribute(name, "units")

    def is_y(self, name: str) -> bool:
        """Tell whether a variable is a coordinate of rows."""
        return (
            self.attribute(name, "standard_name") in Y_NAMES
            or self.attribute(name, "axis") == "Y"
            or self.is_latitude(name)
        )

    def is_x(self, name: str) -> bool:
        """Tell whether a variable is a coordinate of columns."""
        return (
            self.attribute(name, "standard_name") in X_NAMES
            or self.attribute(name, "axis") == "X"
            or self.is_longitude(name)
        )

    def is_latitude(self, name: str) -> bool:
        """Tell whether a variable holds latitudes."""
        return self._is_geographic(name, "latitude", "lat", "north", "N")

    def is_longitude(self, name: str) -> bool:
        """Tell whether a variable holds longitudes."""
        return self._is_geographic(name, "longitude", "lon", "east", "E")

    def _is_geographic(self, name: str, long: str, short: str, direction: str, letter: str) -> bool:
        units = {f"{degree}_{end}" for degree in ("degree", "degrees") for end in (direction, letter)}
        return (
            self.attribute(name, "standard_name") == long
            or self.attribute(name, "units") in units
            or name.lower() in (long, short)
        )

    def stamps(self, coordinate: str) -> Times:
        """Return the dates of a time coordinate.

        Raises
        ------
        ConfigError
            The calendar is not the real one, a date is missing, or dates do not ascend.
        """
        stamps = self._dates(coordinate, coordinate)
        if np.any(np.diff(stamps) <= 0 * HOUR):
            at = int(np.argmax(np.diff(stamps) <= 0 * HOUR))
            raise ConfigError(
                f"{self.path}: times of {coordinate!r} do not ascend: "
                f"{show(stamps[at])} is followed by {show(stamps[at + 1])}"
            )
        return stamps

    def bounds(self, coordinate: str) -> NDArray[np.datetime64] | None:
        """Return starts and ends, (n, 2), of the intervals of a time coordinate, if the file tells."""
        name = self.attribute(coordinate, "bounds")
        if name not in self:
            return None
        return self._dates(name, coordinate)

    def _dates(self, name: str, coordinate: str) -> NDArray[np.datetime64]:
        if name not in self._known:
            self._known[name] = self._decoded(self._raw(name, ...), coordinate)
        return self._known[name]

    def _decoded(self, values: Any, coordinate: str) -> NDArray[np.datetime64]:
        calendar = self.attribute(coordinate, "calendar").lower() or "standard"
        if calendar not in CALENDARS:
            raise ConfigError(
                f"{self.path}: calendar {calendar!r} of {coordinate!r} has other days than the real one; "
                f"usable are {', '.join(CALENDARS)}"
            )
        if np.ma.is_masked(values):
            raise ConfigError(f"{self.path}: {coordinate!r} has missing values")
        values = np.ma.getdata(values)
        try:
            dates = netCDF4.num2date(
                values,
                self.attribute(coordinate, "units"),
                calendar,
                only_use_cftime_datetimes=False,
                only_use_python_datetimes=True,
            )
        except (ValueError, OverflowError) as error:
            raise ConfigError(f"{self.path}: dates of {coordinate!r} cannot be read: {error}") from error
        exact = np.asarray(dates, dtype="datetime64[us]").reshape(values.shape)
        # dates held as days in floating point are off by some microseconds
        return (exact + np.timedelta64(500_000, "us")).astype("datetime64[s]")
