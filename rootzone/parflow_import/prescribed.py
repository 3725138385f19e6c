"""Sources that a definition gives itself, and flow barriers: what acts in the cells beside the land."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from bmi_common.domain import Limits
from rootzone.parflow_import.definition import Definition, absent
from rootzone.parflow_import.geometry import FieldQuantity, Geometries, Part
from rootzone.parflow_import.notices import Notes
from rootzone.parflow_import.sources import Constant, Floats, Folder, Pfb, Source, simplest
from rootzone.parflow_import.timing import Timing

SOURCES_FILE: Final = "sources.nc"
SOURCES: Final = "source"
"""File and variable of sources that change from step to step."""

_STEADY: Final = "Solver.EvapTransFile"
_TRANSIENT: Final = "Solver.EvapTransFileTransient"
_LOOPING: Final = "Solver.EvapTransFileLooping"
_FILE: Final = "Solver.EvapTrans.FileName"
_BARRIERS: Final = {axis: f"Solver.Nonlinear.FlowBarrier{axis.upper()}" for axis in "xyz"}

_LARGEST: Final = 1.0e30
"""Finite, for messages; whatever is below is taken."""
_BARRIER: Final = FieldQuantity("a flow barrier's factor", Limits("1", 0.0, _LARGEST))
_DEFAULT_BARRIER: Final = 1.0
"""What ParFlow takes in cells of no named geometry."""
_SOURCE: Final = FieldQuantity("a source", Limits("h-1", -_LARGEST, _LARGEST))


@dataclass(frozen=True)
class TransientFiles:
    """Files ``<name>.<step>.pfb`` of sources, one for each step of ParFlow.

    Attributes
    ----------
    definition : Definition
        The run.
    geometries : Geometries
        The cells that the sources act in.
    steps : int
        Steps of the run.
    first : int
        Number of the first file.
    loops : bool
        Whether the files begin again after the last one (``EvapTransFileLooping``).
    """

    definition: Definition
    geometries: Geometries
    steps: int
    first: int
    loops: bool

    def read(self) -> Iterator[Floats]:
        """Yield the sources (nz, ny, nx) [h-1] of each step."""
        for step in range(self.steps):
            file = self._file(self.first + step)
            if self.loops and step > 0 and not file.is_file():
                file = self._file(self.first + step % self.count)
            if not file.is_file():
                raise self.definition.error(
                    _FILE, f"{absent(file)}; the run of {self.steps} steps (TimingInfo) needs one for each"
                )
            yield _source(Pfb(file, self.definition, _FILE), self.geometries)

    @cached_property
    def count(self) -> int:
        """Files that follow each other without a gap, at most one for each step."""
        missing = (n for n in range(self.steps) if not self._file(self.first + n).is_file())
        return next(missing, self.steps)

    def _file(self, number: int) -> Path:
        name = self.definition.location(_FILE)
        return name.with_name(f"{name.name}.{number:05d}.pfb")


@dataclass(frozen=True)
class Prescribed:
    """What acts in the cells, as keys of ``groundwater.yaml``, and the files of transient sources."""

    keys: dict[str, Any]
    transient: TransientFiles | None


def read_prescribed(
    definition: Definition, geometries: Geometries, timing: Timing, folder: Folder, notes: Notes
) -> Prescribed:
    """Read ``EvapTransFile``, ``EvapTransFileTransient``, constant ``PhaseSources`` and flow barriers.

    Raises
    ------
    ConfigError
        For missing files and files of another shape.
    """
    keys: dict[str, Any] = {}
    barriers = _barriers(definition, geometries, folder, notes)
    if barriers:
        keys["barriers"] = barriers
    constant = _phase_source(definition, geometries, notes)
    transient = None
    given = [key for key in (_TRANSIENT, _STEADY) if definition.flag(key)]
    if given:
        if constant is not None:
            notes.refuse("PhaseSources", f"sources of the phase beside {given[0]} (ignored: those of the file alone)")
        if given[0] == _TRANSIENT:
            transient = _transient(definition, geometries, timing, notes)
            keys["sources"] = {"file": SOURCES_FILE, "variable": SOURCES, "interval": timing.groundwater_step}
        else:
            file = Pfb(definition.file(_FILE), definition, _FILE)
            values = _source(file, geometries)
            source: Source = simplest(values, geometries.mask) if geometries.rock.any() else file
            keys["sources"] = folder.in_layers(source.spec("source", "h-1", folder))
        notes.map(f"{_FILE}, {given[0]}", "groundwater.yaml", "sources", how=" [h-1]")
    elif constant is not None:
        keys["sources"] = folder.in_layers(constant.spec("source", "h-1", folder))
        notes.map("PhaseSources", "groundwater.yaml", "sources", how=" [h-1]")
    definition.use(*definition.below("Solver.EvapTrans"), _STEADY, _TRANSIENT, _LOOPING)
    if "sources" in keys and definition.text("Solver.LSM", "none") == "CLM":
        notes.notice(
            f"{(given or ['PhaseSources'])[0]} beside CLM: ParFlow lets one replace the other where both act; here "
            "prescribed sources and those of the land add up"
        )
    return Prescribed(keys, transient)


def _source(file: Pfb, geometries: Geometries) -> Floats:
    """Read sources (nz, ny, nx) [h-1]; in rock, where ParFlow has no cells, there are none."""
    values = geometries.values(Part(geometries.domain, file, file.key), _SOURCE)
    values[geometries.rock] = 0.0
    return values


def _transient(definition: Definition, geometries: Geometries, timing: Timing, notes: Notes) -> TransientFiles:
    first = definition.integer("Solver.CLM.IstepStart", 1) - 1
    files = TransientFiles(definition, geometries, timing.groundwater_steps, first, definition.flag(_LOOPING))
    if files.loops and 0 < files.count < files.steps:
        notes.notice(f"{_LOOPING}: {files.count} files for {files.steps} steps; after the last the first follows again")
    return files


def _barriers(definition: Definition, geometries: Geometries, folder: Folder, notes: Notes) -> dict[str, Any]:
    result = {}
    for axis, switch in _BARRIERS.items():
        group = f"FB{axis}"
        if definition.flag(switch):
            if definition.choice(f"{group}.Type", ("PFBFile", "Constant"), "PFBFile") == "PFBFile":
                key = next(
                    (k for k in (f"Geom.{geometries.domain}.{group}.FileName", f"{group}.FileName") if k in definition),
                    f"Geom.{geometries.domain}.{group}.FileName",
                )
                parts, names_key = [Part(geometries.domain, Pfb(definition.file(key), definition, key), key)], key
            else:
                names_key = f"{group}.GeomNames"
                names = definition.names(names_key, geometries.domain)
                values = {name: f"Geom.{name}.{group}.Value" for name in names}
                parts = [Part(name, Constant(definition.number(key)), key) for name, key in values.items()]
            field = geometries.field(parts, names_key, _BARRIER, default=_DEFAULT_BARRIER)
            result[axis] = folder.in_layers(field.spec(f"barrier_{axis}", "1", folder))
            notes.map(f"{group}, {switch}", "groundwater.yaml", f"barriers.{axis}")
        definition.use(*definition.below(group), *(k for k in definition.below("Geom") if f".{group}." in k))
    return result


def _phase_source(definition: Definition, geometries: Geometries, notes: Notes) -> Source | None:
    """Return the source of the phase [h-1], None if there is none."""
    names = definition.names("Phase.Names", "water")
    own = f"PhaseSources.{names[0] if names else 'water'}"
    definition.use(*definition.below("PhaseSources"))
    kind = definition.text(f"{own}.Type", "Constant")
    if kind != "Constant":
        notes.refuse(f"{own}.Type", f"sources by {kind} (ignored: without)")
        return None
    values = {name: f"{own}.Geom.{name}.Value" for name in definition.names(f"{own}.GeomNames", "")}
    parts = [Part(name, Constant(definition.number(key)), key) for name, key in values.items()]
    if all(part.source == Constant(0.0) for part in parts):
        return None
    return geometries.field(parts, f"{own}.GeomNames", default=0.0)
