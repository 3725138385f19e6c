"""Terms of the loss."""

import numpy as np
import pytest
import torch

from bmi_common import van_genuchten
from bmi_surrogate.training import losses

BATCH, HOURS, LAYERS, NY, NX = 2, 3, 4, 5, 6


@pytest.fixture
def heads() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    shape = (BATCH, HOURS + 1, LAYERS, NY, NX)
    return tuple(torch.randn(shape, generator=random, dtype=torch.float64) for _ in range(2))  # type: ignore[return-value]


@pytest.fixture
def scored() -> torch.Tensor:
    cells = torch.ones(BATCH, 1, NY, NX, dtype=torch.bool)
    cells[0, 0, :2] = False
    cells[1, 0, 3, 2:4] = False
    return cells


@pytest.fixture
def thickness() -> torch.Tensor:
    return torch.tensor([100.0, 1.0, 0.5, 0.1], dtype=torch.float64)


@pytest.fixture
def fields() -> dict[str, torch.Tensor]:
    random = np.random.default_rng(3)
    ranges = {
        "alpha": (0.5, 4.0),
        "n": (1.3, 4.0),
        "residual_saturation": (0.05, 0.2),
        "maximum_saturation": (0.9, 1.0),
        "porosity": (0.3, 0.5),
        "specific_storage": (1e-5, 1e-3),
    }
    return {name: torch.from_numpy(random.uniform(*r, (BATCH, LAYERS, NY, NX))) for name, r in ranges.items()}


def test_pixels_that_count_alone_make_the_squared_error(
    heads: tuple[torch.Tensor, torch.Tensor], scored: torch.Tensor
) -> None:
    prediction, truth = heads
    everywhere = scored[:, None].expand_as(truth)
    expected = ((prediction - truth)[everywhere] ** 2).mean()
    torch.testing.assert_close(losses.squared_error(prediction, truth, scored), expected)


def test_a_difference_counts_if_both_cells_do(heads: tuple[torch.Tensor, torch.Tensor], scored: torch.Tensor) -> None:
    prediction, truth = heads
    error = torch.where(scored[:, None], prediction - truth, torch.nan)
    along_x, along_y = error.diff(dim=-1).abs(), error.diff(dim=-2).abs()
    expected = along_x.nanmean() + along_y.nanmean()
    torch.testing.assert_close(losses.difference_error(prediction, truth, scored), expected)


def test_an_offset_common_to_all_cells_has_no_difference(heads: tuple[torch.Tensor, torch.Tensor]) -> None:
    truth = heads[1]
    everywhere = torch.ones(BATCH, 1, NY, NX, dtype=torch.bool)
    assert losses.difference_error(truth + 3.0, truth, everywhere) < 1e-12


def test_increments_do_not_mind_an_offset_but_squared_errors_do(
    heads: tuple[torch.Tensor, torch.Tensor], scored: torch.Tensor
) -> None:
    truth = heads[1]
    assert losses.increment_error(truth + 3.0, truth, scored) < 1e-12
    growing = truth + 2.0 * torch.arange(HOURS + 1)[:, None, None, None]
    assert losses.increment_error(growing, truth, scored) == pytest.approx(4.0)


def test_memories_that_take_up_the_same_are_coupled_and_orthogonal_ones_are_not(scored: torch.Tensor) -> None:
    c = torch.zeros(BATCH, 3, NY, NX)
    m = torch.zeros_like(c)
    c[..., 4, 4], m[..., 4, 5] = 1.0, 1.0
    assert losses.decoupling(c, -2.0 * c, scored) == pytest.approx(1.0)
    assert losses.decoupling(c, m, scored) == 0.0
    # what cells outside take up makes no difference
    outside = torch.where(scored, 0.0, 7.0)
    assert losses.decoupling(c + outside, m + outside, scored) == 0.0


def test_decoupling_is_the_cosine_of_pytorch(scored: torch.Tensor) -> None:
    random = torch.Generator().manual_seed(2)
    c, m = (torch.randn((BATCH, 3, NY, NX), generator=random, dtype=torch.float64) for _ in range(2))
    vectors = [[v[sample, channel][scored[sample, 0]] for v in (c, m)] for sample in (0, 1) for channel in (0, 1, 2)]
    expected = torch.stack([torch.cosine_similarity(a, b, dim=0).abs() for a, b in vectors]).mean()
    torch.testing.assert_close(losses.decoupling(c, m, scored), expected)


def test_memories_that_take_up_nothing_have_a_gradient(scored: torch.Tensor) -> None:
    c = torch.zeros(BATCH, 3, NY, NX, requires_grad=True)
    losses.decoupling(c, c, scored).backward()
    assert c.grad is not None
    assert torch.isfinite(c.grad).all()


