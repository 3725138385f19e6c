"""Forcing as it is downloaded or handed over: ERA5-Land, the text file of one place, ParFlow's PFB files."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import yaml
from hostile.judge import judge, tries
from hostile.mutations import damaged_bytes, spoiled_netcdf, spoiled_trees
from hypothesis import given
from hypothesis import strategies as st
from parflow.tools.io import write_pfb
from pydantic import Field

from bmi_colm.forcing import ForcingConfig, open_forcing
from bmi_common.config import Config, load_config

START = datetime(2020, 6, 1)
HOURS = 3
LATITUDE, LONGITUDE = np.array([24.5, 24.6]), np.array([113.2, 113.3, 113.4])
ERA5_LAND = {
    "t2m": ("K", 290.0), "d2m": ("K", 285.0), "sp": ("Pa", 9.5e4), "u10": ("m s**-1", 2.0), "v10": ("m s**-1", -1.0),
    "ssrd": ("J m**-2", 7.0e5), "strd": ("J m**-2", 1.0e6), "tp": ("m", 1.0e-3),
}  # fmt: skip
TOTALS = ("ssrd", "strd", "tp")
PARFLOW = {
    "DSWR": 400.0,
    "DLWR": 300.0,
    "APCP": 1e-4,
    "Temp": 290.0,
    "UGRD": 2.0,
    "VGRD": -1.0,
    "Press": 9e4,
    "SPFH": 8e-3,
}
ROW = "400 300 1e-4 290.0 2.0 -1.0 9.0e4 0.008\n"
KINDS = ("era5_land", "column", "parflow")


class _Land(Config):
    forcing: ForcingConfig = Field()


def write(kind: str, folder: Path) -> dict[str, Any]:
    """Write good forcing and return the section that names it."""
    folder.mkdir(exist_ok=True)
    if kind == "column":
        (folder / "column.txt").write_text("# a comment\n" + ROW * HOURS)
        return {"type": kind, "file": "column.txt", "start": START.isoformat(), "first_row": 0, "rows": HOURS}
    if kind == "parflow":
        for name, value in PARFLOW.items():
            file = folder / f"NLDAS.{name}.000001_to_{HOURS:06d}.pfb"
            write_pfb(str(file), np.full((HOURS, 2, 3), value), dist=False)
        return {"type": kind, "directory": ".", "prefix": "NLDAS", "start": START.isoformat(), "check_values": "all"}
    with netCDF4.Dataset(folder / "era5.nc", "w") as nc:
        for name, size in (("valid_time", HOURS + 1), ("latitude", 2), ("longitude", 3)):
            nc.createDimension(name, size)
        nc.createVariable("valid_time", "i8", ("valid_time",))[:] = 3600 * np.arange(HOURS + 1)
        nc["valid_time"].setncatts({"units": f"seconds since {START:%Y-%m-%d}", "calendar": "proleptic_gregorian"})
        for name, values, units in (
            ("latitude", LATITUDE[::-1], "degrees_north"),
            ("longitude", LONGITUDE, "degrees_east"),
        ):
            nc.createVariable(name, "f8", (name,))[:] = values
            nc[name].units = units
        for name, (units, value) in ERA5_LAND.items():
            hours = np.arange(HOURS + 1.0)[:, None, None] if name in TOTALS else 1.0
            made = nc.createVariable(name, "f4", ("valid_time", "latitude", "longitude"), fill_value=np.nan)
            made.setncatts({"units": units, "GRIB_missingValue": 3.4e38})
            made[:] = value * hours * np.ones((HOURS + 1, 2, 3))
    return {"type": kind, "file": "era5.nc", "states": "mean", "remap": None, "check_values": "all"}


def read(section: Any, folder: Path) -> None:
    """Read the forcing that a land's configuration names, as the land does."""
    file = folder / "land.yaml"
    file.write_text(yaml.safe_dump({"forcing": section}), encoding="utf-8")
    spec = load_config(file, _Land).forcing
    latitude, longitude = np.meshgrid(LATITUDE, LONGITUDE, indexing="ij")
    domain: dict[str, Any] = {
        "shape": (2, 3),
        "latitude": latitude,
        "longitude": longitude,
        "elevation": 0.0 * latitude,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with open_forcing(spec, start=START, end=START + timedelta(hours=HOURS), **domain) as forcing:
            for hour in range(HOURS):
                forcing.read(START + timedelta(hours=hour))


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    """Give a new folder for every input: a file that is refused may stay open for a while."""

    def make() -> Iterator[Path]:
        number = 0
        while True:
            number += 1
            folder = tmp_path / f"{number}"
            folder.mkdir()
            yield folder
            shutil.rmtree(folder, ignore_errors=True)

    return make()


@pytest.mark.parametrize("kind", KINDS)
def test_good_forcing_is_accepted(tmp_path: Path, kind: str) -> None:
    assert judge(lambda: read(write(kind, tmp_path), tmp_path), tmp_path) == ""


@pytest.mark.fuzz
@pytest.mark.parametrize("kind", KINDS)
def test_sections_are_accepted_or_refused(folders: Iterator[Path], kind: str) -> None:
    @given(data=st.data())
    @tries(25)
    def check(data: st.DataObject) -> None:
        folder = next(folders)
        section = data.draw(spoiled_trees(write(kind, folder)))
        judge(lambda: read(section, folder), folder)

    check()


@given(data=st.data())
@tries(40)
def test_era5_land_with_other_contents(folders: Iterator[Path], data: st.DataObject) -> None:
    folder = next(folders)
    section = write("era5_land", folder)
    spoiled_netcdf(data.draw, folder / "era5.nc")
    judge(lambda: read(section, folder), folder)


WORDS = (
    "nan",
    "inf",
    "-inf",
    "1e400",
    "-9999",
    "1,5",
    "x",
    "",
    "#",
    '"',
    "\x00",
    "\ufeff",
    "1e",
    "0x1p3",
    "1_000",
    "NaN",
    "\r",
    "\n",
    "٣",
    "1j",
    " " * 50,
    "-",
    "400 ",
)


@given(data=st.data())
@tries(80)
def test_text_of_one_place(folders: Iterator[Path], data: st.DataObject) -> None:
    folder = next(folders)
    section = write("column", folder)
    if data.draw(st.booleans()):
        words = (ROW * HOURS).replace("\n", " \n ").split(" ")
        for _ in range(data.draw(st.integers(1, 3))):
            words[data.draw(st.integers(0, len(words) - 1))] = data.draw(st.sampled_from(WORDS))
        content = " ".join(words).encode()
    else:
        content = data.draw(st.one_of(damaged_bytes((ROW * HOURS).encode()), st.binary(max_size=30)))
    (folder / "column.txt").write_bytes(content)
    judge(lambda: read(section, folder), folder)


NAMES = ("NLDAS.Temp.1_to_3.pfb", "NLDAS.Temp.000004_to_000006.pfb", "NLDAS.Temp.000003_to_000001.pfb", "NLDAS.Temp.0_to_0.pfb",
         "NLDAS.Temp.000001_to_999999999.pfb", f"NLDAS.Temp.{'9' * 60}_to_{'9' * 60}.pfb", "NLDAS.Temp.000000_to_000002.pfb",
         "NLDAS.Temp.٣_to_٣.pfb", f"NLDAS.Temp.{'0' * 100}1_to_{'0' * 100}3.pfb", "NLDAS.Temp.000001_to_000001.pfb")  # fmt: skip


@given(data=st.data())
@tries(60)
def test_pfb_files_of_parflow(folders: Iterator[Path], data: st.DataObject) -> None:
    folder = next(folders)
    section = write("parflow", folder)
    file = folder / f"NLDAS.{data.draw(st.sampled_from(list(PARFLOW)))}.000001_to_{HOURS:06d}.pfb"
    how = data.draw(st.sampled_from(("bytes", "bytes", "values", "name", "folder", "gone", "all")))
    if how == "bytes":
        file.write_bytes(data.draw(damaged_bytes(file.read_bytes(), head=110)))
    elif how == "values":
        file.write_bytes(file.read_bytes()[:-8] + data.draw(st.binary(min_size=8, max_size=8)))
    elif how == "all":
        to = data.draw(st.sampled_from(NAMES)).removeprefix("NLDAS.Temp.")
        for old in list(folder.glob("*.pfb")):
            old.rename(folder / ".".join([*old.name.split(".")[:2], to]))
    elif how == "name":
        file.rename(folder / data.draw(st.sampled_from(NAMES)))
    else:
        file.unlink()
        if how == "folder":
            file.mkdir()
    judge(lambda: read(section, folder), folder)
