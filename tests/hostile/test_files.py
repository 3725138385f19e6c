"""Fields, forcing, states, checkpoints and weights: bytes and attributes of every wrong kind."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner
from conformance.components import domain_files
from hostile.forcing_file import read_forcing, write_forcing
from hostile.judge import judge, tries
from hostile.mutations import ODD_NUMBERS, ODD_TEXTS, damaged_bytes, odd_scalars, spoiled_trees
from hostile.test_yaml import RUN, command
from hypothesis import given
from hypothesis import strategies as st
from parflow.tools.io import write_pfb
from structured_cases import structured_checkpoint
from surrogate_cases import make_checkpoint

from bmi_common import Domain, load_config
from bmi_common.domain import DomainConfig
from bmi_common.fields import FieldConfig, read_pfb
from bmi_common.state_file import StateArray, StateHeader, read_state, write_state
from bmi_surrogate.checkpoint import load_rootzone, save
from bmi_surrogate.parameters import read_parameters
from bmi_surrogate.predrnn.published import load_published
from bmi_surrogate.training import training_state
from coupler.checkpoint import find, read
from rootzone.bmi_run import main

numbers = st.one_of(
    st.sampled_from([n for n in ODD_NUMBERS if isinstance(n, float) or abs(n) < 2**63]),
    st.integers(-(2**31), 2**31 - 1),
    st.floats(),
)
attributes = st.one_of(
    numbers,
    st.sampled_from([t for t in ODD_TEXTS if t and "\x00" not in t and "\ud7ff" not in t]),
    st.lists(numbers.map(float), min_size=1, max_size=3),
)

# ---------------------------------------------------------------------- PFB


@pytest.fixture(scope="module")
def pfb(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("pfb") / "good.pfb"
    write_pfb(str(file), np.arange(24.0).reshape(2, 3, 4), p=2, q=1, dist=False)
    assert read_pfb(file).shape == (2, 3, 4)
    return file.read_bytes()


@given(data=st.data())
@tries(30)
def test_pfb_headers_and_bytes(tmp_path: Path, pfb: bytes, data: st.DataObject) -> None:
    content = bytearray(pfb)
    for _ in range(data.draw(st.integers(0, 2))):  # of the header, or of the first subgrid's
        at = data.draw(st.sampled_from([*range(24, 64, 4), *range(64, 100, 4)]))
        value = data.draw(
            st.one_of(st.sampled_from((0, -1, 1, 2, 3, 4, 2**31 - 1, -(2**31), 65536)), st.integers(-9, 99))
        )
        content[at : at + 4] = value.to_bytes(4, "big", signed=True)
    spoiled = data.draw(st.one_of(st.just(bytes(content)), damaged_bytes(bytes(content), head=110)))
    file = tmp_path / "field.pfb"
    file.write_bytes(spoiled)
    judge(lambda: read_pfb(file), tmp_path)


# ---------------------------------------------------------------------- NetCDF attributes

ATTRIBUTES = (
    "units", "standard_name", "calendar", "bounds", "scale_factor", "add_offset", "missing_value", "_Unsigned", "valid_min",
    "valid_max", "valid_range", "axis", "coordinates", "least_significant_digit",
)  # fmt: skip


def spoil_attributes(draw: Callable[[Any], Any], nc: Any) -> None:
    for _ in range(draw(st.integers(1, 3))):
        variable = nc[draw(st.sampled_from(list(nc.variables)))]
        known = sorted(a for a in variable.ncattrs() if a != "_FillValue")
        how = draw(st.sampled_from(("set", "set", "set", "remove", "values")))
        if how == "remove" and known:
            variable.delncattr(draw(st.sampled_from(known)))
        elif how == "values" and variable.shape and variable.dtype != str:
            variable.set_auto_maskandscale(False)
            values = variable[...]
            number = draw(st.floats())
            if values.dtype.kind == "f":
                values.flat[draw(st.integers(0, values.size - 1))] = number
                variable[...] = values
        else:
            try:
                variable.setncattr(draw(st.sampled_from(ATTRIBUTES)), draw(attributes))
            except (TypeError, ValueError, OverflowError, AttributeError, RuntimeError):  # the library cannot write it
                continue


@given(data=st.data())
@tries(40)
def test_attributes_and_values_of_forcing(tmp_path: Path, data: st.DataObject) -> None:
    file = tmp_path / f"forcing-{len(list(tmp_path.iterdir()))}.nc"  # one that is refused may stay open for a while
    write_forcing(file)
    with netCDF4.Dataset(file, "a") as nc:
        spoil_attributes(data.draw, nc)
    judge(lambda: read_forcing(file), tmp_path)


def test_the_good_forcing_is_accepted(tmp_path: Path) -> None:
    write_forcing(tmp_path / "forcing.nc")
    assert judge(lambda: read_forcing(tmp_path / "forcing.nc"), tmp_path) == ""


@given(data=st.data())
@tries(40)
def test_attributes_and_kinds_of_fields(tmp_path: Path, data: st.DataObject) -> None:
    file = tmp_path / "field.nc"
    kind = data.draw(st.sampled_from(("f8", "f4", "i2", "u1", "S1", str)))
    shape = data.draw(st.sampled_from(((), (3,), (3, 4), (1, 3, 4), (2, 3, 4), (4, 3))))
    with netCDF4.Dataset(file, "w") as nc:
        names = [f"n{i}" for i in range(len(shape))]
        for name, size in zip(names, shape, strict=True):
            nc.createDimension(name, size)
        field = nc.createVariable("porosity", kind, names)
        if kind not in (str, "S1"):
            field[...] = 1 if kind != "f8" else 0.4
        elif kind is str and shape:
            field[...] = np.full(shape, "loam", dtype=object)
        field.units = "1"
        spoil_attributes(data.draw, nc)
    spec = FieldConfig.model_validate({"file": str(file), "variable": "porosity"}, context={"base": tmp_path})
    for wanted in ((3, 4), (2, 3, 4)):
        judge(lambda wanted=wanted: spec.read("porosity", wanted, "1"), tmp_path)


@given(data=st.data())
@tries(30)
def test_numpy_archives(tmp_path: Path, data: st.DataObject) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, mask=np.ones((3, 4)), words=np.array(["a"]), things=np.array([{}], dtype=object))
    file = tmp_path / "field.npz"
    file.write_bytes(data.draw(st.one_of(st.just(buffer.getvalue()), damaged_bytes(buffer.getvalue()))))
    name = data.draw(st.sampled_from(("mask", "words", "things", "none")))
    spec = FieldConfig.model_validate({"file": str(file), "variable": name}, context={"base": tmp_path})
    judge(lambda: spec.read("mask", (3, 4), "1"), tmp_path)


# ---------------------------------------------------------------------- states and checkpoints


@given(data=st.data())
@tries(40)
def test_states_with_other_headers(tmp_path: Path, data: st.DataObject) -> None:
    file = tmp_path / "state.nc"
    header = StateHeader("bucket", 3600.0, None, {"network": "abc"}, {"supplied": ["rain"]})
    write_state(file, header, {"head": StateArray(np.arange(6.0).reshape(2, 3), ("y", "x"), "m")})
    with netCDF4.Dataset(file, "a") as nc:
        for _ in range(data.draw(st.integers(1, 2))):
            name = data.draw(st.sampled_from(nc.ncattrs()))
            if data.draw(st.booleans()):
                nc.delncattr(name)
            else:
                try:
                    nc.setncattr(
                        name, data.draw(st.one_of(attributes, st.sampled_from(("{", "[]", "null", "{}", "NaN"))))
                    )
                except (TypeError, ValueError, OverflowError, RuntimeError):
                    continue
    judge(lambda: read_state(file, "bucket"), tmp_path)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with checkpoints."""
    folder = tmp_path_factory.mktemp("stopped")
    for name in ("land", "groundwater"):
        (folder / f"{name}.yaml").write_text("{nx: 4, ny: 3, layers: 11}\n")
    (folder / "run.yaml").write_text(RUN.replace("keep: 2", "keep: 9"))
    result = CliRunner().invoke(main, [str(folder / "run.yaml"), "--output", str(folder / "out")])
    assert result.exit_code == 0, result.output
    return folder / "out"


