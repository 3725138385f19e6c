"""The folder of a run: what it may hold, and what must be known before anything in it is touched."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from coupler.config import BALANCE_FILE, CONTROL_FILE, DECISIONS_FILE, STATE_FILE, STATES, RunConfig
from coupler.report_config import OBSERVATION_FILES, REPORT, REPORT_FILES

HOLDS = "run"
"""What the record of a run's folder says that it holds."""

MARKER = "run.yaml"
PROVENANCE, LOG, TIMING = "provenance.json", "run.log", "timing.json"
STAGED = "config"
"""Folder of the components' files that the run has completed."""
FIGURES = "figures"
FIGURE_KINDS = ("series", "maps", "rain", "hydrographs")
RUN_FIGURES = ("domain", "land")


def figure_file(output: str, kind: str) -> str:
    """Name of a figure of an output file."""
    return f"{FIGURES}/{Path(output).stem}_{kind}.png"


def run_figure_file(name: str) -> str:
    """Name of a figure of what a run is made of."""
    return f"{FIGURES}/{name}.png"


def animation_file(kind: str) -> str:
    """Name of the film of a run, by its format."""
    return f"{FIGURES}/water_table.{kind}"


def step_files(config: RunConfig, with_balance: bool) -> list[str]:
    """Names of the files that a run writes while it steps."""
    names = [o.file for o in config.output] + [BALANCE_FILE] * with_balance
    return names if config.error_control is None else [*names, CONTROL_FILE, DECISIONS_FILE]


def all_files(config: RunConfig, staged: Iterable[str]) -> list[str]:
    """Names of all files that a run may write beside its checkpoints.

    Parameters
    ----------
    config : RunConfig
        The run.
    staged : iterable of str
        Names of the components' files that it has completed.
    """
    names = [MARKER, PROVENANCE, LOG, TIMING, *(f"{STAGED}/{name}" for name in staged), *step_files(config, True)]
    if config.spin_up is not None:
        names += [STATE_FILE, *(f"{STATES}/{name}.nc" for name in config.components)]
    if config.figures:
        names += [figure_file(o.file, kind) for o in config.output for kind in FIGURE_KINDS]
        names += [run_figure_file(name) for name in RUN_FIGURES]
    if config.animation is not None:
        names.append(animation_file(config.animation.format))
    if config.report is not None:
        of_stations = () if config.report.observations is None else OBSERVATION_FILES
        names += [f"{REPORT}/{name}" for name in (*REPORT_FILES, *of_stations)]
    return names
