"""Segments, audits, triggers: what keeps a run with a surrogate close to physics."""

import json

import netCDF4
import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from rootzone.bmi_run import main

pytestmark = pytest.mark.slow

HEAD = "soil_water__pressure_head"
HOURLY_BIAS = 0.01
FEEDBACK = 1e-3
"""Relative: the land takes a little more water from soil that is wetter by the bias."""
START_HEAD = [2.0] + 10 * [-1.0]  # a water table 8 m deep


@pytest.fixture
def run(fake):
    """A day with a surrogate that gains 1 cm of head an hour from nowhere."""
    fake.use("Well", head=START_HEAD, mask=2)
    fake.land["mask"] = 2
    (fake.folder / "biased").write_text(str(HOURLY_BIAS))
    fake.run["components"]["groundwater"]["options"] = {"surrogate": {"checkpoint": str(fake.folder / "biased")}}
    fake.run["time"]["end"] = "2020-01-02T00:00"
    fake.run["output"][0]["precision"] = "double"
    return fake


def physics(**more):
    return {"class": "zoo:OtherNamedWell", "config": "groundwater.yaml", **more}


def audit(run, action="warn", **more):
    section = {
        "component": physics(),
        "every": "6h",
        "window": "4h",
        "thresholds": {"water_table": "2.5 cm"},
        "action": action,
    }
    run.run["error_control"] = {"audit": {**section, **more}}
    return run.run["error_control"]


def decisions(run, by=None):
    found = json.loads((run.output / "error_control.json").read_text())["decisions"]
    return [d for d in found if by is None or d["by"] == by]


def heads(run):
    """Head of a column at the end of every hour."""
    return run.open()["soil_water__pressure_head"].to_numpy()[:, 0, -1, -1]


def true_heads(run):
    """The same of a run with physics alone."""
    options, control = run.run["components"]["groundwater"].pop("options"), run.run.pop("error_control", None)
    run.succeeds("--output", str(run.folder / "physics"))
    run.run["components"]["groundwater"]["options"] = options
    if control is not None:
        run.run["error_control"] = control
    with netCDF4.Dataset(run.folder / "physics" / "hourly.nc") as data:
        return np.ma.filled(data["soil_water__pressure_head"][:, 0, -1, -1], np.nan)


# ---------------------------------------------------------------------- audits


def test_an_audit_finds_the_deviation_in_its_first_window(run):
    audit(run)
    result = run.succeeds()
    first = decisions(run)[0]
    assert (first["time"], first["by"], first["action"]) == ("2020-01-01T04:00:00", "audit", "warn")
    assert first["found"]["water_table"] == pytest.approx(4 * HOURLY_BIAS)
    assert first["limits"] == pytest.approx({"water_table": 0.025})
    assert "water_table 0.04 of 0.025 m" in result.output
    assert len(decisions(run)) == 4


def test_what_goes_along_makes_steps(run):
    audit(run, component=physics(static=True))
    run.refuses("error_control.audit.component.static")


def test_the_deviation_of_every_audited_hour_is_in_the_record_and_other_hours_are_missing(run):
    audit(run)
    run.succeeds()
    found = run.open("error_control.nc")
    inside = [h for h in range(24) if h % 6 < 4]
    outside = [h for h in range(24) if h % 6 >= 4]
    deviation = found["audit_water_table"]
    np.testing.assert_allclose(deviation[inside], [(h % 6 + 1) * HOURLY_BIAS for h in inside], rtol=1e-9)
    assert np.isnan(deviation[outside]).all()
    assert deviation.attrs["units"] == "m"


def test_a_component_that_equals_physics_passes_every_window(run):
    (run.folder / "biased").write_text("0.0")
    audit(run, "stop")
    run.succeeds()
    assert {d["action"] for d in decisions(run)} == {"none"}
    assert run.open("error_control.nc")["audit_water_table"].max() == 0.0


