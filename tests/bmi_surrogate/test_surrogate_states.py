"""The network's memory in state files: exact for every kind of network and tiling."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from surrogate_cases import NX, NY, make_checkpoint

from bmi_common import ConfigError, Domain
from bmi_common import groundwater as names
from bmi_surrogate import BmiSurrogate, PredRNNCheckpoint, PredRNNEmulator, PredRNNOptions, save
from bmi_surrogate.predrnn import emulator as emulator_module
from bmi_surrogate.predrnn import statics as static_channels
from bmi_surrogate.predrnn.normalisation import moments_of_statics

HEAD = np.linspace(20.0, -0.5, 11)[:, None, None] + np.random.default_rng(0).normal(0.0, 0.3, (11, NY, NX))
NETWORKS: list[dict[str, Any]] = [
    {},
    {"attention": "pool", "attention_window": None},
    {"attention": "pool", "attention_window": 2},
    {"attention": "xyconv", "attention_side": 8, "attention_form": "published"},
    {"hidden": (8, 8, 8), "kernel": 5},
]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"precision": "float64"},
    {"overlap": "averaged"},
    {"tile": "whole"},
]


def source(hour: int) -> np.ndarray:
    return np.random.default_rng(hour).normal(1e-4, 1e-2, (10, NY, NX))


def network(domain: Domain, **architecture: Any) -> PredRNNCheckpoint:
    made = make_checkpoint(moments_of_statics(static_channels.from_domain(domain)), **architecture)
    if hasattr(made.network, "scale"):
        torch.nn.init.constant_(made.network.scale, 0.7)  # at 0, as it is at first, attention adds nothing
    return made


def emulator(checkpoint: PredRNNCheckpoint, domain: Domain, **options: Any) -> PredRNNEmulator:
    mask = np.ones((NY, NX), dtype=bool)
    mask[3:5, 4] = False
    options = {"device": "cpu", "threads": 1} | options
    made = PredRNNEmulator(checkpoint, static_channels.from_domain(domain), mask, PredRNNOptions(**options))
    made.start(HEAD)
    return made


def advance(model: PredRNNEmulator, first: int, hours: int) -> np.ndarray:
    return np.stack([model.step(source(h)) for h in range(first, first + hours)])


def recalled(model: PredRNNEmulator, other: PredRNNEmulator) -> PredRNNEmulator:
    other.load_state_dict({name: array.values.copy() for name, array in model.state_dict().items()})
    return other


@pytest.mark.parametrize("before", [0, 1, 4])
@pytest.mark.parametrize("architecture", NETWORKS, ids=str)
def test_every_network_goes_on_bit_for_bit(domain: Domain, architecture: dict[str, Any], before: int) -> None:
    checkpoint = network(domain, **architecture)
    model, other = emulator(checkpoint, domain), emulator(checkpoint, domain)
    if before:
        advance(model, 0, before)
    recalled(model, other)
    np.testing.assert_array_equal(advance(model, before, 3), advance(other, before, 3))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_way_to_run_goes_on_bit_for_bit(
    domain: Domain, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator_module, "_BLOCK", 2)  # several blocks, the last one of another size
    checkpoint = network(domain, attention="pool", attention_window=3) if "tile" not in options else network(domain)
    model, other = emulator(checkpoint, domain, **options), emulator(checkpoint, domain, **options)
    advance(model, 0, 4)
    recalled(model, other)
    np.testing.assert_array_equal(advance(model, 4, 3), advance(other, 4, 3))


def test_memory_is_the_networks_own_type(domain: Domain) -> None:
    for precision in ("float32", "float64"):
        model = emulator(network(domain), domain, precision=precision)
        assert {a.values.dtype for a in model.state_dict().values()} == {np.dtype(precision)}


def test_what_is_kept_is_not_changed_by_going_on(domain: Domain) -> None:
    model = emulator(network(domain), domain)
    advance(model, 0, 1)
    kept = model.state_dict()
    copies = {name: array.values.copy() for name, array in kept.items()}
    advance(model, 1, 1)
    for name, array in kept.items():
        np.testing.assert_array_equal(array.values, copies[name])


@pytest.fixture
def saved(configuration: dict[str, Any], write: Any, tmp_path: Path) -> Path:
    model = BmiSurrogate()
    model.initialize(write(configuration))
    for hour in range(3):
        model.set_value(names.NET_SOURCE, source(hour))
        model.update()
    model.save_state(tmp_path / "state.nc")
    return tmp_path / "state.nc"


def test_a_run_starts_warm_from_the_configuration(configuration: dict[str, Any], write: Any, saved: Path) -> None:
    first = BmiSurrogate()
    first.initialize(write(configuration))
    first.load_state(saved)
    configuration["initial"] = {"state": str(saved)}
    second = BmiSurrogate()
    second.initialize(write(configuration))
    assert (first.time, second.time) == (3 * 3600.0, 0.0)
    for model in (first, second):
        model.set_value(names.NET_SOURCE, source(3))
        model.update()
    for name in second.get_output_var_names():
        np.testing.assert_array_equal(first.values[name], second.values[name])
    assert str(saved) in second.provenance


def test_a_state_and_other_initial_values_exclude_each_other(
    configuration: dict[str, Any], write: Any, saved: Path
) -> None:
    configuration["initial"] = {"state": str(saved), "water_table_depth": 1.0}
    with pytest.raises(ConfigError, match="both water_table_depth and state are given"):
        BmiSurrogate().initialize(write(configuration))


def test_the_state_of_another_network_is_refused(
    configuration: dict[str, Any], write: Any, saved: Path, domain: Domain, tmp_path: Path
) -> None:
    statics = moments_of_statics(static_channels.from_domain(domain))
    other = save(make_checkpoint(statics, seed=2), tmp_path / "other")
    configuration["surrogate"]["checkpoint"] = str(other)
    configuration["initial"] = {"state": str(saved)}
    with pytest.raises(ConfigError, match=r"state\.nc: made with another network"):
        BmiSurrogate().initialize(write(configuration))


def test_the_state_of_another_precision_is_refused(configuration: dict[str, Any], write: Any, saved: Path) -> None:
    configuration["surrogate"]["precision"] = "float64"
    configuration["initial"] = {"state": str(saved)}
    with pytest.raises(ConfigError, match=r"memory/pressure is float32 in the file, float64 here"):
        BmiSurrogate().initialize(write(configuration))


def test_a_head_written_through_the_pointer_is_saved(configuration: dict[str, Any], write: Any, tmp_path: Path) -> None:
    models = [BmiSurrogate(), BmiSurrogate()]
    for model in models:
        model.initialize(write(configuration))
    first, second = models
    first.set_value(names.NET_SOURCE, source(0))
    first.update()
    first.get_value_ptr(names.PRESSURE_HEAD)[100] += 0.5
    first.save_state(tmp_path / "state.nc")
    second.load_state(tmp_path / "state.nc")
    for model in models:
        model.set_value(names.NET_SOURCE, source(1))
        model.update()
    np.testing.assert_array_equal(first.values[names.PRESSURE_HEAD], second.values[names.PRESSURE_HEAD])
