"""Reads damaged NetCDF files one after the other, in a process of its own: the library in C may bring it down.

``python damaged_files.py KIND FOLDER FIRST COUNT`` reads FOLDER/good.nc with the damage of the numbers FIRST, FIRST + 1,
…; it says each number before it starts, and what is wrong with the answer, if anything is. Where the library is caught in
a loop, which Python cannot interrupt, the process writes its stack and ends.
"""

from __future__ import annotations

import faulthandler
import sys
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hostile.forcing_file import read_forcing
from hostile.judge import judge

from bmi_common.fields import FieldConfig
from bmi_common.state_file import read_state

PATIENCE = 15.0  # s


def damage(content: bytes, number: int) -> bytes:
    """Bytes with the damage of that number: mostly in the first blocks, where the structure is described."""
    rng = np.random.default_rng(number)
    data = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(0, len(data) if rng.random() < 0.5 else min(len(data), 2048)))
        how = rng.integers(0, 5)
        if how == 0:
            data[at] = int(rng.integers(0, 256))
        elif how == 1:
            data[at : at + 4] = rng.bytes(4)
        elif how == 2:
            data[at : at + 8] = b"\xff" * 8
        elif how == 3:
            del data[at + 1 :]
        else:
            data[at : at + 16] = data[int(rng.integers(0, len(data))) :][:16]
    return bytes(data)


def read(kind: str, file: Path) -> None:
    """Read a file as the program does."""
    if kind == "forcing":
        read_forcing(file)
    elif kind == "state":
        read_state(file, "bucket")
    else:
        spec = FieldConfig.model_validate({"file": str(file), "variable": "porosity"}, context={"base": file.parent})
        spec.read("porosity", (3, 4), "1")


def main(kind: str, folder: Path, first: int, count: int) -> None:
    """Read the files."""
    warnings.simplefilter("ignore")
    good = (folder / "good.nc").read_bytes()
    for number in range(first, first + count):
        print(number, flush=True)
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        file = folder / f"{number}.nc"
        file.write_bytes(damage(good, number))
        try:
            judge(lambda file=file: read(kind, file), folder, seconds=10.0)
        except AssertionError as finding:
            print(f"finding {number}: {finding}", flush=True)
        faulthandler.cancel_dump_traceback_later()
        file.unlink()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
