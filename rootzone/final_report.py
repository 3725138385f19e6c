"""The evaluation that ``bmi-run`` makes at the end of a run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from bmi_common.errors import ConfigError, ModelError, RootzoneError, errors_under
from bmi_common.groundwater import PRESSURE_HEAD
from bmi_common.owned_folder import OwnedFolder
from bmi_common.parflow_dumps import is_parflow_run
from bmi_common.run_records import LATENT_HEAT
from coupler.config import RunConfig
from coupler.report_config import REPORT
from coupler.run_folder import MARKER
from rootzone.evaluation.evaluate import Wanted, check_name
from rootzone.evaluation.observations.comparison import WantedStations, check_stations, stations_of
from rootzone.evaluation.variables import parse_thresholds
from rootzone.evaluation.writing import evaluate_into


def check_report(config: RunConfig) -> None:
    """Refuse a report that the run could not have in the end.

    Raises
    ------
    ConfigError
        If there is nothing to compare with, a threshold or the name is wrong, a path is not a run, a variable that is
        compared is not written every hour, or stations have mistakes.
    """
    spec = config.report
    assert spec is not None
    asked = wanted(config, Path())
    name = spec.name if asked is None else asked.called
    if name is not None:
        check_name(name, "report.name")
    for key, path in (
        ("reference", spec.reference),
        ("free_drainage", spec.free_drainage),
        ("precipitation", spec.precipitation),
    ):
        if path is not None and not (path.is_file() or (path / MARKER).is_file() or is_parflow_run(path)):
            raise ConfigError(f"{path}: neither a run folder ({MARKER} is not there) nor a file", key=f"report.{key}")
    if spec.reanalysis is not None and not spec.reanalysis.is_file():
        raise ConfigError(
            f"{spec.reanalysis}: is not a file; give a NetCDF file with swvl1 and slhf", key="report.reanalysis"
        )
    hourly = {end.variable for o in config.output if o.every == timedelta(hours=1) for end in o.variables}
    for variable in (PRESSURE_HEAD, LATENT_HEAT) if asked is not None else ():
        if variable not in hourly:
            raise ConfigError(f"compares {variable}; write it every hour, in `output` with `every: 1h`", key="report")
    if spec.observations is not None:
        with errors_under("report.observations"):
            check_stations(spec.observations, hourly)


def wanted(config: RunConfig, folder: Path) -> Wanted | None:
    """Say what the report of the run in this folder compares; None where it is stations alone."""
    spec = config.report
    assert spec is not None
    reference = spec.reference or _segments_reference(config)
    if reference is None and spec.observations is None:
        raise ConfigError(
            "what is the run to be compared with? Give `report: {reference: RUN}` or `report: {observations: FILE}`, "
            "or let error_control.segments restart from a run",
            key="report",
        )
    thresholds = tuple(f"{name}={value}" for name, value in spec.thresholds.items())
    parse_thresholds(thresholds)
    if reference is None:
        idle = sorted({"free_drainage", "thresholds", "reanalysis", "segment_length", "stages"} & spec.model_fields_set)
        if idle:
            raise ConfigError("has no effect without a reference", key=f"report.{idle[0]}")
        return None
    return Wanted(
        reference,
        folder,
        free_drainage=spec.free_drainage,
        name=spec.name,
        thresholds=thresholds,
        segment_length=spec.segment_length,
        precipitation=spec.precipitation,
        reanalysis=spec.reanalysis,
        stages=spec.stages,
    )


def stations(config: RunConfig, folder: Path) -> WantedStations | None:
    """Say which stations the report of the run in this folder compares it with; None where there are none."""
    spec = config.report
    assert spec is not None
    if spec.observations is None:
        return None
    reference = spec.reference or _segments_reference(config)
    return stations_of(spec.observations, reference, folder, spec.name, None, spec.precipitation)


def write_report(config: RunConfig, folder: OwnedFolder) -> Path:
    """Evaluate a finished run; returns the page.

    Raises
    ------
    ModelError
        If the evaluation fails; the run itself is done.
    """
    try:
        asked, measured = wanted(config, folder.path), stations(config, folder.path)
        return evaluate_into(asked, measured, folder, REPORT).files[0]
    except RootzoneError as error:
        raise ModelError(f"the run is done, but there is no report on it: {error}") from error


def _segments_reference(config: RunConfig) -> Path | None:
    control = config.error_control
    segments = None if control is None else control.segments
    return segments.restart_from if segments is not None and isinstance(segments.restart_from, Path) else None
