"""BMI component of the embedded Richards solver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bmi_common import ConfigError, Setup, grids, water_table
from bmi_common import groundwater as names
from bmi_common.bmi_base import FOREVER
from bmi_common.groundwater_bmi import SERIES, GroundwaterBmi
from bmi_common.hashing import hashes
from bmi_common.places import points_at
from bmi_common.state_file import StateArray
from bmi_common.units import SECONDS_PER_HOUR
from bmi_richards.config import PreparedRichards, prepare
from bmi_richards.solver import HourBalance, RichardsSolver
from bmi_richards.statistics import SOLVER_VARIABLES, solver_values

_RATES_OF_WELLS = {"well_rates": names.WELL_RATE, "unmet_well_rates": names.UNMET_WELL_RATE}
"""Outputs at points, by their name in the memory of a state."""


class BmiRichards(GroundwaterBmi):
    """Variably saturated groundwater with overland flow: ParFlow's discretisation, solved column by column.

    The net source that was set acts over exactly the next update. Setting the pressure head replaces
    the state: saturation, water table, ponding and storage follow at once.
    """

    component_name = "Richards"
    runs_in_parts = True
    METADATA = str(Path(__file__).with_name("pymt"))  # where pymt looks
    variables = (
        *names.GROUNDWATER_VARIABLES,
        *names.BALANCE_VARIABLES,
        *names.CONDITION_VARIABLES,
        *names.WELL_VARIABLES,
        *names.WELL_RATE_VARIABLES,
        *SOLVER_VARIABLES,
    )
    without_consequence = frozenset(v.name for v in SOLVER_VARIABLES)
    may_change = (
        "richards.passes",
        "richards.time_step",
        "richards.threads",
        "richards.drainage.file",
        *SERIES,
    )
    _prepared: PreparedRichards

    def _initialize(self, config_file: Path) -> Setup:
        self._prepared = prepare(config_file)
        domain = self._prepared.domain
        try:
            self._solver = RichardsSolver(
                domain, self._prepared.head, self._prepared.options, self._prepared.conditions, self._prepared.part
            )
        except ValueError as error:
            raise ConfigError(str(error), file=config_file) from error
        self._balance: HourBalance | None = None
        self._ground = None if domain.top_layer is None else domain.height_of_ground
        drainage, time_step = self._prepared.drainage, self._prepared.time_step
        ends = {"": inf, **self._prepared.conditions.ends}
        if drainage is not None:
            ends["richards.drainage"] = len(drainage) * time_step
        first = min(ends, key=lambda key: ends[key])
        return Setup(
            grids={**self._prepared.grids, grids.WELLS: _places(self._prepared)},
            time_step=time_step * SECONDS_PER_HOUR,
            end_time=min(ends[first] * SECONDS_PER_HOUR, FOREVER),
            ends_with=first,
            mask=domain.mask,
            layer_mask=None if domain.top_layer is None else domain.cells_in_ground,
            georeference=domain.georeference,
            initial_state=self._prepared.initial_state,
            part=domain.part,
        )

    def _start(self) -> None:
        self._publish_domain()
        self.values[names.RUNOFF][self._prepared.domain.mask] = 0.0
        for variable in (*names.BALANCE_VARIABLES, *names.CONDITION_VARIABLES, *SOLVER_VARIABLES):
            self.values[variable.name][...] = 0.0
        self._start_wells()
        for variable in names.WELL_RATE_VARIABLES:
            self.values[variable.name][...] = 0.0
        self._publish_state()

    def _let_go_of_domain(self) -> None:
        """Drop the fields that have become columns of the solver; until the first step they describe the run."""
        prepared = self._prepared
        nothing = np.broadcast_to(np.nan, prepared.head.shape)
        self._prepared = replace(prepared, domain=prepared.domain.without_properties(), head=nothing)

    def _update(self) -> None:
        if self._balance is None:
            self._let_go_of_domain()
        self._adopt_written_head()
        self.require_finite(names.NET_SOURCE)
        time, dt = self.time / SECONDS_PER_HOUR, self._prepared.time_step
        drainage = self._prepared.drainage
        step = round(self.time / self._setup.time_step)
        more = self._prepared.conditions.sources is not None or self._prepared.streams is not None
        source = self._net_source(time, dt) if more else self.values[names.NET_SOURCE]
        outflow = None if drainage is None else drainage[step]
        self._balance = self._solver.step(source, dt, outflow, time, source_layers=len(source))
        water = self._solver.well_water
        self._publish_wells(water, dt)
        self.values[names.WELL_RATE][...] = water.taken / (dt * SECONDS_PER_HOUR)
        self.values[names.UNMET_WELL_RATE][...] = water.unmet / (dt * SECONDS_PER_HOUR)
        self._publish_state(self._balance)
        self._publish_balance(self._balance)

    def _state_dict(self) -> Mapping[str, StateArray]:
        self._adopt_written_head()
        rates = {
            memory: StateArray(self.values[name], ("well",), "m3 s-1", growing="well")
            for memory, name in _RATES_OF_WELLS.items()
        }
        return {**self._solver.state_dict(), **rates, **self._streams_state()}

    def _load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._solver.load_state_dict(state)
        self._load_streams_state(state)
        for memory, name in _RATES_OF_WELLS.items():
            if state[memory].shape == self.values[name].shape:  # otherwise those of other wells
                self.values[name][...] = state[memory]
        self._publish_state()
        self._balance = None

    def _fingerprints(self) -> Mapping[str, str]:
        return {"soil": self._solver.fingerprint}

    @property
    def balance(self) -> HourBalance | None:
        """Water balance of the last step, None before the first of this instance or after a state was loaded."""
        return self._balance

    @property
    def provenance(self) -> Mapping[str, str]:
        """SHA-256 of each input file, by path."""
        return hashes(self._prepared.files)

    def _has_written_head(self) -> bool:
        return not self._solver.has_head(self.values[names.PRESSURE_HEAD])

    def _adopt_head(self) -> None:
        try:
            self._solver.set_head(self.values[names.PRESSURE_HEAD])
        finally:
            self._publish_state()

    def _publish_state(self, balance: HourBalance | None = None) -> None:
        """Fill what follows from the head; the balance of the step that led to it has the storage already."""
        solver, values = self._solver, self.values
        head = values[names.PRESSURE_HEAD]
        solver.fill_maps(head, values[names.SATURATION])
        values[names.WATER_TABLE_DEPTH][...] = water_table.depth(head, self._prepared.domain.dz, self._ground)
        values[names.PONDED_DEPTH][...] = solver.ponding
        in_ground = balance.storage if balance else solver.storage
        values[names.STORAGE_VOLUME][...] = in_ground + values[names.IRRIGATION_STORAGE_VOLUME] + self._streams_volume
        values[names.PONDED_VOLUME][...] = balance.ponding if balance else solver.ponded_volume
        self._publish_discharge()
        self._renew_on_demand()

    def _publish_balance(self, balance: HourBalance) -> None:
        values = self.values
        values[names.RUNOFF][...] = self._solver.outflow / SECONDS_PER_HOUR
        self._add_streams_outflow()
        values[names.SOURCE_VOLUME][...] = balance.source + self._streams_inflow_volume
        values[names.OUTFLOW_VOLUME][...] = balance.outflow + self._streams_outflow_volume
        values[names.DRAINAGE_VOLUME][...] = balance.drainage
        values[names.UNMET_VOLUME][...] = balance.unmet_demand
        values[names.SEEPAGE_VOLUME][...] = balance.seepage
        values[names.SURFACE_FLUX_VOLUME][...] = balance.surface_flux
        values[names.BOUNDARY_INFLOW_VOLUME][...] = balance.boundary_inflow
        values[names.UNMET_OUTFLOW_VOLUME][...] = balance.unmet_outflow
        for name, count in solver_values(balance).items():
            values[name][...] = count


def _places(prepared: PreparedRichards) -> grids.Grid:
    """Points at the wells."""
    wells = prepared.conditions.wells
    return points_at(prepared.domain, [well.name for well in wells], [well.cell for well in wells])
