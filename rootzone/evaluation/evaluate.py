"""Compare a run with the reference, beside the baselines, and judge it."""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np

from bmi_common import ConfigError, Domain, DomainConfig, load_config
from bmi_common.calendar import HOUR, Times
from bmi_common.netcdf_file import folder_of, is_record_file
from bmi_common.parflow_dumps import is_parflow_run
from bmi_common.progress import Tell
from rootzone.evaluation.aggregator import REFERENCE, Aggregator, aggregate
from rootzone.evaluation.assessment import REANALYSIS, Assessment, every_hour
from rootzone.evaluation.error_control import read_error_control
from rootzone.evaluation.gauges import gauged_flows
from rootzone.evaluation.periods import common_hours, require_same_grid
from rootzone.evaluation.precipitation import precipitation_of
from rootzone.evaluation.predictions import Climatology, Persistence, Prediction, RunPrediction
from rootzone.evaluation.reanalysis import reanalysis
from rootzone.evaluation.records import Records, netcdf_records, parflow_records, span
from rootzone.evaluation.report.netcdf import word
from rootzone.evaluation.run_record import domain_of, start_of
from rootzone.evaluation.scratch import bytes_of
from rootzone.evaluation.start import day_before, head_in_file, initial_head
from rootzone.evaluation.variables import EVALUATED, parse_thresholds
from rootzone.evaluation.water import water_error

RUN = "run"
"""What the run that is evaluated is called where its folder has a name that another source has."""
FREE_DRAINAGE, PERSISTENCE, CLIMATOLOGY = "free drainage", "persistence", "climatology"

_LONGEST_NAME = 60
_NUMBERED = re.compile(r"(segment|climatology) \d+")
"""Names of sources of which there may be several."""
_SAME_HEAD = 2.0e-3
"""Root mean square difference of heads [m] that the digits of output files may make."""
_TAKEN = (FREE_DRAINAGE, PERSISTENCE, CLIMATOLOGY)


@dataclass(frozen=True)
class Wanted:
    """What to compare with what.

    Attributes
    ----------
    reference, run : Path
        Folders of two runs, or their files; the reference may be the folder of a run of ParFlow.
    free_drainage : Path, optional
        The bound.
    climatology, segments : tuple of Path
        Earlier runs for the climatology; restarted runs.
    name : str, optional
        What to call the run; by default `name_of` its folder.
    domain, initial : Path, optional
        Domain and head at the start, if the reference's record does not name them.
    thresholds : tuple of str
        Largest acceptable errors, such as ``water_table=0.5m``.
    segment_length : timedelta
        Length of the segments that maps and precipitation are given for.
    precipitation, reanalysis : Path, optional
        Weather of the domain; a gridded reanalysis.
    start : datetime64, optional
        Time of the initial dump of a run of ParFlow; by default the start of the run beside it.
    stages : tuple of timedelta, optional
        From the start of the period to the end of its early and to the begin of its late stage; by default as
        `windows.windows` has it.
    until : datetime64, optional
        Hours that end later do not count; by default all do that reference and run have in common.
    """

    reference: Path
    run: Path
    free_drainage: Path | None = None
    climatology: tuple[Path, ...] = ()
    segments: tuple[Path, ...] = ()
    name: str | None = None
    domain: Path | None = None
    initial: Path | None = None
    thresholds: tuple[str, ...] = ()
    segment_length: timedelta = timedelta(hours=720)
    precipitation: Path | None = None
    reanalysis: Path | None = None
    start: np.datetime64 | None = None
    stages: tuple[timedelta, timedelta] | None = None
    until: np.datetime64 | None = None

    @property
    def called(self) -> str:
        """What the run is called."""
        return name_of(self.run) if self.name is None else self.name

    @property
    def inputs(self) -> list[Path]:
        """All files and folders that are read."""
        given = (self.free_drainage, self.domain, self.initial, self.precipitation, self.reanalysis)
        others = [path for path in given if path is not None]
        return [self.reference, self.run, *others, *self.climatology, *self.segments]


def name_of(run: Path) -> str:
    """Return the name of a run's folder, or `RUN` where it is none for tables and NetCDF variables (`check_name`)."""
    found = run.resolve()
    name = found.parent.name if is_record_file(found) else found.name
    return RUN if _refusal(name) else name


