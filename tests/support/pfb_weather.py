"""Weather in PFB files, as ParFlow-CLM reads it."""

from pathlib import Path

import numpy as np
from parflow.tools.io import write_pfb

TYPICAL = {
    "DSWR": 400.0, "DLWR": 300.0, "APCP": 1.0e-4, "Temp": 290.0,
    "UGRD": 2.0, "VGRD": -1.0, "Press": 9.0e4, "SPFH": 0.008,
}  # fmt: skip


def write_weather(folder: Path, variable: str, first: int, hours: int, shape: tuple[int, int]) -> Path:
    """Write hours `first` … ; every value of the file differs from the others."""
    file = folder / f"NLDAS.{variable}.{first:06d}_to_{first + hours - 1:06d}.pfb"
    values = np.full((hours, *shape), TYPICAL[variable])
    values *= 1.0 + 1e-6 * (np.arange(values.size).reshape(values.shape) + first)
    write_pfb(str(file), values, dist=False)
    return file
