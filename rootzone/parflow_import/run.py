"""From a definition to the files of a run."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from bmi_common import Domain, DomainConfig, load_config
from bmi_common import groundwater as names
from bmi_common.domain_checks import gauges_at_outlets
from bmi_common.durations import parse_duration
from bmi_common.errors import ConfigError, together
from bmi_common.owned_folder import new_folder
from bmi_common.progress import Progress
from coupler.config import load_run
from coupler.preparation import prepare
from rootzone.case_files import coupled
from rootzone.parflow_import import report
from rootzone.parflow_import.boundaries import read_boundaries
from rootzone.parflow_import.cycles import note_cycles
from rootzone.parflow_import.definition import Definition, read_definition
from rootzone.parflow_import.forcing import read_forcing
from rootzone.parflow_import.geometry import Geometries
from rootzone.parflow_import.grid import ParflowGrid, read_grid
from rootzone.parflow_import.initial import read_initial
from rootzone.parflow_import.keys import check_rest, check_solver
from rootzone.parflow_import.land import (
    ClmFiles,
    has_land,
    place,
    read_clm_files,
    read_land,
    read_root_zone,
    records_reused,
)
from rootzone.parflow_import.layers import read_layers
from rootzone.parflow_import.leaf_area import read_leaf_area
from rootzone.parflow_import.notices import Notes
from rootzone.parflow_import.prescribed import read_prescribed
from rootzone.parflow_import.soil import ImportedSoil, read_soil
from rootzone.parflow_import.sources import Computed
from rootzone.parflow_import.surface import Surface, read_surface
from rootzone.parflow_import.timing import Timing, read_timing
from rootzone.parflow_import.wells import read_wells
from rootzone.parflow_import.write import DOMAIN, FILES, GROUNDWATER, LAND, NOTES, RUN, ImportFolder

NO_CALENDAR: Final = datetime(2000, 1, 1)
"""Start of a run without a land component: ParFlow's clock knows no date."""

_NO_LAND: Final = "bmi_common.prescribed:PrescribedSource"
_PASSES: Final = {"tolerance": 1.0e-8, "most": 100}
"""Until convergence: nothing is known about the grid, and two passes are enough on coarse ones only."""

_LAND_OUTPUT: Final = (
    "land_surface_air_heat~net~latent__energy_flux",
    "land_surface_air_heat~net~sensible__energy_flux",
    "land_surface_soil_heat~conduction__energy_flux",
    "land_surface_water_evapotranspiration__mass_flux",
    "soil_surface_water_infiltration__volume_flux",
    "land_surface__temperature",
)
_GROUNDWATER_OUTPUT: Final = (names.WATER_TABLE_DEPTH, names.PONDED_DEPTH, names.RUNOFF)
_STATES: Final = (names.PRESSURE_HEAD, names.SATURATION)


@dataclass(frozen=True)
class Imported:
    """An imported run: its ``coupled.yaml``, and what there is to say about it."""

    run: Path
    notes: Notes


def import_run(
    definition_file: Path,
    target: Path,
    ignore: Sequence[str] = (),
    overwrite: bool = False,
    period: str | None = None,
    clm_vegetation: bool = False,
    progress: Progress | None = None,
) -> Imported:
    """Make a run of this package from a run definition of ParFlow.

    Parameters
    ----------
    definition_file : Path
        ``.pfidb`` or ``.yaml``; the files that it names are looked for in its folder.
    target : Path
        New folder for the run.
    ignore : sequence of str
        Keys to be left out although they mean physics that is missing here.
    overwrite : bool
        Replace an earlier import in `target`.
    period : str, optional
        Length of the run (``48h``, ``30d``) in the place of that of the definition.
    clm_vegetation : bool
        Take parameters of the vegetation from ParFlow-CLM's ``drv_vegp.dat``.
    progress : Progress, optional
        Is told of the hourly files that are converted, which takes longest.

    Raises
    ------
    ConfigError
        Naming file and key; then `target` is as it was.
    """
    with new_folder(target, "imported run", overwrite) as owned:
        owned.require_room(FILES)
        owned.require_not_removed([definition_file])
        notes = Notes(tuple(ignore))
        options = _Options(_hours(period), clm_vegetation)
        with owned.staging() as staging:
            _make(definition_file, staging, target, options, notes, progress)
    return Imported(target / RUN, notes)


