"""Laws of water. Each takes a laboratory and says what it found."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import numpy as np

from bmi_colm.forcing.names import PRECIPITATION
from bmi_common.durations import describe
from coupler.component import Component
from rootzone.laws.findings import Finding
from rootzone.laws.laboratory import (
    CANOPY_WATER,
    EVAPOTRANSPIRATION,
    NOT_INTO_SOIL,
    SNOW,
    Laboratory,
    NotApplicableError,
    Series,
    as_setting,
)
from rootzone.laws.weather import Floats

UNEXPLAINED = 1.0e-6
"""Water that nothing explains, over the water turned over: the limit of a run's own check of its balance."""
DIFFERENCE = 1.0e-9
"""Rounding of sums over a year, relative to them."""
_SURFACE_TEMPERATURE = "land_surface__temperature"
DRIFT = 0.01
"""Change of storage in a year of weather that repeats itself, over its precipitation."""

_A_YEAR = timedelta(days=360)
"""Record from which on the storage of the ground is expected to settle."""

_STORM = 10.0 / 3600.0
"""Precipitation of an added storm [kg m-2 s-1]."""
_STORM_HOURS = 6.0
_EXTREME = 10.0
"""The largest storm of the record times this."""


def closure(laboratory: Laboratory) -> Finding:
    """Over ten repetitions of the record all water is accounted for."""
    series = _repeated(laboratory)
    first = _first(series, 10 * laboratory.steps)
    years = len(first.balances) / laboratory.steps
    return Finding.judged(
        "closure",
        first.unexplained,
        UNEXPLAINED,
        f"share of the turnover that nothing explains, in {years:g} records",
    )


