"""Coupled runs of the real components, stopped and restarted."""

from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from conformance import components

from bmi_common import groundwater as names
from rootzone.bmi_run import main

EVAPORATION = "land_surface_water_evapotranspiration__mass_flux"
START, STOP, END = "2020-06-01T04:00", "2020-06-01T23:00", "2020-06-02T15:00"


def write(folder: Path, groundwater: Callable[[Path], list[Path]], class_path: str, nx: int, ny: int) -> Path:
    """One basin for the land and a groundwater component, both from the conformance tests."""
    land, below = components.colm(folder)[0], groundwater(folder)[0]
    components.domain_files(folder, nx, ny)
    wells = "wells" in yaml.safe_load(below.read_text())
    irrigation = (names.CANOPY_IRRIGATION, names.GROUND_IRRIGATION) if wells else ()
    head, saturation = names.PRESSURE_HEAD, names.SATURATION
    run = {
        "time": {"start": START, "end": END, "step": "1h"},
        "components": {
            "land": {"class": "bmi_colm:BmiColm", "config": land.name},
            "groundwater": {"class": class_path, "config": below.name},
        },
        "order": ["land", "groundwater"],
        "exchanges": [
            {"from": f"groundwater.{head}", "to": f"land.{head}"},
            {"from": f"groundwater.{saturation}", "to": f"land.{saturation}"},
            {"from": f"land.{names.NET_SOURCE}", "to": f"groundwater.{names.NET_SOURCE}"},
            *({"from": f"groundwater.{name}", "to": f"land.{name}"} for name in irrigation),
        ],
        "output": [
            {
                "file": "means.nc",
                "every": "5h",
                "precision": "double",
                "variables": [f"groundwater.{head}", f"land.{EVAPORATION}", f"groundwater.{names.RUNOFF}"],
            }
        ],
        "checkpoint": {"every": "8h"},
    }
    file = folder / "coupled.yaml"
    file.write_text(yaml.safe_dump(run, sort_keys=False))
    return file


def bmi_run(*arguments: object) -> None:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output


def values(folder: Path) -> dict[str, bytes]:
    found = {}
    for path in sorted(folder.glob("*.nc")):
        with netCDF4.Dataset(path) as data:
            data.set_auto_maskandscale(False)
            found |= {f"{path.name} {n}": np.array(v[...]).tobytes() for n, v in data.variables.items()}
    return found


@pytest.mark.parametrize(
    ("class_path", "build", "nx", "ny"),
    [
        ("bmi_richards:BmiRichards", components.richards, 4, 3),
        ("bmi_surrogate:BmiSurrogate", components.surrogate, 11, 9),
        ("bmi_surrogate:BmiSurrogate", components.structured, 4, 3),
    ],
)
def test_a_restarted_run_is_the_run_without_a_stop(
    tmp_path: Path, class_path: str, build: Callable[[Path], list[Path]], nx: int, ny: int
) -> None:
    file = write(tmp_path, build, class_path, nx, ny)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    bmi_run(file, "--output", whole)
    bmi_run(file, "--output", stopped, "--set", f"time.end={STOP}")
    assert values(whole) != values(stopped)
    bmi_run("--restart", stopped, "--set", f"time.end={END}")
    assert values(whole) == values(stopped)
    assert {p.name for p in (stopped / "checkpoints").iterdir()} == {"2020-06-02T12-00-00", "2020-06-02T15-00-00"}


def test_a_run_goes_on_warm_from_the_states_of_a_checkpoint(tmp_path: Path) -> None:
    file = write(tmp_path, components.richards, "bmi_richards:BmiRichards", 4, 3)
    run = yaml.safe_load(file.read_text())
    whole, first, second = (tmp_path / name for name in ("whole", "first", "second"))
    run["output"][0]["every"] = "1h"
    file.write_text(yaml.safe_dump(run))
    bmi_run(file, "--output", whole)
    bmi_run(file, "--output", first, "--set", f"time.end={STOP}")
    states = first / "checkpoints" / "2020-06-01T23-00-00"
    for name, component in run["components"].items():
        content = yaml.safe_load((tmp_path / component["config"]).read_text())
        content["initial"] = {"state": str(states / f"{name}.nc")}
        (tmp_path / component["config"]).write_text(yaml.safe_dump(content))
    bmi_run(file, "--output", second, "--set", f"time.start={STOP}")
    with netCDF4.Dataset(whole / "means.nc") as long, netCDF4.Dataset(second / "means.nc") as short:
        for name in ("soil_water__pressure_head", EVAPORATION):
            np.testing.assert_array_equal(long[name][19:], short[name][:])
