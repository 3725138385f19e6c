"""Experiments with a run: the same components under other weather, in memory, step by step."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.console import Console

from bmi_colm import BmiColm
from bmi_colm.forcing.names import FORCING_NAMES
from bmi_common.domain_checks import DOUBT
from bmi_common.durations import describe
from bmi_common.errors import ConfigError
from bmi_common.groundwater import PRESSURE_HEAD
from bmi_common.interrupts import require_not_interrupted
from bmi_common.units import WATER_DENSITY
from coupler import provenance
from coupler.component import Component
from coupler.config import LoadedRun, load_run
from coupler.errors import RunFailed
from coupler.preparation import PreparedRun, prepare
from coupler.progress import RunProgress
from coupler.stepper import Stepper
from coupler.water_balance import Balance, WaterBalance
from rootzone.laws.weather import Floats, Weather

_CARBON_DIOXIDE = 410.0
"""Of the years from 2000 on; a constant, so that nothing but the weather tells one year from another."""

EVAPOTRANSPIRATION = "land_surface_water_evapotranspiration__mass_flux"
SNOW = "snowpack__liquid-equivalent_depth"
CANOPY_WATER = "land_vegetation_canopy_water__mass-per-area_density"
NOT_INTO_SOIL = "land_surface_water_runoff~not-into-soil__mass_flux"


class NotApplicableError(Exception):
    """A component lacks what an experiment needs; says what."""


class ExperimentFailedError(Exception):
    """An experiment came to no end; says why."""


@dataclass(frozen=True)
class Lengths:
    """How long experiments last.

    Attributes
    ----------
    record : timedelta
        Length of the weather that is taken from the run, from its start on: the year of the experiments.
    repeats : int
        Repetitions of it that must neither lose water nor drift.
    """

    record: timedelta = timedelta(days=365)
    repeats: int = 50


@dataclass
class Series:
    """What an experiment has done, step by step; [m3] of all active cells.

    Attributes
    ----------
    balances : list of Balance
    storage : list of float
        Water of the groundwater at the end of the steps.
    land : dict of list
        Of precipitation, evapotranspiration, and water that leaves the land but not into the soil: in the step; of snow
        and canopy: at its end; as far as the land publishes them.
    prints : list of bytes
        Digests of the pressure heads at the end of the steps.
    watched : list
        What the experiment's `watch` returned after each step.
    """

    balances: list[Balance] = field(default_factory=list)
    storage: list[float] = field(default_factory=list)
    land: dict[str, list[float]] = field(default_factory=dict)
    prints: list[bytes] = field(default_factory=list)
    watched: list[Any] = field(default_factory=list)

    def terms(self, name: str) -> Floats:
        """Return a term of the balances, (steps,) [m3]."""
        return np.array([getattr(b, name) for b in self.balances])

    def of_land(self, name: str) -> Floats:
        """Return a series of the land, (steps,) [m3].

        Raises
        ------
        NotApplicableError
            If the land does not publish it.
        """
        if name not in self.land:
            raise NotApplicableError(f"the land does not publish {name}")
        return np.array(self.land[name])

    @property
    def totals(self) -> Balance:
        """Sum of the balances."""
        columns = np.array([astuple(b) for b in self.balances])
        return Balance(*columns.sum(axis=0))

    @property
    def unexplained(self) -> float:
        """Water that nothing explains, sizes of all steps together, over the water turned over [-]."""
        turnover = float(self.terms("turnover").sum())
        beyond = np.maximum(np.abs(self.terms("residual")) - self.terms("rounding"), 0.0)
        return float(beyond.sum()) / turnover if turnover > 0.0 else 0.0


class Laboratory:
    """Runs the components of a file under weather of one's own.

    Parameters
    ----------
    file : Path
        ``coupled.yaml``.
    settings : sequence of str
        ``key=value`` in the place of values of the file.
    lengths : Lengths
    console : Console
        For progress.

    Attributes
    ----------
    doubts : tuple of str
        What looks wrong about the domain, which decades of experiments should not begin with unseen.
    identity : mapping of str to str
        What the findings depend on: digests of the configuration and of the contents of all files that the run reads,
        the version of this package, and the lengths.

    Raises
    ------
    ConfigError
        If the file is no run of a land and a groundwater component with a water balance, if it or a file that it names
        is refused, or if the run is shorter than the record.
    """

    def __init__(self, file: Path, settings: Sequence[str], lengths: Lengths, console: Console) -> None:
        self._file, self._settings, self.lengths, self._console = file, tuple(settings), lengths, console
        loaded = load_run(file, self._settings)
        self._start, self._step = loaded.config.time.start, loaded.config.time.step
        if lengths.record % self._step or lengths.record < 10 * self._step:
            raise ConfigError(
                f"--record {describe(lengths.record)}: is not made of ten or more steps of {describe(self._step)}, as "
                f"{file} has them; write for example {describe(10 * self._step)}"
            )
        self.steps = lengths.record // self._step
        self.land, self.groundwater = self._find_components(loaded)
        self._made: dict[str, Series] = {}
        with self._prepared((), self._start, self._end_of_record) as prepared:
            self.identity = self._identify(prepared)
            told = [line for component in prepared.components.values() for line in component.description]
            self.doubts = tuple(line for line in told if line.startswith(DOUBT))
            active = prepared.components[self.groundwater].mask
            shape = prepared.components[self.groundwater].shape(PRESSURE_HEAD)[1:]
            self._active = np.ones(shape, dtype=bool) if active is None else active

    @cached_property
    def record(self) -> Weather:
        """The weather of the run; the first to ask for it makes the run as it is.

        Raises
        ------
        RunFailed
            If the run fails under its own weather.
        """
        try:
            return self._take_record()
        except ExperimentFailedError as error:
            raise RunFailed(str(error)) from error

    @property
    def step_seconds(self) -> float:
        """Length of a coupling step [s]."""
        return self._step.total_seconds()

    def steps_of(self, length: timedelta) -> int:
        """Return the number of steps in a length of time, at least one."""
        return max(1, length // self._step)

    def run(
        self,
        label: str,
        weather: Weather,
        settings: Sequence[str] = (),
        start: datetime | None = None,
        watch: Callable[[Component, Component], Any] | None = None,
    ) -> Series:
        """Run an experiment from the run's initial state.

        Parameters
        ----------
        label : str
            For progress.
        weather : Weather
            Of as many steps as are made.
        settings : sequence of str
            Beside those of the laboratory.
        start : datetime, optional
            The run's start by default.
        watch : callable, optional
            Called with land and groundwater after each step; what it returns is kept.

        Raises
        ------
        NotApplicableError
            If the land cannot be given weather.
        ExperimentFailedError
            If a component fails.
        ConfigError
            If a setting is refused.
        """
        if not self._own_land:
            raise NotApplicableError("its weather is that of a file; only BmiColm is given other weather")
        first = start or self._start
        end = first + weather.steps * self._step
        external = f'{self.land}.options.forcing={{"type": "external"}}'
        return self._carry_out(label, weather, (external, *settings), first, end, watch)

    def remembered(
        self, label: str, weather: Weather, watch: Callable[[Component, Component], Any] | None = None
    ) -> Series:
        """Run an experiment without anything but its weather, or return what it did when several laws ask for it.

        One that is to be watched, and was not, is run again.
        """
        if label not in self._made or (watch is not None and not self._made[label].watched):
            self._made[label] = self.run(label, weather, watch=watch)
        return self._made[label]

    @property
    def start(self) -> datetime:
        """Start of the run."""
        return self._start

    def a_cell(self) -> tuple[int, int]:
        """Return (j, i) of the active cell nearest to the middle of the active cells."""
        j, i = np.nonzero(self._active)
        nearest = int(np.argmin((j - j.mean()) ** 2 + (i - i.mean()) ** 2))
        return int(j[nearest]), int(i[nearest])

    # ------------------------------------------------------------------- parts

    def _find_components(self, loaded: LoadedRun) -> tuple[str, str]:
        found: dict[str, str] = {}
        for name, spec in loaded.config.components.items():
            component = Component.of(name, spec)
            if not component.tells_names():
                continue
            if set(FORCING_NAMES) <= set(component.inputs):
                found["land"] = name
                self._own_land = isinstance(component.bmi, BmiColm)
            elif WaterBalance.is_kept_by(component):
                found["groundwater"] = name
        for part, what in (
            ("land", "is a land with the eight variables of the weather, such as bmi_colm:BmiColm"),
            ("groundwater", "has a water balance, such as bmi_richards:BmiRichards"),
        ):
            if part not in found:
                names = ", ".join(loaded.config.components)
                raise ConfigError(f"none of {names} {what}", file=self._file, key="components")
        return found["land"], found["groundwater"]

    def _take_record(self) -> Weather:
        """Make the run as it is, and keep the weather that the land has read."""
        read: dict[str, list[Floats]] = {name: [] for name in FORCING_NAMES}

        def keep(land: Component, _: Component) -> None:
            cells = land.mask
            for name, kept in read.items():
                values = land.get(name)
                of_cells = values[cells] if cells is not None else values.reshape(-1)
                same = bool(np.all(of_cells == of_cells[0]))
                kept.append(of_cells[:1].copy() if same else values.reshape(-1).copy())

        self._carry_out("as it is", None, (), self._start, self._end_of_record, keep, self.steps)
        widest = {name: max(v.size for v in kept) for name, kept in read.items()}
        return Weather({n: np.stack([np.broadcast_to(v, (widest[n],)) for v in kept]) for n, kept in read.items()})

    def _carry_out(
        self,
        label: str,
        weather: Weather | None,
        settings: Sequence[str],
        start: datetime,
        end: datetime,
        watch: Callable[[Component, Component], Any] | None,
        steps: int = 0,
    ) -> Series:
        with self._prepared(settings, start, end) as prepared:
            return self._step_all(label, prepared, weather, watch, weather.steps if weather else steps)

    @property
    def _end_of_record(self) -> datetime:
        return self._start + self.steps * self._step

    @contextmanager
    def _prepared(self, settings: Sequence[str], start: datetime, end: datetime) -> Iterator[PreparedRun]:
        """Prepare the run over a period, without files and checks of its own."""
        common = [
            f"time.start={start.isoformat()}",
            f"time.end={end.isoformat()}",
            *(f"{key}=null" for key in ("spin_up", "checkpoint", "error_control", "report", "checks.water_balance")),
            "output=[]",
            "figures=false",
            *((f"{self.land}.options.carbon_dioxide={_CARBON_DIOXIDE}",) if self._own_land else ()),
        ]
        loaded = load_run(self._file, [*self._settings, *common, *settings])
        with tempfile.TemporaryDirectory() as staging:
            prepared = prepare(loaded, Path(staging))
            try:
                require_not_interrupted()
                yield prepared
            finally:
                prepared.finalize()

    def _identify(self, prepared: PreparedRun) -> Mapping[str, str]:
        made_of = provenance.collect(prepared.loaded, prepared.components, prepared.configs, self._file.parent)
        made_of["configuration"].pop("relative_to")  # a case may be moved
        made_of["configuration"]["time"].pop("end")  # that of the record
        return {
            "configuration": _digest(made_of["configuration"]),
            "input files": _digest(sorted(made_of["inputs"].values())),
            "version": provenance.version(),
            "record": describe(self.lengths.record),
            "repeats": str(self.lengths.repeats),
        }

    def _step_all(
        self,
        label: str,
        prepared: PreparedRun,
        weather: Weather | None,
        watch: Callable[[Component, Component], Any] | None,
        steps: int,
    ) -> Series:
        stepper, series = Stepper(prepared), Series()
        land, groundwater = (prepared.components[name] for name in (self.land, self.groundwater))
        if weather is not None and abs(land.time_step - self.step_seconds) > 1e-6:
            raise NotApplicableError("the land makes several steps in one of the coupling, and takes weather for one")
        water, balance = _LandWater(land, self.step_seconds), stepper.water_balance
        assert balance is not None  # the groundwater was found by it
        cells = math.prod(land.shape(EVAPOTRANSPIRATION))
        with RunProgress(label, steps, self._step, self._console) as advance:
            for i in range(steps):
                if weather is not None:
                    for name, values in weather.of_step(i, cells).items():
                        land.set(name, values)
                try:
                    booked = stepper.step()
                except RunFailed as error:
                    raise ExperimentFailedError(str(error)) from error
                assert booked is not None
                series.balances.append(booked)
                series.storage.append(balance.storage)
                for name, volume in water.volumes().items():
                    series.land.setdefault(name, []).append(volume)
                series.prints.append(hashlib.blake2b(groundwater.get(PRESSURE_HEAD).tobytes(), digest_size=16).digest())
                if watch is not None:
                    series.watched.append(watch(land, groundwater))
                advance()
                require_not_interrupted()
        return series


class _LandWater:
    """Volumes of what the land publishes of its water."""

    _FLUXES = ("atmosphere_water_precipitation__mass_flux", EVAPOTRANSPIRATION, NOT_INTO_SOIL)

    def __init__(self, land: Component, seconds: float) -> None:
        self._land, self._seconds = land, seconds
        spacing = np.empty(2)
        land.bmi.get_grid_spacing(land.grid(EVAPOTRANSPIRATION).identifier, spacing)
        self._area = float(spacing[0] * spacing[1])
        there = {*land.inputs, *land.outputs}
        self._fluxes = [name for name in self._FLUXES if name in there]
        self._stores = [name for name in (SNOW, CANOPY_WATER) if name in there]

    def volumes(self) -> dict[str, float]:
        """Return [m3] by name."""
        per_flux = self._area * self._seconds / WATER_DENSITY
        found = {name: self._sum("kg m-2 s-1", name) * per_flux for name in self._fluxes}
        for name in self._stores:
            metres = self._sum("m", name) if name == SNOW else self._sum("kg m-2", name) / WATER_DENSITY
            found[name] = metres * self._area
        return found

    def _sum(self, units: str, name: str) -> float:
        values, cells = self._land.get_in(units, name), self._land.mask
        return float(values.sum() if cells is None else values[cells].sum())


def as_setting(key: str, value: Any) -> str:
    """Write ``key=value`` as ``--set`` takes it."""
    return f"{key}={yaml.safe_dump(value, default_flow_style=True, width=2**30).strip()}"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
