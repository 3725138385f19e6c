"""Couple land and groundwater by hand in pymt, hour by hour as `bmi-run` does.

``python pymt_session.py`` couples Colm and ParflowSurrogate for three days, ``python pymt_session.py Richards 24``
another groundwater for one day; a file name after that keeps every hour.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEAD = "soil_water__pressure_head"
STATES = {
    "soil_root-zone_water__pressure_head": "soil_water__pressure_head",
    "soil_root-zone_water__saturation": "soil_water__saturation",
}
"""What the groundwater publishes of the root zone, and what the land takes it for."""
SOURCE = "soil_root-zone_water__net_volume_flux"
LATENT_HEAT = "land_surface_air_heat~net~latent__energy_flux"
WATER_TABLE = "soil_water_sat-zone_top__depth"


def couple(groundwater: str = "ParflowSurrogate", hours: int = 72) -> dict[str, NDArray[Any]]:
    """Run the small case of the package; returns hourly values, the flat grid last.

    Parameters
    ----------
    groundwater : str
        Name of the groundwater model in pymt.
    hours : int
        Hours to run; the case has weather for 240.
    """
    import pymt.models

    land, soil = pymt.models.Colm(), getattr(pymt.models, groundwater)()
    for model in (land, soil):
        config, folder = model.setup()  # a temporary folder with all that the model needs
        model.initialize(config, dir=folder)

    kept: dict[str, list[NDArray[Any]]] = {SOURCE: [], LATENT_HEAT: [], HEAD: [], WATER_TABLE: []}
    for hour in range(1, hours + 1):
        time = hour * land.time_step
        for published, taken in STATES.items():
            land.set_value(taken, soil.get_value(published))
        land.update_until(time)
        soil.set_value(SOURCE, land.get_value(SOURCE))
        soil.update_until(time)
        for name, records in kept.items():
            records.append((land if name in (SOURCE, LATENT_HEAT) else soil).get_value(name))
    for model in (land, soil):
        model.finalize()
    return {name: np.array(records) for name, records in kept.items()}


def main(groundwater: str = "ParflowSurrogate", hours: str = "72", file: str = "") -> None:
    """Run and print what came of it."""
    result = couple(groundwater, int(hours))
    for name, label in ((LATENT_HEAT, "latent heat [W m-2]"), (WATER_TABLE, "water table depth [m]")):
        means = np.nanmean(result[name], axis=1)
        print(f"{label}: {means.mean():.6f} in the mean, {means[-1]:.6f} in the last hour")
    if file:
        np.savez(file, **result)


if __name__ == "__main__":
    main(*sys.argv[1:])
