"""Output in Zarr stores: the same variables, numbers and attributes as in NetCDF files, whatever happens to the run."""

import copy
import json
import shutil
import sys

import netCDF4
import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

from bmi_common import ConfigError
from bmi_common.groundwater import LAYER_THICKNESS, NET_SOURCE, PRESSURE_HEAD, STORAGE_VOLUME
from bmi_common.netcdf_file import NetcdfFile, netcdf_name
from bmi_common.owned_folder import read_record
from bmi_common.run_records import hourly_series, netcdf_series
from bmi_common.zarr_file import ZarrDataset
from coupler import zarr_output
from coupler.append import FilePosition, check_file
from coupler.zarr_output import ZarrOutput, tile
from rootzone import RunResult
from rootzone.bmi_run import main
from rootzone.evaluation.run_record import run_files

zarr = pytest.importorskip("zarr", reason="needs the package zarr: pip install 'rootzone[zarr]'")

VARIABLES = [
    f"groundwater.{PRESSURE_HEAD}",
    f"groundwater.{LAYER_THICKNESS}",
    f"groundwater.{STORAGE_VOLUME}",
    f"land.{NET_SOURCE}",
]
"""In layers, static, a number, and of part of the layers."""


@pytest.fixture
def twins(fake):
    """A run that writes each of its files in both formats: hourly and as rounded means over three hours."""
    fake.groundwater["mask"] = fake.land["mask"] = 3
    hourly = {"every": "1h", "precision": "double", "variables": VARIABLES}
    means = {"every": "3h", "significant_digits": 3, "compression": "zlib", "variables": VARIABLES}
    fake.run["output"] = [
        {"file": f"{name}{ending}", **spec}
        for name, spec in (("hourly", hourly), ("means", means))
        for ending in (".nc", "_z.zarr")
    ]
    fake.run["time"]["end"] = "2020-01-01T09:00"
    fake.run["checkpoint"] = {"every": "4h", "keep": 3}
    return fake


def require_twins(folder, but=("history",)):
    for name in ("hourly", "means"):
        with (
            xr.open_dataset(folder / f"{name}.nc") as one,
            xr.open_dataset(folder / f"{name}_z.zarr", engine="zarr") as other,
        ):
            assert set(one.variables) == set(other.variables)
            for v in one.variables:
                assert (one[v].dims, one[v].dtype, one[v].attrs) == (other[v].dims, other[v].dtype, other[v].attrs)
                assert one[v].values.tobytes() == other[v].values.tobytes(), v
            assert one.sizes == other.sizes
            left, right = ({k: v for k, v in data.attrs.items() if k not in but} for data in (one, other))
            assert left == right


def test_a_store_holds_what_a_netcdf_file_holds_to_the_last_bit(twins):
    twins.succeeds()
    require_twins(twins.output, but=())
    with xr.open_dataset(twins.output / "hourly_z.zarr", engine="zarr") as data:
        head = data[netcdf_name(PRESSURE_HEAD)]
        assert head.isnull().sum() == 9 * 11 * 3


def test_readers_of_runs_read_stores_as_they_read_files(twins):
    twins.succeeds()
    files = run_files(twins.output)
    assert [file.name for file in files] == ["hourly.nc", "hourly_z.zarr", "means.nc", "means_z.zarr"]
    one, other = hourly_series(twins.output, files, PRESSURE_HEAD)
    assert one.read(0, 9).tobytes() == other.read(0, 9).tobytes()
    assert (one.is_double, one.shape, one.component) == (other.is_double, other.shape, other.component)
    assert one.thickness.tobytes() == other.thickness.tobytes()
    assert run_files(files[1]) == [files[1]]
    assert len(netcdf_series(NetcdfFile(files[1]), NET_SOURCE)) == 1
    with RunResult(twins.output) as result:
        assert result.outputs == ["hourly", "hourly_z", "means", "means_z"]
        assert result.hourly_z.sizes == result.hourly.sizes
        assert set(result.figures()) >= {"hourly_z_series", "means_z_series"}


