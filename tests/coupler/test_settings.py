"""Lengths of time, settings of the command line, staging of component files, and the plan that --check prints."""

from datetime import datetime, timedelta

import pytest
import yaml
from click.testing import CliRunner

from bmi_common.durations import add_period, describe, nearest_divisors, parse_duration
from bmi_common.groundwater import NET_SOURCE, PRESSURE_HEAD
from coupler.config import load_run
from rootzone.bmi_run import main

# ---------------------------------------------------------------- lengths of time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h", 3600), ("15min", 900), ("90s", 90), ("0.5h", 1800), ("2d", 172800), ("1w", 604800), (" 3 H ", 10800)],
)
def test_durations_are_read_as_users_write_them(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "h", "1", "1 parsec", "1h30min", "0s", "-1h", "9e9d", "1000000000d"])
def test_what_is_no_duration_is_refused_with_its_text(text):
    with pytest.raises(ValueError, match=r"1h, 15min or 30d|longer than"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("start", "period", "end"),
    [
        ("2020-01-31", "P1M", "2020-02-29"),
        ("2021-01-31", "P1M", "2021-02-28"),
        ("2020-02-29", "P1Y", "2021-02-28"),
        ("2020-11-15", "P3M", "2021-02-15"),
        ("2020-12-31", "P1Y2M3D", "2022-03-03"),
        ("2020-01-01", "P30D", "2020-01-31"),
        ("2020-01-01", "365d", "2020-12-31"),
        ("2020-06-01", "P18M", "2021-12-01"),
    ],
)
def test_calendar_periods_end_on_the_calendars_day(start, period, end):
    assert add_period(datetime.fromisoformat(start), period) == datetime.fromisoformat(end)


@pytest.mark.parametrize("period", ["P", "PT1H", "1 year", "999999999d", "P99999Y"])
def test_what_is_no_period_is_refused(period):
    with pytest.raises(ValueError):  # noqa: PT011  # calendar arithmetic has its own words
        add_period(datetime(2020, 1, 1), period)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3600, "1h"), (5400, "90min"), (86400, "1d"), (90, "90s"), (0.5, "0.5s"), (1199.988, "1199.988s")],
)
def test_durations_are_told_as_users_write_them(seconds, text):
    assert describe(timedelta(seconds=seconds)) == text


def test_nearest_divisors_lie_on_both_sides():
    assert nearest_divisors(timedelta(minutes=25), timedelta(hours=1)) == [timedelta(minutes=20), timedelta(minutes=30)]


# ---------------------------------------------------------------- --set


def line_of(fake, text):
    fake.write()
    return next(i for i, line in enumerate(fake.yaml.read_text().splitlines(), 1) if text in line)


def set_to(fake, *settings):
    return load_run(fake.write(), settings).config


def test_set_replaces_a_value(fake):
    assert set_to(fake, "time.step=30min").time.step == timedelta(minutes=30)


def test_set_wins_in_the_order_given(fake):
    assert set_to(fake, "time.step=30min", "time.step=20min").time.step == timedelta(minutes=20)


def test_set_reaches_entries_of_lists(fake):
    assert set_to(fake, "output.0.every=3h").output[0].every == timedelta(hours=3)


def test_set_adds_what_the_file_lacks(fake):
    config = set_to(fake, "spin_up.repeat=2h", "spin_up.max=3", "spin_up.until.storage_change=0.5", "figures=true")
    assert (config.spin_up.max, config.spin_up.until.storage_change) == (3, 0.5)
    assert config.figures


def test_name_of_a_component_stands_for_its_entry(fake):
    assert set_to(fake, "groundwater.class=zoo:LeakyBucket").components["groundwater"].class_path == "zoo:LeakyBucket"


def test_options_need_no_place_in_the_file(fake):
    assert set_to(fake, "land.options.soil.depth=2").components["land"].options == {"soil": {"depth": 2}}


def test_file_on_the_command_line_is_relative_to_the_working_directory(fake, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "other.yaml").write_text("{}")
    monkeypatch.chdir(elsewhere)
    assert set_to(fake, "land.config=other.yaml").components["land"].config == elsewhere / "other.yaml"


def test_folder_on_the_command_line_is_relative_to_the_working_directory(fake, tmp_path, monkeypatch):
    fake.run["paths"] = {"basin": "nowhere"}
    fake.run["components"]["land"]["config"] = "${basin}/land.yaml"
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "data").mkdir(parents=True)
    (elsewhere / "data" / "land.yaml").write_text("{}")
    monkeypatch.chdir(elsewhere)
    assert set_to(fake, "basin=data").components["land"].config == elsewhere / "data" / "land.yaml"


