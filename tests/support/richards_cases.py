"""A small valley for tests of the Richards component as its users see it."""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import yaml

from bmi_richards import BmiRichards

LAYERS = [20.0, 1.1, 0.9, 0.55, 0.34, 0.2, 0.12, 0.075, 0.045, 0.028, 0.0175]
NY, NX = 4, 3
OUTLET = {"x": 1, "y": 0}


def valley(
    folder: Path, richards: dict[str, Any] | None = None, gauges: dict[str, Any] | None = None, **domain: Any
) -> Path:
    """A tilted V whose channel, column 1, leaves over the south edge; the cell in the north-east takes no part."""
    with netCDF4.Dataset(folder / "valley.nc", "w") as data:
        for name, size in (("y", NY), ("x", NX)):
            data.createDimension(name, size)
        y, x = np.mgrid[0:NY, 0:NX]
        mask = np.ones((NY, NX))
        mask[-1, -1] = 0.0
        fields = {
            "slope_x": np.where(x == 0, -0.05, np.where(x == 1, 0.05, 0.0)),
            "slope_y": np.where(x == 1, 0.02, 0.0),
            "mask": mask,
            "latitude": 24.0 + 0.009 * y,
            "longitude": 113.0 + 0.0098 * x,
        }
        for name, values in fields.items():
            data.createVariable(name, "f8", ("y", "x"))[:] = values
    content = {
        "domain": {
            "grid": {"nx": NX, "ny": NY, "dx": 1000.0, "dy": 1000.0},
            "layers": LAYERS,
            "mask": {"file": "valley.nc", "variable": "mask"},
            "porosity": 0.4,
            "van_genuchten": {"alpha": 2.0, "n": 2.2, "residual_saturation": 0.1},
            "conductivity": {"x": 0.02, "z": 0.01},
            "slope": {axis: {"file": "valley.nc", "variable": f"slope_{axis}"} for axis in "xy"},
            "manning": 0.05,
            **domain,
        },
        "initial": {"water_table_depth": 0.02},
        "gauges": gauges or {},
        "richards": richards or {},
    }
    file = folder / "groundwater.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def started(file: Path) -> BmiRichards:
    model = BmiRichards()
    model.initialize(str(file))
    return model


def rain(depth: float) -> np.ndarray:
    """Source of an hour with a depth [m] of rain."""
    source = np.zeros((10, NY, NX))
    source[-1] = depth / LAYERS[-1]
    return source
