"""The ledger of the interface, and the spin-up that is judged by it."""

import numpy as np
import pytest
from click.testing import CliRunner
from zoo import RememberingBucket

from bmi_common.groundwater import PRESSURE_HEAD, STORAGE_VOLUME
from coupler.config import load_run
from coupler.water_balance import TERMS, Balance
from rootzone.bmi_run import main

pytestmark = pytest.mark.slow

SOURCE_PER_HOUR = (0.002 - 10 * 0.00025) * 0.5 * 1.0e6 * 12  # m3: rain less uptake of ten layers, 0.5 m, 12 cells


def balance_of(fake):
    return fake.open("water_balance.nc")


# ---------------------------------------------------------------- ledger


def test_source_is_what_the_land_handed_over(fake):
    fake.succeeds()
    np.testing.assert_allclose(balance_of(fake).source, SOURCE_PER_HOUR, rtol=1e-12)


def test_balance_of_a_conserving_component_closes(fake):
    fake.run["components"]["land"]["class"] = "zoo:TypicalLand"
    fake.groundwater["head"] = 0.0  # so that storage is not large against its change
    fake.succeeds()
    data = balance_of(fake)
    storage = 1.0e6 * 12 * 15.0  # every change is the difference of two of these
    assert (abs(data.residual) < 4 * np.finfo(float).eps * storage).all()
    assert (abs(data.residual) < 1e-10 * data.turnover).all()


def test_balance_closes_to_rounding_from_an_empty_store(fake):
    fake.succeeds()  # at a head of -1 m the fake's storage is 0
    data = balance_of(fake)
    assert (abs(data.residual) <= 1e-12 * data.turnover).all()


def test_residual_is_the_leak(fake):
    fake.use("LeakyBucket").succeeds()
    data = balance_of(fake)
    np.testing.assert_allclose(data.storage_change, 0.9 * SOURCE_PER_HOUR, rtol=1e-9)
    np.testing.assert_allclose(data.residual, -0.1 * SOURCE_PER_HOUR, rtol=1e-9)


def test_residual_is_in_the_final_report(fake):
    assert "unexplained: 1.8e+03 m3 net" in fake.use("LeakyBucket").succeeds().output


def test_gains_and_losses_that_cancel_are_told_in_full(fake):
    fake.run["checkpoint"] = {"every": "1h"}
    fake.use("BreathingBucket").succeeds("--set", "time.end=2020-01-01T03:00")
    again = CliRunner().invoke(main, ["--restart", str(fake.output), "--set", "time.end=2020-01-01T06:00"])
    assert again.exit_code == 0, again.output
    lost = 0.1 * abs(SOURCE_PER_HOUR)  # the source takes more than it gives
    told = balance_of(fake)
    np.testing.assert_allclose(told.residual, lost * np.array([-1, 1, -1, 1, -1, 1]), rtol=1e-9)
    assert told.net_residual_m3 == pytest.approx(0.0, abs=1e-9 * lost)
    assert told.absolute_residual_m3 == pytest.approx(6 * lost)
    assert told.turnover_m3 == pytest.approx(float(told.turnover.sum()))
    percent = 100.0 * (told.absolute_residual_m3 / told.turnover_m3)
    assert f"{6 * lost:.3g} m3 ({percent:.2g} %) if nothing cancels" in again.output


def test_layers_in_other_units_are_the_same_layers(fake):
    fake.succeeds()
    metres = balance_of(fake)
    fake.use("CentimetreLayersBucket").succeeds("--overwrite")
    centimetres = balance_of(fake)
    for name in ("source", "turnover", "residual"):
        np.testing.assert_allclose(centimetres[name], metres[name], rtol=1e-12, atol=1e-6)


@pytest.mark.parametrize("change", [np.nan, np.inf])
def test_a_balance_with_a_term_that_is_no_number_is_not_closed(change):
    assert Balance(1.0, change, 0.0, 0.0, 0.0, 1.0).relative_residual == np.inf


def test_drainage_explains_what_storage_loses(fake):
    fake.use("DrainingBucket").succeeds()
    data = balance_of(fake)
    np.testing.assert_allclose(data.drainage, 1.0e-3 * 10.0 * 1.0e6 * 12, rtol=1e-12)
    np.testing.assert_allclose(data.residual, 0.0, atol=1e-9 * float(data.turnover[0]))


@pytest.mark.parametrize("step", [1800, 600])
def test_volumes_of_all_sub_steps_are_booked(fake, step):
    fake.use("DrainingBucket", step=step).succeeds()
    data = balance_of(fake)
    np.testing.assert_allclose(data.drainage, 1.0e-3 * 10.0 * 1.0e6 * 12, rtol=1e-12)
    np.testing.assert_allclose(data.source, SOURCE_PER_HOUR, rtol=1e-12)
    np.testing.assert_allclose(data.residual, 0.0, atol=1e-9 * float(data.turnover[0]))


