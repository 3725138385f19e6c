"""Write a first state of the demo basin to ``steady_recharge.nc``: pressure head in balance with a steady recharge.

From water at rest 2 m below the ground, the Richards solver runs under the basin's mean recharge in daily steps until
storage stands still. It is the start of a spin-up with weather, not its result.

Run ``python make_steady_recharge.py`` in this folder to write the file anew.
"""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
from numpy.typing import NDArray

from bmi_common import Domain, load_config
from bmi_common.domain import DomainSpec
from bmi_richards.options import Options
from bmi_richards.solver import RichardsSolver

HERE = Path(__file__).parent
RECHARGE = 500.0  # mm a-1
WATER_TABLE = 2.0  # m below the ground, at the start
DAY, YEAR = 24.0, 8760.0  # h
STEADY = 1.0e-3  # change of storage in a year, as a fraction of a year's recharge
LONGEST = 60  # years


def steady_state(domain: Domain, recharge: float = RECHARGE) -> NDArray[np.float64]:
    """Return pressure head [m] (nz, ny, nx) under a steady recharge [mm a-1]; NaN outside the mask.

    Raises
    ------
    RuntimeError
        If the basin is not steady after `LONGEST` years.
    """
    centres = np.cumsum(domain.dz) - 0.5 * domain.dz
    at_rest = domain.dz.sum() - WATER_TABLE - centres[:, np.newaxis, np.newaxis]
    solver = RichardsSolver(domain, np.broadcast_to(at_rest, domain.subsurface.shape), Options(passes=2))
    source = np.zeros(domain.subsurface.shape)
    source[-1] = recharge / 1000.0 / YEAR / domain.dz[-1]
    yearly = recharge / 1000.0 * domain.mask.sum() * domain.dx * domain.dy
    for _ in range(LONGEST):
        change = sum(solver.step(source, DAY).storage_change for _ in range(365))
        if abs(change) < STEADY * yearly:
            return solver.head
    raise RuntimeError(f"storage still changes by {change / yearly:.2g} of the recharge after {LONGEST} years")


def write(path: Path, head: NDArray[np.float64]) -> None:
    """Write the state as a CF NetCDF file."""
    with netCDF4.Dataset(path, "w") as file:
        file.Conventions = "CF-1.10"
        file.title = f"Pressure head of the demo basin under a steady recharge of {RECHARGE:g} mm a-1"
        file.source = "make_steady_recharge.py"
        for name, size in zip(("layer", "y", "x"), head.shape, strict=True):
            file.createDimension(name, size)
        variable = file.createVariable(
            "pressure_head", "f4", ("layer", "y", "x"), zlib=True, complevel=9, fill_value=-9999.0
        )
        variable.setncatts({"units": "m", "long_name": "pressure head at layer centres, bottom layer first"})
        variable[:] = np.ma.masked_invalid(head)


if __name__ == "__main__":
    write(HERE / "steady_recharge.nc", steady_state(Domain.load(load_config(HERE / "domain.yaml", DomainSpec))))
