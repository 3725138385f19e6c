"""The reference models of the real ParFlow, read from their definitions for the solver alone."""

from dataclasses import dataclass
from math import inf
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from bmi_common.boundary_conditions import Barriers, Boundary, Conditions, Side, outer_faces
from bmi_common.fields import read_pfb
from bmi_common.overland import SurfaceCondition
from bmi_common.pfidb import read_pfidb
from bmi_common.rates import Intervals, Rate
from bmi_common.slopes import PARFLOW_NAMES
from bmi_common.wells import Action, Takes, Well
from bmi_richards.options import PermeabilityTable

Floats = NDArray[np.float64]
CONDITIONS = {
    "OverlandKinematic": SurfaceCondition.OVERLAND_KINEMATIC,
    "OverlandFlow": SurfaceCondition.OVERLAND_FLOW,
    "SeepageFace": SurfaceCondition.SEEPAGE_FACE,
}
SIDES: dict[Side, str] = {"west": "xlower", "east": "xupper", "south": "ylower", "north": "yupper", "bottom": "zlower"}
INWARDS = {"west": 1.0, "east": -1.0, "south": 1.0, "north": -1.0, "bottom": 1.0}
"""What a velocity along the axis brings into the domain."""


@dataclass
class Model:
    """A reference model.

    Attributes
    ----------
    domain : SimpleNamespace
        As the solver takes it.
    conditions : Conditions
        Without sources.
    table : PermeabilityTable or None
        Of relative permeability.
    source : ndarray, shape (nz, ny, nx)
        Steady source [h-1].
    head : ndarray, shape (nz, ny, nx)
        At the start [m].
    """

    domain: SimpleNamespace
    conditions: Conditions
    table: PermeabilityTable | None
    source: Floats
    head: Floats


def read_model(definition: Path, head: Floats) -> Model:
    """Read a definition; `head` is that at the start."""
    keys = read_pfidb(definition)

    def number(key: str) -> float:
        return float(keys[key])

    nz, ny, nx = (int(keys[f"ComputationalGrid.N{axis}"]) for axis in "ZYX")
    shape = (nz, ny, nx)
    dz = np.array([number(f"Cell.{k}.dzScale.Value") for k in range(nz)]) * number("ComputationalGrid.DZ")
    classes = None
    if "Geom.indi_input.FileName" in keys:
        classes = read_pfb(definition.parent / keys["Geom.indi_input.FileName"]).reshape(shape)

    def by_geometry(names: str, value: str) -> Floats:
        field = np.full(shape, np.nan)
        for name in keys[names].split():
            here = np.ones(shape, bool) if name == "domain" else classes == number(f"GeomInput.{name}.Value")
            field[here] = number(f"Geom.{name}.{value}")
        return field

    def surface(axis: str) -> Floats:
        if keys[f"TopoSlopes{axis}.Type"] == "PFBFile":
            return read_pfb(definition.parent / keys[f"TopoSlopes{axis}.FileName"])[0]
        return np.full((ny, nx), number(f"TopoSlopes{axis}.Geom.domain.Value"))

    conductivity = by_geometry("Geom.Perm.Names", "Perm.Value")
    domain = SimpleNamespace(
        dx=number("ComputationalGrid.DX"),
        dy=number("ComputationalGrid.DY"),
        dz=dz,
        mask=np.ones((ny, nx), dtype=bool),
        porosity=by_geometry("Geom.Porosity.GeomNames", "Porosity.Value"),
        alpha=by_geometry("Phase.Saturation.GeomNames", "Saturation.Alpha"),
        n=by_geometry("Phase.Saturation.GeomNames", "Saturation.N"),
        residual_saturation=by_geometry("Phase.Saturation.GeomNames", "Saturation.SRes"),
        maximum_saturation=by_geometry("Phase.Saturation.GeomNames", "Saturation.SSat"),
        specific_storage=np.full(shape, number("Geom.domain.SpecificStorage.Value")),
        slope_formulation=PARFLOW_NAMES[keys.get("Solver.TerrainFollowingGrid.SlopeUpwindFormulation", "Original")],
        top_layer=None,
        relative_permeability_alpha=None,
        relative_permeability_n=None,
        slope_x=surface("X"),
        slope_y=surface("Y"),
        manning=np.full((ny, nx), number("Mannings.Geom.domain.Value") * 3600.0),
        **{
            f"conductivity_{axis}": conductivity * number(f"Geom.domain.Perm.TensorVal{axis.upper()}") for axis in "xyz"
        },
    )
    table = None
    if "Geom.domain.RelPerm.NumSamplePoints" in keys:
        table = PermeabilityTable(
            int(keys["Geom.domain.RelPerm.NumSamplePoints"]), number("Geom.domain.RelPerm.MinPressureHead")
        )
    source = np.zeros(shape)
    if keys.get("Solver.EvapTransFile", "False") == "True":
        source = read_pfb(definition.parent / keys["Solver.EvapTrans.FileName"])
    return Model(domain, _conditions(keys, definition.parent, domain), table, source, head)


