"""Imported runs against the same runs written by hand, and a real watershed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import yaml
from click.testing import CliRunner
from netCDF4 import Dataset
from parflow_runs import CLMIN, NX, NY, NZ, SHAPE, ParflowRun, vegetation_map, weather

from bmi_richards import BmiRichards
from rootzone.bmi_run import main

RNG = np.random.default_rng(1)
CLASSES = RNG.integers(1, 4, SHAPE)
HEAD = -0.3 + 0.5 * (NZ - 1 - np.arange(NZ))[:, None, None] - RNG.uniform(0.0, 0.8, (1, NY, NX))
SLOPE_X, SLOPE_Y = RNG.uniform(0.002, 0.02, (2, NY, NX))
HYDRAULICS = {  # porosity, alpha, n, residual saturation, conductivity of classes 1 to 3
    1: (0.40, 2.0, 2.2, 0.10, 0.05),
    2: (0.35, 3.0, 2.8, 0.05, 0.20),
    3: (0.45, 1.0, 1.8, 0.15, 0.01),
}
LATENT = "land_surface_air_heat_net_latent__energy_flux"
FORCING = ("DSWR", "DLWR", "APCP", "Temp", "UGRD", "VGRD", "Press", "SPFH")


def heterogeneous(run: ParflowRun) -> ParflowRun:
    """Three classes of soil, uneven slopes, layers that grow thinner upwards, a tensor and a start from files."""
    run.pfb("indicator.pfb", CLASSES)
    run.pfb("start.pfb", HEAD)
    run.pfb("sx.pfb", SLOPE_X[None], (1, NY, NX))
    run.pfb("sy.pfb", SLOPE_Y[None], (1, NY, NX))
    names = [f"s{c}" for c in HYDRAULICS]
    run.keys |= {
        "GeomInput.Names": "box_input indi_input",
        "GeomInput.indi_input.InputType": "IndicatorField",
        "GeomInput.indi_input.GeomNames": " ".join(names),
        "Geom.indi_input.FileName": "indicator.pfb",
        **{
            key: " ".join(["domain", *names])
            for key in (
                "Geom.Perm.Names",
                "Geom.Porosity.GeomNames",
                "Phase.Saturation.GeomNames",
                "Phase.RelPerm.GeomNames",
            )
        },
        "Geom.domain.Perm.TensorValZ": 0.5,
        "TopoSlopesX.Type": "PFBFile",
        "TopoSlopesX.FileName": "sx.pfb",
        "TopoSlopesY.Type": "PFBFile",
        "TopoSlopesY.FileName": "sy.pfb",
        "ICPressure.Type": "PFBFile",
        "Geom.domain.ICPressure.FileName": "start.pfb",
        "Solver.Nonlinear.VariableDz": True,
        "dzScale.GeomNames": "domain",
        "dzScale.Type": "nzList",
        "dzScale.nzListNumber": NZ,
        **{f"Cell.{k}.dzScale.Value": 4.0 if k == 0 else 1.1 - 0.1 * k for k in range(NZ)},
    }
    for number, (porosity, alpha, n, residual, k) in HYDRAULICS.items():
        own = f"Geom.s{number}"
        run.keys |= {
            f"GeomInput.s{number}.Value": number,
            f"{own}.Perm.Type": "Constant",
            f"{own}.Perm.Value": k,
            f"{own}.Porosity.Type": "Constant",
            f"{own}.Porosity.Value": porosity,
            f"{own}.Saturation.Alpha": alpha,
            f"{own}.Saturation.N": n,
            f"{own}.Saturation.SRes": residual,
            f"{own}.Saturation.SSat": 1.0,
            f"{own}.RelPerm.Alpha": alpha,
            f"{own}.RelPerm.N": n,
        }
    return run


def write_by_hand(folder: Path, weather_file: Path) -> Path:
    """Write the run of `heterogeneous` with ParFlow-CLM as somebody would who has never seen ParFlow's keys."""
    folder.mkdir()
    table = np.array([HYDRAULICS[c] for c in (1, 2, 3)])[CLASSES - 1]
    fields = dict(zip(("porosity", "alpha", "n", "residual", "k"), np.moveaxis(table, -1, 0), strict=True))
    fields["kz"] = 0.5 * fields["k"]
    with Dataset(folder / "basin.nc", "w") as data:
        for name, count in zip("zyx", SHAPE, strict=True):
            data.createDimension(name, count)
        for name, values in fields.items():
            data.createVariable(name, "f8", ("z", "y", "x"))[:] = values
        data.createVariable("head", "f8", ("z", "y", "x"))[:] = HEAD
        latitude = 30.0 + 0.01 * np.arange(1, NY + 1)[:, None] * np.ones(NX)
        for name, flat in (("sx", SLOPE_X), ("sy", SLOPE_Y), ("latitude", latitude)):
            data.createVariable(name, "f8", ("y", "x"))[:] = flat

    def field(name: str) -> dict[str, str]:
        return {"file": "basin.nc", "variable": name}

    files: dict[str, Any] = {
        "domain": {
            "grid": {"nx": NX, "ny": NY, "dx": 1000.0, "dy": 500.0},
            "layers": [2.0, *(float(f"{0.55 - 0.05 * k:.12g}") for k in range(1, NZ))],
            "latitude": field("latitude"),
            "longitude": -98.1,
            "porosity": field("porosity"),
            "van_genuchten": {
                "alpha": field("alpha"),
                "n": field("n"),
                "residual_saturation": field("residual"),
            },
            "conductivity": {"x": field("k"), "z": field("kz")},
            "specific_storage": 1.0e-4,
            "slope": {"x": field("sx"), "y": field("sy")},
            "manning": 0.018,
        },
        "groundwater": {
            "domain": "domain.yaml",
            "initial": {"pressure_head": field("head")},
            "richards": {"passes": {"tolerance": 1.0e-8, "most": 100}},
        },
        "land": {
            "start": "2001-07-01T06:00",
            "domain": "domain.yaml",
            "initial": {"temperature": 295.0},
            "land_cover": 10,
            "soil_texture": {"sand": 40.0, "clay": 20.0},
            "soil_maps": {
                "albedo_saturated_visible": 0.11,
                "albedo_saturated_near_infrared": 0.22,
                "albedo_dry_visible": 0.22,
                "albedo_dry_near_infrared": 0.44,
            },
            "evaporation_factor": 1,
            "residual_saturation": 0.1,
            "water_stress": 2,
            "wilting_point": 0.1,
            "field_capacity": 1.0,
            "carbon_dioxide": 355.0,
            "forcing": {"type": "column", "file": str(weather_file), "start": "2001-07-01T06:00"},
        },
        "coupled": {
            "time": {"start": "2001-07-01T06:00", "end": "2001-07-01T14:00", "step": "1h"},
            "components": {
                "land": {"class": "bmi_colm:BmiColm", "config": "land.yaml"},
                "groundwater": {"class": "bmi_richards:BmiRichards", "config": "groundwater.yaml"},
            },
            "order": ["land", "groundwater"],
            "exchanges": [
                {"from": f"groundwater.{name}", "to": f"land.{name}"}
                for name in ("soil_water__pressure_head", "soil_water__saturation")
            ]
            + [{"from": f"land.{n}", "to": f"groundwater.{n}"} for n in ["soil_root-zone_water__net_volume_flux"]],
            "output": [
                {
                    "file": "hourly.nc",
                    "every": "1h",
                    "variables": ["land.land_surface_air_heat~net~latent__energy_flux"],
                },
                {
                    "file": "states.nc",
                    "every": "1h",
                    "method": "point",
                    "variables": ["groundwater.soil_water__pressure_head", "groundwater.soil_water__saturation"],
                },
            ],
        },
    }
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return folder / "coupled.yaml"


