"""The state that a run started from, for persistence."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bmi_common import ConfigError, Domain, FieldConfig
from bmi_common.arrays import Array
from bmi_common.calendar import HOUR
from bmi_common.config import Config, load_config, read_yaml
from bmi_common.errors import errors_under
from bmi_common.groundwater import PRESSURE_HEAD
from bmi_common.initial import InitialConfig, require_possible
from bmi_common.netcdf_file import NetcdfFile, netcdf_name
from coupler.config import STATE_FILE
from rootzone.evaluation.predictions import hour_of_day
from rootzone.evaluation.records import Records
from rootzone.evaluation.run_record import groundwater_config


class _Initial(Config):
    initial: InitialConfig


def head_in_file(path: Path, domain: Domain) -> Array:
    """Read a pressure head [m], (nz, columns), from a NetCDF file such as a state file.

    Raises
    ------
    ConfigError
        If the file has none, or on another grid.
    """
    with NetcdfFile(path) as file:
        names = [name for name in file.names if name.endswith((PRESSURE_HEAD, netcdf_name(PRESSURE_HEAD)))]
    if not names:
        raise ConfigError(f"{path}: has no {PRESSURE_HEAD}")
    spec = FieldConfig(file=path, variable=names[0])
    head = spec.read("pressure head at the start", domain.subsurface.shape, "m", domain.mask, cells=domain.cells)
    with errors_under(names[0], path):
        require_possible(head, domain)
    return head[:, domain.mask]


def initial_head(run: Path, domain: Domain) -> Array:
    """Pressure head [m] (nz, columns) that a run's groundwater component started from, by the run's record.

    Raises
    ------
    ConfigError
        If the record does not say it.
    """
    spun_up = run / STATE_FILE
    if spun_up.is_file():
        return head_in_file(spun_up, domain)
    file = groundwater_config(run)
    content = read_yaml(file).data
    if not isinstance(content, dict) or "initial" not in content:
        raise ConfigError(f"{file}: names no `initial` state; give a file with the head at the start with --initial")
    initial = load_config(file, _Initial, ignore=[str(key) for key in content if key != "initial"]).initial
    if initial.state is not None:
        return head_in_file(initial.state, domain)
    return initial.read(domain, file)[:, domain.mask]


def day_before(start: np.datetime64, known: list[Records], domain: Domain) -> Array | None:
    """Latent heat [W m-2] of the 24 h before `start` by hour of day (24, columns), None if no run has them."""
    wanted = start - HOUR * np.arange(23, -1, -1)
    for run in known:
        first = int(np.searchsorted(run.times, wanted[0]))
        if np.array_equal(run.times[first : first + 24], wanted):
            values = np.empty((24, int(domain.mask.sum())))
            values[hour_of_day(wanted)] = run.latent_heat(first, first + 24, domain.mask)
            return values
    return None