def _conditions(keys: dict[str, str], folder: Path, domain: SimpleNamespace) -> Conditions:
    patches = {name.replace("_", ""): name for name in keys["BCPressure.PatchNames"].split()}
    boundaries = []
    for side, patch in SIDES.items():
        kind, rate = _rate(keys, patches[patch])
        faces = np.zeros(domain.porosity.shape, dtype=bool)
        faces[0 if side == "bottom" else slice(None)] = outer_faces(domain.mask, side)
        if kind == "DirEquilRefPatch":  # on the bottom of the domain
            boundaries.append(Boundary(side, faces, None, rate))
        elif rate.values.any():
            boundaries.append(Boundary(side, faces, Rate(rate.intervals, INWARDS[side] * rate.values), None))
    kind, rate = _rate(keys, patches["zupper"])
    barriers = None
    if "FBz.Type" in keys:
        factors = [
            read_pfb(folder / keys[f"Geom.domain.FB{axis}.FileName"])
            if f"FB{axis}.Type" in keys
            else np.ones(domain.porosity.shape)
            for axis in "xyz"
        ]
        barriers = Barriers(*factors)
    return Conditions(
        surface=CONDITIONS[kind],
        surface_flux=Rate(rate.intervals, -rate.values) if rate.values.any() else None,
        boundaries=tuple(boundaries),
        barriers=barriers,
        wells=tuple(_well(keys, name, domain) for name in keys.get("Wells.Names", "").split()),
    )


def _well(keys: dict[str, str], name: str, domain: SimpleNamespace) -> Well:
    """A well of a constant method, whose depth counts in cells of DZ and whose parts are multiplied as layers are."""
    own, size = f"Wells.{name}", float(keys["ComputationalGrid.DZ"])
    lowest, highest = (int(float(keys[f"{own}.Z{end}"]) // size) for end in ("Lower", "Upper"))
    parts = np.zeros(domain.dz.size)
    parts[lowest : highest + 1] = domain.dz[lowest : highest + 1] / size / (highest - lowest + 1)
    cycle = keys[f"{own}.Cycle"]
    names = keys[f"Cycle.{cycle}.Names"].split()
    hours = np.cumsum([float(keys[f"Cycle.{cycle}.{at}.Length"]) for at in names])
    values = np.array([float(keys[f"{own}.{at}.Flux.water.Value"]) for at in names])
    return Well(
        name=name,
        cell=(int(float(keys[f"{own}.Y"]) // domain.dy), int(float(keys[f"{own}.X"]) // domain.dx)),
        takes=Takes.GROUNDWATER,
        shares=parts / parts.sum(),
        rate=Rate(Intervals(hours, inf), values * parts.sum()),
        action=Action(keys[f"{own}.Action"].lower()),
    )


def _rate(keys: dict[str, str], patch: str) -> tuple[str, Rate]:
    head = f"Patch.{patch}.BCPressure"
    cycle = keys[f"{head}.Cycle"]
    names = keys[f"Cycle.{cycle}.Names"].split()
    hours = [float(keys[f"Cycle.{cycle}.{name}.Length"]) for name in names]
    values = np.array([float(keys[f"{head}.{name}.Value"]) for name in names])
    repeat = int(keys[f"Cycle.{cycle}.Repeat"])
    return keys[f"{head}.Type"], Rate(Intervals(np.cumsum(hours), inf if repeat < 0 else repeat), values)
