"""The run definition: ParFlow's keys and input files for a domain.

The equations chosen are those of Kollet and Maxwell (2006) on the terrain-following grid of Maxwell (2013) with the
domain's form of the slopes, and the kinematic wave on top (`OverlandKinematic`); lengths in m, times in h, density =
viscosity = gravity = 1, so that permeability is hydraulic conductivity.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bmi_common.domain import Domain
from bmi_common.errors import ConfigError
from bmi_common.pfsol import PATCHES, write_solid
from bmi_common.slopes import PARFLOW_NAMES, SlopeFormulation
from bmi_common.units import SECONDS_PER_HOUR

Key = str | int | float | bool
Floats = NDArray[np.float64]

RUN_NAME = "rootzone"
SOLID = "watershed.pfsol"
INITIAL = "initial_pressure.pfb"
SOURCE = "source.pfb"
STORAGE_CLASSES = "storage_classes.pfb"
MOST_STORAGE_CLASSES = 100
"""ParFlow loops over the whole domain for each class."""

_MOST_CHILDREN = 1000
_BOX_PATCHES = ("x_lower", "x_upper", "y_lower", "y_upper", "z_lower", "z_upper")
_RESIDUAL_DEPTH = 1.0e-11
_LEAST_RESIDUAL = 1.0e-9
_FILES = {
    "conductivity_x": "Geom.domain.Perm.TensorFileX",
    "conductivity_y": "Geom.domain.Perm.TensorFileY",
    "conductivity_z": "Geom.domain.Perm.TensorFileZ",
    "porosity": "Geom.domain.Porosity.FileName",
    "alpha": "Geom.domain.Saturation.Alpha.Filename",
    "n": "Geom.domain.Saturation.N.Filename",
    "residual_saturation": "Geom.domain.Saturation.SRes.Filename",
    "maximum_saturation": "Geom.domain.Saturation.SSat.Filename",
    "slope_x": "TopoSlopesX.FileName",
    "slope_y": "TopoSlopesY.FileName",
    "manning": "Mannings.FileName",
}
FIELD_NAMES = tuple(_FILES)
_SLOPE_FORMULATIONS = {formulation: name for name, formulation in PARFLOW_NAMES.items()}
_SLOPE_FORMULATIONS[SlopeFormulation.LEVEL] = "Upwind"  # which ParFlow does not look at then
_OURS = (
    "Process.Topology.", "ComputationalGrid.", "TimingInfo.", "TimeStep.", "Geom.", "GeomInput.", "Domain.",
    "ICPressure.", "Cell.", "dzScale.", "TopoSlopes", "Mannings.", "Solver.EvapTrans", "Solver.PrintPressure",
    "Solver.PrintSaturation",
)  # fmt: skip


def static_fields(domain: Domain, lateral: bool) -> dict[str, Floats]:
    """Fields in ParFlow's units, by name; (nz, ny, nx) or (1, ny, nx), finite in every cell.

    Parameters
    ----------
    domain : Domain
        With conductivities [m h-1], slopes [-] and Manning's roughness [s m-1/3].
    lateral : bool
        Whether groundwater flows sideways; without it horizontal conductivities are 0.
    """
    # ParFlow may read slopes beyond the edge of the watershed; none there moves no water
    nothing = ("conductivity_x", "conductivity_y", "conductivity_z", "slope_x", "slope_y")
    fields = {}
    for name in _FILES:
        values = np.asarray(getattr(domain, name), dtype=np.float64)
        outside = 0.0 if name in nothing else values[..., domain.mask].flat[0]
        fields[name] = np.where(domain.mask, values, outside).reshape(-1, domain.ny, domain.nx)
    fields["manning"] /= SECONDS_PER_HOUR
    if not lateral:
        fields["conductivity_x"][...] = 0.0
        fields["conductivity_y"][...] = 0.0
    return fields


def run_keys(domain: Domain, processes: tuple[int, int, int], overrides: Mapping[str, Key]) -> dict[str, Key]:
    """All keys but the times of a call, which `time_keys` gives."""
    keys: dict[str, Key] = {
        **_grid_keys(domain, processes),
        **_geometry_keys(domain),
        **_property_keys(),
        **_storage_keys(domain),
        **_fluid_keys(),
        **_boundary_keys(_patches(domain)),
        **_solver_keys(domain),
    }
    return {**keys, **overrides}


def time_keys(hour: int, hours: int) -> dict[str, Key]:
    """Keys that make ParFlow go on from `hour` for `hours` hours and write the state of each."""
    return {
        "TimingInfo.BaseUnit": 1.0,
        "TimingInfo.StartCount": hour,
        "TimingInfo.StartTime": float(hour),
        "TimingInfo.StopTime": float(hour + hours),
        "TimingInfo.DumpInterval": 1.0,
    }


def write_inputs(folder: Path, domain: Domain, lateral: bool, processes: tuple[int, int, int]) -> None:
    """Write the fields that stay the same, each with its ``.dist`` file, and the solid of a masked domain."""
    for name, values in static_fields(domain, lateral).items():
        write_field(folder / f"{name}.pfb", values, domain, processes)
    values = _storage_values(domain)
    if len(values) > 1:
        classes = np.searchsorted(values, np.where(domain.mask, domain.specific_storage, values[0])) + 1
        write_field(folder / STORAGE_CLASSES, classes.astype(np.float64), domain, processes)
    if not domain.mask.all():
        write_solid(folder / SOLID, domain.mask, domain.dx, domain.dy, float(domain.nz))


def input_files(domain: Domain) -> list[str]:
    """Names of all files that ParFlow is given for a domain."""
    fields = [f"{name}.pfb" for name in _FILES] + [INITIAL, SOURCE]
    if len(_storage_values(domain)) > 1:
        fields.append(STORAGE_CLASSES)
    solid = [] if domain.mask.all() else [SOLID]
    return [f"{RUN_NAME}.pfidb", *fields, *(f"{name}.dist" for name in fields), *solid]


def write_field(path: Path, values: Floats, domain: Domain, processes: tuple[int, int, int]) -> None:
    """Write a PFB file with its ``.dist`` file, which every input of ParFlow needs, divided among the processes."""
    from parflow.tools.io import write_pfb  # imports slowly

    p, q, r = processes
    array = np.ascontiguousarray(values, dtype=np.float64)
    write_pfb(str(path), array, p=p, q=q, r=r, dx=domain.dx, dy=domain.dy, dz=1.0, dist=True)


def write_definition(folder: Path, keys: Mapping[str, Key]) -> None:
    """Write ``<run>.pfidb`` through pftools."""
    with _quiet_pftools():
        from parflow import Run

        run = Run(RUN_NAME, str(folder))
        run.pfset(flat_map=dict(keys))
        run.write(working_directory=str(folder))


def check_overrides(overrides: Mapping[str, Key]) -> None:
    """Raise `ConfigError` for keys that ParFlow does not have, or that the component sets itself."""
    for key, value in overrides.items():
        if key.startswith(_OURS):
            raise ConfigError(f"{key} is set by the component and cannot be replaced")
        is_count = isinstance(value, int) and 0 < value <= _MOST_CHILDREN
        if not isinstance(value, str) and not is_count and _takes_names(key):
            raise ConfigError(f"{key}: expected one or several names, got {value!r}")
        complaint = _complaint(key, value)
        if complaint:
            raise ConfigError(f"{key}: pftools knows no such key or value of ParFlow: {complaint}")


def _takes_names(key: str) -> bool:
    """Whether pftools makes keys of the names in a value, and as many of a number, however long it takes."""
    with _quiet_pftools():
        from parflow import Run

        try:
            Run(RUN_NAME).pfset(key=key, value=0.5)
        except Exception:  # pftools refuses fractions of a key here, and only prints about wrong values elsewhere
            return True
    return False


def _complaint(key: str, value: Key) -> str:
    with _quiet_pftools() as said:
        from parflow import Run

        try:
            Run(RUN_NAME).pfset(key=key, value=value)
        except Exception as error:  # whatever pftools meets in keys that ParFlow does not have
            return f"{type(error).__name__}: {error}"
    return said.getvalue().strip()


@contextlib.contextmanager
def _quiet_pftools() -> Iterator[io.StringIO]:
    """Keep pftools from reading our command line, which it takes for its own, and from printing."""
    arguments, said = sys.argv, io.StringIO()
    sys.argv = arguments[:1]
    try:
        with contextlib.redirect_stdout(said):
            yield said
    finally:
        sys.argv = arguments


def _patches(domain: Domain) -> tuple[str, ...]:
    return _BOX_PATCHES if domain.mask.all() else PATCHES


def _grid_keys(domain: Domain, processes: tuple[int, int, int]) -> dict[str, Key]:
    keys: dict[str, Key] = {f"Process.Topology.{letter}": n for letter, n in zip("PQR", processes, strict=True)}
    keys |= {f"ComputationalGrid.Lower.{letter}": 0.0 for letter in "XYZ"}
    # a computational layer of 1 m makes the scale of each layer its thickness, without rounding
    sizes = {"X": (domain.nx, domain.dx), "Y": (domain.ny, domain.dy), "Z": (domain.nz, 1.0)}
    for letter, (count, size) in sizes.items():
        keys |= {f"ComputationalGrid.N{letter}": count, f"ComputationalGrid.D{letter}": float(size)}
    keys |= {
        "Solver.Nonlinear.VariableDz": True,
        "dzScale.GeomNames": "domain",
        "dzScale.Type": "nzList",
        "dzScale.nzListNumber": domain.nz,
    }
    return keys | {f"Cell.{k}.dzScale.Value": float(dz) for k, dz in enumerate(domain.dz)}


def _geometry_keys(domain: Domain) -> dict[str, Key]:
    keys: dict[str, Key] = {"Domain.GeomName": "domain"}
    classes = " storage_classes" if len(_storage_values(domain)) > 1 else ""
    if domain.mask.all():
        keys |= {
            "GeomInput.Names": f"box{classes}",
            "GeomInput.box.InputType": "Box",
            "GeomInput.box.GeomName": "domain",
        }
        keys |= {f"Geom.domain.Lower.{letter}": 0.0 for letter in "XYZ"}
        upper = (domain.nx * domain.dx, domain.ny * domain.dy, float(domain.nz))
        keys |= {f"Geom.domain.Upper.{letter}": float(v) for letter, v in zip("XYZ", upper, strict=True)}
    else:
        keys |= {
            "GeomInput.Names": f"solid{classes}",
            "GeomInput.solid.InputType": "SolidFile",
            "GeomInput.solid.GeomNames": "domain",
            "GeomInput.solid.FileName": SOLID,
        }
    return keys | {"Geom.domain.Patches": " ".join(_patches(domain))}


def _property_keys() -> dict[str, Key]:
    files: dict[str, Key] = {key: f"{name}.pfb" for name, key in _FILES.items()}
    return files | {
        "Geom.Perm.Names": "domain",
        "Geom.domain.Perm.Type": "Constant",
        "Geom.domain.Perm.Value": 1.0,  # the tensor below multiplies it
        "Perm.TensorType": "TensorByFile",
        "Geom.Perm.TensorByGeom.Names": "domain",
        "Geom.Porosity.GeomNames": "domain",
        "Geom.domain.Porosity.Type": "PFBFile",
        "Phase.Saturation.Type": "VanGenuchten",
        "Phase.Saturation.GeomNames": "domain",
        "Phase.Saturation.VanGenuchten.File": 1,
        "Phase.RelPerm.Type": "VanGenuchten",
        "Phase.RelPerm.GeomNames": "domain",
        "Phase.RelPerm.VanGenuchten.File": 1,
        "Geom.domain.RelPerm.Alpha.Filename": "alpha.pfb",
        "Geom.domain.RelPerm.N.Filename": "n.pfb",
        "TopoSlopesX.Type": "PFBFile",
        "TopoSlopesX.GeomNames": "domain",
        "TopoSlopesY.Type": "PFBFile",
        "TopoSlopesY.GeomNames": "domain",
        "Mannings.Type": "PFBFile",
        "Mannings.GeomNames": "domain",
        "ICPressure.Type": "PFBFile",
        "ICPressure.GeomNames": "domain",
        "Geom.domain.ICPressure.RefGeom": "domain",
        "Geom.domain.ICPressure.FileName": INITIAL,
    }


def _storage_values(domain: Domain) -> Floats:
    return np.unique(domain.specific_storage[:, domain.mask])


def _storage_keys(domain: Domain) -> dict[str, Key]:
    """Specific storage, which ParFlow takes by geometry only: a class of cells for each value."""
    keys: dict[str, Key] = {"SpecificStorage.Type": "Constant"}
    values = _storage_values(domain)
    names = ["domain"] if len(values) == 1 else [f"storage{number}" for number in range(1, len(values) + 1)]
    keys["SpecificStorage.GeomNames"] = " ".join(names)
    keys |= {f"Geom.{name}.SpecificStorage.Value": float(v) for name, v in zip(names, values, strict=True)}
    if len(values) > 1:
        keys |= {
            "GeomInput.storage_classes.InputType": "IndicatorField",
            "GeomInput.storage_classes.GeomNames": " ".join(names),
            "Geom.storage_classes.FileName": STORAGE_CLASSES,
        }
        keys |= {f"GeomInput.{name}.Value": number for number, name in enumerate(names, start=1)}
    return keys


def _fluid_keys() -> dict[str, Key]:
    return {
        "Gravity": 1.0,
        "Phase.Names": "water",
        "Phase.water.Density.Type": "Constant",
        "Phase.water.Density.Value": 1.0,
        "Phase.water.Viscosity.Type": "Constant",
        "Phase.water.Viscosity.Value": 1.0,
        "Phase.water.Mobility.Type": "Constant",
        "Phase.water.Mobility.Value": 1.0,
        "PhaseSources.water.Type": "Constant",
        "PhaseSources.water.GeomNames": "domain",
        "PhaseSources.water.Geom.domain.Value": 0.0,
        "Contaminants.Names": "",
        "Geom.Retardation.GeomNames": "",
        "Wells.Names": "",
        "KnownSolution": "NoKnownSolution",
        "TimeStep.Type": "Constant",
        "TimeStep.Value": 1.0,
        "Cycle.Names": "constant",
        "Cycle.constant.Names": "alltime",
        "Cycle.constant.alltime.Length": 1,
        "Cycle.constant.Repeat": -1,
    }


def _boundary_keys(patches: tuple[str, ...]) -> dict[str, Key]:
    keys: dict[str, Key] = {"BCPressure.PatchNames": " ".join(patches)}
    for patch in patches:
        surface = patch in ("top", "z_upper")
        keys |= {
            f"Patch.{patch}.BCPressure.Type": "OverlandKinematic" if surface else "FluxConst",
            f"Patch.{patch}.BCPressure.Cycle": "constant",
            f"Patch.{patch}.BCPressure.alltime.Value": 0.0,
        }
    return keys


def _solver_keys(domain: Domain) -> dict[str, Key]:
    return {
        "Solver": "Richards",
        "Solver.TerrainFollowingGrid": domain.slope_formulation is not SlopeFormulation.LEVEL,
        "Solver.TerrainFollowingGrid.SlopeUpwindFormulation": _SLOPE_FORMULATIONS[domain.slope_formulation],
        "Solver.EvapTransFile": True,
        "Solver.EvapTrans.FileName": SOURCE,
        "Solver.SurfacePredictor": True,
        "Solver.SurfacePredictor.PressureValue": 1.0e-5,
        "Solver.MaxIter": 2_000_000_000,
        "Solver.MaxConvergenceFailures": 8,
        "Solver.AbsTol": 1.0e-12,
        "Solver.Nonlinear.MaxIter": 500,
        # the residual is a volume: a depth over the cells is what a user can judge
        "Solver.Nonlinear.ResidualTol": max(_LEAST_RESIDUAL, _RESIDUAL_DEPTH * domain.dx * domain.dy),
        "Solver.Nonlinear.StepTol": 1.0e-15,
        "Solver.Nonlinear.EtaChoice": "EtaConstant",
        "Solver.Nonlinear.EtaValue": 0.01,
        "Solver.Nonlinear.UseJacobian": True,
        "Solver.Nonlinear.Globalization": "LineSearch",
        "Solver.Nonlinear.DerivativeEpsilon": 1.0e-16,
        "Solver.Linear.KrylovDimension": 100,
        "Solver.Linear.MaxRestarts": 5,
        "Solver.Linear.Preconditioner": "PFMG",
        # with the kinematic wave's unsymmetric terms in it PFMG needs hundreds of times the iterations
        "Solver.Linear.Preconditioner.PCMatrixType": "PFSymmetric",
        "Solver.PrintPressure": True,
        "Solver.PrintSaturation": True,
        "Solver.PrintSubsurfData": False,
        "Solver.PrintMask": False,
        "Solver.PrintTop": False,
    }
