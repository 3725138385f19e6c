"""Rock: from permeability to conductivity, and its decay with depth."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array
from bmi_common.errors import ConfigError
from bmi_common.units import SECONDS_PER_HOUR
from rootzone.domain_builder.config import DecayConfig, PermeabilityConfig
from rootzone.domain_builder.grid import BasinGrid
from rootzone.domain_builder.hydraulics import Hydraulics
from rootzone.domain_builder.raster import complete, read_field, read_map

Mask = NDArray[np.bool_]

GRAVITY: Final = 9.80665  # m s-2
_KELVIN: Final = 273.15
_POSSIBLE: Final = (-22.0, -6.0)  # log10 of m2, from intact salt to gravel


def density_of_water(temperature: float) -> float:
    """Density [kg m-3] of water at a temperature [degrees C]: Kell (1975), J. Chem. Eng. Data 20, 97, shortened."""
    part = (temperature + 288.9414) / (508929.2 * (temperature + 68.12963))
    return 1000.0 * (1.0 - part * (temperature - 3.9863) ** 2)


def viscosity_of_water(temperature: float) -> float:
    """Dynamic viscosity [Pa s] of water at a temperature [degrees C]: Al-Shemmeri (2012), Engineering Fluid Mechanics.

    Off by 1 % at most between 0 and 60 degrees.
    """
    return float(2.414e-5 * 10.0 ** (247.8 / (temperature + _KELVIN - 140.0)))


def conductivity(log10_permeability: Array, temperature: float) -> Array:
    """Saturated conductivity [m h-1] of a permeability (log10 of m2) at the temperature [degrees C] of the water.

    Equation (64) of docs/theory.md.
    """
    factor = density_of_water(temperature) * GRAVITY / viscosity_of_water(temperature) * SECONDS_PER_HOUR
    return np.asarray(10.0**log10_permeability * factor)


def folding_depth(slope: Array, decay: DecayConfig) -> Array:
    """Depth [m] in which conductivity falls to 1/e, equation (65) of docs/theory.md.

    Fan, Miguez-Macho, Weaver, Walko and Robock (2007), J. Geophys. Res. 112, D10125.
    """
    return np.maximum(decay.a / (1.0 + decay.b * slope), decay.minimum)


def mean_of_decay(top: Array, bottom: Array, folding: Array) -> Array:
    """Mean of exp(-z / f) between two depths [m], equation (66) of docs/theory.md."""
    return np.asarray(folding / (bottom - top) * (np.exp(-top / folding) - np.exp(-bottom / folding)))


def read_rock(
    spec: PermeabilityConfig,
    grid: BasinGrid,
    mask: Mask,
    needed: Mask,
    dz: NDArray[np.float64],
    soil_bottom: Array,
    slope: Array,
) -> tuple[Hydraulics, Mask]:
    """Read what lies below the soil.

    Parameters
    ----------
    spec, grid
        What to read, and where to.
    mask, needed : ndarray of bool, shape (ny, nx)
        Active cells, and those of them that maps must cover.
    dz : ndarray, shape (nz,)
        Thickness of the layers [m], bottom first.
    soil_bottom : ndarray, shape (n,)
        Depth of the soil [m].
    slope : ndarray, shape (n,)
        Of the ground [1].

    Returns
    -------
    Hydraulics
        As if all layers were rock.
    ndarray of bool, shape (nz, n)
        Layers whose centre lies below the soil.

    Raises
    ------
    ConfigError
        A map does not cover the region, or holds no permeability.
    """
    if spec.log10_permeability is not None:
        key = "permeability.log10_permeability"
        logarithm = read_field(spec.log10_permeability, grid, needed, key, "1")[mask]
    else:
        assert spec.classes is not None
        key = "permeability.classes"
        found = read_map(spec.classes, grid, key, "1", "nearest")
        classes = complete(found, spec.classes, grid, needed, key)[mask].astype(np.int64)
        numbers, back = np.unique(classes, return_inverse=True)
        foreign = [int(n) for n in numbers if int(n) not in spec.table]
        if foreign:
            raise ConfigError(
                f"{spec.classes.file}: class {', '.join(map(str, foreign[:5]))} has no row in permeability.table",
                key=key,
            )
        logarithm = np.array([spec.table[int(n)] for n in numbers])[back]
    if logarithm.min() < _POSSIBLE[0] or logarithm.max() > _POSSIBLE[1]:
        hint = "; GLHYMPS stores 100 times the logarithm: say `scale: 0.01`" if logarithm.min() < -100.0 else ""
        raise ConfigError(
            f"log10 of permeability [m2] lies between {_POSSIBLE[0]:g} and {_POSSIBLE[1]:g}, the map has "
            f"{logarithm.min():g} to {logarithm.max():g}{hint}",
            key=key,
        )
    bottoms = np.cumsum(dz[::-1])[::-1][:, np.newaxis]
    tops = bottoms - dz[:, np.newaxis]
    rock = 0.5 * (tops + bottoms) > soil_bottom
    along = np.broadcast_to(conductivity(logarithm, spec.temperature), rock.shape)
    if spec.decay is not None:
        begin = np.maximum(tops, soil_bottom) - soil_bottom
        end = np.maximum(bottoms - soil_bottom, begin + 1e-3)  # of layers in the soil, which take nothing from here
        along = along * mean_of_decay(begin, end, folding_depth(slope, spec.decay))
    porosity = read_field(spec.porosity, grid, needed, "permeability.porosity", "1")[mask]

    def everywhere(value: float) -> Array:
        return np.broadcast_to(np.float64(value), rock.shape)

    return Hydraulics(
        porosity=np.broadcast_to(porosity, rock.shape),
        alpha=everywhere(spec.alpha),
        n=everywhere(spec.n),
        residual_saturation=everywhere(spec.residual_saturation),
        conductivity=np.array(along),
        vertical_conductivity=spec.anisotropy * along,
    ), rock
