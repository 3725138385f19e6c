"""Write the definition of a small ParFlow run: a hillslope under half a day of rain.

    python docs/examples/hillslope.py [FOLDER]

writes ``hillslope.pfidb``, as ParFlow's own Python scripts do.
"""

from __future__ import annotations

import sys
from pathlib import Path

from parflow import Run


def hillslope() -> Run:
    """Return 20 x 10 cells of 50 m that fall westward, five layers, and 20 mm/h of rain in the first 12 of 72 hours."""
    run = Run("hillslope")
    run.FileVersion = 4
    run.Process.Topology.P = run.Process.Topology.Q = run.Process.Topology.R = 1
    run.ComputationalGrid.Lower.X = run.ComputationalGrid.Lower.Y = run.ComputationalGrid.Lower.Z = 0.0
    run.ComputationalGrid.NX, run.ComputationalGrid.NY, run.ComputationalGrid.NZ = 20, 10, 5
    run.ComputationalGrid.DX, run.ComputationalGrid.DY, run.ComputationalGrid.DZ = 50.0, 50.0, 1.0

    run.GeomInput.Names = "box"
    run.GeomInput.box.InputType = "Box"
    run.GeomInput.box.GeomName = "slope"
    run.Geom.slope.Lower.X = run.Geom.slope.Lower.Y = run.Geom.slope.Lower.Z = 0.0
    run.Geom.slope.Upper.X, run.Geom.slope.Upper.Y, run.Geom.slope.Upper.Z = 1000.0, 500.0, 5.0
    run.Geom.slope.Patches = "west east south north bottom top"
    run.Domain.GeomName = "slope"

    run.dzScale.GeomNames = "slope"
    run.dzScale.Type = "nzList"
    run.dzScale.nzListNumber = 5
    for layer, scale in enumerate((3.0, 1.0, 0.6, 0.3, 0.1)):
        run.Cell[str(layer)].dzScale.Value = scale
    run.Solver.Nonlinear.VariableDz = True
    run.Solver.TerrainFollowingGrid = True

    run.Geom.Perm.Names = run.Geom.Porosity.GeomNames = run.SpecificStorage.GeomNames = "slope"
    run.Geom.slope.Perm.Type, run.Geom.slope.Perm.Value = "Constant", 0.01
    run.Perm.TensorType = "TensorByGeom"
    run.Geom.Perm.TensorByGeom.Names = "slope"
    run.Geom.slope.Perm.TensorValX = run.Geom.slope.Perm.TensorValY = run.Geom.slope.Perm.TensorValZ = 1.0
    run.Geom.slope.Porosity.Type, run.Geom.slope.Porosity.Value = "Constant", 0.4
    run.SpecificStorage.Type = "Constant"
    run.Geom.slope.SpecificStorage.Value = 1.0e-4
    for section in (run.Phase.RelPerm, run.Phase.Saturation):
        section.Type, section.GeomNames = "VanGenuchten", "slope"
    run.Geom.slope.RelPerm.Alpha, run.Geom.slope.RelPerm.N = 2.0, 2.0
    run.Geom.slope.Saturation.Alpha, run.Geom.slope.Saturation.N = 2.0, 2.0
    run.Geom.slope.Saturation.SRes, run.Geom.slope.Saturation.SSat = 0.1, 1.0

    run.Phase.Names = "water"
    run.Phase.water.Density.Type, run.Phase.water.Density.Value = "Constant", 1.0
    run.Phase.water.Viscosity.Type, run.Phase.water.Viscosity.Value = "Constant", 1.0
    run.Gravity = 1.0
    run.Phase.water.Mobility.Type, run.Phase.water.Mobility.Value = "Constant", 1.0
    run.PhaseSources.water.Type, run.PhaseSources.water.GeomNames = "Constant", "slope"
    run.PhaseSources.water.Geom.slope.Value = 0.0
    run.Contaminants.Names = run.Wells.Names = ""

    run.TopoSlopesX.Type, run.TopoSlopesX.GeomNames = "Constant", "slope"
    run.TopoSlopesX.Geom.slope.Value = 0.02
    run.TopoSlopesY.Type, run.TopoSlopesY.GeomNames = "Constant", "slope"
    run.TopoSlopesY.Geom.slope.Value = 0.0
    run.Mannings.Type, run.Mannings.GeomNames = "Constant", "slope"
    run.Mannings.Geom.slope.Value = 1.0e-5

    run.TimingInfo.BaseUnit, run.TimingInfo.StartCount = 1.0, 0
    run.TimingInfo.StartTime, run.TimingInfo.StopTime = 0.0, 72.0
    run.TimingInfo.DumpInterval = 1.0
    run.TimeStep.Type, run.TimeStep.Value = "Constant", 1.0

    run.Cycle.Names = "always storm"
    run.Cycle.always.Names, run.Cycle.always.Repeat = "alltime", -1
    run.Cycle.always.alltime.Length = 1
    run.Cycle.storm.Names, run.Cycle.storm.Repeat = "wet dry", -1
    run.Cycle.storm.wet.Length, run.Cycle.storm.dry.Length = 12, 60
    run.BCPressure.PatchNames = run.Geom.slope.Patches
    for patch in ("west", "east", "south", "north", "bottom"):
        run.Patch[patch].BCPressure.Type, run.Patch[patch].BCPressure.Cycle = "FluxConst", "always"
        run.Patch[patch].BCPressure.alltime.Value = 0.0
    run.Patch.top.BCPressure.Type, run.Patch.top.BCPressure.Cycle = "OverlandKinematic", "storm"
    run.Patch.top.BCPressure.wet.Value, run.Patch.top.BCPressure.dry.Value = -0.02, 0.0

    run.ICPressure.Type, run.ICPressure.GeomNames = "HydroStaticPatch", "slope"
    run.Geom.slope.ICPressure.Value = -1.0
    run.Geom.slope.ICPressure.RefGeom, run.Geom.slope.ICPressure.RefPatch = "slope", "top"
    run.KnownSolution = "NoKnownSolution"
    run.Solver = "Richards"
    run.Solver.MaxIter = 1000
    return run


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    hillslope().write(str(folder / "hillslope"), file_format="pfidb")
