"""The files that a run of ParFlow has dumped hour by hour, ``<run>.out.<kind>.NNNNN.pfb``.

Dump NNNNN of ``press`` is the pressure head at the end of hour NNNNN, 00000 the initial one; dump NNNNN of
``evaptrans`` is the source during the hour that ends there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bmi_common.arrays import Array
from bmi_common.domain import Domain
from bmi_common.errors import ConfigError
from bmi_common.fields import read_pfb
from bmi_common.pfidb import leading_number, read_pfidb
from bmi_common.run_records import Series

_DUMP = re.compile(r"^(?P<run>.+)\.out\.(?P<kind>[A-Za-z_]+)\.(?P<number>[0-9]{5,9})\.pfb$")


class DumpSeries(Series):
    """One variable of a run of ParFlow, a file for each record.

    Parameters
    ----------
    variable : str
        CSDMS name of the variable.
    files : sequence of Path
        The dumps, in order.
    domain : Domain
        What the run was made on.
    skipped : int
        Records before the first dump.
    """

    def __init__(self, variable: str, files: Sequence[Path], domain: Domain, skipped: int = 0) -> None:
        self.variable, self.files = variable, tuple(files)
        self.shape = domain.subsurface.shape
        self._skipped = skipped

    def __len__(self) -> int:
        return self._skipped + len(self.files)

    def read(self, begin: int, end: int) -> Array:
        """Return records `begin` to `end` - 1, (records, layers, ny, nx); see `Series.read`."""
        return np.stack([self._read(file) for file in self.files[begin - self._skipped : end - self._skipped]])

    def describe(self, record: int) -> str:
        """Return the file of a record, for messages."""
        return str(self.files[record - self._skipped])

    def _read(self, file: Path) -> Array:
        values = read_pfb(file)
        if values.shape != self.shape:
            raise ConfigError(f"{file}: has (nz, ny, nx) = {values.shape} cells, the domain {self.shape}")
        return values


def is_parflow_run(folder: Path) -> bool:
    """Whether a folder holds pressures of ParFlow."""
    return folder.is_dir() and any(folder.glob("*.out.press.*.pfb"))


def find_dumps(folder: Path, *kinds: str) -> dict[str, dict[int, Path]]:
    """Find the dumps of some kinds, such as ``press``, by kind and number.

    Raises
    ------
    ConfigError
        If the folder holds those of several runs.
    """
    found: dict[str, dict[int, Path]] = {kind: {} for kind in kinds}
    runs: set[str] = set()
    for file in sorted(folder.glob("*.pfb")):
        match = _DUMP.match(file.name)
        if match and match["kind"] in found:
            runs.add(match["run"])
            found[match["kind"]][int(match["number"])] = file
    if len(runs) > 1:
        raise ConfigError(f"{folder}: holds several runs of ParFlow ({', '.join(sorted(runs))}); give each a folder")
    return found


def require_hourly(folder: Path, purpose: str) -> None:
    """Check the interval of the dumps, where the run definition lies beside them.

    Raises
    ------
    ConfigError
        If they are not an hour apart; the message says that `purpose` needs it.
    """
    definitions = sorted(folder.glob("*.pfidb"))
    if len(definitions) != 1:
        return
    try:
        values = read_pfidb(definitions[0])
    except ConfigError:
        return  # the definition is not needed
    between, unit = (leading_number(values.get(f"TimingInfo.{key}", "1")) for key in ("DumpInterval", "BaseUnit"))
    if between is None or unit is None:
        return
    interval = float(between) * float(unit)
    # a negative interval counts time steps, whose length the definition need not fix
    if interval > 0.0 and interval != 1.0:
        raise ConfigError(
            f"{definitions[0]}: TimingInfo.DumpInterval is {interval:g} h; {purpose} needs a dump every hour"
        )
