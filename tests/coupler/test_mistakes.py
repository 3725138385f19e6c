"""Mistakes of a user: one message that says what is wrong and what would be right, exit code 2, nothing touched."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from rootzone.bmi_run import main

HEAD = "soil_water__pressure_head"
SATURATION = "soil_water__saturation"
SOURCE = "soil_root-zone_water__net_volume_flux"


def line_of(fake, text):
    fake.write()
    lines = fake.yaml.read_text().splitlines()
    return next(i for i, line in enumerate(lines, 1) if text in line)


# ---------------------------------------------------------------- keys and values


def test_unknown_key_names_line_and_suggests(fake):
    fake.run["time"]["stepp"] = "1h"
    fake.refuses(f"coupled.yaml:{line_of(fake, 'stepp')}: time.stepp", "did you mean 'step'?")


def test_unknown_key_without_a_near_one_lists_what_is_known(fake):
    fake.run["wibble"] = 1
    fake.refuses("wibble", "known keys:", "exchanges", "spin_up")


def test_missing_key_is_named(fake):
    del fake.run["time"]["end"]
    fake.refuses("coupled.yaml:1", "time.end", "missing")


def test_missing_order_is_named(fake):
    del fake.run["order"]
    fake.refuses("order", "missing")


@pytest.mark.parametrize("value", ["1 fortnight", "3600", "0h", "-1h", "1e500d", "99999999999d"])
def test_a_step_that_is_no_length_of_time_is_refused(fake, value):
    fake.run["time"]["step"] = value
    fake.refuses("time.step", value)


def test_end_before_start(fake):
    fake.run["time"]["end"] = "2019-12-31T00:00"
    fake.refuses("time", "2019-12-31T00:00", "must be after start 2020-01-01T00:00")


def test_times_with_a_zone_are_refused(fake):
    fake.run["time"]["start"] = "2020-01-01T00:00+08:00"
    fake.refuses("time.start", "without a zone", "UTC")


def test_period_of_no_whole_steps_suggests_ends(fake):
    fake.run["time"].update(end="2020-01-01T05:30")
    fake.refuses("no whole number of steps of 1h", "2020-01-01T05:00 or 2020-01-01T06:00")


def test_period_shorter_than_a_step_suggests_the_one_end_that_is_later(fake):
    fake.run["time"].update(end="2020-01-01T00:30")
    assert " or " not in fake.refuses("end at 2020-01-01T01:00")


def test_order_must_name_each_component(fake):
    fake.run["order"] = ["land"]
    fake.refuses("order: must name each component once: land, groundwater")


def test_target_supplied_twice(fake):
    fake.run["exchanges"].append({"from": f"groundwater.{SATURATION}", "to": f"land.{HEAD}"})
    fake.refuses(f"land.{HEAD} is supplied twice", f"groundwater.{HEAD}", f"groundwater.{SATURATION}")


@pytest.mark.parametrize("end", ["groundwater", "groundwater.", ".x"])
def test_an_end_without_component_or_variable(fake, end):
    fake.run["exchanges"][0]["from"] = end
    fake.refuses("exchanges.0.from", "component.variable")


def test_method_that_does_not_exist(fake):
    fake.run["exchanges"][0]["method"] = "median"
    fake.refuses("exchanges.0.method", "'hold'", "'mean'", "median")


def test_checkpoints_between_steps_are_refused(fake):
    fake.run["checkpoint"] = {"every": "90min"}
    fake.refuses("checkpoint.every: 90min is no whole number of coupling steps of 1h")


@pytest.mark.parametrize("spec", [{"keep": 2}, {"every": "24h", "keep": 0}, {"every": "24"}, {"evry": "24h"}])
def test_checkpoint_with_a_mistake_is_refused(fake, spec):
    fake.run["checkpoint"] = spec
    fake.refuses("checkpoint")


def test_range_from_high_to_low(fake):
    fake.run["checks"] = {"ranges": {f"groundwater.{HEAD}": [5.0, 1.0]}}
    fake.refuses("checks.ranges", "[5, 1]", "lower to its upper")


def test_range_of_an_unknown_variable(fake):
    fake.run["checks"] = {"ranges": {f"groundwater.{HEAD}s": [0.0, 1.0]}}
    fake.refuses("checks.ranges", f"did you mean 'groundwater.{HEAD}'?")


def test_file_that_is_no_yaml(fake):
    fake.write()
    fake.yaml.write_text("time: {start: 2020-01-01\norder: [a]\n")
    fake.write = lambda: fake.yaml
    fake.refuses("coupled.yaml:2", "not valid YAML")


@pytest.mark.parametrize("text", ["", "- a\n", "just words\n"])
def test_file_without_keys(fake, text):
    fake.write()
    fake.yaml.write_text(text)
    fake.write = lambda: fake.yaml
    fake.refuses("coupled.yaml")


def test_key_that_stands_twice(fake):
    fake.write()
    fake.yaml.write_text(fake.yaml.read_text() + "order: [land]\n")
    fake.write = lambda: fake.yaml
    fake.refuses("order: the key stands twice")


def test_run_file_that_is_missing_suggests_its_neighbour(fake):
    fake.write()
    result = CliRunner().invoke(main, [str(fake.folder / "couple.yaml")])
    assert result.exit_code == 2
    assert "no such file; did you mean 'coupled.yaml'?" in result.output


def test_configuration_file_of_a_component_that_is_missing(fake):
    fake.run["components"]["land"]["config"] = "lnad.yaml"
    fake.refuses("components.land.config", "no such file", "did you mean 'land.yaml'?")


def test_path_name_that_is_not_given(fake):
    fake.run["components"]["land"]["config"] = "${basin}/land.yaml"
    fake.refuses("components.land.config", "${basin} is not named under `paths:`")


# ---------------------------------------------------------------- components


def test_unknown_module(fake):
    fake.run["components"]["land"]["class"] = "zooo:Land"
    fake.refuses(f"coupled.yaml:{line_of(fake, 'zooo')}: components.land.class", "cannot import 'zooo'")


def test_a_class_that_was_replaced_is_told_with_its_successor(fake):
    fake.run["components"]["land"]["class"] = "rootzone.parflow_import.no_land:NoLand"
    fake.refuses("components.land.class", "bmi_common.prescribed:PrescribedSource, whose file says `recharge: 0.0`")


def test_unknown_class_suggests(fake):
    fake.use("Buket")
    fake.refuses("components.groundwater.class", "no class 'Buket'", "did you mean 'Bucket'?")


def test_module_that_fails_on_import(fake, tmp_path, monkeypatch):
    (tmp_path / "broken_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    fake.run["components"]["land"]["class"] = "broken_module:Land"
    fake.refuses("components.land.class", "'broken_module' fails on import", "ZeroDivisionError")


def test_class_without_colon(fake):
    fake.run["components"]["land"]["class"] = "zoo.Land"
    fake.refuses("components.land.class", "'zoo.Land' must be written as package:Class")


def test_class_that_is_no_component(fake):
    fake.use("NotBmi").refuses("components.groundwater.class", "zoo:NotBmi is not a BMI class")


def test_component_that_refuses_its_configuration(fake):
    fake.use("RefusingBucket").refuses("groundwater: ", "groundwater.yaml: not today")


def test_component_that_crashes_while_it_initializes(fake):
    fake.use("CrashingBucket").refuses("groundwater: cannot be initialized from", "groundwater.yaml", "KeyError: 'nx'")


def test_component_without_a_step(fake):
    fake.use("BadClockBucket").refuses("groundwater: its time step is 0 s", "must be positive")


def test_component_name_that_is_no_word(fake):
    fake.run["components"]["ground-water"] = fake.run["components"].pop("groundwater")
    fake.run["order"] = ["land", "ground-water"]
    fake.refuses("'ground-water' must be a plain word")


def test_unknown_component_in_an_exchange_suggests(fake):
    fake.run["exchanges"][0]["from"] = f"groundwatre.{HEAD}"
    fake.refuses("exchanges.0.from", "no component 'groundwatre'", "did you mean 'groundwater'?")


@pytest.mark.parametrize("side", ["from", "to"])
def test_unknown_variable_in_an_exchange_suggests(fake, side):
    component = {"from": "groundwater", "to": "land"}[side]
    fake.run["exchanges"][0][side] = f"{component}.soil_water__presure_head"
    line = line_of(fake, "presure")
    fake.refuses(f"coupled.yaml:{line}: exchanges.0.{side}", "soil_water__presure_head", f"did you mean '{HEAD}'?")


def test_output_of_a_component_cannot_be_a_target(fake):
    fake.run["exchanges"][2]["to"] = f"groundwater.{SATURATION}"
    fake.refuses("exchanges.2.to", f"groundwater.{SATURATION} is no input", SOURCE)


def test_input_that_nothing_supplies(fake):
    del fake.run["exchanges"][1]
    fake.refuses(f"nothing supplies land.{SATURATION}")


# ---------------------------------------------------------------- what does not fit


def test_units_that_do_not_convert(fake):
    fake.use("KelvinBucket").refuses("exchanges.0", f"groundwater.{HEAD} -> land.{HEAD}", "'K' do not convert to 'm'")


def test_grids_of_different_size(fake):
    fake.groundwater["nx"] = 5
    fake.refuses("(3, 4)", "(3, 5)", "land", "groundwater")


def test_grids_of_different_rank(fake):
    fake.use("SurfaceBucket")
    fake.run["exchanges"] = [{"from": f"land.{SOURCE}", "to": f"groundwater.{SOURCE}"}]
    fake.run["output"] = []
    fake.refuses("exchanges.0", "10 x 3 x 4", "does not match", "3 x 4")


def test_grids_with_other_coordinates(fake):
    fake.groundwater["dx"] = 900.0
    fake.refuses("the x coordinates differ", "500, 1500", "450, 1350")


def test_layers_at_other_heights(fake):
    fake.groundwater["bottom"] = 9.0
    fake.refuses("exchanges.0", "10 layers", "heights", "source z [m]: 4.5, 9.25", "target z [m]: 10.25")


def test_masks_that_differ(fake):
    fake.groundwater["mask"] = 2
    lacking = f"groundwater.{HEAD} has no values in 20 cells that are active in land, the first is cell (k=0, j=0, i=0)"
    fake.refuses("exchanges.0: " + lacking, "same domain", "`fill: 0.0`")


def test_cells_that_the_target_has_not_would_lose_what_is_handed_over(fake):
    fake.run["components"]["land"]["class"] = "zoo:Clock"
    fake.use("Listener", mask=2)
    fake.run["exchanges"] = [{"from": "land.clock__time", "to": "groundwater.heard__time"}]
    fake.run["output"] = []
    fake.refuses("masks: 2 cells are active in only one of land and groundwater, the first is cell (j=0, i=0)")


def test_porosity_of_the_two_sides_differs(fake):
    fake.land["porosity"] = 0.3
    fake.refuses("soil__porosity", "groundwater has 0.4", "land has 0.3", "same domain")


def test_thickness_of_the_two_sides_differs(fake):
    fake.land["thickness"] = 0.6
    fake.refuses("soil_layer__thickness", "0.5", "0.6", "120 cells")


def test_step_that_does_not_divide_suggests(fake):
    fake.groundwater["step"] = 2400
    fake.refuses("time.step", "the step of groundwater, 40min, does not divide", "30min or 1h", "80min")


def test_step_longer_than_the_coupling_step(fake):
    fake.groundwater["step"] = 7200
    fake.refuses("time.step", "groundwater makes steps of 2h", "set time.step to 2h")


def test_component_that_ends_before_the_run(fake):
    fake.groundwater["end"] = 4 * 3600
    fake.refuses("time.end", "groundwater can go on until 2020-01-01T04:00", "2020-01-01T06:00")


def test_several_steps_need_a_method(fake):
    fake.land["step"] = 1800
    fake.refuses("exchanges.2", "land makes 2 steps", "mean (rates, states), sum (amounts) or hold")


def test_linear_needs_a_value_of_the_step(fake):
    fake.run["exchanges"][0]["method"] = "linear"
    fake.refuses("exchanges.0", "method linear", "groundwater steps after land")


def test_linear_has_nothing_new_in_an_exchange_of_a_component_with_itself(fake):
    own = f"groundwater.{HEAD}"
    fake.run["exchanges"].append({"from": own, "to": own, "method": "linear"})
    fake.refuses("exchanges.3", "method linear needs the source's new value")


# ---------------------------------------------------------------- output


@pytest.mark.parametrize("file", ["a/b.nc", "results.csv", "../x.nc"])
def test_output_file_must_be_a_plain_netcdf_name(fake, file):
    fake.run["output"][0]["file"] = file
    fake.refuses("output.0.file", file, "ends in .nc")


@pytest.mark.parametrize("file", ["water_balance.nc", "initial_state.nc"])
def test_output_file_must_not_take_a_name_of_the_run(fake, file):
    fake.run["output"][0]["file"] = file
    fake.refuses("output.0.file", file, "choose another name")


def test_two_outputs_with_one_file(fake):
    fake.run["output"] *= 2
    fake.refuses("two entries write hourly.nc")


def test_variable_twice_in_an_output(fake):
    fake.run["output"][0]["variables"] *= 2
    fake.refuses("output.0", f"groundwater.{HEAD} stands twice", "hourly.nc")


def test_output_interval_of_no_whole_steps(fake):
    fake.run["output"][0]["every"] = "90min"
    fake.refuses("output.0.every", "90min is no whole number of coupling steps of 1h")


def test_unknown_output_variable_suggests(fake):
    fake.run["output"][0]["variables"] = ["groundwater.soil_water__saturaton"]
    fake.refuses("output.0.variables", f"did you mean '{SATURATION}'?")


def test_output_method_that_does_not_exist(fake):
    fake.run["output"][0]["method"] = "max"
    fake.refuses("output.0.method", "'mean' or 'point'", "max")


# ---------------------------------------------------------------- spin-up and checks


@pytest.mark.parametrize("repeat", ["90min", "30min"])
def test_spin_up_of_no_whole_steps(fake, repeat):
    fake.run["spin_up"] = {"repeat": repeat, "max": 3, "until": {"storage_change": 0.1}}
    fake.refuses("spin_up.repeat", f"{repeat} is no whole number of coupling steps of 1h")


def test_spin_up_beyond_the_end_of_a_component(fake):
    fake.groundwater["end"] = 6 * 3600
    fake.run["spin_up"] = {"repeat": "1d", "max": 3, "until": {"storage_change": 0.1}}
    fake.refuses("spin_up.repeat", "groundwater can go on until 2020-01-01T06:00", "2020-01-02T00:00")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("checks", {"water_balance": {"tolerance": 1.0e-6}}),
        ("spin_up", {"repeat": "2h", "max": 3, "until": {"storage_change": 0.1}}),
    ],
)
def test_what_needs_a_water_balance_is_refused_without_one(fake, key, value):
    del fake.run["components"]["groundwater"]
    fake.run["components"]["land"] = {"class": "zoo:Clock", "config": "land.yaml"}
    fake.run.update({"order": ["land"], "exchanges": [], "output": [], key: value})
    fake.refuses(key, "no component takes", SOURCE)


# ---------------------------------------------------------------- the run folder


def test_run_folder_that_holds_a_run_is_left_alone(fake):
    fake.succeeds()
    fake.refuses("holds a run already", "--overwrite")


def test_run_folder_that_holds_something_else_is_left_alone(fake):
    fake.output.mkdir()
    (fake.output / "thesis.txt").write_text("ten years")
    for arguments in ((), ("--overwrite",)):
        fake.refuses("not empty and holds no run", arguments=arguments)


def test_run_folder_that_is_a_file(fake):
    fake.output.write_text("")
    fake.refuses("is a file; a folder is needed")


def test_run_folder_below_a_file(fake):
    (fake.folder / "file").write_text("")
    fake.refuses("cannot be written", arguments=("--output", str(fake.folder / "file" / "out")))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_run_folder_that_is_not_writable(fake, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    fake.refuses(
        "cannot be written", "is no folder that can be written to", arguments=("--output", str(closed / "out"))
    )


def test_bad_input_leaves_an_earlier_run_alone_even_with_overwrite(fake):
    fake.succeeds()
    fake.run["checks"] = {"ranges": {"land.nothing": [0, 1]}}
    fake.refuses("checks.ranges", arguments=("--overwrite",))


def test_overwrite_removes_what_a_run_made_and_nothing_else(fake):
    fake.run["figures"] = True
    fake.run["components"]["land"]["options"] = {"rain": 0.001}
    fake.run["output"][0]["file"] = "first.nc"
    fake.succeeds()
    own = [fake.output / "mine.nc", fake.output / "figures" / "mine.png", fake.output / "notes.txt"]
    for path in own:
        path.write_text("mine")
    fake.run["figures"] = False
    fake.run["output"][0]["file"] = "second.nc"
    del fake.run["components"]["land"]["options"]
    fake.succeeds("--overwrite")
    assert all(path.read_text() == "mine" for path in own)
    assert not (fake.output / "first.nc").exists()
    assert not (fake.output / "config").exists()
    assert [p.name for p in (fake.output / "figures").iterdir()] == ["mine.png"]
    assert (fake.output / "second.nc").exists()


def test_a_record_that_names_files_outside_the_folder_removes_nothing_there(fake):
    fake.succeeds()
    victim = fake.folder / "victim.nc"
    victim.write_text("mine")
    record = fake.output / "run.yaml"
    record.write_text(record.read_text().replace("hourly.nc", "../victim.nc"))
    fake.succeeds("--overwrite")
    assert victim.exists()


# ---------------------------------------------------------------- --set


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("time.step", ["must be written as key=value"]),
        ("=1h", ["must be written as key=value"]),
        ("time.step=[1", ["not valid YAML"]),
        ("time.stepp=2h", ["time.stepp", "did you mean 'step'?"]),
        ("components.lan.config=x", ["no key 'components.lan'", "did you mean 'land'?"]),
        ("output.3.every=2h", ["'3' is no entry of a list of 1"]),
        ("output.first.every=2h", ["'first' is no entry of a list"]),
        ("time.step.unit=1", ["time.step", "has no keys below it"]),
        ("title.a.b=1", ["title"]),
        ("land.config=nowhere.yaml", ["components.land.config", "no such file"]),
    ],
)
def test_setting_that_cannot_be_made(fake, setting, words):
    fake.refuses(*words, arguments=("--set", setting))


def test_setting_into_components_that_are_no_mapping(fake):
    fake.run["components"] = 3
    fake.refuses("components", arguments=("--set", "time.step=1h"))


def test_options_for_a_file_that_is_no_yaml(fake):
    (fake.folder / "land.txt").write_text("nx: 4\n")
    fake.run["components"]["land"] = {"class": "zoo:Land", "config": "land.txt", "options": {"rain": 1.0}}
    fake.refuses("components.land.options", "land.txt is not a YAML file")


def test_brackets_in_a_path_are_shown_as_they_are(fake):
    folder = fake.folder / "[red]:key:"
    folder.mkdir()
    message = fake.refuses("no such file", arguments=("--set", f"land.config={folder / 'x.yaml'}"))
    assert str(Path("[red]:key:") / "x.yaml") in message


def test_a_flux_of_several_steps_needs_a_method_also_when_its_target_steps_first(fake):
    fake.run["order"] = ["groundwater", "land"]
    fake.land["step"] = 1800
    result = fake("--check")
    assert result.exit_code == 2
    assert "exchanges.2: land makes 2 steps in a coupling step; say how they are combined" in result.output


def test_a_state_of_several_steps_needs_none_when_its_target_steps_first(fake):
    fake.groundwater["step"] = 1800
    assert fake("--check").exit_code == 0