def test_resync_goes_on_with_the_state_of_physics(run):
    audit(run, "resync")
    run.succeeds()
    error = heads(run) - true_heads(run)
    # hours 0 to 3 are audited, hour 4 starts from physics; the hours without an audit stay uncorrected
    np.testing.assert_allclose(error[:6], HOURLY_BIAS * np.array([1, 2, 3, 4, 1, 2]), rtol=FEEDBACK)
    assert error.max() < 0.25 * 24 * HOURLY_BIAS + 4 * HOURLY_BIAS


def test_what_a_resync_takes_away_is_in_the_water_balance(run):
    audit(run, "resync")
    run.succeeds()
    balance = run.open("water_balance.nc")
    area_and_storativity = 10 * 1.0e6 * 15.0 * 0.1  # ten active columns of 15 m
    corrected = balance["correction"].to_numpy()
    assert corrected[4] == pytest.approx(-4 * HOURLY_BIAS * area_and_storativity)
    assert np.flatnonzero(corrected).tolist() == [4, 10, 16, 22]
    gained = balance["residual"].to_numpy()
    np.testing.assert_allclose(gained, HOURLY_BIAS * area_and_storativity, rtol=1e-6)


def test_stop_ends_the_run_with_readable_files(run):
    audit(run, "stop")
    run.breaks("2020-01-01T04:00", "audit", "water_table 0.04 of 0.025 m")
    assert len(run.open()["time"]) == 4
    assert len(run.open("error_control.nc")["time"]) == 4
    assert decisions(run)[-1]["action"] == "stop"


def test_switch_goes_on_with_physics(run):
    audit(run, "switch")
    run.succeeds()
    gain = np.diff(heads(run)) - np.diff(true_heads(run))
    np.testing.assert_allclose(gain[:3], HOURLY_BIAS, rtol=FEEDBACK)
    assert gain[3] == pytest.approx(-4 * HOURLY_BIAS, rel=FEEDBACK)  # from hour 4 on the heads are those of physics
    np.testing.assert_allclose(gain[4:], 0.0, atol=FEEDBACK * HOURLY_BIAS)
    assert run.open("error_control.nc")["physics_in_charge"].to_numpy().tolist() == [0.0] * 4 + [1.0] * 20
    assert [d["action"] for d in decisions(run)] == ["switch"]


def test_a_switch_of_components_without_pointers_hands_on_what_the_others_have(run):
    audit(run, "switch", come_back=True)
    run.run["output"].append({"file": "land.nc", "every": "1h", "variables": [f"land.{HEAD}"], "precision": "double"})
    run.succeeds("--output", str(run.folder / "pointers"))
    run.run["components"]["groundwater"]["isolate"] = run.run["error_control"]["audit"]["component"]["isolate"] = True
    run.succeeds()
    for file in ("hourly.nc", "land.nc", "water_balance.nc", "error_control.nc"):
        with netCDF4.Dataset(run.output / file) as data, netCDF4.Dataset(run.folder / "pointers" / file) as same:
            for name, variable in data.variables.items():
                np.testing.assert_array_equal(variable[:], same[name][:], err_msg=f"{file}: {name}")
    balance, land = run.open("water_balance.nc"), run.open("land.nc")[HEAD].to_numpy()[:, -1, -1, -1]
    # four hours of 1 cm in the ten cells of 1 km2, of which a tenth of 15 m is pores
    assert balance["correction"].to_numpy()[4] == pytest.approx(-4 * HOURLY_BIAS * 0.1 * 15.0 * 1.0e7, rel=FEEDBACK)
    assert balance["residual"].to_numpy()[4] == pytest.approx(0.0, abs=1.0)
    # in the hour after the switch the land has the head of physics, 4 cm below that of the surrogate
    lowest_to_top = START_HEAD[-1] - START_HEAD[0]
    assert land[4] == pytest.approx(heads(run)[3] + lowest_to_top - 4 * HOURLY_BIAS, abs=FEEDBACK * HOURLY_BIAS)