def check_name(name: str, key: str) -> None:
    """Raise `ConfigError`, naming `key`, for a name of the run that tables and NetCDF variables cannot have."""
    refusal = _refusal(name)
    if refusal:
        raise ConfigError(refusal, key=key)


def _refusal(name: str) -> str:
    taken = {word(other) for other in (*_TAKEN, REFERENCE, REANALYSIS)}
    if word(name) in taken or _NUMBERED.fullmatch(name):
        return f"{name!r} is the name of the reference or of a baseline; choose another"
    if not name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        return f"{name[:100]!r} must have 1 to {_LONGEST_NAME} printable characters"
    return ""


def evaluate(wanted: Wanted, scratch: Path | None = None, progress: Tell | None = None) -> Assessment:
    """Compare and judge.

    Parameters
    ----------
    wanted : Wanted
        What to compare with what.
    scratch : Path, optional
        Folder in which the series of all cells may lie meanwhile, 4 bytes a value; without it nothing is said of
        single cells.
    progress : callable, optional
        Is told of the hours that are compared, then of the cells, of how many, and what they are.

    Raises
    ------
    ConfigError
        For files that lack a variable, have other grids, or no hours in common, and for wrong thresholds.
    """
    check_name(wanted.called, "--name")
    thresholds = parse_thresholds(wanted.thresholds)
    domain = _domain(wanted)
    control = read_error_control(wanted.run)
    with ExitStack() as files:

        def records(path: Path) -> Records:
            return parflow_records(path, domain, _start(wanted)) if is_parflow_run(path) else netcdf_records(path)

        reference, run = records(wanted.reference), records(wanted.run)
        bound = None if wanted.free_drainage is None else records(wanted.free_drainage)
        for other in (run, bound):
            if other is not None:
                require_same_grid(other, reference)
        times, notes = common_hours(reference, run, bound, wanted.until)
        truth = RunPrediction(reference, domain)
        predictions: dict[str, Prediction] = {wanted.called: RunPrediction(run, domain)}
        if bound is not None:
            predictions[FREE_DRAINAGE] = RunPrediction(bound, domain)
        known = [records(path) for path in wanted.climatology]
        predictions[PERSISTENCE] = _persistence(wanted, reference, known, domain, times)
        if known:
            predictions[CLIMATOLOGY] = Climatology(known, domain)
        every, _ = every_hour(times)
        rain = precipitation_of(wanted.precipitation, (wanted.run, wanted.reference), every, notes)
        grid = None if wanted.reanalysis is None else reanalysis(wanted.reanalysis, every, domain)
        if grid is not None:
            notes.append(f"Reanalysis: {grid.method}.")
        water = water_error(wanted.run, every)
        if water is not None:
            notes.append(f"Water balance of {wanted.called}: {water}.")
        if scratch is not None:
            _require_room(scratch, domain, len(times), sources=2 if bound is None else 3)
        lengths = [_require_segment(records(path), reference) for path in wanted.segments]  # of all before long work
        hours = _Hours(progress, sum(lengths) + len(times))
        segments = [_segment(records(path), wanted.called, truth, domain, hours) for path in wanted.segments]
        compared = {REFERENCE: wanted.reference, wanted.called: wanted.run}
        if wanted.free_drainage is not None:
            compared[FREE_DRAINAGE] = wanted.free_drainage
        notes += _same_runs(wanted)
        for number, path in enumerate(wanted.segments, 1):
            notes += _other_start(f"segment {number}", records(path), wanted, reference, domain)
        flows = gauged_flows(compared, every, notes)
        name = None if bound is None else FREE_DRAINAGE
        folder = None if scratch is None else Path(files.enter_context(_temporary(scratch)))
        aggregator = aggregate(times, truth, predictions, domain, name, folder, hours)
        return Assessment(
            aggregator=aggregator,
            domain=domain,
            thresholds=thresholds,
            segment_length=wanted.segment_length,
            stages=wanted.stages,
            sources=_sources(wanted),
            segments=segments,
            precipitation=rain,
            reanalysis=grid,
            control=control,
            gauges=flows,
            water=water,
            notes=notes,
            progress=progress,
        )


@dataclass
class _Hours:
    """Counts the hours of comparisons that follow each other."""

    progress: Tell | None
    total: int
    before: int = 0

    def __call__(self, done: int, of: int, words: str) -> None:
        if self.progress is not None:
            self.progress(self.before + done, self.total, words)
        if done >= of:
            self.before += of


