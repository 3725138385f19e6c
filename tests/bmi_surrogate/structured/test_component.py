"""The structured surrogate behind BMI: configuration, checkpoints, states."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import netCDF4
import numpy as np
import pytest
import torch
import yaml
from structured_cases import structured_checkpoint
from surrogate_cases import LAYERS, NX, NY

from bmi_common import ConfigError, Domain
from bmi_common import groundwater as names
from bmi_surrogate import BmiSurrogate, StructuredCheckpoint, StructuredEmulator, StructuredOptions, load, save
from bmi_surrogate.config import prepare
from bmi_surrogate.structured import StructuredArchitecture, StructuredModel

Write = Callable[[dict[str, Any]], str]
SHAPE = (11, NY, NX)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return save(structured_checkpoint(3, LAYERS), tmp_path / "trained")


@pytest.fixture
def content(configuration: dict[str, Any], weights: Path) -> dict[str, Any]:
    return {**configuration, "surrogate": {"checkpoint": str(weights), "threads": 1}}


def started(write: Write, content: dict[str, Any]) -> BmiSurrogate:
    model = BmiSurrogate()
    model.initialize(write(content))
    return model


def advance(model: BmiSurrogate, hours: int) -> np.ndarray:
    random = np.random.default_rng(0)
    for hour in range(hours):
        source = np.zeros((10, NY, NX))
        source[-1] = 1.0 if hour == 2 else 0.0
        source[:-1] -= 1e-5 * random.random((9, NY, NX))
        model.set_value(names.NET_SOURCE, source)
        model.update()
    return model.values[names.PRESSURE_HEAD].copy()


def test_water_is_conserved_with_prescribed_sources_flux_at_the_ground_and_barriers(
    write: Write, content: dict[str, Any]
) -> None:
    content["domain"]["slope_formulation"] = "original"
    given = {
        "surface": {"flux": {"cycle": [{"hours": 2, "rate": 0.02}, {"hours": 1, "rate": 0.0}]}},
        "sources": [1e-5] + [0.0] * 10,
        "barriers": {"x": 0.1, "z": [1.0] * 10 + [0.5]},
    }
    model = started(write, {**content, **given})
    cells, area = int(model.mask.sum()) if model.mask is not None else NY * NX, 1000.0 * 800.0
    for hour in range(6):
        before = float(model.values[names.STORAGE_VOLUME])
        model.set_value(names.NET_SOURCE, np.full((10, NY, NX), 1e-5))
        model.update()
        land = 1e-5 * sum(LAYERS[1:]) * cells * area
        prescribed, flux = (float(model.values[n]) for n in (names.PRESCRIBED_VOLUME, names.SURFACE_FLUX_VOLUME))
        assert prescribed == pytest.approx(1e-5 * LAYERS[0] * cells * area)
        assert flux == pytest.approx((0.0 if hour % 3 == 2 else 0.02) * cells * area)
        outflow = float(np.nansum(model.values[names.RUNOFF])) * 3600.0 * area
        change = float(model.values[names.STORAGE_VOLUME]) - before
        assert change == pytest.approx(land + prescribed + flux - outflow, rel=1e-6)


def test_wells_act_as_the_sources_that_take_as_much(write: Write, content: dict[str, Any]) -> None:
    pump = {"name": "pump", "cell": {"x": 1, "y": 1}, "layers": {0: 1.0}, "rate": 80.0}
    field = {"cells": [{"x": 0, "y": 1}], "method": "drip"}
    pumped = started(write, {**content, "wells": [{**pump, "irrigates": field}]})
    sources = np.zeros((len(LAYERS), NY, NX))
    sources[0, 1, 1] = -80.0 / (LAYERS[0] * 1000.0 * 800.0)
    with netCDF4.Dataset(Path(write(content)).with_name("pumped.nc"), "w") as file:
        for name, size in zip("zyx", sources.shape, strict=True):
            file.createDimension(name, size)
        file.createVariable("source", "f8", ("z", "y", "x"))[:] = sources
    drained = started(write, {**content, "sources": {"file": "pumped.nc", "variable": "source", "units": "h-1"}})
    np.testing.assert_allclose(advance(pumped, 3), advance(drained, 3), rtol=0.0, atol=1e-6)
    for model in (pumped, drained):
        model.set_value(names.NET_SOURCE, np.zeros((10, NY, NX)))
    before = float(pumped.values[names.STORAGE_VOLUME])
    pumped.update()
    assert float(pumped.values[names.IRRIGATION_VOLUME]) == pytest.approx(80.0)
    assert float(pumped.values[names.GROUND_IRRIGATION][1, 0]) * 3.6 * 1000.0 * 800.0 == pytest.approx(80.0)
    outflow = float(np.nansum(pumped.values[names.RUNOFF])) * 3600.0 * 1000.0 * 800.0
    change = float(pumped.values[names.STORAGE_VOLUME]) - before
    assert change == pytest.approx(-80.0 - outflow, rel=1e-6, abs=0.1)


def test_wells_take_what_their_layers_hold_above_the_floor_and_report_the_rest(
    write: Write, content: dict[str, Any]
) -> None:
    area, top = 1000.0 * 800.0, len(LAYERS) - 1
    wells = [
        {"name": "greedy", "cell": {"x": 1, "y": 1}, "layers": {top: 1.0}, "rate": 1.0e5},
        {"name": "second", "cell": {"x": 1, "y": 1}, "layers": {top: 1.0}, "rate": 3.0},
        {"name": "small", "cell": {"x": 0, "y": 1}, "layers": {0: 1.0}, "rate": 7.0},
    ]
    model = started(write, {**content, "wells": wells})
    model.set_value(names.NET_SOURCE, np.full((10, NY, NX), -1e-6))
    wetness = model.values[names.SATURATION] * model.values[names.POROSITY]
    wet = float(wetness[top, 1, 1]) * LAYERS[top] * area
    before = float(model.values[names.STORAGE_VOLUME])
    model.update()
    extraction, unmet = (float(model.values[n]) for n in (names.EXTRACTION_VOLUME, names.UNMET_EXTRACTION_VOLUME))
    assert extraction + unmet == pytest.approx(1.0e5 + 10.0)
    assert 0.5 * wet < extraction - 7.0 < wet  # all that is not residual, and nothing for the second
    cells = int(np.isfinite(model.values[names.PONDED_DEPTH]).sum())
    outflow = float(np.nansum(model.values[names.RUNOFF])) * 3600.0 * area
    change = float(model.values[names.STORAGE_VOLUME]) - before
    assert change == pytest.approx(-extraction - outflow - 1e-6 * sum(LAYERS[1:]) * cells * area, rel=1e-5)


def test_conditions_that_it_does_not_take_are_refused_by_key(write: Write, content: dict[str, Any]) -> None:
    given = {"surface": {"condition": "overland_flow"}, "boundaries": [{"side": "west", "flux": 0.0}]}
    mill = {"name": "mill", "cell": {"x": 1, "y": 1}, "takes": "river", "rate": 1.0}
    dip = {"name": "dip", "cell": {"x": 1, "y": 1}, "screen": [0.0, 1.0], "head": 1.0}
    given |= {"wells": [mill, dip]}
    with pytest.raises(ConfigError) as caught:
        prepare(Path(write({**content, **given})))
    assert [m.key for m in caught.value.mistakes] == [
        "surface.condition", "boundaries", "wells.0.takes", "wells.1.head"
    ]  # fmt: skip


def test_water_is_conserved_with_the_runoff_that_is_published(write: Write, content: dict[str, Any]) -> None:
    model = started(write, content)
    area = 1000.0 * 800.0
    for hour in range(6):
        before = float(model.values[names.STORAGE_VOLUME])
        source = np.full((10, NY, NX), 0.0)
        source[-1] = 0.02 / LAYERS[-1] if hour < 3 else -1e-5
        model.set_value(names.NET_SOURCE, source)
        model.update()
        came = float((source * np.array(LAYERS[-10:])[:, None, None]).sum()) * area
        left = float(np.nansum(model.values[names.RUNOFF])) * 3600.0 * area
        assert float(model.values[names.STORAGE_VOLUME]) - before == pytest.approx(
            came - left, abs=1e-8 * area * NX * NY
        )
    assert left > 0.0
    assert float(model.values[names.PONDED_VOLUME]) > 0.0


def test_without_a_checkpoint_it_is_a_solver_without_learning(write: Write, content: dict[str, Any]) -> None:
    bare = started(write, {**content, "surrogate": {"architecture": "structured", "threads": 1}})
    assert np.isfinite(advance(bare, 4)).all()
    assert not np.array_equal(advance(started(write, content), 4), bare.values[names.PRESSURE_HEAD])


@pytest.mark.parametrize(("given", "refinements"), [({}, 2), ({"refinements": 0}, 0), ({"refinements": 4}, 4)])
def test_without_a_checkpoint_the_number_of_solves_is_that_of_the_trained_weights_or_as_asked(
    write: Write, content: dict[str, Any], given: dict[str, int], refinements: int
) -> None:
    content = {**content, "surrogate": {"architecture": "structured", "threads": 1, **given}}
    model = started(write, content)
    bare = StructuredModel(StructuredArchitecture(11, (), refinements)).eval()
    expected = StructuredEmulator(bare, prepare(Path(write(content))).domain, StructuredOptions(threads=1))
    expected.start(model.values[names.PRESSURE_HEAD].copy())
    source = np.zeros((10, NY, NX))
    source[-1] = 0.02 / LAYERS[-1]
    model.set_value(names.NET_SOURCE, source)
    model.update()
    np.testing.assert_array_equal(model.values[names.PRESSURE_HEAD], expected.step(source))


def test_the_number_of_solves_of_a_checkpoint_is_its_own(write: Write, content: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="refinements: without effect beside a checkpoint"):
        started(write, {**content, "surrogate": {**content["surrogate"], "refinements": 2}})


def test_a_restart_from_a_state_file_is_exact(write: Write, content: dict[str, Any], tmp_path: Path) -> None:
    model = started(write, content)
    advance(model, 3)
    model.save_state(str(tmp_path / "state.nc"))
    expected = advance(model, 2)
    other = started(write, content)
    other.load_state(str(tmp_path / "state.nc"))
    np.testing.assert_array_equal(advance(other, 2), expected)


def test_a_restart_may_change_the_engine(write: Write, content: dict[str, Any], tmp_path: Path) -> None:
    by_torch = {**content, "surrogate": {**content["surrogate"], "engine": "torch"}}
    model, other = started(write, by_torch), started(write, content)
    advance(model, 3)
    model.save_state(str(tmp_path / "state.nc"))
    other.load_state(str(tmp_path / "state.nc"))
    np.testing.assert_array_equal(other.values[names.PRESSURE_HEAD], model.values[names.PRESSURE_HEAD])
    np.testing.assert_allclose(advance(other, 2), advance(model, 2), rtol=0.0, atol=1e-8)


def test_a_head_that_is_set_is_gone_on_from(write: Write, content: dict[str, Any]) -> None:
    model, other = started(write, content), started(write, content)
    head = advance(model, 2)
    head[3, 4, 5] += 0.1
    for component in (model, other):
        advance(component, 1)
        component.set_value(names.PRESSURE_HEAD, head)
    np.testing.assert_array_equal(advance(model, 1), advance(other, 1))


@pytest.mark.parametrize("layers", [LAYERS, "any"])
def test_a_checkpoint_comes_back_as_it_was(layers: list[float] | Literal["any"], tmp_path: Path) -> None:
    expected = structured_checkpoint(3, layers)
    found = load(save(expected, tmp_path / "weights"))
    assert isinstance(found, StructuredCheckpoint)
    assert found.model.architecture == expected.model.architecture
    assert found.layer_thickness == expected.layer_thickness
    assert found.provenance == expected.provenance
    for name, value in expected.model.state_dict().items():
        assert torch.equal(found.model.state_dict()[name], value), name


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tile": 8}, "surrogate.tile: has no meaning for the structured surrogate"),
        ({"overlap": "averaged"}, "surrogate.overlap: has no meaning"),
        ({"precision": "float64"}, "surrogate.precision: has no meaning"),
        ({"compile": True}, "surrogate.compile: has no meaning for the structured surrogate"),
        ({"engine": "compiled", "device": "meta"}, "engine: compiled runs on a CPU"),
        ({"architecture": "predrnn"}, "is structured, not predrnn"),
        ({"checkpoint": None}, "checkpoint is missing"),
        ({"device": "abacus"}, "use auto, cpu, cuda"),
        ({"architecture": "structurd"}, "structurd"),
    ],
)
def test_mistakes_name_the_key(write: Write, content: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    content["surrogate"] = {**content["surrogate"], **changes}
    with pytest.raises(ConfigError, match=words):
        BmiSurrogate().initialize(write(content))


def test_a_domain_of_one_layer_is_refused(write: Write, content: dict[str, Any]) -> None:
    content["domain"].update(layers=[2.0], porosity=0.4, conductivity={"x": 0.02, "z": 0.02})
    del content["surrogate"]["checkpoint"]
    content["surrogate"]["architecture"] = "structured"
    with pytest.raises(ConfigError, match=r"surrogate.architecture: .* needs two layers at least, the domain has 1"):
        BmiSurrogate().initialize(write(content))


def test_weights_for_other_layers_are_refused(write: Write, content: dict[str, Any], tmp_path: Path) -> None:
    thicker = [*LAYERS[:-1], 0.03]
    content["surrogate"]["checkpoint"] = str(save(structured_checkpoint(1, thicker), tmp_path / "thicker"))
    with pytest.raises(ConfigError, match=r"layer 10 .* is 0.03 m thick there, 0.0175 m here"):
        BmiSurrogate().initialize(write(content))
    content["surrogate"]["checkpoint"] = str(save(structured_checkpoint(1, LAYERS[1:]), tmp_path / "fewer"))
    with pytest.raises(ConfigError, match="the network has 10 layers, the domain has 11"):
        BmiSurrogate().initialize(write(content))


def test_weights_for_any_layers_run_on_every_layering(write: Write, content: dict[str, Any], tmp_path: Path) -> None:
    content["surrogate"]["checkpoint"] = str(save(structured_checkpoint(1, "any"), tmp_path / "any"))
    assert np.isfinite(advance(started(write, content), 2)).all()
    content["domain"].update(
        layers=[12.0, 8.0, *LAYERS[1:]], porosity=0.4, conductivity={"x": 0.02, "y": 0.02, "z": 0.02}
    )
    assert np.isfinite(advance(started(write, content), 2)).all()
    content["domain"].update(layers=[2.0], porosity=0.4, conductivity={"x": 0.02, "z": 0.02})
    with pytest.raises(ConfigError, match=r"surrogate.checkpoint: .* needs two layers at least, the domain has 1"):
        started(write, content)


@pytest.mark.parametrize("layers", [LAYERS, None])
def test_a_description_of_layers_that_the_network_is_not_for_is_refused(
    layers: list[float] | None, tmp_path: Path
) -> None:
    weights = save(structured_checkpoint(1, LAYERS if layers is None else "any"), tmp_path / "weights")
    file = weights.with_suffix(".yaml")
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "layer_thickness": layers}))
    with pytest.raises(ConfigError, match="layer_thickness: must be null with layers: any, and with no other"):
        load(weights)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("architecture", "predrnn", "tile"),
        ("architecture", "transformer", "architecture"),
        ("network", {"layers": 11, "hidden": [12]}, "not a checkpoint of this network"),
        ("layer_thickness", [1.0, 2.0], "layer_thickness has 2 layers, the network 11"),
    ],
)
def test_a_description_of_something_else_is_refused(weights: Path, key: str, value: object, words: str) -> None:
    file = weights.with_suffix(".yaml")
    content = yaml.safe_load(file.read_text())
    content[key] = value
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=words):
        load(weights)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_same_heads(domain: Domain) -> None:
    model = structured_checkpoint(3, LAYERS).model
    heads = []
    for device in ("cpu", "cuda"):
        emulator = StructuredEmulator(model, domain, StructuredOptions(device=device))
        emulator.start(np.full(SHAPE, -1.0))
        heads.append(emulator.step(np.full((10, NY, NX), 1e-3)))
    np.testing.assert_allclose(heads[1], heads[0], rtol=0.0, atol=1e-6)
