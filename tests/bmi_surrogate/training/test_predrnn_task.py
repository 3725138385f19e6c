"""PredRNN as a task of the trainer."""

import copy
import dataclasses
import functools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from surrogate_cases import LAYERS, NX, NY
from training_stores import make_domain, make_store, statics_of

from bmi_common import ConfigError, Domain
from bmi_surrogate import Architecture, PredRNN, PredRNNCheckpoint, PredRNNEmulator, PredRNNOptions, load
from bmi_surrogate.predrnn import statics as static_channels
from bmi_surrogate.predrnn.closed_balance import ClosedEmulator
from bmi_surrogate.predrnn.normalisation import Moments, Statistics, moments_of_statics
from bmi_surrogate.structured.columns import FIELDS
from bmi_surrogate.training.losses import STORAGE_FIELDS
from bmi_surrogate.training.predrnn_task import LossWeights, PredRNNConfig, PredRNNTask, TrainablePredRNN
from bmi_surrogate.training.sampling import Sampler, SamplingConfig
from bmi_surrogate.training.statistics import data_statistics
from bmi_surrogate.training.task import Basin, Batch, DataStatistics, Origin, Rollout, Task

pytestmark = pytest.mark.slow

HOURS = 4
ALL_TERMS = LossWeights(increments=1.0, storage=0.1)


@pytest.fixture(scope="module")
def statics(domain: Domain) -> np.ndarray:
    return static_channels.from_domain(domain)


@pytest.fixture(scope="module")
def statistics(statics: np.ndarray) -> DataStatistics:
    return DataStatistics(
        pressure=Moments.of(np.linspace(20.0, -0.5, 11), np.linspace(3.0, 0.5, 11)),
        increments=Moments.of(np.zeros(11), np.geomspace(1e-4, 5e-2, 11)),
        source=Moments.of(np.full(10, 1e-4), np.full(10, 1e-2)),
        statics=moments_of_statics(statics),
    )


@pytest.fixture(scope="module")
def batch(domain: Domain, statics: np.ndarray, statistics: DataStatistics) -> Batch:
    """The whole domain, with a corner that takes no part; every layer changes with the mean source of its column."""
    random = np.random.default_rng(5)
    profile = np.linspace(20.0, -0.5, 11)[:, None, None]
    heads = np.repeat(profile + random.normal(0.0, 0.3, (1, 1, 11, NY, NX)), HOURS + 1, axis=1)
    sources = random.normal(1e-4, 1e-2, (1, HOURS, 10, NY, NX))
    drive = sources.mean(axis=2, keepdims=True) / sources.mean(axis=2).std()
    heads[:, 1:] += np.cumsum(drive * statistics.increments.std[:, None, None], axis=1)
    active = np.ones((1, 1, NY, NX), dtype=bool)
    active[..., :4, :7] = False
    scored = active.copy()
    scored[..., -2:] = False
    return Batch(
        head=torch.from_numpy(np.where(active[:, None], heads, 0.0)),
        source=torch.from_numpy(np.where(active[:, None], sources, 0.0)).float(),
        statics=torch.from_numpy(statics[None]).float(),
        fields={name: torch.from_numpy(getattr(domain, name)[None]).float() for name in STORAGE_FIELDS},
        active=torch.from_numpy(active),
        scored=torch.from_numpy(scored),
        origins=[Origin(0, 0, 0)],
    )


@pytest.fixture
def make(statistics: DataStatistics, statics: np.ndarray, domain: Domain) -> Any:
    def build(tile: int | None = None, **spec: Any) -> tuple[PredRNNTask, TrainablePredRNN]:
        torch.manual_seed(3)
        task = PredRNNTask(PredRNNConfig(**spec))
        return task, task.build([Basin(domain, statics, statistics)], tile)

    return build


