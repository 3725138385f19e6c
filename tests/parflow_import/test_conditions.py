"""Ground, sides, bottom, sources, barriers, layers and steps of a definition."""

from pathlib import Path

import netCDF4
import numpy as np
import pytest
from parflow_runs import NX, NY, NZ, SHAPE, ParflowRun, with_solid

from bmi_richards.config import prepare
from rootzone.parflow_import import import_run

STORM = {
    "TimingInfo.BaseUnit": 0.5,
    "Cycle.Names": "constant storm",
    "Cycle.storm.Names": "rain dry",
    "Cycle.storm.rain.Length": 4,
    "Cycle.storm.dry.Length": 6,
    "Cycle.storm.Repeat": -1,
}


def held(run: ParflowRun, patch: str, value: float, reference: str = "z_lower") -> None:
    run.keys |= {
        f"Patch.{patch}.BCPressure.Type": "DirEquilRefPatch",
        f"Patch.{patch}.BCPressure.RefGeom": "domain",
        f"Patch.{patch}.BCPressure.RefPatch": reference,
        f"Patch.{patch}.BCPressure.alltime.Value": value,
    }


def test_rain_on_the_surface_patch_is_a_flux_into_the_ground_in_the_same_cycle(parflow: ParflowRun) -> None:
    parflow.keys |= STORM | {
        "Patch.z_upper.BCPressure.Cycle": "storm",
        "Patch.z_upper.BCPressure.rain.Value": -0.02,
        "Patch.z_upper.BCPressure.dry.Value": 1e-4,
    }
    parflow.imported()
    cycle = [{"hours": 2.0, "rate": 0.02}, {"hours": 3.0, "rate": -1e-4}]
    assert parflow.yaml("groundwater")["surface"] == {"flux": {"cycle": cycle, "repeat": True}}


RAINY = [{"hours": 2.0, "rate": 0.02}, {"hours": 3.0, "rate": -1e-4}]


@pytest.mark.parametrize(
    ("repeat", "start", "expected"),
    [
        (2, 0.0, {"cycle": RAINY, "repeat": 2}),
        (0, 0.0, -1e-4),  # over before it begins
        (2, 10.0, -1e-4),
        (2, 3.0, {"cycle": [*RAINY, RAINY[0], {"hours": 5.0, "rate": -1e-4}], "repeat": False}),
    ],
)
def test_passes_of_a_cycle_count_from_time_0_of_parflows_clock(
    parflow: ParflowRun, repeat: int, start: float, expected: object
) -> None:
    parflow.keys |= STORM | {
        "Cycle.storm.Repeat": repeat,
        "TimingInfo.StartTime": start,
        "TimingInfo.StopTime": start + 5.0,
        "Patch.z_upper.BCPressure.Cycle": "storm",
        "Patch.z_upper.BCPressure.rain.Value": -0.02,
        "Patch.z_upper.BCPressure.dry.Value": 1e-4,
    }
    parflow.imported()
    assert parflow.yaml("groundwater")["surface"] == {"flux": expected}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"TimeStep.Value": 0.125}, "every interval begins 0.375 h late there"),
        ({"TimeStep.Value": 5.0, "TimingInfo.DumpInterval": -1}, "intervals end within steps of 5 h"),
    ],
)
def test_intervals_that_change_at_another_time_than_in_parflow_are_noticed(
    parflow: ParflowRun, changes: dict[str, object], said: str
) -> None:
    parflow.keys |= STORM | changes
    parflow.keys |= {"Patch.z_upper.BCPressure.Cycle": "storm", "Patch.z_upper.BCPressure.rain.Value": -0.02}
    parflow.keys["Patch.z_upper.BCPressure.dry.Value"] = 0.0
    parflow.imported()
    notes = (parflow.output / "import.md").read_text()
    assert said in notes
    assert ("Cycle: " in notes) == bool(said)


