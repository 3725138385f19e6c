"""BMI component that drives the user's own ParFlow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bmi_common import Setup, van_genuchten, water_table
from bmi_common import groundwater as names
from bmi_common.errors import describe_cell
from bmi_common.groundwater_bmi import GroundwaterBmi
from bmi_common.groundwater_config import Mode
from bmi_common.hashing import hashes
from bmi_common.state_file import fingerprint
from bmi_common.units import SECONDS_PER_HOUR
from bmi_parflow.balance import Floats, boundary_outflow, scaled, storage_volume
from bmi_parflow.config import PreparedParflow, prepare
from bmi_parflow.installation import find_installation
from bmi_parflow.simulation import Simulation


class BmiParflow(GroundwaterBmi):
    """Variably saturated groundwater with overland flow by the user's own ParFlow, restarted through files.

    The net source that was set acts over exactly the hours of the next `update` or `update_until`. Several hours are
    one call of ParFlow, but in the free-drainage mode, whose drainage changes from hour to hour. Setting the pressure
    head replaces the state: saturation, water table, ponding and storage follow at once.
    """

    component_name = "ParFlow"
    METADATA = str(Path(__file__).with_name("pymt"))  # where pymt looks
    variables = (*names.GROUNDWATER_VARIABLES, *names.BALANCE_VARIABLES)
    spans_steps = True
    may_change = tuple(
        f"parflow.{key}"
        for key in ("timeout", "solver", "processes", "mpi_command", "parflow_dir", "working_directory", "keep")
    )
    _prepared: PreparedParflow

    def _initialize(self, config_file: Path) -> Setup:
        self._prepared = prepare(config_file)
        domain, section = self._prepared.domain, self._prepared.section
        p, q, _ = section.topology
        installation = find_installation(section.parflow_dir, section.mpi_command, p * q)
        self._simulation = Simulation(domain, section, installation)
        return Setup(
            grids=self._prepared.grids,
            time_step=SECONDS_PER_HOUR,
            mask=domain.mask,
            georeference=domain.georeference,
            initial_state=self._prepared.initial_state,
        )

    def _start(self) -> None:
        self._publish_domain()
        self.values[names.RUNOFF][self._prepared.domain.mask] = 0.0
        for variable in names.BALANCE_VARIABLES:
            self.values[variable.name][...] = 0.0
        self._publish_head(self._prepared.head)

    def _update(self) -> None:
        self._update_span(1)

    def _update_span(self, steps: int) -> None:
        if self._prepared.section.mode is Mode.FULL:
            self._call(steps)
            return
        for done in range(steps):
            self._call(1, done)

    def _call(self, hours: int, done: int = 0) -> None:
        self._adopt_written_head()
        self.require_finite(names.NET_SOURCE)
        domain, values = self._prepared.domain, self.values
        head = values[names.PRESSURE_HEAD]
        source = np.zeros(domain.subsurface.shape)
        source[-domain.root_zone_layers :] = np.where(domain.mask, values[names.NET_SOURCE], 0.0)
        depth = float(np.tensordot(domain.dz, source, axes=1).sum())
        drainage = self._drainage(head)
        source[0] -= drainage / domain.dz[0]

        hour = round(self.time / SECONDS_PER_HOUR) + done
        result = self._simulation.advance(head, source, hour, hours)

        self._publish(result.head, result.saturation)
        area = domain.dx * domain.dy
        outflow = boundary_outflow(domain, result.head)
        if result.cut_from is not None:
            gain = float(values[names.STORAGE_VOLUME]) - storage_volume(domain, *result.cut_from)
            outflow = scaled(outflow, depth - float(drainage.sum()) - gain / area)
        values[names.RUNOFF][...] = outflow / SECONDS_PER_HOUR
        values[names.SOURCE_VOLUME][...] = depth * area
        values[names.OUTFLOW_VOLUME][...] = np.nansum(outflow) * area
        values[names.DRAINAGE_VOLUME][...] = drainage.sum() * area

    def _drainage(self, head: Floats) -> Floats:
        """Flow out through the bottom [m h-1] (ny, nx) in the coming hour."""
        domain = self._prepared.domain
        if self._prepared.section.mode is Mode.FULL:
            return np.zeros(domain.surface.shape)
        conductivity = domain.require("conductivity_z", "ParFlow")[0]
        permeability = van_genuchten.relative_permeability(head[0], domain.alpha[0], domain.n[0])
        return np.where(domain.mask, conductivity * permeability, 0.0)

    def _finalize(self) -> None:
        self._simulation.close()

    def _load_state_dict(self, state: Mapping[str, Floats]) -> None:
        self._published_head = self.values[names.PRESSURE_HEAD].copy()
        self._publish_discharge()

    def _state_dict(self) -> Mapping[str, Floats]:  # type: ignore[override]  # nothing beside the values, brought up to date
        self._adopt_written_head()
        return {}

    def _fingerprints(self) -> Mapping[str, str]:
        domain = self._prepared.domain
        fields = (
            domain.alpha,
            domain.n,
            domain.residual_saturation,
            domain.maximum_saturation,
            domain.specific_storage,
        )
        return {"soil": fingerprint(*(np.where(domain.mask, f, 0.0) for f in fields))}

    @property
    def provenance(self) -> Mapping[str, str]:
        """SHA-256 of each input file and of ParFlow's executable, by path."""
        return hashes((*self._prepared.files, self._simulation.installation.folder / "bin" / "parflow"))

    def _adopt_head(self) -> None:
        head, mask = self.values[names.PRESSURE_HEAD], self._prepared.domain.mask
        bad = ~np.isfinite(head) & mask
        if bad.any():
            cell = tuple(np.argwhere(bad)[0])
            given = head[cell]
            head[...] = self._published_head
            raise ValueError(f"pressure head is {given} in {describe_cell(cell)}: it must be finite inside the mask")
        self._publish_head(head)

    def _publish_head(self, head: Floats) -> None:
        domain = self._prepared.domain
        head = np.where(domain.mask, head, np.nan)
        curve = (domain.alpha, domain.n, domain.residual_saturation, domain.maximum_saturation)
        self._publish(head, np.where(domain.mask, van_genuchten.saturation(head, *curve), np.nan))

    def _publish(self, head: Floats, saturation: Floats) -> None:
        domain, values = self._prepared.domain, self.values
        values[names.PRESSURE_HEAD][...] = head
        values[names.SATURATION][...] = saturation
        self._renew_on_demand()
        values[names.WATER_TABLE_DEPTH][...] = water_table.depth(head, domain.dz)
        values[names.PONDED_DEPTH][...] = np.maximum(head[-1], 0.0)
        values[names.STORAGE_VOLUME][...] = storage_volume(domain, head, saturation)
        values[names.PONDED_VOLUME][...] = domain.dx * domain.dy * np.nansum(values[names.PONDED_DEPTH])
        self._publish_discharge()
        self._published_head = head
