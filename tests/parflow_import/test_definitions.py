"""Definitions as ParFlow reads them: spelling of numbers, defaults, keys that mean nothing, names of files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from parflow_runs import NX, NY, NZ, PATCHES, SHAPE, ParflowRun

from rootzone.parflow_import import import_run, keys

OVERLAND = "Patch.z_upper.BCPressure.Type"


def test_numbers_are_spelled_as_c_reads_them(parflow: ParflowRun) -> None:
    parflow.keys |= {
        "Gravity": "1.0d0",
        "ComputationalGrid.NZ": f"{NZ}.0",
        "ComputationalGrid.DZ": "+.5",
        "Geom.domain.Perm.TensorValX": "1.0D+00",
        "Geom.domain.Perm.TensorValZ": "5.e-1",
        "Geom.domain.Porosity.Value": " .25 ",
        "Solver.TerrainFollowingGrid": "TRUE",
    }
    output = parflow.imported().output
    assert "reads" not in output
    domain = parflow.domain()
    np.testing.assert_array_equal(domain.dz, np.full(NZ, 0.5))
    assert np.unique(domain.porosity) == 0.25
    assert np.unique(domain.conductivity_x) == 0.02
    assert np.unique(domain.conductivity_z) == 0.01


@pytest.mark.parametrize(
    ("key", "text", "read"),
    [
        ("Geom.domain.Porosity.Value", "0.25d1", 0.25),
        ("Geom.domain.Porosity.Value", "0.25 (guess)", 0.25),
        ("ComputationalGrid.NX", "4.5", NX),
    ],
)
def test_where_parflow_reads_another_number_a_notice_says_so(
    parflow: ParflowRun, key: str, text: str, read: float
) -> None:
    parflow.keys[key] = text
    assert f"{key} is {text!r}, of which ParFlow reads {read:g} " in parflow.imported().output
    assert f"{key} is {text!r}" in (parflow.output / "import.md").read_text()
    domain = parflow.domain()
    assert (domain.nx if key.endswith("NX") else np.unique(domain.porosity)) == read


def test_values_over_several_lines_and_with_blanks_at_their_end(parflow: ParflowRun) -> None:
    names = "\n   x_lower x_upper\n   y_lower y_upper\n   z_lower z_upper\n"
    parflow.keys |= {"Geom.domain.Patches": names, "BCPressure.PatchNames": names, "TopoSlopesX.Type": "Constant  "}
    parflow.imported()
    assert parflow.domain().mask.all()


def nested(keys: dict[str, Any], depth: int) -> dict[str, Any]:
    """Nest the first `depth` names of every key; a value that has others below it stands under ``_value_``."""
    tree: dict[str, Any] = {}
    for key, value in keys.items():
        *path, last = key.split(".", depth)
        node = tree
        for name in path:
            node = node.setdefault(name, {})
            if not isinstance(node, dict):
                raise AssertionError(key)
        has_others = any(other.startswith(f"{key}.") for other in keys)
        if has_others and depth > key.count("."):
            node.setdefault(last, {})["_value_"] = value
        else:
            node[last] = value
    return tree


@pytest.mark.parametrize("depth", [0, 1, 9])
def test_flat_nested_and_mixed_yaml_give_the_same_run(parflow: ParflowRun, tmp_path: Path, depth: int) -> None:
    parflow.keys |= {"Wells.Names": None, "Cell._0.dzScale.Value": 1.0}
    file = parflow.folder / "case.yaml"
    file.write_text(yaml.safe_dump(nested(parflow.keys, depth)))
    del parflow.keys["Wells.Names"]
    expected = import_run(parflow.write(), tmp_path / "flat").run.with_name("domain.yaml").read_text()
    found = import_run(file, tmp_path / "other").run.with_name("domain.yaml").read_text()
    assert found.split("\n", 1)[1] == expected.split("\n", 1)[1]


def test_what_no_geometry_gives_is_what_parflow_takes(parflow: ParflowRun) -> None:
    parflow.keys |= {"TopoSlopesX.GeomNames": "", "Mannings.GeomNames": "", "SpecificStorage.GeomNames": ""}
    for key in [k for k in parflow.keys if k.startswith("TopoSlopesY.")]:
        del parflow.keys[key]
    output = parflow.imported().output
    assert f"Mannings.GeomNames gives {NX * NY} columns no roughness" in output
    domain = parflow.domain()
    for name, value in (("slope_x", 0.0), ("slope_y", 0.0), ("manning", 3600.0), ("specific_storage", 0.0)):
        np.testing.assert_array_equal(np.unique(getattr(domain, name)), [value], err_msg=name)


def test_a_geometry_below_the_ground_gives_slope_and_roughness_to_its_columns(parflow: ParflowRun) -> None:
    parflow.pfb("indicator.pfb", np.where(np.arange(NZ)[:, None, None] == 2, np.arange(NX) // 2 + 1.0, 9.0))
    parflow.keys |= {
        "GeomInput.Names": "box_input deep",
        "GeomInput.deep.InputType": "IndicatorField",
        "GeomInput.deep.GeomNames": "west east",
        "GeomInput.west.Value": 1,
        "GeomInput.east.Value": 2,
        "Geom.deep.FileName": "indicator.pfb",
        "TopoSlopesX.GeomNames": "west",
        "TopoSlopesX.Geom.west.Value": 0.03,
        "Mannings.GeomNames": "domain east",
        "Mannings.Geom.east.Value": 2e-5,
    }
    parflow.imported()
    domain = parflow.domain()
    np.testing.assert_array_equal(domain.slope_x, np.broadcast_to([0.03, 0.03, 0.0, 0.0], (NY, NX)))
    np.testing.assert_allclose(domain.manning, np.broadcast_to([0.018, 0.018, 0.072, 0.072], (NY, NX)))


def test_multipliers_of_layers_are_one_where_none_is_given(parflow: ParflowRun) -> None:
    parflow.keys |= {
        "Solver.Nonlinear.VariableDz": True,
        "GeomInput.Names": "box_input top_input",
        "GeomInput.top_input.InputType": "Box",
        "GeomInput.top_input.GeomName": "top",
        **{f"Geom.top.{k}": v for k, v in (("Lower.X", 0.0), ("Lower.Y", 0.0), ("Lower.Z", 4.5))},
        **{f"Geom.top.{k}": v for k, v in (("Upper.X", 4000.0), ("Upper.Y", 1500.0), ("Upper.Z", 5.5))},
        "dzScale.GeomNames": "top",
        "dzScale.Type": "Constant",
        "Geom.top.dzScale.Value": 0.2,
    }
    parflow.imported()
    assert parflow.yaml("domain")["layers"] == [0.5] * 9 + [0.1] * 2


def test_a_box_without_names_has_the_patches_of_parflow(parflow: ParflowRun) -> None:
    theirs = ("left", "right", "front", "back", "bottom", "top")
    names = dict(zip(PATCHES, theirs, strict=True))
    del parflow.keys["Geom.domain.Patches"]
    parflow.keys = {
        ".".join(names.get(part, part) for part in key.split(".")): value for key, value in parflow.keys.items()
    } | {"BCPressure.PatchNames": " ".join(theirs), "Geom.domain.ICPressure.RefPatch": "top"}
    parflow.imported()
    assert parflow.yaml("groundwater")["initial"] == {"water_table_depth": 1.0}


def test_keys_that_parflow_never_reads_are_passed_over_in_silence(parflow: ParflowRun) -> None:
    quiet = parflow.imported().output
    parflow.keys |= {
        "Solver.BinaryOutDir": False,
        "Solver.NewPhysics": 3,
        "My.Own.Note": "x",
        "Patch.nobody.BCPressure.Type": "DirEquilRefPatch",
        "Patch.x_lower.BCPressure.RefGeom": "domain",
        "Patch.x_lower.BCPressure.RefPatch": "z_lower",
        "TimeStep.MaxStep": 5.0,
        "InternalBC.Names": "",
        "Solver.CLM.OverwriteDrvVegp": True,
    }
    assert parflow.imported("--overwrite").output == quiet
    unread = (parflow.output / "import.md").read_text().partition("## No keys of ParFlow")[2]
    for key in ("Solver.BinaryOutDir", "Solver.NewPhysics", "My.Own.Note", "Patch.nobody.BCPressure.Type"):
        assert f"`{key}`" in unread
    assert "TimeStep.MaxStep" not in unread


def test_a_key_of_parflow_that_the_import_does_not_know_is_refused(
    parflow: ParflowRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "unknown_keys", lambda definition, unused: set())  # a later ParFlow has it
    parflow.keys["Solver.NewPhysics"] = 3
    assert "Solver.NewPhysics: the import does not know what this key means" in parflow().output
    parflow.imported("--ignore", "Solver.NewPhysics")


def test_files_may_be_named_by_environment_variables(parflow: ParflowRun, monkeypatch: pytest.MonkeyPatch) -> None:
    (parflow.folder / "maps").mkdir()
    parflow.pfb("maps/start.pfb", np.linspace(-2.0, -1.0, NZ)[:, None, None], SHAPE)
    key = "Geom.domain.ICPressure.FileName"
    parflow.keys |= {"ICPressure.Type": "PFBFile", key: "$BASIN_MAPS/start.pfb"}
    monkeypatch.delenv("BASIN_MAPS", raising=False)
    assert f"{key}: $BASIN_MAPS/start.pfb: the environment variable BASIN_MAPS is not set" in parflow().output
    monkeypatch.setenv("BASIN_MAPS", "maps")
    parflow.imported()
    assert parflow.yaml("groundwater")["initial"] == {"pressure_head": "${run}/maps/start.pfb"}


def test_roughness_means_nothing_without_overland_flow(parflow: ParflowRun) -> None:
    parflow.keys |= {OVERLAND: "FluxConst", "Mannings.Geom.domain.Value": 0.0}
    parflow.imported()
    assert parflow.yaml("groundwater")["surface"] == {"condition": "closed"}
    np.testing.assert_array_equal(parflow.domain().manning, np.full((NY, NX), 3600.0))


def test_widths_of_channels_have_no_effect_in_parflow_and_here(parflow: ParflowRun) -> None:
    parflow.keys |= {
        "Solver.Nonlinear.ChannelWidthExistX": True,
        "ChannelWidthX.Type": "Constant",
        "ChannelWidthX.GeomNames": "domain",
        "ChannelWidthX.Geom.domain.Value": 1.0,
    }
    assert "overland flow does not use the widths of channels" in " ".join(parflow.imported().output.split())


def test_overland_flow_needs_a_roughness(parflow: ParflowRun) -> None:
    parflow.keys["Mannings.Geom.domain.Value"] = 0.0
    said = parflow().output
    assert (
        "case.pfidb: Mannings.Geom.domain.Value: Manning's roughness must lie between 2.777777778e-08 and 1 h m-1/3"
        in said
    )
    parflow.keys |= {"Mannings.Type": "PFBFile", "Mannings.FileName": parflow.pfb("n.pfb", 0.0, (1, NY, NX))}
    assert "case.pfidb: Mannings.FileName: " in parflow().output


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"Geom.domain.Porosity.Value": 1.5}, "Geom.domain.Porosity.Value"),
        ({"Geom.domain.Perm.Value": -1.0}, "Geom.domain.Perm.Value"),
        ({"Geom.domain.Perm.TensorValZ": -1.0}, "Perm.TensorType"),
        ({"Geom.domain.Saturation.Alpha": -2.0}, "Geom.domain.Saturation.Alpha"),
        ({"Geom.domain.Saturation.SSat": 0.05}, "Phase.Saturation.GeomNames"),
        ({"Geom.domain.SpecificStorage.Value": 2.0}, "Geom.domain.SpecificStorage.Value"),
        ({"TopoSlopesY.Geom.domain.Value": 1000.0}, "TopoSlopesY.Geom.domain.Value"),
        (
            {"Geom.domain.Porosity.Type": "PFBFile", "Geom.domain.Porosity.FileName": "odd.pfb"},
            "Geom.domain.Porosity.FileName",
        ),
        (
            {"ICPressure.Type": "PFBFile", "Geom.domain.ICPressure.FileName": "nan.pfb"},
            "Geom.domain.ICPressure.FileName",
        ),
        ({"ICPressure.Type": "Constant", "Geom.domain.ICPressure.Value": 5000.0}, "ICPressure.GeomNames"),
        ({"Solver.CLM.ResSat": 7.0}, "Solver.CLM.ResSat"),
        ({"Solver.CLM.IstepStart": 31}, "Solver.CLM.MetFileName"),
    ],
)
def test_values_out_of_range_are_named_by_the_key_that_gives_them(
    parflow: ParflowRun, changes: dict[str, Any], key: str
) -> None:
    parflow.with_clm()
    parflow.pfb("odd.pfb", 7.0)
    parflow.pfb("nan.pfb", np.nan)
    parflow.keys |= changes
    result = parflow()
    assert result.exit_code == 2
    assert f"case.pfidb: {key}: " in result.output
    assert "imported" not in result.output, "names a file that nobody has"


def test_a_value_that_nothing_has_may_be_out_of_range(parflow: ParflowRun) -> None:
    parflow.pfb("indicator.pfb", np.arange(NX) % 2 + 1.0)
    parflow.keys |= {
        "GeomInput.Names": "box_input indi_input",
        "GeomInput.indi_input.InputType": "IndicatorField",
        "GeomInput.indi_input.GeomNames": "s1 s2",
        "Geom.indi_input.FileName": "indicator.pfb",
        "GeomInput.s1.Value": 1,
        "GeomInput.s2.Value": 2,
        "Geom.Porosity.GeomNames": "domain s1 s2",
        "Geom.domain.Porosity.Value": 0.0,
        **{f"Geom.s{n}.Porosity.{k}": v for n in (1, 2) for k, v in (("Type", "Constant"), ("Value", 0.2 * n))},
    }
    parflow.imported()
    np.testing.assert_array_equal(parflow.domain().porosity, np.broadcast_to([0.2, 0.4, 0.2, 0.4], SHAPE))
