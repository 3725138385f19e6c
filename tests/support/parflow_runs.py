"""Small run definitions of ParFlow, written with pftools, for the tests of their import."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml
from click.testing import CliRunner, Result
from parflow.tools.io import write_dict_as_pfidb, write_dict_as_yaml, write_pfb

from bmi_common import Domain, DomainConfig
from bmi_common.config import load_config
from bmi_common.pfsol import write_solid
from rootzone.bmi_run import main

NX, NY, NZ = 4, 3, 11
SHAPE = (NZ, NY, NX)
PATCHES = ("x_lower", "x_upper", "y_lower", "y_upper", "z_lower", "z_upper")

KEYS: dict[str, Any] = {
    "FileVersion": 4,
    "Process.Topology.P": 1,
    "ComputationalGrid.Lower.X": 0.0,
    "ComputationalGrid.Lower.Y": 0.0,
    "ComputationalGrid.Lower.Z": 0.0,
    "ComputationalGrid.NX": NX,
    "ComputationalGrid.NY": NY,
    "ComputationalGrid.NZ": NZ,
    "ComputationalGrid.DX": 1000.0,
    "ComputationalGrid.DY": 500.0,
    "ComputationalGrid.DZ": 0.5,
    "GeomInput.Names": "box_input",
    "GeomInput.box_input.InputType": "Box",
    "GeomInput.box_input.GeomName": "domain",
    "Geom.domain.Lower.X": 0.0,
    "Geom.domain.Lower.Y": 0.0,
    "Geom.domain.Lower.Z": 0.0,
    "Geom.domain.Upper.X": 1000.0 * NX,
    "Geom.domain.Upper.Y": 500.0 * NY,
    "Geom.domain.Upper.Z": 0.5 * NZ,
    "Geom.domain.Patches": " ".join(PATCHES),
    "Domain.GeomName": "domain",
    "Geom.Perm.Names": "domain",
    "Geom.domain.Perm.Type": "Constant",
    "Geom.domain.Perm.Value": 0.02,
    "Perm.TensorType": "TensorByGeom",
    "Geom.Perm.TensorByGeom.Names": "domain",
    "Geom.domain.Perm.TensorValX": 1.0,
    "Geom.domain.Perm.TensorValY": 1.0,
    "Geom.domain.Perm.TensorValZ": 1.0,
    "Geom.Porosity.GeomNames": "domain",
    "Geom.domain.Porosity.Type": "Constant",
    "Geom.domain.Porosity.Value": 0.4,
    "SpecificStorage.Type": "Constant",
    "SpecificStorage.GeomNames": "domain",
    "Geom.domain.SpecificStorage.Value": 1e-4,
    "Phase.Names": "water",
    "Phase.water.Density.Type": "Constant",
    "Phase.water.Density.Value": 1.0,
    "Phase.water.Viscosity.Type": "Constant",
    "Phase.water.Viscosity.Value": 1.0,
    "Gravity": 1.0,
    "Contaminants.Names": "",
    "Wells.Names": "",
    "PhaseSources.water.Type": "Constant",
    "PhaseSources.water.GeomNames": "domain",
    "PhaseSources.water.Geom.domain.Value": 0.0,
    "Phase.Saturation.Type": "VanGenuchten",
    "Phase.Saturation.GeomNames": "domain",
    "Geom.domain.Saturation.Alpha": 2.0,
    "Geom.domain.Saturation.N": 2.5,
    "Geom.domain.Saturation.SRes": 0.1,
    "Geom.domain.Saturation.SSat": 1.0,
    "Phase.RelPerm.Type": "VanGenuchten",
    "Phase.RelPerm.GeomNames": "domain",
    "Geom.domain.RelPerm.Alpha": 2.0,
    "Geom.domain.RelPerm.N": 2.5,
    "TopoSlopesX.Type": "Constant",
    "TopoSlopesX.GeomNames": "domain",
    "TopoSlopesX.Geom.domain.Value": 0.01,
    "TopoSlopesY.Type": "Constant",
    "TopoSlopesY.GeomNames": "domain",
    "TopoSlopesY.Geom.domain.Value": 0.02,
    "Mannings.Type": "Constant",
    "Mannings.GeomNames": "domain",
    "Mannings.Geom.domain.Value": 5e-6,
    "ICPressure.Type": "HydroStaticPatch",
    "ICPressure.GeomNames": "domain",
    "Geom.domain.ICPressure.RefGeom": "domain",
    "Geom.domain.ICPressure.RefPatch": "z_upper",
    "Geom.domain.ICPressure.Value": -1.0,
    "Cycle.Names": "constant",
    "Cycle.constant.Names": "alltime",
    "Cycle.constant.alltime.Length": 1,
    "Cycle.constant.Repeat": -1,
    "BCPressure.PatchNames": " ".join(PATCHES),
    **{f"Patch.{p}.BCPressure.Type": "FluxConst" for p in PATCHES[:5]},
    "Patch.z_upper.BCPressure.Type": "OverlandKinematic",
    **{f"Patch.{p}.BCPressure.Cycle": "constant" for p in PATCHES},
    **{f"Patch.{p}.BCPressure.alltime.Value": 0.0 for p in PATCHES},
    "TimingInfo.BaseUnit": 1.0,
    "TimingInfo.StartCount": 0,
    "TimingInfo.StartTime": 0.0,
    "TimingInfo.StopTime": 5.0,
    "TimingInfo.DumpInterval": 1.0,
    "TimeStep.Type": "Constant",
    "TimeStep.Value": 1.0,
    "Solver": "Richards",
    "Solver.AbsTol": 1e-9,
    "Solver.TerrainFollowingGrid": True,
    "Solver.TerrainFollowingGrid.SlopeUpwindFormulation": "Upwind",
    "Solver.Nonlinear.EtaChoice": "EtaConstant",
    "Solver.Linear.Preconditioner": "PFMG",
}
"""A slope of sandy loam at rest, without a land component."""

CLM: dict[str, Any] = {
    "Solver.LSM": "CLM",
    "Solver.CLM.MetForcing": "1D",
    "Solver.CLM.MetFileName": "weather.txt",
    "Solver.CLM.MetFilePath": ".",
    "Solver.CLM.RZWaterStress": 1,
}
"""The same with ParFlow-CLM."""

CLMIN = """! comment
vclass         2                       IGBP
vegtf          drv_vegm.dat            map
startcode      2
sss            00
smn            00
shr            06
sda            01
smo            07
syr            2001
t_ini          295.                    K
forc_hgt_u     50.0
forc_hgt_t     40.0
forc_hgt_q     40.0
qflx_tran_vegmx-9999.0                 no blank before the value
"""


def vegetation_map(cover: int = 10, nx: int = NX, ny: int = NY, other: int | None = None, share: float = 0.7) -> str:
    """Return a ``drv_vegm`` file with one class, or with a share of it and the rest another."""
    lines = ["  x  y   lat     lon    sand clay color  fractions", "  (Deg) (Deg) (%/100) index 1 2 3"]
    for y in range(1, ny + 1):
        for x in range(1, nx + 1):
            fractions = [0.0] * 18
            fractions[cover - 1] = 1.0 if other is None else share
            if other is not None:
                fractions[other - 1] = 1.0 - share
            lines.append(f"{x} {y} {30 + 0.01 * y:.2f} -98.1 0.4 0.2 2 " + " ".join(map(str, fractions)))
    return "\n".join(lines) + "\n"


def weather(hours: int) -> np.ndarray:
    """Return a summer's day: shortwave, longwave, rain, temperature, winds, pressure, humidity by hour."""
    t = np.arange(hours)
    sun = np.maximum(0.0, np.sin(np.pi * (t % 24 - 6) / 14))
    rain = np.where(t == 2, 2e-3, 0.0)
    constant = [np.full(hours, value) for value in (2.0, -1.0, 9.8e4, 0.010)]
    return np.column_stack([800 * sun, np.full(hours, 380.0), rain, 293 + 8 * sun, *constant])


