"""Mistakes, and physics that this package does not have: one message, and nothing is left behind."""

import sys
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from parflow_runs import CLMIN, NX, NY, NZ, SHAPE, ParflowRun, vegetation_map

from rootzone.bmi_run import main


def refused(parflow: ParflowRun, *arguments: str) -> str:
    """Import, expect a refusal without a trace, and return the message on one line."""
    before = sorted(p.name for p in parflow.folder.parent.iterdir())
    result = parflow(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert sorted(p.name for p in parflow.folder.parent.iterdir()) == before
    return " ".join(result.output.split())


PHYSICS: dict[str, dict[str, Any]] = {
    "Wells.deep.InputType": {"Wells.Names": "deep", "Wells.deep.InputType": "Recirc"},
    "Wells.both.InputType": {"Wells.Names": "both", "Wells.both.InputType": "Recirc"},
    "Contaminants.Names": {"Contaminants.Names": "tce"},
    "Reservoirs.Names": {"Reservoirs.Names": "lake", "Reservoirs.lake.Release_X": 100.0},
    "Phase.Names": {"Phase.Names": "water air"},
    "PhaseSources.water.Type": {"PhaseSources.water.Type": "PredefinedFunction"},
    "OverlandFlowSpinUp": {"OverlandFlowSpinUp": 1},
    "OverlandFlowDiffusive": {"OverlandFlowDiffusive": 1},
    "Patch.x_lower.BCPressure.Type": {"Patch.x_lower.BCPressure.Type": "PressureFile"},
    "Patch.z_upper.BCPressure.Type": {"Patch.z_upper.BCPressure.Type": "OverlandDiffusive"},
    "InternalBC.Names": {"InternalBC.Names": "spring", "InternalBC.spring.X": 100.0},
    "NetCDF.EvapTransFileTransient": {"NetCDF.EvapTransFileTransient": True},
}

LAND_PHYSICS: dict[str, dict[str, Any]] = {
    "Solver.CLM.IrrigationType": {"Solver.CLM.IrrigationType": "Drip", "Solver.CLM.IrrigationRate": 1.0},
    "Solver.CLM.UseSlopeAspect": {"Solver.CLM.UseSlopeAspect": True},
    "Solver.CLM.RZWaterStress": {"Solver.CLM.RZWaterStress": 2},
}


@pytest.mark.parametrize("key", PHYSICS)
def test_physics_that_is_missing_here_is_refused_until_it_is_ignored(parflow: ParflowRun, key: str) -> None:
    parflow.keys |= PHYSICS[key]
    message = refused(parflow)
    assert f"case.pfidb: {key}: " in message
    assert f"--ignore {key}" in message
    assert message.count("--ignore") == 1, "one key is enough"
    assert f"left out: {key}: " in parflow.imported("--ignore", key).output


@pytest.mark.parametrize("key", LAND_PHYSICS)
def test_physics_of_the_land_that_is_missing_is_refused_until_it_is_ignored(parflow: ParflowRun, key: str) -> None:
    parflow.with_clm().keys |= LAND_PHYSICS[key]
    assert f"case.pfidb: {key}: " in refused(parflow)
    assert f"left out: {key}: " in parflow.imported("--ignore", key).output


def test_all_refused_keys_are_named_at_once(parflow: ParflowRun) -> None:
    parflow.keys |= {**PHYSICS["Contaminants.Names"], **PHYSICS["OverlandFlowSpinUp"]}
    message = refused(parflow)
    assert "--ignore Contaminants.Names --ignore OverlandFlowSpinUp" in message
    message = refused(parflow, "--ignore", "Contaminants.Names")
    assert "OverlandFlowSpinUp" in message
    assert "--ignore Contaminants.Names" not in message


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("Mannings.Type", "the key is understood or has no effect and cannot be left out"),
        ("Contaminant.Names", "is not in the definition and cannot be left out; did you mean 'Contaminants.Names'?"),
    ],
)
def test_only_refused_keys_can_be_ignored(parflow: ParflowRun, key: str, message: str) -> None:
    parflow.keys |= PHYSICS["Contaminants.Names"]
    assert message in refused(parflow, "--ignore", "Contaminants.Names", "--ignore", key)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Geom.Perm.Names": "domain s1"}, r"Geom.s1.Perm.Type: this key is missing"),
        (
            {"Geom.Perm.Names": "domian", "Geom.domian.Perm.Type": "Constant", "Geom.domian.Perm.Value": 1.0},
            "Geom.Perm.Names: unknown geometry 'domian'; did you mean 'domain'?",
        ),
        (
            {"Geom.domain.Perm.Type": "TurnBands"},
            "Geom.domain.Perm.Type: 'TurnBands' is not supported",
        ),
        ({"Geom.domain.Porosity.Value": "much"}, "Geom.domain.Porosity.Value: expected a number, got 'much'"),
        ({"Solver": "Impes"}, "Solver: 'Impes' is not supported; supported: Richards"),
        ({"Solver.TerrainFollowingGrid": "perhaps"}, "Solver.TerrainFollowingGrid: expected True or False"),
        ({"Gravity": 9.81}, "Gravity: is 9.81; it must be 1"),
        ({"ComputationalGrid.NZ": 0}, "ComputationalGrid.NZ: must be at least 1, got 0"),
        ({"ComputationalGrid.NX": "four"}, "ComputationalGrid.NX: expected a whole number, got 'four'"),
        ({"ComputationalGrid.DX": "inf"}, "ComputationalGrid.DX: expected a finite number, got 'inf'"),
        ({"Domain.GeomName": "basin"}, "Domain.GeomName: 'basin' is no Box or SolidFile of GeomInput"),
        (
            {"GeomInput.box_input.InputType": "Sphere", "GeomInput.box_input.GeomNames": "domain"},
            "InputType: Sphere is not supported; supported are Box, SolidFile, IndicatorField and IndicatorFieldNC",
        ),
        ({"Geom.domain.Upper.Z": 0.1}, "Domain.GeomName: 'domain' holds no cell of the computational grid"),
        (
            {"Geom.domain.Patches": "left right"},
            "Geom.domain.Patches: 'domain' has 6 patches, here are 2 names: left right",
        ),
        ({"BCPressure.PatchNames": "x_lower"}, "BCPressure.PatchNames: patch 'x_upper' of 'domain' is missing"),
        ({"Phase.Saturation.Type": "Haverkamp"}, "Phase.Saturation.Type: 'Haverkamp' is not supported"),
        ({"ICPressure.Type": "PFBFile", "Geom.domain.ICPressure.FileName": "no.pfb"}, "no such file: "),
        (
            {"Geom.domain.ICPressure.RefPatch": "x_lower"},
            "must be the whole bottom or top, 'z_lower' or 'z_upper', got 'x_lower'",
        ),
        ({"TimingInfo.StopTime": 0.0}, "TimingInfo.StopTime: must be after StartTime"),
        ({"TimeStep.Value": 0.0}, "TimeStep.Value: must be above 0"),
        ({"TimeStep.Type": "Growth", "TimeStep.InitialStep": 0.1}, "TimeStep.GrowthFactor: this key is missing"),
        ({"Mannings.Geom.domain.Value": 3.0}, "Mannings.Geom.domain.Value: Manning's roughness must lie between"),
        ({"Solver.EvapTransFile": True}, "Solver.EvapTrans.FileName: this key is missing"),
        (
            {"Solver.EvapTransFileTransient": True, "Solver.EvapTrans.FileName": "deep"},
            "deep.00000.pfb; the run of 5 steps (TimingInfo) needs one for each",
        ),
        (
            {"Solver.Nonlinear.FlowBarrierZ": True, "Geom.domain.FBz.FileName": "flat.pfb"},
            "Geom.domain.FBz.FileName: ",
        ),
        ({"Patch.x_lower.BCPressure.Type": "DirEquilRefPatch"}, "Patch.x_lower.BCPressure.RefPatch: this key is"),
        ({"Cycle.constant.alltime.Length": 0, "Patch.z_upper.BCPressure.alltime.Value": 1.0}, "Length: must be above"),
        ({"TopoSlopesX.Type": "PFBFile", "TopoSlopesX.FileName": "deep.pfb"}, "shape (z, y, x) is (11, 3, 4), the"),
        ({"TopoSlopesX.Type": "PFBFile", "TopoSlopesX.FileName": "cut.pfb"}, "TopoSlopesX.FileName: "),
        (
            {"Solver.Nonlinear.VariableDz": True, "dzScale.Type": "nzList", "dzScale.GeomNames": "domain"},
            "dzScale.nzListNumber: this key is missing",
        ),
        (
            {
                "Solver.Nonlinear.VariableDz": True,
                "dzScale.Type": "PFBFile",
                "dzScale.GeomNames": "domain",
                "Geom.domain.dzScale.FileName": "uneven.pfb",
            },
            "dzScale.Type: multipliers differ within a layer",
        ),
    ],
)
def test_mistakes_are_named_with_file_and_key(parflow: ParflowRun, changes: dict[str, Any], message: str) -> None:
    parflow.pfb("deep.pfb", 0.1)
    parflow.pfb("flat.pfb", 0.1, (1, *SHAPE[1:]))
    parflow.pfb("uneven.pfb", np.arange(NX) + 1.0)
    (parflow.folder / "cut.pfb").write_bytes((parflow.folder / "deep.pfb").read_bytes()[:100])
    parflow.keys |= changes
    said = refused(parflow)
    assert message in said
    assert "case.pfidb" in said or "domain" in said