@pytest.mark.slow
@pytest.mark.parametrize("stop", ["2020-01-01T04-00-00", "2020-01-01T08-00-00"])
def test_records_beyond_a_checkpoint_are_dropped_and_written_again(twins, monkeypatch, stop):
    monkeypatch.setattr(zarr_output, "RECORDS", 3)  # so that some shards go and one is cut
    twins.succeeds()
    whole = {p: p.read_bytes() for p in sorted(twins.output.rglob("*.zarr/*/c/**/*")) if p.is_file()}
    assert len(whole) > 20
    result = CliRunner().invoke(main, ["--restart", str(twins.output / "checkpoints" / stop)])
    assert result.exit_code == 0, result.output
    require_twins(twins.output)
    assert whole == {p: p.read_bytes() for p in sorted(twins.output.rglob("*.zarr/*/c/**/*")) if p.is_file()}
    with xr.open_dataset(twins.output / "hourly_z.zarr", engine="zarr") as data:
        assert len(data.attrs["history"].splitlines()) == 2


@pytest.mark.slow
def test_a_store_that_lost_records_or_its_index_is_named_and_one_moved_away_begun_anew(twins):
    twins.succeeds()
    store = twins.output / "hourly_z.zarr"
    shutil.copytree(store, twins.folder / "kept.zarr")
    (store / "zarr.json").write_text("{")
    at = ("--restart", str(twins.output / "checkpoints" / "2020-01-01T04-00-00"))
    result = CliRunner().invoke(main, at)
    assert result.exit_code == 2
    assert "hourly_z.zarr: cannot be continued, it is damaged" in result.output
    shutil.rmtree(store)
    assert CliRunner().invoke(main, at).exit_code == 0
    with xr.open_dataset(store, engine="zarr") as data:
        assert data.sizes["time"] == 5


def store_of_two(path):
    data = ZarrOutput(path)
    for name, size in (("time", None), ("y", 5), ("x", 7)):
        data.createDimension(name, size)
    data.createVariable("time", "f8", ("time",), chunksizes=(4,))
    data.createVariable("depth", "f4", ("time", "y", "x"), compression="zstd", chunksizes=(1, 2, 3), fill_value=-1.0)
    for record in range(2):
        data["depth"][record] = np.full((5, 7), record)
        data["time"][record] = record + 1.0
    data.sync()
    return data


