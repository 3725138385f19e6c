"""Repeat the first period of a run until it has forgotten where it started."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import netCDF4
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bmi_common.durations import add_period
from bmi_common.netcdf_file import netcdf_name
from bmi_common.owned_folder import OwnedFolder
from bmi_common.variables import Role
from bmi_common.world import current
from coupler.component import Component
from coupler.config import STATE_FILE, STATES
from coupler.errors import components_named, writing
from coupler.preparation import PreparedRun
from coupler.progress import RunProgress
from coupler.stepper import Stepper
from coupler.water_balance import Balance
from coupler.whole import whole

log = logging.getLogger("rootzone")

States = dict[tuple[str, str], NDArray[np.float64]]


def states(prepared: PreparedRun) -> States:
    """Copy every variable that is made by a component and can also be set: what carries a run on."""
    found: States = {}
    for name, component in prepared.components.items():
        declared = getattr(component.bmi, "variable", None)
        for variable in () if component.static else component.outputs:
            if callable(declared) and declared(variable).role is Role.STATE:
                found[name, variable] = component.get(variable).copy()
    return found


def put_states(prepared: PreparedRun, values: States) -> None:
    """Set the copies that `states` made."""
    for (name, variable), array in values.items():
        prepared.components[name].set(variable, array)


def renew(prepared: PreparedRun) -> None:
    """Put fresh components at the start time in place of the run's components."""
    prepared.finalize()
    for name, spec in prepared.loaded.config.components.items():
        prepared.components[name] = Component.of(name, spec)
        prepared.components[name].initialize(prepared.files[name])


def spin_up(prepared: PreparedRun, folder: OwnedFolder, console: Console) -> States:
    """Repeat the first period of the run until the groundwater storage settles, or as often as is wanted.

    The state of a component is carried from one repetition to the next: all of it, in a state file, where the
    component has ``save_state`` and ``start_from``; else the variables that it makes and that can also be set.
    Afterwards the run has fresh components at its start, with the spun-up states.

    Parameters
    ----------
    prepared : PreparedRun
        The run.
    folder : OwnedFolder
        Folder of the run; the state files are written into ``spun_up/`` there, to start other runs from.
    console : Console
        For the progress.

    Returns
    -------
    dict
        The spun-up values of what can be set.

    Raises
    ------
    RunFailed
        As `Stepper.step`; the message names the repetition.
    """
    config = prepared.loaded.config
    spec = config.spin_up
    if spec is None:
        raise ValueError("the run asks for no spin-up")
    end = add_period(config.time.start, spec.repeat)
    steps = (end - config.time.start) // config.time.step
    wanted = None if spec.until is None else spec.until.storage_change
    for repetition in range(1, spec.max + 1):
        stepper = Stepper(prepared, f"spin-up {repetition}, ")
        count = f"of {spec.max}" if wanted is None else f"of at most {spec.max}"
        with RunProgress(f"spin-up {repetition} {count}", steps, config.time.step, console) as advance:
            for _ in range(steps):
                stepper.step()
                advance()
        fraction = (
            None if stepper.water_balance is None else _report_storage(repetition, stepper.water_balance.totals, wanted)
        )
        carried = _carry_on(prepared, folder)
        if wanted is not None and fraction is not None and fraction <= wanted:
            break
    else:
        if wanted is not None:
            log.warning(
                "the spin-up ended after %d repetitions with a storage change of %.3g of the net source, above %g",
                spec.max,
                fraction,
                wanted,
            )
    return carried


def _report_storage(repetition: int, totals: Balance, wanted: float | None) -> float:
    """Log the storage change of a repetition and return it as a fraction of the net source."""
    fraction = abs(totals.storage_change) / max(abs(totals.supply), 1e-30)
    log.info(
        "spin-up %d: storage change %.6g m3 is %.3g of the net source %.6g m3%s",
        repetition,
        totals.storage_change,
        fraction,
        totals.supply,
        "" if wanted is None else f" (wanted: {wanted:g})",
    )
    return fraction


def _carry_on(prepared: PreparedRun, run_folder: OwnedFolder) -> States:
    """Renew the components and give them the states that they have reached; return what can be set of these."""
    whole = [c.name for c in prepared.components.values() if not c.static and c.saves_state and c.has("start_from")]
    folder = run_folder.path / STATES
    with writing(folder), components_named():
        run_folder.own(*(f"{STATES}/{name}.nc" for name in whole))
        if current().leads:
            folder.mkdir(exist_ok=True)
        for name in whole:
            prepared.components[name].save_state(folder / f"{name}.nc")
    carried = states(prepared)
    renew(prepared)
    with components_named():
        for name in whole:
            prepared.components[name].start_from(folder / f"{name}.nc")
    put_states(prepared, {key: values for key, values in carried.items() if key[0] not in whole})
    return carried


def write_states(values: States, prepared: PreparedRun, folder: OwnedFolder) -> None:
    """Write carried states as NetCDF in double precision, to start other runs from."""
    of_all = {key: whole(prepared.components[key[0]].part, array) for key, array in values.items()}
    values = {key: array for key, array in of_all.items() if array is not None}
    if not current().leads:
        return
    folder.own(STATE_FILE)
    with netCDF4.Dataset(folder.path / STATE_FILE, "w", format="NETCDF4") as data:
        data.setncatts(
            {
                "Conventions": "CF-1.11",
                "title": "state at the end of the spin-up",
                "history": f"{datetime.now(UTC).isoformat(timespec='seconds')}: bmi-run",
            }
        )
        names = [netcdf_name(variable) for _, variable in values]
        for ((name, variable), array), plain in zip(values.items(), names, strict=True):
            dimensions = []
            for axis, size in zip(("z", "y", "x")[3 - array.ndim :], array.shape, strict=True):
                dimension = f"{name}_{axis}"
                if dimension in data.dimensions and len(data.dimensions[dimension]) != size:
                    dimension = f"{dimension}_{size}"  # the root zone's
                if dimension not in data.dimensions:
                    data.createDimension(dimension, size)
                dimensions.append(dimension)
            own = f"{name}_{plain}" if names.count(plain) > 1 else plain
            v = data.createVariable(own, "f8", dimensions, zlib=True, shuffle=True, fill_value=np.nan)
            v[...] = np.ma.masked_invalid(array)
            v.setncatts({"units": prepared.components[name].units(variable), "csdms_name": variable, "component": name})