def test_named_folders_are_relative_to_the_file_that_names_them(fake):
    fake.run["paths"] = {"here": "."}
    fake.run["components"]["land"]["config"] = "${here}/land.yaml"
    assert set_to(fake).components["land"].config == fake.folder / "land.yaml"


def test_set_changes_the_run(fake):
    fake.succeeds("--set", "time.end=2020-01-01T02:00", "--set", "groundwater.class=zoo:LeakyBucket")
    assert fake.open().sizes["time"] == 2
    record = yaml.safe_load((fake.output / "run.yaml").read_text())
    assert record["components"]["groundwater"]["class"] == "zoo:LeakyBucket"


@pytest.mark.parametrize(
    ("text", "value"), [("1e-3", 0.001), ("1E2", 100.0), ("+.5e+1", 5.0), ("2", 2.0), ("0.25", 0.25)]
)
def test_numbers_of_settings_are_read_as_in_a_file(fake, text, value):
    assert set_to(fake, f"checks.water_balance.tolerance={text}").checks.water_balance.tolerance == value


def test_dates_of_settings_are_read_as_in_a_file(fake):
    for text in ("2020-01-01T05:00", "2020-01-01 05:00:00", "'2020-01-01T05:00'"):
        assert set_to(fake, f"time.end={text}").time.end == datetime(2020, 1, 1, 5)


DEEP = "[" * 400 + "]" * 400


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("time.end=2020-02-30", "time.end: not valid YAML: day is out of range"),
        ("time.end=2020-13-01", "time.end: not valid YAML: month must be in 1..12"),
        ("time.end=20200101", "time.end: expected a date such as 2019-10-01T00:00, got 20200101"),
        ("time.end='20200101'", "time.end: expected a date"),
        ("time.end=1e9", "time.end: expected a date"),
        ("time.step=[1h]", "time.step: ['1h'] is not a length of time"),
        ("time={start: 2020-01-01, start: 2020-01-02}", "time.start: the key stands twice"),
        ("time={}", "time.start: this key is missing"),
        ("order=", "order: input should be a valid list, got None"),
        ("output=[{}]", "output.0.file: this key is missing"),
        ("output=[[]]", "output.0: "),
        (f"title={DEEP}", "nested too deeply"),
        ("title=&a [*a]", "the anchor refers to itself"),
        ("title=\x00", "not valid YAML"),
        ("title=!!int x", "not valid YAML"),
        ("title=!!python/object:os.system x", "not valid YAML: could not determine a constructor"),
        ("time..end=1", "must be written as key=value"),
        (".=1", "must be written as key=value"),
        ('time."end=1', "must be written as key=value"),
        ("components=3", "components: expected keys and values, got 3"),
        ("land=3", "components.land: expected keys and values, got 3"),
        ("land.config=", "components.land.config: expected the name of a file or folder, got nothing"),
        ("land.config=[a]", "components.land.config: expected the name of a file or folder, got [a]"),
        ("land.config=~nobodyatall/x", "components.land.config: is no name of a file"),
        ("paths.x=", "paths.x: expected the name of a file or folder"),
        ("output.999999999999999999999.file=a.nc", "is no entry of a list of 1"),
        ("output.²=a.nc", "'²' is no entry of a list of 1"),
        ("seed=4294967296", "seed: input should be less than 4294967296"),
        ("land.options=[1]", "components.land.options: expected keys and values"),
        ("land.replace=[rain]", "replace: options have no section 'rain'"),
        ("relative_to=[1]", "relative_to: expected the name of a folder"),
        ("mpi.decomposition=[3]", "mpi.decomposition: two numbers are needed"),
        ("mpi.decomposition=3", "mpi.decomposition: two numbers are needed"),
        ("mpi.decomposition=[0, 2]", "mpi.decomposition.0: input should be greater than or equal to 1"),
    ],
)
def test_a_setting_that_is_wrong_is_one_message_that_names_it_and_its_key(fake, setting, words):
    message = fake.refuses(words, arguments=("--set", setting))
    assert f"--set {setting[:100]}" in message
    assert len(message.splitlines()) == 1 or "this key is missing" in message


