"""State files: exact, whole or refused, with one message that names file and reason."""

from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr
from fakes import DEPTH, RAIN, WIND, Bucket
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bmi_common import ConfigError, ModelError
from bmi_common.state_file import MEMORY, StateArray, StateHeader, fingerprint, read_state, write_state

HEADER = StateHeader("Bucket", 7200.0, None, {"network": "abc"}, {"supplied": ["rain"]})
TYPES = ("float64", "float32", "int32", "int64", "int8", "uint8", "bool")


def start(folder: Path, text: str = "nx: 4\nny: 3\n", name: str = "bucket.yaml") -> Bucket:
    file = folder / name
    file.write_text(text)
    component = Bucket()
    component.initialize(str(file))
    return component


def advance(component: Bucket, hours: int = 1) -> Bucket:
    for _ in range(hours):
        component.set_value(RAIN, np.linspace(1e-4, 2e-4, 12))
        component.set_value(WIND, np.full(12, 2.0))
        component.update()
    return component


@pytest.fixture
def state(tmp_path: Path) -> Path:
    advance(start(tmp_path), 2).save_state(tmp_path / "state.nc")
    return tmp_path / "state.nc"


@pytest.mark.parametrize("kind", TYPES)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_every_bit_comes_back(kind: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    shape = data.draw(arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    values = data.draw(arrays.arrays(kind, shape))
    path = tmp_path_factory.mktemp("state") / "state.nc"
    write_state(path, HEADER, {"a": StateArray(values), MEMORY + "b": StateArray(values[np.newaxis])})
    saved = read_state(path, "Bucket")
    assert saved.header == HEADER
    for name, expected in (("a", values), (MEMORY + "b", values[np.newaxis])):
        assert saved.arrays[name].dtype == expected.dtype
        assert saved.arrays[name].shape == expected.shape
        assert saved.arrays[name].tobytes() == expected.tobytes()  # signs of zero and payloads of NaN, too
    assert list(saved.state_dict()) == ["b"]


def test_the_fill_value_of_netcdf_is_a_value_like_any_other(tmp_path: Path) -> None:
    values = np.array([netCDF4.default_fillvals["f8"], np.inf, -0.0])
    write_state(tmp_path / "state.nc", HEADER, {"a": StateArray(values)})
    assert read_state(tmp_path / "state.nc", "Bucket").arrays["a"].tobytes() == values.tobytes()


def test_xarray_shows_names_dimensions_and_units(state: Path) -> None:
    with xr.open_dataset(state) as data:
        assert data[DEPTH].dims == ("y", "x")
        assert data[DEPTH].attrs["units"] == "m"
        assert data.soil_water__pressure_head.dims == ("z", "y", "x")
        np.testing.assert_array_equal(data.x, [100.0, 300.0, 500.0, 700.0])
        assert data.attrs["component"] == "Bucket"


def test_nothing_else_is_left_in_the_folder(state: Path) -> None:
    assert sorted(p.name for p in state.parent.iterdir()) == ["bucket.yaml", "state.nc"]


def test_a_failure_while_writing_leaves_the_old_file(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state.read_bytes()
    monkeypatch.setattr("bmi_common.state_file.commit", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(ModelError, match=r"state\.nc: the state cannot be written: disk full"):
        advance(start(state.parent)).save_state(state)
    assert state.read_bytes() == before
    assert sorted(p.name for p in state.parent.iterdir()) == ["bucket.yaml", "state.nc"]


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no folder .*nowhere"):
        start(tmp_path).save_state(tmp_path / "nowhere" / "state.nc")


def refusal(component: Bucket, file: Path) -> str:
    """Message of the refusal, which changes nothing."""
    before = {n: v.copy() for n, v in component.values.items()}, component.time
    with pytest.raises(ConfigError) as error:
        component.load_state(file)
    for name, values in before[0].items():
        np.testing.assert_array_equal(values, component.values[name])
    assert component.time == before[1]
    assert str(file) in str(error.value)
    return str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "no such file" in refusal(start(tmp_path), tmp_path / "state.nc")


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(state: Path, kept: float) -> None:
    content = state.read_bytes()
    state.write_bytes(content[: int(kept * len(content))])
    assert "truncated or damaged" in refusal(start(state.parent), state)


def test_one_changed_value_is_found_by_the_checksum(state: Path) -> None:
    with netCDF4.Dataset(state, "a") as data:
        data[DEPTH][1, 2] = np.nextafter(data[DEPTH][1, 2], 1.0)
    assert "damaged: its content does not have the SHA-256" in refusal(start(state.parent), state)


@pytest.mark.parametrize("name", ["bmi_time", "content_sha256"])
def test_a_changed_header_is_found(state: Path, name: str) -> None:
    with netCDF4.Dataset(state, "a") as data:
        data.setncattr(name, 3600.0 if name == "bmi_time" else "0" * 64)
    assert "damaged" in refusal(start(state.parent), state)


def test_another_netcdf_file_is_no_state(tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "basin.nc", "w") as data:
        data.createDimension("x", 3)
    assert "no state file" in refusal(start(tmp_path), tmp_path / "basin.nc")


def test_a_newer_format_is_refused_with_both_versions(state: Path) -> None:
    with netCDF4.Dataset(state, "a") as data:
        data.format_version = np.int32(99)
    assert "version 99 of the format" in refusal(start(state.parent), state)


def test_another_grid_is_refused_with_both_lengths(state: Path) -> None:
    message = refusal(start(state.parent, "nx: 5\nny: 3\n", "wide.yaml"), state)
    assert "belongs to another grid: x has the shape (4,) in the file, (5,) here" in message


def test_another_mask_is_refused_with_its_cell(state: Path) -> None:
    message = refusal(start(state.parent, "nx: 4\nny: 3\ndry_column: true\n", "dry.yaml"), state)
    assert "active differs in 1 of 12 values, the first at cell (j=0, i=0): 1 in the file, 0 here" in message


def test_other_layers_are_refused_with_their_thickness(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start_as_it_is = Bucket._start

    def thicker(self: Bucket) -> None:
        start_as_it_is(self)
        self.values["soil_layer__thickness"][2] *= 2.0

    component = Bucket()
    monkeypatch.setattr(Bucket, "_start", thicker)
    component.initialize(str(state.parent / "bucket.yaml"))
    message = refusal(component, state)
    assert "soil_layer__thickness differs in 12 of 132 values, the first at cell (k=2, j=0, i=0)" in message


@pytest.mark.parametrize(
    ("memory", "words"),
    [
        ({"tank": StateArray(np.zeros(3))}, "lacks memory/tank"),
        ({"pipe": StateArray(np.zeros(4))}, "memory/pipe has the shape (3,) in the file, (4,) here"),
        ({"pipe": StateArray(np.zeros(3, "f4"))}, "memory/pipe is float64 in the file, float32 here"),
        ({}, "has also memory/pipe"),
    ],
)
def test_missing_extra_and_other_arrays_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: dict[str, StateArray], words: str
) -> None:
    component = start(tmp_path)
    monkeypatch.setattr(component, "_state_dict", lambda: {"pipe": StateArray(np.zeros(3))})
    component.save_state(tmp_path / "state.nc")
    other = start(tmp_path)
    monkeypatch.setattr(other, "_state_dict", lambda: memory)
    assert words in refusal(other, tmp_path / "state.nc")


def test_another_fingerprint_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    component = start(tmp_path)
    monkeypatch.setattr(component, "_fingerprints", lambda: {"network": fingerprint("one")})
    component.save_state(tmp_path / "state.nc")
    assert "made with another network" in refusal(start(tmp_path), tmp_path / "state.nc")


def test_a_state_beyond_the_end_is_refused(state: Path) -> None:
    message = refusal(start(state.parent, "nx: 4\nny: 3\nend_time: 3600.0\n", "short.yaml"), state)
    assert (
        "a state of 7200 s, which is no time of this component: its steps are 3600 s and its end is 3600 s" in message
    )


def test_inputs_that_were_set_for_the_coming_step_come_back(tmp_path: Path) -> None:
    first = advance(start(tmp_path))
    first.set_value(WIND, np.full(12, 3.0))
    first.save_state(tmp_path / "state.nc")
    second = start(tmp_path)
    second.load_state(tmp_path / "state.nc")
    assert second.supplied == {WIND}
    np.testing.assert_array_equal(second.values[WIND], 3.0)


def test_fingerprints_tell_values_types_shapes_and_order_apart() -> None:
    a, b = np.arange(4.0), np.arange(3.0)
    different = [(a,), (a.astype("f4"),), (a.reshape(2, 2),), (a, b), (b, a), ("ab",), ("a", "b")]
    assert len({fingerprint(*parts) for parts in different}) == len(different)