def assert_same(a: xr.Dataset, b: xr.Dataset, names: tuple[str, ...], rtol: float = 0.0) -> None:
    for name in names:
        assert np.isfinite(a[name]).all()
        np.testing.assert_allclose(a[name].values, b[name].values, rtol=rtol, err_msg=name)


def test_an_imported_run_gives_what_the_run_written_by_hand_gives(parflow: ParflowRun, tmp_path: Path) -> None:
    heterogeneous(parflow.with_clm()).keys["TimingInfo.StopTime"] = 8.0
    parflow.imported()
    imported = parflow.run()
    by_hand = parflow.run(file=write_by_hand(tmp_path / "hand", parflow.folder / "weather.txt"), to="by_hand")
    # the latent heat depends on cover, texture, forcing and soil water, the head on everything below; Manning's
    # roughness is converted from h m-1/3 in one and is in s m-1/3 in the other, which differs in the last digit
    assert imported[LATENT].max() > 100.0
    assert_same(imported, by_hand, (LATENT, "soil_water__pressure_head", "soil_water__saturation"), rtol=1e-6)
    head = imported["soil_water__pressure_head"]
    assert np.abs(head[-1] - head[0]).max() > 0.01


@pytest.mark.parametrize("kind", ["2D", "3D"])
def test_weather_on_the_grid_gives_what_a_uniform_record_gives(parflow: ParflowRun, kind: str) -> None:
    parflow.with_clm()
    parflow.imported()
    uniform = parflow.run()
    rows = np.loadtxt(parflow.folder / "weather.txt")
    (parflow.folder / "met").mkdir()
    for column, name in enumerate(FORCING):
        series = rows[:24, column, None, None]
        if kind == "3D":
            parflow.pfb(f"met/NLDAS.{name}.000001_to_000024.pfb", series, (24, NY, NX))
            continue
        for hour in range(6):
            parflow.pfb(f"met/NLDAS.{name}.{hour + 1:06d}.pfb", series[hour], (1, NY, NX))
    parflow.keys |= {
        "Solver.CLM.MetForcing": kind,
        "Solver.CLM.MetFileName": "NLDAS",
        "Solver.CLM.MetFilePath": "met",
        "Solver.CLM.MetFileNT": 24,
    }
    parflow.imported("--overwrite")
    assert_same(parflow.run(to="on_the_grid"), uniform, (LATENT, "soil_water__pressure_head"))


