"""Compare runs with what stations have measured."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bmi_common import Domain, DomainConfig, load_config
from bmi_common.arrays import Array
from bmi_common.calendar import HOUR, Times, show
from bmi_common.config import Document, read_yaml, validate
from bmi_common.errors import ConfigError, Mistakes
from bmi_common.parflow_dumps import is_parflow_run
from rootzone.evaluation.aggregator import REFERENCE
from rootzone.evaluation.evaluate import name_of
from rootzone.evaluation.observations import rain_regimes
from rootzone.evaluation.observations.averaging import Hourly, to_hours
from rootzone.evaluation.observations.config import ObservationsConfig, StationConfig
from rootzone.evaluation.observations.kinds import Kind
from rootzone.evaluation.observations.peaks import Peak, peaks
from rootzone.evaluation.observations.scores import Scores, scores
from rootzone.evaluation.observations.series import ObservedSeries, read_series
from rootzone.evaluation.observations.simulated import Site, read_run, site
from rootzone.evaluation.precipitation import precipitation_of
from rootzone.evaluation.run_record import domain_of, run_files

ALL = "all"
"""What pairs of any rain are called beside the regimes of rain."""


@dataclass(frozen=True)
class WantedStations:
    """What to compare with which stations.

    Attributes
    ----------
    file : Path
        ``observations.yaml``.
    runs : mapping
        Folders by name, the run that is evaluated first.
    domain : Path, optional
        Domain, if the record of the run does not name it.
    precipitation : Path, optional
        Rain, if no run has written it.
    """

    file: Path
    runs: Mapping[str, Path]
    domain: Path | None = None
    precipitation: Path | None = None


def stations_of(
    file: Path, reference: Path | None, run: Path, name: str | None, domain: Path | None, precipitation: Path | None
) -> WantedStations:
    """Return what to compare with stations: a run, beside its reference if there is one."""
    runs = {name_of(run) if name is None else name: run}
    if reference is not None:
        runs[REFERENCE] = reference
    return WantedStations(file, runs, domain, precipitation)


@dataclass(frozen=True)
class StationComparison:
    """Pairs of values of one station, in the units of its quantity.

    Attributes
    ----------
    name : str
        Of the station.
    kind : Kind
        What it measures.
    place, reading : str
        Where it lies in the model; how its file was read.
    recorded, missing, outside : int
        Intervals in the file, those of them without a value, and those with one for which a run has not every hour.
    begin, end : ndarray of datetime64[s], shape (pairs,)
        Intervals of the pairs, UTC.
    observed : ndarray, shape (pairs,)
        What was measured.
    simulated : mapping
        Means of each run over the same intervals, (pairs,), by its name.
    wettest : ndarray, shape (pairs,)
        Rain of the wettest hour of each interval [mm h-1]; NaN where it is not known.
    hourly : mapping
        Hours of each run in the period that is compared, by its name.
    scores : mapping
        Scores by run and by `ALL` or regime of rain; regimes without a pair are left out.
    peaks : mapping
        Peaks by run.
    """

    name: str
    kind: Kind
    place: str
    reading: str
    recorded: int
    missing: int
    outside: int
    begin: Times
    end: Times
    observed: Array
    simulated: Mapping[str, Array]
    wettest: Array
    hourly: Mapping[str, Hourly]
    scores: Mapping[str, Mapping[str, Scores]] = field(init=False)
    peaks: Mapping[str, list[Peak]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", {run: self._scores(s) for run, s in self.simulated.items()})
        found = {
            run: peaks(self.begin, self.end, self.observed, s, self.kind.peak) for run, s in self.simulated.items()
        }
        object.__setattr__(self, "peaks", found)

    def _scores(self, simulated: Array) -> dict[str, Scores]:
        found = {ALL: scores(simulated, self.observed)}
        for regime in rain_regimes.RAIN_REGIMES:
            inside = rain_regimes.of_regime(regime, self.wettest)
            if inside.any():
                found[regime] = scores(simulated[inside], self.observed[inside])
        return found


@dataclass(frozen=True)
class Comparison:
    """Runs beside all stations.

    Attributes
    ----------
    run : str
        Name of the run that is evaluated.
    sources : mapping
        File of the stations, and folders of the runs by name.
    stations : list of StationComparison
        In the order of the file.
    rain : Hourly or None
        Domain mean of precipitation [mm h-1] in the period that is compared.
    notes : list of str
        What a reader must know.
    """

    run: str
    sources: Mapping[str, str]
    stations: list[StationComparison]
    rain: Hourly | None
    notes: list[str]

    @property
    def period(self) -> tuple[np.datetime64, np.datetime64]:
        """Begin of the first and end of the last pair, UTC."""
        return min(s.begin[0] for s in self.stations), max(s.end[-1] for s in self.stations)


@dataclass(frozen=True)
class _Station:
    config: StationConfig
    site: Site
    series: ObservedSeries


def read_observations(file: Path) -> tuple[Document, ObservationsConfig]:
    """Read ``observations.yaml``.

    Raises
    ------
    ConfigError
        With all mistakes in it, and where two stations have one name.
    """
    document = read_yaml(file)
    config = validate(document, ObservationsConfig, paths={})
    mistakes, first = Mistakes(), dict[str, int]()
    for i, station in enumerate(config.stations):
        if station.name in first:
            at = document.where(("stations", first[station.name], "name"))
            mistakes.note(document.error(("stations", i, "name"), f"{station.name!r} is a station already, {at}"))
        first.setdefault(station.name, i)
    mistakes.require_none()
    return document, config


def station_files(wanted: WantedStations) -> list[Path]:
    """Return all files and folders that `compare` reads; raises `ConfigError` as `read_observations`."""
    _, config = read_observations(wanted.file)
    given = [path for path in (wanted.domain, wanted.precipitation) if path is not None]
    return [wanted.file, *wanted.runs.values(), *config.files, *given]


def check_stations(file: Path, written: Collection[str]) -> None:
    """Refuse stations that a run could not be compared with in the end.

    Parameters
    ----------
    file : Path
        ``observations.yaml``.
    written : collection of str
        Variables that the run will have written every hour.

    Raises
    ------
    ConfigError
        With all mistakes in the file and in those that it names, and where what a station measures will not be written.
    """
    document, config = read_observations(file)
    mistakes = Mistakes()
    for i, station in enumerate(config.stations):
        with mistakes.noted(), _placed(document, i):
            to_hours(read_series(station))
        with mistakes.noted(), _placed(document, i):
            if not set(station.kind.variables) & set(written):
                names = " or ".join(station.kind.variables)
                raise ConfigError(
                    f"the run does not write {names} with `every: 1h`; add it to `output:`", key="quantity"
                )
    mistakes.require_none()


def compare(wanted: WantedStations) -> Comparison:
    """Compare runs with stations.

    Raises
    ------
    ConfigError
        With all mistakes that can be found: in ``observations.yaml`` and the files that it names, stations outside the
        domain, variables that the run has not written every hour, files without an hour of the run.
    """
    document, config = read_observations(wanted.file)
    run, *others = wanted.runs
    files = run_files(wanted.runs[run])
    domain = _domain(wanted, config)
    stations = _read_stations(document, config, domain)
    begin = min(s.series.begin[0] for s in stations)
    end = max(s.series.end[-1] for s in stations)
    places = {s.config.name: (s.config, s.site) for s in stations}
    simulated = {run: read_run(wanted.runs[run], files, places, domain, begin, end)}
    hours = _require_all(document, stations, simulated[run])
    notes: list[str] = []
    for name in others:
        path = wanted.runs[name]
        if is_parflow_run(path):
            notes.append(f"{name}: a run of ParFlow is not compared with stations.")
            continue
        simulated[name] = read_run(path, run_files(path), places, domain, begin, end)
    rain = _rain(wanted, hours, notes)
    mistakes, found = Mistakes(), []
    for i, station in enumerate(stations):
        with mistakes.noted(), _placed(document, i):
            of = {name: by_station[station.config.name] for name, by_station in simulated.items()}
            found.append(_compare(station, of, rain, notes))
    mistakes.require_none()
    sources = {"stations": str(wanted.file), **{name: str(path) for name, path in wanted.runs.items()}}
    return Comparison(run, sources, found, rain, notes)


def _domain(wanted: WantedStations, config: ObservationsConfig) -> Domain | None:
    """Return the domain, if any station needs it."""
    if all(station.cell is None for station in config.stations):
        return None
    if wanted.domain is not None:
        return Domain.load(load_config(wanted.domain, DomainConfig))
    return domain_of(next(iter(wanted.runs.values())))


@contextmanager
def _placed(document: Document, station: int) -> Iterator[None]:
    """Let errors of the block name the key of a station, and its line; those in other files name these, too."""
    try:
        yield
    except ConfigError as error:
        mistakes = Mistakes()
        for m in error.mistakes:
            key, told = ("file", str(m)) if m.file is not None or not m.key else (m.key, m.message)
            mistakes.note(document.error(("stations", station, key), told))
        mistakes.require_none()


def _read_stations(document: Document, config: ObservationsConfig, domain: Domain | None) -> list[_Station]:
    mistakes, found = Mistakes(), []
    for i, station in enumerate(config.stations):
        place = None
        with mistakes.noted(), _placed(document, i):
            place = site(station, domain)
        with mistakes.noted(), _placed(document, i):
            series = to_hours(read_series(station))
            if place is not None:
                found.append(_Station(station, place, series))
    mistakes.require_none()
    return found


def _require_all(
    document: Document, stations: list[_Station], found: Mapping[str, Hourly | ConfigError]
) -> dict[str, Hourly]:
    mistakes, hourly = Mistakes(), {}
    for i, station in enumerate(stations):
        of = found[station.config.name]
        if isinstance(of, Hourly):
            hourly[station.config.name] = of
        else:
            error = of if of.key else of.changed(key="quantity")
            with mistakes.noted(), _placed(document, i):
                raise error
    mistakes.require_none()
    return hourly


def _rain(wanted: WantedStations, hours: Mapping[str, Hourly], notes: list[str]) -> Hourly | None:
    there = [h for h in hours.values() if len(h.values)]
    if not there:
        return None  # no station has a pair, which is told of each
    begin, end = min(h.begin for h in there), max(h.ends[-1] for h in there)
    times = begin + HOUR * np.arange(1, int((end - begin) / HOUR) + 1)
    rain = precipitation_of(wanted.precipitation, wanted.runs.values(), times, notes)
    return None if rain is None else Hourly(begin, rain)


def _compare(
    station: _Station, runs: Mapping[str, Hourly | ConfigError], rain: Hourly | None, notes: list[str]
) -> StationComparison:
    series, name = station.series, station.config.name
    notes += (f"{name}: {note}." for note in series.notes)
    known = np.isfinite(series.values)
    paired: NDArray[np.bool_] = known
    hourly: dict[str, Hourly] = {}
    means: dict[str, Array] = {}
    for run, of in runs.items():  # the evaluated one first; others are left out where they have nothing
        if isinstance(of, ConfigError):
            notes.append(f"{name}: {run} is left out: {of.message}.")
            continue
        mean = of.means(series.begin, series.end)
        both = paired & np.isfinite(mean)
        if not both.any():
            if not means:
                raise ConfigError(_no_pair(station, of))
            notes.append(f"{name}: {run} is left out: it has none of the intervals that the other has.")
            continue
        hourly[run], means[run], paired = of, mean, both
    begin, end = series.begin[paired], series.end[paired]
    wettest = np.full(len(begin), np.nan) if rain is None else rain.largest(begin, end)
    return StationComparison(
        name=name,
        kind=station.config.kind,
        place=station.site.words,
        reading=series.reading,
        recorded=len(known),
        missing=int((~known).sum()),
        outside=int((known & ~paired).sum()),
        begin=begin,
        end=end,
        observed=series.values[paired],
        simulated={run: m[paired] for run, m in means.items()},
        wettest=wettest,
        hourly=hourly,
    )


def _no_pair(station: _Station, run: Hourly) -> str:
    series = station.series
    has = f"{station.config.file} has {show(series.begin[0])} to {show(series.end[-1])} UTC"
    if not len(run.values):
        return f"{has}; the run has no hour of that"
    return (
        f"{has}; no interval with a value lies in the hours of the run between {show(run.begin)} and "
        f"{show(run.ends[-1])}"
    )
