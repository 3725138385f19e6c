"""What the exchange makes of values: units, layers, types, sub-steps, order."""

import json
import shutil

import numpy as np
import pytest
import xarray as xr

from bmi_common.groundwater import NET_SOURCE, PRESSURE_HEAD, SATURATION
from bmi_common.netcdf_file import netcdf_name


def values(fake):
    data = fake.open()
    return {name: data[name].values for name in data.data_vars if name != "time_bounds"}


def run_of(fake, groundwater_class):
    fake.run["components"]["land"]["class"] = "zoo:TypicalLand"
    fake.run["output"][0]["precision"] = "double"
    fake.use(groundwater_class).succeeds("--overwrite")
    return values(fake)


# ---------------------------------------------------------------- kinds of components


def test_head_in_centimetres_arrives_in_metres(fake):
    fake.run["output"][0]["variables"] = [f"land.{PRESSURE_HEAD}"]
    fake.use("CentimetreBucket").succeeds()
    head = fake.open()[PRESSURE_HEAD]
    assert head.units == "m"
    assert head[0].values == pytest.approx(-0.01)  # the component starts at -1, in cm


@pytest.mark.parametrize("other", ["PointerlessBucket", "HourBucket"])
def test_components_of_another_kind_give_the_same_run_to_the_bit(fake, other):
    expected = run_of(fake, "Bucket")
    found = run_of(fake, other)
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])


def test_single_precision_component_gives_the_same_run_to_its_precision(fake):
    expected = run_of(fake, "Bucket")
    found = run_of(fake, "SinglePrecisionBucket")
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=2e-6)  # 6 roundings of 6e-8


def test_the_two_runs_of_one_configuration_agree_to_the_bit(fake):
    first = run_of(fake, "Bucket")
    shutil.rmtree(fake.output)
    second = run_of(fake, "Bucket")
    for name in first:
        np.testing.assert_array_equal(second[name], first[name])


def test_the_run_does_not_depend_on_what_is_written(fake):
    fake.run["components"]["land"]["class"] = "zoo:TypicalLand"
    last = f"groundwater.{PRESSURE_HEAD}"
    fake.run["output"] = [{"file": "hourly.nc", "every": "6h", "variables": [last], "method": "point"}]
    fake.succeeds()
    alone = fake.open()[PRESSURE_HEAD].values
    fake.run["output"].append(
        {"file": "more.nc", "every": "1h", "variables": [f"land.{NET_SOURCE}", f"groundwater.{SATURATION}"]}
    )
    fake.succeeds("--overwrite")
    np.testing.assert_array_equal(fake.open()[PRESSURE_HEAD].values, alone)


def test_the_top_ten_layers_are_exchanged(fake):
    fake.groundwater.update(layers=12, head=[-float(k) for k in range(1, 13)])
    fake.land.update(layers=12)
    fake.run["output"][0]["variables"] = [f"land.{PRESSURE_HEAD}", f"groundwater.{PRESSURE_HEAD}"]
    fake.succeeds()
    data = fake.open()
    np.testing.assert_allclose(data[f"land_{PRESSURE_HEAD}"][0, :, 0, 0], -np.arange(3.0, 13.0), rtol=1e-6)


def test_source_reaches_its_layer_and_cell(fake):
    fake.run["components"]["land"]["class"] = "zoo:TypicalLand"
    fake.run["output"][0]["precision"] = "double"
    fake.run["time"]["end"] = "2020-01-01T01:00"
    fake.succeeds()
    data = fake.open()
    rise = data[PRESSURE_HEAD][0].values + 1.0
    assert (rise[0] == 0.0).all()  # the eleventh layer from the top has no source
    np.testing.assert_allclose(rise[1:], data[netcdf_name(NET_SOURCE)][0].values, rtol=1e-9)
    assert rise[10, 2, 3] == pytest.approx((0.002 - 0.00025) * 2.1)


# ---------------------------------------------------------------- sub-steps


@pytest.fixture
def clock(fake):
    """Run of a clock and a listener over two hours; returns what the listener was given."""

    def given(to, method=None, clock_step=3600, listener_step=3600, order=("land", "groundwater"), source="time"):
        record = fake.folder / "heard.json"
        fake.land["step"], fake.groundwater["step"] = clock_step, listener_step
        fake.run["time"]["end"] = "2020-01-01T02:00"
        fake.run["components"]["land"]["class"] = "zoo:Clock"
        fake.use("Listener", record=str(record))
        exchange = {"from": f"land.clock__{source}", "to": f"groundwater.heard__{to}"}
        fake.run.update(order=list(order), exchanges=[exchange | ({"method": method} if method else {})], output=[])
        fake.succeeds("--overwrite")
        return [step[f"heard__{to}"] for step in json.loads(record.read_text())]

    return given


def test_mean_of_two_half_hours(clock):
    assert clock("time", "mean", clock_step=1800) == [0.75, 1.75]


