"""Coupled runs that processes share: the files, checkpoints, messages and exit codes of one process."""

import json
import shutil
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import signalled
import yaml
from click.testing import CliRunner
from mpi_runs import launch, needs_mpi
from pfb_weather import TYPICAL, write_weather

from bmi_common.groundwater import DISCHARGE
from bmi_common.netcdf_file import netcdf_name
from rootzone.bmi_run import main

pytestmark = [needs_mpi, pytest.mark.slow]

CASES = Path(__file__).parents[2] / "cfg"
BMI_RUN = (sys.executable, "-c", "from rootzone.bmi_run import main; main()")
STORE, GAUGES = "in_parts.zarr", "groundwater_point_name"
END, STOP = "2019-10-01T08:00", "2019-10-01T04-00-00"
FIELDS = (
    "land.land_surface_air_heat~net~latent__energy_flux",
    "land.land_surface__temperature",
    "groundwater.soil_water__pressure_head",
    "groundwater.soil_root-zone_water__net_volume_flux",
    "groundwater.soil_layer__thickness",
    "groundwater.land_surface_water_runoff__volume_flux",
    "groundwater.channel_water_x-section__volume_flow_rate",
)
"""Maps with and without layers, of part of the layers, a static one, and a gauge."""


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Path:
    """The demo basin, with files in double precision whose records end between checkpoints."""
    folder = tmp_path_factory.mktemp("case")
    shutil.copytree(CASES / "demo", folder / "demo")
    run = yaml.safe_load((CASES / "coupled-richards.yaml").read_text())
    common = {"precision": "double", "variables": list(FIELDS)}
    run["time"]["end"] = END
    intervals = {"hourly": "1h", "means": "3h"}
    run["output"] = [{"file": f"{name}.nc", "every": every, **common} for name, every in intervals.items()]
    if find_spec("zarr") is not None:
        rounded = {**common, "precision": "single", "significant_digits": 4}
        run["output"] += [{"file": "rounded.nc", "every": "3h", **rounded}]
        run["output"] += [{"file": f"{name}_{STORE}", "every": every, **common} for name, every in intervals.items()]
        run["output"] += [{"file": f"rounded_{STORE}", "every": "3h", **rounded}]
    run["checkpoint"] = {"every": "4h", "keep": 5}
    run["figures"] = False
    (folder / "run.yaml").write_text(yaml.safe_dump(run, sort_keys=False))
    return folder


def bmi_run(processes: int, *arguments: object, code: int = 0) -> str:
    texts = [str(a) for a in arguments]
    if processes > 1:
        return launch(processes, *BMI_RUN, *texts, code=code)
    result = CliRunner().invoke(main, texts)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def runs(case, tmp_path_factory) -> dict[int, Path]:
    """The run on one and on two processes."""
    found = {n: tmp_path_factory.mktemp("runs") / str(n) for n in (1, 2)}
    for processes, folder in found.items():
        bmi_run(processes, case / "run.yaml", "--output", folder)
    return found


def values(file: Path) -> dict[str, np.ndarray]:
    with netCDF4.Dataset(file) as data:
        data.set_auto_mask(False)
        return {name: np.asarray(v[...]) for name, v in data.variables.items() if v.dtype is not str}


def require_same_fields(one: Path, other: Path) -> None:
    for name in ("hourly", "means", "rounded"):
        if not (one / f"{name}.nc").exists():
            continue
        expected, found = values(one / f"{name}.nc"), values(other / f"{name}.nc")
        assert expected.keys() == found.keys()
        assert [v for v in expected if expected[v].tobytes() != found[v].tobytes()] == []
        if (one / f"{name}_{STORE}").exists():
            stored = zarr_values(other / f"{name}_{STORE}")
            assert stored.keys() == {v for v in expected if expected[v].dtype.kind != "S"} | {GAUGES}
            del stored[GAUGES]
            assert [v for v in stored if expected[v].tobytes() != stored[v].tobytes()] == []


def zarr_values(store: Path) -> dict[str, np.ndarray]:
    import zarr

    return {name: np.asarray(array[...]) for name, array in zarr.open_group(store, mode="r").arrays()}


def require_same_balance(one: Path, other: Path) -> None:
    expected, found = values(one / "water_balance.nc"), values(other / "water_balance.nc")
    with netCDF4.Dataset(one / "checkpoints" / STOP / "groundwater.nc") as state:
        storage = float(state["model_domain_water__storage_volume"][...])
    for name in expected:  # differences of storages are as exact as these
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, atol=1e-15 * storage)


