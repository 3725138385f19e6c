"""Inputs that once ended in a trace, a hang or a message that does not help: each is refused in one clear message."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import yaml
from hostile import test_definitions as definitions
from hostile import test_evaluated_runs as evaluated
from hostile import test_sections as sections
from hostile import test_training_files as trainings
from hostile import test_weather as weather
from hostile.judge import judge
from parflow_runs import ParflowRun
from training_stores import write_parflow

from bmi_common.domain import GridConfig
from bmi_common.errors import RootzoneError

basin, folder, good, copied = trainings.basin, sections.folder, evaluated.good, evaluated.copied
parflow = definitions.parflow


def changed(tree: Any, at: str, value: Any) -> Any:
    """Replace one value of a tree, in place."""
    *above, last = (int(key) if key.isdigit() else key for key in at.split("/"))
    inner = tree
    for key in above:
        inner = inner[key]
    inner[last] = value
    return tree


# ---------------------------------------------------------------------- weather


def test_a_grid_without_a_cell(tmp_path: Path) -> None:
    section = weather.write("era5_land", tmp_path)
    with netCDF4.Dataset(tmp_path / "era5.nc") as source, netCDF4.Dataset(tmp_path / "empty.nc", "w") as target:
        for name, dimension in source.dimensions.items():
            target.createDimension(name, 0 if name == "latitude" else len(dimension))
        for name, variable in source.variables.items():
            made = target.createVariable(name, variable.dtype, variable.dimensions)
            made.units = variable.units
            if made.size:
                made[:] = variable[:]
    # a dimension of length 0 is one without limit, and grows with what is written
    message = judge(lambda: weather.read({**section, "file": "empty.nc"}, tmp_path), tmp_path)
    assert "empty.nc" in message
    assert "'latitude' has length 0" in message


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"file": "x.nc"}, "forcing.type: this key is missing"),
        ({"type": "erra5", "file": "x.nc"}, "forcing.type: expected one of 'external', 'column'"),
        (
            {"type": "column", "file": 3, "start": "2020-01-01"},
            "forcing.file: expected the name of a file or folder, got 3",
        ),
    ],
)
def test_sections_in_words_of_the_user(tmp_path: Path, section: Any, words: str) -> None:
    assert words in judge(lambda: weather.read(section, tmp_path), tmp_path)


# ---------------------------------------------------------------------- trainings


@pytest.mark.parametrize(
    ("architecture", "at", "value", "words"),
    [
        ("structured", "threads", 2**31, "threads: input should be less than or equal to 1024"),
        ("structured", "stages/0/hours", 10**30, "stages.0: hours:"),
        ("structured", "sampling/batch", 10**9, "sampling.batch: input should be less than"),
        ("structured", "surrogate/hidden/0", 2**31, "surrogate.hidden.0: input should be less than"),
        ("structured", "domain/grid/nx", 10**9, "domain.grid: nx: 1000000000 times ny: 5 are more than 1e+08 columns"),
        ("structured", "domain/grid/dx", float("inf"), "domain.grid.dx: input should be a finite number"),
        ("structured", "domain/layers/0", float("inf"), "domain.layers.0: input should be a finite number"),
        ("structured", "data/store", "a\0b", "data.store: "),
        ("predrnn", "surrogate/cells", 10**9, "surrogate.cells: input should be less than"),
        ("predrnn", "surrogate/static_features", 10**6, "surrogate.static_features: input should be less than"),
        ("predrnn", "surrogate/kernel", 2**31, "surrogate.kernel: input should be less than"),
    ],
)
def test_trainings_that_no_machine_can_hold(basin: Path, architecture: str, at: str, value: Any, words: str) -> None:
    file = trainings.good(basin, architecture, "store")
    file.write_text(yaml.safe_dump(changed(yaml.safe_load(file.read_text()), at, value)))
    assert words in judge(lambda: trainings.check(file), basin)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00\x04\x00{'a'"], ids=["empty", "half a header"])
def test_arrays_of_stores_that_are_damaged(basin: Path, content: bytes) -> None:
    array = basin / "store" / "head.npy"
    before = array.read_bytes()
    array.write_bytes(content)
    try:
        message = judge(lambda: trainings.check(trainings.good(basin, "structured", "store")), basin)
    finally:
        array.write_bytes(before)
    assert "head.npy: cannot be read; remove the folder" in message


@pytest.mark.parametrize(("key", "value"), [("layer_thickness", [1.0]), ("layers", float("inf"))])
def test_descriptions_of_stores_that_are_damaged(basin: Path, key: str, value: Any) -> None:
    description = basin / "store" / "store.yaml"
    before = description.read_text()
    description.write_text(yaml.safe_dump({**yaml.safe_load(before), key: value}))
    try:
        message = judge(lambda: trainings.check(trainings.good(basin, "structured", "store")), basin)
    finally:
        description.write_text(before)
    assert "store.yaml: is damaged" in message


def test_large_grids_that_a_machine_can_hold_are_none_of_these() -> None:
    assert GridConfig(nx=10_000, ny=10_000, dx=100.0, dy=100.0).nx == 10_000


# ---------------------------------------------------------------------- error control and report


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        ("audit/action", "panic", "audit.action: input should be 'warn', 'stop', 'resync' or 'switch', got 'panic'"),
        ("audit", 3, "error_control.audit: expected keys and values, got 3"),
        ("audit/action", "a" * 5000, "…"),
    ],
)
def test_sections_name_what_would_be_right(folder: Path, at: str, value: Any, words: str) -> None:
    section = json.loads(json.dumps(sections.SECTIONS["audit"]))
    message = sections.check(folder, "error_control", changed(section, at, value))
    assert words in message
    assert len(message) < 1000


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("reference", "/", "report.reference: "),
        ("free_drainage", "..", "report.free_drainage: "),
        ("precipitation", "/", "report.precipitation: "),
        ("reanalysis", "reference", "report.reanalysis: "),
        ("name", "persistence", "report.name: 'persistence' is the name of the reference or of a baseline"),
        ("name", "free_drainage", "report.name: 'free_drainage' is the name of the reference or of a baseline"),
        ("name", "a" * 300, "report.name: "),
        ("name", " ", "report.name: "),
    ],
)
def test_reports_that_could_not_be_made_are_found_before_the_run(
    folder: Path, key: str, value: str, words: str
) -> None:
    assert words in sections.check(folder, "report", {**sections.REPORT, key: value})


# ---------------------------------------------------------------------- definitions


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("Phase.Names", "", "names no phase"),
        ("ComputationalGrid.NX", "1000000000", "are more than 1e+09 cells"),
        ("ComputationalGrid.NY", "inf", "expected a whole number"),
        ("Geom.domain.Upper.X", "nan", "expected a finite number"),
        ("TimingInfo.StopTime", "1e30", "1e+30 h are longer than any calendar"),
        (
            "Mannings.Geom.domain.Value",
            "1e5",
            "Manning's roughness must lie between 2.777777778e-08 and 1 h m-1/3, got 100000",
        ),
    ],
)
def test_definitions(parflow: Callable[[], ParflowRun], key: str, value: str, words: str) -> None:
    run = parflow()
    message = definitions.judged(run, definitions.write_pfidb(run.folder / "case.pfidb", {**run.keys, key: value}))
    assert words in message
    assert "case.pfidb" in message


@pytest.mark.parametrize("value", [10**9, 0.5, -1])
def test_numbers_where_parflow_takes_names(tmp_path: Path, value: float) -> None:
    parflow = {"solver": {"Solver.Linear.Preconditioner": value}}
    message = definitions.configured(tmp_path, {**definitions.COMPONENT, "parflow": parflow})
    assert f"Solver.Linear.Preconditioner: expected one or several names, got {value!r}" in message


def test_numbers_where_parflow_takes_numbers(tmp_path: Path) -> None:
    parflow = {"solver": {"Solver.MaxIter": 10**9, "Solver.Nonlinear.ResidualTol": 1e-6}}
    assert definitions.configured(tmp_path, {**definitions.COMPONENT, "parflow": parflow}) == ""


# ---------------------------------------------------------------------- evaluated runs


@pytest.mark.parametrize(
    ("file", "variable", "attribute", "value", "words"),
    [
        ("run/head.nc", "v", "units", None, "head.nc: soil_water__pressure_head is in ''"),
        ("run/head.nc", "time", "calendar", "360_day", "head.nc: 'time': calendar '360_day' has other days"),
        (
            "run/head.nc",
            "time",
            "units",
            "months since 2020-01-01",
            "head.nc: 'time': cannot read the units 'months since 2020-01-01'",
        ),
        ("run/head.nc", "time", "units", 7, "head.nc: 'time': cannot read the units '7'"),
        ("rain.nc", "pr", "csdms_name", [1.0, 2.0], ""),
        ("rain.nc", "time", "calendar", "noleap", "rain.nc: 'time': calendar 'noleap' has other days"),
        ("rain.nc", "time", "bounds", "pr", "rain.nc: 'pr', the bounds of 'time', does not have two entries"),
        ("reanalysis.nc", "swvl1", "units", 3.0, "reanalysis.nc: swvl1 is in '3.0'"),
        ("run/error_control.nc", "time", "units", "hours", "error_control.nc: 'time': cannot read the units 'hours'"),
    ],
)
def test_attributes_of_evaluated_files(
    copied: Callable[[], Path], file: str, variable: str, attribute: str, value: Any, words: str
) -> None:
    there = copied()
    with netCDF4.Dataset(there / file, "a") as data:
        if value is None:
            data[variable].delncattr(attribute)
        else:
            data[variable].setncattr(attribute, value)
    message = evaluated.judged(there)
    assert words in message
    assert bool(message) == bool(words)


@pytest.mark.parametrize("found", [{"by": "audit"}, 3, {"limits": {"water_table": "much"}}, {"time": "noon"}])
def test_decisions_that_are_damaged(copied: Callable[[], Path], found: Any) -> None:
    there = copied()
    file = there / "run" / "error_control.json"
    decision = json.loads(file.read_text())["decisions"][0]
    if isinstance(found, dict):
        found = found if "by" in found else {**decision, **found}
    file.write_text(json.dumps({"decisions": [found]}))
    assert "error_control.json: what error control has left there cannot be read" in evaluated.judged(there)


def test_dumps_of_parflow_with_numbers_beyond_all_hours(copied: Callable[[], Path]) -> None:
    there = copied()
    run = write_parflow(there / "parflow", np.full((2, 11, 2, 3), -1.0), np.zeros((1, 10, 2, 3)))
    (run / "basin.out.press.00001.pfb").rename(run / f"basin.out.press.{'9' * 30}.pfb")
    message = evaluated.judged(there, run, there / "run", "--domain", there / "domain.yaml")
    assert "has no pressure after the initial one" in message


def test_a_threshold_of_many_characters(good: Path) -> None:
    with pytest.raises(RootzoneError, match="write it as VARIABLE=NUMBER UNITS") as caught:
        evaluated.evaluate(good / "reference", good / "run", "--threshold", f"water_table={'a' * 5000}")
    assert len(str(caught.value)) < 1000