@dataclass(frozen=True)
class _Options:
    """What the user asks for: hours of the run in the place of the definition's, parameters of ``drv_vegp.dat``."""

    hours: float | None
    clm_vegetation: bool


def _hours(period: str | None) -> float | None:
    if period is None:
        return None
    try:
        return parse_duration(period) / timedelta(hours=1)
    except ValueError as error:
        raise ConfigError(f"--period: {error}") from None


def _make(
    definition_file: Path, staging: Path, target: Path, options: _Options, notes: Notes, progress: Progress | None
) -> None:
    definition = read_definition(definition_file)
    check_solver(definition, notes)
    grid = read_grid(definition)
    folder = ImportFolder(staging, target, definition.folder, grid, progress)
    _map(definition, grid, folder, options, notes)
    _prove(definition, folder, staging, notes)
    folder.settle()


def _map(definition: Definition, grid: ParflowGrid, folder: ImportFolder, options: _Options, notes: Notes) -> None:
    geometries = Geometries(definition, grid, notes)
    folder.layers = geometries.layers
    layers = read_layers(definition, grid, geometries, notes)[geometries.layers]
    soil = read_soil(definition, grid, geometries, notes)
    boundaries = read_boundaries(definition, grid, geometries, layers, folder, notes)
    surface = read_surface(definition, grid, geometries, boundaries.overland, notes)
    initial = read_initial(definition, grid, geometries, layers, folder, notes)
    clm = read_clm_files(definition, grid, notes) if has_land(definition) else None
    start, reuse = (NO_CALENDAR, None) if clm is None else (clm.clmin.start, records_reused(definition))
    timing = read_timing(definition, start, reuse, options.hours, notes)
    title = f"Imported from ParFlow's {definition.path.name}"
    domain = _domain(grid, layers, geometries, soil, surface, clm, folder)
    if not geometries.has_level_top:
        domain["top_layer"] = Computed(geometries.top_layer).spec("top_layer", "1", folder)
        notes.map("Domain.GeomName", "domain.yaml", "top_layer")
    if clm is None:
        notes.notice(
            f"Solver.LSM is none: no rain and no evapotranspiration but what the definition prescribes; the run begins "
            f"at {NO_CALENDAR:%Y-%m-%dT%H:%M}"
        )
        none = {"domain": DOMAIN, "recharge": 0.0, "time_step": timing.hours_of_step}
        folder.write_yaml(LAND, f"{title}, which has no land.", none)
    else:
        domain["root_zone"] = {"layers": read_root_zone(definition, len(layers), notes)}
        land = read_land(definition, clm, geometries.mask, options.clm_vegetation, folder, notes)
        forcing = read_forcing(definition, grid, timing, options.hours is not None, folder, notes)
        timing = timing.shortened(forcing.hours)
        if forcing.hourly is not None:
            folder.write_weather(forcing.hourly)
        leaf_area = read_leaf_area(definition, grid, geometries.mask, timing, notes)
        if leaf_area is not None:
            folder.write_leaf_area(leaf_area)
            land["leaf_area"] = leaf_area.spec
        land = {"start": timing.start, "domain": DOMAIN, **land, "forcing": forcing.spec}
        folder.write_yaml(LAND, f"{title}, drv_clmin.dat and {clm.vegetation.path.name}.", land)
    wells = read_wells(definition, grid, geometries, layers, soil, notes)
    prescribed = read_prescribed(definition, geometries, timing, folder, notes)
    if prescribed.transient is not None:
        folder.write_sources(prescribed.transient.read(), timing.start, timing.groundwater_step)
    note_cycles(definition, {**boundaries.spec, "wells": wells}, timing.groundwater_step, notes)
    check_rest(definition, notes)
    notes.check(definition)
    for notice in definition.notices:
        notes.notice(notice)
    folder.write_yaml(DOMAIN, f"{title}. Bottom layer, southern row, western column first.", domain)
    groundwater = _groundwater(initial, soil, timing, folder) | boundaries.spec | prescribed.keys
    folder.write_fields()
    seeps = boundaries.spec.get("surface", {}).get("condition") == "seepage_face"
    gauges = _gauges(folder.written(DOMAIN)) if boundaries.overland and not seeps else {}
    if gauges:
        groundwater["gauges"] = gauges
    if wells:
        groundwater["wells"] = wells
    if prescribed.transient is not None:
        groundwater = {"start": timing.start, **groundwater}
    folder.write_yaml(GROUNDWATER, f"{title}.", groundwater)
    folder.write_yaml(RUN, f"{title}; see {NOTES}.", _coupled(definition, timing, clm is not None, bool(gauges)))
    folder.write_text(NOTES, report.markdown(definition, notes, clm is not None))