def drift(laboratory: Laboratory) -> Finding:
    """Under weather that repeats itself storage does not drift."""
    _require_rain(laboratory)
    _require_a_year(laboratory)
    series, steps = _repeated(laboratory), laboratory.steps
    yearly = np.array(series.storage[steps - 1 :: steps])
    if len(yearly) < 4:
        raise NotApplicableError(f"{len(yearly)} records are too few to see a drift in; ask for 4 or more")
    last = max(2, len(yearly) // 10)
    change = abs(yearly[-1] - yearly[-1 - last]) / last
    rain = series.of_land(PRECIPITATION)[:steps].sum()
    return Finding.judged(
        "drift",
        float(change / rain),
        DRIFT,
        f"change of storage a record over its precipitation, the last {last} of {len(yearly)} records",
    )


def steady_weather(laboratory: Laboratory) -> Finding:
    """Under steady weather the state settles: what falls, evaporates or flows out."""
    _require_a_year(laboratory)
    steps = 10 * laboratory.steps
    series = laboratory.remembered("steady weather", laboratory.record.steady(steps))
    part = steps // 10
    change = series.terms("storage_change")
    rain = max(series.of_land(PRECIPITATION)[-part:].sum(), np.finfo(float).tiny)
    first, last = abs(change[:part].sum()), abs(change[-part:].sum())
    return Finding.judged(
        "steady weather",
        float(last / max(first, DRIFT * rain)),
        0.5,
        "change of storage in the last tenth of ten records of steady weather, over that in the first tenth",
    )


def drought(laboratory: Laboratory) -> Finding:
    """Without rain the ground only drains and dries."""
    dry = laboratory.record.with_rain(np.zeros(laboratory.steps)).repeated(2 * laboratory.steps)
    series = laboratory.remembered("no rain", dry)
    gained = series.terms("storage_change") - series.terms("source") - series.terms("unmet_demand")
    gained = np.maximum(gained - series.terms("rounding"), 0.0)
    if series.storage[-1] > series.storage[0]:
        return Finding.failed("drought", "the ground holds more water after two records without rain than before")
    return Finding.judged(
        "drought",
        float(gained.sum() / series.terms("turnover").sum()),
        UNEXPLAINED,
        "storage gained without a source in two rainless records, over the turnover",
    )


def storm(laboratory: Laboratory) -> Finding:
    """Add a storm, which changes nothing before it, and after which no less water has flowed out at any time.

    In single hours less may flow out: waves of later storms run faster through channels that carry more water, and
    are over earlier.
    """
    when, rain = _storm(laboratory, 0.4)
    with_it = laboratory.remembered("a storm more", laboratory.record.with_more_rain(rain))
    without = laboratory.remembered("the record", laboratory.record)
    if with_it.prints[:when] != without.prints[:when]:
        hour = next(i for i, pair in enumerate(zip(with_it.prints, without.prints, strict=True)) if len(set(pair)) > 1)
        return Finding.failed("storm", f"step {hour} differs from the run without the storm of step {when}")
    missing = np.cumsum(without.terms("outflow") - with_it.terms("outflow"))
    return Finding.judged(
        "storm",
        float(np.maximum(missing, 0.0).max() / max(with_it.terms("outflow").sum(), np.finfo(float).tiny)),
        UNEXPLAINED,
        "outflow so far that is missing with the storm, the most at any time, over all of it",
    )


def largest_storm(laboratory: Laboratory) -> Finding:
    """Ten times the largest storm is survived, and accounted for."""
    _require_rain(laboratory)
    day = laboratory.steps_of(timedelta(days=1))
    rain = laboratory.record.values[PRECIPITATION].mean(axis=1)
    sums = np.convolve(rain, np.ones(day), mode="valid")
    first = int(sums.argmax())
    factor = np.ones(laboratory.steps)
    factor[first : first + day] = _EXTREME
    weather = laboratory.record.with_rain_times(factor)
    begin, end = max(0, first - 10 * day), min(laboratory.steps, first + 20 * day)
    series = laboratory.remembered("ten times the largest storm", weather.part(begin, end))
    depth = _EXTREME * sums.max() * laboratory.step_seconds
    return Finding.judged(
        "largest storm",
        series.unexplained,
        UNEXPLAINED,
        f"share of the turnover that nothing explains, with {depth:.0f} mm in a day",
    )


def antecedent(laboratory: Laboratory) -> Finding:
    """After wet weeks a storm makes no less outflow than after dry ones."""
    month = min(laboratory.steps_of(timedelta(days=30)), laboratory.steps // 2)
    after = min(laboratory.steps_of(timedelta(days=10)), laboratory.steps - month)
    rain = np.zeros(month + after)
    hours = max(1, int(_STORM_HOURS * 3600.0 / laboratory.step_seconds))
    rain[month : month + hours] = _STORM
    outflow = {}
    for name, drizzle in (("dry", 0.0), ("wet", 5.0 / 86400.0)):
        before = rain.copy()
        before[:month] = drizzle
        series = laboratory.remembered(
            f"{name} before a storm", laboratory.record.part(0, month + after).with_rain(before)
        )
        storm = float(series.of_land(PRECIPITATION)[month:].sum())
        outflow[name] = float(series.terms("outflow")[month:].sum()) / storm
    before_it = describe(timedelta(seconds=month * laboratory.step_seconds))
    # their difference, not their ratio: where both are all but nothing that says nothing
    return Finding.judged(
        "antecedent",
        max(outflow["dry"] - outflow["wet"], 0.0),
        UNEXPLAINED,
        f"outflow after {before_it} without rain beyond that after {before_it} of 5 mm a day, over the storm, in "
        f"{after} steps from it on; after wet ones {outflow['wet']:.2g} of it",
    )


def temperature(laboratory: Laboratory) -> Finding:
    """Warm and cool the air by 3 K: the surface follows, and what evaporates more or less is missed elsewhere."""

    def of_surface(land: Component, _: Component) -> float:
        values, cells = land.get(_SURFACE_TEMPERATURE), land.mask
        return float(values.mean() if cells is None else values[cells].mean())

    runs = [
        laboratory.run(f"{kelvin:+.0f} K", laboratory.record.warmer_by(kelvin), watch=of_surface)
        for kelvin in (-3.0, 0.0, 3.0)
    ]
    surface = [float(np.mean(s.watched)) for s in runs]
    if not surface[0] < surface[1] < surface[2]:
        told = ", ".join(f"{t - 273.15:.2f}" for t in surface)
        return Finding.failed("temperature", f"surface temperatures at -3, 0 and +3 K are {told} degrees C")
    evaporated = [float(s.of_land(EVAPOTRANSPIRATION).sum()) for s in runs]
    worst = max(abs(_unexplained(a) - _unexplained(b)) for a, b in pairwise(runs))
    return Finding.judged(
        "temperature",
        worst / float(runs[1].of_land(PRECIPITATION).sum() + evaporated[1]),
        UNEXPLAINED,
        "water that nothing explains, over what fell and evaporated; evapotranspiration at -3 and +3 K over that at "
        f"0 K: {evaporated[0] / evaporated[1]:.3f}, {evaporated[2] / evaporated[1]:.3f}",
    )


def rain_or_snow(laboratory: Laboratory) -> Finding:
    """Water that falls as snow is not lost: it waits, and melts."""
    days, day = 10, laboratory.steps_of(timedelta(days=1))
    steps = 4 * days * day
    base = laboratory.record.repeated(steps)
    rain = np.zeros(steps)
    rain[: days * day] = 12.0 / 86400.0
    runs = {}
    for name, kelvin in (("rain", 278.15), ("snow", 268.15)):
        air = np.full((steps, 1), 283.15)
        air[: days * day] = kelvin
        runs[name] = laboratory.remembered(f"{name} for ten days", base.with_rain(rain).at_temperature(air))
    lain = runs["snow"].of_land(SNOW)
    if lain[days * day - 1] <= 0.5 * runs["snow"].of_land(PRECIPITATION).sum():
        return Finding.failed("rain or snow", "less than half of ten days of snow at -5 degrees C lies on the ground")
    early = [float(runs[n].terms("source")[: days * day].sum()) for n in ("snow", "rain")]
    if early[0] > early[1]:
        return Finding.failed("rain or snow", "the ground takes up more while it snows than while it rains")
    worst = max(_land_unexplained(s) for s in runs.values())
    return Finding.judged(
        "rain or snow",
        worst,
        UNEXPLAINED,
        f"water of the land that nothing explains, over precipitation; snow left at +10 degrees C: "
        f"{lain[-1] / max(lain.max(), np.finfo(float).tiny):.2g} of the most",
    )


def more_and_less_rain(laboratory: Laboratory) -> Finding:
    """Find a fifth more rain again in evapotranspiration, runoff and storage, none of which falls."""
    _require_rain(laboratory)
    runs = [
        laboratory.run("a fifth less rain", laboratory.record.with_rain_times(0.8)),
        laboratory.remembered("the record", laboratory.record),
        laboratory.run("a fifth more rain", laboratory.record.with_rain_times(1.2)),
    ]
    parts = [
        {
            "evapotranspiration": s.of_land(EVAPOTRANSPIRATION).sum(),
            "outflow": s.terms("outflow").sum() + s.terms("drainage").sum(),
            "storage": s.terms("storage_change").sum(),
        }
        for s in runs
    ]
    rain = [float(s.of_land(PRECIPITATION).sum()) for s in runs]
    for name in parts[0]:
        values = [float(p[name]) for p in parts]
        if any(b < a - DIFFERENCE * rain[1] for a, b in pairwise(values)):
            told = ", ".join(f"{v / rain[1]:.4g}" for v in values)
            return Finding.failed("more and less rain", f"{name} falls with more rain: {told} of the record's rain")
    lost = [_unexplained(s) for s in runs]
    worst = max(abs((lost[i + 1] - lost[i]) / (rain[i + 1] - rain[i])) for i in range(2))
    return Finding.judged("more and less rain", worst, UNEXPLAINED, "difference of the rain that is not found again")


def calendar(laboratory: Laboratory) -> Finding:
    """Twenty-eight years later, with the same calendar and weather, all is bit for bit the same."""
    start = laboratory.start
    later = laboratory.run("the record", laboratory.record, start=start.replace(year=start.year + 28))
    here = laboratory.remembered("the record", laboratory.record)
    differ = sum(a != b for a, b in zip(here.prints, later.prints, strict=False)) + len(here.prints) - len(later.prints)
    return Finding.judged("calendar", float(differ), 0.0, "steps that differ 28 years later")


def well(laboratory: Laboratory) -> Finding:
    """Find what a well takes missing from storage, outflow and evapotranspiration."""
    j, i = laboratory.a_cell()
    rate = 100.0  # m3 h-1
    pump = {"name": "law", "cell": {"x": i, "y": j}, "layers": {0: 1}, "rate": rate}
    options = f"{laboratory.groundwater}.options.wells"
    with_it = laboratory.run("a well", laboratory.record, settings=(as_setting(options, [pump]),))
    without = laboratory.remembered("the record", laboratory.record)
    hours = laboratory.steps * laboratory.step_seconds / 3600.0
    taken, unmet = with_it.terms("extraction").sum(), with_it.terms("unmet_extraction").sum()
    lost = abs(taken + unmet - rate * hours)
    missing = sum(
        sign * float((without.terms(n) - with_it.terms(n)).sum())
        for n, sign in (("storage_change", 1), ("outflow", 1), ("drainage", 1), ("source", -1))
    )
    return Finding.judged(
        "well",
        float(max(lost, abs(taken - missing)) / (rate * hours)),
        UNEXPLAINED,
        f"of {rate * hours:.6g} m3 asked for: what is neither taken nor said to be unmet, or taken from nowhere",
    )


# ------------------------------------------------------------------------ parts


def _require_a_year(laboratory: Laboratory) -> None:
    if laboratory.lengths.record < _A_YEAR:
        raise NotApplicableError(
            f"storage does not settle in records of {describe(laboratory.lengths.record)}; take {describe(_A_YEAR)} "
            "or more"
        )


def _require_rain(laboratory: Laboratory) -> None:
    if not laboratory.record.values[PRECIPITATION].any():
        raise NotApplicableError("no precipitation falls in the record")


def _repeated(laboratory: Laboratory) -> Series:
    repeats = laboratory.lengths.repeats
    return laboratory.remembered(f"{repeats} records", laboratory.record.repeated(repeats * laboratory.steps))


def _first(series: Series, steps: int) -> Series:
    return Series(balances=series.balances[:steps])


def _storm(laboratory: Laboratory, share: float) -> tuple[int, Floats]:
    """Return the step that a storm begins with, after this share of the record, and its precipitation by the step."""
    rain, when = np.zeros(laboratory.steps), int(share * laboratory.steps)
    rain[when : when + max(1, int(_STORM_HOURS * 3600.0 / laboratory.step_seconds))] = _STORM
    return when, rain


def _land_change(series: Series) -> Floats:
    """Water that the land has kept since the step before, (steps - 1,) [m3]: on the canopy, and as snow."""
    return np.asarray(np.diff(series.of_land(SNOW) + series.of_land(CANOPY_WATER)))


def _land_residual(series: Series) -> Floats:
    """Water of the land that nothing explains, (steps - 1,) [m3]."""
    came = series.of_land(PRECIPITATION) - series.of_land(EVAPOTRANSPIRATION) - series.of_land(NOT_INTO_SOIL)
    return np.asarray((came - series.terms("source"))[1:] - _land_change(series))


def _land_unexplained(series: Series) -> float:
    return float(np.abs(_land_residual(series)).sum() / series.of_land(PRECIPITATION).sum())


def _unexplained(series: Series) -> float:
    """Water of land and groundwater together that nothing explains, without the first step [m3]."""
    known = series.terms("storage_change") + series.terms("outflow") + series.terms("drainage")
    known = known - series.terms("unmet_demand")
    known = known + series.of_land(EVAPOTRANSPIRATION) + series.of_land(NOT_INTO_SOIL)
    return float((series.of_land(PRECIPITATION) - known)[1:].sum() - _land_change(series).sum())