def test_a_continued_run_reads_the_weather_of_its_hours(parflow: ParflowRun) -> None:
    parflow.with_clm()
    rows = weather(30)
    parflow.keys |= {"Solver.CLM.IstepStart": 13, "TimingInfo.StartTime": 12.0, "TimingInfo.StopTime": 15.0}
    parflow.imported()
    first = parflow.run()
    np.savetxt(parflow.folder / "weather.txt", rows[12:], fmt="%.8g")
    parflow.keys["Solver.CLM.IstepStart"] = 1
    parflow.imported("--overwrite")
    assert_same(first, parflow.run(to="cut"), (LATENT,))


def test_a_run_without_land_has_no_source(parflow: ParflowRun) -> None:
    assert "Solver.LSM is none: no rain and no evapotranspiration" in parflow.imported().output
    parflow.run()
    with xr.open_dataset(parflow.folder.parent / "results" / "water_balance.nc") as balance:
        assert not balance["source"].any()


def test_the_folder_can_be_moved_with_the_run(parflow: ParflowRun, tmp_path: Path) -> None:
    heterogeneous(parflow.with_clm(CLMIN, vegetation_map())).imported()
    (tmp_path / "elsewhere").mkdir()
    for name in ("run", "imported"):
        (tmp_path / name).rename(tmp_path / "elsewhere" / name)
    result = CliRunner().invoke(main, [str(tmp_path / "elsewhere" / "imported" / "coupled.yaml"), "--check"])
    assert result.exit_code == 0, result.output


