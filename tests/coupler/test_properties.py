"""Laws of the coupler that hold for any valid input."""

import contextlib
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bmi_common.durations import add_period, describe, divides, nearest_divisors, parse_duration
from bmi_common.errors import ConfigError
from bmi_common.groundwater import PRESSURE_HEAD
from bmi_common.units import conversion
from coupler.config import load_run
from coupler.grids import GridInfo, map_grids
from coupler.preparation import prepare
from coupler.stepper import Stepper

pytestmark = pytest.mark.slow

few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

durations = st.integers(1, 10**15).map(lambda n: timedelta(microseconds=n))
DIVISORS_OF_AN_HOUR = [s for s in range(60, 3601) if 3600 % s == 0]


# ---------------------------------------------------------------- lengths of time


@given(durations)
def test_a_duration_is_read_back_as_it_is_told(length):
    assert parse_duration(describe(length)) == length


@given(part=st.integers(1, 5000), whole=st.integers(1, 5000))
def test_suggested_steps_divide_and_lie_around_the_step_asked(part, whole):
    assume(part <= whole)
    a, b = timedelta(seconds=part), timedelta(seconds=whole)
    suggested = nearest_divisors(a, b)
    assert suggested[0] <= a <= suggested[-1] or len(suggested) == 1
    for length in suggested:
        assert (b / length) == pytest.approx(round(b / length), rel=1e-6)


@given(
    start=st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),
    years=st.integers(0, 50),
    months=st.integers(0, 30),
    days=st.integers(0, 400),
)
def test_a_calendar_period_ends_later_by_about_its_length(start, years, months, days):
    assume(years or months or days)
    end = add_period(start, f"P{years}Y{months}M{days}D")
    about = 365.2425 * years + 30.436875 * months + days
    assert abs((end - start) / timedelta(days=1) - about) <= 5.0
    assert end.time() == start.time()


# ---------------------------------------------------------------- units

pairs = st.sampled_from(
    [
        ("cm", "m"),
        ("degC", "K"),
        ("mm h-1", "m s-1"),
        ("kg m-2 s-1", "mm h-1"),
        ("kg m-2", "m"),
        ("h-1", "s-1"),
        ("hPa", "Pa"),
        ("percent", "1"),
        ("km2 mm", "m3"),
    ]
)


@given(pair=pairs, value=st.floats(-1e6, 1e6))
def test_units_survive_the_way_there_and_back(pair, value):
    there, back = conversion(*pair), conversion(*reversed(pair))
    converted = value * there.factor + there.offset
    scale = abs(value) + abs(back.offset) + 1e-300
    assert converted * back.factor + back.offset == pytest.approx(value, abs=1e-12 * scale)


@pytest.mark.parametrize(
    ("source", "target", "factor", "offset"),
    [
        ("cm", "m", 0.01, 0.0),
        ("degC", "K", 1.0, 273.15),
        ("mm h-1", "m s-1", 1e-3 / 3600, 0.0),
        ("kg m-2 s-1", "mm h-1", 3600.0, 0.0),
        ("m", "kg m-2", 1000.0, 0.0),
    ],
)
def test_units_convert_by_the_factor_of_the_books(source, target, factor, offset):
    found = conversion(source, target)
    assert (found.factor, found.offset) == pytest.approx((factor, offset), rel=1e-12)


# ---------------------------------------------------------------- layers


def grid(z, nx=4, ny=3, identifier=1):
    x, y = 1000.0 * (np.arange(nx) + 0.5), 1000.0 * (np.arange(ny) + 0.5)
    return GridInfo(identifier, "rectilinear", (len(z), ny, nx), x, y, np.asarray(z))


thicknesses = st.lists(st.floats(0.01, 100.0), min_size=1, max_size=20)


@given(thickness=thicknesses, data=st.data())
def test_layers_map_to_themselves_wherever_they_lie(thickness, data):
    z = np.cumsum(thickness)
    first = data.draw(st.integers(0, len(z) - 1))
    count = data.draw(st.integers(1, len(z) - first))
    found = map_grids("exchange", grid(z), grid(z[first : first + count]))
    everywhere = np.broadcast_to(z[:, None, None], (len(z), 3, 4))
    np.testing.assert_array_equal(found(everywhere), everywhere[first : first + count])
    assert found.is_identity == (count == len(z))


@given(thickness=thicknesses, shift=st.floats(1e-3, 5.0), data=st.data())
def test_layers_at_other_heights_are_refused(thickness, shift, data):
    z = np.cumsum(thickness)
    count = data.draw(st.integers(1, len(z)))
    target = z[-count:] + shift
    assume(not any(np.allclose(z[i : i + count], target, rtol=1e-6) for i in range(len(z) - count + 1)))
    with pytest.raises(ConfigError, match="exchange: "):
        map_grids("exchange", grid(z), grid(target))