def _domain(
    grid: ParflowGrid,
    layers: list[float],
    geometries: Geometries,
    soil: ImportedSoil,
    surface: Surface,
    clm: ClmFiles | None,
    folder: ImportFolder,
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "grid": {"nx": grid.nx, "ny": grid.ny, "dx": grid.dx, "dy": grid.dy, "x0": grid.x0, "y0": grid.y0},
        "layers": layers,
    }
    if geometries.column_mask is not None:
        result["mask"] = geometries.column_mask.spec("mask", "1", folder)
    if clm is not None:
        result |= place(clm, geometries.mask, folder)
    return result | soil.spec(folder) | surface.spec(folder)


def _groundwater(initial: dict[str, Any], soil: ImportedSoil, timing: Timing, folder: ImportFolder) -> dict[str, Any]:
    result: dict[str, Any] = {"domain": DOMAIN, "initial": initial, "richards": {"passes": _PASSES}}
    if timing.groundwater_step != 1.0:
        result["richards"]["time_step"] = timing.groundwater_step
    if soil.table is not None:
        lowest = folder.in_layers(soil.table.lowest_head.spec("min_head", "m", folder))
        result["richards"]["relative_permeability"] = {"table": soil.table.points, "min_head": lowest}
    return result


def _gauges(file: Path) -> dict[str, dict[str, int]]:
    """Gauges at the outlets of the domain that has been written."""
    try:
        return gauges_at_outlets(Domain.load(load_config(file, DomainConfig)))
    except ConfigError:
        return {}  # `_prove` meets it again, and says what of the definition it comes from


def _coupled(definition: Definition, timing: Timing, with_land: bool, with_gauges: bool) -> dict[str, Any]:
    source = names.NET_SOURCE
    exchanges = [(f"land.{source}", f"groundwater.{source}")]
    if with_land:
        exchanges = [(f"groundwater.{name}", f"land.{name}") for name in _STATES] + exchanges
    fluxes = [f"land.{name}" for name in _LAND_OUTPUT] if with_land else []
    fluxes += [f"groundwater.{name}" for name in (*_GROUNDWATER_OUTPUT, *([names.DISCHARGE] if with_gauges else []))]
    # without a land nothing is turned over that a residual could be measured by
    checks: dict[str, Any] = {"checks": {"water_balance": {"tolerance": 1.0e-6, "action": "stop"}}} if with_land else {}
    return coupled(
        title=f"{definition.path.stem}, imported from ParFlow",
        time={"start": timing.start, "end": timing.end, "step": timing.written_step},
        components={
            "land": {"class": "bmi_colm:BmiColm" if with_land else _NO_LAND, "config": LAND},
            "groundwater": {"class": "bmi_richards:BmiRichards", "config": GROUNDWATER},
        },
        exchanges=exchanges,
        output=[
            {"file": "hourly.nc", "every": timing.written_step, "variables": fluxes},
            {
                "file": "states.nc",
                "every": timing.written_dump,
                "method": "point",
                "variables": [f"groundwater.{name}" for name in _STATES],
            },
        ],
        **checks,
    )


def _prove(definition: Definition, folder: ImportFolder, staging: Path, notes: Notes) -> None:
    """Start the run and stop it before its first step: what cannot run is no import."""
    try:
        with tempfile.TemporaryDirectory() as completed:
            prepare(load_run(staging / RUN), Path(completed)).finalize()
    except ConfigError as error:
        raise together(_of_definition(mistake, definition, staging, notes) for mistake in error.mistakes) from None


def _of_definition(mistake: ConfigError, definition: Definition, staging: Path, notes: Notes) -> ConfigError:
    """Return a mistake of a file that nobody has seen as one of the definition."""
    message = str(mistake.changed(component="", file=None, line=None)).replace(f"{staging}/", "")
    origin = notes.origin(mistake)
    if origin is None:
        return ConfigError(f"what is imported cannot run: {message}", file=definition.path)
    key = origin.split(",")[0]
    if key in definition:
        return definition.error(key, message)
    return ConfigError(f"{origin}: {message}", file=definition.path)
