"""Statistics of the terrain within the cells of a domain, as ``bmi-domain`` writes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bmi_common.arrays import Array
from bmi_common.domain import Domain
from bmi_common.errors import ConfigError, describe_cell
from bmi_common.fields import read_netcdf_variable
from bmi_common.netcdf_file import NetcdfFile

_ADVICE = "`terrain_statistics:` of a basin file makes bmi-domain write them"
_QUANTILE = "quantile"
_BY_QUANTILE = {"height": "height_above_drainage", "slope": "terrain_slope", "curvature": "terrain_curvature"}
_FLAT = {
    "mean_height": "mean_height_above_drainage",
    "drainage_density": "drainage_density",
    "upstream_area": "upstream_area",
}
_ABOVE_ZERO = ("mean_height", "drainage_density", "upstream_area")


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
    cell : float
        Size of the cells [m].
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
            stream_area = float(file.text("stream_area") or np.nan)
        if quantile[0] != 0.0 or quantile[-1] != 1.0 or (np.diff(quantile) <= 0.0).any():
            raise ConfigError(f"{path}: {_QUANTILE} must rise from 0 to 1")
        shape = domain.mask.shape
        found: dict[str, Array] = {}
        for name, variable in {**_BY_QUANTILE, **_FLAT}.items():
            values, _ = read_netcdf_variable(path, variable, domain.cells)
            wanted = (quantile.size, *shape) if name in _BY_QUANTILE else shape
            if values.shape != wanted:
                raise ConfigError(f"{path} ({variable}): has shape {values.shape}, needs {wanted}; {_ADVICE}")
            lowest = 0.0 if name in (*_ABOVE_ZERO, "height") else -np.inf
            bad = (~np.isfinite(values) | (values < lowest)) & domain.mask
            if bad.any():
                cell = tuple(int(i) for i in np.argwhere(bad)[0])
                raise ConfigError(f"{path} ({variable}): {values[cell]} at {describe_cell(cell)} is no such statistic")
            found[name] = values[..., domain.mask]
        return cls(quantile=quantile, cell=domain.dx, stream_area=stream_area, **found)
