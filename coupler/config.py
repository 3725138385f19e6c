"""The run's configuration, ``coupled.yaml``."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from bmi_common.config import CalendarTime, Config, Document, OutputPath, folders, read_yaml, require_name, validate
from bmi_common.durations import Duration, add_period, describe, divides
from bmi_common.errors import ConfigError, ConfigErrors, Mistakes
from bmi_common.zarr_file import SUFFIX
from coupler.animation_config import Animation
from coupler.component_config import ComponentConfig
from coupler.error_control.config import Action, ErrorControlConfig
from coupler.report_config import Report
from coupler.settings import apply_setting


class Method(StrEnum):
    """How the values of several steps of a source become one value for its target."""

    HOLD = "hold"
    MEAN = "mean"
    SUM = "sum"
    LINEAR = "linear"


class Endpoint(Config):
    """One variable of one component, written ``component.variable``."""

    component: str
    variable: str

    @model_validator(mode="before")
    @classmethod
    def _split(cls, data: Any) -> Any:
        if isinstance(data, str):
            component, dot, variable = data.partition(".")
            if not dot or not component or not variable:
                raise ValueError(f"{data!r} must be written as component.variable")
            return {"component": component, "variable": variable}
        return data

    def __str__(self) -> str:
        return f"{self.component}.{self.variable}"


def _naive_utc(value: datetime) -> datetime:
    # forcing and the land's sun are in UTC; mixed zones would shift them silently
    if value.tzinfo is not None:
        raise ValueError("write the time without a zone; all times are UTC")
    return value


UtcTime = Annotated[CalendarTime, AfterValidator(_naive_utc)]


class TimeConfig(Config):
    """Period of the run (UTC) and its coupling step."""

    start: UtcTime
    end: UtcTime
    step: Duration

    @model_validator(mode="after")
    def _whole_steps(self) -> TimeConfig:
        if self.end <= self.start:
            raise ValueError(f"end {self.end:%Y-%m-%dT%H:%M} must be after start {self.start:%Y-%m-%dT%H:%M}")
        length = self.end - self.start
        if not divides(self.step, length):
            whole = self.start + self.step * (length // self.step)
            ends = [f"{t:%Y-%m-%dT%H:%M}" for t in (whole, whole + self.step) if t > self.start]
            raise ValueError(
                f"the period is no whole number of steps of {describe(self.step)}; end at {' or '.join(ends)}"
            )
        return self

    @property
    def steps(self) -> int:
        """Number of coupling steps."""
        return (self.end - self.start) // self.step


class ExchangeConfig(Config):
    """One variable handed from one component to another before the target's step."""

    source: Annotated[Endpoint, Field(alias="from")]
    target: Annotated[Endpoint, Field(alias="to")]
    method: Method | None = None
    match: Literal["coordinates", "index"] = "coordinates"
    fill: Annotated[float, Field(allow_inf_nan=False)] | Literal["nearest"] | None = None


BALANCE_FILE = "water_balance.nc"
CONTROL_FILE = "error_control.nc"
DECISIONS_FILE = "error_control.json"
STATE_FILE = "initial_state.nc"
STATES = "spun_up"
"""Folder of the components' state files at the end of a spin-up."""
CHECKPOINTS = "checkpoints"
"""Folder of the checkpoints."""


_ENDINGS: Mapping[str, Literal["netcdf", "zarr"]] = {".nc": "netcdf", SUFFIX: "zarr"}


def _output_file(value: str) -> str:
    if not re.fullmatch(r"[^/\\]+\.(nc|zarr)", value):
        raise ValueError(
            f"{value!r} must be a plain file name that ends in .nc (NetCDF) or .zarr (Zarr); the folder is chosen by "
            "--output"
        )
    require_name(value)
    _require_short(value)
    if Path(value.casefold()).stem in (Path(name).stem for name in (BALANCE_FILE, CONTROL_FILE, STATE_FILE)):
        raise ValueError(
            f"{Path(value).stem}.nc is written by every run that has a water balance, error control or spin-up; choose "
            "another name"
        )
    return value