def test_the_surrogate_may_come_back_when_it_passes(run):
    audit(run, "switch", come_back=True)
    run.run["time"]["end"] = "2020-01-01T12:00"
    run.run["checkpoint"] = {"every": "12h"}
    run.succeeds()
    assert [d["action"] for d in decisions(run)] == ["switch", "stay"]
    (run.folder / "biased").write_text("0.0")  # the fake reads it in every step
    again = CliRunner().invoke(main, ["--restart", str(run.output), "--set", "time.end=2020-01-02T00:00"])
    assert again.exit_code == 0, again.output
    assert [d["action"] for d in decisions(run)] == ["switch", "stay", "return", "none"]
    assert run.open("error_control.nc")["physics_in_charge"].to_numpy()[-8:].tolist() == [0.0] * 8


def test_a_surrogate_no_better_than_free_drainage_fails_below_its_threshold(run):
    (run.folder / "biased").write_text("0.021")
    free = {"class": "zoo:DrainingWell", "config": "groundwater.yaml"}
    control = audit(run, free_drainage=free)
    control["audit"]["thresholds"] = {"water_table": "1 m"}
    run.succeeds()
    first = decisions(run)[0]
    assert first["action"] == "warn"
    assert "no better than free drainage: water_table" in first["reason"]
    record = run.open("error_control.nc")["free_drainage_water_table"]
    np.testing.assert_allclose(record[:4], 0.02 * np.arange(1, 5), rtol=1e-9)


@pytest.mark.parametrize(("bias", "action"), [(3.0e-4, "none"), (1.0e-3, "warn")])
def test_deviations_too_small_to_matter_undercut_any_bound(run, bias, action):
    (run.folder / "biased").write_text(str(bias))  # 4 h: on average 2.5 times as much
    control = audit(run, free_drainage=physics())  # which makes no error at all
    control["audit"]["thresholds"] = {"water_table": "1 m"}
    run.succeeds()
    first = decisions(run)[0]
    assert first["action"] == action
    assert first["found"]["water_table"] == pytest.approx(4 * bias, rel=1e-3)


def test_free_drainage_goes_along_from_the_start_of_the_run(run):
    audit(run, "resync", free_drainage={"class": "zoo:DrainingWell", "config": "groundwater.yaml"})
    run.succeeds()
    record = run.open("error_control.nc")["free_drainage_water_table"].to_numpy()
    assert record[21] > 22 * 0.02  # against physics that started from where the surrogate had come to
    assert all(d["action"] == "resync" for d in decisions(run))


# ---------------------------------------------------------------------- without a reference


def test_water_from_nowhere_is_noticed_without_any_reference(run):
    run.run["error_control"] = {"residual": {"limit": 0.5, "over": "3h"}}
    run.succeeds()
    assert [d["time"] for d in decisions(run, "residual")] == ["2020-01-01T03:00:00"]
    record = run.open("error_control.nc")["water_balance_residual"].to_numpy()
    assert np.isnan(record[:2]).all()
    assert (record[2:] > 0.5).all()


def test_a_closed_balance_raises_no_alarm(run):
    (run.folder / "biased").write_text("0.0")
    run.run["error_control"] = {"residual": {"limit": 1e-9, "over": "3h", "action": "stop"}}
    run.succeeds()
    assert decisions(run) == []


def test_an_open_balance_can_call_for_an_audit(run):
    control = audit(run, "resync", every="24h", window="2h", thresholds={"water_table": "1.5 cm"})
    control["residual"] = {"limit": 0.5, "over": "8h", "action": "audit"}
    run.succeeds()
    assert [(d["by"], d["time"][11:16]) for d in decisions(run)][:3] == [
        ("audit", "02:00"),
        ("residual", "08:00"),
        ("audit", "10:00"),
    ]


def test_an_ensemble_that_parts_is_noticed(run):
    members = []
    for name, bias in (("same", HOURLY_BIAS), ("other", -HOURLY_BIAS)):
        (run.folder / name).write_text(str(bias))
        members.append(name)
    run.run["error_control"] = {"ensemble": {"checkpoints": members, "limits": {"water_table": "5 cm"}}}
    run.succeeds()
    record = run.open("error_control.nc")["ensemble_water_table"].to_numpy()
    np.testing.assert_allclose(record, 2 * HOURLY_BIAS * np.arange(1, 25), rtol=1e-9)
    assert [d["time"] for d in decisions(run)] == ["2020-01-01T03:00:00"]


