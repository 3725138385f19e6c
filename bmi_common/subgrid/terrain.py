"""Statistics of the terrain within the cells of a domain, as ``bmi-domain`` writes them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bmi_common.arrays import Array
from bmi_common.domain import Domain, Limits
from bmi_common.errors import ConfigError, describe_cell
from bmi_common.fields import read_netcdf_variable
from bmi_common.netcdf_file import NetcdfFile
from bmi_common.units import conversion

_ADVICE = "`terrain_statistics:` of a basin file makes bmi-domain write them"
_QUANTILE = "quantile"
_BY_QUANTILE = {"height": "height_above_drainage", "slope": "terrain_slope", "curvature": "terrain_curvature"}
_FLAT = {
    "mean_height": "mean_height_above_drainage",
    "drainage_density": "drainage_density",
    "upstream_area": "upstream_area",
}
_LIMITS = {
    "height": Limits("m", 0.0, 1.0e4),
    "slope": Limits("1", 0.0, 100.0),
    "curvature": Limits("m-1", -100.0, 100.0),
    "mean_height": Limits("m", 0.0, 1.0e4),
    "drainage_density": Limits("m-1", 0.0, 0.1),
    "upstream_area": Limits("m2", 0.0, 1.0e14),
}


@dataclass(frozen=True)
class TerrainStatistics:
    """Statistics over the fine ground within each active cell, in row-major order of the cells.

    Attributes
    ----------
    quantile : ndarray, shape (quantiles,)
        From 0 to 1.
    height : ndarray, shape (quantiles, columns)
        Height above the nearest drainage [m].
    slope : ndarray, shape (quantiles, columns)
        [-].
    curvature : ndarray, shape (quantiles, columns)
        Laplacian of the elevation [m-1].
    mean_height, drainage_density, upstream_area : ndarray, shape (columns,)
        Mean height above drainage [m], length of streams an area [m-1], and largest area drained to a place of the
        cell [m2].
    cell, fine_cell : float
        Size of the cells, and of the fine ones within [m].
    stream_area : float
        Drained area [m2] from which on water counts as a stream.
    """

    quantile: Array
    height: Array
    slope: Array
    curvature: Array
    mean_height: Array
    drainage_density: Array
    upstream_area: Array
    cell: float
    fine_cell: float
    stream_area: float

    @classmethod
    def read(cls, path: Path, domain: Domain) -> TerrainStatistics:
        """Read a file for a domain.

        Raises
        ------
        ConfigError
            If the file is missing, lacks a variable, is of other cells than the domain's, or holds what no terrain has.
        """
        with NetcdfFile(path) as file:
            lacking = [name for name in (*_BY_QUANTILE.values(), *_FLAT.values(), _QUANTILE) if name not in file]
            if lacking:
                raise ConfigError(f"{path}: no terrain statistics: {', '.join(lacking)} not in it; {_ADVICE}")
            quantile = np.asarray(file.read(_QUANTILE), dtype=np.float64)
            sizes = {key: _positive(file.text(key), key, path) for key in ("fine_cell", "stream_area")}
        cell, fine = math.sqrt(domain.dx * domain.dy), sizes["fine_cell"]
        if 2.0 * fine > cell * (1.0 + 1.0e-6):
            raise ConfigError(
                f"{path}: made of cells of {fine:g} m (fine_cell), two or more of which must fit along one of the "
                f"domain's, {cell:g} m; {_ADVICE}"
            )
        even = np.linspace(0.0, 1.0, max(quantile.size, 2))
        if quantile.shape != even.shape or not np.allclose(quantile, even, rtol=0.0, atol=1.0e-6):
            raise ConfigError(f"{path}: {_QUANTILE} must rise from 0 to 1 in even steps; {_ADVICE}")
        found = {name: _read(path, name, domain, quantile.size) for name in _LIMITS}
        height, mean = found["height"], found["mean_height"]
        if (np.diff(height, axis=0) < 0.0).any() or (mean < height[0]).any() or (mean > height[-1]).any():
            raise ConfigError(f"{path}: heights above drainage must rise with the quantile, with their mean among them")
        return cls(quantile, **found, cell=cell, fine_cell=fine, stream_area=sizes["stream_area"])


def _positive(text: str, key: str, path: Path) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 < value < math.inf:
        raise ConfigError(f"{path}: the attribute {key} must be a number above 0, not {text or 'missing'}; {_ADVICE}")
    return value


def _read(path: Path, name: str, domain: Domain, quantiles: int) -> Array:
    """Read a statistic of the active cells in the units of `_LIMITS`."""
    variable, limits = {**_BY_QUANTILE, **_FLAT}[name], _LIMITS[name]
    values, units = read_netcdf_variable(path, variable, domain.cells)
    wanted = (quantiles, *domain.mask.shape) if name in _BY_QUANTILE else domain.mask.shape
    if values.shape != wanted:
        raise ConfigError(f"{path} ({variable}): has shape {values.shape}, needs {wanted}; {_ADVICE}")
    try:
        change = conversion(units or limits.units, limits.units)
    except ConfigError as error:
        raise ConfigError(f"{path} ({variable}): {error}") from None
    values = values * change.factor + change.offset
    place = limits.find_outside(values, np.broadcast_to(domain.mask, values.shape))
    if place is not None:
        raise ConfigError(f"{path} ({variable}): {limits.refusal(float(values[place]))} at {describe_cell(place[-2:])}")
    return np.asarray(values[..., domain.mask])