def test_column_storage_is_that_of_parflow(
    heads: tuple[torch.Tensor, torch.Tensor], thickness: torch.Tensor, fields: dict[str, torch.Tensor]
) -> None:
    head = heads[0].numpy()
    f = {name: field.numpy()[:, None] for name, field in fields.items()}
    wetness = van_genuchten.saturation(head, f["alpha"], f["n"], f["residual_saturation"], f["maximum_saturation"])
    per_height = wetness * (f["porosity"] + f["specific_storage"] * head)
    expected = np.einsum("z,btzyx->btyx", thickness.numpy(), per_height) + np.maximum(head[:, :, -1], 0.0)
    np.testing.assert_allclose(losses.column_storage(heads[0], thickness, fields), expected, rtol=1e-12)


def test_storage_error_counts_millimetres(
    heads: tuple[torch.Tensor, torch.Tensor],
    scored: torch.Tensor,
    thickness: torch.Tensor,
    fields: dict[str, torch.Tensor],
) -> None:
    """Ponds that grow by 2 mm/h too much, on soil that stores nothing else."""
    truth = heads[1].clone()
    truth[:, :, -1] = truth[:, :, -1].abs()
    rigid = {**fields, "specific_storage": torch.zeros_like(fields["porosity"])}
    prediction = truth.clone()
    prediction[:, :, -1] += 2e-3 * torch.arange(HOURS + 1)[:, None, None]
    assert losses.storage_error(prediction, truth, scored, thickness, rigid) == pytest.approx(2.0)


def test_whatever_stands_outside_changes_neither_losses_nor_gradients(
    heads: tuple[torch.Tensor, torch.Tensor],
    scored: torch.Tensor,
    thickness: torch.Tensor,
    fields: dict[str, torch.Tensor],
) -> None:
    results = []
    for filler in (0.0, torch.nan):
        prediction, truth = (torch.where(scored[:, None], h, filler).requires_grad_() for h in heads)
        filled = {name: torch.where(scored, field, filler) for name, field in fields.items()}
        loss = losses.storage_error(prediction, truth, scored, thickness, filled)
        loss.backward()
        assert prediction.grad is not None
        results.append((loss.detach(), prediction.grad))
    torch.testing.assert_close(*results, rtol=0, atol=0)
    assert torch.isfinite(results[0][1]).all()
    assert results[0][1].abs().sum() > 0


def test_gradient_of_storage_error_is_that_of_finite_differences(
    scored: torch.Tensor, thickness: torch.Tensor, fields: dict[str, torch.Tensor]
) -> None:
    random = torch.Generator().manual_seed(1)
    head = torch.randn((BATCH, 2, LAYERS, NY, NX), generator=random, dtype=torch.float64).requires_grad_()
    truth = torch.zeros_like(head)
    assert torch.autograd.gradcheck(
        lambda h: losses.storage_error(h, truth, scored, thickness, fields), head, eps=1e-7, atol=1e-4
    )


def test_terms_over_nothing_are_zero(heads: tuple[torch.Tensor, torch.Tensor]) -> None:
    nowhere = torch.zeros(BATCH, 1, NY, NX, dtype=torch.bool)
    assert losses.squared_error(*heads, nowhere) == 0.0
    assert losses.difference_error(*heads, nowhere) == 0.0


# ---------------------------------------------------------------------- relative


def quiet_and_stormy(error: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two columns, one whose head changes a thousand times as much, both wrong by a share of their change."""
    change = torch.tensor([1.0e-7, 1.0e-4], dtype=torch.float64)
    truth = torch.zeros(1, 2, 3, 1, 2, dtype=torch.float64)
    truth[:, 1] = change
    return truth + error * (truth - truth[:, :1]), truth, torch.ones(1, 1, 1, 2, dtype=torch.bool)


def test_relative_error_is_zero_for_the_truth() -> None:
    _, truth, scored = quiet_and_stormy(0.0)
    assert losses.relative_error(truth, truth, scored).item() == 0.0


def test_relative_error_counts_quiet_columns_by_their_own_change() -> None:
    prediction, truth, scored = quiet_and_stormy(0.1)
    both = losses.relative_error(prediction, truth, scored).item()
    storm = losses.relative_error(torch.where(scored.cumsum(-1) == 2, prediction, truth), truth, scored).item()
    # in units of the typical change alone the quiet column would count a millionth
    assert 1e-4 < (both - storm) / storm < 1.0


def test_relative_error_does_not_mind_the_size_of_all_changes() -> None:
    prediction, truth, scored = quiet_and_stormy(0.2)
    small = losses.relative_error(10.0 * prediction, 10.0 * truth, scored).item()
    assert small == pytest.approx(losses.relative_error(prediction, truth, scored).item(), rel=1e-2)


def test_relative_error_is_linear_in_large_errors() -> None:
    near, truth, scored = quiet_and_stormy(100.0)
    far, _, _ = quiet_and_stormy(200.0)
    ratio = losses.relative_error(far, truth, scored).item() / losses.relative_error(near, truth, scored).item()
    assert ratio == pytest.approx(2.0, rel=0.02)
