"""What the BMI classes of groundwater components have in common beside their variables."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bmi_common import grids, water_table
from bmi_common import groundwater as names
from bmi_common.arrays import Array
from bmi_common.bmi_base import DeclaredBmi
from bmi_common.domain_checks import examine
from bmi_common.groundwater_config import PreparedGroundwater
from bmi_common.irrigation import Method, fluxes
from bmi_common.state_file import StateArray
from bmi_common.units import SECONDS_PER_HOUR
from bmi_common.wells import WellWater

SERIES = (
    "surface.flux.file",
    "boundaries.*.flux.file",
    "boundaries.*.head.file",
    "sources.file",
    "wells.*.rate.file",
    "wells.*.head.file",
)
"""Keys of files that may go on further when a run goes on from a state."""

_IRRIGATION = {Method.SPRINKLER: names.CANOPY_IRRIGATION, Method.DRIP: names.GROUND_IRRIGATION}


class GroundwaterBmi(DeclaredBmi):
    """Groundwater on a domain, whose pressure head can be replaced by `set_value` or through its pointer.

    A subclass sets `_prepared` in `_initialize`, calls `_adopt_written_head` before it uses the head, implements
    `_adopt_head`, and keeps in `_published_head` the head that it gave out last, or has its own `_has_written_head`.
    """

    on_demand = frozenset(
        {
            names.VOLUME_FRACTION,
            names.BASEFLOW,
            names.DIRECT_RUNOFF,
            names.SATURATED_FRACTION,
            names.ROOT_ZONE_SATURATED_FRACTION,
        }
    )
    _prepared: PreparedGroundwater
    _published_head: Array

    @abstractmethod
    def _adopt_head(self) -> None:
        """Go on from the pressure head in `values`, and publish what follows from it.

        Raises
        ------
        ValueError
            If it is not finite in an active cell; the head given out last is back in `values` then.
        """

    def _has_written_head(self) -> bool:
        """Whether the pressure head in `values` is another than the one given out last."""
        return not np.array_equal(self.values[names.PRESSURE_HEAD], self._published_head, equal_nan=True)

    def _adopt_state(self, name: str) -> None:
        self._adopt_head()

    def _adopt_written_head(self) -> None:
        """Take over what was written through the pointer."""
        written = self._has_written_head()
        part = self._prepared.domain.part
        if written if part is None else part.world.any(written):
            self._adopt_head()

    def _net_source(self, time: float, length: float) -> Array:
        """Source of every cell [h-1] in a step of `length` [h] from `time` [h] on: the land's, and the prescribed one.

        What streams within cells take is gone from it, and flows on. Publishes the volume of the prescribed source.
        """
        domain, prescribed = self._prepared.domain, self._prepared.conditions.sources
        source = np.zeros(domain.subsurface.shape)
        source[-domain.root_zone_layers :] += self.values[names.NET_SOURCE]
        if self._prepared.streams is not None:
            self._prepared.streams.take(source, self.values[names.WATER_TABLE_DEPTH], length)
        if prescribed is not None:
            sources = prescribed.mean(time, length)
            source += sources
            depth = np.tensordot(domain.dz, sources[:, domain.mask], axes=1)
            volume = float(depth.sum()) * length * domain.dx * domain.dy
            if domain.part is not None:
                (volume,) = domain.part.world.sum(volume)
            self.values[names.PRESCRIBED_VOLUME][...] = volume
        return source

    @property
    def _streams_volume(self) -> float:
        """Water in the streams within cells, and on its way to them [m3]."""
        streams, domain = self._prepared.streams, self._prepared.domain
        return 0.0 if streams is None else float(streams.water.sum()) * domain.dx * domain.dy

    @property
    def _streams_outflow_volume(self) -> float:
        """Water that left the domain in streams within cells in the last step [m3]."""
        streams, domain = self._prepared.streams, self._prepared.domain
        hours = self._setup.time_step / SECONDS_PER_HOUR
        return 0.0 if streams is None else float(streams.outflow.sum()) * hours * domain.dx * domain.dy

    @property
    def _streams_inflow_volume(self) -> float:
        """Water that left the ground for the streams within cells in the last step [m3]."""
        streams, domain = self._prepared.streams, self._prepared.domain
        hours = self._setup.time_step / SECONDS_PER_HOUR
        if streams is None:
            return 0.0
        return float((streams.baseflow + streams.direct_runoff).sum()) * hours * domain.dx * domain.dy

    def _add_streams_outflow(self) -> None:
        """Add what left the domain in streams to the published outflow of the last step."""
        streams, mask = self._prepared.streams, self._prepared.domain.mask
        if streams is not None:
            self.values[names.RUNOFF][mask] += streams.outflow / SECONDS_PER_HOUR

    def _streams_state(self) -> dict[str, StateArray]:
        """Return what streams remember, for state files."""
        streams = self._prepared.streams
        return {} if streams is None else streams.state_dict()

    def _load_streams_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        if self._prepared.streams is not None:
            self._prepared.streams.load_state_dict(state)

    @property
    def gives_away(self) -> tuple[str, ...]:
        """Outputs that hold water which this component has given up, so that another must take it.

        Those of the wells' irrigation, and those that a state has brought along.
        """
        known = {method: name for method, name in _IRRIGATION.items() if name in self.values}
        wells = self._prepared.conditions.wells if known else ()
        methods = {well.irrigation.method for well in wells if well.irrigation is not None}
        return tuple(
            name for method, name in known.items() if method in methods or bool((self.values[name] > 0.0).any())
        )

    @property
    def description(self) -> tuple[str, ...]:
        """What a user should see of the configuration before a run: what the domain is like, and the wells."""
        if not self.values or self._prepared.domain.part is not None or not self._prepared.domain.has_properties:
            return ()
        prepared = self._prepared
        start: tuple[str, ...] = ()
        if prepared.initial_state is None:
            depth = water_table.depth(prepared.head, prepared.domain.dz)[prepared.domain.mask]
            reach = f"{depth.min():.3g} to {depth.max():.3g} m, median {np.median(depth):.3g} m"
            start = (f"water table at the start: {reach} below ground",)
        wells = (f"has {well}" for well in prepared.conditions.wells)
        return (*map(str, examine(prepared.domain)), *start, *wells)

    def _start_wells(self) -> None:
        """Publish that no well has taken anything yet."""
        for variable in names.WELL_VARIABLES:
            values = self.values[variable.name]
            values[self._prepared.domain.mask if variable.grid == grids.SURFACE else ...] = 0.0

    def _publish_wells(self, water: WellWater, length: float) -> None:
        """Publish what wells have taken in a step of `length` [h]; that for irrigation is for the coming step."""
        domain, values = self._prepared.domain, self.values
        # what was on its way before has reached the land within this step
        values[names.IRRIGATION_VOLUME][...] = values[names.IRRIGATION_STORAGE_VOLUME]
        values[names.IRRIGATION_STORAGE_VOLUME][...] = water.withdrawal
        values[names.WITHDRAWAL_VOLUME][...] = water.withdrawal
        values[names.EXTRACTION_VOLUME][...] = water.extraction
        values[names.INJECTION_VOLUME][...] = water.injection
        values[names.UNMET_EXTRACTION_VOLUME][...] = water.unmet_extraction
        irrigation = fluxes(water.supplies, domain.mask.shape, domain.dx * domain.dy, length)
        for method, name in _IRRIGATION.items():
            values[name][domain.mask] = irrigation[method][domain.mask]

    def _publish_discharge(self) -> None:
        """Publish what the ponded depth in `values` makes flow at the gauges, and what streams carry there."""
        gauges, streams = self._prepared.gauges, self._prepared.streams
        self.values[names.DISCHARGE][...] = gauges.discharge(self.values[names.PONDED_DEPTH])
        if streams is not None:
            self.values[names.DISCHARGE][...] += streams.flow_at(gauges.cells) * gauges.cell_area / SECONDS_PER_HOUR

    def _make_up_for(self, missing: Sequence[str]) -> None:
        for name in self.on_demand.intersection(missing, self.values):
            self._derive(name, self.values[name])

    def _derive(self, name: str, values: Array) -> None:
        if name == names.VOLUME_FRACTION:
            np.multiply(self.values[names.SATURATION], self.values[names.POROSITY], out=values)
            return
        streams, mask = self._prepared.streams, self._prepared.domain.mask
        if streams is None:
            values[..., mask] = 0.0
        elif name == names.ROOT_ZONE_SATURATED_FRACTION:
            values[:, mask] = streams.saturated_shares(self.values[names.WATER_TABLE_DEPTH][mask])[-len(values) :]
        elif name == names.SATURATED_FRACTION:
            values[mask] = streams.saturated_share(self.values[names.WATER_TABLE_DEPTH][mask])
        else:
            taken = streams.baseflow if name == names.BASEFLOW else streams.direct_runoff
            values[mask] = taken / SECONDS_PER_HOUR

    def _publish_domain(self) -> None:
        """Fill the statics."""
        domain = self._prepared.domain
        there = domain.cells_in_ground
        self.values[names.LAYER_THICKNESS][there] = domain.thickness[there]
        self.values[names.POROSITY][there] = domain.porosity[there]
        self.values[names.ELEVATION][domain.mask] = domain.elevation[domain.mask]