@dataclass
class ParflowRun:
    """A run definition that a test changes in some places, and its import."""

    folder: Path
    keys: dict[str, Any] = field(default_factory=lambda: dict(KEYS))

    @property
    def output(self) -> Path:
        return self.folder.parent / "imported"

    def with_clm(self, clmin: str = CLMIN, vegm: str | None = None, hours: int = 30) -> "ParflowRun":
        self.keys |= CLM
        (self.folder / "drv_clmin.dat").write_text(clmin)
        (self.folder / "drv_vegm.dat").write_text(vegm or vegetation_map())
        np.savetxt(self.folder / "weather.txt", weather(hours), fmt="%.8g")
        return self

    def pfb(self, name: str, values: Any, shape: tuple[int, ...] = SHAPE) -> str:
        write_pfb(str(self.folder / name), np.array(np.broadcast_to(values, shape), dtype=float), dist=False)
        return name

    def write(self, kind: str = "pfidb") -> Path:
        path = self.folder / f"case.{kind}"
        if kind == "pfidb":
            write_dict_as_pfidb(self.keys, str(path))
        else:
            write_dict_as_yaml(self.keys, str(path))
        return path

    def __call__(self, *arguments: str, kind: str = "pfidb") -> Result:
        given = ["--from-parflow", str(self.write(kind)), "--output", str(self.output), *arguments]
        return CliRunner().invoke(main, given)

    def imported(self, *arguments: str) -> Result:
        result = self(*arguments)
        assert result.exit_code == 0, result.output
        return result

    def yaml(self, name: str) -> Any:
        return yaml.safe_load((self.output / f"{name}.yaml").read_text())

    def domain(self) -> Domain:
        return Domain.load(load_config(self.output / "domain.yaml", DomainConfig))

    def run(self, *arguments: str, file: Path | None = None, to: str = "results") -> xr.Dataset:
        folder = self.folder.parent / to
        given = [str(file or self.output / "coupled.yaml"), "--output", str(folder), "--set", "figures=false"]
        result = CliRunner().invoke(main, [*given, *arguments])
        assert result.exit_code == 0, result.output
        files = [xr.load_dataset(folder / name) for name in ("hourly.nc", "states.nc")]
        return xr.merge(files, compat="override", join="outer")