def test_source_that_changes_between_sub_steps_is_booked_as_given(fake):
    fake.run["exchanges"][2]["method"] = "linear"
    fake.groundwater["step"] = 1800
    fake.succeeds()
    data = balance_of(fake)
    # from nothing at the start to the full source: a half and the whole of it, each for half an hour
    np.testing.assert_allclose(data.source, [0.75 * SOURCE_PER_HOUR] + [SOURCE_PER_HOUR] * 5, rtol=1e-12)
    np.testing.assert_allclose(data.residual, 0.0, atol=1e-9 * float(data.turnover[0]))


def test_only_active_cells_are_booked(fake):
    fake.land["mask"] = fake.groundwater["mask"] = 3
    fake.succeeds()
    np.testing.assert_allclose(balance_of(fake).source, SOURCE_PER_HOUR * 9 / 12, rtol=1e-12)


def test_units_of_the_component_do_not_matter(fake):
    fake.succeeds()
    expected = balance_of(fake)
    fake.use("HourBucket").succeeds("--overwrite")
    found = balance_of(fake)
    for term in TERMS:
        np.testing.assert_array_equal(found[term], expected[term])


def test_balance_file_has_every_term_with_its_meaning_and_dates(fake):
    fake.succeeds()
    data = balance_of(fake)
    assert set(TERMS) <= set(data.data_vars)
    assert all(data[t].units == "m3" and data[t].long_name for t in TERMS)
    assert data.time.values[-1] == np.datetime64("2020-01-01T06:00")


def test_long_runs_write_every_step_of_the_balance(fake):
    fake.run["time"]["end"] = "2020-01-03T02:00"  # 50 steps: not a multiple of what is flushed at once
    fake.succeeds()
    assert balance_of(fake).sizes["time"] == 50


def test_a_run_without_groundwater_has_no_balance(fake):
    fake.run.update(order=["land"], exchanges=[], output=[])
    fake.run["components"] = {"land": {"class": "zoo:Clock", "config": "land.yaml"}}
    fake.succeeds()
    assert not (fake.output / "water_balance.nc").exists()


def test_unmet_demand_explains_a_sink_that_took_nothing():
    assert Balance(-5.0, 0.0, 0.0, 0.0, 5.0, 5.0).residual == 0.0


def test_nothing_moved_and_nothing_missing_is_no_residual():
    assert Balance(0.0, 0.0, 0.0, 0.0, 0.0, 0.0).relative_residual == 0.0


def test_something_missing_where_nothing_moved_is_all_of_it():
    assert Balance(0.0, 3.0, 0.0, 0.0, 0.0, 0.0).relative_residual == 1.0


# ---------------------------------------------------------------- spin-up


def spin_up(fake, repeat="4h", most=20, until=1.0e-2):
    fake.run["spin_up"] = {"repeat": repeat, "max": most, "until": {"storage_change": until}}
    fake.run["output"][0]["precision"] = "double"
    return fake


def test_spin_up_repeats_until_storage_settles(fake):
    # the store relaxes by 2^-4 in each repetition of four hours and the source is steady, so the change falls alike
    spin_up(fake.use("SettlingBucket"))
    output = fake.succeeds().output
    changes = [float(line.split(" is ")[1].split()[0]) for line in output.splitlines() if line.startswith("spin-up ")]
    assert 2 < len(changes) < 20
    assert changes[-1] <= 1.0e-2 < changes[-2]
    np.testing.assert_allclose(np.divide(changes[1:-1], changes[:-2]), 2.0**-4, rtol=1e-2)


def test_spin_up_that_does_not_settle_warns_and_goes_on(fake):
    spin_up(fake, most=3)  # the plain bucket loses as much in every repetition
    output = fake.succeeds().output
    assert "spin-up 3: storage change" in output
    assert "spin-up 4" not in output
    assert "ended after 3 repetitions with a storage change of 1 of the net source, above 0.01" in output
    assert fake.open().sizes["time"] == 6


def test_state_is_carried_into_the_run(fake):
    spin_up(fake, repeat="3h", most=4)
    fake.run["output"][0]["variables"] = [f"groundwater.{PRESSURE_HEAD}"]
    fake.succeeds()
    head = fake.open()[PRESSURE_HEAD].values
    hours = 4 * 3 + np.arange(1, 7)
    np.testing.assert_allclose(head[:, -1, 0, 0], -1.0 + 0.00175 * hours, rtol=1e-12)


def test_initial_state_is_that_at_the_end_of_the_spin_up(fake):
    spin_up(fake, repeat="3h", most=4).succeeds()
    state = fake.open("initial_state.nc")[PRESSURE_HEAD]
    assert state.attrs["units"] == "m"
    assert state.attrs["component"] == "groundwater"
    assert state.dtype == np.float64
    np.testing.assert_allclose(state[-1], -1.0 + 0.00175 * 12, rtol=1e-12)


def test_outputs_and_balance_are_those_of_the_run_itself(fake):
    spin_up(fake, most=3)
    fake.run["output"][0]["variables"] = [f"groundwater.{STORAGE_VOLUME}"]
    fake.succeeds()
    assert fake.open().time.values[0] == np.datetime64("2020-01-01T01:00")
    data = balance_of(fake)
    assert data.sizes["time"] == 6
    np.testing.assert_allclose(data.source, SOURCE_PER_HOUR, rtol=1e-12)
    np.testing.assert_allclose(data.residual, 0.0, atol=1e-9 * float(data.turnover[0]))


