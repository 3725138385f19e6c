"""Run definitions of ParFlow that are imported, and the configuration of `BmiParflow`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hostile.judge import judge, tries
from hostile.mutations import damaged_bytes, odd_scalars, spoiled_trees
from hostile.test_yaml import command
from hypothesis import given
from hypothesis import strategies as st
from parflow_runs import CLM, KEYS, ParflowRun

from bmi_parflow.config import prepare

ODD_KEYS = (
    "", ".", "..", "Geom", "Geom.", ".Geom", "Geom..X", "Solver", "Solver.CLM", "ComputationalGrid", "Wells.Names.x", "a b",
    "Geom.domain.Upper.X.Y", "_0", "Cell._0.dzScale.Value", "Geom.\u00e4.Perm.Value", "Patch.z_upper.BCPressure.alltime.Value.x",
)  # fmt: skip


@pytest.fixture
def parflow(tmp_path: Path) -> Callable[[], ParflowRun]:
    """Give a run with ParFlow-CLM in a folder that is empty but for its files."""

    def make() -> ParflowRun:
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        shutil.rmtree(tmp_path / "imported", ignore_errors=True)
        (tmp_path / "run").mkdir()
        run = ParflowRun(tmp_path / "run", dict(KEYS)).with_clm()
        run.keys |= {
            "Geom.domain.Porosity.Type": "PFBFile",
            "Geom.domain.Porosity.FileName": run.pfb("porosity.pfb", 0.4),
            "GeomInput.Names": "box_input classes",
            "GeomInput.classes.InputType": "IndicatorField",
            "GeomInput.classes.GeomNames": "sand clay",
            "GeomInput.sand.Value": 1,
            "GeomInput.clay.Value": 2,
            "Geom.classes.FileName": run.pfb("classes.pfb", 1.0),
            "Geom.Perm.Names": "domain sand",
            "Geom.sand.Perm.Type": "Constant",
            "Geom.sand.Perm.Value": 0.5,
            "Solver.Nonlinear.VariableDz": True,
            "dzScale.GeomNames": "domain",
            "dzScale.Type": "nzList",
            "dzScale.nzListNumber": 11,
            **{f"Cell.{k}.dzScale.Value": 1.0 for k in range(11)},
        }
        return run

    return make


def imported(run: ParflowRun, file: Path) -> None:
    command("--from-parflow", str(file), "--output", str(run.output))


def judged(run: ParflowRun, file: Path) -> str:
    """Judge an import; what is refused leaves nothing behind."""
    top = run.folder.parent
    before = {p: p.stat().st_mtime_ns for p in run.folder.rglob("*")}
    message = judge(lambda: imported(run, file), top)
    assert {p: p.stat().st_mtime_ns for p in run.folder.rglob("*")} == before
    if message:
        assert sorted(p.name for p in top.iterdir()) == ["run"]
    return message


@pytest.mark.parametrize("kind", ["pfidb", "yaml"])
def test_the_good_definition_is_imported(parflow: Callable[[], ParflowRun], kind: str) -> None:
    run = parflow()
    assert judged(run, run.write(kind)) == ""


def write_pfidb(file: Path, keys: dict[Any, Any]) -> Path:
    """Write the format as it is, whatever keys and values are."""
    words = [str(len(keys))]
    for key, value in keys.items():
        for word in (str(key), str(value)):
            words += [str(len(word)), word]
    file.write_text("\n".join(words) + "\n", encoding="utf-8", errors="surrogatepass")
    return file


@given(data=st.data())
@tries(40)
def test_values_of_definitions(parflow: Callable[[], ParflowRun], data: st.DataObject) -> None:
    run = parflow()
    for _ in range(data.draw(st.integers(1, 2))):
        key = data.draw(st.sampled_from(list(run.keys)))
        how = data.draw(st.sampled_from(("value", "value", "value", "remove", "key", "exchange")))
        if how == "remove":
            del run.keys[key]
        elif how == "key":
            run.keys[data.draw(st.sampled_from(ODD_KEYS))] = data.draw(odd_scalars)
        elif how == "exchange":
            run.keys[key] = run.keys[data.draw(st.sampled_from(list(run.keys)))]
        else:
            run.keys[key] = data.draw(odd_scalars)
    judged(run, write_pfidb(run.folder / "case.pfidb", run.keys))


@given(data=st.data())
@tries(20)
def test_bytes_of_definitions(parflow: Callable[[], ParflowRun], data: st.DataObject) -> None:
    run = parflow()
    file = run.write("pfidb")
    file.write_bytes(data.draw(st.one_of(damaged_bytes(file.read_bytes(), head=4000), st.binary(max_size=30))))
    judged(run, file)


@given(data=st.data())
@tries(20)
def test_definitions_in_yaml_and_other_files(parflow: Callable[[], ParflowRun], data: st.DataObject) -> None:
    run = parflow()
    tree = data.draw(spoiled_trees(yaml.safe_load(run.write("yaml").read_text())))
    name = data.draw(st.sampled_from(("case.yaml", "case.yml", "case.json", "case.py", "case", "case.pfidb")))
    text = json.dumps(tree, default=str, skipkeys=True) if name.endswith("json") else yaml.safe_dump(tree)
    (run.folder / name).write_text(text, encoding="utf-8")
    judged(run, run.folder / name)


@given(data=st.data())
@tries(30)
def test_files_that_definitions_name(parflow: Callable[[], ParflowRun], data: st.DataObject) -> None:
    run = parflow()
    file = run.write("pfidb")
    names = ("drv_clmin.dat", "drv_vegm.dat", "weather.txt", "porosity.pfb", "classes.pfb")
    spoiled = run.folder / data.draw(st.sampled_from(names))
    if spoiled.suffix != ".pfb" and data.draw(st.booleans()):
        words = spoiled.read_text().split(" ")
        words[data.draw(st.integers(0, len(words) - 1))] = str(data.draw(odd_scalars))
        spoiled.write_text(" ".join(words), encoding="utf-8", errors="surrogatepass")
    else:
        head = 110 if spoiled.suffix == ".pfb" else 2000
        spoiled.write_bytes(data.draw(damaged_bytes(spoiled.read_bytes(), head=head)))
    judged(run, file)


# ---------------------------------------------------------------------- BmiParflow

COMPONENT: dict[str, Any] = {
    "domain": {
        "grid": {"nx": 4, "ny": 3, "dx": 1000.0, "dy": 800.0},
        "layers": [10.0, *[0.5] * 10],
        "root_zone": {"layers": 10},
        "porosity": 0.4,
        "van_genuchten": {"alpha": 1.0, "n": 2.0, "residual_saturation": 0.1},
        "conductivity": {"x": 0.02, "y": 0.02, "z": 0.01},
        "slope": {"x": 0.01, "y": 0.02},
        "manning": 0.05,
    },
    "initial": {"water_table_depth": 1.5},
    "parflow": {
        "mode": "full",
        "processes": [2, 1],
        "working_directory": "work",
        "keep": True,
        "mpi_command": "srun -n {processes}",
        "timeout": 60.0,
        "parflow_dir": ".",
        "solver": {
            "Solver.Linear.Preconditioner": "MGSemi",
            "Solver.MaxIter": 100,
            "Solver.Nonlinear.UseJacobian": False,
        },
    },
}


def configured(folder: Path, tree: Any) -> str:
    """Judge the reading of a configuration, which starts nothing and writes nothing."""
    file = folder / "groundwater.yaml"
    file.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    message = judge(lambda: prepare(file), folder)
    assert sorted(p.name for p in folder.iterdir()) == ["groundwater.yaml"]
    return message


def test_the_good_configuration_is_accepted(tmp_path: Path) -> None:
    assert configured(tmp_path, COMPONENT) == ""


@given(tree=spoiled_trees(COMPONENT))
@tries(25)
def test_configurations_of_parflow(tmp_path: Path, tree: Any) -> None:
    configured(tmp_path, tree)


@given(data=st.data())
@tries(25)
def test_keys_that_replace_those_of_the_component(tmp_path: Path, data: st.DataObject) -> None:
    keys = st.one_of(st.sampled_from([*KEYS, *CLM, *ODD_KEYS]), st.text(max_size=6))
    solver = data.draw(st.dictionaries(keys, odd_scalars, min_size=1, max_size=2))
    configured(tmp_path, {**COMPONENT, "parflow": {"solver": solver}})
