"""A valley of eleven cells, land and groundwater coupled, whose weather of four days has rain on the first."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from richards_cases import valley

DAYS = 4


def write(folder: Path, rain: float = 4e-4, **changes: Any) -> Path:
    groundwater = valley(folder, {"mode": "full"})
    domain = yaml.safe_load(groundwater.read_text())["domain"]
    t = np.arange(24 * DAYS)
    sun = np.maximum(0.0, np.sin(np.pi * ((t + 8) % 24 - 6) / 12))
    constant = [np.full(t.size, value) for value in (2.0, -1.0, 9.8e4, 0.008)]
    columns = [700 * sun, np.full(t.size, 360.0), np.where((t > 9) & (t < 16), rain, 0.0), 288 + 9 * sun, *constant]
    np.savetxt(folder / "weather.txt", np.column_stack(columns))
    land = {
        "start": "2020-07-01T00:00",
        "domain": domain | {axis: {"file": "valley.nc", "variable": axis} for axis in ("latitude", "longitude")},
        "land_cover": 10,
        "soil_texture": "loam",
        "forcing": {"type": "column", "file": "weather.txt", "start": "2020-07-01T00:00"},
    }
    (folder / "land.yaml").write_text(yaml.safe_dump(land))
    run = {
        "time": {"start": "2020-07-01T00:00", "end": f"2020-07-0{1 + DAYS}T00:00", "step": "1h"},
        "components": {
            "land": {"class": "bmi_colm:BmiColm", "config": "land.yaml"},
            "groundwater": {"class": "bmi_richards:BmiRichards", "config": "groundwater.yaml"},
        },
        "order": ["land", "groundwater"],
        "exchanges": [
            {"from": f"{a}.{name}", "to": f"{b}.{name}"}
            for a, b, name in (
                ("groundwater", "land", "soil_water__pressure_head"),
                ("groundwater", "land", "soil_water__saturation"),
                ("land", "groundwater", "soil_root-zone_water__net_volume_flux"),
            )
        ],
        **changes,
    }
    (folder / "coupled.yaml").write_text(yaml.safe_dump(run))
    return folder / "coupled.yaml"
