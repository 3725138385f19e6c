"""Water that the groundwater lets the land take from a layer in a step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bmi_colm.land import WATER_DENSITY
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

    def at(self, head: Floats, saturation: Floats) -> Floats:
        """Water [kg m-2] that layers at a head [m] and a saturation can give."""
        compressed = self.stiffness * (saturation * head - self.driest * self.floor)
        share = saturation - self.driest + np.minimum(compressed, 0.0)
        return np.asarray(self.capacity * np.maximum(share, 0.0))