def test_all_wrong_settings_are_told(fake):
    message = fake.refuses("--set seed=-1: seed", arguments=("--set", "time.end=2020-02-30", "--set", "seed=-1"))
    assert "--set time.end=2020-02-30: time.end" in message


def test_a_setting_that_does_not_agree_with_the_file_is_named_beside_it(fake):
    fake.refuses(
        f"coupled.yaml:{line_of(fake, 'time:')}: time: end 2019-01-01T00:00 must be after start",
        "(--set time.end=2019-01-01)",
        arguments=("--set", "time.end=2019-01-01"),
    )


def test_an_option_of_the_command_line_is_named_by_the_component_that_refuses_it(fake):
    (fake.folder / "head.txt").write_text("-2.5")
    fake.use("FileBucket", head_file="head.txt", tuning={"a": 1.0})
    message = fake.refuses("tuning.a", arguments=("--set", "groundwater.options.tuning.a=much"))
    assert message.startswith("bmi-run: groundwater: --set groundwater.options.tuning.a=much: tuning.a: ")
    fake.run["components"]["groundwater"]["options"] = {"tuning": {"a": "little"}}
    place = f"coupled.yaml:{line_of(fake, 'a: little')}"
    assert f"groundwater: {fake.folder}/{place}: tuning.a: " in fake.refuses("little")


def test_a_section_that_is_set_replaces_that_of_the_file_and_of_the_component(fake):
    assert set_to(fake, "checks={water_balance: {}}", "checks={}").checks.water_balance is None
    fake.use("FileBucket", head_file="head.txt", tuning={"a": 1.0, "b": 2.0})
    (fake.folder / "head.txt").write_text("-2.5")
    fake.succeeds("--set", "groundwater.options.tuning={c: 4}", "--set", "groundwater.options.tuning.d=5")
    assert staged(fake, "groundwater")["tuning"] == {"c": 4, "d": 5}
    record = fake.output / "run.yaml"
    result = CliRunner().invoke(main, [str(record), "--output", str(fake.folder / "again")])
    assert result.exit_code == 0, result.output
    assert yaml.safe_load((fake.folder / "again" / "config" / "groundwater.yaml").read_text())["tuning"] == {
        "c": 4,
        "d": 5,
    }
    fake.succeeds("--overwrite", "--set", "groundwater.options.tuning.d=5")
    assert staged(fake, "groundwater")["tuning"] == {"a": 1.0, "b": 2.0, "d": 5}


def test_numbers_that_are_keys_are_those_of_the_components_file(fake):
    fake.use("Bucket", lookup={7: 1.0})
    fake.succeeds("--set", "groundwater.options.lookup.7=2", "--set", "groundwater.options.lookup.8=3")
    assert staged(fake, "groundwater")["lookup"] == {7: 2, 8: 3}


def test_a_part_of_a_key_with_dots_is_quoted(fake):
    config = set_to(fake, f'checks.ranges."groundwater.{PRESSURE_HEAD}"=[-5, 5]')
    assert config.checks.ranges == {f"groundwater.{PRESSURE_HEAD}": (-5.0, 5.0)}


# ---------------------------------------------------------------- staging


def staged(fake, name):
    return yaml.safe_load((fake.output / "config" / f"{name}.yaml").read_text())


def test_without_additions_components_get_the_users_files(fake):
    fake.succeeds()
    assert not (fake.output / "config").exists()


def test_options_are_merged_key_by_key(fake):
    fake.use("FileBucket", head_file="head.txt", tuning={"a": 1.0, "b": 2.0})
    (fake.folder / "head.txt").write_text("-2.5")
    fake.run["components"]["groundwater"]["options"] = {"tuning": {"b": 3.0}}
    fake.succeeds()
    assert staged(fake, "groundwater")["tuning"] == {"a": 1.0, "b": 3.0}


def test_options_change_what_the_component_does(fake):
    fake.succeeds()
    without = fake.open()[PRESSURE_HEAD].values
    fake.run["components"]["land"]["options"] = {"rain": 0.02}
    fake.succeeds("--overwrite")
    assert (fake.open()[PRESSURE_HEAD].values[:, -1] > without[:, -1]).all()


def test_relative_paths_of_a_staged_file_keep_working(fake):
    (fake.folder / "basin").mkdir()
    (fake.folder / "basin" / "head.txt").write_text("-2.5")
    fake.use("FileBucket", head_file="head.txt", relative_to="basin")
    fake.run["components"]["groundwater"]["options"] = {"tuning": {"a": 1.0}}
    fake.succeeds()
    assert fake.open()[PRESSURE_HEAD].values[0, 0] == pytest.approx(-2.5)
    assert staged(fake, "groundwater")["relative_to"] == str(fake.folder / "basin")