# ---------------------------------------------------------------------- segments


def reference(run, **more):
    """A run with physics alone, in the folder `reference`; its heads by hour."""
    options = run.run["components"]["groundwater"].pop("options")
    control = run.run.pop("error_control", None)
    run.run.update(more)
    run.succeeds("--output", str(run.folder / "reference"), "--overwrite")
    for key in more:
        del run.run[key]
    run.run["components"]["groundwater"]["options"] = options
    if control is not None:
        run.run["error_control"] = control
    with netCDF4.Dataset(run.folder / "reference" / "hourly.nc") as data:
        return np.ma.filled(data["soil_water__pressure_head"][:, 0, -1, -1], np.nan)


def sawtooth(hours, length):
    return HOURLY_BIAS * (np.arange(hours) % length + 1)


def test_segments_start_from_the_heads_that_a_run_has_written(run):
    truth = reference(run)
    run.run["error_control"] = {"segments": {"length": "8h", "restart_from": "reference"}}
    run.succeeds()
    np.testing.assert_allclose(heads(run) - truth, sawtooth(24, 8), rtol=FEEDBACK)
    assert [d["action"] for d in decisions(run)] == ["restart", "restart"]


def test_times_of_a_reference_are_read_in_their_units_and_none_is_guessed(run):
    truth = reference(run)
    with netCDF4.Dataset(run.folder / "reference" / "hourly.nc", "a") as data:
        data["time"].units = "days since 2019-12-31"
        for name in ("time", "time_bounds"):
            data[name][:] = data[name][:] / 24.0 + 1.0
    run.run["error_control"] = {"segments": {"length": "8h", "restart_from": "reference"}}
    run.succeeds()
    np.testing.assert_allclose(heads(run) - truth, sawtooth(24, 8), rtol=FEEDBACK)
    with netCDF4.Dataset(run.folder / "reference" / "hourly.nc", "a") as data:
        data["time"][0] = np.nan
    run.refuses("hourly.nc: 'time' has missing values", arguments=("--overwrite",))


def test_segments_start_from_checkpoints_where_no_heads_are_written(run):
    truth = reference(run, checkpoint={"every": "8h", "keep": 3})
    (run.folder / "reference" / "hourly.nc").unlink()
    run.run["error_control"] = {"segments": {"length": "8h", "restart_from": "reference"}}
    run.succeeds()
    np.testing.assert_allclose(heads(run) - truth, sawtooth(24, 8), rtol=FEEDBACK)


def test_segments_can_take_up_all_components(run):
    run.run["components"]["land"]["class"] = "zoo:SteadyLand"
    truth = reference(run, checkpoint={"every": "8h", "keep": 3})
    run.run["error_control"] = {"segments": {"length": "8h", "restart_from": "reference", "restart": "all"}}
    run.succeeds()
    # the land's wear goes on as in the reference, so that the source is the same
    np.testing.assert_allclose(heads(run) - truth, sawtooth(24, 8), rtol=FEEDBACK)
    with netCDF4.Dataset(run.output / "hourly.nc") as mine, netCDF4.Dataset(run.folder / "reference/hourly.nc") as its:
        name = "soil_root_zone_water__net_volume_flux"
        np.testing.assert_allclose(mine[name][8, -1], its[name][8, -1], rtol=1e-12)


def test_segments_can_start_from_a_component_that_goes_along(run):
    run.run["error_control"] = {"segments": {"length": "8h", "restart_from": physics()}}
    run.succeeds()
    # it goes along under the sources of the run, so that its own error grows by the feedback of all segments
    np.testing.assert_allclose(heads(run) - true_heads(run), sawtooth(24, 8), rtol=10 * FEEDBACK)


# ---------------------------------------------------------------------- restart