class OutputConfig(Config):
    """One NetCDF file or Zarr store of the run."""

    file: Annotated[str, AfterValidator(_output_file)]
    format: Literal["netcdf", "zarr"] | None = None
    every: Duration
    variables: Annotated[list[Endpoint], Field(min_length=1)]
    method: Literal["mean", "point"] = "mean"
    precision: Literal["single", "double"] = "single"
    compression: Literal["zstd", "zlib", "none"] = "zstd"
    significant_digits: Annotated[int, Field(ge=1, le=15)] | None = None

    @property
    def is_store(self) -> bool:
        """Whether it is a Zarr store, which is a folder."""
        return _ENDINGS[Path(self.file).suffix] == "zarr"

    @model_validator(mode="after")
    def _format_of_the_ending(self) -> OutputConfig:
        if self.format not in (None, _ENDINGS[Path(self.file).suffix]):
            ending = next(ending for ending, kind in _ENDINGS.items() if kind == self.format)
            raise ValueError(f"format {self.format}, but {self.file} does not end in {ending}; the ending decides")
        return self

    @model_validator(mode="after")
    def _digits_that_the_numbers_have(self) -> OutputConfig:
        most = 7 if self.precision == "single" else 15
        if self.significant_digits is not None and self.significant_digits > most:
            raise ValueError(
                f"{self.significant_digits} significant_digits in {self.precision} precision, which has {most}"
            )
        return self

    @model_validator(mode="after")
    def _variables_once(self) -> OutputConfig:
        for end in self.variables:
            if self.variables.count(end) > 1:
                raise ValueError(f"{end} stands twice among the variables of {self.file}")
        return self


class WaterBalanceConfig(Config):
    """Limit of the water balance residual of the interface, relative to the water turned over in a step."""

    tolerance: Annotated[float, Field(gt=0)] = 1.0e-6
    action: Literal[Action.STOP, Action.WARN] = Action.STOP


def _low_to_high(value: tuple[float, float]) -> tuple[float, float]:
    if not value[0] < value[1]:
        raise ValueError(f"the range [{value[0]:g}, {value[1]:g}] must go from its lower to its upper limit")
    return value


class ChecksConfig(Config):
    """Checks while running."""

    water_balance: WaterBalanceConfig | None = None
    ranges: dict[str, Annotated[tuple[float, float], AfterValidator(_low_to_high)]] = {}


def _period(value: str) -> str:
    add_period(datetime(2001, 1, 1), value)  # raises ValueError
    return value


class SpinUpUntil(Config):
    """When a spin-up ends: storage change over one repetition, as a fraction of the net source taken up."""

    storage_change: Annotated[float, Field(gt=0)]


