"""Discharge of runs at the gauges that they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bmi_common.arrays import Array
from bmi_common.calendar import HOUR, Times
from bmi_common.groundwater import DISCHARGE
from bmi_common.netcdf_file import NetcdfFile
from bmi_common.parflow_dumps import is_parflow_run
from bmi_common.run_records import NetcdfSeries, netcdf_series
from rootzone.evaluation.aggregator import REFERENCE
from rootzone.evaluation.observations.peaks import Peak, peaks
from rootzone.evaluation.observations.scores import Scores, scores
from rootzone.evaluation.run_record import run_files


@dataclass(frozen=True)
class GaugedFlow:
    """Discharge at one gauge.

    Attributes
    ----------
    name : str
        Of the gauge.
    flows : mapping
        Means of the hours [m3 s-1], (hours,), by source, the reference first; NaN where a source has none.
    scores : mapping
        Of each other source beside the reference, over the hours that both have.
    peaks : mapping
        The largest peak of the reference and that of each other source around it; None where there is no peak.
    """

    name: str
    flows: Mapping[str, Array]
    scores: Mapping[str, Scores]
    peaks: Mapping[str, Peak | None]


def gauged_flows(runs: Mapping[str, Path], times: Times, notes: list[str]) -> list[GaugedFlow]:
    """Read the discharge of runs at the gauges of the reference that all of them have.

    Parameters
    ----------
    runs : mapping
        Folders or files by source: the reference first, then the run; others, such as the bound, may lack it.
    times : ndarray of datetime64[s], shape (hours,)
        Ends of consecutive hours.
    notes : list of str
        Takes what a reader must know, where one of the two has written discharge and the other has not.

    Returns
    -------
    list of GaugedFlow
        In the order of the reference; empty where one of the two has written none.
    """
    written = {source: found for source, path in runs.items() if (found := _series(path)) is not None}
    reference, run = list(runs)[:2]
    if not {reference, run} <= set(written):
        for source in {reference, run} & set(written):
            other = run if source == reference else reference
            notes.append(f"No discharge is compared: {source} has written it every hour, {other} has not.")
        return []
    shared = [name for name in written[reference].points if name in written[run].points]
    if not shared:
        names = " and ".join(f"{', '.join(written[s].points)} of {s}" for s in (reference, run))
        notes.append(f"No discharge is compared: the gauges {names} have no name in common.")
    series = {source: _on_hours(found, times) for source, found in written.items()}
    return [
        _compared(
            name,
            {s: series[s][:, found.points.index(name)] for s, found in written.items() if name in found.points},
            times,
        )
        for name in shared
    ]


def _series(path: Path) -> NetcdfSeries | None:
    if is_parflow_run(path):
        return None
    found = (series for file in run_files(path) for series in netcdf_series(NetcdfFile(file), DISCHARGE))
    return next((series for series in found if series.is_hourly), None)


def _on_hours(series: NetcdfSeries, times: Times) -> Array:
    """Return the records of some hours, (hours, points); NaN where there is none."""
    values = np.full((len(times), *series.shape), np.nan)
    inside = np.flatnonzero(np.isin(series.times, times))
    if inside.size:
        first, last = int(inside[0]), int(inside[-1]) + 1
        values[np.searchsorted(times, series.times[inside])] = series.read_possible(first, last)[inside - first]
    return values


def _compared(name: str, flows: Mapping[str, Array], times: Times) -> GaugedFlow:
    truth = flows[REFERENCE]
    found: dict[str, Scores] = {}
    largest: dict[str, Peak | None] = {}
    for source, flow in flows.items():
        if source != REFERENCE:
            both = np.isfinite(truth) & np.isfinite(flow)
            found[source] = scores(flow[both], truth[both])
            ends = times[both]
            largest[source] = next(iter(peaks(ends - HOUR, ends, truth[both], flow[both])), None)
    return GaugedFlow(name, flows, found, largest)


def numbers(flows: Sequence[GaugedFlow]) -> dict[str, dict[str, object]]:
    """Return scores and peaks as plain numbers, by gauge and source; NaN where there is none."""
    return {
        flow.name: {source: {**of._asdict(), **_of_peak(flow.peaks[source])} for source, of in flow.scores.items()}
        for flow in flows
    }


def _of_peak(peak: Peak | None) -> dict[str, object]:
    if peak is None:
        return {"peak": None}
    return {
        "peak": {
            "time": str(peak.time),
            "reference": peak.observed,
            "simulated": peak.simulated,
            "percent_error": peak.percent_error,
            "delay_hours": peak.delay,
        }
    }
