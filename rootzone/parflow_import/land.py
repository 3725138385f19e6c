"""The land: what ParFlow-CLM is told by ``Solver.CLM`` and its own files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bmi_colm.tables import vegetation_table
from bmi_common.errors import ConfigError
from rootzone.parflow_import.clm_files import ClmInput, VegetationMap
from rootzone.parflow_import.clm_vegetation import read_vegetation
from rootzone.parflow_import.definition import Definition, absent
from rootzone.parflow_import.grid import ParflowGrid
from rootzone.parflow_import.notices import Notes
from rootzone.parflow_import.sources import FIELDS_FILE, Constant, Floats, Folder, Mask, simplest

_OWN: Final = "Solver.CLM."
_EVAPORATION: Final = {"None": 0, "Linear": 1, "Cosine": 2}
_STRESS: Final = {"None": 0, "Pressure": 1, "Saturation": 2}
_OWN_SCHEMES: Final = re.compile(
    r"Solver\.CLM\.(Snow|Albedo|FracSno|Wetbulb|Dai(?!ly)|Jennings|ThinSnow|SZA|Interception|Fwet|Stomata)\w*"
)
_ROOT_ZONE_LAYERS: Final = 10
"""Of ParFlow, where ``RootZoneNZ`` says nothing."""
_CARBON_DIOXIDE: Final = 355.0
"""What ParFlow-CLM always assumes [1e-6 mol mol-1]."""
_ALBEDO: Final = {
    "albedo_saturated_visible": (0.12, 0.11, 0.10, 0.09, 0.08, 0.07, 0.06, 0.05),
    "albedo_saturated_near_infrared": (0.24, 0.22, 0.20, 0.18, 0.16, 0.14, 0.12, 0.10),
    "albedo_dry_visible": (0.24, 0.22, 0.20, 0.18, 0.16, 0.14, 0.12, 0.10),
    "albedo_dry_near_infrared": (0.48, 0.44, 0.40, 0.36, 0.32, 0.28, 0.24, 0.20),
}
"""Albedo of the eight colour classes of soil (Dickinson et al. 1993, NCAR/TN-387+STR, table 3)."""


@dataclass(frozen=True)
class ClmFiles:
    """What ParFlow-CLM reads beside the definition."""

    clmin: ClmInput
    vegetation: VegetationMap


def has_land(definition: Definition) -> bool:
    """Whether the run has a land component; without one its keys have no effect."""
    coupled = definition.choice("Solver.LSM", ("none", "CLM"), "none") == "CLM"
    if not coupled:
        definition.use(*definition.below("Solver.CLM"))
    return coupled


def read_clm_files(definition: Definition, grid: ParflowGrid, notes: Notes) -> ClmFiles:
    """Read ``drv_clmin.dat`` and the vegetation map that it names, in the folder of the run."""
    path = definition.folder / "drv_clmin.dat"
    if not path.is_file():
        raise definition.error("Solver.LSM", f"CLM needs drv_clmin.dat where ParFlow runs; {absent(path)}")
    clmin = ClmInput.read(path)
    if clmin.values.get("vclass", "2") != "2":
        notes.refuse("drv_clmin.vclass", f"{clmin.path}: {clmin.text('vclass')}: land cover must be IGBP (2)")
    if clmin.values.get("startcode", "2") != "2" or clmin.values.get("clm_ic", "2") != "2":
        notes.refuse("drv_clmin.startcode", f"{clmin.path}: a restart file of CLM (ignored: the land starts cold)")
    map_file = definition.folder / clmin.text("vegtf")
    if not map_file.is_file():
        raise ConfigError(f"{path}: vegtf: {absent(map_file)}")
    try:
        vegetation = VegetationMap.read(map_file, grid)
    except ConfigError as error:
        raise ConfigError(f"{path}: vegtf: {error}") from None
    return ClmFiles(clmin, vegetation)


def records_reused(definition: Definition) -> int:
    """Read how many steps of ParFlow one record of the weather serves."""
    reuse = definition.integer(f"{_OWN}ReuseCount", 1)
    if reuse < 1:
        raise definition.error(f"{_OWN}ReuseCount", f"must be at least 1, got {reuse}")
    return reuse


def read_root_zone(definition: Definition, layers: int, notes: Notes) -> int:
    """Read the number of layers that exchange water with the land, of those of the domain."""
    key = f"{_OWN}RootZoneNZ"
    count = definition.integer(key, _ROOT_ZONE_LAYERS)
    if not 1 <= count <= layers:
        raise definition.error(key, f"must lie between 1 and the number of layers, {layers}, got {count}")
    notes.map(key, "domain.yaml", "root_zone.layers", how=f": {count}")
    return count


def place(files: ClmFiles, mask: Mask, folder: Folder) -> dict[str, Any]:
    """Latitude and longitude for ``domain.yaml``."""
    vegetation = files.vegetation
    return {
        "latitude": simplest(vegetation.latitude, mask).spec("latitude", "degrees_north", folder),
        "longitude": simplest(vegetation.longitude, mask).spec("longitude", "degrees_east", folder),
    }


def read_land(
    definition: Definition, files: ClmFiles, mask: Mask, clm_vegetation: bool, folder: Folder, notes: Notes
) -> dict[str, Any]:
    """Return ``land.yaml`` without start, domain and forcing; with `clm_vegetation` with parameters of ParFlow-CLM.

    Raises
    ------
    ConfigError
        For values that are out of range or missing.
    """
    _check_switches(definition, notes)
    vegetation = files.vegetation
    clmin = files.clmin
    cover = vegetation.land_cover.astype(np.float64)
    heights = {n: clmin.number(f"forc_hgt_{s}") for n, s in (("wind", "u"), ("temperature", "t"), ("humidity", "q"))}
    parameters = _vegetation_parameters(definition, files, clm_vegetation, notes)
    heights, canopy = _fit(heights, vegetation, parameters, mask, notes)
    land: dict[str, Any] = {
        "land_cover": simplest(cover, mask).spec("land_cover", "1", folder),
        "soil_texture": {
            "sand": simplest(100.0 * vegetation.sand, mask).spec("sand", "%", folder),
            "clay": simplest(100.0 * vegetation.clay, mask).spec("clay", "%", folder),
        },
        "soil_maps": _albedo(vegetation, mask, folder, notes),
        "initial": {"temperature": clmin.number("t_ini")},
        "reference_height": heights,
        "carbon_dioxide": _CARBON_DIOXIDE,
        **_stress(definition, notes),
    }
    if parameters:
        land["vegetation"] = {
            c: parameters[c] for c in sorted({int(c) for c in np.unique(cover[mask])} & set(parameters))
        }
    if canopy is not None:
        folder.keep("canopy_height", canopy, "m")
        land["vegetation_maps"] = {"canopy_height": {"file": FIELDS_FILE, "variable": "canopy_height"}}
    _describe(files, notes)
    return land


def _vegetation_parameters(
    definition: Definition, files: ClmFiles, wanted: bool, notes: Notes
) -> dict[int, dict[str, Any]]:
    """Read the parameters of the classes from the file that ``vegpf`` names, if they are wanted."""
    name = files.clmin.values.get("vegpf", "drv_vegp.dat")
    if not wanted:
        notes.notice(
            f"{name} is not read: parameters of the classes are those of the land component (--clm-vegetation takes "
            "them from the file; land.yaml: vegetation changes them)"
        )
        return {}
    path = definition.folder / name
    if not path.is_file():
        raise ConfigError(f"vegpf: {absent(path)}", file=files.clmin.path)
    notes.map(
        name, "land.yaml", "vegetation", how=": leaf and stem area, height, roots, optical properties of the classes"
    )
    return read_vegetation(path)


def _stress(definition: Definition, notes: Notes) -> dict[str, Any]:
    evaporation = definition.choice(f"{_OWN}EvapBeta", tuple(_EVAPORATION), "Linear")
    stress = definition.choice(f"{_OWN}VegWaterStress", tuple(_STRESS), "Saturation")
    wilting = definition.number(f"{_OWN}WiltingPoint", 0.1)
    capacity = definition.number(f"{_OWN}FieldCapacity", 1.0)
    residual = definition.number(f"{_OWN}ResSat", 0.1)
    if not 0.0 <= residual < 1.0:
        raise definition.error(f"{_OWN}ResSat", f"a saturation of at least 0 and below 1, got {residual:g}")
    result: dict[str, Any] = {
        "evaporation_factor": _EVAPORATION[evaporation],
        "residual_saturation": residual,
        "water_stress": _STRESS[stress],
    }
    if stress != "None":
        result |= {"wilting_point": wilting, "field_capacity": capacity}
    notes.map(
        f"{_OWN}EvapBeta, ResSat",
        "land.yaml",
        "evaporation_factor",
        "residual_saturation",
        how=f": {_EVAPORATION[evaporation]} ({evaporation})",
    )
    units = {"None": "", "Pressure": " [m]", "Saturation": " [1]"}[stress]
    notes.map(
        f"{_OWN}VegWaterStress, WiltingPoint, FieldCapacity",
        "land.yaml",
        "water_stress",
        "wilting_point",
        "field_capacity",
        how=f"{units}: {_STRESS[stress]} ({stress})",
    )
    uptake = definition.integer(f"{_OWN}RZWaterStress", 0)
    if uptake == 0 and stress != "None":
        notes.notice(
            f"{_OWN}RZWaterStress 0: transpiration is distributed by root fraction alone, and stops when the top layer "
            "wilts; here by root fraction and the stress of each layer (1), without that stop"
        )
    elif uptake not in (0, 1):
        notes.refuse(f"{_OWN}RZWaterStress", f"{uptake}: compensation by wet layers (ignored: without, as 1)")
    return result


def _check_switches(definition: Definition, notes: Notes) -> None:
    if definition.flag(f"{_OWN}UseSlopeAspect"):
        why = "radiation on slopes; here the ground is level for the sun (ignored: without)"
        notes.refuse(f"{_OWN}UseSlopeAspect", why)
    irrigation = definition.text(f"{_OWN}IrrigationType", "none")
    if irrigation.lower() != "none":
        notes.refuse(f"{_OWN}IrrigationType", f"irrigation ({irrigation}) (ignored: without)")
    definition.use(*(key for key in definition.below("Solver.CLM") if key.startswith(f"{_OWN}Irrigation")))
    if f"{_OWN}SoiLayer" in definition:
        notes.notice(
            f"{_OWN}SoiLayer {definition.integer(f'{_OWN}SoiLayer')}: here leaf area follows the temperature of the "
            "soil at the depth of the roots"
        )
    own = sorted({key for key in definition.unused if _OWN_SCHEMES.fullmatch(key)})
    if own:
        notes.notice(f"{', '.join(own)}: snow, interception and stomata follow the land component's own physics")
    described = [*definition.below("Solver.CLM.Input"), *definition.below("Solver.CLM.Vegetation")]
    if described:
        notes.notice("Solver.CLM.Input, Solver.CLM.Vegetation: what counts is what stands in the drv_ files")
    definition.use(*own, *described)


def _albedo(vegetation: VegetationMap, mask: Mask, folder: Folder, notes: Notes) -> dict[str, Any]:
    colours = np.unique(vegetation.colour[mask])
    if colours[0] < 1 or colours[-1] > 8:
        notes.notice(
            f"{vegetation.path}: colour {colours[0] if colours[0] < 1 else colours[-1]} is none of the classes 1-8; "
            "the soil's albedo is that of the land cover"
        )
        return {}
    field = simplest(vegetation.colour.astype(np.float64), mask)
    if isinstance(field, Constant):
        return {name: values[int(colours[0]) - 1] for name, values in _ALBEDO.items()}
    file = field.spec("soil_colour", "1", folder)
    return {name: {**file, "lookup": {int(c): values[c - 1] for c in colours}} for name, values in _ALBEDO.items()}


def _fit(
    heights: dict[str, float],
    vegetation: VegetationMap,
    parameters: dict[int, dict[str, Any]],
    mask: Mask,
    notes: Notes,
) -> tuple[dict[str, float], Floats | None]:
    """Make the heights of the forcing and the canopies go together.

    Above a canopy taller than the lowest height there is no profile. Where such canopies are the minority they are cut
    to below the heights, otherwise the heights are taken above the tallest canopy.
    """
    table = vegetation_table()
    cover = vegetation.land_cover
    tops = [parameters.get(i, {}).get("canopy_height", table[i].canopy_height) for i in range(1, 18)]
    canopy = np.array([0.0, *tops])[cover]
    lowest = min(heights.values())
    tall = (canopy >= lowest) & mask
    if not tall.any():
        return heights, None
    classes = ", ".join(str(c) for c in np.unique(cover[tall]))
    where = f"forc_hgt of drv_clmin.dat ({lowest:g} m) is inside the canopy of {tall.sum()} cells (class {classes})"
    if 2 * tall.sum() <= mask.sum():
        cut = np.where(tall, 0.95 * lowest, np.nan)
        notes.notice(f"{where}; there the canopy is cut to {0.95 * lowest:g} m (land.yaml: vegetation_maps)")
        return heights, cut
    top = float(canopy[mask].max())
    notes.notice(f"{where}; all heights are raised by the tallest canopy, {top:g} m (land.yaml: reference_height)")
    return {name: top + height for name, height in heights.items()}, None


def _describe(files: ClmFiles, notes: Notes) -> None:
    clmin, vegetation = files.clmin, files.vegetation
    name = clmin.path.name
    notes.map(f"{name}: syr, smo, sda, shr", "land.yaml", "start")
    notes.map(f"{name}: forc_hgt_u, forc_hgt_t, forc_hgt_q", "land.yaml", "reference_height")
    notes.map(f"{name}: t_ini", "land.yaml", "initial.temperature")
    notes.map(
        "carbon dioxide of ParFlow-CLM",
        "land.yaml",
        "carbon_dioxide",
        how=f": {_CARBON_DIOXIDE:g}e-6 mol mol-1, constant",
    )
    if "h2osno_ini" in clmin.values and clmin.number("h2osno_ini") != 0.0:
        notes.notice(f"{clmin.path}: h2osno_ini {clmin.text('h2osno_ini')} mm: the run starts without snow")
    notes.map(vegetation.path.name, "domain.yaml", "latitude", "longitude")
    notes.map(vegetation.path.name, "land.yaml", "land_cover", "soil_texture", "soil_maps")
    if vegetation.mixed:
        notes.notice(f"{vegetation.path}: {vegetation.mixed} cells have several classes; the largest is taken")
    if vegetation.bare:
        notes.notice(
            f"{vegetation.path}: {vegetation.bare} cells of bare soil (18) are barren or sparsely vegetated (16) here"
        )
