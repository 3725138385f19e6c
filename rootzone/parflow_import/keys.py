"""Keys that no reader asks for: what has no effect on the result, and what stands for physics this package lacks."""

from __future__ import annotations

import re
from typing import Final

from rootzone.parflow_import.database import unknown_keys
from rootzone.parflow_import.definition import Definition
from rootzone.parflow_import.notices import Notes

_WITHOUT_EFFECT: Final = re.compile(
    r"FileVersion|Process\..*|KnownSolution.*|Metadata\..*|UseClustering|NetCDF\..*|DistributeInputs.*|User.*"
    r"|Solver\.(Linear|Nonlinear|SILO|OverlandDiffusive|SurfacePredictor)(\..*)?"
    r"|Solver\.(Print|Write).*|Solver\.OverlandKinematic\.SeepageOne"
    r"|Solver\.(AbsTol|RelTol|Drop|DropTol|MaxIter|MaxConvergenceFailures|CFL|AdvectOrder|SadvectOrder|MaxLevels"
    r"|MaxMin\w*|CoarseSolve|BoxSizePowerOf2|DiagScale|DiagSolver|Jacobian|NonlinearSolver|PolyDegree|PolyPC|RAPType"
    r"|Smoother|Symmetric|TwoNorm|Weight|CompCompress|Beta\w+)"
    r"|Solver\.CLM\.(Print|Write|OverwriteDrv).*"
    r"|Solver\.CLM\.(BinaryOutDir|CLMFileDir|CLMDumpInterval|SingleFile|DailyRST|MetFileNT|FstepStart)"
    r"|OverlandFlowSpinUp(DampP[12])?"
    # what only matters to a type, a name or a switch that has been looked at
    r"|(Geom|GeomInput|Domain|Cycle|Cell|dzScale|Patch|BCSaturation|Phase|TimeStep|Perm)\..*"
    r"|(TopoSlopes[XY]|Mannings|SpecificStorage|ICPressure|InternalBC)\..*"
)
"""Keys of ParFlow that change the solver's effort or the output, and settings that nothing refers to."""

_TRUE_MEANS: Final = {
    "NetCDF.EvapTransFileTransient": "sources from a NetCDF file; give them as PFB files (EvapTransFileTransient), or "
    "as `sources:` of groundwater.yaml after the import",
    "Solver.SlopeAccountingCLM": "radiation on slopes; here the ground is level for the sun",
    "Solver.Spinup": "a mode that lets no water stay on the surface",
    "Solver.OverlandFlowSpinUp": "a mode that lets no water stay on the surface",
    "OverlandFlowDiffusive": "the diffusive wave; here overland flow is the kinematic wave",
}
_NAMES_MEAN: Final = {
    "Contaminants.Names": "solute transport",
    "Reservoirs.Names": "reservoirs",
    "InternalBC.Names": "heads that are held inside the domain",
}
_BELOW: Final = {
    "Contaminants.Names": ("Contaminants", "PhaseConcen", "Geom.Retardation"),
    "Reservoirs.Names": ("Reservoirs",),
}
"""Groups of keys that say nothing without the switch or list above them."""


def check_solver(definition: Definition, notes: Notes) -> None:
    """Look at the switches of physics that this package does not have.

    Raises
    ------
    ConfigError
        If the solver is not that of Richards' equation.
    """
    definition.choice("Solver", ("Richards",), "Impes")
    for key, meaning in _TRUE_MEANS.items():
        if definition.flag(key):
            notes.refuse(key, f"{meaning} (ignored: without)")
    for key, meaning in _NAMES_MEAN.items():
        names = definition.names(key, "")
        if names:
            notes.refuse(key, f"{meaning}: {', '.join(names)} (ignored: without)")
    for groups in _BELOW.values():
        for group in groups:
            definition.use(*definition.below(group))
    _check_capillarity(definition, notes)
    _pass_over_channel_widths(definition, notes)
    if definition.flag("Solver.ResetSurfacePressure"):
        notes.notice("Solver.ResetSurfacePressure: no surface pressure is reset here, which would destroy water")
    definition.use(*definition.below("Solver.ResetSurfacePressure"))
    floor = definition.number("Solver.OverlandKinematic.Epsilon", 1.0e-5)
    if floor != 1.0e-5:
        notes.notice(f"Solver.OverlandKinematic.Epsilon {floor:g}: here the least friction slope is 1e-05")


def _pass_over_channel_widths(definition: Definition, notes: Notes) -> None:
    """ParFlow reads and prints the widths of channels, its overland flow does not use them (manual of version 3.15)."""
    switches = [f"Solver.Nonlinear.ChannelWidthExist{axis}" for axis in "XY"]
    if any(definition.flag(key) for key in switches):
        notes.notice("ChannelWidthX, ChannelWidthY: as in ParFlow, overland flow does not use the widths of channels")
    definition.use(*switches, *definition.below("ChannelWidthX"), *definition.below("ChannelWidthY"))


def _check_capillarity(definition: Definition, notes: Notes) -> None:
    for key in [*definition.below("CapPressure")]:
        if key.endswith(".Value") and definition.number(key) != 0.0:
            notes.refuse(key, "capillary pressure between phases (ignored: without)")
    definition.use(*definition.below("CapPressure"))


def check_rest(definition: Definition, notes: Notes) -> None:
    """Pass over keys that ParFlow does not have, or that have no effect on the result; refuse those that are left."""
    unused = definition.unused
    notes.unread += sorted(unknown_keys(definition, unused))
    for key in unused:
        if key in notes.unread:
            continue
        if _WITHOUT_EFFECT.fullmatch(key):
            notes.passed_over.append(key)
        else:
            notes.refuse(key, "the import does not know what this key means (ignored: nothing is done about it)")
