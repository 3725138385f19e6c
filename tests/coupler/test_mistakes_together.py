"""All mistakes that can be found are told at once, in the order of the user's files."""

import pytest
import yaml
from conformance import components

HEAD = "soil_water__pressure_head"
SATURATION = "soil_water__saturation"


def told(fake, *arguments):
    """Return the messages of a check that fails, a line each."""
    result = fake("--check", *arguments)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    return result.output.removeprefix("bmi-run: ").replace(f"{fake.folder}/", "").splitlines()


def line_of(fake, text):
    fake.write()
    return next(i for i, line in enumerate(fake.yaml.read_text().splitlines(), 1) if text in line)


def test_mistakes_in_the_runs_file_come_in_the_order_of_its_lines(fake):
    fake.run["titel"] = "x"
    fake.run["time"]["stepp"] = "1h"
    fake.run["output"][0]["every"] = "1 fortnight"
    fake.run["exchanges"][1]["method"] = "median"
    lines = [line_of(fake, text) for text in ("stepp", "median", "fortnight", "titel")]
    assert lines == sorted(lines)
    messages = told(fake)
    assert [m.split(": ")[:2] for m in messages] == [
        [f"coupled.yaml:{line}", key]
        for line, key in zip(lines, ("time.stepp", "exchanges.1.method", "output.0.every", "titel"), strict=True)
    ]


def test_what_does_not_agree_is_told_at_once(fake):
    fake.run["order"] = ["land"]
    fake.run["output"][0]["every"] = "90min"
    fake.run["exchanges"][0]["from"] = f"groundwatre.{HEAD}"
    assert [m.split(": ")[1] for m in told(fake)] == ["order", "exchanges.0.from", "output.0.every"]


def test_what_does_not_fit_is_told_at_once(fake):
    fake.groundwater["mask"] = 2
    fake.land["step"] = 2400
    fake.run["exchanges"][1]["from"] = f"groundwater.{SATURATION}s"
    fake.run["output"][0]["variables"] = ["land.nothing", "groundwater.nothing"]
    fake.run["checks"] = {"ranges": {"land.nothing": [0, 1]}}
    keys = [m.split(": ")[1] for m in told(fake)]
    assert keys == [
        "masks",
        "time.step",
        "exchanges.1.from",
        "output.0.variables",
        "output.0.variables",
        "checks.ranges",
    ]


def test_the_files_of_components_come_after_the_runs_file_in_the_order_of_the_components(fake):
    fake.run["components"]["land"]["class"] = "zoo:RefusingBucket"
    fake.use("RefusingBucket")
    fake.run["output"][0]["variables"] = ["groundwater.nothing"]
    messages = told(fake)
    place = f"coupled.yaml:{line_of(fake, 'variables')}: output.0.variables"
    assert messages[-3].startswith(f"{place}: groundwater has no variable 'nothing'")
    assert messages[-2:] == ["land: land.yaml: not today", "groundwater: groundwater.yaml: not today"]


def test_the_files_of_components_are_looked_at_also_where_the_runs_file_is_unsound(fake):
    fake.run["time"]["end"] = "2020-02-30"
    fake.run["components"]["land"]["class"] = "zoo:RefusingBucket"
    fake.use("CrashingBucket")
    fake.run["components"]["third"] = {"clas": "zoo:Land", "config": "land.yaml"}
    messages = told(fake)
    assert [m.split(": ")[1] for m in messages[:-2] if "third" in m] == ["components.third.clas"]
    assert any(m.startswith("coupled.yaml:") and ": time.end: " in m for m in messages)
    assert messages[-2] == "land: land.yaml: not today"
    assert messages[-1].startswith("groundwater: cannot be initialized from ")


def test_a_run_that_is_not_only_checked_tells_all_that_it_finds_too(fake):
    fake.run["components"]["land"]["class"] = "zoo:RefusingBucket"
    fake.use("RefusingBucket")
    fake.refuses("land: ", "\ngroundwater: ")