@pytest.mark.parametrize("processes", [2, 4])
def test_files_hold_what_one_process_writes_to_the_last_bit(case, runs, tmp_path, processes) -> None:
    folder = runs.get(processes) or tmp_path / "run"
    if processes not in runs:
        bmi_run(processes, case / "run.yaml", "--output", folder)
    require_same_fields(runs[1], folder)
    require_same_balance(runs[1], folder)


@pytest.mark.parametrize(("first", "then"), [(2, 1), (1, 3)])
def test_a_restart_on_another_number_of_processes_changes_nothing(runs, tmp_path, first, then) -> None:
    shutil.copytree(runs[first], tmp_path / "run")
    bmi_run(then, "--restart", tmp_path / "run" / "checkpoints" / STOP)
    require_same_fields(runs[1], tmp_path / "run")
    require_same_balance(runs[1], tmp_path / "run")


def test_a_surrogate_in_segments_under_audit_goes_on_with_another_number_of_processes(case, tmp_path) -> None:
    run = yaml.safe_load((case / "run.yaml").read_text())
    physics = {"class": "bmi_richards:BmiRichards", "config": "demo/groundwater.yaml"}
    run["components"]["land"]["options"] = {"start": "2019-10-03T16:00"}
    run["time"] = {"start": "2019-10-03T16:00", "end": "2019-10-04T00:00", "step": "1h"}  # it rains
    run["output"] = run["output"][:2]
    (case / "physics.yaml").write_text(yaml.safe_dump(run, sort_keys=False))
    bmi_run(1, case / "physics.yaml", "--set", "time.end=2019-10-03T20:00", "--output", tmp_path / "physics")
    run["components"]["groundwater"]["class"] = "bmi_surrogate:BmiSurrogate"
    run["error_control"] = {
        "segments": {"length": "4h", "restart_from": str(tmp_path / "physics"), "restart": "all"},
        "audit": {
            "component": physics,
            "free_drainage": {**physics, "options": {"richards": {"mode": "free_drainage"}}},
            "every": "4h",
            "window": "3h",
            "thresholds": {"water_table": "1e-9 m", "soil_water": "1e-9 mm"},
            "action": "resync",
        },
        "residual": {"limit": 0.5, "over": "2h", "action": "stop"},
    }
    (case / "audited.yaml").write_text(yaml.safe_dump(run, sort_keys=False))
    for processes in (1, 2):
        bmi_run(processes, case / "audited.yaml", "--output", tmp_path / str(processes))
    decisions = [json.loads((tmp_path / n / "error_control.json").read_text()) for n in ("1", "2")]
    assert decisions[0] == decisions[1]
    assert [d["action"] for d in decisions[0]["decisions"]] == ["resync", "restart", "resync"]
    bmi_run(1, "--restart", tmp_path / "2" / "checkpoints" / "2019-10-03T20-00-00")
    require_same_fields(tmp_path / "1", tmp_path / "2")
    assert json.loads((tmp_path / "2" / "error_control.json").read_text()) == decisions[0]


def test_wells_irrigation_and_boundaries_are_those_of_one_process(tmp_path) -> None:
    boundaries = "groundwater.options.boundaries=[{side: south, flux: -1.0e-5}, {side: west, head: 103.0}]"
    passes = "groundwater.options.richards.passes={tolerance: 1.0e-8}"
    settings = ("time.end=2019-10-01T06:00", "figures=false", boundaries, passes)
    options = [text for setting in settings for text in ("--set", setting)]
    for processes in (1, 3):
        bmi_run(processes, CASES / "demo_wells.yaml", *options, "--output", tmp_path / str(processes))
    for file in ("hourly.nc", "wells.nc"):
        expected, found = (values(tmp_path / str(n) / file) for n in (1, 3))
        assert [v for v in expected if expected[v].tobytes() != found[v].tobytes()] == []
    expected, found = (values(tmp_path / str(n) / "water_balance.nc") for n in (1, 3))
    for term in ("boundary_inflow", "extraction", "irrigation", "injection", "outflow"):
        assert np.any(expected[term] != 0.0), term
        np.testing.assert_allclose(found[term], expected[term], rtol=1e-11)


def write_readin(path: Path, cover: np.ndarray) -> None:
    """Write classes of all cells, and a texture that tells the number of the line."""
    line = np.arange(cover.size)
    none = np.zeros(cover.size)
    profiles = [none, 20.0 + line % 40, 30.0 - line % 20, none, 140.0 + line % 9]
    np.savetxt(path, np.c_[none, none, cover, none, none, np.repeat(profiles, 8, axis=0).T], "%.6g")


