"""NetCDF files with damaged bytes: the interpreter survives them and says what is wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from hostile import damaged_files
from hostile.forcing_file import write_forcing
from hostile.judge import MORE

from bmi_common.state_file import StateArray, StateHeader, write_state

FIRST = 36  # number 35 catches HDF5 2.2 in a loop, which costs a quarter of a minute
COUNT = max(int(40 * MORE), 1)


def write(kind: str, file: Path) -> None:
    if kind == "forcing":
        write_forcing(file)
    elif kind == "state":
        arrays = {
            "head": StateArray(np.arange(12.0).reshape(3, 4), ("y", "x"), "m"),
            "memory/n": StateArray(np.arange(3)),
        }
        write_state(file, StateHeader("bucket", 3600.0, None, {"network": "abc"}, {"supplied": ["rain"]}), arrays)
    else:
        with netCDF4.Dataset(file, "w", format={"field": "NETCDF4", "classic": "NETCDF3_CLASSIC"}[kind]) as nc:
            for name, size in (("y", 3), ("x", 4)):
                nc.createDimension(name, size)
            nc.createVariable("porosity", "f8", ("y", "x"))[...] = 0.4
            nc["porosity"].units = "1"


@pytest.mark.fuzz
@pytest.mark.parametrize("kind", ["field", "classic", "forcing", "state"])
def test_damaged_files_are_refused_without_a_crash(tmp_path: Path, kind: str) -> None:
    write(kind, tmp_path / "good.nc")
    damaged_files.read(kind, tmp_path / "good.nc")
    first, loops, findings = FIRST, 0, []
    while first < FIRST + COUNT:
        done = _read(kind, tmp_path, first, FIRST + COUNT - first)
        lines = done.stdout.splitlines()
        findings += [line for line in lines if line.startswith("finding")]
        first = int(lines[-1]) + 1 if lines[-1].isdigit() else FIRST + COUNT
        if done.returncode:
            assert "Timeout (" in done.stderr, f"the process ends with {done.returncode} at {lines[-1]}: {done.stderr}"
            innermost = next(line for line in done.stderr.splitlines() if line.lstrip().startswith("File "))
            assert IN_LIBRARY.search(innermost), f"a hang at {lines[-1]}: {done.stderr}"
            loops += 1
    assert findings == []
    assert loops <= max(1, 0.02 * COUNT), f"{loops} of {COUNT} files catch the NetCDF library in a loop"


IN_LIBRARY = re.compile(
    "in (read_netcdf_variable|_numbers|_raw|__init__|_read_header|_variables|read|read_state|close)$"
)
"""Functions that call the library; what hangs in them is the library's own loop, out of reach of this program."""


def _read(kind: str, folder: Path, first: int, count: int) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, str(Path(damaged_files.__file__)), kind, str(folder), str(first), str(count)]
    environment = {**os.environ, "ROOTZONE_FUZZ_SURVEY": ""}
    return subprocess.run(program, capture_output=True, text=True, timeout=120 + count, env=environment, check=False)
