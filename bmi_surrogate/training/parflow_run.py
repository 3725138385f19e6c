"""Hourly heads and sources in the folder of a run of ParFlow.

``<run>.out.press.NNNNN.pfb`` is the pressure head at the end of dump NNNNN, 00000 the initial one;
``<run>.out.evaptrans.NNNNN.pfb`` the source of the hour that ends there. A dump must be an hour.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np

from bmi_common import ConfigError, Domain, grids
from bmi_common.errors import describe_cell
from bmi_common.fields import read_pfb
from bmi_common.parflow_dumps import find_dumps, require_hourly
from bmi_surrogate.training.runs import Array

_KINDS = {"press": "pressure head (`Solver.PrintPressure`)", "evaptrans": "source (`Solver.PrintEvapTrans`)"}


class ParflowRun:
    """The dumps of one run of ParFlow.

    Parameters
    ----------
    path : Path
        The run's folder.
    domain : Domain
        What the run must have been made on.

    Raises
    ------
    ConfigError
        If the folder holds several runs, a number is missing, or a field has another shape than the domain.
    """

    first: datetime | None = None

    def __init__(self, path: Path, domain: Domain) -> None:
        self.path = path
        self._domain = domain
        dumps = _dumps(path)
        numbers = sorted(dumps["press"])
        self._heads = _series(path, dumps["press"], "press", numbers[0], numbers[-1])
        # a source before the first head is of no use, the one behind the last head neither
        self._sources = _series(path, dumps["evaptrans"], "evaptrans", numbers[0] + 1, numbers[-1])
        require_hourly(path, "training")

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that the records are read from."""
        return (*self._heads, *self._sources)

    @property
    def records(self) -> int:
        """Number of records."""
        return len(self._heads)

    def heads(self, begin: int, end: int) -> Array:
        """Pressure heads [m] of records `begin` to `end` - 1, (records, nz, ny, nx)."""
        return np.stack([self._read(file) for file in self._heads[begin:end]])

    def sources(self, begin: int, end: int) -> Array:
        """Net sources [h-1] of the same records, (records, source layers, ny, nx); the first record has none."""
        return np.stack([self._root_zone(file) for file in self._sources[begin - 1 : end - 1]])

    def describe_head(self, record: int) -> str:
        """File of a head, for messages."""
        return str(self._heads[record])

    def describe_source(self, record: int) -> str:
        """File of a source, for messages."""
        return str(self._sources[record - 1])

    def _read(self, file: Path) -> Array:
        values = read_pfb(file)
        if values.shape != self._domain.subsurface.shape:
            raise ConfigError(
                f"{file}: has (nz, ny, nx) = {values.shape} cells, the domain {self._domain.subsurface.shape}"
            )
        return values

    def _root_zone(self, file: Path) -> Array:
        values = self._read(file)
        below = self._domain.nz - grids.ROOT_ZONE_LAYERS
        deep = (values[:below] != 0.0) & self._domain.mask
        if deep.any():
            cell = tuple(int(v) for v in np.argwhere(deep)[0])
            raise ConfigError(
                f"{file}: the source is {values[cell]:g} h-1 in {describe_cell(cell)}; a surrogate takes sources in "
                f"the upper {grids.ROOT_ZONE_LAYERS} layers only"
            )
        return values[below:]


def _dumps(folder: Path) -> dict[str, dict[int, Path]]:
    found = find_dumps(folder, *_KINDS)
    for kind, files in found.items():
        if not files:
            raise ConfigError(f"{folder}: no file *.out.{kind}.NNNNN.pfb, the {_KINDS[kind]} of each hour")
    return found


def _series(folder: Path, files: dict[int, Path], kind: str, first: int, last: int) -> list[Path]:
    for number in range(first, last + 1):
        if number not in files:
            raise ConfigError(
                f"{folder}: the series has a gap: no file *.out.{kind}.{number:05d}.pfb, though the pressure goes "
                f"from {first if kind == 'press' else first - 1:05d} to {last:05d}"
            )
    return [files[number] for number in range(first, last + 1)]
