"""The quantities that stations measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bmi_common.groundwater import DISCHARGE, PRESSURE_HEAD, SATURATION, VOLUME_FRACTION, WATER_TABLE_DEPTH
from bmi_common.run_records import LATENT_HEAT, SENSIBLE_HEAT


@dataclass(frozen=True)
class Kind:
    """A quantity with a value at a place.

    Attributes
    ----------
    key : str
        Name in ``observations.yaml``, JSON and CSV.
    title : str
        Name in tables and figures.
    units : str
        Units, for udunits; those of a file that names none.
    label : str
        Units as figures write them.
    limits : tuple of float
        Smallest and largest possible value; -999, -9999 and 9999, which archives write where there is no value, lie
        outside.
    variables : tuple of str
        CSDMS names of what a run may have written of it; the first that is there is taken.
    peak : int
        1 where the largest values are the peaks, -1 where the smallest are, as of a depth.
    """

    key: str
    title: str
    units: str
    label: str
    limits: tuple[float, float]
    variables: tuple[str, ...]
    peak: int = 1


KINDS: Mapping[str, Kind] = {
    kind.key: kind
    for kind in (
        Kind("discharge", "discharge", "m3 s-1", "m³ s⁻¹", (0.0, 1.0e6), (DISCHARGE,)),
        Kind(
            "water_table_depth",
            "water table depth",
            "m",
            "m",
            (-50.0, 2.0e3),
            (WATER_TABLE_DEPTH, PRESSURE_HEAD),
            peak=-1,
        ),
        Kind("head", "hydraulic head", "m", "m", (-500.0, 9.0e3), (PRESSURE_HEAD,)),
        Kind(
            "soil_moisture",
            "soil moisture",
            "m3 m-3",
            "m³ m⁻³",
            (0.0, 1.0),
            (VOLUME_FRACTION, SATURATION, PRESSURE_HEAD),
        ),
        Kind("latent_heat", "latent heat", "W m-2", "W m⁻²", (-900.0, 3.0e3), (LATENT_HEAT,)),
        Kind("sensible_heat", "sensible heat", "W m-2", "W m⁻²", (-900.0, 3.0e3), (SENSIBLE_HEAT,)),
    )
}
"""By key. Depths are positive downward from the ground, heads upward from the datum of the domain's elevation, fluxes
upward; soil moisture is the volumetric water content."""
