"""Where a domain lies on the earth: its coordinate reference system in the terms of CF, for files of results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import model_validator

from bmi_common.arrays import Array
from bmi_common.config import Config, ConfigPath
from bmi_common.errors import ConfigError
from bmi_common.netcdf_file import NetcdfFile

_TELLING = ("grid_mapping_name", "crs_wkt", "spatial_ref")


class CrsConfig(Config):
    """Coordinate reference system: an EPSG code or WKT, or a CF grid mapping variable of a NetCDF file.

    The former needs pyproj; in YAML the text alone stands for it.
    """

    text: str | None = None
    file: ConfigPath | None = None
    variable: str = "crs"

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: Any) -> Any:
        return {"text": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _one_source(self) -> CrsConfig:
        if (self.text is None) == (self.file is None):
            raise ValueError("write a code such as EPSG:32612, or {file: domain.nc, variable: crs}")
        return self

    def read(self) -> dict[str, Any]:
        """Return the attributes of a CF grid mapping variable.

        Raises
        ------
        ConfigError
            There is no such system or variable, or pyproj is not installed.
        """
        if self.file is not None:
            with NetcdfFile(self.file) as file:
                found = dict(file.require(self.variable).attributes)
            if not any(name in found for name in _TELLING):
                raise ConfigError(
                    f"{self.file} ({self.variable}): is no CF grid mapping: it has none of {', '.join(_TELLING)}",
                    key="crs",
                )
            return found
        try:
            from pyproj import CRS
            from pyproj.exceptions import CRSError
        except ImportError:
            raise ConfigError(
                "a coordinate reference system by its code needs pyproj: pip install 'rootzone[domain]', or name a CF "
                "grid mapping: {file: domain.nc, variable: crs}",
                key="crs",
            ) from None
        try:
            return dict(CRS.from_user_input(self.text).to_cf())
        except CRSError as error:
            raise ConfigError(f"{self.text!r} is not a coordinate reference system: {error}", key="crs") from None


@dataclass(frozen=True)
class Georeference:
    """What files of results say of the place of their cells.

    Attributes
    ----------
    grid_mapping : mapping
        Attributes of the CF grid mapping variable.
    cell_area : float
        [m2].
    latitude, longitude : ndarray, shape (ny, nx), optional
        Of the centres of cells [degrees].
    """

    grid_mapping: Mapping[str, Any]
    cell_area: float
    latitude: Array | None = None
    longitude: Array | None = None
