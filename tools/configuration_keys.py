"""Write the page of the run's configuration, docs/configuration.md, from the models that validate it."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
import page
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bmi_common import FieldConfig
from bmi_common.config import OutputPath
from bmi_common.durations import describe
from bmi_surrogate.config import SurrogateSection
from coupler.component_config import ComponentConfig
from coupler.config import Endpoint, RunConfig, SpinUpUntil

WORDS: Mapping[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "`true` or `false`",
    timedelta: "length of time",
    datetime: "time",
    Path: "existing file or folder",
    Any: "any value",
    type(None): "",
}
"""How types are called in the table."""

MODELS: Mapping[type[BaseModel], str] = {
    Endpoint: "`component.variable`",
    ComponentConfig: "component (keys as under `components`)",
    SpinUpUntil: "number, or `{storage_change: number}`",
    FieldConfig: "field (a number, a file, or a variable of a file)",
}
"""Models that stand in one line and are described elsewhere."""

SIGNS = (
    (">", annotated_types.Gt, "gt"),
    ("≥", annotated_types.Ge, "ge"),
    ("<", annotated_types.Lt, "lt"),
    ("≤", annotated_types.Le, "le"),
)

MEANINGS: Mapping[str, str] = {
    "paths": "folders by name, for use as `${name}` in this file and in those that it names",
    "title": "of the run, in its files and on the screen",
    "folder": "of the run where no `--output` names one, relative to the file; else `output/<name of the file>`",
    "time.start": "start of the run, BMI time 0 of all components",
    "time.end": "end of the run, a whole number of steps later",
    "time.step": "coupling step; the steps of all components must divide it",
    "components.<name>.class": "`package:Class` of a BMI class, whatever Python can import; needed without `grpc`",
    "components.<name>.grpc": "`host:port` of a grpc4bmi server that has the component; in the place of `class`",
    "components.<name>.isolate": "give the class a process of its own",
    "components.<name>.timeout": "how long a call to a component in another process (`isolate`, `grpc`) may take "
    "before the run ends with a message; without it, any time",
    "components.<name>.static": "its values never change: it has no clock, no steps and needs no place in `order`",
    "components.<name>.config": "configuration file, handed to `initialize`",
    "components.<name>.options": "values that replace those of that file, key by key, in a copy made for the run",
    "components.<name>.replace": "sections of `options`, such as `[forcing]`, that take the place of the whole section "
    "of that file instead of being merged into it",
    "order": "all components that are not static, in the order in which they step",
    "exchanges[].from": "where the values come from",
    "exchanges[].to": "the input (or settable state) that they go to, before the target's step",
    "exchanges[].method": "how several steps of the source become one value. Needed for a flux if the source makes "
    "several steps in a coupling step; else `hold`, the last value",
    "exchanges[].match": "which cells belong together: those at the same `coordinates`, or those of the same `index`, "
    "whatever the coordinates say",
    "exchanges[].fill": "what stands in for cells that the source has no values in and the target needs: a number in "
    "the target's units, or the value of the `nearest` cell of the layer",
    "output[].file": "a plain name; one that ends in `.nc` is a NetCDF file, one in `.zarr` a "
    "[Zarr store](coupling.md#netcdf-or-zarr)",
    "output[].format": "what the ending of the name says already; another is refused",
    "output[].every": "interval of the records, a whole number of coupling steps",
    "output[].variables": "what it holds",
    "output[].method": "`mean` over the interval, all steps of the component in it, or the values at its end (`point`)",
    "output[].compression": "of the fields in the file. `zstd` writes four times as fast as `zlib`, which stands in "
    "where the NetCDF library here lacks it and nothing is said. To read it takes netCDF-C 4.9 or later with its "
    "plug-ins, as xarray with netCDF4, NCO and CDO of today have them; write `zlib` for older readers. A Zarr "
    "store has either within Blosc, which every reader of Zarr has",
    "output[].precision": "of the numbers in the file",
    "output[].significant_digits": "decimal digits that are kept of each number, so that the file is smaller (5 of a "
    "depth of 31.4159 m: 31.416); all without it. Needs netCDF-C 4.9 to write, nothing to read",
    "checks.water_balance.tolerance": "limit of the residual, over the water turned over in the step",
    "checks.water_balance.action": "what an excess does: the run ends (exit code 1), or a warning is logged",
    "checks.ranges": "`[lowest, highest]` by `component.variable`, in its units; goes before the component's own",
    "spin_up.years": "short for `repeat: P1Y, max: N`",
    "spin_up.repeat": "the first part of the period, repeated before the run: `P1Y`, `30d`; needed without `years`",
    "spin_up.max": "most repetitions; needed without `years`",
    "spin_up.until": "ends the spin-up when the storage change of a repetition is below this fraction of the "
    "net source; without it, `max` repetitions are made",
    "checkpoint.every": "interval of the checkpoints; one more is written at the end",
    "checkpoint.keep": "how many stay, the newest",
    "figures": "draw maps and series of the output files into `figures/`",
    "animation.format": "of the film; `mp4` needs ffmpeg",
    "animation.start": "begin of what is shown; by default a day before the wettest hour",
    "animation.end": "end of what is shown; by default two days after the wettest hour",
    "animation.frames_per_second": "hours of hourly output a second",
    "report.reference": "run to compare with; by default that of `error_control.segments.restart_from`",
    "report.observations": "[stations with measurements](evaluation.md#beside-measurements) to compare with",
    "report.free_drainage": "run with free drainage, the bound",
    "report.thresholds": "largest acceptable errors with units, such as `{water_table: 0.5m}`",
    "report.precipitation": "weather, if the run does not write it",
    "report.reanalysis": "NetCDF file with `swvl1` and `slhf` of ERA5-Land, to compare with",
    "report.name": "what to call the run in tables and figures; by default as its folder",
    "report.segment_length": "length of the parts that maps and precipitation are given for, whole hours",
    "report.stages": "where the early stage ends and the late one begins, from the start, whole hours; by default "
    "`[2500h, 6000h]` of a year, thirds of another period",
    "mpi.decomposition": "parts of the domain from west to east and from south to north, one for each process that "
    "`mpiexec` starts; by default those with the shortest edges ([mpi.md](mpi.md))",
    "mpi.timeout": "longest wait for another process, which may have died; then all are aborted",
    "seed": "of the random generators of Python, numpy and PyTorch",
    "error_control.segments.length": "from one restart to the next, counted from the start of the run",
    "error_control.segments.restart_from": "folder of a run with states at these times, or a component that goes along",
    "error_control.segments.restart": "what takes the reference's state up",
    "error_control.audit.component": "the physics that runs beside the surrogate for a window",
    "error_control.audit.every": "from the start of one window to the start of the next; the first starts with the run",
    "error_control.audit.window": "length of a window, at most `every`",
    "error_control.audit.thresholds": "limits of the deviation in the worst step of a window, numbers with units by "
    "[quantity](error_control.md#what-is-compared)",
    "error_control.audit.free_drainage": "the bound: goes along all the time; the surrogate must be closer to physics",
    "error_control.audit.action": "what a failed window does",
    "error_control.audit.come_back": "with `switch`: the surrogate is tried again, and takes over when it passes",
    "error_control.residual.limit": "of the residual of the water balance over the water turned over",
    "error_control.residual.over": "steps that count together",
    "error_control.residual.action": "what an excess does",
    "error_control.ensemble.checkpoints": "weights of the members beside the run's own",
    "error_control.ensemble.limits": "of the largest deviation of a member from the run, as `audit.thresholds`",
    "error_control.ensemble.action": "what an excess does",
    "surrogate.checkpoint": "trained weights, and what belongs to them; needed without `architecture: structured`",
    "surrogate.architecture": "that of the checkpoint; `structured` may stand without one: a solver in tensors that "
    "has learned nothing",
    "surrogate.refinements": "without a checkpoint: solves of an hour after the first one, by default as many as with "
    "the weights of the demo basin; a checkpoint has its own number",
    "surrogate.format": "of the checkpoint: `published` (a PyTorch pickle) or our own; `auto` looks",
    "surrogate.statistics": "statistics of pressure and source, for the published format",
    "surrogate.statics": "static channels, if the domain's are not those of the network",
    "surrogate.statics_statistics": "compute those that the published format lacks from this domain, which must be the "
    "one of the training",
    "surrogate.tile": "side of the tiles in cells, or the whole domain at once; else as trained",
    "surrogate.overlap": "pressure where tiles overlap: each tile its own, or the mean for all",
    "surrogate.device": "`auto` takes CUDA where there is one, else the CPU; or a name that PyTorch knows",
    "surrogate.threads": "on a CPU; else PyTorch's choice, or with `engine: compiled` all, but one for every 500 "
    "columns at most",
    "surrogate.engine": "of the structured surrogate: the kernel, for CPUs, or PyTorch; else the kernel on a CPU, "
    "PyTorch on another device",
    "surrogate.compile": "compile the step of a PredRNN; takes about a minute",
    "surrogate.precision": "of weights and states of a PredRNN",
}
"""What each key means; `all_keys` gives the keys that there are."""

NOTES: Mapping[str, str] = {
    "error_control": "Any of the four may stand alone; what they do: [error_control.md](error_control.md).",
    "animation": "Water table and rain through a storm as a film, `figures/water_table.gif`; `animation: true` takes "
    "all defaults. It needs an output with the water table, best hourly.",
    "report": "An evaluation at the end of the run, into `report/` of its folder ([evaluation.md](evaluation.md)). "
    "`report: true` takes all defaults.",
    "surrogate": "This section stands in the file of `bmi_surrogate:BmiSurrogate` (`components.<name>.config`), the "
    "others in that of the run. What it chooses from: [surrogate.md](surrogate.md).",
}
"""What is said below the table of a section."""

INTRODUCTION = """# The run's file

