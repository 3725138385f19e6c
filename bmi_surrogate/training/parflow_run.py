"""Hourly heads and sources in the folder of a run of ParFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bmi_common import ConfigError, Domain
from bmi_common.arrays import Array
from bmi_common.errors import describe_cell
from bmi_common.groundwater import NET_SOURCE, PRESSURE_HEAD
from bmi_common.parflow_dumps import DumpSeries, find_dumps, require_hourly
from bmi_surrogate.training.runs import Run

_KINDS = {"press": "pressure head (`Solver.PrintPressure`)", "evaptrans": "source (`Solver.PrintEvapTrans`)"}


def parflow_run(path: Path, domain: Domain) -> Run:
    """Find the dumps of one run of ParFlow, which must be an hour apart.

    Raises
    ------
    ConfigError
        If the folder holds several runs, or a number is missing.
    """
    dumps = find_dumps(path, *_KINDS)
    for kind, files in dumps.items():
        if not files:
            raise ConfigError(f"{path}: no file *.out.{kind}.NNNNN.pfb, the {_KINDS[kind]} of each hour")
    first, last = min(dumps["press"]), max(dumps["press"])
    heads = _without_gap(path, dumps["press"], "press", first, last)
    # a source before the first head is of no use, nor is one after the last head
    sources = _without_gap(path, dumps["evaptrans"], "evaptrans", first + 1, last)
    require_hourly(path, "training")
    return Run(path, DumpSeries(PRESSURE_HEAD, heads, domain), _Sources(sources, domain))


class _Sources(DumpSeries):
    """Sources of the layers that a surrogate takes them in; the first record has none."""

    def __init__(self, files: list[Path], domain: Domain) -> None:
        super().__init__(NET_SOURCE, files, domain, skipped=1)
        self._mask, self._layers = domain.mask, domain.root_zone_layers

    def read(self, begin: int, end: int) -> Array:
        """Return records `begin` to `end` - 1, (records, source layers, ny, nx); see `Series.read`."""
        values = super().read(begin, end)
        below = values.shape[1] - self._layers
        deep = (values[:, :below] != 0.0) & self._mask
        if deep.any():
            record, *cell = at = tuple(int(i) for i in np.argwhere(deep)[0])
            raise ConfigError(
                f"{self.describe(begin + record)}: the source is {values[at]:g} h-1 in {describe_cell(tuple(cell))}; a "
                f"surrogate takes sources in the root zone only, the upper {self._layers} layers"
            )
        return values[:, below:]


def _without_gap(folder: Path, files: dict[int, Path], kind: str, first: int, last: int) -> list[Path]:
    for number in range(first, last + 1):
        if number not in files:
            raise ConfigError(
                f"{folder}: the series has a gap: no file *.out.{kind}.{number:05d}.pfb, though the pressure goes "
                f"from {first if kind == 'press' else first - 1:05d} to {last:05d}"
            )
    return [files[number] for number in range(first, last + 1)]