def with_holes(case: Path, mask: np.ndarray) -> Path:
    """Write a run whose groundwater has fewer cells than its land, which takes the values of the nearest there."""
    run, domain = (yaml.safe_load((case / name).read_text()) for name in ("run.yaml", "demo/domain.yaml"))
    np.savez(case / "demo" / "holes.npz", mask=mask)
    domain["mask"] = {"file": "holes.npz", "variable": "mask"}
    (case / "demo" / "holes.yaml").write_text(yaml.safe_dump(domain))
    run["components"]["groundwater"]["options"] = {"domain": "holes.yaml"}
    for exchange in run["exchanges"][:2]:
        exchange["fill"] = "nearest"
    (case / "holes.yaml").write_text(yaml.safe_dump(run, sort_keys=False))
    return case / "holes.yaml"


def test_weather_in_pfb_files_colm_readin_gauges_by_coordinates_and_filled_cells_are_shared(case, tmp_path) -> None:
    with netCDF4.Dataset(case / "demo" / "domain.nc") as data:
        shape = data["mask"].shape
        cover, mask = np.ma.filled(data["land_cover"][...], 0).ravel(), np.ma.filled(data["mask"][...], 0.0)
        north, east = (float(data[name][1, 26]) for name in ("latitude", "longitude"))
    for variable in TYPICAL:
        write_weather(tmp_path, variable, 1, 24, shape)
    write_readin(tmp_path / "CoLM_readin.dat", cover)
    mask[4:, ::9] = mask[4:, 1::9] = 0.0  # the gauge lies further south
    run = with_holes(case, mask)
    gauges = f"{{a: {{easting: 722500.0, northing: 2688500.0}}, b: {{latitude: {north}, longitude: {east}}}}}"
    options = (
        f"land.options.forcing={{type: parflow, directory: {tmp_path}, start: 2019-10-01T00:00}}",
        f"land.options.land_cover={{colm: {tmp_path}/CoLM_readin.dat}}",
        f"land.options.soil_texture={{colm: {tmp_path}/CoLM_readin.dat}}",
        f"groundwater.options.gauges={gauges}",
        "output=[{file: hourly.nc, every: 1h, precision: double, variables: ["
        "land.land_surface__temperature, groundwater.channel_water_x-section__volume_flow_rate]}]",
        "time.end=2019-10-01T05:00",
    )
    settings = [text for option in options for text in ("--set", option)]
    for processes in (1, 2):
        bmi_run(processes, run, *settings, "--output", tmp_path / str(processes))
    expected, found = (values(tmp_path / str(n) / "hourly.nc") for n in (1, 2))
    assert [v for v in expected if expected[v].tobytes() != found[v].tobytes()] == []
    flow = found[netcdf_name(DISCHARGE)]
    assert np.all(flow[:, 0] == flow[:, 1])  # both gauges are at the outlet
    assert np.all(flow > 0.0)


@pytest.mark.parametrize(
    ("file", "settings", "message"),
    [
        ("coupled-richards.yaml", ["mpi.decomposition=[2, 2]"], "mpi.decomposition: 2 times 2 are 4 parts"),
        ("coupled.yaml", ["groundwater.options.surrogate.engine=torch"], "share a domain with engine: compiled only"),
        ("coupled-parflow.yaml", [], "bmi_parflow:BmiParflow cannot share its domain"),
        ("coupled-richards.yaml", ["time.stop=3"], "time.stop: unknown key"),
    ],
)
def test_what_processes_cannot_share_is_refused_in_one_message_before_anything_is_written(
    tmp_path, file, settings, message
) -> None:
    options = [text for setting in settings for text in ("--set", setting)]
    told = bmi_run(2, CASES / file, *options, "--output", tmp_path / "run", code=2)
    assert message in told
    assert told.count("bmi-run: ") == 1
    assert not (tmp_path / "run").exists()


def bmi_runs(first: list[object], second: list[object], cwd: tuple[Path, Path], code: int = 2) -> str:
    """Run two processes with arguments, and in a folder, of their own; require one message."""
    places = [("-wdir", str(folder)) for folder in cwd]
    one, other = ((*place, *BMI_RUN, *map(str, own)) for place, own in zip(places, (first, second), strict=True))
    told = launch(1, *one, ":", "-n", "1", *other, code=code)
    assert told.count("bmi-run: ") == 1
    assert "Traceback" not in told
    return told


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (["--output", "run"], ["--output", "other"], "another folder (run and other)"),
        (["--check"], ["--output", "run"], "another work (a check and a run)"),
        (["--restart", "run"], ["--output", "run"], "another work (a restart and a run)"),
    ],
)
def test_processes_that_were_told_different_things_are_refused(case, tmp_path, first, second, message) -> None:
    file = case / "run.yaml"
    told = bmi_runs([file, *first], [file, *second], (tmp_path, tmp_path))
    assert message in told
    assert list(tmp_path.iterdir()) == []


