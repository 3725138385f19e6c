"""What the streams of a cell depend on beside its soil, learned from the statistics of its terrain."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from bmi_common.arrays import Array
from bmi_common.errors import ConfigError
from bmi_common.subgrid.terrain import TerrainStatistics

FORMAT = "rootzone subgrid weights"
FEATURES = ("drainage_density", "mean_height", "height_spread", "slope", "curvature_spread", "upstream_area")
"""What the network sees of a cell, as logarithms, in units of their spread over the training's cells."""
MOST = float(np.log(30.0))
"""Of what the network says: a parameter is between a thirtieth and thirty times what it is without."""


@dataclass(frozen=True)
class SubgridParameters:
    """Parameters of the cells, each (columns,).

    Attributes
    ----------
    drainage : ndarray
        Factor of the conductance between ground and streams [-].
    mound : ndarray
        Depth of the water table at which streams run dry, as a share of the mean height above drainage [-].
    fall : ndarray
        How much deeper the water table lies where the ground is higher above the streams [m m-1].
    riparian_depth : ndarray
        Depth of the water table down to which plants take groundwater that flows to the streams [m].
    lateral, vertical : ndarray
        Factors of the lateral and the vertical conductivity of the cell [-].
    velocity : ndarray
        Of streams that hold 1 mm of water over the cell [m s-1].
    memory : ndarray
        How long rain keeps the ground beside the streams wet [h].
    delay : ndarray
        How long rain on saturated ground is on its way to the streams [h].
    """

    drainage: Array
    mound: Array
    fall: Array
    riparian_depth: Array
    lateral: Array
    vertical: Array
    velocity: Array
    memory: Array
    delay: Array

    @classmethod
    def unlearned(cls, columns: int) -> SubgridParameters:
        """Return what nothing has been learned of."""
        return cls(**{name: np.full(columns, value) for name, value in UNLEARNED.items()})


PARAMETERS = tuple(field.name for field in fields(SubgridParameters))
UNLEARNED: Mapping[str, float] = {
    "drainage": 1.0,
    "mound": 0.3,
    "fall": 0.3,
    "riparian_depth": 1.0,
    "lateral": 1.0,
    "vertical": 1.0,
    "velocity": 0.1,
    "memory": 48.0,
    "delay": 6.0,
}


UNITS: Mapping[str, str] = {
    **dict.fromkeys(PARAMETERS, "1"),
    "riparian_depth": "m",
    "velocity": "m s-1",
    "memory": "h",
    "delay": "h",
}


def features(terrain: TerrainStatistics) -> Array:
    """Logarithms of what the network sees, (features, columns)."""

    def spread(values: Array, low: float, high: float) -> Array:
        return at(values, high) - at(values, low)

    def at(values: Array, quantile: float) -> Array:
        return np.asarray(values[int(np.argmin(np.abs(terrain.quantile - quantile)))])

    seen = {
        "drainage_density": terrain.drainage_density,
        "mean_height": terrain.mean_height,
        "height_spread": spread(terrain.height, 0.1, 0.9),
        "slope": at(terrain.slope, 0.5),
        "curvature_spread": spread(terrain.curvature, 0.1, 0.9),
        "upstream_area": terrain.upstream_area,
    }
    floors = {"drainage_density": 1.0e-5, "mean_height": 0.1, "height_spread": 0.1, "slope": 1.0e-4}
    rows = [np.log(np.maximum(seen[name], floors.get(name, 1.0e-12))) for name in FEATURES]
    return np.stack(rows)