def cut(path, size):
    with path.open("r+b") as file:
        file.truncate(size)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda store: cut(store / "depth/c/0/0/0", 100), "checksum"),
        (lambda store: cut(store / "depth/c/0/1/1", zarr_output._Shard(store / "x", 240)._size + 1), "it ends before"),
        (lambda store: shutil.rmtree(store / "depth"), "'depth' is gone"),
        (lambda store: shutil.rmtree(store / "time/c"), "time/c/0 is gone"),
        (lambda store: ZarrOutput(store)["time"].__setitem__(1, np.nan), "records have no time"),
        (
            lambda store: xr.Dataset({"mine": ("time", [1.0, 2.0])}).to_zarr(store, mode="a", zarr_format=3),
            "'mine' is not one that a run has written",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_damage_to_records_is_told_before_a_run_goes_on(tmp_path, damage, said):
    path = tmp_path / "depth.zarr"
    store_of_two(path)
    assert check_file(path, FilePosition(2, 2))
    damage(path)
    with pytest.raises(ConfigError, match="cannot be continued, it is damaged: ") as refused:
        check_file(path, FilePosition(2, 2))
    assert said in str(refused.value)
    assert "move it away to begin a new one with record 3" in str(refused.value)


@pytest.mark.parametrize("root", ["without what it repeats", "empty"])
def test_a_store_that_does_not_repeat_its_arrays_goes_on(tmp_path, root):
    path = tmp_path / "depth.zarr"
    store_of_two(path)
    described = json.loads((path / "zarr.json").read_text())
    del described["consolidated_metadata"]
    kept = described if root.startswith("without") else {"zarr_format": 3, "node_type": "group"}
    (path / "zarr.json").write_text(json.dumps(kept))
    xr.Dataset({"note": ("y", np.arange(5))}).to_zarr(path, mode="a", zarr_format=3, consolidated=False)
    assert check_file(path, FilePosition(2, 2))
    again = ZarrOutput(path)
    again.keep(2)
    again["depth"][2] = np.full((5, 7), 2.0)
    again["time"][2] = 3.0
    again.sync()
    for consolidated in (True, False):
        with xr.open_zarr(path, chunks=None, consolidated=consolidated) as data:
            assert data["depth"][:, 0, 0].values.tolist() == [0.0, 1.0, 2.0]
            assert data["note"].values.tolist() == [0, 1, 2, 3, 4]


def test_texts_are_read(tmp_path):
    path = tmp_path / "texts.zarr"
    data = ZarrOutput(path)
    data.createDimension("time", None)
    data.createVariable("time", "f8", ("time",), chunksizes=(4,))
    data.createDimension("point", 2)
    data.create_texts("name", "point", ["outlet", "Mühle"])
    data.sync()
    assert ZarrDataset(path)["name"][:].tolist() == ["outlet", "Mühle"]


def test_what_was_begun_when_a_run_was_killed_does_not_count(tmp_path):
    path = tmp_path / "depth.zarr"
    data = store_of_two(path)
    data["depth"][2] = np.full((5, 7), 2.0)  # then killed, before the time, and before the description
    shard = path / "depth" / "c" / "0" / "0" / "0"
    with shard.open("ab") as file:
        file.write(b"half a chunk")
    for opened in (xr.open_zarr(path, chunks=None), xr.open_zarr(path, chunks=None, consolidated=False)):
        assert opened.sizes == {"time": 2, "y": 5, "x": 7}
        assert np.unique(opened["depth"][1]).tolist() == [1.0]
    again = ZarrOutput(path)
    again.keep(1)
    again["depth"][1] = np.ma.masked_less(np.arange(35.0).reshape(5, 7), 6.0)
    again["time"][1] = 2.0
    again.sync()
    found = zarr.open_group(path, mode="r")["depth"][...]
    assert np.array_equal(found[0], np.zeros((5, 7)))
    assert np.array_equal(found[1].ravel(), [-1.0] * 6 + list(range(6, 35)))


def test_what_the_user_has_put_among_chunks_stays_when_records_are_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr(zarr_output, "RECORDS", 1)
    path = tmp_path / "depth.zarr"
    store_of_two(path)
    mine = [path / "depth" / "c" / "1" / "notes.txt", path / "depth" / "c" / "1" / "0" / "notes.txt"]
    for note in mine:
        note.write_text("mine")
    again = ZarrOutput(path)
    again.keep(1)
    assert [p for p in sorted((path / "depth" / "c" / "1").rglob("*")) if p.is_file()] == sorted(mine)


def test_a_damaged_index_is_no_reason_to_write_on(tmp_path):
    path = tmp_path / "depth.zarr"
    store_of_two(path)
    with (path / "depth" / "c" / "0" / "1" / "1").open("r+b") as file:
        file.write(b"\x01")
    with pytest.raises(OSError, match=r"c/0/1/1: damaged"):
        ZarrOutput(path)["depth"][2] = np.zeros((5, 7))


@pytest.mark.parametrize(
    ("shape", "arrangement", "expected"),
    [
        ((11, 48, 64), (2, 2), (11, 24, 32)),
        ((11, 47, 64), (3, 1), (11, 47, 22)),
        ((10, 4000, 4000), (1, 1), (10, 500, 500)),
        ((7,), (1, 1), (7,)),
        ((), (1, 1), ()),
    ],
)
def test_a_chunk_is_about_the_part_of_a_process(shape, arrangement, expected):
    assert tile(shape, 4, arrangement, 16 * 2**20) == expected


# ---------------------------------------------------------------- mistakes, and what is whose


def test_a_format_that_the_ending_contradicts_is_refused(fake):
    fake.run["output"][0]["format"] = "zarr"
    fake.refuses("output.0", "format zarr, but hourly.nc does not end in .zarr")


@pytest.mark.parametrize("file", ["water_balance.zarr", "HOURLY.zarr", "hourly.zarr"])
def test_a_store_with_the_name_of_another_file_is_refused(fake, file):
    fake.run["output"].append({**copy.deepcopy(fake.run["output"][0]), "file": file})
    fake.refuses("output")


def test_without_the_package_the_command_that_installs_it_is_told(fake, monkeypatch):
    fake.run["output"][0]["file"] = "hourly.zarr"
    monkeypatch.setitem(sys.modules, "zarr", None)
    fake.refuses("output.0.file", "pip install 'rootzone[zarr]'")


def test_a_store_of_somebody_else_is_not_replaced_and_what_the_user_puts_into_ours_stays(fake):
    fake.succeeds()
    fake.run["output"][0]["file"] = "hourly.zarr"
    store = fake.output / "hourly.zarr"
    zarr.create_group(store)
    fake.refuses("hourly.zarr would be replaced", arguments=("--overwrite",))
    shutil.rmtree(store)
    fake.succeeds("--overwrite")
    (store / "notes.txt").write_text("mine")
    variable = store / netcdf_name(PRESSURE_HEAD)
    (variable / "notes.txt").write_text("mine, too")
    del fake.run["output"][0]
    fake.succeeds("--overwrite")
    left = sorted(p.relative_to(store).as_posix() for p in store.rglob("*") if p.is_file())
    assert left == ["notes.txt", f"{variable.name}/notes.txt"]
    fake.run["output"] = [{"file": "hourly.zarr", "every": "1h", "variables": VARIABLES[:1]}]
    fake.succeeds("--overwrite")
    with netCDF4.Dataset(fake.output / "water_balance.nc") as data:
        assert len(data["time"]) == 6
    with xr.open_dataset(store, engine="zarr") as data:
        assert data.sizes["time"] == 6


@pytest.mark.parametrize("written_again", [True, False])
@pytest.mark.parametrize("mine", ["an array", "a group"])
def test_a_store_into_which_the_user_has_put_an_array_or_a_group_is_not_replaced(fake, mine, written_again):
    fake.run["output"][0]["file"] = "hourly.zarr"
    fake.succeeds()
    data = xr.Dataset({"mine": ("cell", np.arange(5.0))})
    where = {} if mine == "an array" else {"group": "notes/of_mine"}
    data.to_zarr(fake.output / "hourly.zarr", mode="a", zarr_format=3, consolidated=False, **where)
    if not written_again:
        del fake.run["output"][0]
    said = fake.refuses("hourly.zarr", arguments=("--overwrite",))
    named = "holds mine," if mine == "an array" else "holds notes, notes/of_mine, notes/of_mine/mine,"
    assert named in said
    assert "not written by a run; move" in said


@pytest.mark.parametrize("place", ["", netcdf_name(PRESSURE_HEAD), f"{netcdf_name(PRESSURE_HEAD)}/c", "time/c/0"])
def test_nothing_is_written_or_removed_through_a_link_in_a_store(fake, place):
    fake.run["output"][0]["file"] = "hourly.zarr"
    fake.run["checkpoint"] = {"every": "2h", "keep": 3}
    fake.succeeds()
    linked, elsewhere = fake.output / "hourly.zarr" / place, fake.folder / "elsewhere"
    linked.rename(elsewhere)
    linked.symlink_to(elsewhere)
    before = {p: p.read_bytes() for p in (elsewhere, *elsewhere.rglob("*")) if p.is_file()}
    fake.refuses(f"hourly.zarr/{place}".rstrip("/"), "is a link to", arguments=("--overwrite",))
    checkpoint = sorted((fake.output / "checkpoints").iterdir())[0]
    result = CliRunner().invoke(main, ["--restart", str(checkpoint)])
    assert result.exit_code == 2
    assert "is a link to" in result.output
    assert before == {p: p.read_bytes() for p in (elsewhere, *elsewhere.rglob("*")) if p.is_file()}
    assert linked.is_symlink()


def test_a_store_of_an_older_format_is_somebody_elses(fake):
    fake.succeeds()
    fake.run["output"][0]["file"] = "hourly.zarr"
    zarr.create_group(fake.output / "hourly.zarr", zarr_format=2)
    fake.refuses("hourly.zarr would be replaced", arguments=("--overwrite",))


def test_the_arrays_of_a_store_stand_in_the_record_of_the_folder(fake):
    fake.run["output"][0]["file"] = "hourly.zarr"
    fake.succeeds()
    _, names = read_record(fake.output)
    with xr.open_dataset(fake.output / "hourly.zarr", engine="zarr") as data:
        arrays = {name for name in names if name.startswith("hourly.zarr/")}
        assert arrays == {f"hourly.zarr/{name}" for name in data.variables}
    del fake.run["output"][0]
    fake.succeeds("--overwrite")
    assert not (fake.output / "hourly.zarr").exists()
    assert not [name for name in read_record(fake.output)[1] if "zarr" in name]
