"""What `bmi-evaluate` is given: runs with damaged or foreign files and records."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from evaluation_cases import Years, a_day, field
from hostile.judge import judge, tries
from hostile.mutations import ODD_TEXTS, damaged_bytes, odd_values, spoiled_netcdf, spoiled_trees
from hypothesis import given
from hypothesis import strategies as st
from training_stores import write_parflow

from bmi_common.errors import RootzoneError
from rootzone.bmi_evaluate import main

HOURS = 26
FILES = ("run/head.nc", "run/fluxes.nc", "run/error_control.nc", "rain.nc", "reanalysis.nc", "state.nc")
RECORDS = ("run/run.yaml", "reference/run.yaml", "run/error_control.json", "groundwater.yaml", "domain.yaml")


def evaluate(*arguments: object) -> None:
    """Run the command; its one message becomes the error that `judge` expects."""
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code:
        messages = [line for line in result.stderr.splitlines() if line.startswith(("bmi-evaluate: ", "Error: "))]
        assert len(messages) == 1, result.output
        raise RootzoneError(messages[0])


def write(folder: Path) -> None:
    """Write two runs that can be compared, with all that may go along."""
    years = Years(folder)
    rain = np.linspace(0.0, 1.0, HOURS)
    years.run("reference", field(HOURS, 3.0), a_day(HOURS), rain=rain)
    years.run("run", field(HOURS, 3.1), a_day(HOURS) + 1.0)
    for name in ("reference", "run"):  # no path of this folder in what is spoiled: its length would be drawn from
        file = folder / name / "run.yaml"
        file.write_text(file.read_text().replace(f"{folder}/", "../"))
    with netCDF4.Dataset(folder / "run" / "error_control.nc", "w") as data:
        data.createDimension("time", HOURS)
        data.createVariable("time", "f8", ("time",))[:] = np.arange(1.0, HOURS + 1.0)
        data["time"].units = "hours since 2020-01-01 00:00:00"
        data.createVariable("audit_water_table", "f8", ("time",))[:] = 0.1
        data["audit_water_table"].units = "m"
    decision = {
        "time": "2020-01-01T06:00:00",
        "by": "audit",
        "action": "resync",
        "reason": "water_table 0.1 of 0.05 m",
        "found": {"water_table": 0.1},
        "limits": {"water_table": 0.05},
    }
    (folder / "run" / "error_control.json").write_text(json.dumps({"decisions": [decision]}))
    with netCDF4.Dataset(folder / "rain.nc", "w") as data:
        data.createDimension("time", HOURS)
        data.createDimension("nv", 2)
        data.createVariable("time", "f8", ("time",))[:] = np.arange(HOURS)
        data["time"].setncatts({"units": "hours since 2020-01-01", "calendar": "standard", "bounds": "bnds"})
        data.createVariable("bnds", "f8", ("time", "nv"))[:] = np.arange(HOURS)[:, None] + np.array([0.0, 1.0])
        data.createVariable("pr", "f8", ("time",))[:] = 1e-4
        data["pr"].setncatts({"standard_name": "precipitation_flux", "units": "kg m-2 s-1"})
    with netCDF4.Dataset(folder / "reanalysis.nc", "w") as data:
        for name, size in (("valid_time", HOURS + 1), ("latitude", 2), ("longitude", 3)):
            data.createDimension(name, size)
            data.createVariable(name, "f8", (name,))[:] = np.arange(size)
        data["valid_time"].setncatts({"units": "hours since 2020-01-01", "calendar": "proleptic_gregorian"})
        for name, units, value in (("swvl1", "m**3 m**-3", 0.3), ("slhf", "J m**-2", -1e5)):
            data.createVariable(name, "f4", ("valid_time", "latitude", "longitude"))[:] = value
            data[name].units = units
    with netCDF4.Dataset(folder / "state.nc", "w") as data:
        for name, size in (("z", 11), ("y", 2), ("x", 3)):
            data.createDimension(name, size)
        data.createVariable("soil_water__pressure_head", "f8", ("z", "y", "x"))[:] = -1.0
        data["soil_water__pressure_head"].units = "m"


def arguments(folder: Path) -> tuple[object, ...]:
    """Give everything that the command can be given."""
    more = ("--precipitation", "rain.nc", "--reanalysis", "reanalysis.nc", "--initial", "state.nc")
    files = [folder / word if word.endswith(".nc") else word for word in more]
    return (
        folder / "reference",
        folder / "run",
        *files,
        "--climatology",
        folder / "reference",
        "--segment-length",
        "12h",
    )


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    write(folder)
    return folder


@pytest.fixture
def copied(good: Path, tmp_path: Path) -> Callable[[], Path]:
    """Give a new copy of the good runs for every input: a file that is refused may stay open for a while."""
    made: list[Path] = []

    def make() -> Path:
        if made:
            shutil.rmtree(made[-1])
        made.append(tmp_path / f"{len(made)}")
        shutil.copytree(good, made[-1])
        return made[-1]

    return make


def judged(folder: Path, *given: object) -> str:
    """Judge an evaluation without a folder for the report, which writes nothing."""
    before = sorted(folder.rglob("*"))
    message = judge(lambda: evaluate(*(given or arguments(folder))), folder)
    assert sorted(folder.rglob("*")) == before
    return message


def test_good_runs_are_compared(copied: Callable[[], Path]) -> None:
    assert judged(copied()) == ""


@given(data=st.data())
@tries(60)
def test_files_with_other_contents(copied: Callable[[], Path], data: st.DataObject) -> None:
    folder = copied()
    spoiled_netcdf(data.draw, folder / data.draw(st.sampled_from(FILES)))
    judged(folder)


@given(data=st.data())
@tries(30)
def test_records_with_other_contents(copied: Callable[[], Path], data: st.DataObject) -> None:
    folder = copied()
    file = folder / data.draw(st.sampled_from(RECORDS))
    if data.draw(st.booleans()):
        file.write_bytes(data.draw(damaged_bytes(file.read_bytes())))
    else:
        tree = data.draw(spoiled_trees(yaml.safe_load(file.read_text())))
        text = json.dumps(tree, default=str) if file.suffix == ".json" else yaml.safe_dump(tree)
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
    chosen = arguments(folder) if data.draw(st.booleans()) else (folder / "reference", folder / "run")
    judged(folder, *chosen)


OPTIONS = (
    "--free-drainage", "--threshold", "--climatology", "--segment", "--segment-length", "--precipitation", "--reanalysis",
    "--name", "--domain", "--initial", "--start",
)  # fmt: skip


@given(
    option=st.sampled_from(OPTIONS),
    value=st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=5), odd_values.map(str)),
)
@tries(30)
def test_options(good: Path, option: str, value: str) -> None:
    value = value.replace("\ud7ff", "")
    value = f"water_table={value}" if option == "--threshold" else value
    judged(good, good / "reference", good / "run", option, value)


@given(data=st.data())
@tries(25)
def test_runs_of_parflow(copied: Callable[[], Path], data: st.DataObject) -> None:
    folder = copied()
    head = np.full((5, 11, 2, 3), -1.0)
    run = write_parflow(folder / "parflow", head, np.zeros((4, 10, 2, 3)))
    (run / "basin.pfidb").write_text("1\n13\nTimingInfo.Du\n1\n1\n")
    dump = data.draw(st.sampled_from(sorted(run.iterdir())))
    how = data.draw(st.sampled_from(("bytes", "name", "gone", "folder")))
    if how == "bytes":
        dump.write_bytes(data.draw(damaged_bytes(dump.read_bytes(), head=110)))
    elif how == "name":
        names = (
            "other.out.press.00001.pfb",
            "basin.out.press.0.pfb",
            f"basin.out.press.{'9' * 30}.pfb",
            "basin.out.press.٣.pfb",
        )
        dump.rename(run / data.draw(st.sampled_from(names)))
    else:
        dump.unlink()
        if how == "folder":
            dump.mkdir()
    judged(folder, run, folder / "run", "--domain", folder / "domain.yaml")
