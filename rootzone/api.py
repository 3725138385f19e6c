"""The commands as functions: the same work, messages as exceptions, results as objects."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import yaml
from rich.console import Console

from bmi_common import terminal
from bmi_common.calendar import parse_time, to_time
from bmi_common.config import require_names
from bmi_common.errors import ConfigError
from bmi_common.world import current
from coupler.warning_log import keeping_warnings
from rootzone import execution
from rootzone.results import Evaluation, RunResult

if TYPE_CHECKING:
    from bmi_surrogate.training.train import Trained

P = ParamSpec("P")
R = TypeVar("R")

_busy = threading.RLock()


def _one_at_a_time(function: Callable[P, R]) -> Callable[P, R]:
    """Let threads wait for each other: HDF5, the kernels and the log are one for a process, and threads crash HDF5."""

    @functools.wraps(function)
    def alone(*arguments: P.args, **options: P.kwargs) -> R:
        with _busy:
            return function(*arguments, **options)

    return alone


@_one_at_a_time
@keeping_warnings
def run(
    file: str | Path,
    output: str | Path | list[Any] | None = None,
    *,
    overwrite: bool = False,
    quiet: bool = False,
    **settings: Any,
) -> RunResult:
    """Step the BMI components of a file together, as ``bmi-run`` does.

    Parameters
    ----------
    file : path
        ``coupled.yaml``.
    output : path or list, optional
        The run's folder; by default the `folder` of the file, else ``output/<name of the file>``. A list is not a
        folder but the section `output`, the files to write, as for `check` and `restart`; name the folder by `folder`
        then, which is relative to the file.
    overwrite : bool
        Whether the run that the folder holds may be replaced.
    quiet : bool
        Neither progress nor messages, which are in the run's log anyway.
    **settings
        Values in the place of those of the file, by their dotted keys, such as ``**{"time.end": "2019-10-03"}``.
        Strings are read as they would be in the file; what Python knows (numbers, times, lists, mappings) is taken as
        it is.

    Returns
    -------
    RunResult
        The folder, its files as datasets, its figures.

    Raises
    ------
    ConfigError
        For bad input; nothing was computed or overwritten.
    RunFailed
        If the run stops early; what was written until then is readable.
    RunInterrupted
        After an interrupt, with a checkpoint for `restart`.
    """
    if isinstance(output, list | tuple | Mapping):  # a mapping is refused where the section is read
        settings["output"], output = output, None
    if output is not None and not isinstance(output, str | os.PathLike):
        raise ConfigError(f"output is a folder, or a list of files to write, not {type(output).__name__}")
    require_names(file, output)
    target = None if output is None else Path(output)
    return RunResult(execution.run(Path(file), _texts(settings), target, overwrite, _console(quiet)))


@_one_at_a_time
@keeping_warnings
def restart(
    start: str | Path | RunResult, file: str | Path | None = None, *, quiet: bool = False, **settings: Any
) -> RunResult:
    """Go on with a run from its newest checkpoint, or from the checkpoint given, as ``bmi-run --restart`` does.

    Parameters
    ----------
    start : path or RunResult
        Folder of the run, or of one of its checkpoints; the datasets of a result are closed.
    file : path, optional
        Its configuration, the run's own record by default.
    quiet, **settings
        As of `run`.

    Returns
    -------
    RunResult
        The run, whole.

    Raises
    ------
    ConfigError, RunFailed, RunInterrupted
        As `run` does.
    """
    if isinstance(start, RunResult):
        start.close()
        start = start.folder
    require_names(file, start)
    given = None if file is None else Path(file)
    return RunResult(execution.restart(given, _texts(settings), Path(start), _console(quiet)))


@_one_at_a_time
@keeping_warnings
def check(file: str | Path, **settings: Any) -> str:
    """Resolve everything that a run needs, as ``bmi-run --check`` does; return its plan, to be printed.

    Raises
    ------
    ConfigError
        With all mistakes that can be found, a line each.
    """
    require_names(file)
    return "\n".join(execution.check(Path(file), _texts(settings)))


@_one_at_a_time
def evaluate(
    reference: str | Path | RunResult | None,
    run: str | Path | RunResult,
    output: str | Path | None = None,
    *,
    observations: str | Path | None = None,
    free_drainage: str | Path | RunResult | None = None,
    thresholds: Mapping[str, str] | None = None,
    climatology: Sequence[str | Path | RunResult] = (),
    segments: Sequence[str | Path | RunResult] = (),
    precipitation: str | Path | None = None,
    reanalysis: str | Path | None = None,
    name: str | None = None,
    segment_length: timedelta = timedelta(hours=720),
    stages: tuple[timedelta, timedelta] | None = None,
    until: str | datetime | None = None,
    overwrite: bool = False,
) -> Evaluation:
    """Compare a run with a reference, with measurements, or with both, as ``bmi-evaluate`` does.

    Parameters
    ----------
    reference, run : path or RunResult
        Two runs that have written head and latent heat every hour; the reference may be the folder of a run of ParFlow.
        None for a run that is compared with measurements alone.
    output : path, optional
        Folder for report, fields and figures; without it nothing is written.
    observations : path, optional
        ``observations.yaml``: stations with measurements.
    free_drainage : path or RunResult, optional
        The bound.
    thresholds : mapping
        Largest acceptable errors with units, such as ``{"water_table": "0.1 m"}``.
    climatology, segments : sequence of path or RunResult
        Earlier years; shorter runs from the reference's states.
    precipitation, reanalysis : path, optional
        Weather of the domain, if `run` has not written it; ERA5-Land's ``swvl1`` and ``slhf``.
    name : str, optional
        What to call the run; its folder's name by default.
    segment_length : timedelta
        Length of the parts that maps and rain are given for.
    stages : tuple of timedelta, optional
        Where the early stage ends and the late one begins, from the start; by default 2500 and 6000 h of a year, thirds
        of another period.
    until : str or datetime, optional
        Hours that end later do not count, such as "2020-05-01T00:00" [UTC].
    overwrite : bool
        Whether the evaluation that the folder holds may be replaced.

    Raises
    ------
    ConfigError
        For bad input; nothing was written.
    """
    from rootzone.evaluation.evaluate import Wanted
    from rootzone.evaluation.observations.comparison import stations_of
    from rootzone.evaluation.writing import evaluate_to

    rain, target = (None if path is None else Path(path) for path in (precipitation, output))
    wanted = stations = None
    if reference is not None:
        wanted = Wanted(
            _folder(reference),
            _folder(run),
            None if free_drainage is None else _folder(free_drainage),
            tuple(map(_folder, climatology)),
            tuple(map(_folder, segments)),
            name,
            thresholds=_thresholds(thresholds or {}),
            segment_length=segment_length,
            precipitation=rain,
            reanalysis=None if reanalysis is None else Path(reanalysis),
            stages=stages,
            until=None if until is None else parse_time(until) if isinstance(until, str) else to_time(until),
        )
    elif observations is None:
        raise ConfigError("a run is compared with a reference, with observations, or with both; neither is given")
    elif free_drainage is not None or thresholds or climatology or segments or reanalysis is not None:
        raise ConfigError(
            "free_drainage, thresholds, climatology, segments and reanalysis compare with a reference; give one"
        )
    if observations is not None:
        compared = None if reference is None else _folder(reference)
        stations = stations_of(Path(observations), compared, _folder(run), name, None, rain)
    require_names(*(() if wanted is None else wanted.inputs), _folder(run), observations, rain, target)
    return Evaluation(evaluate_to(wanted, stations, target, overwrite))


@_one_at_a_time
def train(file: str | Path, *, quiet: bool = False) -> Trained:
    """Train a surrogate as a file says, as ``bmi-train`` does; the same call goes on where an earlier one stopped.

    Raises
    ------
    ConfigError
        For bad input, and without PyTorch; nothing was trained.
    """
    require_names(file)
    try:
        from bmi_surrogate.training.command import train_from
    except ImportError as error:
        raise ConfigError(str(error)) from error
    return train_from(Path(file), _console(quiet))


def _thresholds(given: Mapping[str, str]) -> tuple[str, ...]:
    if not isinstance(given, Mapping):
        raise ConfigError(f"thresholds are a mapping such as {{'water_table': '0.1m'}}, not {given!r}")
    return tuple(f"{key}={value}" for key, value in given.items())


def _console(quiet: bool) -> Console:
    return terminal.console(stderr=True, quiet=quiet or not current().leads)


def _folder(run: str | Path | RunResult) -> Path:
    return run.folder if isinstance(run, RunResult) else Path(run)


def _texts(settings: Mapping[str, Any]) -> list[str]:
    """Return settings as ``--set`` takes them."""
    return [f"{key}={_text(key, value)}" for key, value in settings.items()]


def _text(key: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        text: str = yaml.safe_dump(_plain(value), default_flow_style=True, allow_unicode=True, width=2**30)
    except yaml.representer.RepresenterError:
        raise ConfigError(f"a value of type {type(value).__name__} cannot stand in a configuration", key=key) from None
    return text.removesuffix("\n").removesuffix("\n...")  # YAML's end of a document that is a scalar


def _plain(value: Any) -> Any:
    """Return a value with paths and durations as text, and what NumPy and pandas have as Python has it."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime):  # YAML knows no subclass, as those of pandas
        return datetime(*value.timetuple()[:6], value.microsecond, value.tzinfo)
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.0f}s"
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    if kind in ("M", "m"):  # of nanoseconds Python has no times
        value = value.astype("datetime64[us]" if kind == "M" else "timedelta64[us]")
    return value if kind is None else _plain(value.tolist())
