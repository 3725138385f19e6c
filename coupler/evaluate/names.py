"""Names that users ask by: variables that a run is judged on, sets of limits. It imports nothing, for `--help`."""

from __future__ import annotations

VARIABLES = WATER_TABLE, SOIL_MOISTURE, LATENT_HEAT = "water_table", "soil_moisture", "latent_heat"

LIMIT_SETS = DEFAULT, PREDRNN = "default", "predrnn"
