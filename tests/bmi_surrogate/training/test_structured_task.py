"""The structured surrogate as the trainer sees it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from training_cases import material_of, write_config

from bmi_common import ConfigError
from bmi_surrogate import load
from bmi_surrogate.structured import ColumnProperties, StructuredModel
from bmi_surrogate.structured.emulator import StructuredEmulator
from bmi_surrogate.training.structured_task import StructuredConfig, StructuredTask
from bmi_surrogate.training.task import Batch, Rollout
from bmi_surrogate.training.trainer import Material

pytestmark = pytest.mark.slow


@pytest.fixture
def material(basin: Path) -> Material:
    return material_of(write_config(basin, sampling={"tile": 4, "batch": 3, "halo": 1}))[1]


@pytest.fixture
def model(material: Material) -> StructuredModel:
    """With a correction that does something."""
    torch.manual_seed(2)
    module = material.module()
    assert isinstance(module, StructuredModel)
    material.task.calibrate(module, [material.basins[0].sampler(0).batch(n, 1) for n in range(8)])
    torch.nn.init.normal_(module.correction.last.weight, std=0.3)
    return module


@pytest.fixture
def batch(material: Material) -> Batch:
    """Tiles in which some cells do not count."""
    return next(
        b for b in (material.basins[0].sampler(0).batch(n, 4) for n in range(99)) if (b.active & ~b.scored).any()
    )


def loss_of(material: Material, model: StructuredModel, batch: Batch, rollout: Rollout) -> torch.Tensor:
    terms = material.task.loss(model, batch, rollout)
    assert terms.keys() == material.task.weights.keys() == {"increments"}
    return terms["increments"]


def as_predicted(material: Material, model: StructuredModel, batch: Batch) -> Batch:
    """With what the model says for truth."""
    heads = material.task.predict(model, batch, Rollout(batch.hours))
    return dataclasses.replace(batch, head=torch.cat((batch.head[:, :1], heads), dim=1))


def test_the_loss_is_zero_where_prediction_is_truth(material: Material, model: StructuredModel, batch: Batch) -> None:
    exact = as_predicted(material, model, batch)
    loss = loss_of(material, model, exact, Rollout(4)).detach()
    # the gradient's Newton step moves the coordinate by what the search left, 1e-10 m of water
    assert 0.0 <= float(loss) < 1e-10
    assert float(loss_of(material, model, batch, Rollout(4))) > 1e-6


def test_gradients_are_finite_and_reach_every_parameter(
    material: Material, model: StructuredModel, batch: Batch
) -> None:
    loss_of(material, model, batch, Rollout(4)).backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0.0, name


def test_the_gradient_is_the_loss_differentiated(material: Material, model: StructuredModel, batch: Batch) -> None:
    """One hour: later ones depend on heads through overland inflow, which carries no gradient."""
    weight = model.correction.last.weight
    loss_of(material, model, batch, Rollout(1)).backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    direction = weight.grad / weight.grad.norm()
    slope = float((weight.grad * direction).sum())
    step, values = 1e-2, []
    for sign in (1.0, -1.0):
        with torch.no_grad():
            weight += sign * step * direction
            values.append(float(loss_of(material, model, batch, Rollout(1))))
            weight -= sign * step * direction
    # single-precision parameters and a step of finite length: a few percent
    assert (values[0] - values[1]) / (2.0 * step) == pytest.approx(slope, rel=0.05)


def test_only_cells_that_count_count(material: Material, model: StructuredModel, batch: Batch) -> None:
    exact = as_predicted(material, model, batch)
    ignored = (batch.active & ~batch.scored)[:, None].expand(-1, 4, model.architecture.layers, -1, -1)
    head = exact.head.clone()
    head[:, 1:][ignored] += 1.0
    other = dataclasses.replace(exact, head=head)
    assert float(loss_of(material, model, other, Rollout(4))) < 1e-10
    counted = exact.head.clone()
    counted[:, 1:][~ignored & batch.active[:, None]] += 1.0
    assert float(loss_of(material, model, dataclasses.replace(exact, head=counted), Rollout(4))) > 0.1


def test_drifting_hours_carry_no_gradient_and_do_not_count(
    material: Material, model: StructuredModel, batch: Batch
) -> None:
    """What counts is the loss of windows that start where the model itself has come to."""
    rollout = Rollout(4, gradient_hours=1)
    drifted = loss_of(material, model, batch, rollout)
    gradients = torch.autograd.grad(drifted, list(model.parameters()))
    heads = material.task.predict(model, batch, Rollout(3))
    begun = dataclasses.replace(batch, source=batch.source[:, 3:], head=batch.head[:, 3:])
    columns = ColumnProperties.of_maps(
        batch.active[:, 0],
        batch.fields,
        material.basins[0].domain.dz.tolist(),
        (material.basins[0].domain.dx, material.basins[0].domain.dy),
    )
    # by hand: one hour from the drifted head, against the true change of that hour
    done = model(columns, columns.pack(heads[:, 2]), columns.pack(batch.source[:, 3]), True)
    before, after = (columns.retention.coordinate(columns.pack(begun.head[:, k])) for k in (0, 1))
    quiet = StructuredConfig().quiet
    unit = model.scale * (((after - before) / model.scale).abs().mean(dim=0) + quiet)
    miss = ((done.coordinate - after) / unit).abs()
    error = torch.where(miss < 1.0, 0.5 * miss**2, miss - 0.5)
    expected = error[:, columns.pack(batch.scored)[0]].mean()
    torch.testing.assert_close(drifted, expected)
    for found, own in zip(gradients, torch.autograd.grad(expected, list(model.parameters())), strict=True):
        torch.testing.assert_close(found, own)


def test_calibration_is_the_mean_square_of_hourly_changes(material: Material) -> None:
    module = material.module()
    batches = [material.basins[0].sampler(0).batch(n, 1) for n in range(5)]
    material.task.calibrate(module, batches)
    squares = []
    for b in batches:
        head, active = b.head.numpy(), b.active[:, 0].numpy()
        c = 0.5 / b.fields["alpha"].double().numpy()
        before, after = (
            np.where(h > -c, h, -c * (1.0 + np.log(np.maximum(-h / c, 1.0)))) for h in (head[:, 0], head[:, 1])
        )
        changes = np.moveaxis(after - before, 1, 0)[:, active]
        squares.append((changes**2).mean(axis=1))
    expected = np.sqrt(np.mean(squares, axis=0))
    np.testing.assert_allclose(module.get_buffer("scale")[:, 0].numpy(), np.maximum(expected, 1e-7), rtol=1e-10)
    assert expected.max() > 1e-4


def test_a_layer_in_which_nothing_happens_has_a_scale(material: Material, batch: Batch) -> None:
    module = material.module()
    still = dataclasses.replace(batch, head=batch.head[:, :1].expand(-1, 5, -1, -1, -1))
    material.task.calibrate(module, [still])
    assert (module.get_buffer("scale") == 1e-7).all()


def test_predictions_are_the_steps_of_the_component(material: Material, model: StructuredModel) -> None:
    whole = material.basins[0].validation
    predicted = material.task.predict(model, whole, Rollout(6))[0].numpy()
    emulator, mask = StructuredEmulator(model, material.basins[0].domain), material.basins[0].domain.mask
    emulator.start(whole.head[0, 0].numpy())
    for hour in range(6):
        head = emulator.step(whole.source[0, hour].double().numpy())
        # fields of batches are in single precision
        np.testing.assert_allclose(predicted[hour][:, mask], head[:, mask], rtol=1e-5, atol=1e-6)
        assert (predicted[hour][:, ~mask] == 0.0).all()


def test_weights_come_back_as_they_were_written(material: Material, model: StructuredModel, tmp_path: Path) -> None:
    found = load(material.task.save(model, tmp_path / "best", {"seed": "7"}))
    assert found.provenance == {"seed": "7"}
    assert found.layer_thickness == tuple(material.basins[0].domain.dz)
    for name, value in found.model.state_dict().items():  # type: ignore[union-attr]
        assert torch.equal(value, model.state_dict()[name]), name


@pytest.mark.parametrize("field", ["slope_x", "manning", "conductivity_z"])
def test_a_domain_without_a_field_is_refused(material: Material, field: str) -> None:
    domain = dataclasses.replace(material.basins[0].domain, **{field: None})
    with pytest.raises(ConfigError, match="the structured surrogate"):
        material.task.build([dataclasses.replace(material.basins[0], domain=domain)], 4)


def test_another_module_is_a_programming_mistake(material: Material, batch: Batch) -> None:
    with pytest.raises(TypeError, match="a StructuredModel is needed, not Linear"):
        StructuredTask(StructuredConfig()).loss(torch.nn.Linear(1, 1), batch, Rollout(1))