def _require_room(folder: Path, domain: Domain, hours: int, sources: int) -> None:
    """Refuse a disk that the series of all cells would fill after hours of comparing."""
    needed = len(EVALUATED) * sources * bytes_of(int(domain.mask.sum()), hours)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ConfigError(
            f"{folder.parent}: the series of all cells need {needed / 1e9:.2f} GB there while they are compared, the "
            f"disk has {free / 1e9:.2f} GB left; make room, or write to another disk"
        )


def _temporary(folder: Path) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix=".series-", dir=folder)


def _domain(wanted: Wanted) -> Domain:
    if wanted.domain is not None:
        domain = Domain.load(load_config(wanted.domain, DomainConfig))
    else:
        domain = domain_of(wanted.run if is_parflow_run(wanted.reference) else wanted.reference)
    domain.refuse_uneven_ground("an evaluation")
    return domain


def _start(wanted: Wanted) -> np.datetime64:
    return start_of(wanted.run) if wanted.start is None else wanted.start


def _sources(wanted: Wanted) -> dict[str, str]:
    given = {
        "reference": wanted.reference,
        wanted.called: wanted.run,
        FREE_DRAINAGE: wanted.free_drainage,
        **{f"{CLIMATOLOGY} {i}": path for i, path in enumerate(wanted.climatology, 1)},
        **{f"segment {i}": path for i, path in enumerate(wanted.segments, 1)},
    }
    return {name: str(path) for name, path in given.items() if path is not None}


def _same_runs(wanted: Wanted) -> list[str]:
    """Note on sources that are one run, which tell nothing of each other."""
    runs: dict[Path, list[str]] = {}
    for name, source in _sources(wanted).items():
        path = Path(source).resolve()
        runs.setdefault(path.parent if is_record_file(path) else path, []).append(name)
    return [f"{' and '.join(names)} are one run, {path}." for path, names in runs.items() if len(names) > 1]


def _persistence(wanted: Wanted, reference: Records, known: list[Records], domain: Domain, times: Times) -> Persistence:
    latent = day_before(times[0] - HOUR, known, domain)
    before = int(np.searchsorted(reference.times, times[0]))  # records of the reference before the first compared one
    if wanted.initial is not None:
        head = head_in_file(wanted.initial, domain)
    elif before:
        head = reference.head(before - 1, before, domain.mask)[0]
    elif is_parflow_run(reference.path):
        if reference.initial is None:
            raise ConfigError(f"{reference.path}: has no initial pressure (*.out.press.00000.pfb); give --initial")
        head = reference.initial.read_possible(0, 1, domain.mask)[0][:, domain.mask]
    else:
        head = initial_head(wanted.reference, domain)
    return Persistence(head, latent, domain)


def _require_segment(run: Records, reference: Records) -> int:
    """Return the hours of a segment; raises `ConfigError` if the reference does not have them, on the same grid."""
    require_same_grid(run, reference)
    if not np.isin(run.times, reference.times).all():
        raise ConfigError(
            f"{run.path}: the segment has {span(run.times)}, which are not all in the reference {reference.path} with "
            f"{span(reference.times)}"
        )
    return len(run.times)


def _other_start(name: str, run: Records, wanted: Wanted, reference: Records, domain: Domain) -> list[str]:
    """Note on a segment that began from another head than the reference had; none where no record says it."""
    start, folder = run.times[0] - HOUR, folder_of(run.path)
    before = int(np.searchsorted(reference.times, start))
    try:
        if start_of(folder) != start:  # its first hours were not written
            return []
        mine = initial_head(folder, domain)
        if before < len(reference.times) and reference.times[before] == start:
            known = reference.head(before, before + 1, domain.mask)[0]
        elif start == start_of(wanted.reference):
            known = initial_head(wanted.reference, domain)
        else:
            return []
    except ConfigError:
        return []
    difference = float(np.sqrt(np.mean((mine - known) ** 2)))
    if difference <= _SAME_HEAD:
        return []
    return [
        f"{name}, {run.path}, began from heads that are {difference:.2g} m rms from those of the reference then: its "
        "errors are not only its own."
    ]


def _segment(run: Records, name: str, truth: RunPrediction, domain: Domain, hours: _Hours) -> Aggregator:
    return aggregate(run.times, truth, {name: RunPrediction(run, domain)}, domain, progress=hours)
