"""Streams within cells: they take the groundwater of the hillslopes beside them, and rain on saturated ground.

A cell of a kilometre has a water table in its middle, and none of the valleys that drain it. Here the depth of that
water table says how high groundwater stands above the streams of the cell, and how much of its ground is saturated:
the height above the nearest drainage, known from a finer elevation model, is what tells the places of a cell apart
(Rennó et al. 2008, Remote Sens. Environ. 112, 3469-3481; Beven and Kirkby 1979, Hydrol. Sci. Bull. 24, 43-69, for the
idea of a variable saturated area). Equations (10c) to (10i) of docs/theory.md.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bmi_common import van_genuchten
from bmi_common.arrays import Array
from bmi_common.domain import Domain
from bmi_common.errors import ConfigError, describe_cell
from bmi_common.flow_order import build_network
from bmi_common.state_file import StateArray
from bmi_common.subgrid.parameters import SubgridParameters
from bmi_common.subgrid.terrain import TerrainStatistics
from bmi_common.units import SECONDS_PER_HOUR

_HILLSLOPE = 12.0
"""Of the mean height of a mound of groundwater between two streams: R L^2 / (3 T), with L half of their distance."""
_HELD = 1.0e-3
"""Water in streams [m over the cell] at which they flow with their velocity."""
_MOST_OF_A_LAYER = 0.5
"""Of what a layer can drain, in a step: the soil may be asked for more than it has, where rock below gives nothing."""
_TINY = 1.0e-300
_LEAST_PART = 1.0e-9
"""Of the water of a stream that flows on in a step."""
_ROUNDS, _TOWARDS, _FULL = 2, 0.75, -0.4
"""Each round takes the rate of a stream so far towards that of its mean: the rest is a quarter of itself, or less. The
first guess has the exponent of streams through which much more flows in a step than they hold. So none of 200 000
random streams is further than 1e-3 of its water from what many rounds give."""
_WETTED = np.linspace(0.0, 5.0, 51)
"""Depths of the water table [m] up to which a storm may fill the ground above it."""
_MEMORY = {
    "stored": "m",
    "overland": "m",
    "wetness": "m",
    "baseflow": "m h-1",
    "direct_runoff": "m h-1",
    "flow": "m h-1",
    "outflow": "m h-1",
}
"""Attributes that a state holds, with their units."""


class Streams:
    """Water of the streams within each active cell, in row-major order.

    Parameters
    ----------
    domain : Domain
        Soil, slopes and mask.
    terrain : TerrainStatistics
        Of its cells.
    parameters : SubgridParameters
        Of its cells.

    Attributes
    ----------
    stored : ndarray, shape (columns,)
        Water in the streams [m over the cell].
    overland : ndarray, shape (columns,)
        Water of storms on saturated ground, on its way to the streams [m over the cell].
    wetness : ndarray, shape (columns,)
        Water that recent storms left in the ground beside the streams [m].
    baseflow, direct_runoff : ndarray, shape (columns,)
        Groundwater that the streams got in the last step, and water that reached saturated ground [m h-1].
    flow, outflow : ndarray, shape (columns,)
        What streams carried out of each cell in the last step, and what of it left the domain [m h-1].

    Raises
    ------
    ConfigError
        A cell has nowhere to drain to.
    """

    def __init__(self, domain: Domain, terrain: TerrainStatistics, parameters: SubgridParameters) -> None:
        mask = domain.mask
        self._mask = mask
        self._parameters = parameters
        self._conductivity = domain.require("conductivity_x", "streams within cells")[:, mask]
        bottom = np.cumsum(domain.dz[::-1])[::-1]
        self._top, self._bottom = (bottom - domain.dz)[:, np.newaxis], bottom[:, np.newaxis]
        self._dz = domain.dz[:, np.newaxis]
        self._drainable = domain.porosity[:, mask] * (1.0 - domain.residual_saturation[:, mask])
        self._conductance = parameters.drainage * _HILLSLOPE * terrain.drainage_density**2
        self._dry = parameters.mound * terrain.mean_height
        self._quantile, self._height, self._fall = terrain.quantile, terrain.height, parameters.fall
        self._depths = parameters.fall * _mean_depths(terrain.height)
        self._deficit = _deficits(domain, bottom)
        self._routes = Routes(domain, parameters.velocity)
        nothing = np.zeros(self._dry.size)
        self.stored, self.overland, self.wetness = nothing, nothing, nothing
        self.baseflow, self.direct_runoff, self.flow, self.outflow = nothing, nothing, nothing, nothing

    def take(self, source: Array, water_table_depth: Array, hours: float) -> None:
        """Take what streams get in a step from the sources of the ground, and let them flow.

        Parameters
        ----------
        source : ndarray, shape (layers, ny, nx)
            Net source of the step [h-1]; what the streams take is subtracted in place.
        water_table_depth : ndarray, shape (ny, nx)
            At the start of the step [m].
        hours : float
            Length of the step.
        """
        depth, mask = water_table_depth[self._mask], self._mask
        given = source[:, mask] * (self._dz * hours)
        wet = np.clip(self._bottom - np.maximum(self._top, depth), 0.0, None)
        by_layer = self._groundwater(depth, wet, hours)
        given -= by_layer
        groundwater = by_layer.sum(axis=0)

        uptake = np.maximum(-source[:, mask], 0.0) * (self._dz * hours)
        taken_up = uptake.sum(axis=0)
        kept = np.minimum(self._share(depth, self._parameters.riparian_depth) * taken_up, groundwater)
        given += uptake * (kept / np.maximum(taken_up, _TINY))

        wetness = self._wet(np.maximum(source[-1][mask], 0.0) * self._dz[-1], hours)
        direct = self._share(depth, self._filled(wetness)) * np.maximum(given[-1], 0.0)
        given[-1] -= direct
        source[:, mask] = given / (self._dz * hours)
        self.baseflow, self.direct_runoff = (groundwater - kept) / hours, direct / hours
        self._let_flow(groundwater - kept, direct, hours)

    def _let_flow(self, groundwater: Array, direct: Array, hours: float) -> None:
        """Let water that comes evenly in a step [m] flow, in parts of an hour at most."""
        parts = math.ceil(hours)
        flow, outflow = np.zeros_like(direct), np.zeros_like(direct)
        for _ in range(parts):
            arrived, self.overland = overland_flow(self.overland, direct / parts, self._parameters.delay, hours / parts)
            entering = groundwater / parts + arrived
            gone, lost, self.stored = self._routes.route(self.stored, entering, hours / parts)
            flow += gone
            outflow += lost
        self.flow, self.outflow = flow / hours, outflow / hours

    @property
    def water(self) -> Array:
        """Water in the streams and on its way to them, (columns,) [m over the cell]."""
        return self.stored + self.overland

    def flow_at(self, cells: NDArray[np.intp]) -> Array:
        """Return what streams carry out of cells, by flat index [m h-1]."""
        flow = np.zeros(self._mask.size)
        flow[self._mask.ravel()] = self.flow
        return flow[cells]

    def state_dict(self) -> dict[str, StateArray]:
        """Return what the next step starts from, and what the last one gave."""
        return {
            f"streams_{name}": StateArray(getattr(self, name), ("column",), units) for name, units in _MEMORY.items()
        }

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state_dict` gave."""
        for name in _MEMORY:
            setattr(self, name, np.array(state[f"streams_{name}"]))

    def saturated_share(self, water_table_depth: Array) -> Array:
        """Share of each cell's ground that is saturated up to the surface, (columns,): equations (10d) and (10f).

        Parameters
        ----------
        water_table_depth : ndarray, shape (columns,)
            Mean of the cell [m].
        """
        return self._share(water_table_depth, self._filled(self.wetness))

    def saturated_shares(self, water_table_depth: Array) -> Array:
        """Share of each cell's ground that is saturated up to the middle of each layer, (layers, columns).

        Parameters
        ----------
        water_table_depth : ndarray, shape (columns,)
            Mean of the cell [m].
        """
        middles = 0.5 * (self._top + self._bottom)
        return self._share(water_table_depth, np.maximum(middles, self._filled(self.wetness)))

    def water_table_depths(self, mean: Array) -> Array:
        """Water table depth of the ground within each cell, of equal shares by height, (shares, columns) [m].

        Parameters
        ----------
        mean : ndarray, shape (columns,)
            Mean of the cell [m].
        """
        middle = 0.5 * (self._height[1:] + self._height[:-1])
        return np.asarray(self._fall * np.maximum(middle - self._saturated_height(mean), 0.0))

    def _groundwater(self, depth: Array, wet: Array, hours: float) -> Array:
        """Groundwater that each layer, with a thickness `wet` [m] below the water table, gives to the streams [m].

        Equation (10c): the mound sinks as it gives, and no layer gives more than half of what it can drain.
        """
        transmissivity = (wet * self._conductivity).sum(axis=0)
        mound = np.maximum(self._dry - depth, 0.0)
        above_dry = np.clip(np.minimum(self._bottom, self._dry) - np.maximum(self._top, depth), 0.0, None)
        held = (above_dry * self._drainable).sum(axis=0)
        rate = self._conductance * transmissivity * mound
        drained = np.where(held > 0.0, -held * np.expm1(-rate * hours / np.maximum(held, _TINY)), 0.0)
        by_layer = wet * self._conductivity * (drained / np.maximum(transmissivity, _TINY))
        return np.asarray(np.minimum(by_layer, _MOST_OF_A_LAYER * wet * self._drainable))

    def _wet(self, rain: Array, hours: float) -> Array:
        """Go on with the wetness by a step of rain [m h-1], and return its mean over the step [m]: equation (10f)."""
        memory = self._parameters.memory
        steady, lost = rain * memory, -np.expm1(-hours / memory)
        mean = steady + (self.wetness - steady) * lost * memory / hours
        self.wetness = self.wetness + (steady - self.wetness) * lost
        return np.asarray(mean)

    def _filled(self, wetness: Array) -> Array:
        """Depth of the water table [m] down to which so much water [m] fills the ground above it."""
        return np.asarray(_interpolated(self._deficit, wetness, _WETTED[:, np.newaxis]))

    def _share(self, depth: Array, within: Array) -> Array:
        """Share of each cell's ground whose water table is `within` [m] of the surface, for a mean depth [m].

        `within` may have axes before that of the columns, and so has the share then.
        """
        level = self._saturated_height(depth) + within / self._fall
        share = _interpolated(self._height, level, self._quantile[:, np.newaxis])
        return np.where(level >= self._height[-1], 1.0, share)  # where heights are even, too

    def _saturated_height(self, depth: Array) -> Array:
        """Height above drainage [m] up to which ground is saturated, for a mean depth [m]; below 0 where none is."""
        deeper = np.minimum((self._depths[0] - depth) / self._fall, 0.0)  # below the lowest ground
        return np.asarray(_interpolated(-self._depths, -depth, self._height) + deeper)