@pytest.mark.parametrize(
    ("patch", "side", "sign"),
    [
        ("x_lower", "west", 1),
        ("x_upper", "east", -1),
        ("y_lower", "south", 1),
        ("y_upper", "north", -1),
        ("z_lower", "bottom", 1),
    ],
)
def test_velocities_along_the_axes_become_fluxes_into_the_domain(
    parflow: ParflowRun, patch: str, side: str, sign: int
) -> None:
    parflow.keys[f"Patch.{patch}.BCPressure.alltime.Value"] = 1e-3
    parflow.imported()
    assert parflow.yaml("groundwater")["boundaries"] == [{"side": side, "flux": sign * 1e-3}]


def test_ground_that_is_held_at_a_head_is_closed(parflow: ParflowRun) -> None:
    held(parflow, "z_upper", -0.5, "z_upper")
    parflow.imported()
    groundwater = parflow.yaml("groundwater")
    assert groundwater["surface"] == {"condition": "closed"}
    assert groundwater["boundaries"] == [{"side": "top", "head": 5.0}]


def test_pressure_of_a_file_holds_the_ground_above_the_topmost_cells(parflow: ParflowRun) -> None:
    pressure = np.linspace(-1.0, 2.0, NZ * NY * NX).reshape(SHAPE)
    parflow.pfb("pressure.pfb", pressure, SHAPE)
    parflow.keys |= {
        "Patch.z_upper.BCPressure.Type": "PressureFile",
        "Patch.z_upper.BCPressure.alltime.FileName": "pressure.pfb",
    }
    parflow.imported()
    (ground,) = prepare(parflow.output / "groundwater.yaml").conditions.boundaries
    assert ground.head is not None
    np.testing.assert_allclose(ground.head.mean(0.0, 1.0), pressure[-1] + 5.5, rtol=1e-12)


@pytest.mark.parametrize("damping", ["", "OverlandFlowSpinUpDampP1", "OverlandSpinupDampP1"])
def test_the_spin_up_of_overland_flow_is_a_seepage_face_without_its_damping(parflow: ParflowRun, damping: str) -> None:
    parflow.keys |= {"OverlandFlowSpinUp": 1, "Patch.z_upper.BCPressure.Type": "OverlandFlow"}
    if damping:
        parflow.keys[damping] = 10.0
        assert f"case.pfidb: {damping}: damping of the spin-up" in " ".join(parflow().output.split())
        parflow.imported("--ignore", damping)
    else:
        parflow.imported()
    assert parflow.yaml("groundwater")["surface"] == {"condition": "seepage_face"}


def test_rain_of_files_follows_its_cycle(parflow: ParflowRun) -> None:
    rain = np.linspace(0.001, 0.002, NY * NX).reshape(1, NY, NX)
    parflow.pfb("rain.pfb", -rain, rain.shape)
    parflow.pfb("dry.pfb", np.zeros_like(rain), rain.shape)
    parflow.keys |= STORM | {
        "Patch.z_upper.BCPressure.Type": "OverlandFlowPFB",
        "Patch.z_upper.BCPressure.Cycle": "storm",
        "Patch.z_upper.BCPressure.rain.FileName": "rain.pfb",
        "Patch.z_upper.BCPressure.dry.FileName": "dry.pfb",
    }
    parflow.imported()
    rate = prepare(parflow.output / "groundwater.yaml").conditions.surface_flux
    assert rate is not None
    for hour, factor in ((0.0, 1.0), (2.0, 0.0), (5.0, 1.0)):
        np.testing.assert_array_equal(rate.mean(hour, 1.0), factor * rain[0])


def test_heads_count_from_the_bottom_whichever_patch_they_refer_to(parflow: ParflowRun) -> None:
    held(parflow, "x_lower", 3.0)
    held(parflow, "x_upper", -1.0, "z_upper")
    parflow.imported()
    assert parflow.yaml("groundwater")["boundaries"] == [{"side": "west", "head": 3.0}, {"side": "east", "head": 4.5}]


