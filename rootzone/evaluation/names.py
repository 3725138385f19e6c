"""Names of the variables that a run is evaluated on. It imports nothing, for `--help`."""

from __future__ import annotations

KEYS = WATER_TABLE, SOIL_MOISTURE, LATENT_HEAT = "water_table", "soil_moisture", "latent_heat"
