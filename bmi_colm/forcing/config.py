"""What a user writes in the ``forcing:`` section of the land component's configuration."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from bmi_common.calendar import naive_utc
from bmi_common.config import CalendarTime, Config, ConfigPath, OutputPath

UtcDatetime = Annotated[CalendarTime, AfterValidator(naive_utc)]
"""A date; without a time zone it is UTC."""

StandardName = Literal[
    "precipitation_flux",
    "lwe_precipitation_rate",
    "rainfall_flux",
    "snowfall_flux",
    "convective_precipitation_flux",
    "large_scale_precipitation_flux",
    "stratiform_precipitation_flux",
    "air_temperature",
    "air_pressure",
    "surface_air_pressure",
    "specific_humidity",
    "humidity_mixing_ratio",
    "water_vapor_partial_pressure_in_air",
    "dew_point_temperature",
    "relative_humidity",
    "surface_downwelling_shortwave_flux_in_air",
    "surface_downwelling_longwave_flux_in_air",
    "eastward_wind",
    "northward_wind",
    "x_wind",
    "y_wind",
    "wind_speed",
]
"""CF standard names by which NetCDF variables are found or assigned."""

CheckValues = Annotated[
    Literal["all", "ends"],
    Field(
        description="read every hour of the run before it starts, or only its first and last day and four between "
        "(the others are then checked when they are read)"
    ),
]


class ExternalForcing(Config):
    """No file: all eight variables are set through BMI every step."""

    type: Literal["external"]


STANDARD_LAPSE_RATE: Final = 0.0065
"""Decrease of air temperature with height of the standard atmosphere [K m-1]."""


Remap = Literal["bilinear", "nearest"]

_RemapKey = Annotated[
    Remap,
    Field(
        description="how to map the cells of another grid by latitude and longitude: interpolated between four cells, "
        "all but precipitation, or the nearest cell"
    ),
]


class ElevationMap(Config):
    """Elevation that the cells of a gridded record hold for: a NetCDF variable in m, or a geopotential in m2 s-2."""

    file: ConfigPath
    variable: str
    units: str | None = None


LapseRate = Annotated[float, Field(ge=-0.02, le=0.02, description="decrease of air temperature with height [K m-1]")]


class _OneStation(Config):
    """Options of a record that may stand for one place only."""

    cycle: bool = Field(False, description="repeat the record (whole days) when the run goes beyond it")
    reference_elevation: float | None = Field(None, description="elevation the record is valid for [m]")
    lapse_rate: LapseRate | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if getattr(self, "elevation", None) is not None:
            if self.reference_elevation is not None:
                raise ValueError("give either elevation (a map) or reference_elevation (of one place)")
        elif (self.reference_elevation is None) != (self.lapse_rate is None):
            raise ValueError("reference_elevation and lapse_rate go together: give both or neither")
        return self


class ColumnForcing(_OneStation):
    """Hourly text record of one place, applied to all cells.

    One row an hour, eight columns separated by blanks: downward shortwave and longwave [W m-2], precipitation
    [mm s-1], air temperature [K], eastward and northward wind [m s-1], air pressure [Pa], specific humidity
    [kg kg-1]. Lines that start with ``#`` are comments.
    """

    type: Literal["column"]
    file: ConfigPath
    start: UtcDatetime = Field(description="start of the hour that row `first_row` describes")
    first_row: int = Field(0, ge=0, description="rows before this one (from 0) are not used")
    rows: int | None = Field(None, ge=1, description="number of rows used; all by default")


class ParflowForcing(Config):
    """ParFlow's own forcing: files ``<prefix>.<VAR>.<first>_to_<last>.pfb``, the hour is the z index."""

    type: Literal["parflow"]
    directory: ConfigPath
    prefix: str = Field("NLDAS", min_length=1)
    start: UtcDatetime = Field(description="start of hour 1, the first z layer of file 000001_to_…")
    check_values: CheckValues = "all"


class ForcingVariable(Config):
    """A NetCDF variable by its name in the file, with the units that its attribute lacks or has wrong."""

    variable: str
    units: str | None = None


def _as_variable(value: Any) -> Any:
    return {"variable": value} if isinstance(value, str) else value


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


# OutputPath: a name with wildcards does not exist as such; the readers say which files are missing
Files = Annotated[tuple[OutputPath, ...], BeforeValidator(_as_list), Field(min_length=1)]
"""One file or several; ``*`` and ``?`` in a file's name stand for all the files that match."""


class NetcdfForcing(_OneStation):
    """Hourly NetCDF files with CF metadata, on the domain's grid or for one place."""

    type: Literal["netcdf"]
    file: Files
    variables: dict[StandardName, Annotated[ForcingVariable, BeforeValidator(_as_variable)]] = Field(
        default_factory=dict, description="variables by name; the others are found by their standard_name"
    )
    time_stamp: Literal["start", "middle", "end"] = Field(
        "start", description="which instant of its hour a time stamp marks; not used where the file has bounds"
    )
    remap: _RemapKey | None = None
    elevation: ElevationMap | None = None
    check_values: CheckValues = "all"


class Era5LandForcing(Config):
    """Hourly ERA5-Land files as the Climate Data Store delivers them."""

    type: Literal["era5_land"]
    file: Files
    states: Literal["mean", "start"] = Field(
        "mean", description="value of an instantaneous variable in an hour: mean of both ends, or its start"
    )
    remap: _RemapKey | None = None
    elevation: ElevationMap | None = None
    lapse_rate: LapseRate | None = None
    check_values: CheckValues = "all"

    @model_validator(mode="after")
    def _lapse_rate_needs_elevation(self) -> Self:
        if self.lapse_rate is not None and self.elevation is None:
            raise ValueError("lapse_rate: without effect, because no elevation of the record's cells is given")
        return self


def _as_section(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


ForcingConfig = Annotated[
    Annotated[
        ExternalForcing | ColumnForcing | ParflowForcing | NetcdfForcing | Era5LandForcing,
        Field(discriminator="type"),
    ],
    BeforeValidator(_as_section),
]
"""The ``forcing:`` section; the word ``external`` alone is short for ``{type: external}``."""


def expand(files: tuple[Path, ...]) -> list[Path]:
    """Return the files that `files` name, wildcards of the last path component replaced by what matches."""
    found: list[Path] = []
    for file in files:
        if any(character in file.name for character in "*?["):
            found.extend(sorted(file.parent.glob(file.name)))
        else:
            found.append(file)
    return found


def forcing_files(spec: ForcingConfig) -> tuple[Path, ...]:
    """Return the existing files that a ``forcing:`` section names; for ParFlow's, all that begin with the prefix."""
    match spec:
        case ExternalForcing():
            return ()
        case ColumnForcing():
            return (spec.file,)
        case ParflowForcing():
            return tuple(sorted(spec.directory.glob(f"{spec.prefix}.*.pfb")))
        case _:
            return tuple(file for file in expand(spec.file) if file.is_file())