def _mean_depths(height: Array) -> Array:
    """Mean height of the ground above that of each quantile [m], (quantiles, columns).

    Times how fast the water table falls with height, it is the mean depth at which the ground is saturated up to there.
    """
    middle = 0.5 * (height[1:] + height[:-1])
    return np.stack([np.maximum(middle - level, 0.0).mean(axis=0) for level in height])


def _deficits(domain: Domain, bottom: Array) -> Array:
    """Water that the ground above a water table lacks in hydrostatic balance [m], for the depths `_WETTED`.

    Parameters
    ----------
    domain : Domain
        Soil.
    bottom : ndarray, shape (layers,)
        Depth of the bottom of each layer [m], the deepest first.

    Returns
    -------
    ndarray, shape (depths, columns)
    """
    middle, step = 0.5 * (_WETTED[1:] + _WETTED[:-1]), _WETTED[1]
    layer = np.maximum(len(bottom) - 1 - np.searchsorted(bottom[::-1], middle), 0)
    soil = (domain.alpha, domain.n, domain.residual_saturation, domain.maximum_saturation, domain.porosity)
    alpha, n, residual, maximum, porosity = (values[layer][:, domain.mask] for values in soil)
    deficits = np.zeros((_WETTED.size, alpha.shape[1]))
    for k in range(1, _WETTED.size):
        above = (middle[:k] - _WETTED[k])[:, np.newaxis]
        here = van_genuchten.saturation(above, alpha[:k], n[:k], residual[:k], maximum[:k])
        deficits[k] = (porosity[:k] * (maximum[:k] - here)).sum(axis=0) * step
    return deficits


