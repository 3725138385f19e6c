"""What `--observations` is given: stations with odd keys, damaged tables, foreign NetCDF files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import yaml
from hostile.judge import judge, tries
from hostile.mutations import ODD_TEXTS, damaged_bytes, spoiled_netcdf, spoiled_trees
from hypothesis import given
from hypothesis import strategies as st
from station_cases import CELL, HOUR, START, Stations

from rootzone.evaluation.observations.comparison import WantedStations, compare

TABLES = ("hours.csv", "days_Q_Day.Cmd.txt", "months.mon", "FLX.csv")
STATIONS = [
    {"name": "outlet", "quantity": "discharge", "file": "hours.csv", "units": "l s-1", "times": "end"},
    {"name": "days", "quantity": "discharge", "gauge": "outlet", "file": "days_Q_Day.Cmd.txt", "zone": "America/New_York"},
    {"name": "months", "quantity": "discharge", "gauge": "bridge", "file": "months.mon"},
    {"name": "tower", "quantity": "latent_heat", "cell": CELL, "file": "FLX.csv", "zone": "+08:00", "quality": 1},
    {"name": "probe", "quantity": "soil_moisture", "cell": CELL, "depth": 0.2, "file": "FLX.csv", "zone": "+08:00"},
    {
        "name": "well",
        "quantity": "water_table_depth",
        "cell": {"easting": 210.0, "northing": 130.0},
        "file": "well.nc",
        "variable": "depth",
        "missing": [-1.0],
    },
]  # fmt: skip


def write(folder: Path) -> None:
    stations = Stations(folder)
    record = folder / "run" / "run.yaml"
    record.write_text(record.read_text().replace(f"{folder}/", "../"))
    stations.hours_csv("hours.csv", 1000.0 * stations.discharge[:30])
    days = [f"2020-01-0{d};--:--;  {d}.5" for d in range(1, 8)]
    stations.write("days_Q_Day.Cmd.txt", "# GRDC", "YYYY-MM-DD;hh:mm; Value", *days, "2020-01-08;--:--; -999.000")
    stations.write("months.mon", 'date,\t"MEAN",\t"n.missing",\t"n.available"', "2020-01-31,\t3,\t0,\t31")
    stamps = [str(START + HOUR // 2 * i)[:16].translate({ord(c): None for c in "-T:"}) for i in range(40)]
    rows = [f"{a},{b},{i},{i % 2},3{i % 9},0" for i, (a, b) in enumerate(pairwise(stamps))]
    head = "TIMESTAMP_START,TIMESTAMP_END,LE_F_MDS,LE_F_MDS_QC,SWC_F_MDS_1,SWC_F_MDS_1_QC"
    stations.write("FLX.csv", head, *rows)
    with netCDF4.Dataset(folder / "well.nc", "w") as data:
        data.createDimension("time", 30)
        data.createDimension("nv", 2)
        data.createVariable("time", "f8", ("time",))[:] = np.arange(30)
        data["time"].setncatts({"units": "hours since 2020-01-01", "standard_name": "time", "bounds": "bnds"})
        data.createVariable("bnds", "f8", ("time", "nv"))[:] = np.arange(30)[:, None] + np.array([0.0, 1.0])
        data.createVariable("depth", "f8", ("time",))[:] = 2.0
        data["depth"].units = "m"
    (folder / "observations.yaml").write_text(yaml.safe_dump({"stations": STATIONS}, sort_keys=False))


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    write(folder)
    return folder


@pytest.fixture
def copied(good: Path, tmp_path: Path) -> Callable[[], Path]:
    """Give a new copy for every input: a file that is refused may stay open for a while."""
    made: list[Path] = []

    def make() -> Path:
        if made:
            shutil.rmtree(made[-1])
        made.append(tmp_path / f"{len(made)}")
        shutil.copytree(good, made[-1])
        return made[-1]

    return make


def judged(folder: Path) -> str:
    wanted = WantedStations(folder / "observations.yaml", {"run": folder / "run"})
    return judge(lambda: compare(wanted), folder)


@pytest.mark.slow
def test_good_stations_are_compared(copied: Callable[[], Path]) -> None:
    assert judged(copied()) == ""


@given(data=st.data())
@tries(80)
def test_stations_with_other_keys(copied: Callable[[], Path], data: st.DataObject) -> None:
    folder = copied()
    tree = data.draw(spoiled_trees({"stations": STATIONS}))
    (folder / "observations.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8", errors="surrogatepass")
    judged(folder)


@given(data=st.data())
@tries(80)
def test_damaged_tables(copied: Callable[[], Path], data: st.DataObject) -> None:
    folder = copied()
    file = folder / data.draw(st.sampled_from(TABLES))
    content = file.read_bytes()
    if data.draw(st.booleans()):
        file.write_bytes(data.draw(damaged_bytes(content)))
    else:
        cells = content.decode().split(",")
        cells[data.draw(st.integers(0, len(cells) - 1))] = data.draw(st.one_of(st.sampled_from(ODD_TEXTS), st.text()))
        file.write_text(",".join(cells), encoding="utf-8", errors="surrogatepass")
    judged(folder)


@given(data=st.data())
@tries(50)
def test_netcdf_files_with_other_contents(copied: Callable[[], Path], data: st.DataObject) -> None:
    folder = copied()
    spoiled_netcdf(data.draw, folder / data.draw(st.sampled_from(("well.nc", "run/fluxes.nc", "run/head.nc"))))
    judged(folder)