@dataclass(frozen=True)
class SubgridWeights:
    """Multilayer perceptron from the features of a cell to the logarithms of what its parameters are multiplied by.

    Attributes
    ----------
    mean, spread : ndarray, shape (features,)
        By which features are brought to order one.
    layers : sequence of (ndarray, ndarray)
        Weights (outputs, inputs) and biases (outputs,) of each layer; hyperbolic tangents between them. The last has
        as many outputs as there are parameters.
    cell, fine_cell, stream_area : float
        Of the terrain statistics that they were trained on [m], [m], [m2]; what a statistic says depends on all.
    provenance : mapping
        What they were trained on, in words.
    """

    mean: Array
    spread: Array
    layers: Sequence[tuple[Array, Array]]
    cell: float
    fine_cell: float
    stream_area: float
    provenance: Mapping[str, str]

    def parameters(self, terrain: TerrainStatistics) -> SubgridParameters:
        """Parameters of cells with such terrain."""
        with np.errstate(over="ignore", invalid="ignore"):  # of damaged weights, which the caller refuses
            state = (features(terrain) - self.mean[:, np.newaxis]) / self.spread[:, np.newaxis]
            for number, (weight, bias) in enumerate(self.layers):
                state = weight @ (np.tanh(state) if number else state) + bias[:, np.newaxis]
            factor = np.exp(MOST * np.tanh(state / MOST))
        return SubgridParameters(**{name: UNLEARNED[name] * factor[k] for k, name in enumerate(PARAMETERS)})

    def save(self, path: Path) -> None:
        """Write a JSON file."""
        content = {
            "format": FORMAT,
            **{key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in vars(self).items()},
            "features": FEATURES,
            "parameters": PARAMETERS,
            "layers": [{"weight": weight.tolist(), "bias": bias.tolist()} for weight, bias in self.layers],
        }
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> SubgridWeights:
        """Read a file that `save` wrote; raises `ConfigError` if it is none, or of other features or parameters."""
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise KeyError("format")
            names = {key: tuple(content[key]) for key in ("features", "parameters")}
            found = cls(
                mean=np.array(content["mean"], dtype=np.float64),
                spread=np.array(content["spread"], dtype=np.float64),
                layers=[
                    (np.array(layer["weight"], dtype=np.float64), np.array(layer["bias"], dtype=np.float64))
                    for layer in content["layers"]
                ],
                cell=float(content["cell"]),
                fine_cell=float(content["fine_cell"]),
                stream_area=float(content["stream_area"]),
                provenance=dict(content["provenance"]),
            )
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror or error}") from None
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError):  # UnicodeDecodeError is a ValueError
            raise ConfigError(f"{path}: no weights of streams within cells, which are JSON of `{FORMAT}`") from None
        for key, known in {"features": FEATURES, "parameters": PARAMETERS}.items():
            if names[key] != known:
                raise ConfigError(f"{path}: {key} are {list(names[key])}, not {list(known)}; train anew")
        found._require_shapes(path)
        return found

    def _require_shapes(self, path: Path) -> None:
        width = len(FEATURES)
        good = (
            self.mean.shape == self.spread.shape == (width,) and len(self.layers) > 0 and bool((self.spread > 0).all())
        )
        for weight, bias in self.layers:
            good = good and weight.ndim == 2 and weight.shape[1] == width and bias.shape == weight.shape[:1]
            width = weight.shape[0] if weight.ndim == 2 else -1
        numbers = [self.mean, self.spread, *(part for layer in self.layers for part in layer)]
        if not good or width != len(PARAMETERS) or not all(np.isfinite(part).all() for part in numbers):
            raise ConfigError(f"{path}: damaged: its numbers do not make a network")

    def require(self, terrain: TerrainStatistics, path: Path, terrain_file: Path) -> None:
        """Raise `ConfigError` where terrain statistics are of other cells or streams than these were trained on."""
        for what, mine, given, units in (
            ("cells", self.cell, terrain.cell, "m"),
            ("ground", self.fine_cell, terrain.fine_cell, "m"),
            ("streams from a drained area", self.stream_area, terrain.stream_area, "m2"),
        ):
            if not np.isclose(mine, given, rtol=1.0e-3):
                raise ConfigError(
                    f"{path} was trained on statistics of {what} of {mine:g} {units}, {terrain_file} has "
                    f"{given:g} {units}"
                )