def _interpolated(known: Array, at: Array, values: Array) -> Array:
    """Interpolate `at` (..., columns) in each column, and hold the ends beyond.

    `known` (points, columns) rises; `values` are the same or (points, 1).
    """
    values = np.broadcast_to(values, known.shape)
    columns = np.arange(known.shape[1])
    upper = np.clip((known <= at[..., np.newaxis, :]).sum(axis=-2), 1, len(known) - 1)
    low, high = known[upper - 1, columns], known[upper, columns]
    part = np.clip((at - low) / np.maximum(high - low, _TINY), 0.0, 1.0)
    below, above = values[upper - 1, columns], values[upper, columns]
    return np.asarray(below + part * (above - below))


def overland_flow(held: Array, entering: Array, delay: Array, hours: float) -> tuple[Array, Array]:
    """Let water run over the ground for a step, in which some enters evenly: equation (10g).

    Parameters
    ----------
    held, entering : ndarray, shape (columns,)
        Water at the start, and what enters in the step [m].
    delay : ndarray, shape (columns,)
        How long water is on its way [h].
    hours : float
        Length of the step.

    Returns
    -------
    arrived, held : ndarray, shape (columns,)
        What reached the streams, and what stays [m].
    """
    arrived = _emptied(held, entering, np.maximum(hours / delay, _LEAST_PART))
    return arrived, np.maximum(held + entering - arrived, 0.0)


