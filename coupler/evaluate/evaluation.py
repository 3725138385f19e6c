"""Compare a run with the reference, beside the baselines, and judge it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bmi_common import ConfigError, Domain, DomainSpec, load_config
from coupler.evaluate.comparison import Comparison, compare
from coupler.evaluate.gates import LIMITS, segment_gates, year_gates
from coupler.evaluate.predictions import Climatology, Persistence, Prediction, RunPrediction
from coupler.evaluate.records import HOUR, RunRecords, domain_of, span
from coupler.evaluate.report import Report
from coupler.evaluate.start import day_before, head_in_file, initial_head

FREE_DRAINAGE, PERSISTENCE, CLIMATOLOGY = "free drainage", "persistence", "climatology"


@dataclass(frozen=True)
class Wanted:
    """What to compare with what.

    Attributes
    ----------
    reference, run : Path
        Folders of two runs, or their files.
    free_drainage : Path, optional
        The bound.
    climatology, segments : tuple of Path
        Earlier runs for the climatology; restarted runs.
    name : str
        What to call the run.
    limits : str
        Which of `LIMITS` to judge it by.
    domain, initial : Path, optional
        Domain and head at the start, if the reference's record does not name them.
    """

    reference: Path
    run: Path
    free_drainage: Path | None = None
    climatology: tuple[Path, ...] = ()
    segments: tuple[Path, ...] = ()
    name: str = "hybrid"
    limits: str = "default"
    domain: Path | None = None
    initial: Path | None = None


def evaluate(wanted: Wanted) -> tuple[Report, Domain]:
    """Compare and judge.

    Returns
    -------
    Report
        Errors and gates.
    Domain
        The domain of the reference.

    Raises
    ------
    ConfigError
        For files that lack a variable or have other grids or times than the reference.
    """
    if wanted.name in (FREE_DRAINAGE, PERSISTENCE, CLIMATOLOGY):
        raise ConfigError(f"--name {wanted.name}: is the name of a baseline; choose another")
    domain = domain_of(wanted.reference) if wanted.domain is None else _domain(wanted.domain)
    with ExitStack() as files:

        def records(path: Path) -> RunRecords:
            return files.enter_context(RunRecords(path))

        reference = records(wanted.reference)
        truth = RunPrediction(reference, domain)
        predictions: dict[str, Prediction] = {wanted.name: _of_the_same_hours(records(wanted.run), reference, domain)}
        if wanted.free_drainage is not None:
            predictions[FREE_DRAINAGE] = _of_the_same_hours(records(wanted.free_drainage), reference, domain)
        known = [records(path) for path in wanted.climatology]
        predictions[PERSISTENCE] = _persistence(wanted, reference, known, domain)
        if known:
            predictions[CLIMATOLOGY] = Climatology(known, domain)
        segments = [_segment(records(path), wanted.name, reference, truth, domain) for path in wanted.segments]
        comparison = compare(reference.times, truth, predictions, domain)
    limits = LIMITS[wanted.limits]
    bound = FREE_DRAINAGE if FREE_DRAINAGE in predictions else None
    gates = year_gates(comparison, wanted.name, limits, bound, PERSISTENCE)
    gates += segment_gates(segments, wanted.name, limits)
    return Report.of(comparison, gates, _sources(wanted)), domain


def _domain(file: Path) -> Domain:
    return Domain.load(load_config(file, DomainSpec))


def _sources(wanted: Wanted) -> dict[str, str]:
    given = {
        "reference": wanted.reference,
        wanted.name: wanted.run,
        FREE_DRAINAGE: wanted.free_drainage,
        **{f"{CLIMATOLOGY} {i}": path for i, path in enumerate(wanted.climatology, 1)},
        **{f"segment {i}": path for i, path in enumerate(wanted.segments, 1)},
    }
    return {name: str(path) for name, path in given.items() if path is not None}


def _persistence(wanted: Wanted, reference: RunRecords, known: list[RunRecords], domain: Domain) -> Persistence:
    head = initial_head(wanted.reference, domain) if wanted.initial is None else head_in_file(wanted.initial, domain)
    return Persistence(head, day_before(reference.times[0] - HOUR, known, domain), domain)


def _of_the_same_hours(run: RunRecords, reference: RunRecords, domain: Domain) -> RunPrediction:
    _require_same_grid(run, reference)
    if not np.array_equal(run.times, reference.times):
        raise ConfigError(
            f"{run.path}: has {span(run.times)}; the reference {reference.path} has {span(reference.times)}"
        )
    return RunPrediction(run, domain)


def _segment(run: RunRecords, name: str, reference: RunRecords, truth: RunPrediction, domain: Domain) -> Comparison:
    _require_same_grid(run, reference)
    if not np.isin(run.times, reference.times).all():
        raise ConfigError(
            f"{run.path}: the segment has {span(run.times)}, which are not all in the reference {reference.path} with "
            f"{span(reference.times)}"
        )
    return compare(run.times, truth, {name: RunPrediction(run, domain)}, domain)


def _require_same_grid(run: RunRecords, reference: RunRecords) -> None:
    if run.shape != reference.shape:
        a, b = (" x ".join(map(str, r.shape)) for r in (run, reference))
        raise ConfigError(f"{run.path}: has {a} cells (z, y, x), the reference {reference.path} {b}")
    for axis, here, there in zip(("y", "x"), run.axes, reference.axes, strict=True):
        if here is not None and there is not None and not np.allclose(here, there):
            raise ConfigError(
                f"{run.path}: {axis} goes from {here[0]:g} to {here[-1]:g} m, in the reference {reference.path} from "
                f"{there[0]:g} to {there[-1]:g} m"
            )
