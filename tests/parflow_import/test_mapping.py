"""What becomes of the keys of a definition."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parflow import Run
from parflow_runs import CLMIN, NX, NY, NZ, SHAPE, ParflowRun, vegetation_map

from bmi_common import Domain
from bmi_common.groundwater import DISCHARGE
from rootzone.parflow_import import import_run

TEXTURES = (np.arange(NZ * NY * NX).reshape(SHAPE) % 3 + 1).astype(float)


def with_classes(run: ParflowRun, **changes: Any) -> ParflowRun:
    """Three classes of an indicator file, each with a permeability of its own, the third as the rest of the domain."""
    run.pfb("indicator.pfb", TEXTURES)
    run.keys |= {
        "GeomInput.Names": "box_input indi_input",
        "GeomInput.indi_input.InputType": "IndicatorField",
        "GeomInput.indi_input.GeomNames": "s1 s2 s3",
        "Geom.indi_input.FileName": "indicator.pfb",
        "GeomInput.s1.Value": 1,
        "GeomInput.s2.Value": 2,
        "GeomInput.s3.Value": 3,
        "Geom.Perm.Names": "domain s1 s2",
        "Geom.s1.Perm.Type": "Constant",
        "Geom.s1.Perm.Value": 0.1,
        "Geom.s2.Perm.Type": "Constant",
        "Geom.s2.Perm.Value": 0.3,
        **changes,
    }
    return run


def expected_permeability() -> np.ndarray:
    return np.choose(TEXTURES.astype(int) - 1, [0.1, 0.3, 0.02])


def test_constants_become_numbers(parflow: ParflowRun) -> None:
    parflow.imported()
    domain = parflow.yaml("domain")
    assert domain["grid"] == {"nx": NX, "ny": NY, "dx": 1000.0, "dy": 500.0, "x0": 0.0, "y0": 0.0}
    assert domain["layers"] == [0.5] * NZ
    assert domain["conductivity"] == {"x": 0.02, "z": 0.02}
    assert domain["slope"] == {"x": 0.01, "y": 0.02}
    assert domain["manning"] == {"value": 5e-6, "units": "h m-1/3"}
    assert domain["van_genuchten"] == {
        "alpha": 2.0,
        "n": 2.5,
        "residual_saturation": 0.1,
        "maximum_saturation": 1.0,
    }
    assert parflow.domain().manning == pytest.approx(np.full((NY, NX), 0.018))
    assert sorted(p.name for p in parflow.output.glob("[!.]*")) == [
        "coupled.yaml",
        "domain.yaml",
        "groundwater.yaml",
        "import.md",
        "land.yaml",
    ]


def test_yaml_and_pfidb_give_the_same_run(parflow: ParflowRun) -> None:
    parflow.imported()
    first = {p.name: p.read_text() for p in parflow.output.iterdir()}
    assert parflow("--overwrite", kind="yaml").exit_code == 0
    second = {p.name: p.read_text() for p in parflow.output.iterdir()}
    assert {k: v.replace("case.yaml", "case.pfidb") for k, v in second.items()} == first


def test_what_the_run_object_of_pftools_writes_is_read(
    parflow: ParflowRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["run"])  # pftools reads the command line of whoever makes a run
    flat = import_run(parflow.write(), tmp_path / "flat").run.with_name("domain.yaml").read_text()
    run = Run.from_definition(str(parflow.write("yaml")))
    for kind in ("yaml", "pfidb"):
        file, _ = run.write(str(tmp_path / "run" / "again"), file_format=kind)
        nested = import_run(Path(file), tmp_path / kind).run.with_name("domain.yaml").read_text()
        assert nested.split("\n", 1)[1] == flat.split("\n", 1)[1]


def test_dz_scale_multiplies_the_layers(parflow: ParflowRun) -> None:
    parflow.keys |= {
        "Solver.Nonlinear.VariableDz": True,
        "dzScale.GeomNames": "domain",
        "dzScale.Type": "nzList",
        "dzScale.nzListNumber": NZ,
        **{f"Cell.{k}.dzScale.Value": 2.0 - 0.1 * k for k in range(NZ)},
    }
    parflow.imported()
    assert parflow.yaml("domain")["layers"] == pytest.approx([1.0 - 0.05 * k for k in range(NZ)], abs=1e-12)
    # the water table is 1 m below the true surface, whatever the nominal thickness of the layers is
    assert parflow.yaml("groundwater")["initial"] == {"water_table_depth": 1.0}


def test_dz_scale_may_be_constant_in_boxes(parflow: ParflowRun) -> None:
    parflow.keys |= {
        "Solver.Nonlinear.VariableDz": True,
        "GeomInput.Names": "box_input top_input",
        "GeomInput.top_input.InputType": "Box",
        "GeomInput.top_input.GeomName": "top",
        **{f"Geom.top.{k}": v for k, v in (("Lower.X", 0.0), ("Lower.Y", 0.0), ("Lower.Z", 4.5))},
        **{f"Geom.top.{k}": v for k, v in (("Upper.X", 4000.0), ("Upper.Y", 1500.0), ("Upper.Z", 5.5))},
        "dzScale.GeomNames": "domain top",
        "dzScale.Type": "Constant",
        "Geom.domain.dzScale.Value": 1.0,
        "Geom.top.dzScale.Value": 0.2,
    }
    parflow.imported()
    assert parflow.yaml("domain")["layers"] == [0.5] * 9 + [0.1] * 2


def test_without_the_switch_dz_scale_has_no_effect_and_a_notice_says_so(parflow: ParflowRun) -> None:
    parflow.keys |= {"dzScale.GeomNames": "domain", "dzScale.Type": "nzList", "dzScale.nzListNumber": 2}
    assert "does not use dzScale" in parflow.imported().output
    assert parflow.yaml("domain")["layers"] == [0.5] * NZ


def test_indicator_classes_become_a_lookup_of_the_same_file(parflow: ParflowRun) -> None:
    with_classes(parflow).imported()
    spec = parflow.yaml("domain")["conductivity"]["x"]
    assert spec == {"file": "${run}/indicator.pfb", "lookup": {1: 0.1, 2: 0.3, 3: 0.02}}
    np.testing.assert_array_equal(parflow.domain().conductivity_x, expected_permeability())


def test_a_later_geometry_replaces_an_earlier_one(parflow: ParflowRun) -> None:
    with_classes(parflow, **{"Geom.Perm.Names": "s1 s2 domain"}).imported()
    assert parflow.yaml("domain")["conductivity"]["x"] == 0.02


def test_tensor_factors_multiply_permeability(parflow: ParflowRun) -> None:
    with_classes(parflow, **{"Geom.domain.Perm.TensorValY": 2.0, "Geom.domain.Perm.TensorValZ": 0.1}).imported()
    domain = parflow.domain()
    np.testing.assert_array_equal(domain.conductivity_x, expected_permeability())
    np.testing.assert_array_equal(domain.conductivity_y, 2.0 * expected_permeability())
    np.testing.assert_array_equal(domain.conductivity_z, 0.1 * expected_permeability())


def test_fields_of_pfb_files_are_used_as_they_are(parflow: ParflowRun) -> None:
    rng = np.random.default_rng(0)
    values = {name: rng.uniform(1.5, 3.0, SHAPE) for name in ("alpha", "n", "k", "kz")}
    values["porosity"] = rng.uniform(0.3, 0.5, SHAPE)
    flat = {name: rng.uniform(0.01, 0.02, (1, NY, NX)) for name in ("sx", "sy")} | {
        "manning": rng.uniform(1e-6, 9e-6, (1, NY, NX))
    }
    for name, field in (values | flat).items():
        parflow.pfb(f"{name}.pfb", field, field.shape)
    parflow.pfb("zeros.pfb", 0.05)
    parflow.pfb("ones.pfb", 1.0)
    parflow.keys |= {
        "Geom.domain.Perm.Type": "PFBFile",
        "Geom.domain.Perm.FileName": "k.pfb",
        "Perm.TensorType": "TensorByFile",
        **{f"Geom.domain.Perm.TensorFile{a}": f"{f}.pfb" for a, f in (("X", "ones"), ("Y", "ones"), ("Z", "kz"))},
        "Geom.domain.Porosity.Type": "PFBFile",
        "Geom.domain.Porosity.FileName": "porosity.pfb",
        "Phase.Saturation.VanGenuchten.File": 1,
        "Phase.RelPerm.VanGenuchten.File": 1,
        "TopoSlopesX.Type": "PFBFile",
        "TopoSlopesX.FileName": "sx.pfb",
        "TopoSlopesY.Type": "PFBFile",
        "TopoSlopesY.FileName": "sy.pfb",
        "Mannings.Type": "PFBFile",
        "Mannings.FileName": "manning.pfb",
    }
    files = {"Alpha": "alpha", "N": "n", "SRes": "zeros", "SSat": "ones"}
    parflow.keys |= {f"Geom.domain.Saturation.{key}.Filename": f"{name}.pfb" for key, name in files.items()}
    parflow.keys |= {f"Geom.domain.RelPerm.{key}.Filename": f"{files[key]}.pfb" for key in ("Alpha", "N")}
    parflow.imported()
    spec, domain = parflow.yaml("domain"), parflow.domain()
    assert spec["van_genuchten"]["alpha"] == "${run}/alpha.pfb"
    assert spec["manning"] == {"file": "${run}/manning.pfb", "units": "h m-1/3"}
    for name, expected in {
        "alpha": values["alpha"],
        "n": values["n"],
        "porosity": values["porosity"],
        "conductivity_x": values["k"],
        "conductivity_z": values["k"] * values["kz"],
        "slope_x": flat["sx"][0],
        "slope_y": flat["sy"][0],
    }.items():
        np.testing.assert_allclose(getattr(domain, name), expected, rtol=1e-15, err_msg=name)
    np.testing.assert_allclose(domain.manning, 3600.0 * flat["manning"][0], rtol=1e-12)


def test_a_box_smaller_than_the_grid_becomes_a_mask(parflow: ParflowRun) -> None:
    parflow.keys["Geom.domain.Upper.X"] = 3000.0
    parflow.imported()
    expected = np.ones((NY, NX), dtype=bool)
    expected[:, 3] = False
    np.testing.assert_array_equal(parflow.domain().mask, expected)


@pytest.mark.parametrize(
    ("changes", "initial"),
    [
        ({}, {"water_table_depth": 1.0}),
        (
            {"Geom.domain.ICPressure.RefPatch": "z_lower", "Geom.domain.ICPressure.Value": 4.0},
            {"water_table_depth": 1.5},
        ),
        (
            {
                "ICPressure.Type": "HydroStaticDepth",
                "Geom.domain.ICPressure.RefElevation": 2.0,
                "Geom.domain.ICPressure.Value": 1.0,
            },
            {"water_table_depth": 2.5},
        ),
        ({"ICPressure.Type": "Constant"}, {"pressure_head": -1.0}),
        (
            {"ICPressure.Type": "PFBFile", "Geom.domain.ICPressure.FileName": "start.pfb"},
            {"pressure_head": "${run}/start.pfb"},
        ),
    ],
)
def test_initial_pressure(parflow: ParflowRun, changes: dict[str, Any], initial: dict[str, Any]) -> None:
    parflow.pfb("start.pfb", -0.5)
    parflow.keys |= changes
    parflow.imported()
    assert parflow.yaml("groundwater")["initial"] == initial


def test_hydrostatic_start_has_the_reference_pressure_at_the_surface(parflow: ParflowRun) -> None:
    parflow.keys |= {"TopoSlopesX.Geom.domain.Value": 0.0, "TopoSlopesY.Geom.domain.Value": 0.0}
    parflow.imported()
    head = parflow.run()["soil_water__pressure_head"].isel(time=-1).values
    heights = (np.arange(NZ) + 0.5) * 0.5
    # nothing moves on level ground: the state after five hours is the start
    np.testing.assert_allclose(head, np.broadcast_to((4.5 - heights)[:, None, None], SHAPE), atol=1e-6)


def test_tables_of_relative_permeability(parflow: ParflowRun) -> None:
    parflow.keys |= {"Geom.domain.RelPerm.NumSamplePoints": 2000, "Geom.domain.RelPerm.MinPressureHead": -300.0}
    assert "interpolated linearly, in ParFlow by Spline" in parflow.imported().output
    table = parflow.yaml("groundwater")["richards"]["relative_permeability"]
    assert table == {"table": 2000, "min_head": -300.0}
    parflow.keys["Geom.domain.RelPerm.InterpolationMethod"] = "Linear"
    assert "interpolated" not in parflow.imported("--overwrite").output


def test_relative_permeability_with_another_exponent_than_saturation(parflow: ParflowRun) -> None:
    parflow.keys["Geom.domain.RelPerm.N"] = 3.0
    parflow.imported()
    curve, domain = parflow.yaml("domain")["van_genuchten"], parflow.domain()
    assert curve["n"] == 2.5
    assert curve["relative_permeability"] == {"n": 3.0}
    np.testing.assert_array_equal(domain.relative_permeability_alpha, domain.alpha)
    np.testing.assert_array_equal(domain.relative_permeability_n, 3.0)


def test_the_largest_outlets_are_gauges_and_their_discharge_is_written(parflow: ParflowRun) -> None:
    parflow.keys["TopoSlopesY.Geom.domain.Value"] = 0.0  # each row drains to its western end
    parflow.imported()
    assert parflow.yaml("groundwater")["gauges"] == {f"outlet_{j + 1}": {"x": 0, "y": j} for j in range(NY)}
    hourly = next(o for o in parflow.yaml("coupled")["output"] if o["file"] == "hourly.nc")
    assert f"groundwater.{DISCHARGE}" in hourly["variables"]


def test_ground_without_a_slope_has_no_gauge(parflow: ParflowRun) -> None:
    parflow.keys |= {f"TopoSlopes{axis}.Geom.domain.Value": 0.0 for axis in "XY"}
    parflow.imported()
    assert "gauges" not in parflow.yaml("groundwater")


def test_switches_of_the_land(parflow: ParflowRun) -> None:
    parflow.with_clm()
    parflow.keys |= {
        "Solver.CLM.EvapBeta": "Cosine",
        "Solver.CLM.ResSat": 0.15,
        "Solver.CLM.VegWaterStress": "Pressure",
        "Solver.CLM.WiltingPoint": -150.0,
        "Solver.CLM.FieldCapacity": -3.3,
        "Solver.CLM.RootZoneNZ": 4,
        "Solver.CLM.SoiLayer": 4,
    }
    output = parflow.imported().output
    land = parflow.yaml("land")
    assert (land["evaporation_factor"], land["residual_saturation"]) == (2, 0.15)
    assert (land["water_stress"], land["wilting_point"], land["field_capacity"]) == (1, -150.0, -3.3)
    assert land["reference_height"] == {"wind": 50.0, "temperature": 40.0, "humidity": 40.0}
    assert land["initial"] == {"temperature": 295.0}
    assert land["soil_texture"] == {"sand": 40.0, "clay": 20.0}
    assert land["land_cover"] == 10
    assert parflow.yaml("domain")["root_zone"] == {"layers": 4}
    assert "SoiLayer 4" in output


def test_defaults_of_the_land_are_those_of_parflow(parflow: ParflowRun) -> None:
    parflow.with_clm().imported()
    land = parflow.yaml("land")
    names = ("evaporation_factor", "residual_saturation", "water_stress", "wilting_point", "field_capacity")
    assert [land[name] for name in names] == [1, 0.1, 2, 0.1, 1.0]


def test_start_and_forcing_follow_the_counter_of_a_continued_run(parflow: ParflowRun) -> None:
    parflow.with_clm()
    parflow.keys |= {"TimingInfo.StartTime": 12.0, "TimingInfo.StopTime": 17.0, "Solver.CLM.IstepStart": 13}
    parflow.imported()
    assert parflow.yaml("coupled")["time"] == {"start": "2001-07-01T06:00", "end": "2001-07-01T11:00", "step": "1h"}
    assert parflow.yaml("land")["forcing"] == {
        "type": "column",
        "file": "${run}/weather.txt",
        "start": "2001-07-01T06:00",
        "first_row": 12,
    }


def test_land_cover_is_the_largest_class_and_bare_soil_is_barren(parflow: ParflowRun) -> None:
    output = parflow.with_clm(vegm=vegetation_map(18, other=10)).imported().output
    assert parflow.yaml("land")["land_cover"] == 16
    assert "12 cells have several classes; the largest is taken" in output
    assert "12 cells of bare soil (18) are barren" in output


def test_latitude_is_a_field_where_it_differs(parflow: ParflowRun) -> None:
    parflow.with_clm().imported()
    domain = parflow.domain()
    assert isinstance(domain, Domain)
    assert domain.latitude is not None
    np.testing.assert_allclose(domain.latitude[:, 0], [30.01, 30.02, 30.03])
    assert parflow.yaml("domain")["longitude"] == -98.1


def test_few_cells_under_the_canopy_are_cut_and_many_raise_the_heights(parflow: ParflowRun) -> None:
    low = CLMIN.replace("50.0", "10.0").replace("40.0", "2.0")
    lines = vegetation_map(10).splitlines()
    lines[2] = vegetation_map(4).splitlines()[2]
    output = parflow.with_clm(low, "\n".join(lines)).imported().output
    assert "is inside the canopy of 1 cells (class 4); there the canopy is cut to 1.9 m" in output
    assert parflow.yaml("land")["reference_height"]["temperature"] == 2.0
    output = parflow.with_clm(low, vegetation_map(4)).imported("--overwrite").output
    assert "raised by the tallest canopy, 20 m" in output
    assert parflow.yaml("land")["reference_height"] == {"wind": 30.0, "temperature": 22.0, "humidity": 22.0}


def test_notes_name_what_became_of_what(parflow: ParflowRun) -> None:
    parflow.keys["Contaminants.Names"] = "tce"
    parflow.imported("--ignore", "Contaminants.Names")
    notes = (parflow.output / "import.md").read_text()
    assert "| Mannings.GeomNames, Mannings | domain.yaml: manning, taken as h m-1/3 |" in notes
    assert "`Solver.Linear.Preconditioner`" in notes
    assert "## Left out as asked\n\n- `Contaminants.Names`: solute transport: tce" in notes
