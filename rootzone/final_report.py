"""The evaluation that ``bmi-run`` makes at the end of a run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from bmi_common.errors import ConfigError, ModelError, RootzoneError
from bmi_common.groundwater import PRESSURE_HEAD
from bmi_common.owned_folder import OwnedFolder
from bmi_common.parflow_dumps import is_parflow_run
from bmi_common.run_records import LATENT_HEAT
from coupler.config import RunConfig
from coupler.report_config import REPORT
from coupler.run_folder import MARKER
from rootzone.evaluation.evaluate import Wanted, check_name
from rootzone.evaluation.variables import parse_thresholds
from rootzone.evaluation.writing import evaluate_into


def check_report(config: RunConfig) -> None:
    """Refuse a report that the run could not have in the end.

    Raises
    ------
    ConfigError
        If there is no reference, a threshold or the name is wrong, a path is not a run, or a variable that is compared
        is not written every hour.
    """
    asked = wanted(config, Path())
    check_name(asked.called, "report.name")
    for key, path in (
        ("reference", asked.reference),
        ("free_drainage", asked.free_drainage),
        ("precipitation", asked.precipitation),
    ):
        if path is not None and not (path.is_file() or (path / MARKER).is_file() or is_parflow_run(path)):
            raise ConfigError(f"{path}: neither a run folder ({MARKER} is not there) nor a file", key=f"report.{key}")
    if asked.reanalysis is not None and not asked.reanalysis.is_file():
        raise ConfigError(
            f"{asked.reanalysis}: is not a file; give a NetCDF file with swvl1 and slhf", key="report.reanalysis"
        )
    for name in (PRESSURE_HEAD, LATENT_HEAT):
        found = [o for o in config.output if any(end.variable == name for end in o.variables)]
        if not any(o.every == timedelta(hours=1) for o in found):
            raise ConfigError(f"compares {name}; write it every hour, in `output` with `every: 1h`", key="report")


def wanted(config: RunConfig, folder: Path) -> Wanted:
    """Say what the report of the run in this folder compares."""
    spec = config.report
    assert spec is not None
    reference = spec.reference or _segments_reference(config)
    if reference is None:
        raise ConfigError(
            "what is the run to be compared with? Give `report: {reference: RUN}`, or let "
            "error_control.segments restart from a run",
            key="report",
        )
    thresholds = tuple(f"{name}={value}" for name, value in spec.thresholds.items())
    parse_thresholds(thresholds)
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


def write_report(config: RunConfig, folder: OwnedFolder) -> Path:
    """Evaluate a finished run; returns the page.

    Raises
    ------
    ModelError
        If the evaluation fails; the run itself is done.
    """
    try:
        return evaluate_into(wanted(config, folder.path), None, folder, REPORT).files[0]
    except RootzoneError as error:
        raise ModelError(f"the run is done, but there is no report on it: {error}") from error


def _segments_reference(config: RunConfig) -> Path | None:
    control = config.error_control
    segments = None if control is None else control.segments
    return segments.restart_from if segments is not None and isinstance(segments.restart_from, Path) else None
