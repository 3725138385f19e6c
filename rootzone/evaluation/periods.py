"""Whether runs have the same grid, and which hours they have in common."""

from __future__ import annotations

import numpy as np

from bmi_common import ConfigError
from bmi_common.calendar import Times
from rootzone.evaluation.records import Records, span


def common_hours(
    reference: Records, run: Records, bound: Records | None, until: np.datetime64 | None = None
) -> tuple[Times, list[str]]:
    """Hours that reference and run both have, and notes on those that they have not.

    Parameters
    ----------
    reference, run, bound : Records
        What is compared.
    until : datetime64, optional
        Hours that end later do not count.

    Raises
    ------
    ConfigError
        If there is none, or the bound lacks one of them.
    """
    times = np.intersect1d(reference.times, run.times)
    if not len(times):
        raise ConfigError(
            f"{run.path}: has {span(run.times)}; the reference {reference.path} has {span(reference.times)}: no hour "
            "in common"
        )
    later = 0 if until is None else int((times > until).sum())
    times = times[: len(times) - later]
    if not len(times):
        raise ConfigError(
            f"--until {until}: reference and run have no hour in common before; the run has {span(run.times)}"
        )
    if bound is not None:
        lacking = np.setdiff1d(times, bound.times)
        if len(lacking):
            raise ConfigError(
                f"{bound.path}: the bound has {span(bound.times)}; it lacks {len(lacking)} of the {len(times)} hours "
                f"that run and reference have, the first at {lacking[0].astype('datetime64[m]')}"
            )
    notes = [f"{later} hours after {until} do not count (--until)."] if later else []
    for title, records in (("The reference", reference), ("The run", run)):
        outside = len(records.times) - len(times) - later
        if outside:
            notes.append(f"{title} has {span(records.times)}; {outside} of them have no counterpart and do not count.")
    inside = span(times)
    if "missing" in inside:
        notes.append(f"Compared are {inside}; these gaps are left as gaps.")
    return times, notes


def require_same_grid(run: Records, reference: Records) -> None:
    """Raise `ConfigError` if two runs have different cells."""
    if run.shape != reference.shape:
        a, b = (" x ".join(map(str, r.shape)) for r in (run, reference))
        raise ConfigError(f"{run.path}: has {a} cells (z, y, x), the reference {reference.path} {b}")
    for axis, here, there in zip(("y", "x"), run.axes, reference.axes, strict=True):
        if here is not None and there is not None and not np.allclose(here, there):
            raise ConfigError(
                f"{run.path}: {axis} goes from {here[0]:g} to {here[-1]:g} m, in the reference {reference.path} from "
                f"{there[0]:g} to {there[-1]:g} m"
            )
