"""Leaf and stem area of ParFlow-CLM's ``Solver.CLM.ForceVegetation``: by class and hour there, by cell and day here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from bmi_common.errors import ConfigError
from rootzone.parflow_import.clm_files import CLASSES, fortran_number, read_lines
from rootzone.parflow_import.definition import Definition, absent
from rootzone.parflow_import.grid import ParflowGrid
from rootzone.parflow_import.notices import Notes
from rootzone.parflow_import.sources import Floats, Mask, Pfb
from rootzone.parflow_import.timing import Timing

LEAF_AREA_FILE: Final = "leaf_area.nc"
LEAVES, STEMS = "LAI", "SAI"

_KEY: Final = "Solver.CLM.ForceVegetation"
_FILES: Final = {LEAVES: "lai.dat", STEMS: "sai.dat"}
_MAP: Final = "veg_map.pfb"


@dataclass(frozen=True)
class DailyLeafArea:
    """Leaf and stem area index [m2 m-2], (days, ny, nx) each, from the day `first` on."""

    first: date
    leaves: Floats
    stems: Floats

    @property
    def spec(self) -> dict[str, Any]:
        """The ``leaf_area:`` section of ``land.yaml``."""
        return {
            "file": LEAF_AREA_FILE,
            "variable": LEAVES,
            "stem_area": STEMS,
            "time": "dated",
            "interpolation": "step",
        }


def read_leaf_area(
    definition: Definition, grid: ParflowGrid, mask: Mask, timing: Timing, notes: Notes
) -> DailyLeafArea | None:
    """Read what vegetation the definition forces in the hours of the run, if any.

    Raises
    ------
    ConfigError
        For missing files, rows and numbers, and a map of other classes than 1 to 18.
    """
    if not definition.flag(_KEY):
        return None
    if definition.text("Solver.CLM.MetForcing") != "1D":
        notes.refuse(
            _KEY, "leaf area from PFB files; `leaf_area:` of land.yaml takes a NetCDF series (ignored: without)"
        )
        return None
    classes = _read_map(definition, grid, mask)
    first = definition.integer("Solver.CLM.IstepStart", 1) - 1
    hours = [(timing.start + timedelta(hours=hour)).date() for hour in range(timing.steps)]
    days = sorted(set(hours))
    series = {}
    for name, file in _FILES.items():
        rows = _read_rows(definition, definition.folder / file, first, timing.steps)
        daily = np.array([rows[[day == hour for hour in hours]].mean(axis=0) for day in days])
        series[name] = daily[:, classes - 1]
    notes.map(
        f"{_KEY}, {', '.join(_FILES.values())}, {_MAP}", "land.yaml", "leaf_area", how=": means of each day (UTC)"
    )
    notes.notice(
        f"{_KEY}: leaf and stem area have the mean of each day; z0m.dat and displa.dat are not read: roughness and "
        "displacement follow the height of the canopy"
    )
    return DailyLeafArea(days[0], series[LEAVES], series[STEMS])


def _read_map(definition: Definition, grid: ParflowGrid, mask: Mask) -> np.ndarray[Any, np.dtype[np.int64]]:
    path = definition.folder / _MAP
    if not path.is_file():
        raise definition.error(_KEY, absent(path))
    values = Pfb(path, definition, _KEY).values(grid.surface)
    good = np.isin(values, np.arange(1, CLASSES + 1))
    if not good[mask].all():
        wrong = values[mask & ~good][0]
        raise definition.error(_KEY, f"{path}: a class of vegetation is a number from 1 to {CLASSES}, got {wrong:g}")
    return np.where(good, values, 1.0).astype(np.int64)


def _read_rows(definition: Definition, path: Path, first: int, count: int) -> Floats:
    """Read some rows, (count, classes), of a file with a row an hour and a column a class."""
    if not path.is_file():
        raise definition.error(_KEY, absent(path))
    try:
        lines = [(number, line.split()) for number, line in enumerate(read_lines(path), 1) if line.strip()]
        if len(lines) < first + count:
            raise ConfigError(f"{path} has {len(lines)} rows, one an hour; the run needs {first + count} (TimingInfo)")
        rows = []
        for number, words in lines[first : first + count]:
            if len(words) != CLASSES:
                raise ConfigError(f"{path}:{number}: {len(words)} columns, needs {CLASSES}, one a class")
            try:
                rows.append([fortran_number(word) for word in words])
            except ValueError as error:
                raise ConfigError(f"{path}:{number}: {error}") from None
    except ConfigError as error:
        raise definition.error(_KEY, str(error)) from None
    return np.array(rows)
