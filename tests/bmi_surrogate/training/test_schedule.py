"""Learning rate and momentum as functions of the iteration."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bmi_surrogate.training.schedule import OptimiserConfig, ScheduleConfig

ITERATIONS = 80_000


@pytest.mark.reference
def test_published_schedule(reference: Path) -> None:
    """Both compute the same formula in double precision, so that only the order of operations differs."""
    table = np.load(reference / "surrogate" / "reference_scheduler.npz")["table"]
    spec = ScheduleConfig()
    assert len(table) == 11
    for iteration, rate, beta1 in table:
        assert spec.learning_rate(int(iteration), ITERATIONS) == pytest.approx(rate, rel=1e-12)
        assert spec.momentum(int(iteration), ITERATIONS) == pytest.approx(beta1, rel=1e-12)


@pytest.mark.parametrize(("iterations", "warm_up"), [(100, 0.3), (37, 0.5), (10, 0.15)])
def test_one_cycle_is_that_of_pytorch(iterations: int, warm_up: float) -> None:
    spec = ScheduleConfig(rate=1e-2, start=0.1, end=0.01, warm_up=warm_up, beta1=(0.8, 0.9))
    optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        1e-2,
        total_steps=iterations,
        pct_start=warm_up,
        div_factor=10.0,
        final_div_factor=10.0,
        base_momentum=0.8,
        max_momentum=0.9,
    )
    for iteration in range(iterations):
        group = optimiser.param_groups[0]
        assert spec.learning_rate(iteration, iterations) == pytest.approx(group["lr"], rel=1e-9)
        assert spec.momentum(iteration, iterations) == pytest.approx(group["betas"][0], rel=1e-9)
        optimiser.step()
        if iteration < iterations - 1:
            theirs.step()


@given(
    shape=st.sampled_from(["one_cycle", "cosine", "constant"]),
    iterations=st.integers(1, 1000),
    share=st.floats(0.0, 1.5),
    warm_up=st.floats(0.0, 1.0),
)
def test_rate_and_momentum_stay_in_their_range(shape: Any, iterations: int, share: float, warm_up: float) -> None:
    spec = ScheduleConfig(shape=shape, warm_up=warm_up)
    iteration = int(share * iterations)
    tolerance = 1e-12
    rate, momentum = spec.learning_rate(iteration, iterations), spec.momentum(iteration, iterations)
    assert spec.rate * min(spec.start, spec.end) - tolerance <= rate <= spec.rate + tolerance
    assert momentum is not None
    assert 0.85 - tolerance <= momentum <= 0.95 + tolerance


def test_cosine_falls_from_the_peak_to_the_end_and_constant_stays() -> None:
    cosine, constant = ScheduleConfig(shape="cosine"), ScheduleConfig(shape="constant")
    rates = [cosine.learning_rate(i, 50) for i in range(50)]
    assert rates[0] == 2e-3
    assert rates[-1] == pytest.approx(8e-5)
    assert rates == sorted(rates, reverse=True)
    assert {constant.learning_rate(i, 50) for i in range(50)} == {2e-3}


def test_the_peak_is_held_after_a_training_that_is_all_warm_up() -> None:
    spec = ScheduleConfig(warm_up=1.0)
    assert spec.learning_rate(98, 100) < spec.learning_rate(99, 100) == pytest.approx(2e-3)


def test_optimiser_takes_rate_and_momentum_of_the_iteration() -> None:
    spec = OptimiserConfig()
    optimiser = spec.build([torch.nn.Parameter(torch.zeros(3))])
    spec.adjust(optimiser, 6_000, ITERATIONS)
    (group,) = optimiser.param_groups
    assert group["lr"] == spec.schedule.learning_rate(6_000, ITERATIONS)
    assert group["betas"] == (spec.schedule.momentum(6_000, ITERATIONS), 0.95)
    assert group["weight_decay"] == 0.01


def test_momentum_stays_the_optimisers_own_without_a_range() -> None:
    spec = OptimiserConfig(schedule=ScheduleConfig(beta1=None))
    optimiser = spec.build([torch.nn.Parameter(torch.zeros(3))])
    spec.adjust(optimiser, 10, 100)
    assert optimiser.param_groups[0]["betas"] == (0.8, 0.95)


@pytest.mark.parametrize(
    "mistake", [{"rate": 0.0}, {"start": 1.5}, {"warm_up": -0.1}, {"beta1": (0.9, 1.0)}, {"shape": "linear"}]
)
def test_impossible_schedules_are_refused(mistake: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ScheduleConfig(**mistake)
