"""BMI component of the user's own CoLM library."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bmi_colm import variables as names
from bmi_colm.config import PreparedLand, prepare
from bmi_colm.forcing import names as forcing_names
from bmi_colm.land import WATER_DENSITY, LandSurface
from bmi_colm.library import arguments, directory
from bmi_colm.library.blocks import Block, decompose
from bmi_colm.library.cells import readin_lines
from bmi_colm.library.config import SNICAR_FILE, LibraryConfig
from bmi_colm.library.directory import WorkingDirectory
from bmi_colm.library.elf import check_shared_library
from bmi_colm.library.process import LibraryProcess, LibraryProcesses
from bmi_common import BmiStateError, ConfigError, Role, Setup
from bmi_common.errors import errors_under
from bmi_common.hashing import hashes
from bmi_common.units import SECONDS_PER_HOUR

COLD_START_TEMPERATURE = 283.0  # K
STEFAN_BOLTZMANN = 5.67e-8  # W m-2 K-4
TIME_STEP = 3600.0  # s

_FORCING = {
    forcing_names.SHORTWAVE: "sw",
    forcing_names.LONGWAVE: "lw",
    forcing_names.PRECIPITATION: "prcp",
    forcing_names.AIR_TEMPERATURE: "tas",
    forcing_names.WIND_X: "u",
    forcing_names.WIND_Y: "v",
    forcing_names.AIR_PRESSURE: "patm",
    forcing_names.SPECIFIC_HUMIDITY: "qatm",
}
_FLUXES = {
    names.LATENT_HEAT: ("eflx_lh", 1.0),
    names.SENSIBLE_HEAT: ("eflx_sh", 1.0),
    names.GROUND_HEAT: ("eflx_grnd", 1.0),
    names.EVAPOTRANSPIRATION: ("qflx_tot", 1.0),
    names.INFILTRATION: ("qflx_in", 1.0 / WATER_DENSITY),
    names.SNOW_WATER: ("swe", 1.0 / WATER_DENSITY),
}
"""Array of the library and the factor to our units, by variable."""
_DIAGNOSTICS = {
    names.OUTGOING_LONGWAVE: "eflx_lwrad",
    names.TRANSPIRATION: "qflx_tveg",
    names.SOIL_EVAPORATION: "qflx_soi",
    names.GROUND_TEMPERATURE: "t_g",
}
_LAYERED = {names.NET_SOURCE: "evap_trans", names.SOIL_TEMPERATURE: "t_soi"}


class BmiColmLibrary(LandSurface):
    """Land surface computed by the user's own build of the ParFlow-coupled CoLM.

    Variables and configuration are those of `BmiColm`, with the diagnostics that the library returns; the section
    ``library:`` names the shared library. The surface temperature is the radiative one that follows from the library's
    outgoing longwave radiation; before the first step it is that of CoLM's cold start.
    """

    component_name = "CoLM library"
    variables = (
        *LandSurface.variables,
        *(v for v in names.DIAGNOSTICS if v.name in (*_DIAGNOSTICS, *_LAYERED, names.CANOPY_EVAPORATION)),
    )
    saves_state = False

    def _initialize(self, config_file: Path) -> Setup:
        prepared = prepare(config_file, LibraryConfig)
        with errors_under(file=config_file):
            self._check(prepared)
        self._open(prepared, config_file)
        self._directory: WorkingDirectory | None = None
        self._processes: LibraryProcesses | None = None
        try:
            with errors_under(file=config_file):
                self._start_processes()
        except BaseException:
            self._finalize()
            raise
        return self._setup_for(TIME_STEP)

    def _start(self) -> None:
        self._fill_initial(COLD_START_TEMPERATURE)
        mask = self._prepared.domain.mask
        for variable in (v for v in self.variables if v.role is Role.OUTPUT and v.units == "K"):
            self.values[variable.name][..., mask] = COLD_START_TEMPERATURE  # the library tells after the first step

    def _update(self) -> None:
        assert self._processes is not None
        self._read_forcing()
        self._check_inputs()
        head = self._clamped_head()
        for process in self._processes.members:
            self._fill_inputs(process, head)
        number = self._steps_done + 1
        now = self.start + timedelta(seconds=self.time)
        label = f"{self.component_name}, {now:%Y-%m-%d %H:%M}"
        self._processes.step(number, self.time / SECONDS_PER_HOUR, label)
        for process in self._processes.members:
            self._take_outputs(process)
        self.require_finite(*(v.name for v in self.variables if v.role is Role.OUTPUT))

    def _finalize(self) -> None:
        self._forcing.close()
        if self._processes is not None:
            self._processes.end()
            self._processes = None
        if self._directory is not None:
            self._directory.close()
            self._directory = None

    @property
    def provenance(self) -> Mapping[str, str]:
        """SHA-256 of each input file, library and forcing included, by path."""
        return {**super().provenance, **hashes(self._config.library.files)}

    def save_state(self, path: str | Path) -> None:
        """Refuse: what the library remembers is not accessible."""
        raise self._no_state("save_state", "restart_frequency")

    def load_state(self, path: str | Path) -> None:
        """Refuse: what the library remembers is not accessible."""
        raise self._no_state("load_state", "hot_start")

    def start_from(self, path: str | Path) -> None:
        """Refuse: what the library remembers is not accessible."""
        raise self._no_state("start_from", "hot_start")

    def _no_state(self, function: str, key: str) -> BmiStateError:
        return BmiStateError(
            f"{self.component_name}.{function}: a CoLM library keeps its state to itself and in its own restart files; "
            f"see library.{key}"
        )

    # ------------------------------------------------------------------ start

    @property
    def _config(self) -> LibraryConfig:
        config = self._prepared.config
        assert isinstance(config, LibraryConfig)
        return config

    @staticmethod
    def _check(prepared: PreparedLand) -> None:
        config = prepared.config
        assert isinstance(config, LibraryConfig)
        config.build().check(tallest_canopy=0.0)
        layers = prepared.domain.root_zone_layers
        if layers != arguments.LAYERS:
            raise ConfigError(
                f"{layers} layers, but a CoLM library has {arguments.LAYERS} layers of soil; choose "
                f"`root_zone: {{layers: {arguments.LAYERS}}}` in the domain, or use bmi_colm:BmiColm",
                key="root_zone.layers",
                file=next(iter(prepared.domain.files), None),
            )
        check_shared_library(config.library.file)
        if config.library.snicar_table is not None:
            directory.check_snicar_table(config.library.snicar_table)

    def _start_processes(self) -> None:
        section, domain = self._config.library, self._prepared.domain
        blocks = decompose(domain.mask, section.blocks)
        lines = readin_lines(self._prepared, section.readin)
        number = np.full(domain.mask.shape, -1)
        number[domain.mask] = np.arange(len(lines))
        self._directory = WorkingDirectory(section.working_directory)
        members: list[LibraryProcess] = []
        try:
            for block in blocks:
                folder = self._directory.block(block.rank, self._files(block))
                self._write_files(block, folder, [lines[n] for n in number[block.j, block.i]])
                copy = directory.private_copy(section.file, folder)
                members.append(LibraryProcess(block, self._call(block), copy, section.file))
        except BaseException:
            for member in members:
                member.end()
            raise
        self._processes = LibraryProcesses(members, section.file, section.timeout)
        for process in members:
            self._fill_geometry(process)

    def _files(self, block: Block) -> list[str]:
        section = self._config.library
        files = [
            directory.READIN_FILE,
            directory.NAMELIST_FILE,
            directory.LOG_FILE,
            SNICAR_FILE,
            section.file.name,
        ]
        return files + (directory.restart_files(block.rank) if section.hot_start is not None else [])

    def _write_files(self, block: Block, folder: Path, lines: list[str]) -> None:
        section = self._config.library
        (folder / directory.READIN_FILE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        directory.write_namelist(folder, self.start, section.restart_frequency, section.hot_start is not None)
        directory.place_snicar_table(folder, section.snicar_table)
        if section.hot_start is not None:
            directory.copy_restart(section.hot_start, folder, block.rank)

    def _call(self, block: Block) -> arguments.Call:
        config, domain = self._config, self._prepared.domain
        return arguments.Call(
            columns=block.size,
            rank=block.rank,
            dx=domain.dx,
            dy=domain.dy,
            time_step=TIME_STEP / SECONDS_PER_HOUR,
            evaporation_factor=config.evaporation_factor,
            water_stress=config.water_stress,
            wilting_point=config.wilting_point,
            field_capacity=config.field_capacity,
            residual_saturation=config.residual_saturation,
        )

    # ------------------------------------------------------------------ arrays; the library's have ghost cells

    def _fill_geometry(self, process: LibraryProcess) -> None:
        domain, block = self._prepared.domain, process.block
        root_zone = slice(-arguments.LAYERS, None)
        for name, values in (
            ("topo", np.ones(arguments.LAYERS)[:, np.newaxis]),
            ("porosity", domain.porosity[root_zone, block.j, block.i]),
            ("pf_dz_mult", domain.dz[root_zone, np.newaxis]),
        ):
            _inner(process.arrays[name])[...] = values

    def _fill_inputs(self, process: LibraryProcess, head: NDArray[np.float64]) -> None:
        arrays, j, i = process.arrays, process.block.j, process.block.i
        _inner(arrays["pressure"])[...] = head[:, j, i]
        _inner(arrays["saturation"])[...] = self.values[names.SATURATION][:, j, i]
        for name, short in _FORCING.items():
            _inner(arrays[short])[...] = self.values[name][j, i]

    def _take_outputs(self, process: LibraryProcess) -> None:
        arrays, j, i = process.arrays, process.block.j, process.block.i
        for name, short in _LAYERED.items():
            self.values[name][:, j, i] = _inner(arrays[short])
        for name, short in _DIAGNOSTICS.items():
            self.values[name][j, i] = _inner(arrays[short])[0]
        self.values[names.CANOPY_EVAPORATION][j, i] = _inner(arrays["qflx_eveg"])[0] - _inner(arrays["qflx_tveg"])[0]
        for name, (short, factor) in _FLUXES.items():
            self.values[name][j, i] = factor * _inner(arrays[short])[0]
        with np.errstate(invalid="ignore"):  # what is no number is reported with its cell
            radiative = (_inner(arrays["eflx_lwrad"])[0] / STEFAN_BOLTZMANN) ** 0.25
        self.values[names.SURFACE_TEMPERATURE][j, i] = radiative

    def _clamped_head(self) -> NDArray[np.float64]:
        mask, lowest = self._prepared.domain.mask, self._config.lowest_head
        head = self.values[names.PRESSURE_HEAD]
        self._report_clamped(int((head[:, mask] < lowest).sum()))
        clamped: NDArray[np.float64] = np.maximum(head, lowest)
        return clamped


def _inner(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cells (layers, columns) of an array of the library, without ghosts; bottom layer first."""
    inner: NDArray[np.float64] = array[1:-1, 1, 1:-1]
    return inner