def test_cells_without_a_value_are_counted(parflow: ParflowRun) -> None:
    parflow.pfb("indicator.pfb", np.arange(NX) % 2 + 1.0)
    parflow.keys |= {
        "GeomInput.Names": "box_input indi_input",
        "GeomInput.indi_input.InputType": "IndicatorField",
        "GeomInput.indi_input.GeomNames": "s1",
        "Geom.indi_input.FileName": "indicator.pfb",
        "GeomInput.s1.Value": 1,
        "Geom.Porosity.GeomNames": "s1",
        "Geom.s1.Porosity.Type": "Constant",
        "Geom.s1.Porosity.Value": 0.3,
    }
    half = NZ * NY * NX // 2
    assert f"Geom.Porosity.GeomNames: {half} cells of the domain are in none of the named" in refused(parflow)


def test_an_indicator_file_holds_whole_numbers(parflow: ParflowRun) -> None:
    parflow.pfb("indicator.pfb", 1.5)
    parflow.keys |= {
        "GeomInput.Names": "box_input indi_input",
        "GeomInput.indi_input.InputType": "IndicatorField",
        "GeomInput.indi_input.GeomNames": "s1",
        "Geom.indi_input.FileName": "indicator.pfb",
        "GeomInput.s1.Value": 1,
        "Geom.Porosity.GeomNames": "domain s1",
        "Geom.s1.Porosity.Type": "Constant",
        "Geom.s1.Porosity.Value": 0.3,
    }
    assert "Geom.indi_input.FileName: " in refused(parflow)