def test_processes_that_see_other_files_are_refused(case, runs, tmp_path) -> None:
    folders = tmp_path / "one", tmp_path / "other"
    for folder in folders:
        shutil.copytree(case, folder)
    runs_of_one = [["run.yaml", "--output", "run"]] * 2
    if find_spec("zarr") is not None:
        assert "process 1 has another folder there" in bmi_runs(*runs_of_one, folders)
        assert not [folder for folder in folders if (folder / "run").exists()]
    for folder in folders:
        shutil.copytree(runs[1], folder / "run")
    told = bmi_runs(*[["--restart", f"run/checkpoints/{STOP}"]] * 2, folders)
    assert "all processes read its checkpoint" in told
    with (folders[1] / "demo" / "land.yaml").open("a") as land:
        land.write("# another\n")
    assert "another file of land" in bmi_runs(*[["run.yaml", "--output", "new"]] * 2, folders)


def test_a_mistake_in_the_options_is_told_once(case) -> None:
    told = launch(2, *BMI_RUN, str(case / "run.yaml"), "--nonsense", code=2)
    assert told.count("No such option") == 1


def test_more_processes_than_columns_are_refused(case, tmp_path) -> None:
    shutil.copytree(case, tmp_path / "case")
    with netCDF4.Dataset(tmp_path / "case" / "demo" / "domain.nc", "a") as data:
        active = np.argwhere(data["mask"][...] > 0)
        data["mask"][...] = 0.0
        for j, i in active[:2]:
            data["mask"][j, i] = 1.0
    told = bmi_run(3, tmp_path / "case" / "run.yaml", "--output", tmp_path / "run", code=2)
    assert "2 active columns" in told
    assert "use fewer" in told
    assert told.count("bmi-run: ") == 1


def test_a_mistake_in_the_part_of_another_process_names_the_cell_of_the_whole_domain(case, tmp_path) -> None:
    shutil.copytree(case, tmp_path / "case")
    with netCDF4.Dataset(tmp_path / "case" / "demo" / "domain.nc", "a") as data:
        j, i = np.argwhere(data["mask"][...] > 0)[-1]  # of the northernmost row
        data["porosity"][..., j, i] = 5.0
    told = bmi_run(2, tmp_path / "case" / "run.yaml", "--output", tmp_path / "run", code=2)
    assert "porosity must lie between 0.001 and 1, got 5" in told
    assert f"j={j}, i={i})" in told
    assert told.count("bmi-run: ") == 1
    assert not (tmp_path / "run").exists()


def test_a_guard_in_one_process_ends_all_with_the_message_of_one(case, runs, tmp_path) -> None:
    ponded = values(runs[1] / "hourly.nc")["land_surface_water_runoff__volume_flux"]
    limit = 0.5 * float(np.nanmax(np.where(ponded < 1e30, ponded, np.nan)))
    setting = f"checks.ranges={{groundwater.land_surface_water_runoff__volume_flux: [0.0, {limit}]}}"
    told = bmi_run(2, case / "run.yaml", "--set", setting, "--output", tmp_path / "run", code=1)
    assert "land_surface_water_runoff__volume_flux is" in told
    assert told.count("bmi-run: ") == 1
    assert values(tmp_path / "run" / "hourly.nc")["time"].size < 8


def test_an_interrupt_of_one_process_ends_all_with_a_checkpoint(case, runs, tmp_path) -> None:
    folder = tmp_path / "run"
    script = (sys.executable, signalled.__file__, "1", str(int(signal.SIGINT)), str(folder))
    told = launch(2, *script, str(case / "run.yaml"), "--output", str(folder), code=130)
    assert "go on with bmi-run --restart" in told
    bmi_run(1, "--restart", folder)
    require_same_fields(runs[1], folder)


def test_a_process_that_is_killed_takes_the_others_along_and_the_run_goes_on_from_its_checkpoint(
    case, runs, tmp_path
) -> None:
    folder = tmp_path / "run"
    script = (sys.executable, signalled.__file__, "1", str(int(signal.SIGKILL)), str(folder))
    launch(2, *script, str(case / "run.yaml"), "--output", str(folder), code=9)
    bmi_run(1, "--restart", folder)
    require_same_fields(runs[1], folder)