All keys of `coupled.yaml`. A key that does nothing is refused, with file, line and the nearest known key; so is
anything that does not fit, before the run starts (`bmi-run coupled.yaml --check` checks and runs nothing).
`cfg/coupled.yaml` is the pattern. The components' own files are described in [land.md](land.md),
[groundwater.md](groundwater.md), [surrogate.md](surrogate.md) and [parflow.md](parflow.md).

- Times are written `2019-10-01T00:00` and are UTC. A *length of time* is `30min`, `1h`, `7d` or `2w`.
- Paths are relative to the file that names them. `relative_to: folder`, at the top of any file, makes them start there.
- `[]` stands for each entry of a list, `<name>` for a name of your choice.
- A value of the command line goes before the file's: `--set time.end=2019-10-03T00:00`,
  `--set land.options.threads=2` (a component's name stands for `components.<name>`), `--set output.0.every=6h`.
  The value is YAML and becomes all that the key holds: `--set 'report={}'` replaces the section, and so does
  `--set 'land.options.forcing={type: external}'` in the land's file; a longer key,
  `--set land.options.forcing.cycle=true`, changes one entry of it. A part of a key that has dots itself is written in
  double quotes. Folders under `paths` and the file of a component (`--set land.config=my_land.yaml`) are relative to
  the working directory; files named in any other value are relative to the file that the value goes into.
- In a section that is left out, nothing is needed. A *default* "needed" says what a section cannot do without.
"""


@dataclass(frozen=True)
class Key:
    """One key of the configuration: where it stands, and what its model says of it."""

    path: str
    type: str
    default: str


def all_keys() -> Iterator[Key]:
    """Yield all keys of the run's file, and those of the section of the surrogate."""
    yield from _keys(RunConfig, "")
    yield from _keys(SurrogateSection, "surrogate.")


def _keys(model: type[BaseModel], prefix: str) -> Iterator[Key]:
    """Yield all keys below a model, those of nested models with their dotted path."""
    for name, field in model.model_fields.items():
        path = prefix + (field.alias or name)
        nested, suffix = _nested(field)
        if nested is None:
            yield Key(path, _described(field), _default(field))
        else:
            yield from _keys(nested, f"{path}{suffix}.")


def _nested(field: FieldInfo) -> tuple[type[BaseModel] | None, str]:
    """Return the model that a field's keys belong to, and how an entry of it is written."""
    annotation = _plain(field.annotation)
    if annotation == dict[str, ComponentConfig]:
        return ComponentConfig, ".<name>"
    if get_origin(annotation) is list and _is_section(get_args(annotation)[0]):
        return get_args(annotation)[0], "[]"
    models = [a for a in (*get_args(annotation), annotation) if _is_section(a)]
    return (models[0], "") if models else (None, "")


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in MODELS


def _plain(annotation: Any) -> Any:
    """Return a type without what `Annotated` adds, within containers, too."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) is dict:
        return dict[tuple(_plain(a) for a in get_args(annotation))]  # type: ignore[misc]
    if get_origin(annotation) is list:
        return list[_plain(get_args(annotation)[0])]  # type: ignore[misc]
    return annotation


def _described(field: FieldInfo) -> str:
    return ", ".join([_words(field.annotation), *_limits(field.metadata)])


def _limits(constraints: Iterable[Any]) -> Iterator[str]:
    for constraint in constraints:
        if isinstance(constraint, FieldInfo):
            yield from _limits(constraint.metadata)
        for sign, kind, name in SIGNS:
            if isinstance(constraint, kind):
                limit = getattr(constraint, name)
                yield f"{sign} {limit:g}" if isinstance(limit, float) else f"{sign} {limit}"


def _words(annotation: Any) -> str:
    """Describe a type for people."""
    if annotation == OutputPath:
        return "folder"
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        return ", ".join([_words(inner), *_limits(metadata)])
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{a}`" for a in arguments)
    if origin in (Union, types.UnionType):
        return ", or ".join(words for a in arguments if (words := _words(a)))
    if origin is list:
        return f"list of {_words(arguments[0])}"
    if origin is tuple:
        return f"list of {len(arguments)}: {_words(arguments[0])}"
    if origin is dict:
        return f"{_words(arguments[1])} by name"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f"`{a.value}`" for a in annotation)
    if annotation in MODELS:
        return MODELS[annotation]
    return WORDS[annotation]


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "needed"
    value = field.default
    if value is None or value in ("", [], {}):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, timedelta):
        return f"`{describe(value)}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def text() -> str:
    """Return the page.

    Raises
    ------
    KeyError
        For a key without a meaning in `MEANINGS`.
    """
    sections: dict[str, list[Key]] = {}
    for key in all_keys():
        head = key.path.partition(".")[0].partition("[")[0]
        nested = key.path != head
        sections.setdefault(head if nested else "", []).append(key)
    parts = [INTRODUCTION]
    for head, members in sections.items():
        title = f"`{head}:`" if head else "At the top"
        rows = [(f"`{k.path}`", k.type, k.default, MEANINGS[k.path]) for k in members]
        parts.append(f"## {title}\n\n{page.table(('key', 'type', 'default', 'meaning'), rows)}\n")
        if head in NOTES:
            parts.append(f"{NOTES[head]}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    page.write("configuration.md", "configuration_keys.py", text())