def sealed(record: Any) -> str:
    """A record as the program writes it, whatever is in it."""
    text = json.dumps(record)
    return json.dumps({"sha256": hashlib.sha256(text.encode()).hexdigest(), "record": text})


@given(data=st.data())
@tries(30)
def test_records_of_checkpoints(stopped: Path, data: st.DataObject) -> None:
    folder = find(stopped)
    file = folder / "checkpoint.json"
    good = file.read_text()
    record = json.loads(json.loads(good)["record"])
    if data.draw(st.booleans()):
        file.write_bytes(data.draw(damaged_bytes(good.encode())))
    elif data.draw(st.booleans()):
        file.write_text(
            json.dumps(data.draw(spoiled_trees(json.loads(good)))), encoding="utf-8", errors="surrogatepass"
        )
    else:
        file.write_text(sealed(data.draw(spoiled_trees(record))), encoding="utf-8", errors="surrogatepass")
    try:
        judge(lambda: read(folder), stopped)
    finally:
        file.write_text(good)


@given(data=st.data())
@tries(8)
def test_restarts_from_records_with_other_contents(stopped: Path, tmp_path: Path, data: st.DataObject) -> None:
    run = tmp_path / "out"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(stopped, run)
    folder = sorted((run / "checkpoints").iterdir())[0]
    file = folder / "checkpoint.json"
    record = json.loads(json.loads(file.read_text())["record"])
    part = data.draw(st.sampled_from([k for k in record if isinstance(record[k], dict)]))
    record[part] = data.draw(spoiled_trees(record[part]))
    file.write_text(sealed(record), encoding="utf-8", errors="surrogatepass")
    judge(lambda: command("--restart", str(folder)), run, seconds=60.0)


# ---------------------------------------------------------------------- weights


