"""The BMI component, as the coupler and a user of BMI see it."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from surrogate_cases import LAYERS, NX, NY, make_checkpoint, save_published

from bmi_common import BmiStateError, ConfigError, Domain, ModelError, van_genuchten, water_table
from bmi_common import groundwater as names
from bmi_common.overland import boundary_outflow
from bmi_surrogate import BmiSurrogate, PredRNNCheckpoint, save
from bmi_surrogate.config import prepare
from bmi_surrogate.predrnn import statics as static_channels
from bmi_surrogate.predrnn.normalisation import moments_of_statics

SHAPE = (11, NY, NX)


@pytest.fixture
def model(configuration: dict[str, Any], write: Any) -> BmiSurrogate:
    component = BmiSurrogate()
    component.initialize(write(configuration))
    return component


def value(model: BmiSurrogate, name: str) -> np.ndarray:
    return model.get_value(name, np.empty(model.get_value_ptr(name).size))


def source(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(1e-4, 1e-2, (10, NY, NX))


def advance(model: BmiSurrogate, hours: int = 1, first: int = 0) -> np.ndarray:
    for hour in range(first, first + hours):
        model.set_value(names.NET_SOURCE, source(hour))
        model.update()
    return value(model, names.PRESSURE_HEAD).reshape(SHAPE)


def test_publishes_the_variables_of_every_groundwater_component() -> None:
    fresh = BmiSurrogate()
    assert fresh.get_input_var_names() == (names.NET_SOURCE,)
    published = (*names.GROUNDWATER_VARIABLES, *names.SUPPLY_VARIABLES, *names.WELL_VARIABLES)
    assert set(fresh.get_output_var_names()) == {v.name for v in published} - {names.NET_SOURCE}
    assert names.OUTFLOW_VOLUME not in fresh.get_output_var_names()  # it does not conserve water


def test_initial_state_is_the_configured_one(model: BmiSurrogate) -> None:
    np.testing.assert_allclose(value(model, names.WATER_TABLE_DEPTH), 1.5, rtol=1e-12)
    np.testing.assert_array_equal(value(model, names.PONDED_DEPTH), 0.0)
    np.testing.assert_array_equal(value(model, names.RUNOFF), 0.0)
    np.testing.assert_array_equal(value(model, names.ELEVATION), 250.0)
    np.testing.assert_array_equal(value(model, names.LAYER_THICKNESS).reshape(SHAPE)[:, 3, 4], LAYERS)
    assert model.get_time_step() == 3600.0


def test_diagnosed_outputs_belong_to_the_head(model: BmiSurrogate, domain: Domain) -> None:
    head = advance(model, 6)
    model.set_value_at_indices(names.PRESSURE_HEAD, np.arange(head.size - 60, head.size), np.full(60, 0.02))
    for _ in range(2):
        saturation = van_genuchten.saturation(
            head := value(model, names.PRESSURE_HEAD).reshape(SHAPE), domain.alpha, domain.n, domain.residual_saturation
        )
        pond = np.maximum(head[-1], 0.0)
        np.testing.assert_allclose(value(model, names.SATURATION).reshape(SHAPE), saturation, rtol=1e-13)
        np.testing.assert_allclose(
            value(model, names.WATER_TABLE_DEPTH).reshape(NY, NX), water_table.depth(head, domain.dz), rtol=1e-13
        )
        np.testing.assert_array_equal(value(model, names.PONDED_DEPTH).reshape(NY, NX), pond)
        terrain = (domain.require(n, "this test") for n in ("slope_x", "slope_y", "manning"))
        outflow = boundary_outflow(pond, *terrain, domain.dx, domain.dy, domain.mask)
        assert outflow.sum() > 0
        np.testing.assert_allclose(value(model, names.RUNOFF).reshape(NY, NX), outflow, rtol=1e-13)
        per_area = (domain.dz[:, None, None] * saturation * (domain.porosity + 1e-4 * head)).sum(axis=0) + pond
        assert value(model, names.STORAGE_VOLUME)[0] == pytest.approx(per_area.sum() * 1000.0 * 800.0, rel=1e-12)
        head = advance(model)


def test_head_must_have_its_source(model: BmiSurrogate) -> None:
    with pytest.raises(BmiStateError, match="has not been supplied"):
        model.update()


def test_setting_the_head_that_was_given_out_changes_nothing(configuration: dict[str, Any], write: Any) -> None:
    plain, poked = BmiSurrogate(), BmiSurrogate()
    for component in (plain, poked):
        component.initialize(write(configuration))
        advance(component, 3)
    poked.set_value(names.PRESSURE_HEAD, value(poked, names.PRESSURE_HEAD))
    np.testing.assert_array_equal(advance(poked, 3, first=3), advance(plain, 3, first=3))


@pytest.mark.parametrize("how", ["set_value", "indices", "pointer"])
def test_setting_the_head_changes_the_future(how: str, configuration: dict[str, Any], write: Any) -> None:
    plain, changed = BmiSurrogate(), BmiSurrogate()
    for component in (plain, changed):
        component.initialize(write(configuration))
        advance(component, 2)
    cell = np.ravel_multi_index((10, 12, 15), SHAPE)
    new = value(changed, names.PRESSURE_HEAD)
    new[cell] = 0.7
    if how == "set_value":
        changed.set_value(names.PRESSURE_HEAD, new)
    elif how == "indices":
        changed.set_value_at_indices(names.PRESSURE_HEAD, np.array([cell]), np.array([0.7]))
    else:
        changed.get_value_ptr(names.PRESSURE_HEAD)[cell] = 0.7
    if how != "pointer":
        assert value(changed, names.PONDED_DEPTH).reshape(NY, NX)[12, 15] == 0.7
    difference = np.abs(advance(changed, first=2) - advance(plain, first=2))
    assert difference[10, 12, 15] > 0.1
    # what the margins of the tiles keep apart stays apart
    assert difference[:, :5, :5].max() == 0.0


@pytest.mark.parametrize("how", ["set_value", "pointer"])
def test_a_head_set_before_the_first_update_is_the_initial_head(
    how: str, configuration: dict[str, Any], write: Any
) -> None:
    wet, given = BmiSurrogate(), BmiSurrogate()
    wet.initialize(write({**configuration, "initial": {"water_table_depth": 0.4}}))
    given.initialize(write(configuration))
    head = value(wet, names.PRESSURE_HEAD)
    if how == "set_value":
        given.set_value(names.PRESSURE_HEAD, head)
    else:
        given.get_value_ptr(names.PRESSURE_HEAD)[:] = head
    np.testing.assert_array_equal(advance(given, 3), advance(wet, 3))


def test_head_that_is_not_finite_is_refused_and_nothing_changes(model: BmiSurrogate) -> None:
    before = advance(model)
    with pytest.raises(ValueError, match=r"finite in active cells, got nan at cell \(k=0, j=0, i=5\)"):
        model.set_value_at_indices(names.PRESSURE_HEAD, np.array([5]), np.array([np.nan]))
    np.testing.assert_array_equal(value(model, names.PRESSURE_HEAD).reshape(SHAPE), before)


def test_source_that_is_not_finite_names_the_cell(model: BmiSurrogate) -> None:
    bad = source()
    bad[3, 4, 5] = np.inf
    model.set_value(names.NET_SOURCE, bad)
    with pytest.raises(ModelError, match=r"net_volume_flux is inf .*k=3, j=4, i=5"):
        model.update()


def test_network_that_overflows_is_a_model_error(
    configuration: dict[str, Any], write: Any, checkpoint: PredRNNCheckpoint, tmp_path: Path
) -> None:
    moments = checkpoint.statistics.statics
    wild = make_checkpoint(moments)
    with torch.no_grad():
        wild.network.conv_last.weight.fill_(3e38)
    configuration["surrogate"]["checkpoint"] = str(save(wild, tmp_path / "wild"))
    model = BmiSurrogate()
    model.initialize(write(configuration))
    model.set_value(names.NET_SOURCE, source())
    with pytest.raises(ModelError, match=r"pressure_head is (-?inf|nan) .*at cell \(k="):
        model.update()


def test_instances_are_independent(configuration: dict[str, Any], write: Any) -> None:
    models = [BmiSurrogate() for _ in range(2)]
    for m in models:
        m.initialize(write(configuration))
    alone = BmiSurrogate()
    alone.initialize(write(configuration))
    expected = advance(alone, 3)
    for hour in range(3):
        models[0].set_value(names.NET_SOURCE, source(hour))
        models[1].set_value(names.NET_SOURCE, source(77))
        for m in models:
            m.update()
    np.testing.assert_array_equal(value(models[0], names.PRESSURE_HEAD).reshape(SHAPE), expected)


def test_provenance_has_the_hash_of_the_weights(model: BmiSurrogate, checkpoint_file: Path) -> None:
    recorded = model.provenance
    assert recorded[str(checkpoint_file)] == hashlib.sha256(checkpoint_file.read_bytes()).hexdigest()
    assert {Path(p).suffix for p in recorded} == {".safetensors", ".yaml", ".npz"}


def test_inactive_cells_are_nan(configuration: dict[str, Any], write: Any, domain: Domain, tmp_path: Path) -> None:
    mask = np.ones((NY, NX))
    mask[:6, 10:] = 0
    np.savez(tmp_path / "mask.npz", mask=mask)
    configuration["domain"]["mask"] = {"file": str(tmp_path / "mask.npz"), "variable": "mask"}
    model = BmiSurrogate()
    model.initialize(write(configuration))
    head = advance(model, 2)
    for v in names.GROUNDWATER_VARIABLES[1:]:
        field = model.values[v.name]
        if field.ndim >= 2:
            assert np.isfinite(field[..., mask > 0]).all(), v.name
            assert np.isnan(field[..., mask == 0]).all(), v.name
    content = model.values[names.SATURATION] * model.values[names.POROSITY]
    np.testing.assert_array_equal(model.values[names.VOLUME_FRACTION], content)
    assert np.isfinite(value(model, names.STORAGE_VOLUME)).all()
    assert np.isfinite(head[:, 10, 10]).all()


@pytest.mark.parametrize("suffix", [".npz", ".nc"])
def test_static_channels_may_come_from_a_file(
    suffix: str, configuration: dict[str, Any], write: Any, domain: Domain, tmp_path: Path
) -> None:
    reference = BmiSurrogate()
    reference.initialize(write(configuration))
    file = tmp_path / f"statics{suffix}"
    fields = static_channels.from_domain(domain)
    if suffix == ".npz":
        np.savez(file, statics=fields)
    else:
        import xarray

        xarray.Dataset({"statics": (("channel", "y", "x"), fields)}).to_netcdf(file)
    configuration["surrogate"]["statics"] = str(file)
    del configuration["domain"]["conductivity"]
    model = BmiSurrogate()
    model.initialize(write(configuration))
    np.testing.assert_array_equal(advance(model, 2), advance(reference, 2))
    assert str(file) in model.provenance


def surrogate(c: dict[str, Any], **changes: Any) -> None:
    c["surrogate"].update(changes)


def without(section: str, key: str) -> Any:
    return lambda c: c[section].pop(key)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("surrogate"), "surrogate: this key is missing"),
        (lambda c: surrogate(c, checkpoint="nowhere.safetensors"), "no such file: .*nowhere"),
        (lambda c: surrogate(c, overlap="mean"), r"groundwater.yaml:\d+: surrogate.overlap"),
        (lambda c: surrogate(c, tiles=16), "surrogate.tiles: unknown key; did you mean 'tile'"),
        (lambda c: surrogate(c, tile=64), "surrogate: the domain is 18 cells long"),
        (lambda c: surrogate(c, threads=0), "surrogate.threads"),
        (lambda c: surrogate(c, engine="compiled"), "surrogate.engine: has no meaning for a PredRNN"),
        (lambda c: surrogate(c, statics_statistics="domain"), "stores the statistics of its statics; remove"),
        (without("domain", "slope"), "domain: slope.x is missing"),
        (without("domain", "conductivity"), "domain: conductivity.x is missing; .*surrogate.statics"),
        (
            lambda c: c["domain"].update(layers=[1.0, *LAYERS], porosity=0.4, conductivity={"x": 0.01, "z": 0.01}),
            "network has 11 layers, the domain has 12",
        ),
        (lambda c: c["domain"].update(layers=[100.0, *LAYERS[1:]]), "layer 0 .* is 20 m thick there, 100 m here"),
        (
            lambda c: c["domain"].update(root_zone={"layers": 4}),
            "takes sources in the upper 10 layers, the domain's root zone has 4",
        ),
        (lambda c: c["domain"]["van_genuchten"].update(n=2.5), "van Genuchten n, layer 0.* was 2.2 .* has 2.5"),
    ],
)
def test_mistakes_in_the_configuration_are_named(
    change: Any, message: str, configuration: dict[str, Any], write: Any
) -> None:
    change(configuration)
    with pytest.raises(ConfigError, match=message):
        BmiSurrogate().initialize(write(configuration))


def test_published_checkpoint_needs_an_order_to_compute_statistics(
    configuration: dict[str, Any], write: Any, checkpoint: PredRNNCheckpoint, domain: Domain, tmp_path: Path
) -> None:
    reference = BmiSurrogate()
    reference.initialize(write(configuration))
    configuration["surrogate"].update(save_published(checkpoint, tmp_path))
    with pytest.raises(ConfigError, match="statics_statistics: domain"):
        BmiSurrogate().initialize(write(configuration))
    configuration["surrogate"]["statics_statistics"] = "domain"
    model = BmiSurrogate()
    model.initialize(write(configuration))
    # the same statistics as our own checkpoint stores, so the same run
    assert checkpoint.statistics.statics is not None
    own = moments_of_statics(static_channels.from_domain(domain))
    np.testing.assert_array_equal(own.mean, checkpoint.statistics.statics.mean)
    np.testing.assert_array_equal(advance(model, 2), advance(reference, 2))


def test_a_predrnn_takes_nothing_beside_the_source_of_the_land(write: Any, configuration: dict[str, Any]) -> None:
    given = {"surface": {"flux": 0.001}, "sources": 0.0, "barriers": {"x": 1.0}}
    given["wells"] = [{"name": "pump", "cell": {"x": 0, "y": 0}, "screen": [0.0, 1.0], "rate": 0.0}]
    with pytest.raises(ConfigError) as caught:
        prepare(Path(write({**configuration, **given})))
    assert [m.key for m in caught.value.mistakes] == ["surface.flux", "barriers", "sources", "wells"]


def test_relative_permeability_of_its_own_is_refused(write: Any, configuration: dict[str, Any]) -> None:
    configuration["domain"]["van_genuchten"]["relative_permeability"] = {"n": 2.0}
    with pytest.raises(ConfigError) as caught:
        prepare(Path(write(configuration)))
    assert caught.value.key == "domain.van_genuchten.relative_permeability"