def test_a_part_of_the_walls_of_a_solid_is_a_map_of_columns(parflow: ParflowRun, tmp_path: Path) -> None:
    with_solid(parflow, np.ones((NY, NX), dtype=bool))
    file = parflow.folder / "basin.pfsol"
    words = file.read_text().split("\n")
    # the last patch holds all walls: of its first triangles, those of the western side, make a patch of their own
    walls = 2 * 2 * (NX + NY)
    at = len(words) - 1 - walls
    assert words[at - 1] == str(walls)
    order = list(words[at : at + walls])
    corners = [line.split() for line in words[2 : 2 + int(words[1])]]
    first = 2 + int(words[1]) + 2
    west = [n for n in order if all(float(corners[int(c)][0]) == 0.0 for c in words[first + int(n)].split())]
    rest = [n for n in order if n not in west]
    words[at - 1 :] = [str(len(west)), *west, str(len(rest)), *rest, ""]
    count = words.index("3", first)
    words[count] = "4"
    file.write_text("\n".join(words))
    parflow.keys |= {
        "Geom.domain.Patches": "ground base inlet walls",
        "BCPressure.PatchNames": "ground base inlet walls",
        "Patch.inlet.BCPressure.Type": "FluxConst",
        "Patch.inlet.BCPressure.Cycle": "constant",
        "Patch.inlet.BCPressure.alltime.Value": 0.01,
    }
    parflow.imported()
    assert parflow.yaml("groundwater")["boundaries"] == [{"side": "west", "flux": 0.01}]


def test_sources_of_every_step_become_a_series(parflow: ParflowRun) -> None:
    fields = [np.full(SHAPE, step + 1.0) * 1e-4 for step in range(5)]
    for step, values in enumerate(fields):
        parflow.pfb(f"et.{step:05d}.pfb", values)
    parflow.keys |= {"Solver.EvapTransFileTransient": True, "Solver.EvapTrans.FileName": "et"}
    parflow.imported()
    with netCDF4.Dataset(parflow.output / "sources.nc") as file:
        np.testing.assert_array_equal(file["source"][:], fields)
    assert np.isfinite(parflow.run()["soil_water__pressure_head"].isel(time=-1)).all()


def test_files_of_sources_begin_with_the_step_that_clm_begins_with_and_loop(parflow: ParflowRun) -> None:
    for number in (2, 3, 4):
        parflow.pfb(f"et.{number:05d}.pfb", number * 1e-4)
    parflow.keys |= {"Solver.EvapTransFileTransient": True, "Solver.EvapTrans.FileName": "et"}
    parflow.keys |= {"Solver.EvapTransFileLooping": True, "Solver.CLM.IstepStart": 3}
    parflow.imported()
    with netCDF4.Dataset(parflow.output / "sources.nc") as file:
        np.testing.assert_allclose(file["source"][:, 0, 0, 0], [2e-4, 3e-4, 4e-4, 2e-4, 3e-4])
    assert "3 files for 5 steps" in (parflow.output / "import.md").read_text()


def test_barriers_and_a_steady_source_are_the_files_themselves(parflow: ParflowRun) -> None:
    parflow.pfb("barrier.pfb", 0.001)
    parflow.pfb("et.pfb", 1e-5)
    parflow.keys |= {
        "Solver.EvapTransFile": True,
        "Solver.EvapTrans.FileName": "et.pfb",
        "Solver.Nonlinear.FlowBarrierZ": True,
        "FBz.Type": "PFBFile",
        "Geom.domain.FBz.FileName": "barrier.pfb",
    }
    parflow.imported()
    groundwater = parflow.yaml("groundwater")
    assert groundwater["sources"] == "${run}/et.pfb"
    assert groundwater["barriers"] == {"z": "${run}/barrier.pfb"}


def test_a_source_of_the_phase_is_a_source_of_its_geometries(parflow: ParflowRun) -> None:
    parflow.keys["PhaseSources.water.Geom.domain.Value"] = 1e-5
    parflow.imported()
    assert parflow.yaml("groundwater")["sources"] == 1e-5


