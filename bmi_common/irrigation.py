"""Irrigation: which cells get the water that is taken for them, and how.

Water taken in a step is given to the land in the next one; until then it is on its way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from bmi_common.arrays import Array
from bmi_common.config import Config
from bmi_common.domain import Domain
from bmi_common.errors import ConfigError, errors_under
from bmi_common.fields import FieldConfig
from bmi_common.places import PlaceConfig
from bmi_common.units import SECONDS_PER_HOUR, WATER_DENSITY


class Method(StrEnum):
    """Where irrigation leaves the water."""

    SPRINKLER = "sprinkler"
    """Above the canopy, which keeps its share as of rain."""
    DRIP = "drip"
    """On the ground."""


class IrrigationConfig(Config):
    """Cells that are irrigated, all at the same depth.

    Attributes
    ----------
    mask : FieldConfig, optional
        Map of them (values above 0).
    cells : list of PlaceConfig, optional
        Each of them.
    method : Method
        How.
    """

    mask: FieldConfig | None = None
    cells: Annotated[list[PlaceConfig], Field(min_length=1)] | None = None
    method: Method

    @model_validator(mode="after")
    def _mask_or_cells(self) -> IrrigationConfig:
        if (self.mask is None) == (self.cells is None):
            raise ValueError("give either mask (a map) or cells")
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that it is read from."""
        return () if self.mask is None else self.mask.files

    def read(self, domain: Domain) -> Irrigation:
        """Find the cells.

        Raises
        ------
        ConfigError
            For a map that cannot be read, cells outside the domain, or no cell at all.
        """
        irrigated = np.zeros(domain.mask.shape, dtype=bool)
        if self.mask is not None:
            chosen = self.mask.read("mask", domain.mask.shape, "1", domain.mask, cells=domain.cells)
            irrigated = (chosen > 0.0) & domain.mask
            if not _count(irrigated, domain):
                raise ConfigError("no active cell of the map has a value above 0: nothing is irrigated", key="mask")
        for number, place in enumerate(self.cells or ()):
            with errors_under(f"cells.{number}"):
                cell = place.cell_here(domain)
                if cell is not None:
                    irrigated[cell] = True
        return Irrigation(irrigated, self.method, _count(irrigated, domain))


def _count(cells: NDArray[np.bool_], domain: Domain) -> int:
    """Cells of the whole domain."""
    count = int(np.count_nonzero(cells))
    return count if domain.part is None else int(domain.part.world.sum(count)[0])


@dataclass(frozen=True)
class Irrigation:
    """Irrigated cells.

    Attributes
    ----------
    cells : ndarray of bool, shape (ny, nx)
        Those that get the water, each the same.
    method : Method
        How.
    count : int
        How many cells they are, in the whole domain.
    """

    cells: NDArray[np.bool_]
    method: Method
    count: int

    def flux(self, volume: float, cell_area: float, hours: float) -> Array:
        """Mass flux [kg m-2 s-1] (ny, nx) by which the cells, of an area [m2] each, get a volume [m3] in some hours."""
        depth = volume / (self.count * cell_area)
        return np.where(self.cells, WATER_DENSITY * depth / (hours * SECONDS_PER_HOUR), 0.0)


def fluxes(
    supplies: Iterable[tuple[Irrigation, float]], shape: tuple[int, ...], cell_area: float, hours: float
) -> dict[Method, Array]:
    """Mass flux [kg m-2 s-1] (ny, nx) of each method, from what is irrigated with which volume [m3]."""
    result = {method: np.zeros(shape) for method in Method}
    for irrigation, volume in supplies:
        result[irrigation.method] += irrigation.flux(volume, cell_area, hours)
    return result
