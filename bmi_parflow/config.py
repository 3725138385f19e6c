"""The YAML of the ParFlow component: the keys that all groundwater components share, and the section `parflow`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from bmi_common import Config, ConfigError, ConfigPath, load_config
from bmi_common.config import OutputPath
from bmi_common.errors import Mistakes, errors_under
from bmi_common.gauges import Gauges
from bmi_common.groundwater import SECTIONS
from bmi_common.groundwater_config import GroundwaterConfig, Mode, PreparedGroundwater
from bmi_parflow.definition import MOST_STORAGE_CLASSES, Key, check_overrides
from bmi_parflow.installation import PROCESSES


def _topology(given: tuple[int, ...]) -> tuple[int, ...]:
    if len(given) not in (2, 3) or min(given) < 1:
        raise ValueError(f"give the numbers of processes along x and y, such as [2, 1], not {list(given)}")
    if len(given) == 3 and given[2] != 1:
        raise ValueError(f"columns cannot be divided among processes: the third number must be 1, not {given[2]}")
    return given


class ParflowSection(Config):
    """How ParFlow is run.

    Attributes
    ----------
    mode : Mode
        What flows.
    processes : (int, int) or (int, int, 1)
        Processes along x and y.
    working_directory : Path, optional
        Folder for ParFlow's files; by default a temporary one, made for the first step.
    keep : bool
        Keep every hour's files in the working directory.
    mpi_command : str, optional
        Command that starts the processes, with ``{processes}`` for their number.
    timeout : float
        Longest time [s] that an hour may take.
    parflow_dir : Path, optional
        Installation, by default the environment variable ``PARFLOW_DIR``.
    solver : mapping, optional
        Keys of ParFlow that replace the component's.
    """

    mode: Mode = Mode.FULL
    processes: Annotated[tuple[int, ...], AfterValidator(_topology)] = (1, 1)
    working_directory: OutputPath | None = None
    keep: bool = False
    mpi_command: str | None = None
    timeout: Annotated[float, Field(gt=0)] = 3600.0
    parflow_dir: ConfigPath | None = None
    solver: dict[str, Key] = {}

    @model_validator(mode="after")
    def _keep_needs_a_folder(self) -> ParflowSection:
        if self.keep and self.working_directory is None:
            raise ValueError("keep: name the folder as `working_directory` too")
        return self

    @model_validator(mode="after")
    def _command_starts_all_processes(self) -> ParflowSection:
        if self.mpi_command is None:
            return self
        if not shlex.split(self.mpi_command):
            raise ValueError("mpi_command: it is empty")
        if self.topology != (1, 1, 1) and PROCESSES not in self.mpi_command:
            raise ValueError(f"mpi_command: say where the number of processes goes, as in `srun -n {PROCESSES}`")
        return self

    @property
    def topology(self) -> tuple[int, int, int]:
        """P, Q and R."""
        return self.processes[0], self.processes[1], 1


class ParflowConfig(GroundwaterConfig):
    """The whole file."""

    parflow: ParflowSection = ParflowSection()


@dataclass(frozen=True, kw_only=True)
class PreparedParflow(PreparedGroundwater):
    """What the configuration describes, and how ParFlow is run."""

    section: ParflowSection


def prepare(config_file: Path) -> PreparedParflow:
    """Read and check a configuration and the fields that it names.

    Raises
    ------
    ConfigError
        For each mistake that can be known, naming file, line and key.
    """
    config = load_config(config_file, ParflowConfig, ignore=SECTIONS)
    domain = config.solver_domain("ParFlow")
    section = config.parflow
    mistakes, gauges = Mistakes(), Gauges.none()
    with mistakes.noted(), errors_under(file=config_file):
        config.refuse("the ParFlow component")
    with mistakes.noted(), errors_under(file=config_file):
        gauges = Gauges.read(config.gauges, domain, config.surface.condition)
    with mistakes.noted(), errors_under(file=config_file):
        domain.refuse_own_permeability("the ParFlow component")
        domain.refuse_uneven_ground("the ParFlow component")
    with mistakes.noted():
        head = config.initial.read(domain, config_file)
    for letter, count, cells in zip("xy", section.processes, (domain.nx, domain.ny), strict=False):
        if count > cells:
            mistakes.note(
                ConfigError(
                    f"{count} processes for {cells} cells along {letter}", key="parflow.processes", file=config_file
                )
            )
    classes = np.unique(domain.specific_storage[:, domain.mask]).size
    if classes > MOST_STORAGE_CLASSES:
        mistakes.note(
            ConfigError(
                f"specific_storage has {classes} different values; ParFlow takes it by class of cells, and at most "
                f"{MOST_STORAGE_CLASSES} classes are supported",
                key="domain",
                file=config_file,
            )
        )
    with mistakes.noted(), errors_under("parflow.solver", config_file):
        check_overrides(section.solver)
    mistakes.require_none()
    return PreparedParflow(
        domain=domain,
        head=head,
        section=section,
        gauges=gauges,
        files=(config_file, *config.initial.files, *domain.files),
        initial_state=config.initial.state,
    )