def test_start_of_the_run_replaces_that_of_the_component(fake):
    (fake.folder / "head.txt").write_text("-1.0")
    fake.use("FileBucket", head_file="head.txt", start="1999-01-01T00:00")
    fake.succeeds()
    assert staged(fake, "groundwater")["start"] == datetime(2020, 1, 1)


def test_equal_start_needs_no_staging(fake):
    (fake.folder / "head.txt").write_text("-1.0")
    fake.use("FileBucket", head_file="head.txt", start="2020-01-01T00:00").succeeds()
    assert not (fake.output / "config").exists()


def test_named_folder_of_the_run_replaces_that_of_the_component(fake):
    for name, head in (("a", -3.0), ("b", -4.0)):
        (fake.folder / name).mkdir()
        (fake.folder / name / "head.txt").write_text(str(head))
    fake.use("FileBucket", head_file="${basin}/head.txt", paths={"basin": "a"}).succeeds()
    assert fake.open()[PRESSURE_HEAD].values[0, 0] == pytest.approx(-3.0)
    fake.run["paths"] = {"basin": "b"}
    fake.succeeds("--overwrite")
    assert fake.open()[PRESSURE_HEAD].values[0, 0] == pytest.approx(-4.0)


# ---------------------------------------------------------------- --check


def test_check_prints_the_plan(fake):
    fake.run["components"]["land"]["options"] = {"rain": 0.01}
    fake.land["mask"] = fake.groundwater["mask"] = 2
    fake.use("CentimetreBucket", step=1800)
    text = fake.succeeds("--check").output
    for words in (
        "coupled.yaml: sound",
        "2020-01-01T00:00 to 2020-01-01T06:00 UTC, 6 steps of 1h",
        "cells: 10 of 12 take part",
        "1. land: Fake land (zoo:Land), step 1h",
        "rain = 0.01",
        "2. groundwater: Fake groundwater (zoo:CentimetreBucket), step 30min",
        f"takes groundwater.{PRESSURE_HEAD} -> land.{PRESSURE_HEAD}  [cm -> m: x 0.01]  layers 1..10 of 11",
        "state at the start of the step",
        f"takes land.{NET_SOURCE} -> groundwater.{NET_SOURCE}  [h-1]  same grid, of this step",
        "writes hourly.nc every 1h (mean)",
    ):
        assert words in text


def test_check_tells_of_means_over_the_step_before(fake):
    fake.run["order"] = ["groundwater", "land"]
    fake.land["step"] = 1800
    fake.run["exchanges"][2]["method"] = "mean"
    assert "same grid, of the step before, mean" in fake.succeeds("--check").output


def test_check_tells_what_will_not_be_written(fake):
    fake.run["output"][0]["every"] = "4h"
    assert "hourly.nc: the last 2h of the run do not fill an interval of 4h" in fake.succeeds("--check").output


def test_check_writes_nothing(fake, monkeypatch):
    fake.run["components"]["land"]["options"] = {"rain": 0.01}
    fake.write()
    monkeypatch.chdir(fake.folder)
    before = sorted(fake.folder.rglob("*"))
    fake.succeeds("--check")
    assert sorted(fake.folder.rglob("*")) == before


def test_check_finds_the_mistakes_of_a_run(fake):
    fake.groundwater["dx"] = 900.0
    fake.refuses("the x coordinates differ", arguments=("--check",))


def test_run_goes_to_a_folder_named_after_its_file(fake, monkeypatch):
    monkeypatch.chdir(fake.folder)
    assert CliRunner().invoke(main, [str(fake.write())]).exit_code == 0
    assert (fake.folder / "output" / "coupled" / "hourly.nc").exists()


def test_a_verb_stands_for_its_option(fake):
    plan = fake.succeeds("--check").stdout
    assert CliRunner().invoke(main, ["check", str(fake.write())]).stdout == plan
    assert not fake.output.exists()
    [message] = CliRunner().invoke(main, ["restart", str(fake.folder / "none")]).stderr.splitlines()
    assert str(fake.folder / "none") in message
    [message] = CliRunner().invoke(main, ["import-parflow", str(fake.folder / "run.pfidb")]).stderr.splitlines()
    assert "--from-parflow needs --output" in message
