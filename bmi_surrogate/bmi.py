"""BMI component of the learned ParFlow."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bmi_common import Setup
from bmi_common import groundwater as names
from bmi_common.arrays import Array
from bmi_common.bmi_base import FOREVER
from bmi_common.errors import describe_cell
from bmi_common.groundwater_bmi import SERIES, GroundwaterBmi
from bmi_common.hashing import hashes
from bmi_common.state_file import StateArray
from bmi_common.units import SECONDS_PER_HOUR
from bmi_common.wells import WellWater
from bmi_surrogate.config import PreparedSurrogate, prepare
from bmi_surrogate.diagnosis import Diagnosis


class BmiSurrogate(GroundwaterBmi):
    """Groundwater by a surrogate of ParFlow, structured or PredRNN.

    The net source that was set acts during the hour of the next update. The surrogate gives pressure head; all other
    outputs follow from it: saturation by van Genuchten, ponding as positive head of the top layer, overland outflow
    over the boundary by the kinematic wave from the ponding at the end of the hour. The structured surrogate closes
    the water balance of every column with that outflow; a PredRNN does not conserve water, and what it does with
    ponded water is its own. The coupler's water balance measures either.

    Setting the pressure head before the first update starts the surrogate from it, as if it were the initial head of
    the configuration. Later it replaces the head in the cells whose value differs from the one given out, in every
    tile that has them; a PredRNN's hidden state and memory stay, unless every column has changed, which starts the
    surrogate anew. The diagnosed outputs follow at once.
    """

    component_name = "Surrogate"
    runs_in_parts = True
    METADATA = str(Path(__file__).with_name("pymt"))  # where pymt looks
    variables = (*names.GROUNDWATER_VARIABLES, *names.SUPPLY_VARIABLES, *names.WELL_VARIABLES)
    may_change = (
        "surrogate.device",
        "surrogate.threads",
        "surrogate.engine",
        "surrogate.compile",
        *SERIES,
    )
    _prepared: PreparedSurrogate

    def _initialize(self, config_file: Path) -> Setup:
        self._prepared = prepare(config_file)
        domain = self._prepared.domain
        self._diagnosis = Diagnosis(domain)
        ends = {"": inf, **self._prepared.conditions.ends}
        first = min(ends, key=lambda key: ends[key])
        self._hashes = hashes(self._prepared.files)
        return Setup(
            grids=self._prepared.grids,
            time_step=SECONDS_PER_HOUR,
            end_time=min(ends[first] * SECONDS_PER_HOUR, FOREVER),
            ends_with=first,
            mask=domain.mask,
            georeference=domain.georeference,
            initial_state=self._prepared.initial_state,
            part=domain.part,
        )

    def _start(self) -> None:
        self._publish_domain()
        for variable in names.SUPPLY_VARIABLES:
            self.values[variable.name][...] = 0.0
        self._start_wells()
        self._prepared.emulator.start(self._prepared.head)
        self._publish(self._prepared.head)

    def _update(self) -> None:
        self._adopt_written_head()
        self.require_finite(names.NET_SOURCE)
        head = self._prepared.emulator.step(self._supply())
        self.values[names.PRESSURE_HEAD][...] = head
        self.require_finite(names.PRESSURE_HEAD)
        self._publish(head)

    def _supply(self) -> Array:
        """Net source [h-1] of the hour: the land's in the root zone, or all that is given, in every layer."""
        domain, conditions = self._prepared.domain, self._prepared.conditions
        hour = self.time / SECONDS_PER_HOUR
        if not conditions.wells:
            self._publish_wells(WellWater((), np.zeros(0), np.zeros(0)), 1.0)
        alone = self._prepared.streams is None and conditions.sources is None and conditions.surface_flux is None
        if alone and not conditions.wells:
            return self.values[names.NET_SOURCE]
        source = self._net_source(hour, 1.0)
        if conditions.surface_flux is not None:
            flux = np.broadcast_to(conditions.surface_flux.mean(hour, 1.0), domain.surface.shape)
            source[-1] += flux / domain.dz[-1]
            volume = float(flux[domain.mask].sum()) * domain.dx * domain.dy
            self.values[names.SURFACE_FLUX_VOLUME][...] = (
                volume if domain.part is None else domain.part.world.sum(volume)[0]
            )
        if conditions.wells:
            self._pump(hour, source)
        return source

    def _pump(self, hour: float, source: Array) -> None:
        """Take from the sources [h-1] what wells take in the hour, as far as their layers can give it."""
        domain, wells = self._prepared.domain, self._prepared.conditions.wells
        depth = self._diagnosis.water_above_floor(self._published_head)
        depth += source * domain.dz[:, np.newaxis, np.newaxis]
        water, taken = WellWater.within(wells, hour, 1.0, np.maximum(depth, 0.0) * domain.dx * domain.dy)
        self._publish_wells(water if domain.part is None else water.of_all(domain.part.world), 1.0)
        for well, volumes in zip(wells, taken, strict=True):
            if well.cell is not None:
                source[:, *well.cell] -= volumes / (domain.dz * domain.dx * domain.dy)

    def _state_dict(self) -> Mapping[str, StateArray]:
        self._adopt_written_head()
        return {**self._prepared.emulator.state_dict(), **self._streams_state()}

    def _load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._prepared.emulator.load_state_dict(state)
        self._load_streams_state(state)
        self._published_head = self.values[names.PRESSURE_HEAD].copy()
        self._publish_discharge()

    def _fingerprints(self) -> Mapping[str, str]:
        return {"network": self._prepared.emulator.fingerprint}

    @property
    def provenance(self) -> Mapping[str, str]:
        """SHA-256 of each input file, weights included, by path."""
        return self._hashes

    def _adopt_head(self) -> None:
        head, mask = self.values[names.PRESSURE_HEAD], self._prepared.domain.mask
        bad = ~np.isfinite(head) & mask
        if bad.any():
            cell = tuple(int(i) for i in np.argwhere(bad)[0])
            given = head[cell]
            head[...] = self._published_head
            raise ValueError(
                f"{names.PRESSURE_HEAD} must be finite in active cells, got {given} at {describe_cell(cell)}"
            )
        changed = (head != self._published_head) & mask
        stays = not changed.any(axis=0)[mask].all()
        part = self._prepared.domain.part
        if self.time == 0.0 or not (stays if part is None else part.world.any(stays)):
            self._prepared.emulator.start(head)
        else:
            self._prepared.emulator.set_head(head, changed)
        self._publish(head)

    def _publish(self, head: Array) -> None:
        values = self.values
        self._published_head = np.where(self._prepared.domain.mask, head, np.nan)
        diagnosed = self._diagnosis.of(self._published_head)
        values[names.PRESSURE_HEAD][...] = self._published_head
        values[names.SATURATION][...] = diagnosed.saturation
        values[names.WATER_TABLE_DEPTH][...] = diagnosed.water_table_depth
        values[names.PONDED_DEPTH][...] = diagnosed.ponded
        values[names.RUNOFF][...] = diagnosed.outflow
        self._add_streams_outflow()
        values[names.STORAGE_VOLUME][...] = (
            diagnosed.storage + values[names.IRRIGATION_STORAGE_VOLUME] + self._streams_volume
        )
        values[names.PONDED_VOLUME][...] = diagnosed.ponded_volume
        self._publish_discharge()
        self._renew_on_demand()