class Payload:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("weights")
    domain = domain_files(folder, nx=4, ny=3)
    thickness = Domain.load(load_config(domain[0], DomainConfig)).dz.tolist()
    return {
        "predrnn": save(replace(make_checkpoint(), layer_thickness=None), folder / "predrnn"),
        "structured": save(structured_checkpoint(layers=thickness), folder / "structured"),
    }


@pytest.mark.fuzz
@pytest.mark.parametrize("kind", ["predrnn", "structured"])
def test_descriptions_of_weights(weights: dict[str, Path], kind: str) -> None:
    file = weights[kind].with_suffix(".yaml")
    good = file.read_text()

    @given(tree=spoiled_trees(yaml.safe_load(good)))
    @tries(30)
    def check(tree: Any) -> None:
        file.write_text(yaml.safe_dump(tree))
        judge(lambda: load_rootzone(weights[kind]), file.parent)

    try:
        check()
    finally:
        file.write_text(good)
    assert judge(lambda: load_rootzone(weights[kind]), file.parent) == ""


@given(data=st.data())
@tries(40)
def test_weights_in_safetensors(weights: dict[str, Path], tmp_path: Path, data: st.DataObject) -> None:
    good = weights["structured"].read_bytes()
    length = int.from_bytes(good[:8], "little")
    if data.draw(st.booleans()):
        header = json.dumps(data.draw(spoiled_trees(json.loads(good[8 : 8 + length])))).encode("utf-8", "surrogatepass")
        size = data.draw(st.sampled_from((len(header), len(header), len(header), 2**63, 0, len(header) - 1)))
        content = size.to_bytes(8, "little") + header + good[8 + length :]
    else:
        content = data.draw(damaged_bytes(good, head=8 + length))
    file, description = tmp_path / "weights.safetensors", tmp_path / "weights.yaml"
    file.write_bytes(content)
    text = yaml.safe_load(weights["structured"].with_suffix(".yaml").read_text())
    text["weights"] = {"file": file.name, "sha256": hashlib.sha256(content).hexdigest()}
    description.write_text(yaml.safe_dump(text))
    judge(lambda: load_rootzone(file), tmp_path)
    judge(lambda: read_parameters(file), tmp_path)


@given(data=st.data())
@tries(40)
def test_weights_in_pickles(tmp_path: Path, data: st.DataObject) -> None:
    buffer = io.BytesIO()
    old = data.draw(st.booleans())
    content = {"net_param": {"conv_last.weight": torch.zeros(3, 4, 1, 1), "cell_encoder.weight": torch.ones(2, 2)}}
    torch.save(content, buffer, _use_new_zipfile_serialization=not old)
    file = tmp_path / "model.ckpt"
    file.write_bytes(data.draw(damaged_bytes(buffer.getvalue())))
    judge(lambda: load_published(file), tmp_path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_run_nothing(tmp_path: Path, protocol: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "model.ckpt"
    file.write_bytes(pickle.dumps({"net_param": Payload()}, protocol=protocol))
    assert "more than plain tensors" in judge(lambda: read_parameters(file), tmp_path)
    torch.save({"net_param": Payload()}, file)
    assert "more than plain tensors" in judge(lambda: read_parameters(file), tmp_path)
    assert not (tmp_path / "pwned").exists()


def state_bytes(content: object) -> bytes:
    """A file as training writes it, whatever is in it."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return seal(buffer.getvalue())


def seal(content: bytes) -> bytes:
    return training_state._MAGIC + hashlib.sha256(content).digest() + content


STATE = {
    "version": training_state.VERSION,
    "identity": {"data": "abc"},
    "iteration": 3,
    "module": {"w": torch.ones(2)},
    "average": None,
    "optimiser": {"state": {}, "param_groups": []},
    "best": None,
    "random": (torch.get_rng_state(),),
    "losses": [0.5],
    "seconds": 1.0,
}


def read_training_state(file: Path) -> None:
    training_state.TrainingState.read(file, {"data": "abc"})


def test_the_good_state_of_a_training_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "state.pt").write_bytes(state_bytes(STATE))
    assert judge(lambda: read_training_state(tmp_path / "state.pt"), tmp_path) == ""


@given(data=st.data())
@tries(40)
def test_states_of_a_training(tmp_path: Path, data: st.DataObject) -> None:
    how = data.draw(st.sampled_from(("bytes", "sealed bytes", "contents", "other")))
    if how == "bytes":
        content = data.draw(damaged_bytes(state_bytes(STATE)))
    elif how == "sealed bytes":
        buffer = io.BytesIO()
        torch.save(STATE, buffer)
        content = seal(data.draw(damaged_bytes(buffer.getvalue())))
    elif how == "contents":
        content = state_bytes(data.draw(spoiled_trees(STATE)))
    else:
        content = state_bytes(data.draw(odd_scalars))
    file = tmp_path / "state.pt"
    file.write_bytes(content)
    judge(lambda: read_training_state(file), tmp_path)


def test_a_state_of_a_training_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "state.pt").write_bytes(state_bytes({**STATE, "losses": Payload()}))
    assert judge(lambda: read_training_state(tmp_path / "state.pt"), tmp_path)
    assert not (tmp_path / "pwned").exists()
