"""Texts in NetCDF files: read by others as they were written, and harmless where a file is open twice."""

import subprocess
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr

from bmi_common.netcdf_file import NetcdfFile
from bmi_common.netcdf_text import add_texts

NAMES = ["outlet", "Brücke", "b"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gauges.nc"
    with netCDF4.Dataset(path, "w") as data:
        data.createDimension("gauge", len(NAMES))
        data.createDimension("time", 50)
        data.createDimension("x", 5000)
        add_texts(data, "gauge_name", "gauge", NAMES)
        data.createVariable("q", "f8", ("time", "x"), zlib=True)[:] = np.arange(250_000.0).reshape(50, 5000)
    return path


def test_texts_are_read_as_they_were_written(file: Path) -> None:
    with xr.open_dataset(file) as data:
        assert data["gauge_name"].dims == ("gauge",)
        assert data["gauge_name"].values.tolist() == NAMES
    with NetcdfFile(file) as ours:
        assert ours.read("gauge_name").tolist() == NAMES


def test_a_file_that_is_open_elsewhere_is_read_without_harm(file: Path) -> None:
    code = f"""
import netCDF4
from bmi_common.netcdf_file import NetcdfFile
from pathlib import Path
path = Path({str(file)!r})
kept = netCDF4.Dataset(path)
kept["q"][0]
for record in range(200):
    with NetcdfFile(path) as file:
        file.read("gauge_name"), file.part("q", record % 50)
print(kept["q"][49, 4999])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "249999.0"), done.stderr