@given(nx=st.integers(1, 6), ny=st.integers(1, 6))
def test_other_horizontal_sizes_are_refused(nx, ny):
    assume((nx, ny) != (4, 3))
    with pytest.raises(ConfigError, match="does not match"):
        map_grids("exchange", grid([1.0, 2.0]), grid([2.0], nx, ny))


# ---------------------------------------------------------------- runs


@few
@given(
    hours=st.integers(1, 4),
    groundwater=st.sampled_from(DIVISORS_OF_AN_HOUR),
    land=st.sampled_from(DIVISORS_OF_AN_HOUR),
    method=st.sampled_from(["mean", "hold"]),
    order=st.permutations(["land", "groundwater"]),
    mask=st.integers(0, 11),
)
def test_any_steps_that_divide_give_a_balance_that_closes(fake, hours, groundwater, land, method, order, mask):
    length = timedelta(hours=hours)
    fake.run["time"]["end"] = (datetime(2020, 1, 1) + length).isoformat()
    fake.land.update(step=land, mask=mask)
    fake.groundwater.update(step=groundwater, mask=mask)
    fake.run["order"] = list(order)
    for exchange in fake.run["exchanges"]:
        exchange["method"] = method
    with TemporaryDirectory() as staging:
        prepared = prepare(load_run(fake.write()), Path(staging))
        stepper = Stepper(prepared)
        for _ in range(hours):
            stepper.step()
        reached = [c.time for c in prepared.components.values()]
        head = prepared.components["groundwater"].get(PRESSURE_HEAD)[-1].flat[-1]
        prepared.finalize()
    assert reached == pytest.approx([3600.0 * hours] * 2)
    totals = stepper.water_balance.totals
    assert abs(totals.residual) <= 1e-9 * totals.turnover
    given_hours = hours - (order[0] == "groundwater")  # the first hour has no source yet
    assert head == pytest.approx(-1.0 + 0.00175 * given_hours, rel=1e-12)


@few
@given(step=st.integers(1, 7200))
def test_steps_of_a_component_either_divide_or_are_refused_with_ones_that_do(fake, step):
    fake.groundwater["step"] = step
    fake.run["exchanges"][0]["method"] = fake.run["exchanges"][1]["method"] = "hold"
    with TemporaryDirectory() as staging:
        if 3600 % step == 0:
            prepare(load_run(fake.write()), Path(staging)).finalize()
        else:
            with pytest.raises(ConfigError, match=r"coupled.yaml:4: time.step: .*groundwater"):
                prepare(load_run(fake.write()), Path(staging))


@few
@given(
    step=st.sampled_from([600, 900, 1200, 1800, 3600, 7200]),
    steps=st.integers(1, 48),
    surplus=st.integers(0, 599),
)
def test_a_period_is_accepted_exactly_if_it_has_whole_steps(fake, step, steps, surplus):
    start = datetime(2020, 2, 28)
    end = start + timedelta(seconds=step * steps + surplus)
    fake.run["time"] = {"start": start.isoformat(), "end": end.isoformat(), "step": f"{step}s"}
    fake.run["output"] = []
    path = fake.write()
    if surplus == 0:
        assert load_run(path).config.time.steps == steps
    else:
        with pytest.raises(ConfigError, match="no whole number of steps"):
            load_run(path)


KEYS = [
    "time",
    "time.step",
    "time.start",
    "time.end",
    "order",
    "order.0",
    "components",
    "components.land",
    "land",
    "land.class",
    "land.config",
    "land.options",
    "land.options.a.b",
    "exchanges",
    "exchanges.0",
    "exchanges.0.from",
    "exchanges.0.method",
    "output",
    "output.0",
    "output.0.every",
    "output.0.file",
    "output.0.variables",
    "output.0.variables.0",
    "checks",
    "checks.ranges",
    "checks.water_balance.tolerance",
    "spin_up",
    "spin_up.repeat",
    "spin_up.max",
    "seed",
    "figures",
    "title",
    "paths",
    "relative_to",
]
ODD = [
    "",
    "null",
    "[]",
    "{}",
    "-1",
    "1e400",
    ".nan",
    "[[1]]",
    "{1: 2}",
    "99999999999d",
    "P9999999Y",
    "2020-01-01",
    "a: b",
]


@settings(few, max_examples=150)
@given(
    key=st.sampled_from(KEYS) | st.from_regex(r"[a-z_.0-9]{0,12}", fullmatch=True),
    value=st.sampled_from(ODD) | st.text(max_size=12),
)
def test_any_setting_is_taken_or_refused_as_a_mistake(fake, key, value):
    with contextlib.suppress(ConfigError):
        load_run(fake.write(), [f"{key}={value}"])


def test_divides_is_exact_to_a_microsecond():
    assert divides(timedelta(seconds=0.1), timedelta(hours=1))
    assert not divides(timedelta(seconds=7), timedelta(hours=1))
