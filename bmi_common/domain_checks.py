"""What a domain is like: area, outlets, pits, slopes and conductivity, and what of it looks wrong."""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array
from bmi_common.domain import Domain
from bmi_common.errors import describe_cell
from bmi_common.flow_order import FlowNetwork, build_network
from bmi_common.units import SECONDS_PER_HOUR

DOUBT: Final = "look at this: "
"""Begins the line of what looks wrong."""

_SQUARE_METRES_PER_KM2 = 1.0e6
_OUTLETS_TOLD = 3
_LEAK: Final = 0.01
_LEAK_CELLS: Final = 50
"""A cell of the rim is a leak beside real outlets if less than this share of the domain, and of cells, drain there."""
_USUAL_CONDUCTIVITY: Final = (1.0e-11, 5.0)  # m h-1, from tight rock at depth to gravel
_LIKE_METRES_PER_SECOND: Final = 1.0e-4  # m h-1: above no real topsoil's, and below it are loams in m/s
_LIKE_CENTIMETRES_PER_DAY: Final = 1.0  # m h-1


class Finding(NamedTuple):
    """One line about a domain, and whether it looks wrong."""

    text: str
    doubtful: bool = False

    def __str__(self) -> str:
        return f"{DOUBT if self.doubtful else ''}{self.text}"


class Outlets(NamedTuple):
    """Cells of the rim where water leaves, the largest first: their flat indices, and the area [m2] drained by each."""

    cells: NDArray[np.intp]
    areas: Array


def examine(domain: Domain) -> list[Finding]:
    """Describe a domain.

    Overland flow is examined as `SurfaceCondition.OVERLAND_KINEMATIC` has it.
    """
    area = domain.mask.sum() * domain.dx * domain.dy
    found = [
        Finding(
            f"{int(domain.mask.sum())} of {domain.mask.size} columns, {_km2(area)}; "
            f"{domain.nz} layers, {domain.dz.sum():g} m in all, the top {domain.root_zone_layers} "
            f"({domain.dz[-domain.root_zone_layers :].sum():.4g} m) are the root zone"
        )
    ]
    if domain.slope_x is not None and domain.slope_y is not None:
        found += _flow(domain, domain.slope_x, domain.slope_y)
        found += _slopes(domain, domain.slope_x, domain.slope_y)
    if domain.conductivity_x is not None:
        found += _conductivity(domain, domain.conductivity_x)
    return found


def network_of(domain: Domain) -> FlowNetwork:
    """Return the network of overland flow through faces; raises `ConfigError` for a domain without slopes."""
    slope_x, slope_y = (domain.require(name, "overland flow") for name in ("slope_x", "slope_y"))
    manning = np.full(domain.mask.shape, 0.05) if domain.manning is None else domain.manning
    return build_network(domain.mask, slope_x, slope_y, manning / SECONDS_PER_HOUR, domain.dx, domain.dy)


def drained_area(network: FlowNetwork, cell_area: float) -> Array:
    """Area [m2] that drains through each column, its own included, in flow order.

    A column whose water leaves through several faces gives each the share of its conveyance. Within a cycle of the
    slope field nothing is passed on.
    """
    area: Array = np.full(network.cells.size, cell_area)
    share = np.zeros_like(network.inflow)
    for side in range(4):
        fed = np.flatnonzero(network.donor[side])
        share[side, fed] = network.inflow[side, fed] / network.outflow[network.donor[side, fed] - 1]
    first = network.group_start[network.level_start - 1] - 1
    for begin, end in pairwise(first):
        for side in range(4):
            donor = network.donor[side, begin:end]
            earlier = (donor > 0) & (donor <= begin)
            area[begin:end][earlier] += area[donor[earlier] - 1] * share[side, begin:end][earlier]
    return area


def outlets_of(network: FlowNetwork, cell_area: float) -> Outlets:
    """Find where water leaves, and how much of the domain drains there."""
    area = drained_area(network, cell_area)
    at = np.flatnonzero(network.boundary > 0.0)
    areas = area[at] * network.boundary[at] / network.outflow[at]
    order = np.argsort(-areas, kind="stable")
    return Outlets(network.cells[at][order], areas[order])