ISLANDS = np.array([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 1]], dtype=bool)
"""A hole, and a column that only touches the rest."""


def with_solid(run: ParflowRun, mask: np.ndarray = ISLANDS, dx: float = 1000.0, height: float = 0.5 * NZ) -> ParflowRun:
    """Make the domain that of a solid with three patches."""
    write_solid(run.folder / "basin.pfsol", mask, dx, 500.0, height)
    for key in [k for k in run.keys if k.startswith(("Patch.", "Geom.domain.Lower", "Geom.domain.Upper"))]:
        del run.keys[key]
    del run.keys["GeomInput.box_input.GeomName"]
    run.keys |= {
        "GeomInput.box_input.InputType": "SolidFile",
        "GeomInput.box_input.GeomNames": "domain",
        "GeomInput.box_input.FileName": "basin.pfsol",
        "Geom.domain.Patches": "ground base walls",
        "BCPressure.PatchNames": "walls base ground",
        "Geom.domain.ICPressure.RefPatch": "base",
        "Geom.domain.ICPressure.Value": 4.0,
        **{f"Patch.{p}.BCPressure.Type": "FluxConst" for p in ("base", "walls")},
        "Patch.ground.BCPressure.Type": "OverlandKinematic",
        **{f"Patch.{p}.BCPressure.Cycle": "constant" for p in ("ground", "base", "walls")},
        **{f"Patch.{p}.BCPressure.alltime.Value": 0.0 for p in ("ground", "base", "walls")},
    }
    return run