def gradients(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


def backward(task: PredRNNTask, module: TrainablePredRNN, batch: Batch, rollout: Rollout) -> dict[str, torch.Tensor]:
    module.zero_grad()
    terms = task.loss(module, batch, rollout)
    torch.stack([task.weights[name] * term for name, term in terms.items()]).sum().backward()
    return gradients(module)


# ---------------------------------------------------------------------- the published training step


@pytest.mark.reference
@pytest.mark.parametrize("attention", ["none", "pool", "xyconv"])
def test_published_losses_and_gradients(reference: Path, attention: Any) -> None:
    """The stored figures come from single precision; sums of 1e4 terms in another order differ by a few 1e-7."""
    r = np.load(reference / "surrogate" / "reference_attention.npz")
    weights = load_file(reference / "surrogate" / "attention_weights.safetensors")
    network = PredRNN(
        Architecture(attention=attention, attention_form="published", attention_window=None, attention_side=8)
    )
    network.load_state_dict({k.removeprefix(attention + "."): v for k, v in weights.items() if k.startswith(attention)})

    def unit(channels: int) -> Moments:
        return Moments.of(np.zeros(channels), np.ones(channels))

    task = PredRNNTask(PredRNNConfig(attention=attention, attention_form="published", attention_window=None))
    statistics = Statistics(unit(11), unit(10), unit(46))
    module = TrainablePredRNN(network, statistics, unit(11), np.ones(11), 8, frozenset(task.weights)).eval()
    everywhere = torch.ones(2, 1, 8, 8, dtype=torch.bool)
    batch = Batch(
        head=torch.from_numpy(np.concatenate([r["x_init"], r["targets"]], axis=1)).double(),
        source=torch.from_numpy(r["actions"]),
        statics=torch.from_numpy(r["statics"][:, 0]),
        fields={},
        active=everywhere,
        scored=everywhere,
        origins=[Origin(0, 0, 0)] * 2,
    )
    terms = task.loss(module, batch, Rollout(5))
    expected = {"pressure": "loss_mse", "differences": "loss_grad", "decoupling": "decouple"}
    assert terms.keys() == expected.keys()
    for name, theirs in expected.items():
        assert terms[name].item() == pytest.approx(float(r[f"{theirs}_{attention}"]), rel=3e-6), name
    total = torch.stack([task.weights[name] * term for name, term in terms.items()]).sum()
    assert total.item() == pytest.approx(float(r[f"loss_total_{attention}"]), rel=3e-6)
    total.backward()
    prefix = f"gradnorm_{attention}."
    theirs_of = {name.removeprefix(prefix): float(r[name]) for name in r.files if name.startswith(prefix)}
    ours_of = {name: 0.0 if p.grad is None else p.grad.norm().item() for name, p in network.named_parameters()}
    assert ours_of.keys() == theirs_of.keys()
    for name, theirs_norm in theirs_of.items():
        # small gradients are small differences of large terms
        assert ours_of[name] == pytest.approx(theirs_norm, rel=1e-4, abs=1e-7), name


# ---------------------------------------------------------------------- rollouts


def test_it_is_a_task(make: Any) -> None:
    task: Task = make()[0]
    assert task.weights == {"pressure": 1.0, "differences": 0.1, "decoupling": 1.0}
    assert task.fields == ()
    assert make(loss={"storage": 0.1})[0].fields == STORAGE_FIELDS


def test_terms_are_those_with_a_weight(make: Any, batch: Batch) -> None:
    task, module = make(loss=ALL_TERMS)
    terms = task.loss(module, batch, Rollout(HOURS))
    assert terms.keys() == task.weights.keys() == {"pressure", "differences", "decoupling", "increments", "storage"}
    assert all(term.shape == () and term > 0.0 for term in terms.values())
    published = make()[0].loss(make()[1], batch, Rollout(HOURS))
    for name, term in published.items():
        torch.testing.assert_close(term, terms[name])


def test_loss_judges_what_predict_gives(make: Any, batch: Batch, statistics: DataStatistics) -> None:
    task, module = make(loss={"pressure": 1.0, "increments": 1.0})
    heads = task.predict(module, batch, Rollout(HOURS))
    assert heads.shape == (1, HOURS, 11, NY, NX)
    assert heads.dtype == torch.float64
    cells = batch.scored[0, 0]
    error = (heads - batch.head[:, 1:])[0][..., cells].numpy()
    terms = task.loss(module, batch, Rollout(HOURS))
    expected = ((error / statistics.pressure.std[:, None]) ** 2).mean()
    # single precision of the states, about 1e-6 of the heads
    assert terms["pressure"].item() == pytest.approx(expected, rel=1e-5)
    changes = np.diff(error, axis=0, prepend=np.zeros_like(error[:1])) / statistics.increments.std[:, None]
    assert terms["increments"].item() == pytest.approx((changes**2).mean(), rel=1e-3)


def test_drifting_hours_neither_count_nor_carry_gradients(make: Any, batch: Batch) -> None:
    """The last hours, started from where the first ones drifted to, but with the memory of these."""
    task, module = make(static_features=3, loss=ALL_TERMS)
    drifted = backward(task, module, batch, Rollout(HOURS, gradient_hours=2))
    assert all(g.abs().sum() == 0 for n, g in drifted.items() if n.startswith(("network.memory", "network.cell_enc")))
    assert drifted["network.static_encoder.weight"].abs().sum() > 0
    assert drifted["network.cell_list.0.conv_x.0.weight"].abs().sum() > 0
    # truth of hours that only drift does not matter
    other = batch.head.clone()
    other[:, 1:2] += torch.where(batch.active[:, None], 1.0, 0.0)
    again = backward(task, module, dataclasses.replace(batch, head=other), Rollout(HOURS, gradient_hours=2))
    assert drifted.keys() == again.keys()
    assert all(torch.equal(drifted[name], again[name]) for name in drifted)


@pytest.mark.parametrize("gradient_hours", [None, HOURS, HOURS + 5])
def test_gradients_through_all_hours_reach_the_start(make: Any, batch: Batch, gradient_hours: int | None) -> None:
    task, module = make(loss=ALL_TERMS)
    found = backward(task, module, batch, Rollout(HOURS, gradient_hours))
    assert found["network.cell_encoder.weight"].abs().sum() > 0
    assert found.keys() == dict(module.named_parameters()).keys()


def test_a_rollout_longer_than_the_windows_is_refused(make: Any, batch: Batch) -> None:
    task, module = make()
    with pytest.raises(ValueError, match="5 hours needs windows as long, these have 4"):
        task.loss(module, batch, Rollout(HOURS + 1))


def test_a_few_steps_of_training_lower_the_loss(make: Any, batch: Batch) -> None:
    task, module = make(increments="scaled", static_features=2, loss=ALL_TERMS)
    optimiser = torch.optim.AdamW(module.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        backward(task, module, batch, Rollout(2))
        optimiser.step()
        with torch.no_grad():
            terms = task.loss(module, batch, Rollout(2))
        losses.append(sum(task.weights[n] * t.item() for n, t in terms.items()))
    assert losses[-1] < 0.9 * losses[0]


def test_mixed_precision_gives_nearly_the_same_terms_and_finite_gradients(make: Any, batch: Batch) -> None:
    task, module = make(increments="scaled", static_features=2, loss=ALL_TERMS)
    exact = task.loss(module, batch, Rollout(HOURS, 2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = task.loss(module, batch, Rollout(HOURS, 2))
    assert {term.dtype for term in mixed.values()} == {torch.float32}
    for name, term in exact.items():
        assert mixed[name].item() == pytest.approx(term.item(), rel=0.05), name  # eight bits are 0.4 %
    torch.stack(list(mixed.values())).sum().backward()
    assert all(torch.isfinite(g).all() for g in gradients(module).values())


def test_inactive_cells_do_not_matter(make: Any, batch: Batch) -> None:
    task, module = make(loss=ALL_TERMS)
    outside = ~batch.active
    filled = dataclasses.replace(
        batch,
        head=torch.where(outside[:, None], 1e3, batch.head),
        source=torch.where(outside[:, None], torch.nan, batch.source),
        statics=torch.where(outside, torch.nan, batch.statics),
        fields={name: torch.where(outside, torch.nan, field) for name, field in batch.fields.items()},
    )
    for name, term in task.loss(module, batch, Rollout(HOURS)).items():
        assert torch.equal(task.loss(module, filled, Rollout(HOURS))[name], term)
    heads = task.predict(module, filled, Rollout(HOURS))
    assert torch.equal(heads, task.predict(module, batch, Rollout(HOURS)))
    assert (heads[:, :, :, :4, :7] == 0.0).all()


def test_batches_of_a_store_with_inactive_cells_train_and_validate(tmp_path: Path) -> None:
    """Stored fields have no values in inactive cells: nothing of that may reach losses, gradients or heads."""
    basin = make_domain(12, 11, inactive=0.2)
    store, statics = make_store(tmp_path, basin, (30,), validation_hours=6), statics_of(basin)
    task = PredRNNTask(PredRNNConfig(increments="scaled", static_features=2, loss=ALL_TERMS))
    sampling = SamplingConfig(tile=6, batch=3, halo=1)
    sampler = Sampler(store, basin, statics, task.fields, sampling, seed=0)
    module = task.build([Basin(basin, statics, data_statistics(store, basin, statics))], 6)
    optimiser = torch.optim.AdamW(module.parameters(), lr=1e-3)
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    for iteration in range(3):
        found = backward(task, module, sampler.batch(iteration, HOURS), Rollout(HOURS, 3))
        assert all(torch.isfinite(g).all() for g in found.values())
        optimiser.step()
    assert not torch.equal(before["network.conv_last.weight"], module.network.conv_last.weight)
    heads = task.predict(module, sampler.whole(24, 6), Rollout(6))
    assert heads.shape == (1, 6, 11, 12, 11)
    assert torch.isfinite(heads).all()
    assert (heads[..., torch.from_numpy(~basin.mask)] == 0.0).all()


# ---------------------------------------------------------------------- building and saving


def test_scaled_increments_take_the_scale_of_the_data(make: Any, statistics: DataStatistics) -> None:
    _, module = make(increments="scaled")
    scale = module.network.get_buffer("increment_scale").numpy()
    np.testing.assert_allclose(scale, statistics.increments.std / statistics.pressure.std, rtol=1e-6)


@pytest.mark.parametrize("spec", [{"increments": "scaled"}, {"loss": {"increments": 1.0}}])
def test_a_layer_that_never_changes_cannot_be_scaled(
    statistics: DataStatistics, statics: np.ndarray, domain: Domain, spec: dict[str, Any]
) -> None:
    still = Moments.of(np.zeros(11), np.array([1e-3] * 4 + [0.0] + [1e-3] * 6))
    known = dataclasses.replace(statistics, increments=still)
    with pytest.raises(ConfigError, match=r"layer 4 .* never changes"):
        PredRNNTask(PredRNNConfig(**spec)).build([Basin(domain, statics, known)], 8)


@pytest.mark.parametrize(
    ("spec", "tile", "message"),
    [
        ({"attention": "xyconv"}, None, "xyconv takes square tiles only, the whole domain has 18 x 21"),
        ({"kernel": 9}, 4, "kernel: 9 is too large for tiles of 4 cells"),
    ],
)
def test_tiles_that_do_not_suit_are_refused(make: Any, spec: dict[str, Any], tile: int | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(tile=tile, **spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"kernel": 4}, "kernel must be odd"),
        ({"attention": "pool", "hidden": 12}, r"attention_heads \(8\) must divide hidden \(12\)"),
        ({"loss": {"pressure": 0.0, "differences": 0.0}}, "must have a weight above 0"),
        ({"hiden": 8}, "did you mean 'hidden'"),
    ],
)
def test_contradictions_are_refused(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PredRNNConfig(**spec)


@pytest.mark.parametrize(
    ("tile", "spec"),
    [
        (None, {}),
        (8, {"increments": "scaled", "static_features": 4, "hidden": 8, "cells": 3, "attention": "pool"}),
        (6, {"attention": "xyconv"}),
    ],
    ids=["published, whole domain", "improved, tiles", "tiles of one size only"],
)
def test_a_saved_checkpoint_does_what_the_module_did(
    make: Any,
    batch: Batch,
    statics: np.ndarray,
    statistics: DataStatistics,
    tmp_path: Path,
    tile: int | None,
    spec: dict[str, Any],
) -> None:
    task, module = make(tile=tile, **spec)
    module.eval()
    if spec:
        torch.nn.init.constant_(module.network.scale, 0.5)  # attention starts switched off
    expected = task.predict(module, batch, Rollout(HOURS))[0].numpy()
    saved = load(task.save(module, tmp_path / "mine", {"seed": "3"}))
    assert isinstance(saved, PredRNNCheckpoint)
    assert saved.layer_thickness == tuple(LAYERS)
    assert saved.tile == (tile or "whole")
    assert saved.provenance == {"seed": "3"}
    mask = batch.active[0, 0].numpy()
    emulator = PredRNNEmulator(saved, statics, mask, PredRNNOptions(device="cpu", threads=1))
    emulator.start(batch.head[0, 0].numpy())
    for hour in range(HOURS):
        head = emulator.step(batch.source[0, hour].double().numpy())
        error = (head - expected[hour])[:, mask] / statistics.pressure.std[:, None]
        assert np.abs(error).max() < 1e-5
    assert np.abs(expected[-1] - batch.head[0, 0].numpy())[:, mask].max() > 1e-3


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="no C++ compiler")
def test_a_compiled_module_gives_the_same_losses_and_gradients(
    make: Any, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    # graphs of forward and backward as for the compiler, without a minute of it: its C++ is PyTorch's to test
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    task, module = make(hidden=4, cells=1, loss={"decoupling": 0.0})
    fast = copy.deepcopy(module)
    task.compiled(fast)
    assert fast.state_dict().keys() == module.state_dict().keys()
    eager, compiled = (backward(task, m, batch, Rollout(2)) for m in (module, fast))
    assert eager.keys() == compiled.keys()
    for name, gradient in eager.items():
        torch.testing.assert_close(compiled[name], gradient, rtol=1e-3, atol=1e-5, msg=name)


def test_compiling_with_attention_is_refused(make: Any) -> None:
    task, module = make(attention="pool")
    with pytest.raises(ConfigError, match="not possible with attention"):
        task.compiled(module)


# ---------------------------------------------------------------------- closed balance


def closed_batch(batch: Batch, domain: Domain) -> Batch:
    fields = {name: np.broadcast_to(getattr(domain, name), (1, *getattr(domain, name).shape)) for name in FIELDS}
    maps = {name: torch.from_numpy(f.reshape(1, -1, NY, NX).copy()).float() for name, f in fields.items()}
    return dataclasses.replace(batch, fields=maps)


CLOSED: dict[str, Any] = {
    "increments": "scaled",
    "state_features": True,
    "balance": "closed",
    "loss": LossWeights(relative=1.0, pressure=0.1, differences=0.0, decoupling=0.05),
}


@pytest.mark.slow
def test_a_closed_network_learns_through_its_balance(make: Any, batch: Batch, domain: Domain) -> None:
    task, module = make(**CLOSED)
    assert set(task.fields) == set(FIELDS)
    inside = closed_batch(batch, domain)
    torch.nn.init.normal_(module.network.conv_last.weight, std=0.5)
    heads = task.predict(module, inside, Rollout(HOURS))  # what can be reached, because no water is lost in it
    inside = dataclasses.replace(inside, head=torch.cat((inside.head[:, :1], heads), dim=1))
    torch.nn.init.zeros_(module.network.conv_last.weight)
    optimiser = torch.optim.Adam(module.parameters(), lr=3e-3)
    found = []
    for _ in range(8):
        found.append(float(sum(task.weights[n] * t for n, t in task.loss(module, inside, Rollout(2)).items()).detach()))
        backward(task, module, inside, Rollout(2))
        optimiser.step()
    assert all(torch.isfinite(g).all() for g in gradients(module).values())
    assert found[-1] < 0.9 * found[0]


def test_a_closed_network_predicts_as_the_engine_at_work(
    make: Any, batch: Batch, domain: Domain, statics: np.ndarray
) -> None:
    _, module = make(**CLOSED)
    whole = dataclasses.replace(
        closed_batch(batch, domain), active=torch.ones_like(batch.active), scored=torch.ones_like(batch.active)
    )
    heads = module.eval().predict(whole, HOURS)[0].numpy()
    checkpoint = PredRNNCheckpoint(module.network, module.statistics, "whole", tuple(LAYERS))
    emulator = ClosedEmulator(PredRNNEmulator(checkpoint, statics, domain.mask, PredRNNOptions(threads=1)), domain)
    emulator.start(batch.head[0, 0].numpy())
    for hour in range(HOURS):
        head = emulator.step(batch.source[0, hour].double().numpy())
        # the trainer's soil is in single precision
        np.testing.assert_allclose(heads[hour], head, rtol=1e-4, atol=2e-3)


def test_a_closed_balance_needs_the_whole_domain(make: Any) -> None:
    with pytest.raises(ConfigError, match="balance: closed needs `tile: whole`"):
        make(tile=16, **CLOSED)


def test_state_features_are_what_the_soil_has(make: Any) -> None:
    _, module = make(increments="scaled", state_features=True)
    network: PredRNN = module.network
    centre = np.cumsum(LAYERS) - 0.5 * np.array(LAYERS)
    hydrostatic = torch.from_numpy(30.0 - centre).reshape(1, -1, 1, 1)
    wetness, gradient = network._state_features(
        ((hydrostatic - network.head_mean.view(1, -1, 1, 1)) / network.head_std.view(1, -1, 1, 1)).float()
    )
    torch.testing.assert_close(wetness.double(), torch.asinh(hydrostatic / 0.1), rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0.0, atol=2e-2)
