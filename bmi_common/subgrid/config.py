"""The section `streams:` of a groundwater component's configuration."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import field_validator

from bmi_common.config import Config, ConfigPath
from bmi_common.domain import Domain
from bmi_common.errors import ConfigError, errors_under, out_of_range
from bmi_common.fields import FieldConfig
from bmi_common.subgrid.parameters import PARAMETERS, UNITS, SubgridParameters, SubgridWeights
from bmi_common.subgrid.streams import Streams
from bmi_common.subgrid.terrain import TerrainStatistics
from bmi_common.suggest import did_you_mean

_LEAST, _LARGEST = 1.0e-6, 1.0e4
"""Of a parameter; what lies beyond is a slip of the pen."""


class StreamsConfig(Config):
    """Streams within cells.

    Attributes
    ----------
    terrain : Path
        Statistics of the terrain within the cells, as ``bmi-domain`` writes them.
    weights : Path, optional
        What was learned of the parameters; without, they are those of `UNLEARNED`.
    parameters : mapping of str to FieldConfig
        Parameters in the place of those, each a number or a map.
    """

    terrain: ConfigPath
    weights: ConfigPath | None = None
    parameters: dict[str, FieldConfig] = {}

    @field_validator("parameters")
    @classmethod
    def _known(cls, parameters: dict[str, FieldConfig]) -> dict[str, FieldConfig]:
        for name in parameters:
            if name not in PARAMETERS:
                raise ValueError(f"{name} is none of {', '.join(PARAMETERS)}{did_you_mean(name, PARAMETERS)}")
        return parameters

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that it names."""
        own = (self.terrain,) if self.weights is None else (self.terrain, self.weights)
        return (*own, *(file for spec in self.parameters.values() for file in spec.files))

    def build(self, domain: Domain) -> tuple[Streams, Domain]:
        """Read the files: the streams, and the domain with the conductivities that were learned.

        Raises
        ------
        ConfigError
            For files that cannot be read or do not fit the domain or each other, and on several processes.
        """
        if domain.part is not None:
            raise ConfigError("streams within cells run on one process")
        domain.refuse_uneven_ground("streams within cells")
        terrain = TerrainStatistics.read(self.terrain, domain)
        parameters = SubgridParameters.unlearned(terrain.mean_height.size)
        if self.weights is not None:
            weights = SubgridWeights.load(self.weights)
            weights.require(terrain, self.weights, self.terrain)
            parameters = weights.parameters(terrain)
            if not all(np.isfinite(values).all() for values in vars(parameters).values()):
                raise ConfigError(f"{self.weights}: damaged: parameters of some cells are not finite")
        given = {name: self._read(name, spec, domain) for name, spec in self.parameters.items()}
        parameters = dataclasses.replace(parameters, **given)
        streams = Streams(domain, terrain, parameters)
        lateral, vertical = np.ones(domain.mask.shape), np.ones(domain.mask.shape)
        lateral[domain.mask], vertical[domain.mask] = parameters.lateral, parameters.vertical
        factors = {"conductivity_x": lateral, "conductivity_y": lateral, "conductivity_z": vertical}
        changed: dict[str, Any] = {
            name: domain.require(name, "streams within cells") * factor for name, factor in factors.items()
        }
        return streams, dataclasses.replace(domain, **changed)

    def _read(self, name: str, spec: FieldConfig, domain: Domain) -> Any:
        with errors_under(f"parameters.{name}"):
            values = spec.read(name, domain.mask.shape, UNITS[name], domain.mask, cells=domain.cells)[domain.mask]
            bad = values[~((values >= _LEAST) & (values <= _LARGEST))]
            if bad.size:
                raise ConfigError(out_of_range(float(bad[0]), _LEAST, _LARGEST, UNITS[name]))
        return values