class Routes:
    """Reservoirs, one a cell, that empty into those downstream: equation (10h)."""

    def __init__(self, domain: Domain, velocity: Array) -> None:
        slope_x, slope_y, manning = (
            domain.require(name, "streams within cells") for name in ("slope_x", "slope_y", "manning")
        )
        network = build_network(domain.mask, slope_x, slope_y, manning / SECONDS_PER_HOUR, domain.dx, domain.dy)
        self._place = np.searchsorted(np.flatnonzero(domain.mask), network.cells)  # in row-major order
        lost = np.flatnonzero(network.outflow <= 0.0)
        if lost.size:
            cell = divmod(int(network.cells[lost].min()), domain.nx)
            raise ConfigError(
                f"need ground that drains everywhere; {lost.size} cells do not, the first at {describe_cell(cell)}"
            )
        self._donor = network.donor - 1  # -1, the last place of a padded array, for none
        given = np.append(network.outflow, 1.0)
        self._share = network.inflow / given[self._donor]
        self._boundary = network.boundary / network.outflow
        level = network.level_of_column
        self._levels = np.searchsorted(level, np.arange(network.levels + 1))
        self._rate = (velocity * SECONDS_PER_HOUR / (0.5 * (domain.dx + domain.dy)))[self._place]

    def route(self, stored: Array, entering: Array, hours: float) -> tuple[Array, Array, Array]:
        """Let water flow for a step of an hour at most, in which some enters evenly, from upstream down.

        Each cell is a linear reservoir. Its rate is that of the mean of what it holds meanwhile: more hurries floods
        from cell to cell, where a stream gets much more in a step than it holds.

        Parameters
        ----------
        stored, entering : ndarray, shape (columns,)
            Water at the start, and what enters in the step [m].
        hours : float
            Length of the step.

        Returns
        -------
        flow, outflow, stored : ndarray, shape (columns,)
            What flowed out of each cell, what of it left the domain, and what stays [m].
        """
        water, entering = stored[self._place], entering[self._place]
        flow, arrived = np.zeros(water.size + 1), np.zeros_like(water)
        for first, last in itertools.pairwise(self._levels):
            here = slice(first, last)
            arrived[here] = (self._share[:, here] * flow[self._donor[:, here]]).sum(axis=0)
            got = entering[here] + arrived[here]
            part = self._part(water[here] + 0.5 * got, here, hours)
            part = np.maximum(part * (1.0 + part) ** _FULL, _LEAST_PART)
            for _ in range(_ROUNDS):
                held = _emptied(water[here], got, part) / part
                part = np.maximum(part * (self._part(held, here, hours) / part) ** _TOWARDS, _LEAST_PART)
            flow[first:last] = _emptied(water[here], got, part)
        # what cycles of the flow order give to a cell before it arrives in the next step
        received = (self._share * flow[self._donor]).sum(axis=0)
        flow = flow[:-1]
        left = np.maximum(water + entering + arrived - flow, 0.0) + (received - arrived)
        results = [np.empty_like(water) for _ in range(3)]
        for result, values in zip(results, (flow, flow * self._boundary, left), strict=True):
            result[self._place] = values
        return results[0], results[1], results[2]

    def _part(self, held: Array, here: slice, hours: float) -> Array:
        """Of what streams hold, the part that would flow out in a step, were it always there; above 1 where more."""
        return np.asarray(self._rate[here] * np.cbrt(held / _HELD) ** 2 * hours)


def _emptied(water: Array, got: Array, part: Array) -> Array:
    """Return what flows out of linear reservoirs in a step in which `got` comes evenly; `part` is rate times step."""
    gone = -np.expm1(-part)
    return np.asarray(water * gone + got * np.maximum(1.0 - gone / part, 0.0))
