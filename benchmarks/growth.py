"""How time and memory of land and Richards grow with the domain: N x N copies of the Pearl River's, side by side.

    python benchmarks/growth.py FOLDER [--copies 1 --copies 2 --copies 4] [--hours 4] [--json FILE]

Each size is measured in a process of its own, one thread, by processor time, so that the figures hold on a busy machine
as well: µs a column and hour of both components, seconds of start-up and of a checkpoint, and kB a column of memory
when all is ready (beside that of Python and its packages) and at its peak.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import click
import numpy as np
import xarray as xr
import yaml
from rich.console import Console
from rich.table import Table
from richards_step import ALL, pearl_river

from bmi_colm import BmiColm
from bmi_common.groundwater import NET_SOURCE, PRESSURE_HEAD, SATURATION
from bmi_richards import BmiRichards

LAYERED = {
    "porosity": "porosity",
    "alpha": "alpha",
    "n": "n",
    "residual_saturation": "residual_saturation",
    "maximum_saturation": "maximum_saturation",
    "conductivity": "conductivity_x",
    "vertical_conductivity": "conductivity_z",
}
FLAT = ("slope_x", "slope_y", "manning")
STARTS = {"dry": datetime(2020, 6, 1), "storm": datetime(2020, 3, 9, 13)}
RECORDS = {
    "dry": ("conus2_1583h.txt", "2020-05-31T11:00"),
    "storm": ("humid_8760h.txt", "2019-10-01T00:00"),
}
"""Weather of the land, and when it begins."""
Timed = Callable[[str, Callable[[], object]], object]


def do(part: str, call: Callable[[], object]) -> object:
    """Make a call, and time nothing."""
    return call()


def write_case(folder: Path, data: Path, east: int, north: int, storm: bool = False, part: slice = ALL) -> int:
    """Write domain and configurations of a case.

    Parameters
    ----------
    folder : Path
        Where `domain.nc`, `land.yaml` and `groundwater.yaml` are written.
    data : Path
        Reference data.
    east, north : int
        Copies of the domain side by side.
    storm : bool
        Whether the weather is a storm's, otherwise a dry day's.
    part : slice
        Of the domain, from west to east.

    Returns
    -------
    int
        Number of columns.
    """
    case = pearl_river(data, 1, part)
    d = case.domain

    def tiled(field: np.ndarray) -> np.ndarray:
        return np.tile(field, (*(1,) * (field.ndim - 2), north, east))

    layered = {name: (("z", "y", "x"), tiled(getattr(d, of))) for name, of in LAYERED.items()}
    flat = {name: (("y", "x"), tiled(getattr(d, name))) for name in FLAT}
    head = {"head": (("z", "y", "x"), tiled(case.head))}
    xr.Dataset(layered | flat | head).to_netcdf(folder / "domain.nc")

    def of(name: str) -> dict[str, str]:
        return {"file": "domain.nc", "variable": name}

    ny, nx = (n * copies for n, copies in zip(d.mask.shape, (north, east), strict=True))
    domain = {
        "grid": {"nx": nx, "ny": ny, "dx": d.dx, "dy": d.dy},
        "layers": [float(v) for v in d.dz],
        "latitude": 24.5,
        "longitude": 113.25,
        "porosity": of("porosity"),
        "van_genuchten": {name: of(name) for name in ("alpha", "n", "residual_saturation", "maximum_saturation")},
        "conductivity": {"x": of("conductivity"), "z": of("vertical_conductivity")},
        "specific_storage": 1.0e-4,
        "slope": {"x": of("slope_x"), "y": of("slope_y")},
        "manning": of("manning"),
    }
    groundwater = {"domain": domain, "initial": {"pressure_head": of("head")}, "richards": {"threads": 1}}
    weather = "storm" if storm else "dry"
    record, first = RECORDS[weather]
    forcing = {"type": "column", "file": str(data.resolve() / "forcing_columns" / record), "start": first}
    land = {
        "start": STARTS[weather].isoformat(),
        "domain": domain,
        "land_cover": 2,
        "soil_texture": "loam",
        "threads": 1,
        "forcing": forcing,
    }
    for name, content in (("groundwater", groundwater), ("land", land)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return int(ny * nx)


def give_back() -> None:
    """Give freed memory back to the system: whoever found it again would seem to need none."""
    ctypes.CDLL(None).malloc_trim(0)


def resident() -> float:
    """Memory of this process [kB]."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024.0


def start(folder: Path) -> tuple[BmiColm, BmiRichards]:
    """Initialize both components of a case."""
    land, groundwater = BmiColm(), BmiRichards()
    land.initialize(str(folder / "land.yaml"))
    groundwater.initialize(str(folder / "groundwater.yaml"))
    return land, groundwater


def run_hours(land: BmiColm, groundwater: BmiRichards, columns: int, hours: int, timed: Timed = do) -> None:
    """Couple both for some hours; `timed` is told what each call is part of."""
    for _ in range(hours):
        for name in (PRESSURE_HEAD, SATURATION):
            # the root zone, the uppermost layers
            land.set_value(name, groundwater.get_value_ptr(name)[-10 * columns :])
        timed("land", land.update)
        groundwater.set_value(NET_SOURCE, land.get_value_ptr(NET_SOURCE))
        timed("groundwater", groundwater.update)


def measure(folder: Path, columns: int, hours: int) -> dict[str, float]:
    seconds = dict.fromkeys(("start", "land", "groundwater", "checkpoint"), 0.0)

    def timed(part: str, call: Callable[[], object]) -> object:
        begin = time.process_time()
        result = call()
        seconds[part] += time.process_time() - begin
        return result

    give_back()
    before = resident()
    land, groundwater = timed("start", lambda: start(folder))  # type: ignore[misc]
    ready = resident()
    run_hours(land, groundwater, columns, hours, timed)
    for name, component in (("land", land), ("groundwater", groundwater)):
        timed("checkpoint", lambda n=name, c=component: c.save_state(folder / f"{n}.nc"))  # type: ignore[misc]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "columns": float(columns),
        "land [µs]": 1e6 * seconds["land"] / hours / columns,
        "Richards [µs]": 1e6 * seconds["groundwater"] / hours / columns,
        "start-up [s]": seconds["start"],
        "checkpoint [s]": seconds["checkpoint"],
        "ready [kB a column]": (ready - before) / columns,
        "peak [kB a column]": (peak - before) / columns,
    }


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.option("--copies", multiple=True, type=int, default=(1, 2, 4), show_default=True)
@click.option("--hours", default=4, show_default=True)
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the table here, too.")
@click.option("--alone", is_flag=True, hidden=True, help="Measure the one size in this process, and print JSON.")
def main(data: Path, copies: tuple[int, ...], hours: int, file: Path | None, alone: bool) -> None:
    if alone:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(Path(folder), write_case(Path(folder), data, copies[0], copies[0]), hours)))
        return
    rows = []
    for n in copies:
        command = [sys.executable, __file__, str(data), "--copies", str(n), "--hours", str(hours), "--alone"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    table = Table(title=f"one thread, {hours} h, processor time")
    for name in rows[0]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*(f"{value:.3g}" if value < 1e5 else f"{value:.0f}" for value in row.values()))
    Console().print(table)
    if file is not None:
        file.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