@pytest.mark.parametrize("action", ["resync", "switch"])
@pytest.mark.parametrize("stop", ["03:00", "04:00", "05:00", "10:00", "15:00"])
def test_a_restarted_run_decides_and_records_as_one_that_was_not_stopped(run, action, stop):
    control = audit(run, action, free_drainage={"class": "zoo:DrainingWell", "config": "groundwater.yaml"})
    if action == "switch":
        control["audit"]["come_back"] = True
    control["residual"] = {"limit": 0.5, "over": "3h", "action": "audit"}
    control["ensemble"] = {"checkpoints": ["biased"], "limits": {"water_table": "5 cm"}}
    run.succeeds()
    part = run.folder / "part"
    run.run["checkpoint"] = {"every": f"{int(stop[:2])}h"}
    run.succeeds("--output", str(part), "--set", f"time.end=2020-01-01T{stop}")
    again = CliRunner().invoke(main, ["--restart", str(part), "--set", "time.end=2020-01-02T00:00"])
    assert again.exit_code == 0, again.output
    assert (part / "error_control.json").read_text() == (run.output / "error_control.json").read_text()
    for file in ("hourly.nc", "water_balance.nc", "error_control.nc"):
        with netCDF4.Dataset(run.output / file) as one, netCDF4.Dataset(part / file) as other:
            for name in one.variables:
                np.testing.assert_array_equal(
                    np.ma.filled(one[name][...], 0.0), np.ma.filled(other[name][...], 0.0), err_msg=f"{file}: {name}"
                )


def test_a_restart_may_be_asked_for_from_any_folder(run, monkeypatch):
    audit(run)
    run.run["checkpoint"] = {"every": "5h"}
    monkeypatch.chdir(run.folder)
    begun = CliRunner().invoke(main, [run.write().name, "--output", "part", "--set", "time.end=2020-01-01T05:00"])
    assert begun.exit_code == 0, begun.output
    monkeypatch.chdir("/")
    again = CliRunner().invoke(main, ["--restart", str(run.folder / "part"), "--set", "time.end=2020-01-01T09:00"])
    assert again.exit_code == 0, again.output


def test_overwriting_removes_what_error_control_has_written(run):
    audit(run)
    run.run["checkpoint"] = {"every": "12h"}
    run.succeeds()
    del run.run["error_control"], run.run["checkpoint"]
    run.succeeds("--overwrite")
    assert not [p for p in run.output.rglob("*") if "error_control" in p.name]


# ---------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"thresholds": {"water_table": 0.5}}, ("thresholds", "0.5", "must be a number with a unit")),
        ({"thresholds": {"water_table": "3 kg"}}, ("thresholds", "'3 kg'", "do not convert")),
        ({"thresholds": {"water_level": "3 m"}}, ("thresholds", "water_level", "water_table")),
        ({"thresholds": {"water_table": "-1 m"}}, ("thresholds", "above 0")),
        ({"thresholds": {}}, ("thresholds", "name at least one")),
        ({"window": "12h"}, ("window", "longer than every")),
        ({"window": "90min"}, ("audit.window", "no whole number of coupling steps")),
        ({"action": "pray"}, ("action",)),
        ({"come_back": True}, ("come_back", "switch")),
        ({"component": {"class": "zoo:Nothing", "config": "groundwater.yaml"}}, ("error_control.audit", "Nothing")),
        ({"component": {"class": "zoo:Land", "config": "land.yaml"}}, ("error_control.audit", "other layers")),
        ({"component": {"class": "zoo:CentimetreBucket", "config": "groundwater.yaml"}}, ("pressure_head", "'cm'")),
        (
            {"component": physics(options={"nx": 5})},
            ("error_control", "x"),
        ),
        ({"component": physics(options={"mask": 3})}, ("1 cells",)),
        (
            {"component": physics(options={"step": 1800}), "action": "switch"},
            ("its step is 1800 s",),
        ),
    ],
)
def test_a_mistake_in_an_audit_is_named_before_anything_runs(run, change, words):
    audit(run, **change)
    run.refuses(*words)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({}, ("error_control", "name at least one of segments, audit")),
        ({"residual": {"limit": 0.1, "over": "3h", "action": "audit"}}, ("residual.action", "section `audit`")),
        ({"segments": {"length": "8h", "restart_from": "nowhere"}}, ("restart_from", "nowhere")),
        ({"segments": {"length": "8h", "restart_from": "empty"}}, ("restart_from", "no state at 2020-01-01T08:00")),
        (
            {
                "segments": {
                    "length": "8h",
                    "restart_from": {"class": "zoo:Well", "config": "groundwater.yaml"},
                    "restart": "all",
                }
            },
            ("restart: all", "folder of a run"),
        ),
    ],
)
def test_a_mistake_in_error_control_is_named_before_anything_runs(run, section, words):
    (run.folder / "empty").mkdir()
    run.run["error_control"] = section
    run.refuses(*words)