def test_mean_of_four_quarters(clock):
    assert clock("time", "mean", clock_step=900) == [0.625, 1.625]


def test_mean_of_one_step_is_its_value(clock):
    assert clock("time", "mean") == [1.0, 2.0]


def test_sum_of_amounts(clock):
    assert clock("length", "sum", clock_step=900, source="step_length") == [1.0, 1.0]


def test_hold_takes_the_last_value(clock):
    assert clock("time", "hold", clock_step=900) == [1.0, 2.0]


def test_linear_goes_from_the_old_value_to_the_new(clock):
    assert clock("time", "linear", listener_step=900) == [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]


def test_linear_with_one_step_gives_the_new_value(clock):
    assert clock("time", "linear") == [1.0, 2.0]


def test_hold_supplies_every_sub_step_of_the_target(clock):
    assert clock("time", listener_step=1800) == [1.0, 1.0, 2.0, 2.0]


def test_mean_over_sub_steps_supplies_every_sub_step_of_the_target(clock):
    assert clock("time", "mean", clock_step=1800, listener_step=1200) == [0.75] * 3 + [1.75] * 3


def test_a_state_is_set_once_in_a_coupling_step(clock):
    assert clock("state", listener_step=1800) == [1.0, None, 2.0, None]


def test_target_that_steps_first_gets_the_state_at_the_start_of_the_step(clock):
    assert clock("time", order=("groundwater", "land")) == [0.0, 1.0]


def test_target_that_steps_first_gets_the_mean_of_the_step_before(clock):
    assert clock("time", "mean", clock_step=1800, order=("groundwater", "land")) == [0.0, 0.75]


def test_target_that_steps_first_gets_the_sum_of_the_step_before(clock):
    given = clock("length", "sum", clock_step=1800, order=("groundwater", "land"), source="step_length")
    assert given == [0.0, 1.0]


def test_linear_works_on_a_subset_of_layers(fake):
    fake.run["order"] = ["groundwater", "land"]
    fake.run["exchanges"][0]["method"] = "linear"
    fake.groundwater["step"] = fake.land["step"] = 3600
    fake.run["output"][0]["variables"] = [f"land.{PRESSURE_HEAD}", f"groundwater.{PRESSURE_HEAD}"]
    fake.succeeds()
    data = fake.open()
    np.testing.assert_array_equal(data[f"land_{PRESSURE_HEAD}"], data[f"groundwater_{PRESSURE_HEAD}"][:, 1:])


@pytest.mark.parametrize("step", [1800, 900])
def test_shorter_steps_of_the_groundwater_take_up_the_same_water(fake, step):
    fake.run["output"][0]["method"] = "point"  # a mean would be that of all its steps
    expected = run_of(fake, "Bucket")[PRESSURE_HEAD]
    fake.groundwater["step"] = step
    np.testing.assert_allclose(run_of(fake, "Bucket")[PRESSURE_HEAD], expected, rtol=1e-12)


def test_shorter_steps_of_the_land_hand_over_their_mean(fake):
    fake.run["components"]["land"]["class"] = "zoo:TypicalLand"
    fake.land["step"] = 1800
    fake.run["exchanges"][2]["method"] = "mean"
    fake.run["output"] = [
        {"file": "hourly.nc", "every": "1h", "precision": "double", "variables": [f"groundwater.{NET_SOURCE}"]}
    ]
    fake.succeeds()
    top = fake.open()[netcdf_name(NET_SOURCE)][:, -1, 0, 0].values  # 1 + 0.01 t, at t = 0 and 0.5 h in the first hour
    np.testing.assert_allclose(top, 0.00175 * (1.0 + 0.01 * (np.arange(6) + 0.25)), rtol=1e-12)


# ---------------------------------------------------------------- order


def test_order_decides_which_source_the_groundwater_gets(fake):
    fake.run["components"]["land"]["class"] = "zoo:TypicalLand"
    fake.run["output"] = [
        {"file": "hourly.nc", "every": "1h", "precision": "double", "variables": [f"groundwater.{NET_SOURCE}"]}
    ]
    fake.succeeds()
    land_first = fake.open()[netcdf_name(NET_SOURCE)].values
    fake.run["order"] = ["groundwater", "land"]
    fake.succeeds("--overwrite")
    groundwater_first = fake.open()[netcdf_name(NET_SOURCE)].values
    assert (groundwater_first[0] == 0.0).all()  # the land has not stepped yet
    np.testing.assert_array_equal(groundwater_first[1:], land_first[:-1])  # saturation is constant in the fake


def test_the_seed_decides_what_components_draw(fake):
    fake.use("NoisyBucket")

    def heads(folder, seed):
        assert fake("--set", f"seed={seed}", "--output", str(fake.folder / folder)).exit_code == 0
        with xr.open_dataset(fake.folder / folder / "hourly.nc") as data:
            return data["soil_water__pressure_head"].values

    first = heads("a", 1)
    np.testing.assert_array_equal(heads("b", 1), first)
    assert (heads("c", 2) != first).any()
