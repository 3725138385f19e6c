"""A network whose balance is closed: no water from nowhere, whatever the network says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from structured_cases import basin, columns_of, imbalance, packed, random_head, random_source, seeds
from surrogate_cases import LAYERS, NX, NY, make_checkpoint

from bmi_common import Domain
from bmi_common import groundwater as names
from bmi_surrogate import BmiSurrogate, PredRNNEmulator, PredRNNOptions, save
from bmi_surrogate.predrnn import statics as static_channels
from bmi_surrogate.predrnn.closed_balance import ClosedEmulator, closed_head
from bmi_surrogate.predrnn.normalisation import moments_of_statics
from bmi_surrogate.structured import StructuredArchitecture, StructuredModel
from bmi_surrogate.structured.column_solve import Base
from bmi_surrogate.structured.compiled import CompiledEngine, Prediction

pytestmark = pytest.mark.slow

CLOSED = {"increments": "scaled", "state_features": True, "balance": "closed"}


@pytest.fixture(scope="module")
def emulator(domain: Domain) -> Any:
    fields = static_channels.from_domain(domain)
    checkpoint = make_checkpoint(moments_of_statics(fields), **CLOSED)

    def make() -> ClosedEmulator:
        return ClosedEmulator(PredRNNEmulator(checkpoint, fields, domain.mask, PredRNNOptions(threads=1)), domain)

    return make


def heads(domain: Domain) -> np.ndarray:
    """A water table 5 m deep, hydrostatic."""
    centre = np.cumsum(domain.dz) - 0.5 * domain.dz
    return np.broadcast_to((domain.dz.sum() - 5.0 - centre)[:, None, None], (domain.nz, NY, NX)).copy()


def sources(hour: int) -> np.ndarray:
    random = np.random.default_rng(hour)
    source = -1e-5 * random.random((10, NY, NX))
    source[-1] += (0.02 if hour == 2 else 0.0) / LAYERS[-1]
    return source


@given(seeds, st.sampled_from(["persistence", "solve"]))
@settings(max_examples=25, deadline=None)
def test_every_column_has_what_it_had_got_and_did_not_give_away(seed: int, base: Base) -> None:
    random = np.random.default_rng(seed)
    domain = basin()
    columns = columns_of(domain)
    before = packed(columns, random_head(random, domain))
    source = packed(columns, random_source(random, domain, 10))
    predicted = before + torch.from_numpy(0.3 * random.standard_normal(before.shape))
    after = closed_head(columns, before, source, predicted, base, active_set=True)
    left = imbalance(columns, before, after, source)
    # a column that is asked for more than it has stays as dry as it can be
    assert torch.quantile(left.abs(), 0.9) < 1e-9


def test_a_prediction_that_balances_already_and_lets_no_water_stand_stays_as_it_is() -> None:
    domain = basin()
    columns = columns_of(domain)
    before = packed(columns, random_head(np.random.default_rng(1), domain)).clamp(max=-0.05)
    source = torch.zeros(10, columns.count, dtype=torch.float64)
    once = closed_head(columns, before, source, before, "persistence", active_set=True)
    twice = closed_head(columns, before, source, once, "persistence", active_set=True)
    torch.testing.assert_close(twice, once, rtol=0.0, atol=1e-9)


def test_the_ledger_of_a_run_has_no_residual(
    domain: Domain, emulator: Any, tmp_path: Path, configuration: Any, write: Any
) -> None:
    fields = static_channels.from_domain(domain)
    weights = save(make_checkpoint(moments_of_statics(fields), **CLOSED), tmp_path / "closed")
    model = BmiSurrogate()
    model.initialize(write({**configuration, "surrogate": {"checkpoint": str(weights), "threads": 1}}))
    area, turnover, residual = 1000.0 * 800.0, 0.0, 0.0
    for hour in range(8):
        before = float(model.values[names.STORAGE_VOLUME])
        model.set_value(names.NET_SOURCE, sources(hour))
        model.update()
        came = float((sources(hour) * np.array(LAYERS[-10:])[:, None, None]).sum()) * area
        left = float(np.nansum(model.values[names.RUNOFF])) * 3600.0 * area
        residual = max(residual, abs(float(model.values[names.STORAGE_VOLUME]) - before - came + left))
        turnover += abs(came) + left
    assert residual < 1e-6 * turnover


def test_it_goes_on_from_its_memory_bit_by_bit(domain: Domain, emulator: Any) -> None:
    one, other = emulator(), emulator()
    one.start(heads(domain))
    for hour in range(3):
        one.step(sources(hour))
    other.start(heads(domain) + 1.0)
    other.load_state_dict({name: array.values for name, array in one.state_dict().items()})
    for hour in range(3, 6):
        np.testing.assert_array_equal(one.step(sources(hour)), other.step(sources(hour)))


def test_a_head_that_is_set_is_where_it_goes_on(domain: Domain, emulator: Any) -> None:
    one, other = emulator(), emulator()
    one.start(heads(domain))
    other.start(heads(domain) - 0.5)
    other.set_head(heads(domain), np.ones((domain.nz, NY, NX), dtype=bool))
    before = one.step(sources(0)), other.step(sources(0))
    # the memory that the network made of the first head stays, so that the predictions differ a little
    np.testing.assert_allclose(*before, atol=0.2)


@pytest.mark.parametrize("base", ["persistence", "solve"])
def test_the_kernel_closes_balances_as_pytorch_does(base: Base) -> None:
    random = np.random.default_rng(5)
    domain = basin()
    columns = columns_of(domain)
    before, source = random_head(random, domain), random_source(random, domain, 10)
    predicted = before + 0.1 * random.standard_normal(before.shape)
    kernel = CompiledEngine(StructuredModel(StructuredArchitecture(len(LAYERS), (), 0)), columns, 1)
    kernel.head = packed(columns, before).numpy()
    found = kernel.step(source, Prediction(predicted, base))
    assert np.nanmax(found[-1]) > 0.01, "no water stands on the ground"
    arguments = packed(columns, before), packed(columns, source), packed(columns, predicted)
    expected = closed_head(columns, *arguments, base, active_set=True)
    np.testing.assert_allclose(packed(columns, found), expected, rtol=1e-9, atol=1e-9)


def test_a_closed_balance_is_told_from_an_open_one(domain: Domain, emulator: Any) -> None:
    closed = emulator()
    assert closed.fingerprint != closed.network.fingerprint
