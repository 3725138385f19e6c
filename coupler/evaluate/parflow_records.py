"""Hourly pressures in the folder of a run of ParFlow, read as the records of a run are.

``<run>.out.press.NNNNN.pfb`` is the pressure head at the end of hour NNNNN, 00000 the initial one. ParFlow writes no
latent heat and no calendar.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bmi_common import ConfigError, Domain
from bmi_common.errors import out_of_range
from bmi_common.fields import read_pfb
from bmi_common.folder_lock import require_at_rest
from bmi_common.groundwater import POSSIBLE_HEADS
from bmi_common.parflow_dumps import find_dumps, require_hourly
from coupler.evaluate.records import HOUR, Times

Array = NDArray[np.float64]


class ParflowRecords:
    """The pressures of one run of ParFlow, a dump an hour; missing dumps are gaps.

    Parameters
    ----------
    path : Path
        The run's folder.
    domain : Domain
        What the run was made on.
    start : datetime64
        Time of dump 00000, UTC.

    Attributes
    ----------
    initial : Path or None
        File of dump 00000.

    Raises
    ------
    ConfigError
        If the folder holds several runs, no pressure after the initial one, or dumps that are not an hour apart.
    """

    def __init__(self, path: Path, domain: Domain, start: np.datetime64) -> None:
        self.path, self._domain = path, domain
        require_at_rest(path)
        dumps = find_dumps(path, "press")["press"]
        self.initial = dumps.pop(0, None)
        if not dumps:
            raise ConfigError(f"{path}: has no pressure after the initial one (*.out.press.00001.pfb and so on)")
        require_hourly(path, "the evaluation")
        self._files = [dumps[number] for number in sorted(dumps)]
        self.times: Times = start.astype("datetime64[s]") + HOUR * np.array(sorted(dumps))

    @property
    def hours(self) -> int:
        """Number of records."""
        return len(self._files)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Layers, rows and columns of the grid."""
        nz, ny, nx = self._read(self._files[0]).shape
        return nz, ny, nx

    @property
    def axes(self) -> tuple[Array | None, Array | None]:
        """Nothing: the files' corner need not be that of the domain."""
        return None, None

    @property
    def thickness(self) -> Array | None:
        """Nothing: the files do not say it."""
        return None

    def head(self, start: int, stop: int, mask: NDArray[np.bool_]) -> Array:
        """Pressure head [m] of records `start` to `stop`, (hours, nz, columns) in the order of the mask."""
        return np.stack([self.head_in(file)[:, mask] for file in self._files[start:stop]])

    def latent_heat(self, start: int, stop: int, mask: NDArray[np.bool_]) -> Array:
        """NaN, (hours, columns): ParFlow writes none."""
        return np.full((stop - start, int(mask.sum())), np.nan)

    def head_in(self, file: Path) -> Array:
        """Read one dump [m], (nz, ny, nx)."""
        values = self._read(file)
        if values.shape != self._domain.subsurface.shape:
            raise ConfigError(
                f"{file}: has (nz, ny, nx) = {values.shape} cells, the domain {self._domain.subsurface.shape}"
            )
        bad = ~np.isfinite(values) & self._domain.mask
        if bad.any():
            z, y, x = np.argwhere(bad)[0]
            raise ConfigError(f"{file}: the pressure is not finite in the active cell z={z}, y={y}, x={x}")
        low, high = POSSIBLE_HEADS
        bad = ((values < low) | (values > high)) & self._domain.mask
        if bad.any():
            z, y, x = (int(i) for i in np.argwhere(bad)[0])
            found = out_of_range(values[z, y, x], low, high, "m")
            raise ConfigError(f"{file}: the pressure {found} in the active cell z={z}, y={y}, x={x}")
        return values

    @staticmethod
    def _read(file: Path) -> Array:
        return np.asarray(read_pfb(file), dtype=np.float64)