def test_yaml_definitions_are_named_with_the_line(parflow: ParflowRun) -> None:
    parflow.keys["Gravity"] = 9.81
    result = parflow(kind="yaml")
    assert result.exit_code == 2
    line = next(i for i, t in enumerate((parflow.folder / "case.yaml").read_text().splitlines(), 1) if "Gravity" in t)
    assert f"case.yaml:{line}: Gravity: is 9.81" in result.output


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("case.pfidb", "hello", "case.pfidb:1: not a readable pfidb file"),
        ("case.pfidb", "3\n7\nGravity\n3\n1.0\n", "not a whole pfidb file: it announces 3 keys and has 1"),
        ("case.yaml", "a: [", "case.yaml:1: not valid YAML"),
        ("case.yaml", "[1, 2]", "not a run definition"),
        ("case.py", "run.write()", "a run definition ends in .pfidb or .yaml"),
    ],
)
def test_files_that_are_no_definition(parflow: ParflowRun, name: str, content: str, message: str) -> None:
    path = parflow.folder / name
    path.write_text(content)
    result = CliRunner().invoke(main, ["--from-parflow", str(path), "--output", str(parflow.output)])
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert not parflow.output.exists()


@pytest.mark.parametrize(
    ("clmin", "vegm", "keys", "message"),
    [
        (CLMIN.replace("syr", "xyz"), None, {}, "drv_clmin.dat: syr: this name is missing"),
        (CLMIN.replace("sda            01", "sda            32"), None, {}, "no date: 2001-7-32 6:0:0"),
        (CLMIN.replace("295.", "warm"), None, {}, "t_ini: expected a number, got 'warm'"),
        (CLMIN.replace("drv_vegm.dat", "drv_none.dat"), None, {}, "drv_clmin.dat: vegtf: no such file: "),
        (CLMIN, vegetation_map(nx=3), {}, "drv_vegm.dat: 3 cells of the grid are missing, the first is 4 1"),
        (CLMIN, vegetation_map(nx=5), {}, "cell 5 1 is outside the grid of 4 x 3 cells"),
        (CLMIN, vegetation_map().replace(" 1.0", " 0.5"), {}, "shares of cell 1 1 add up to 0.5, must be 1"),
        (CLMIN, "1 1 30 -98 0.4 0.2 2 1\n", {}, "drv_vegm.dat:1: 8 columns, needs 25"),
        (CLMIN, None, {"Solver.CLM.MetFileName": "wether.txt"}, "Solver.CLM.MetFileName: no such file"),
        (CLMIN, None, {"Solver.CLM.MetFilePath": "far"}, "Solver.CLM.MetFilePath: no such folder"),
        (CLMIN, None, {"Solver.CLM.MetForcing": "3D"}, "Solver.CLM.MetFileName: no files weather.txt.DSWR."),
        (CLMIN, None, {"Solver.CLM.MetForcing": "2D"}, "reach to hour 0; the run needs 5"),
        (CLMIN, None, {"Solver.CLM.EvapBeta": "Linar"}, "'Linar' is not supported; supported: None, Linear, Cosine"),
        (CLMIN, None, {"Solver.CLM.FieldCapacity": 3.3}, "saturations between 0 and 1"),
        (CLMIN, None, {"Solver.CLM.IstepStart": 31}, "weather.txt has 30 rows, one an hour; the run needs 35"),
        (CLMIN, None, {"TimeStep.Value": 0.5}, "TimeStep.Value: 1 steps of 0.5 h use one record of the weather"),
        (CLMIN, None, {"TimingInfo.StopTime": 0.5}, "TimingInfo.StopTime: the run lasts 0.5 h; with a land component"),
        (CLMIN, None, {"TimingInfo.DumpInterval": 0.5}, "TimingInfo.DumpInterval: states are written every 0.5 h;"),
        (CLMIN, None, {"TimingInfo.StopTime": 1e-12}, "TimingInfo.StopTime: 1e-12 h is shorter than a microsecond"),
        (CLMIN, None, {"Solver.CLM.ReuseCount": 2}, "Solver.CLM.ReuseCount: 2 steps of 1 h use one record"),
        (CLMIN, None, {"Solver.CLM.RootZoneNZ": 12}, "must lie between 1 and the number of layers, 11, got 12"),
    ],
)
def test_mistakes_in_the_files_of_the_land(
    parflow: ParflowRun, clmin: str, vegm: str | None, keys: dict[str, Any], message: str
) -> None:
    parflow.with_clm(clmin, vegm).keys |= keys
    assert message in refused(parflow)