@pytest.mark.parametrize(
    ("changes", "step", "steps"),
    [
        ({"TimeStep.Value": 0.25}, 0.25, 20),
        ({"TimeStep.Value": 10.0}, 1.0, 5),  # cut at every output
        ({"TimeStep.Value": 10.0, "TimingInfo.DumpInterval": -1}, 5.0, 1),  # and at the end
        ({"TimingInfo.StopTime": 0.01, "TimeStep.Value": 0.001}, 0.001, 10),
        (
            {
                "TimeStep.Type": "Growth",
                "TimeStep.InitialStep": 0.5,
                "TimeStep.GrowthFactor": 2.0,
                "TimeStep.MaxStep": 1.0,
                "TimeStep.MinStep": 0.1,
            },
            5.0 / 6.0,
            6,
        ),
    ],
)
def test_without_a_land_the_run_has_the_steps_of_parflow(
    parflow: ParflowRun, changes: dict[str, object], step: float, steps: int
) -> None:
    parflow.keys |= changes
    parflow.imported()
    assert parflow.yaml("groundwater").get("richards", {}).get("time_step", 1.0) == pytest.approx(step)
    head = parflow.run()["soil_water__pressure_head"]
    assert np.isfinite(head.isel(time=-1)).all()
    assert f"coupled.yaml: time: {steps} steps" in (parflow.output / "import.md").read_text()


def test_a_record_that_ends_early_shortens_the_run_and_a_period_asks_for_one(parflow: ParflowRun) -> None:
    parflow.with_clm().keys["TimingInfo.StopTime"] = 100.0
    assert "has 30 rows, one an hour, the run needs 100" in parflow.imported().output
    assert parflow.yaml("coupled")["time"]["end"] == "2001-07-02T12:00"
    assert "the run of 100 h is made one of 12 h" in parflow.imported("--overwrite", "--period", "12h").output
    assert parflow.yaml("coupled")["time"]["end"] == "2001-07-01T18:00"
    assert "the run needs 48" in parflow("--overwrite", "--period", "2d").output


def test_layers_that_the_domain_does_not_hold_are_left_out(parflow: ParflowRun, tmp_path: Path) -> None:
    porosity = np.linspace(0.2, 0.4, NZ)[:, None, None] * np.ones(SHAPE)
    parflow.pfb("porosity.pfb", porosity)
    parflow.keys |= {
        "Geom.domain.Porosity.Type": "PFBFile",
        "Geom.domain.Porosity.FileName": "porosity.pfb",
        "Geom.domain.Lower.Z": 1.0,
        "Geom.domain.Upper.Z": 0.5 * NZ - 0.5,
    }
    assert "'domain' holds layers 2 to 9 of the computational grid's 0 to 10" in parflow.imported().output
    assert parflow.yaml("domain")["layers"] == [0.5] * (NZ - 3)
    np.testing.assert_array_equal(parflow.domain().porosity, porosity[2:-1])
    assert parflow.yaml("groundwater")["initial"] == {"water_table_depth": 1.0}


def test_cells_below_an_uneven_bottom_keep_their_water_and_let_none_through(parflow: ParflowRun) -> None:
    """A solid of two boxes side by side; the western one is 1.5 m higher at its bottom."""
    low, high = 0.0, 1.5
    corners = [(x, y, z) for x, z in ((0, high), (2000, high), (2000, low), (4000, low)) for y in (0, 1500)]
    top = 0.5 * NZ
    corners += [(x, y, top) for x in (0, 2000, 4000) for y in (0, 1500)]
    quads = {
        "ground": [(8, 9, 11, 10), (10, 11, 13, 12)],
        "base": [(0, 1, 3, 2), (4, 5, 7, 6)],
        "walls": [
            (0, 1, 9, 8),
            (6, 7, 13, 12),
            (2, 3, 5, 4),
            (0, 2, 10, 8),
            (1, 3, 11, 9),
            (4, 6, 12, 10),
            (5, 7, 13, 11),
        ],
    }
    with_solid(parflow)
    triangles, patches = [], []
    for parts in quads.values():
        patches.append([])
        for a, b, c, d in parts:
            patches[-1] += [len(triangles), len(triangles) + 1]
            triangles += [(a, b, c), (a, c, d)]
    lines = ["1", str(len(corners)), *(" ".join(map(str, c)) for c in corners), "1", str(len(triangles))]
    lines += [" ".join(map(str, t)) for t in triangles] + [str(len(patches))]
    lines += [str(n) for patch in patches for n in (len(patch), *patch)]
    (parflow.folder / "basin.pfsol").write_text("\n".join(lines) + "\n")
    parflow.keys |= {"Geom.domain.ICPressure.RefPatch": "ground", "Geom.domain.ICPressure.Value": -1.0}
    parflow.keys["Patch.ground.BCPressure.alltime.Value"] = -0.001
    assert f"{3 * 2 * NY} cells in {2 * NY} columns lie outside 'domain'" in parflow.imported().output
    domain = parflow.domain()
    assert (domain.conductivity_z[:3, :, :2] == 0.0).all()
    assert (domain.conductivity_z[3:] > 0.0).all()
    head = parflow.run()["soil_water__pressure_head"].values
    np.testing.assert_array_equal(head[-1, :3, :, :2], head[0, :3, :, :2])
    assert not np.array_equal(head[-1, 3:, :, :2], head[0, 3:, :, :2])