def test_heads_in_single_precision_are_no_states(run):
    run.run["output"][0]["precision"] = "single"
    reference(run)
    run.run["error_control"] = {"segments": {"length": "8h", "restart_from": "reference"}}
    run.refuses("no state at 2020-01-01T08:00", "precision: double")


def test_means_over_several_steps_are_no_states(run):
    run.run["time"]["step"] = "30min"
    for side in (run.land, run.groundwater):
        side["step"] = 1800
    reference(run)  # whose hourly records are means of two steps
    run.run["error_control"] = {"segments": {"length": "8h", "restart_from": "reference"}}
    run.refuses("no state at 2020-01-01T08:00")
    run.run["output"][0]["method"] = "point"
    reference(run, title="again")
    run.succeeds("--overwrite")


def test_taking_up_all_needs_the_same_start(run):
    reference(run, checkpoint={"every": "8h", "keep": 3})
    run.run["time"]["start"] = "2020-01-01T08:00"
    run.run["error_control"] = {"segments": {"length": "8h", "restart_from": "reference", "restart": "all"}}
    run.refuses("starts at 2020-01-01T00:00")


def test_error_control_needs_groundwater(fake):
    fake.run["components"] = {"groundwater": {"class": "zoo:Clock", "config": "groundwater.yaml"}}
    fake.run.update(order=["groundwater"], exchanges=[], output=[])
    fake.run["error_control"] = {"residual": {"limit": 0.1, "over": "3h"}}
    fake.refuses("error_control", "nothing to watch")


def test_its_section_may_not_change_at_a_restart(run):
    audit(run)
    run.run["checkpoint"] = {"every": "6h"}
    run.succeeds("--set", "time.end=2020-01-01T12:00")
    settings = ["--set", "time.end=2020-01-02T00:00", "--set", "error_control.audit.action=stop"]
    result = CliRunner().invoke(main, ["--restart", str(run.output), *settings])
    assert result.exit_code == 2
    assert "error_control.audit.action" in result.output
    assert yaml.safe_load((run.output / "run.yaml").read_text())["error_control"]["audit"]["action"] == "warn"


# ---------------------------------------------------------------------- in words


def test_the_plan_says_what_was_understood(run):
    free = {"class": "zoo:DrainingWell", "config": "groundwater.yaml"}
    control = audit(run, "switch", come_back=True, free_drainage=free)
    control["residual"] = {"limit": 0.01, "over": "24h", "action": "audit"}
    control["ensemble"] = {"checkpoints": ["biased"], "limits": {"water_table": "5 cm", "root_zone_saturation": 0.1}}
    control["segments"] = {"length": "8h", "restart_from": physics()}
    lines = [line for line in run.succeeds("--check").output.splitlines() if line.startswith("error control: ")]
    assert [line.removeprefix("error control: ") for line in lines] == [
        "every 8h the groundwater starts from zoo:OtherNamedWell",
        "audit by zoo:OtherNamedWell for 4h every 6h: water_table above 0.025 m: switch, and back",
        "and no worse than zoo:DrainingWell with free drainage, which goes along",
        "water balance over 1d: residual above 0.01 of the turnover: audit",
        "ensemble of 1 more: water_table above 0.05 m, root_zone_saturation above 0.1: warn",
    ]
