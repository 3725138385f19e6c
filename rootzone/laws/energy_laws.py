"""Laws of energy at the surface of the land, in every hour and cell."""

from __future__ import annotations

from typing import Any

import numpy as np

from coupler.component import Component
from rootzone.laws.findings import Finding
from rootzone.laws.laboratory import EVAPOTRANSPIRATION, Laboratory, NotApplicableError

_NET = "land_surface_radiation~net~total__energy_flux"
_NET_SHORTWAVE = "land_surface_radiation~net~shortwave__energy_flux"
_INCOMING_LONGWAVE = "land_surface_radiation~incoming~longwave__energy_flux"
_OUTGOING_LONGWAVE = "land_surface_radiation~outgoing~longwave__energy_flux"
_TEMPERATURE = "land_surface__temperature"
_LATENT = "land_surface_air_heat~net~latent__energy_flux"
_RESIDUAL = "land_surface_energy_balance__residual"

_STEFAN_BOLTZMANN = 5.67e-8
"""[W m-2 K-4], to the digits that land models take."""
_VAPORISATION, _SUBLIMATION = 2.5e6, 2.85e6
"""Heat [J kg-1] of evaporation at the warmest and of sublimation at the coldest that is met, with some room."""

CLOSURE = 1.0e-3
"""Energy [W m-2] that no flux or store accounts for: rounding and the end of iterations."""
IDENTITY = 1.0e-6
"""Of what is the same by definition, relative."""


def energy(laboratory: Laboratory) -> list[Finding]:
    """In each hour and cell of the record the energy of the surface is accounted for."""

    def look(land: Component, _: Component) -> tuple[float, float, float, float]:
        cells = land.mask

        def of(name: str) -> Any:
            if name not in (*land.inputs, *land.outputs):
                raise NotApplicableError(f"the land does not publish {name}")
            values = land.get(name)
            return values[cells] if cells is not None else values.reshape(-1)

        net, latent, water = of(_NET), of(_LATENT), of(EVAPOTRANSPIRATION)
        incoming, outgoing = of(_INCOMING_LONGWAVE), of(_OUTGOING_LONGWAVE)
        radiation = np.abs(net - (of(_NET_SHORTWAVE) + incoming - outgoing)).max() / np.abs(incoming).max()
        emitted = np.abs(outgoing - _STEFAN_BOLTZMANN * of(_TEMPERATURE) ** 4).max() / np.abs(outgoing).max()
        low, high = (
            np.minimum(_VAPORISATION * 0.95 * water, _SUBLIMATION * water),
            np.maximum(_VAPORISATION * 0.95 * water, _SUBLIMATION * water),
        )
        outside = np.maximum(np.maximum(low - latent, latent - high), 0.0).max()
        return float(np.abs(of(_RESIDUAL)).max()), float(radiation), float(emitted), float(outside)

    series = laboratory.remembered("the record", laboratory.record, look)
    worst = np.max(series.watched, axis=0)
    return [
        Finding.judged("energy balance", worst[0], CLOSURE, "W m-2 that nothing accounts for, worst hour and cell"),
        Finding.judged("radiation", worst[1], IDENTITY, "net radiation against its parts, over incoming longwave"),
        Finding.judged("longwave", worst[2], IDENTITY, "outgoing longwave against that of the reported temperature"),
        Finding.judged(
            "latent heat", worst[3], 1.0, "W m-2 outside what the evaporated water takes as water or as ice"
        ),
    ]
