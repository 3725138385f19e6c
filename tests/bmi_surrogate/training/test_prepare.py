"""The training store is what the runs say, and runs that will not do are refused with one message."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from training_stores import START, Floats, make_domain, make_series, write_netcdf, write_parflow

from bmi_common import Config, ConfigError, Domain, DomainConfig, load_config
from bmi_common.owned_folder import taken
from bmi_surrogate.training import prepare as prepare_module
from bmi_surrogate.training.prepare import DataConfig, prepare
from bmi_surrogate.training.store import DESCRIPTION, HEAD, STORE, Segment, Store
from rootzone.bmi_run import main

pytestmark = pytest.mark.slow

HOURS = 60
HEAD_NAME = "soil_water__pressure_head"
SOURCE_NAME = "soil_root-zone_water__net_volume_flux"


@pytest.fixture
def domain() -> Domain:
    return make_domain(inactive=0.2)


@pytest.fixture
def series(domain: Domain) -> tuple[Floats, Floats]:
    """Heads at the hours 0 to 60 and the sources between them."""
    return make_series(domain, HOURS)


def build(tmp_path: Path, domain: Domain, *runs: Path, validation_hours: int = 0, **more: Any) -> Store:
    spec = DataConfig(store=tmp_path / "store", runs=list(runs), validation_hours=validation_hours, **more)
    return prepare(spec, domain)


def one_file(tmp_path: Path, domain: Domain, series: tuple[Floats, Floats], name: str = "run.nc", **more: Any) -> Path:
    head, source = series
    return write_netcdf(tmp_path / name, domain, head[1:], source, **more)


def assert_holds(store: Store, head: Floats, source: Floats, hour: int = 0) -> None:
    found = store.window(hour, len(source))
    np.testing.assert_array_equal(found[0], np.nan_to_num(head))
    np.testing.assert_array_equal(found[1], np.nan_to_num(source).astype(np.float32))


def test_a_run_with_water_that_is_not_from_the_land_is_refused(
    tmp_path: Path, domain: Domain, series: tuple[Floats, Floats]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    one_file(run, domain, series)
    with netCDF4.Dataset(run / "water_balance.nc", "w") as file:
        file.createDimension("time", HOURS)
        for term in ("surface_flux", "boundary_inflow"):
            file.createVariable(term, "f8", ("time",))[:] = 0.0
    build(tmp_path, domain, run)
    with netCDF4.Dataset(run / "water_balance.nc", "a") as file:
        file["boundary_inflow"][7] = -1.0
    with pytest.raises(ConfigError, match=r"boundary_inflow is not 0 in all steps; .* without `boundaries`"):
        build(tmp_path / "again", domain, run)


# ----------------------------------------------------------------- no hour twice


@pytest.mark.parametrize(
    "how", ["the same path", "a link", "a copy", "in single precision", "a part", "at other dates"]
)
def test_hours_that_two_runs_have_are_not_trained_on_and_validated_with(
    tmp_path: Path, domain: Domain, series: tuple[Floats, Floats], how: str
) -> None:
    run, second = one_file(tmp_path, domain, series), tmp_path / "second.nc"
    head, source = series
    if how == "the same path":
        second = run
    elif how == "a link":
        second.symlink_to(run)
    elif how == "a copy":
        second.write_bytes(run.read_bytes())
    elif how == "in single precision":
        one_file(tmp_path, domain, (head.astype(np.float32), source.astype(np.float32)), "second.nc")
    elif how == "a part":
        one_file(tmp_path, domain, (head[40:50], source[40:49]), "second.nc", start=START + timedelta(hours=40))
    else:
        one_file(tmp_path, domain, series, "second.nc", start=START + timedelta(days=400))
    for order in ([run, second], [second, run]):
        with pytest.raises(ConfigError, match="holds the same hours") as told:
            build(tmp_path, domain, *order)
        assert str(order[1]) in str(told.value)
        assert str(order[0]) in str(told.value)
    assert not (tmp_path / "store").exists()


def test_a_copy_of_a_run_of_parflow_is_refused(tmp_path: Path, domain: Domain, series: tuple[Floats, Floats]) -> None:
    head, source = series[0][:6], series[1][:5]
    folders = [write_parflow(tmp_path / name, head, source, name=name) for name in ("basin", "renamed")]
    with pytest.raises(ConfigError, match=r"renamed: holds the same hours as .*basin, such as .*press\.0000"):
        build(tmp_path, domain, *folders)


def test_runs_of_the_same_time_under_other_sources_are_other_runs(
    tmp_path: Path, domain: Domain, series: tuple[Floats, Floats]
) -> None:
    head, source = series
    dry = one_file(tmp_path, domain, (head, source))
    wet = one_file(tmp_path, domain, (head, source + 1.0e-4), "wet.nc")  # heads that do not move in either
    assert build(tmp_path, domain, dry, wet).hours == 2 * (HOURS - 1)


# ----------------------------------------------------------------- bmi-run


def test_a_run_gives_its_hours_but_the_first(tmp_path: Path, domain: Domain, series: tuple[Floats, Floats]) -> None:
    store = build(tmp_path, domain, one_file(tmp_path, domain, series))
    assert store.segments == (Segment(HOURS - 1, START + timedelta(hours=1)),)
    assert_holds(store, series[0][1:], series[1][1:])


@pytest.mark.parametrize(("which", "value"), [(0, 1e300), (1, -1e5)])
def test_heads_and_sources_that_no_run_has_are_refused(
    tmp_path: Path, domain: Domain, series: tuple[Floats, Floats], which: int, value: float
) -> None:
    series[which][20, 3, 0, 0] = value
    with pytest.raises(ConfigError, match=r"must lie between -1\d+ and 1\d+ (m|h-1), got .*\(k=3, j=0, i=0\)"):
        build(tmp_path, domain, one_file(tmp_path, domain, series))


def test_a_real_run_of_the_coupler_closes_hour_by_hour(tmp_path: Path) -> None:
    """The fake groundwater raises its head by the source, so heads and sources must belong to the same hours."""
    grid = {"nx": 4, "ny": 3, "layers": 11, "mask": 2}
    run = {
        "time": {"start": "2020-01-01T00:00", "end": "2020-01-02T06:00", "step": "1h"},
        "components": {
            "land": {"class": "zoo:TypicalLand", "config": "land.yaml"},
            "groundwater": {"class": "zoo:Bucket", "config": "groundwater.yaml"},
        },
        "order": ["land", "groundwater"],
        "exchanges": [
            {"from": f"groundwater.{HEAD_NAME}", "to": f"land.{HEAD_NAME}"},
            {"from": "groundwater.soil_water__saturation", "to": "land.soil_water__saturation"},
            {"from": f"land.{SOURCE_NAME}", "to": f"groundwater.{SOURCE_NAME}"},
        ],
        "output": [
            {"file": "daily.nc", "every": "1d", "variables": [f"groundwater.{HEAD_NAME}"], "precision": "double"},
            {"file": "a.nc", "every": "1h", "variables": [f"groundwater.{HEAD_NAME}"], "precision": "double"},
            {"file": "b.nc", "every": "1h", "variables": [f"land.{SOURCE_NAME}"], "precision": "double"},
            {"file": "rough.nc", "every": "1h", "variables": [f"groundwater.{HEAD_NAME}", f"land.{SOURCE_NAME}"]},
        ],
    }
    for name, content in (("coupled", run), ("land", grid), ("groundwater", grid)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    result = CliRunner().invoke(main, [str(tmp_path / "coupled.yaml"), "--output", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output

    basin = Domain.load(
        DomainConfig.model_validate(
            {
                "grid": {"nx": 4, "ny": 3, "dx": 1000.0, "dy": 1000.0},
                "layers": [10.0] + [0.5] * 10,
                "root_zone": {"layers": 10},
                "mask": {"file": mask_file(tmp_path), "variable": "mask"},
                "porosity": 0.4,
                "van_genuchten": {"alpha": 2.0, "n": 2.0, "residual_saturation": 0.1},
            }
        )
    )
    store = build(tmp_path, basin, tmp_path / "out")
    assert store.hours == 29
    head, source = store.window(0, 29)
    rise = np.diff(head[:, -10:], axis=0)
    assert np.abs(rise).max() > 1e-3
    np.testing.assert_allclose(rise, source, rtol=1e-5, atol=1e-9)  # sources are stored in single precision
    assert (head[..., ~basin.mask] == 0.0).all()


def mask_file(folder: Path) -> str:
    mask = np.ones((3, 4))
    mask.flat[:2] = 0.0
    np.savez(folder / "mask.npz", mask=mask)
    return str(folder / "mask.npz")


def test_runs_whose_times_touch_join_without_losing_an_hour(
    tmp_path: Path, domain: Domain, series: tuple[Floats, Floats]
) -> None:
    head, source = series
    first = write_netcdf(tmp_path / "a.nc", domain, head[1:31], source[:30])
    second = write_netcdf(tmp_path / "b.nc", domain, head[31:], source[30:], START + timedelta(hours=30))
    store = build(tmp_path, domain, first, second)
    assert [s.hours for s in store.segments] == [HOURS - 1]
    assert_holds(store, head[1:], source[1:])


def test_runs_with_time_between_them_are_segments(
    tmp_path: Path, domain: Domain, series: tuple[Floats, Floats]
) -> None:
    head, source = series
    first = write_netcdf(tmp_path / "a.nc", domain, head[1:31], source[:30])
    second = write_netcdf(tmp_path / "b.nc", domain, head[31:], source[30:], START + timedelta(hours=31))
    store = build(tmp_path, domain, first, second)
    assert [s.hours for s in store.segments] == [29, 29]
    assert_holds(store, head[1:31], source[1:30])
    assert_holds(store, head[31:], source[31:], hour=29)
    assert store.time(29) == START + timedelta(hours=32)


@pytest.mark.parametrize("hours", [3, 29, 30, 45, 10_000])
def test_hours_limit_what_is_taken(tmp_path: Path, domain: Domain, series: tuple[Floats, Floats], hours: int) -> None:
    head, source = series
    first = write_netcdf(tmp_path / "a.nc", domain, head[1:31], source[:30])
    second = write_netcdf(tmp_path / "b.nc", domain, head[31:], source[30:], START + timedelta(hours=30))
    store = build(tmp_path, domain, first, second, hours=hours)
    taken = min(hours, HOURS - 1)
    assert store.hours == taken
    assert_holds(store, head[1 : taken + 2], source[1 : taken + 1])


def test_units_are_converted(tmp_path: Path, domain: Domain, series: tuple[Floats, Floats]) -> None:
    file = one_file(tmp_path, domain, (series[0] * 100.0, series[1]))
    with netCDF4.Dataset(file, "a") as data:
        data[HEAD_NAME].units = "cm"
    store = build(tmp_path, domain, file)
    np.testing.assert_allclose(store.window(0, 9)[0], np.nan_to_num(series[0][1:11]), rtol=1e-14)


def test_wetting_is_the_positive_source_of_the_upper_layers(
    tmp_path: Path, domain: Domain, series: tuple[Floats, Floats]
) -> None:
    store = build(tmp_path, domain, one_file(tmp_path, domain, series))
    top = np.maximum(series[1][1:, -3:], 0.0) * domain.dz[-3:, None, None]
    np.testing.assert_allclose(store.wetting, np.nanmean(top.sum(axis=1), axis=(1, 2)), rtol=1e-12)


def test_single_precision_is_warned_of(
    tmp_path: Path, domain: Domain, series: tuple[Floats, Floats], caplog: pytest.LogCaptureFixture
) -> None:
    build(tmp_path, domain, one_file(tmp_path, domain, series, precision="f4"))
    assert "run.nc: heads in single precision" in caplog.text


class _File(Config):
    data: DataConfig


def test_paths_are_relative_to_the_file_that_names_them(
    tmp_path: Path, domain: Domain, series: tuple[Floats, Floats]
) -> None:
    one_file(tmp_path, domain, series)
    file = tmp_path / "train.yaml"
    file.write_text("data: {runs: [run.nc], store: prepared, validation_hours: 9}")
    store = prepare(load_config(file, _File).data, domain)
    assert (store.folder, store.training_hours) == (tmp_path / "prepared", HOURS - 10)
    file.write_text("data: {runs: [runs.nc], store: prepared}")
    with pytest.raises(ConfigError, match=r"train\.yaml:1: data\.runs\.0: no such file: .*did you mean 'run\.nc'"):
        load_config(file, _File)


# ----------------------------------------------------------------- ParFlow


@pytest.mark.parametrize("first", [0, 17])
def test_a_parflow_run_gives_all_its_hours(
    tmp_path: Path, domain: Domain, series: tuple[Floats, Floats], first: int
) -> None:
    head, source = (s[:31] if i == 0 else s[:30] for i, s in enumerate(series))
    store = build(tmp_path, domain, write_parflow(tmp_path / "run", head, source, first))
    assert store.segments == (Segment(30, None),)
    assert store.time(3) is None
    assert_holds(store, head, source)


def parflow_folder(tmp_path: Path, domain: Domain) -> Path:
    return write_parflow(tmp_path / "run", *make_series(domain, 5))


@pytest.mark.parametrize("kind", ["press", "evaptrans"])
def test_a_missing_dump_is_a_gap(tmp_path: Path, domain: Domain, kind: str) -> None:
    folder = parflow_folder(tmp_path, domain)
    (folder / f"basin.out.{kind}.00003.pfb").unlink()
    with pytest.raises(ConfigError, match=rf"gap: no file \*\.out\.{kind}\.00003\.pfb.*00000 to 00005"):
        build(tmp_path, domain, folder)


def test_a_parflow_run_without_sources_is_refused(tmp_path: Path, domain: Domain) -> None:
    folder = parflow_folder(tmp_path, domain)
    for file in folder.glob("*evaptrans*"):
        file.unlink()
    with pytest.raises(ConfigError, match=r"no file \*\.out\.evaptrans.*PrintEvapTrans"):
        build(tmp_path, domain, folder)


def test_two_parflow_runs_in_a_folder_are_refused(tmp_path: Path, domain: Domain) -> None:
    folder = parflow_folder(tmp_path, domain)
    write_parflow(folder, *make_series(domain, 2), name="other")
    with pytest.raises(ConfigError, match="several runs of ParFlow \\(basin, other\\)"):
        build(tmp_path, domain, folder)


def test_parflow_fields_of_another_grid_are_refused(tmp_path: Path, domain: Domain) -> None:
    folder = parflow_folder(tmp_path, make_domain(ny=4))
    with pytest.raises(ConfigError, match=r"press\.00000\.pfb: has \(nz, ny, nx\) = \(11, 4, 5\)"):
        build(tmp_path, domain, folder)


def test_parflow_sources_below_the_root_zone_are_refused(tmp_path: Path, domain: Domain) -> None:
    head, _ = make_series(domain, 5)
    source = np.zeros((5, 11, 6, 5))
    source[2, 0, 0, 0] = 1e-3
    folder = write_parflow(tmp_path / "run", head, source)
    with pytest.raises(ConfigError, match=r"evaptrans\.00003\.pfb: the source is 0\.001 h-1 in cell \(k=0, j=0, i=0\)"):
        build(tmp_path, domain, folder)


@pytest.mark.parametrize(("interval", "refused"), [(1.0, False), (24.0, True), (-1, False)])
def test_the_dump_interval_must_be_an_hour(tmp_path: Path, domain: Domain, interval: float, refused: bool) -> None:
    from parflow.tools.io import write_dict_as_pfidb

    folder = parflow_folder(tmp_path, domain)
    keys = {"TimingInfo.DumpInterval": interval, "TimingInfo.BaseUnit": 1.0}
    write_dict_as_pfidb(keys, str(folder / "basin.pfidb"))
    if not refused:
        build(tmp_path, domain, folder)
        return
    with pytest.raises(ConfigError, match=r"basin\.pfidb: TimingInfo\.DumpInterval is 24 h"):
        build(tmp_path, domain, folder)


# ------------------------------------------------------------------- reuse


def test_a_store_that_is_up_to_date_is_reused(
    tmp_path: Path, domain: Domain, series: tuple[Floats, Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = one_file(tmp_path, domain, series)
    build(tmp_path, domain, file)
    monkeypatch.setattr(prepare_module, "_make", lambda *_: pytest.fail("made again"))
    assert build(tmp_path, domain, file, validation_hours=7).training_hours == HOURS - 8
    assert build(tmp_path, domain).hours == HOURS - 1  # without runs it is taken as it is


@pytest.mark.parametrize("what", ["input", "limit", "mask", "unfinished", "array"])
def test_a_store_that_is_out_of_date_is_made_again(
    tmp_path: Path, domain: Domain, series: tuple[Floats, Floats], what: str
) -> None:
    file = one_file(tmp_path, domain, series)
    first = build(tmp_path, domain, file)
    with taken(first.folder, STORE) as store:
        store.own("statistics.yaml")
        (first.folder / "statistics.yaml").write_text("key: of the first store\n")
    more: dict[str, Any] = {}
    if what == "input":
        one_file(tmp_path, domain, (series[0] + 1.0, series[1]))
        os.utime(file, (1e9, 1e9))
    elif what == "limit":
        more["hours"] = 20
    elif what == "mask":
        domain = make_domain(mask=np.isfinite(series[0][0, 0]) & (np.arange(5) > 0))
    elif what == "unfinished":
        (first.folder / DESCRIPTION).unlink()
    else:
        (first.folder / HEAD).unlink()
    again = build(tmp_path, domain, file, **more)
    shift = 1.0 if what == "input" else 0.0
    expected = np.where(domain.mask, series[0][1:4] + shift, 0.0)
    np.testing.assert_array_equal(again.window(0, 2)[0], expected)
    assert again.hours == more.get("hours", HOURS - 1)
    assert not (first.folder / "statistics.yaml").exists()


def test_an_interrupted_copy_leaves_no_store(tmp_path: Path, domain: Domain, series: tuple[Floats, Floats]) -> None:
    file = one_file(tmp_path, domain, series)
    spec = DataConfig(store=tmp_path / "store", runs=[file], validation_hours=0)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(spec, domain, interrupt)
    with pytest.raises(ConfigError, match="no finished training store"):
        Store.open(spec.store)
    told: list[tuple[int, int]] = []
    prepare(spec, domain, lambda done, total: told.append((done, total)))
    assert told == [(23, 59), (47, 59), (59, 59)]


# --------------------------------------------------------------- bad input


def test_a_folder_of_something_else_is_not_written_to(
    tmp_path: Path, domain: Domain, series: tuple[Floats, Floats]
) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "thesis.tex").write_text("")
    with pytest.raises(ConfigError, match=r"other things than a training store \(thesis\.tex\)"):
        build(tmp_path, domain, one_file(tmp_path, domain, series))


def test_a_full_disk_is_seen_beforehand(
    tmp_path: Path, domain: Domain, series: tuple[Floats, Floats], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(prepare_module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ConfigError, match=r"the disk has 0\.00 GB left"):
        build(tmp_path, domain, one_file(tmp_path, domain, series))


def test_a_folder_without_runs_is_refused(tmp_path: Path, domain: Domain) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"empty: holds neither files of bmi-run \(NetCDF or Zarr\) nor"):
        build(tmp_path, domain, tmp_path / "empty")


@pytest.mark.parametrize(("missing", "name"), [(0, HEAD_NAME), (1, SOURCE_NAME)])
def test_a_missing_variable_is_named(
    tmp_path: Path, domain: Domain, series: tuple[Floats, Floats], missing: int, name: str
) -> None:
    given = [series[0][1:], series[1]]
    given[missing] = None  # type: ignore[call-overload]
    file = write_netcdf(tmp_path / "run.nc", domain, *given)
    with pytest.raises(ConfigError, match=rf"no series of {name} in run\.nc.*every: 1h"):
        build(tmp_path, domain, file)


def test_daily_records_are_refused(tmp_path: Path, domain: Domain, series: tuple[Floats, Floats]) -> None:
    file = one_file(tmp_path, domain, series, every=24)
    with pytest.raises(ConfigError, match="soil_water__pressure_head has no hourly records"):
        build(tmp_path, domain, file)


def test_a_missing_hour_is_named(tmp_path: Path, domain: Domain, series: tuple[Floats, Floats]) -> None:
    file = one_file(tmp_path, domain, series)
    with netCDF4.Dataset(file, "a") as data:
        data["time"][10:] = data["time"][10:] + 1.0
    with pytest.raises(ConfigError, match="gap: after the hour ending 2019-10-01 10:00 comes 2019-10-01 12:00"):
        build(tmp_path, domain, file)


def test_heads_and_sources_of_different_hours_are_refused(
    tmp_path: Path, domain: Domain, series: tuple[Floats, Floats]
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    write_netcdf(folder / "head.nc", domain, series[0][1:])
    write_netcdf(folder / "source.nc", domain, None, series[1][:-1])
    with pytest.raises(ConfigError, match=r"source\.nc: .* has 59 hours from .*head\.nc 60 hours"):
        build(tmp_path, domain, folder)


@pytest.mark.parametrize("what", ["head", "source"])
def test_a_missing_value_in_an_active_cell_is_named(
    tmp_path: Path, domain: Domain, series: tuple[Floats, Floats], what: str
) -> None:
    values = series[0] if what == "head" else series[1]
    values[31, -2, 0, 0] = np.nan
    hour = "07:00" if what == "head" else "08:00"  # head 31 ends hour 31, source 31 the next
    k = 9 if what == "head" else 8
    file = one_file(tmp_path, domain, series)
    with pytest.raises(
        ConfigError,
        match=rf"run\.nc: soil_.*, record ending 2019-10-02 {hour}: is nan in the active cell \(k={k}, j=0, i=0",
    ):
        build(tmp_path, domain, file)
    with pytest.raises(ConfigError, match="no finished training store"):
        Store.open(tmp_path / "store")


def test_another_grid_is_refused(tmp_path: Path, domain: Domain, series: tuple[Floats, Floats]) -> None:
    file = one_file(tmp_path, domain, series)
    with pytest.raises(ConfigError, match=r"soil_water__pressure_head has \(11, 6, 5\) cells.*\(11, 6, 7\)"):
        build(tmp_path, make_domain(nx=7), file)
    with netCDF4.Dataset(file, "a") as data:
        data["x"][:] = data["x"][:] + 500.0
    with pytest.raises(ConfigError, match=r"another grid: x goes from 1000 to 5000 m there, from 500 to 4500 m"):
        build(tmp_path, domain, file)


def test_other_layers_are_refused(tmp_path: Path, domain: Domain, series: tuple[Floats, Floats]) -> None:
    file = one_file(tmp_path, domain, series)
    with netCDF4.Dataset(file, "a") as data:
        data["layer_thickness"][0] = 100.0
    with pytest.raises(ConfigError, match=r"layer 0 \(from the bottom\) is 100 m thick there, 10 m in the domain"):
        build(tmp_path, domain, file)


def test_too_few_hours_are_refused_before_anything_is_copied(
    tmp_path: Path, domain: Domain, series: tuple[Floats, Floats]
) -> None:
    with pytest.raises(ConfigError, match=r"run\.nc: 59 h of data, of which 59 h validate"):
        build(tmp_path, domain, one_file(tmp_path, domain, series), validation_hours=59)
    assert not (tmp_path / "store").exists()


def test_a_single_hour_is_refused(tmp_path: Path, domain: Domain, series: tuple[Floats, Floats]) -> None:
    file = write_netcdf(tmp_path / "run.nc", domain, series[0][:1], series[1][:1])
    with pytest.raises(ConfigError, match="a single hour"):
        build(tmp_path, domain, file)


def test_a_file_that_is_no_netcdf_is_refused(tmp_path: Path, domain: Domain) -> None:
    (tmp_path / "run.nc").write_text("no NetCDF")
    with pytest.raises(ConfigError, match=r"run\.nc: not a readable NetCDF file"):
        build(tmp_path, domain, tmp_path / "run.nc")


CONFIGURATION = {"time": {"step": "1h"}, "order": ["land", "groundwater"]}


@pytest.mark.parametrize(
    ("change", "methods", "message"),
    [
        ({}, ("mean", "mean"), None),
        ({}, ("point", "point"), None),
        ({"time": {"step": "15min"}}, ("mean", "mean"), "mean over an hour of several steps.*method: point"),
        ({"time": {"step": "15min"}}, ("point", "mean"), None),
        ({"time": {"step": "15min"}}, ("point", "point"), "the last of several steps in an hour.*method: mean"),
        ({}, ("mean (interval: 0.5 hours)", "mean"), "mean over an hour of several steps.*method: point"),
        ({}, ("point (interval: 0.5 hours)", "mean"), None),
        ({"time": {"step": "60min"}}, ("mean", "point"), None),
        ({"order": ["groundwater", "land"]}, ("mean", "mean"), "groundwater steps before land in this run"),
    ],
)
def test_heads_that_do_not_end_the_hour_and_sources_that_are_not_its_mean_are_refused(
    tmp_path: Path,
    domain: Domain,
    series: tuple[Floats, Floats],
    change: dict[str, Any],
    methods: tuple[str, str],
    message: str | None,
) -> None:
    file = one_file(tmp_path, domain, series)
    with netCDF4.Dataset(file, "a") as data:
        data.run_configuration = yaml.safe_dump(CONFIGURATION | change)
        names = (HEAD_NAME, "soil_root_zone_water__net_volume_flux")
        for name, component, method in zip(names, ("groundwater", "land"), methods, strict=True):
            data[name].component = component
            data[name].cell_methods = f"time: {method}"
    if message is None:
        assert build(tmp_path, domain, file).hours == HOURS - 1
        return
    with pytest.raises(ConfigError, match=message):
        build(tmp_path, domain, file)


def test_a_store_of_another_domain_is_not_taken_as_it_is(
    tmp_path: Path, domain: Domain, series: tuple[Floats, Floats]
) -> None:
    build(tmp_path, domain, one_file(tmp_path, domain, series))
    with pytest.raises(ConfigError, match="other cells are active"):
        build(tmp_path, make_domain(inactive=0.9))