def gauges_at_outlets(domain: Domain) -> dict[str, dict[str, int]]:
    """Return the section ``gauges`` for the largest outlets, empty where nothing that drains a basin leaves."""
    cell_area = domain.dx * domain.dy
    outlets = outlets_of(network_of(domain), cell_area)
    cells = outlets.cells[_are_large(outlets, domain)][:_OUTLETS_TOLD]
    several = len(cells) > 1
    names = (f"outlet_{n}" if several else "outlet" for n in range(1, len(cells) + 1))
    return {name: {"x": int(c) % domain.nx, "y": int(c) // domain.nx} for name, c in zip(names, cells, strict=True)}


def _are_large(outlets: Outlets, domain: Domain) -> NDArray[np.bool_]:
    columns = int(domain.mask.sum())
    return np.asarray(outlets.areas >= min(_LEAK * columns, _LEAK_CELLS) * domain.dx * domain.dy)


def _flow(domain: Domain, slope_x: Array, slope_y: Array) -> list[Finding]:
    network = network_of(domain)
    whole = domain.mask.sum() * domain.dx * domain.dy
    outlets = outlets_of(network, domain.dx * domain.dy)
    large = _are_large(outlets, domain)
    told = ", ".join(
        f"{describe_cell(divmod(int(c), domain.nx))} {_km2(a)}"
        for c, a in zip(outlets.cells[large][:_OUTLETS_TOLD], outlets.areas[large][:_OUTLETS_TOLD], strict=True)
    )
    count = int(large.sum())
    found = []
    if count:
        more = f" and {count - _OUTLETS_TOLD} more" if count > _OUTLETS_TOLD else ""
        found.append(Finding(f"{count} {'outlet' if count == 1 else 'outlets'} over the ground: {told}{more}"))
    else:
        found.append(Finding("no outlet over the ground that drains a hundredth of the domain", doubtful=True))
    leaks = int((~large).sum())
    if leaks:
        lost = float(outlets.areas[~large].sum())
        first = describe_cell(divmod(int(outlets.cells[~large][0]), domain.nx))
        found.append(
            Finding(
                f"water leaves over {leaks} more cells of the rim, which drain {100.0 * lost / whole:.3g} % of the "
                f"domain, the first is {first}; western and southern rims leak where the ground rises inwards",
                doubtful=True,
            )
        )
    pits = np.flatnonzero(network.outflow <= 0.0)
    if pits.size:
        area = float(drained_area(network, domain.dx * domain.dy)[pits].sum())
        found.append(
            Finding(
                f"{pits.size} pits, whose water stays: {100.0 * area / whole:.3g} % of the domain, the first is "
                f"{describe_cell(divmod(int(network.cells[pits[0]]), domain.nx))}",
                doubtful=True,
            )
        )
    if network.cycles:
        first = describe_cell(divmod(int(network.cycles[0][0]), domain.nx))
        found.append(
            Finding(
                f"overland flow goes in circles in {len(network.cycles)} places, the first is {first}", doubtful=True
            )
        )
    return found


def _slopes(domain: Domain, slope_x: Array, slope_y: Array) -> list[Finding]:
    steep = np.hypot(slope_x, slope_y)[domain.mask]
    found = [Finding(f"slopes: median {np.median(steep):.3g}, largest {steep.max():.3g}", bool(steep.max() > 5.0))]
    if float(np.ptp(domain.elevation[domain.mask])) == 0.0:
        return found
    against = faces = 0
    for slope, axis in ((slope_x, 1), (slope_y, 0)):
        rise = np.diff(domain.elevation, axis=axis)
        inner = (
            np.take(domain.mask, range(rise.shape[axis]), axis=axis)
            & np.roll(domain.mask, -1, axis=axis)[tuple(slice(0, n) for n in rise.shape)]
        )
        own = np.take(slope, range(rise.shape[axis]), axis=axis)
        against += int((inner & (own * rise < 0.0)).sum())
        faces += int(inner.sum())
    if against:
        found.append(
            Finding(
                f"{against} of {faces} faces slope against the elevation",
                doubtful=against > 0.05 * faces,
            )
        )
    return found


def _conductivity(domain: Domain, conductivity: Array) -> list[Finding]:
    active = conductivity[:, domain.mask]
    medians = np.median(active, axis=1)
    low, high = _USUAL_CONDUCTIVITY
    text = (
        f"conductivity, m h-1, lowest to highest: top layer {active[-1].min():.3g} to {active[-1].max():.3g}, "
        f"all {active.min():.3g} to {active.max():.3g}"
    )
    found = [Finding(text)]
    odd = [k for k in range(len(active)) if active[k].min() < low or active[k].max() > high]
    if medians[-1] < _LIKE_METRES_PER_SECOND:
        found.append(
            Finding(
                f"the conductivity of the top layer ({medians[-1]:.3g} m h-1) is one of m s-1, not m h-1", doubtful=True
            )
        )
    elif np.median(medians) > _LIKE_CENTIMETRES_PER_DAY:
        found.append(
            Finding(f"the conductivity ({np.median(medians):.3g} m h-1) is one of cm d-1, not m h-1", doubtful=True)
        )
    elif odd:
        layers = ", ".join(map(str, odd))
        found.append(
            Finding(
                f"layer {layers} (from the bottom) has a conductivity outside {low:g} to {high:g} m h-1", doubtful=True
            )
        )
    return found


def _km2(area: float) -> str:
    return f"{area / _SQUARE_METRES_PER_KM2:.4g} km2"