def _until(value: Any) -> Any:
    return {"storage_change": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


class SpinUpConfig(Config):
    """Repetition of the first part of the run's period before the run itself starts.

    ``years: N`` stands for ``repeat: P1Y, max: N``, a number at `until` for its `storage_change`; without `until` the
    period is repeated `max` times.
    """

    years: Annotated[int, Field(ge=1, le=1000)] | None = None
    repeat: Annotated[str, AfterValidator(_period)]
    max: Annotated[int, Field(ge=1, le=1000)]
    until: Annotated[SpinUpUntil | None, BeforeValidator(_until)] = None

    @model_validator(mode="before")
    @classmethod
    def _from_years(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("years") is None:
            return data
        for key in ("repeat", "max"):
            if key in data:
                raise ValueError(f"give either years or repeat and max, not years and {key}")
        years = data["years"]
        return {**data, "repeat": "P1Y", "max": years if isinstance(years, int) and 1 <= years <= 1000 else 1}


class CheckpointConfig(Config):
    """How often everything is saved that a restart needs, and how many checkpoints stay."""

    every: Duration
    keep: Annotated[int, Field(ge=1)] = 2


_TAKEN_NAMES = {
    "coupler": "checkpoints and the table of times have an entry of that name",
    "output": "the table of times has an entry of that name",
    "checkpoint": "the table of times has an entry of that name",
    "root_zone": "a coordinate of output files has that name",
}
_LONGEST_NAME = 100


def _component_name(name: str) -> str:
    if not name.isidentifier():
        raise ValueError(f"the component name {name!r} must be a plain word")
    require_name(name)
    if name.casefold() in _TAKEN_NAMES:
        raise ValueError(f"no component can be called {name}: {_TAKEN_NAMES[name.casefold()]}; choose another name")
    _require_short(name)
    return name


def _require_short(name: str) -> None:
    if len(name.encode(errors="surrogateescape")) > _LONGEST_NAME:
        raise ValueError(f"{name[:40]}… is longer than {_LONGEST_NAME} bytes, too long for names of files; shorten it")


def _alike(key: str, names: list[str]) -> Iterator[_Told]:
    # many file systems do not tell capitals from small letters
    spelled: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        spelled.setdefault(name.casefold(), []).append(name)
    for same in spelled.values():
        if len(same) > 1:
            yield key, f"{' and '.join(same)} differ in capitals only, their files not everywhere"


_Told = tuple[str, str]
"""Key and message of a mistake."""

ComponentName = Annotated[str, AfterValidator(_component_name)]


def _listed(value: Any) -> Any:
    return [] if value is None else value


def _two_numbers(value: Any) -> Any:
    if value is None or (isinstance(value, list | tuple) and len(value) == 2):
        return value
    raise ValueError(
        "two numbers are needed, parts from west to east and parts from south to north, such as [4, 2]; "
        f"got {str(value)[:80]}"
    )


Parts = Annotated[int, Field(ge=1)]


class MpiConfig(Config):
    """How processes that ``mpiexec`` starts share the run.

    The `decomposition` is how many parts the domain has from west to east and from south to north; by default those
    with the shortest edges. A process that waits longer than `timeout` for another one aborts all.
    """

    decomposition: Annotated[tuple[Parts, Parts] | None, BeforeValidator(_two_numbers)] = None
    timeout: Duration = timedelta(hours=1)


class RunConfig(Config):
    """All of ``coupled.yaml``."""

    paths: dict[str, str] = {}
    title: str = ""
    folder: OutputPath | None = None
    time: TimeConfig
    components: Annotated[dict[ComponentName, ComponentConfig], Field(min_length=1)]
    order: list[str]
    exchanges: Annotated[list[ExchangeConfig], BeforeValidator(_listed)] = []
    output: Annotated[list[OutputConfig], BeforeValidator(_listed)] = []
    checks: ChecksConfig = ChecksConfig()
    spin_up: SpinUpConfig | None = None
    checkpoint: CheckpointConfig | None = None
    error_control: ErrorControlConfig | None = None
    figures: bool = False
    animation: Animation = None
    report: Report = None
    mpi: MpiConfig = MpiConfig()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _parts_agree(self) -> RunConfig:
        found = [
            *self._not_once_in_the_order(),
            *self._of_unknown_components(),
            *self._files_written_twice(),
            *self._targets_supplied_twice(),
            *self._in_no_whole_steps(),
        ]
        if found:
            raise ConfigErrors(ConfigError(message, key=key) for key, message in found)
        return self

    def _not_once_in_the_order(self) -> Iterator[_Told]:
        names = list(self.components)
        named = {*self.order, *(name for name, spec in self.components.items() if spec.static)}  # these make no steps
        if sorted(named) != sorted(names) or len(set(self.order)) < len(self.order):
            yield "order", f"must name each component once: {', '.join(names)}; got {', '.join(self.order)}"

    def _of_unknown_components(self) -> Iterator[_Told]:
        ends = [
            (f"exchanges.{i}.{side}", end)
            for i, x in enumerate(self.exchanges)
            for side, end in (("from", x.source), ("to", x.target))
        ]
        ends += [(f"output.{i}.variables", v) for i, o in enumerate(self.output) for v in o.variables]
        for key, end in ends:
            if end.component not in self.components:
                near = difflib.get_close_matches(end.component, self.components, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"components: {', '.join(self.components)}"
                yield key, f"no component {end.component!r}; {hint}"

    def _files_written_twice(self) -> Iterator[_Told]:
        for file, count in Counter(o.file for o in self.output).items():
            if count > 1:
                yield "output", f"{'two' if count == 2 else count} entries write {file}"
        files = dict.fromkeys(o.file for o in self.output)
        for stem in dict.fromkeys(Path(file).stem.casefold() for file in files):
            same = [file for file in files if Path(file).stem.casefold() == stem]
            if len({Path(file).suffix for file in same}) > 1:  # figures have the name without the ending
                yield "output", f"{' and '.join(same)} differ in their endings only; call one something else"
        yield from _alike("output", list(files))
        yield from _alike("components", list(self.components))

    def _targets_supplied_twice(self) -> Iterator[_Told]:
        sources: dict[str, str] = {}
        for i, x in enumerate(self.exchanges):
            target = str(x.target)
            if target in sources:
                yield f"exchanges.{i}", f"{target} is supplied twice, from {sources[target]} and {x.source}"
            sources[target] = str(x.source)

    def _in_no_whole_steps(self) -> Iterator[_Told]:
        step = self.time.step
        lengths = [(f"output.{i}.every", o.every) for i, o in enumerate(self.output)]
        if self.checkpoint:
            lengths.append(("checkpoint.every", self.checkpoint.every))
        if self.error_control:
            lengths += [(f"error_control.{key}", length) for key, length in self.error_control.lengths.items()]
        for key, length in lengths:
            if not divides(step, length):
                yield key, f"{describe(length)} is no whole number of coupling steps of {describe(step)}"
        if self.spin_up:
            length = add_period(self.time.start, self.spin_up.repeat) - self.time.start
            if length <= timedelta(0) or not divides(step, length):
                told = f"{self.spin_up.repeat} is no whole number of coupling steps of {describe(step)}"
                yield "spin_up.repeat", told

    @property
    def last_time(self) -> datetime:
        """Latest time (UTC) that a component reaches, in the run or in its spin-up."""
        start, end = self.time.start, self.time.end
        return end if self.spin_up is None else max(end, add_period(start, self.spin_up.repeat))


class RunParts(Config):
    """Sections of a ``coupled.yaml`` that can be understood by themselves, where the whole cannot."""

    paths: dict[str, str] = {}
    time: TimeConfig | None = None
    components: dict[ComponentName, ComponentConfig] = {}


@dataclass(frozen=True)
class LoadedRun:
    """A validated run with what is needed to explain and to repeat it.

    Attributes
    ----------
    config : RunConfig
        The validated content.
    document : Document
        The file's data with the settings of the command line, and its lines.
    named : dict
        Folders of ``paths:``, absolute.
    """

    config: RunConfig
    document: Document
    named: dict[str, Path]


def load_run(path: Path, settings: Sequence[str] = ()) -> LoadedRun:
    """Read ``coupled.yaml`` and apply ``key=value`` settings of the command line.

    A setting's key is a dotted path into the file. A component's name may stand for ``components.<name>`` and a
    name under ``paths:`` for ``paths.<name>``; folders given so are relative to the working directory. See
    `coupler.settings.apply_setting`.

    Raises
    ------
    UnsoundRun
        If the file could be read, but says what cannot be; naming file, line and key, or the setting.
    ConfigError
        If it cannot be read.
    """
    document = read_yaml(path)
    if not isinstance(document.data, dict):
        raise ConfigError("expected keys and values at the top", file=path)
    mistakes = Mistakes()
    for setting in settings:
        with mistakes.noted():
            apply_setting(document, setting, RunConfig.model_fields)
    with mistakes.noted():
        _, named = folders(document, {})
        with mistakes.noted():
            require_folders(document, named)
        config = validate(document, RunConfig, {})
    if mistakes.found:
        raise UnsoundRun(mistakes.found, document)
    return LoadedRun(config, document, named)


def require_folders(document: Document, named: Mapping[str, Path]) -> None:
    """Refuse folders of ``paths:`` that are not there: every file in them would be missed one by one.

    Raises
    ------
    ConfigError
        For each of them.
    """
    mistakes = Mistakes()
    for name, folder in named.items():
        if not folder.exists():
            mistakes.note(document.error(("paths", name), f"no such folder: {folder}"))
    mistakes.require_none()


class UnsoundRun(ConfigErrors):
    """Mistakes in ``coupled.yaml``.

    Attributes
    ----------
    document : Document
        The file.
    """

    def __init__(self, mistakes: Iterable[ConfigError], document: Document) -> None:
        super().__init__(mistakes)
        self.document = document