@pytest.mark.reference
@pytest.mark.parametrize("kind", ["pfidb", "yaml"])
def test_little_washita_runs_as_imported(reference: Path, tmp_path: Path, kind: str) -> None:
    definition = reference / "little_washita" / f"LW_Test.{kind}"
    result = CliRunner().invoke(main, ["--from-parflow", str(definition), "--output", str(tmp_path / "lw")])
    assert result.exit_code == 0, result.output
    land = yaml.safe_load((tmp_path / "lw" / "land.yaml").read_text())
    assert (land["wilting_point"], land["field_capacity"], land["residual_saturation"]) == (0.12, 0.98, 0.1)
    assert land["reference_height"] == {"wind": 10.0, "temperature": 2.0, "humidity": 2.0}
    domain = yaml.safe_load((tmp_path / "lw" / "domain.yaml").read_text())
    assert domain["layers"] == [2.0] * 50
    assert domain["conductivity"]["x"]["lookup"][22] == 0.025
    assert domain["porosity"]["lookup"][22] == 0.4  # of the domain: g2 has a permeability only
    run = [str(tmp_path / "lw" / "coupled.yaml"), "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(main, [*run, "--set", "time.end=1998-10-01T08:00", "--set", "figures=false"])
    assert result.exit_code == 0, result.output
    with xr.open_dataset(tmp_path / "out" / "states.nc") as states:
        head = states["soil_water__pressure_head"]
        assert head.shape == (3, 50, 41, 41)
        assert np.isfinite(head).all()
    with xr.open_dataset(tmp_path / "out" / "water_balance.nc") as balance:
        turned_over = np.abs(balance["source"]) + np.abs(balance["storage_change"])
        assert (np.abs(balance["residual"]) <= 1e-6 * turned_over).all()


def pearl_river(run: ParflowRun, inputs: dict[str, Any]) -> ParflowRun:
    """Write the definition of a run that the real ParFlow has made, its fields in PFB files."""
    nz, ny, nx = inputs["alpha"].shape
    files = {"alpha": "alpha", "n": "n", "sres": "sres", "ssat": "ssat", "porosity": "porosity", "kx": "kx"}
    fields = {name: inputs[key] for name, key in files.items()}
    fields |= {"one": np.ones((nz, ny, nx)), "kz": inputs["kz"] / inputs["kx"], "start": inputs["initial_pressure"]}
    fields |= {name: inputs[name][None] for name in ("slope_x", "slope_y", "manning")}
    for name, values in fields.items():
        run.pfb(f"{name}.pfb", values, values.shape)
    run.keys |= {
        "ComputationalGrid.NX": nx,
        "ComputationalGrid.NY": ny,
        "ComputationalGrid.NZ": nz,
        "ComputationalGrid.DX": float(inputs["dx"]),
        "ComputationalGrid.DY": float(inputs["dy"]),
        "ComputationalGrid.DZ": 2.0,
        "Geom.domain.Upper.X": nx * float(inputs["dx"]),
        "Geom.domain.Upper.Y": ny * float(inputs["dy"]),
        "Geom.domain.Upper.Z": 2.0 * nz,
        "Solver.Nonlinear.VariableDz": True,
        "dzScale.GeomNames": "domain",
        "dzScale.Type": "nzList",
        "dzScale.nzListNumber": nz,
        **{f"Cell.{k}.dzScale.Value": float(dz) / 2.0 for k, dz in enumerate(inputs["dz"])},
        "Geom.domain.Perm.Type": "PFBFile",
        "Geom.domain.Perm.FileName": "kx.pfb",
        "Perm.TensorType": "TensorByFile",
        "Geom.domain.Perm.TensorFileX": "one.pfb",
        "Geom.domain.Perm.TensorFileY": "one.pfb",
        "Geom.domain.Perm.TensorFileZ": "kz.pfb",
        "Geom.domain.Porosity.Type": "PFBFile",
        "Geom.domain.Porosity.FileName": "porosity.pfb",
        "Geom.domain.SpecificStorage.Value": float(inputs["specific_storage"]),
        **{f"Phase.{group}.VanGenuchten.File": 1 for group in ("Saturation", "RelPerm")},
        **{
            f"Geom.domain.{g}.{k}.Filename": f"{k.lower()}.pfb"
            for g in ("Saturation", "RelPerm")
            for k in ("Alpha", "N")
        },
        "Geom.domain.Saturation.SRes.Filename": "sres.pfb",
        "Geom.domain.Saturation.SSat.Filename": "ssat.pfb",
        **{f"TopoSlopes{a}.Type": "PFBFile" for a in "XY"},
        **{f"TopoSlopes{a}.FileName": f"slope_{a.lower()}.pfb" for a in "XY"},
        "Mannings.Type": "PFBFile",
        "Mannings.FileName": "manning.pfb",
        "ICPressure.Type": "PFBFile",
        "Geom.domain.ICPressure.FileName": "start.pfb",
    }
    return run


@pytest.mark.reference
def test_an_imported_run_gives_the_pressures_of_the_real_parflow(reference: Path, parflow: ParflowRun) -> None:
    inputs = dict(np.load(reference / "parflow" / "pearl64x48_inputs.npz"))
    expected = np.load(reference / "parflow" / "pearl64x48_lateral.npz")["pressure_f64_at"]
    pearl_river(parflow, inputs).imported()
    component = BmiRichards()
    component.initialize(str(parflow.output / "groundwater.yaml"))
    for hour in range(20):
        source = inputs["et_profile"][hour, 1:, None, None] * inputs["et_pattern"]
        source[-1] = inputs["et_top"][hour]
        component.set_value("soil_root-zone_water__net_volume_flux", source.ravel())
        component.update()
        if hour + 1 in (1, 19, 20):
            error = component.values["soil_water__pressure_head"] - expected[(1, 19, 20).index(hour + 1)]
            # the limits of the solver's own comparison with this run
            assert np.sqrt(np.mean(error**2)) <= 1e-6
            assert np.abs(error).max() <= 1e-4
    component.finalize()