def test_a_mistake_in_what_two_components_share_is_told_once(fake):
    components.domain_files(fake.folder, nx=4, ny=3)
    domain = yaml.safe_load((fake.folder / "domain.yaml").read_text())
    domain |= {"porosity": 3.0, "elevation": 1e30, "manning": {"value": 1e30}}
    (fake.folder / "domain.yaml").write_text(yaml.safe_dump(domain))
    fake.run["components"] = {
        "recharge": {"class": "bmi_common.prescribed:PrescribedSource", "config": "land.yaml"},
        "groundwater": {"class": "bmi_richards:BmiRichards", "config": "groundwater.yaml"},
    }
    fake.run |= {"order": ["recharge", "groundwater"], "exchanges": [], "output": []}
    fake.land = {"domain": "domain.yaml", "recharge": 0.0}
    fake.groundwater = {"domain": "domain.yaml", "initial": {"water_table_depth": 1.0}}
    messages = told(fake)
    assert len(messages) == 3
    assert all(m.startswith("recharge, groundwater: domain: ") for m in messages)
    assert [m.split()[3] for m in messages] == ["elevation", "porosity", "manning"]


def test_a_mistake_in_a_file_that_two_components_name_is_told_once_and_by_that_file(fake):
    components.domain_files(fake.folder, nx=4, ny=3)
    domain = yaml.safe_load((fake.folder / "domain.yaml").read_text()) | {"mask": {"file": "none.nc"}, "manig": 0.05}
    (fake.folder / "domain.yaml").write_text(yaml.safe_dump(domain))
    fake.run["components"] = {
        "recharge": {"class": "bmi_common.prescribed:PrescribedSource", "config": "land.yaml"},
        "groundwater": {"class": "bmi_richards:BmiRichards", "config": "groundwater.yaml"},
    }
    fake.run |= {"order": ["recharge", "groundwater"], "exchanges": [], "output": []}
    fake.land = {"domain": "domain.yaml", "recharge": 0.0, "threads": "many"}
    fake.groundwater = {"domain": "domain.yaml", "initial": {"water_table_depth": 1.0}}
    lines = (fake.folder / "domain.yaml").read_text().splitlines()
    messages = told(fake)
    at = {key: next(i for i, line in enumerate(lines, 1) if key in line) for key in ("file: none.nc", "manig")}
    assert [m for m in messages if m.startswith("recharge, ")] == [
        f"recharge, groundwater: domain.yaml:{at['manig']}: manig: unknown key; did you mean 'manning'?",
        f"recharge, groundwater: domain.yaml:{at['file: none.nc']}: mask.file: no such file: none.nc",
    ]
    assert [m.split(": ")[2] for m in messages if m.startswith("recharge: ")] == ["threads"]


def test_a_named_folder_that_is_not_there_is_told_in_the_place_of_all_files_in_it(fake):
    components.domain_files(fake.folder, nx=4, ny=3)
    fake.run["paths"] = {"data": "data"}
    (fake.folder / "data").mkdir()
    fake.land = {"mask": "${data}/mask.nc", "start": "2019-10-01T00:00"}
    absent = fake.folder / "nowhere"
    fake.refuses(f"--set data={absent}: paths.data: no such folder: {absent}", arguments=("--set", f"data={absent}"))
    fake.run["paths"] = {"data": str(absent)}
    fake.run["titel"] = "x"
    assert sorted(m.split(": ")[1] for m in told(fake)) == ["paths.data", "titel"]


@pytest.mark.parametrize("unknown", ["landcover", "frozen_soils"])
def test_an_unknown_key_hides_no_other_mistake(fake, unknown):
    components.colm(fake.folder)
    land = yaml.safe_load((fake.folder / "colm.yaml").read_text())
    fake.land = land | {unknown: 3, "threads": "many", "soil_texture": "lome"}
    fake.run["components"]["land"] = {"class": "bmi_colm:BmiColm", "config": "land.yaml"}
    keys = [m.split(": ")[2] for m in told(fake) if m.startswith("land: ")]
    assert set(keys) == {"soil_texture", "threads", unknown}