def test_a_restart_file_of_clm_is_refused(parflow: ParflowRun) -> None:
    parflow.with_clm(CLMIN.replace("startcode      2", "startcode      1"))
    assert "drv_clmin.startcode" in refused(parflow)
    parflow.imported("--ignore", "drv_clmin.startcode")


def test_an_existing_folder_is_replaced_only_when_asked(parflow: ParflowRun) -> None:
    parflow.pfb("start.pfb", np.linspace(-2.0, -1.0, NZ)[:, None, None], SHAPE)
    parflow.keys["Geom.domain.Upper.X"] = 3000.0  # a mask, which needs fields.nc
    parflow.imported()
    assert (parflow.output / "fields.nc").exists()
    assert "holds an imported run already; choose another folder or give --overwrite" in refused(parflow)
    (parflow.output / "mine.txt").write_text("stays")
    parflow.keys["Geom.domain.Upper.X"] = 4000.0
    parflow.imported("--overwrite")
    assert not (parflow.output / "fields.nc").exists()
    assert (parflow.output / "mine.txt").read_text() == "stays"


def test_a_failing_import_leaves_the_earlier_one(parflow: ParflowRun) -> None:
    parflow.imported()
    before = {p.name: p.read_bytes() for p in parflow.output.iterdir()}
    parflow.keys["Gravity"] = 2.0
    refused(parflow, "--overwrite")
    assert {p.name: p.read_bytes() for p in parflow.output.iterdir()} == before


def test_a_folder_with_something_else_is_never_touched(parflow: ParflowRun) -> None:
    parflow.output.mkdir()
    (parflow.output / "thesis.tex").write_text("years of work")
    assert "is not empty and holds no imported run" in refused(parflow, "--overwrite")
    assert [p.name for p in parflow.output.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("name", ["import.md", "coupled.yaml", "run.yaml"])
def test_a_project_of_the_users_is_no_import(parflow: ParflowRun, name: str) -> None:
    parflow.output.mkdir()
    (parflow.output / name).write_text("mine")
    assert "is not empty and holds no imported run" in refused(parflow, "--overwrite")
    assert {p.name: p.read_text() for p in parflow.output.iterdir()} == {name: "mine"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from-parflow", "case.pfidb"], "--from-parflow needs --output"),
        (["--from-parflow", "case.pfidb", "--output", "x", "--check"], "goes with --output, --overwrite, --ignore"),
        (["coupled.yaml", "--ignore", "Contaminants.Names"], "--ignore goes with --from-parflow only"),
        (["--from-parflow", "nowhere.pfidb", "--output", "x"], "nowhere.pfidb: no such file"),
    ],
)
def test_options_that_do_not_go_together(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_without_pftools_the_extra_is_named(parflow: ParflowRun, monkeypatch: pytest.MonkeyPatch) -> None:
    parflow.write()
    monkeypatch.setitem(sys.modules, "parflow.tools.database.generated", None)
    result = CliRunner().invoke(
        main, ["--from-parflow", str(parflow.folder / "case.pfidb"), "--output", str(parflow.output)]
    )
    assert result.exit_code == 2
    assert "optional extra `parflow`: pip install 'rootzone[parflow]'" in result.output