def test_without_terrain_following_layers_slopes_drive_overland_flow_only(parflow: ParflowRun) -> None:
    parflow.keys["Solver.TerrainFollowingGrid"] = False
    parflow.imported()
    assert parflow.yaml("domain")["slope_formulation"] == "level"
    head = parflow.run()["soil_water__pressure_head"].values
    np.testing.assert_allclose(head[-1], head[0], atol=1e-12)  # water at rest under level layers stays at rest


def test_a_roughness_that_no_surface_has_is_a_warning(parflow: ParflowRun) -> None:
    parflow.keys["Mannings.Geom.domain.Value"] = 3.6e-3
    assert "3.6e-03 h m-1/3" in parflow.imported().output.replace("0.0036 h", "3.6e-03 h")
    assert parflow.domain().manning[0, 0] == pytest.approx(12.96)


def test_the_first_lines_of_the_notes_say_what_is_the_same(parflow: ParflowRun) -> None:
    parflow.imported()
    head = (parflow.output / "import.md").read_text().split("##")[0]
    assert "ParFlow's equations" in head
    assert "Land:" not in head
    parflow.with_clm().imported("--overwrite")
    assert "Land: another model" in (parflow.output / "import.md").read_text().split("##")[0]


def test_parameters_of_the_vegetation_can_be_those_of_parflow_clm(parflow: ParflowRun) -> None:
    rows = {"lai": 3.0, "lai0": 1.0, "sai": 0.5, "displa": 0.65, "dleaf": 0.04, "roota": 7.0, "rootb": 2.0, "xl": -0.1}
    rows |= {f"{kind}{part}_{band}": 0.1 for kind in ("rho", "tau") for part in "ls" for band in ("vis", "nir")}
    text = "! comment\n" + "".join(f"{name}  what it is\n{' '.join([str(v)] * 18)}\n!\n" for name, v in rows.items())
    parflow.with_clm()
    (parflow.folder / "drv_vegp.dat").write_text(text)
    parflow.imported("--clm-vegetation")
    (cover,) = parflow.yaml("land")["vegetation"].values()
    assert (cover["canopy_height"], cover["leaf_area"], cover["stem_area"]) == (1.0, [1.0, 3.0], 0.5)
    depth = np.array([cover["root_depth_50"] / 100.0, 0.95])
    assert 1.0 - 0.5 * (np.exp(-7.0 * depth[0]) + np.exp(-2.0 * depth[0])) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.parametrize("name", ["OverlandFlow_DefaultForm", "OverlandKinematic_UpwindSine", "SeepageFace_Upwind"])
def test_imported_models_have_the_heads_of_the_real_parflow(reference: Path, tmp_path: Path, name: str) -> None:
    from bmi_richards import BmiRichards

    definition = reference / "parflow_models" / "window" / f"{name}.pfidb"
    expected = np.load(definition.with_suffix(".npz"))["pressure"]
    run = import_run(definition, tmp_path / "imported").run
    component = BmiRichards()
    component.initialize(str(run.with_name("groundwater.yaml")))
    land = "soil_root-zone_water__net_volume_flux"
    component.set_value(land, np.zeros_like(component.values[land]).ravel())
    for hour in range(1, len(expected)):
        component.update()
        error = component.values["soil_water__pressure_head"] - expected[hour]
        assert np.sqrt(np.nanmean(error**2)) <= 1e-6
        assert np.nanmax(np.abs(error)) <= 1e-4
    component.finalize()
