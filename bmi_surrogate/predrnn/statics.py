"""Static channels of the network, as raw values in the order that the published network was trained on."""

from __future__ import annotations

import numpy as np

from bmi_common import Domain
from bmi_common.arrays import Array
from bmi_common.units import SECONDS_PER_HOUR

LAYERED = ("permeability", "porosity", "van Genuchten alpha", "van Genuchten n")
FLAT = ("slope", "Manning")

NEEDED_BY = "the surrogate's static channels (or give them in `surrogate.statics`)"


def channel_count(layers: int) -> int:
    """Count the static channels of a domain of so many layers."""
    return len(LAYERED) * layers + len(FLAT)


def channel_name(channel: int, channels: int) -> str:
    """Name one of so many channels for messages."""
    layers = (channels - len(FLAT)) // len(LAYERED)
    if channel_count(layers) != channels:
        return "of unknown meaning"
    block, layer = divmod(channel, layers)
    if block < len(LAYERED):
        return f"{LAYERED[block]}, layer {layer}"
    flat = channel - len(LAYERED) * layers
    return FLAT[flat]


def from_domain(domain: Domain) -> Array:
    """Return the static channels of a domain, shape (4 nz + 2, ny, nx), bottom layer first.

    Permeability as horizontal conductivity [m h-1], porosity [-], van Genuchten alpha [m-1] and n [-], layer by layer;
    then the slope's magnitude [-] and Manning's roughness [h m-1/3].

    Raises
    ------
    ConfigError
        If the domain lacks conductivity, slope or roughness.
    """
    slope = np.hypot(domain.require("slope_x", NEEDED_BY), domain.require("slope_y", NEEDED_BY))
    manning = domain.require("manning", NEEDED_BY) / SECONDS_PER_HOUR
    permeability = domain.require("conductivity_x", NEEDED_BY)
    return np.concatenate([permeability, domain.porosity, domain.alpha, domain.n, slope[None], manning[None]])
