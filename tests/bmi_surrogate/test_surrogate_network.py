"""The network as a building block: memory, attention, training."""

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from bmi_surrogate import Architecture, PredRNN

SIDE = 8


def network(**architecture: object) -> PredRNN:
    torch.manual_seed(3)
    return PredRNN(Architecture(attention_side=SIDE, **architecture)).eval()  # type: ignore[arg-type]


def inputs(hours: int = 4, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(5)
    return (
        torch.randn(batch, 11, SIDE, SIDE, generator=g),
        torch.randn(batch, hours, 10, SIDE, SIDE, generator=g),
        torch.randn(batch, 46, SIDE, SIDE, generator=g),
    )


@pytest.mark.parametrize(("attention", "parameters"), [("none", 85_216), ("pool", 86_305), ("xyconv", 86_561)])
def test_number_of_parameters_is_the_published_one(attention: str, parameters: int) -> None:
    assert sum(p.numel() for p in network(attention=attention).parameters()) == parameters


def test_rollout_equals_steps_that_carry_the_memory() -> None:
    net, (pressure, sources, statics) = network(), inputs()
    with torch.inference_mode():
        rolled = net(pressure, sources, statics)
        memory = net.start(pressure, statics)
        for hour in range(sources.shape[1]):
            pressure, memory, _ = net.step(pressure, sources[:, hour], memory)
            assert torch.equal(pressure, rolled[:, hour])


def test_samples_of_a_batch_do_not_see_each_other() -> None:
    net, (pressure, sources, statics) = network(), inputs(batch=3)
    with torch.inference_mode():
        together = net(pressure, sources, statics)
        alone = net(pressure[1:2], sources[1:2], statics[1:2])
    torch.testing.assert_close(together[1:2], alone, rtol=0, atol=2e-6)


def test_statics_and_source_matter() -> None:
    net, (pressure, sources, statics) = network(), inputs()
    with torch.inference_mode():
        reference = net(pressure, sources, statics)
        assert not torch.allclose(net(pressure, sources, 2.0 * statics), reference, atol=1e-4)
        assert not torch.allclose(net(pressure, 2.0 * sources, statics), reference, atol=1e-4)


@pytest.mark.parametrize("attention", ["pool", "xyconv"])
def test_untrained_network_with_published_attention_is_persistence(attention: str) -> None:
    net, (pressure, sources, statics) = network(attention=attention, attention_form="published"), inputs()
    with torch.inference_mode():
        assert torch.equal(net(pressure, sources, statics)[:, -1], pressure)


@pytest.mark.parametrize("attention", ["pool", "xyconv"])
def test_added_attention_starts_from_the_network_without_it(attention: str) -> None:
    net, data = network(attention=attention), inputs()
    base = PredRNN(Architecture()).eval()
    base.load_state_dict({k: v for k, v in net.state_dict().items() if k in base.state_dict()})
    with torch.inference_mode():
        torch.testing.assert_close(net(*data), base(*data), rtol=0, atol=0)


def test_attention_window_bounds_the_history() -> None:
    bounded, unbounded = (network(attention="pool", attention_window=w) for w in (2, None))
    for net in (bounded, unbounded):
        torch.nn.init.constant_(net.scale, 1.0)
    pressure, sources, statics = inputs(hours=5)
    with torch.inference_mode():
        near, far = bounded(pressure, sources, statics), unbounded(pressure, sources, statics)
        memory, x = bounded.start(pressure, statics), pressure
        lengths = []
        for source in sources.unbind(dim=1):
            x, memory, _ = bounded.step(x, source, memory)
            assert memory.history is not None
            lengths.append(memory.history.maps.shape[1])
    assert lengths == [1, 2, 2, 2, 2]
    torch.testing.assert_close(near[:, :2], far[:, :2])
    assert not torch.allclose(near[:, 2], far[:, 2], atol=1e-6)


def test_every_parameter_that_acts_gets_a_gradient() -> None:
    net, (pressure, sources, statics) = network(attention="xyconv").train(), inputs()
    torch.nn.init.constant_(net.scale, 0.5)
    net(pressure, sources, statics).square().mean().backward()
    silent = {name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()}
    # the adapter belongs to the decoupling loss; of the attention only the weights are used, not its output
    assert silent == {"adapter.weight", "attention.out_proj.weight", "attention.out_proj.bias"}


def test_cells_give_the_increments_of_their_memories() -> None:
    net, (pressure, sources, statics) = network(), inputs(hours=1)
    with torch.inference_mode():
        memory = net.start(pressure, statics)
        done = net.step(pressure, sources[:, 0], memory)
    for cell, before in zip(done.cells, memory.c, strict=True):
        kept = (cell.c - cell.c_increment) / before  # the forget gate
        assert 0.0 < float(kept.min()) < float(kept.max()) < 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": (16, 8)}, "same number"),
        ({"hidden": ()}, "same number"),
        ({"kernel": 4}, "odd"),
        ({"layers": 0}, "at least 1"),
        ({"attention": "pool", "attention_heads": 5}, "divide"),
        ({"attention_window": 0}, "at least 1 hour"),
    ],
)
def test_impossible_architectures_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(Architecture(), **change)  # type: ignore[arg-type]


def test_double_precision_differs_by_single_precision_rounding_only() -> None:
    net, data = network(), inputs()
    with torch.inference_mode():
        single = net(*data)
        double = net.double()(*(d.double() for d in data))
    worst = float((single - double).abs().max())
    assert 0.0 < worst < 1e-5
    assert not math.isnan(worst)
