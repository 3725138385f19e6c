"""The network that the layers of a column share, and the scale that depends on depth."""

import numpy as np
import pytest
import torch
from richards_domains import Floats
from structured_cases import LAYERS, trained

from bmi_surrogate.structured.shared_correction import (
    DEPTHS,
    LAYER_FEATURES,
    InnerLayer,
    Seen,
    SharedCorrection,
    depth_of_centres,
    fitted_scale,
    scale_at,
)


def seen(layers: int, columns: int = 5, seed: int = 0) -> Seen:
    draw = torch.Generator().manual_seed(seed)
    return Seen(torch.randn(layers, columns, LAYER_FEATURES, generator=draw), torch.randn(columns, 4, generator=draw))


def correction(hidden: tuple[int, ...]) -> SharedCorrection:
    found = trained("any", seed=3, hidden=hidden).correction
    assert isinstance(found, SharedCorrection)
    return found


def by_hand(network: SharedCorrection, features: Floats, surface: Floats) -> Floats:
    """Outputs of equation (15b) for one column (layers, features), layer by layer."""
    state, summary = features, surface
    for inner in network.inner:
        assert isinstance(inner, InnerLayer)
        near, whole, bias = (p.detach().numpy() for p in (inner.near.weight, inner.whole.weight, inner.whole.bias))
        nothing = np.zeros(state.shape[1])
        rows = []
        for k in range(len(state)):
            below = state[k - 1] if k > 0 else nothing
            above = state[k + 1] if k + 1 < len(state) else nothing
            total = near @ np.concatenate((below, state[k], above)) + whole @ summary + bias
            rows.append(total / (1.0 + np.exp(-total)))
        state = np.array(rows)
        summary = np.concatenate((state.mean(axis=0), state.max(axis=0), surface))
    found: Floats = state @ network.last.weight.detach().numpy().T + network.last.bias.detach().numpy()
    return found


def test_the_network_is_equation_15a_for_any_number_of_layers() -> None:
    network = correction((7, 5, 6))
    for layers in (2, 5, 50):
        there = seen(layers)
        gain, weights = network(there, torch.full((5,), 0.02, dtype=torch.float64))
        for column in range(5):
            found = by_hand(network, there.layers[:, column].numpy(), there.surface[column].numpy())
            # half of the learned is applied at this change by the last solve
            np.testing.assert_allclose(gain[:, column].detach(), 1.0 + np.tanh(found[:, 0] / 2.0), rtol=1e-4, atol=1e-5)
            power = 0.5 * np.log(8.0) * np.tanh(found[1:, 1] / np.log(8.0))
            np.testing.assert_allclose(weights[1:, column].detach(), np.exp(power), rtol=1e-4)
        assert not weights[0].any()


def test_a_layer_far_away_acts_through_the_summary_of_the_column_only() -> None:
    """With one inner layer there is none, and only neighbours act."""
    there = seen(9)
    moved = Seen(there.layers.clone(), there.surface)
    moved.layers[0] += 1.0
    residual = torch.ones(5, dtype=torch.float64)
    for hidden, reached in (((8,), 2), ((8, 8), 9)):
        network = correction(hidden)
        changed = (network(there, residual)[0] != network(moved, residual)[0]).any(dim=1)
        assert changed[:reached].all()
        assert not changed[reached:].any()


def test_columns_do_not_see_each_other() -> None:
    network, there, residual = correction((8, 8)), seen(6), torch.ones(5, dtype=torch.float64)
    order = torch.tensor([3, 0, 4, 1, 2])
    gain, weights = network(there, residual)
    turned = network(Seen(there.layers[:, order], there.surface[order]), residual)
    torch.testing.assert_close(turned, (gain[:, order], weights[:, order]))


def test_the_scale_of_layers_comes_back_at_their_depths_and_goes_on_evenly_beyond() -> None:
    dz = torch.tensor(LAYERS, dtype=torch.float64)[:, None]
    depth = depth_of_centres(dz)
    assert depth[-1] == LAYERS[-1] / 2.0
    assert float(depth[0]) == sum(LAYERS) - LAYERS[0] / 2.0
    scale = 0.3 / (1.0 + depth[:, 0].numpy() / 0.3)
    known = torch.from_numpy(fitted_scale(depth[:, 0].numpy(), scale))
    np.testing.assert_allclose(scale_at(depth, known)[:, 0], scale, rtol=0.1)
    beyond = torch.tensor([[1e-6], [DEPTHS[0]], [DEPTHS[-1]], [1e4]], dtype=torch.float64)
    shallow, first, last, deep = scale_at(beyond, known)[:, 0].tolist()
    assert shallow == first == float(known[0])
    assert deep == last == float(known[-1])
    assert last == pytest.approx(float(known[9:].min()), rel=1e-12)


def test_layerings_are_fitted_together_in_any_order() -> None:
    depth, scale = np.array([0.02, 0.3, 2.0, 0.1, 5.0]), np.array([0.3, 0.2, 0.05, 0.25, 0.02])
    order = np.array([4, 2, 0, 1, 3])
    np.testing.assert_allclose(fitted_scale(depth[order], scale[order]), fitted_scale(depth, scale), rtol=1e-10)
