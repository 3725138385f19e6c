"""Water that the groundwater lets the land take from a layer in a step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bmi_colm import _kernel
from bmi_colm.arrays import ColumnInputs
from bmi_colm.land import WATER_DENSITY
from bmi_colm.soil_grid import SoilGrid
from bmi_common import Domain, van_genuchten
from bmi_common.floor_head import reachable_floor

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AvailableWater:
    """What root-zone layers hold above the groundwater's floor head; arrays are (n, layers), top first.

    A sink cannot draw soil below that head: what lies between it and the residual saturation is out of reach. The
    groundwater's storage has a compressible term, S times specific storage times head; where it leaves less than the
    pores do, that is the limit.

    Attributes
    ----------
    capacity : ndarray
        Water [kg m-2] of the layer's pores.
    driest : ndarray
        Saturation at the floor head.
    stiffness : ndarray
        Specific storage over porosity [m-1].
    floor : ndarray
        Floor head [m].
    """

    capacity: Floats
    driest: Floats
    stiffness: Floats
    floor: Floats

    @classmethod
    def of(cls, domain: Domain, floor_head: float) -> AvailableWater:
        """For the active columns of a domain, in the order of ``mask.nonzero()``, and a floor head [m]."""

        def columns(field: Floats) -> Floats:
            return np.ascontiguousarray(field[-domain.root_zone_layers :, domain.mask].T[:, ::-1])

        porosity, storage = columns(domain.porosity), columns(domain.specific_storage)
        floor = reachable_floor(floor_head, porosity, storage)
        retention = (
            columns(f) for f in (domain.alpha, domain.n, domain.residual_saturation, domain.maximum_saturation)
        )
        thickness = domain.dz[: -domain.root_zone_layers - 1 : -1]
        return cls(
            WATER_DENSITY * porosity * thickness,
            van_genuchten.saturation(floor, *retention),
            storage / porosity,
            floor,
        )

    def take(
        self,
        head: Floats,
        saturation: Floats,
        cells: NDArray[np.int32],
        grid: SoilGrid,
        inputs: ColumnInputs,
        threads: int,
    ) -> None:
        """Set head, saturation and available water of the columns' soil layers.

        Parameters
        ----------
        head, saturation : ndarray, shape (root-zone layers, cells)
            Maps of the pressure head [m] and of the saturation [-], bottom first.
        cells : ndarray of int32, shape (n,)
            Cell of each column in them, from 1.
        grid : SoilGrid
            The soil layers of the columns. A layer of the root zone shares its water out by thickness.
        inputs : ColumnInputs
            Of the columns; changed in place.
        threads : int
            Threads that fill it.
        """
        _kernel.take_soil_water(
            cells,
            grid.owner.astype(np.int32) + 1,
            grid.share,
            head.T,
            saturation.T,
            self.capacity.T,
            self.driest.T,
            self.stiffness.T,
            self.floor.T,
            threads,
            inputs.head.T,
            inputs.saturation.T,
            inputs.available_water.T,
        )