def test_a_run_without_spin_up_writes_no_initial_state(fake):
    fake.succeeds()
    assert not (fake.output / "initial_state.nc").exists()


def test_spin_up_may_be_longer_than_the_run(fake):
    spin_up(fake, repeat="P1D", most=1).succeeds()
    state = fake.open("initial_state.nc")[PRESSURE_HEAD]
    np.testing.assert_allclose(state[-1], -1.0 + 0.00175 * 24, rtol=1e-12)


# ---------------------------------------------------------------- whole states through a spin-up


def repeated(fake, **spec):
    fake.run["spin_up"] = spec
    fake.run["output"][0]["precision"] = "double"
    fake.run["components"]["land"]["class"] = "zoo:RememberingLand"
    return fake.use("RememberingBucket")


def without_spin_up(fake, hours):
    """The same hours in one long run."""
    del fake.run["spin_up"]
    fake.run["time"]["end"] = f"2020-01-01T{hours:02}:00"
    return fake.succeeds("--overwrite").output


def test_what_components_remember_goes_through_the_spin_up(fake):
    # neither component knows the time but by what it remembers, so that repeating is going on
    repeated(fake, repeat="3h", max=2).run["components"]["land"]["class"] = "zoo:SteadyLand"
    fake.succeeds()
    head = fake.open()[PRESSURE_HEAD].values
    without_spin_up(fake, 12)
    np.testing.assert_array_equal(head, fake.open()[PRESSURE_HEAD].values[6:])


def test_a_run_starts_warm_from_the_files_of_a_spin_up(fake):
    repeated(fake, repeat="3h", max=2).succeeds()
    assert sorted(p.name for p in (fake.output / "spun_up").iterdir()) == ["groundwater.nc", "land.nc"]
    component = RememberingBucket()
    component.initialize(str(fake.folder / "groundwater.yaml"))
    component.start_from(fake.output / "spun_up" / "groundwater.nc")
    np.testing.assert_array_equal(component.values[PRESSURE_HEAD], fake.open("initial_state.nc")[PRESSURE_HEAD])
    assert component.hidden.any()


def test_components_without_state_files_carry_what_can_be_set(fake):
    spin_up(fake.use("ForeignBucket"), repeat="3h", most=4).succeeds()
    state = fake.open("initial_state.nc")[PRESSURE_HEAD]
    np.testing.assert_allclose(state[-1], -1.0 + 0.00175 * 12, rtol=1e-12)
    assert [p.name for p in (fake.output / "spun_up").iterdir()] == ["land.nc"]


def test_without_a_criterion_the_period_is_repeated_as_often_as_told(fake):
    output = repeated(fake, repeat="2h", max=3).succeeds().output
    assert [line.split(":")[0] for line in output.splitlines() if line.startswith("spin-up ")] == [
        "spin-up 1", "spin-up 2", "spin-up 3",
    ]  # fmt: skip
    assert "ended after" not in output


def test_without_a_criterion_no_water_balance_is_needed(fake):
    fake.run.update(exchanges=[], order=["clock"], output=[], spin_up={"repeat": "2h", "max": 2})
    fake.run["components"] = {"clock": {"class": "zoo:Clock", "config": "land.yaml"}}
    fake.succeeds()


def test_years_and_a_number_are_short_for_repeat_and_storage_change(fake):
    fake.run["spin_up"] = {"years": 3, "until": 0.02}
    spec = load_run(fake.write()).config.spin_up
    assert (spec.repeat, spec.max, spec.until.storage_change) == ("P1Y", 3, 0.02)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"years": 3, "repeat": "P1Y"}, "give either years or repeat and max, not years and repeat"),
        ({"years": 0}, "spin_up.years"),
        ({"years": 1, "until": -1.0}, "spin_up.until"),
        ({"max": 3}, "spin_up.repeat: this key is missing"),
    ],
)
def test_mistakes_in_the_spin_up_are_named(fake, spec, words):
    fake.run["spin_up"] = spec
    fake.refuses(words)


def test_a_restart_does_not_spin_up_again(fake):
    repeated(fake, repeat="3h", max=2).run["checkpoint"] = {"every": "2h"}
    fake.succeeds()
    whole = fake.open()[PRESSURE_HEAD].values
    fake.succeeds("--overwrite", "--set", "time.end=2020-01-01T04:00")
    result = CliRunner().invoke(main, ["--restart", str(fake.output), "--set", "time.end=2020-01-01T06:00"])
    assert result.exit_code == 0, result.output
    assert "spin-up" not in result.output
    np.testing.assert_array_equal(fake.open()[PRESSURE_HEAD].values, whole)


def test_overwriting_removes_the_files_of_a_spin_up(fake):
    repeated(fake, repeat="3h", max=1).succeeds()
    del fake.run["spin_up"]
    fake.succeeds("--overwrite")
    assert not (fake.output / "spun_up").exists()
