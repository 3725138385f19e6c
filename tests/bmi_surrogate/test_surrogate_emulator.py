"""A network at work on a domain."""

import dataclasses
import shutil
from typing import Any

import numpy as np
import pytest
import torch
from surrogate_cases import NX, NY, make_checkpoint

from bmi_common import ConfigError, Domain
from bmi_surrogate import PredRNNCheckpoint, PredRNNEmulator, PredRNNOptions, compute
from bmi_surrogate.predrnn import emulator as emulator_module
from bmi_surrogate.predrnn import statics as static_channels

CPU = PredRNNOptions(device="cpu", threads=1)

needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="torch.compile needs a C++ compiler"
)


def head(seed: int = 0) -> np.ndarray:
    return np.linspace(20.0, -0.5, 11)[:, None, None] + np.random.default_rng(seed).normal(0.0, 0.3, (11, NY, NX))


def source(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(1e-4, 1e-2, (10, NY, NX))


@pytest.fixture
def make(checkpoint: PredRNNCheckpoint, domain: Domain) -> Any:
    fields = static_channels.from_domain(domain)

    def build(
        mask: np.ndarray | None = None, checkpoint: PredRNNCheckpoint = checkpoint, **options: Any
    ) -> PredRNNEmulator:
        emulator = PredRNNEmulator(checkpoint, fields, mask, dataclasses.replace(CPU, **options))
        emulator.start(head())
        return emulator

    return build


def run(emulator: PredRNNEmulator, hours: int = 3) -> np.ndarray:
    return np.stack([emulator.step(source(h)) for h in range(hours)])


def test_a_tile_of_the_domain_is_what_the_network_gives_for_it(make: Any, checkpoint: PredRNNCheckpoint) -> None:
    emulator: PredRNNEmulator = make(precision="float64")
    result = emulator.step(source())
    window = (slice(None), slice(0, 8), slice(0, 8))  # no other tile covers it
    statistics, net = checkpoint.statistics, dataclasses.replace(checkpoint).network.double()

    def batch(values: np.ndarray, moments: Any) -> torch.Tensor:
        normal = (values - moments.mean[:, None, None]) / moments.std[:, None, None]
        return torch.from_numpy(normal[window])[None]

    fields = emulator._statics[:1]
    with torch.inference_mode():
        x = batch(head(), statistics.pressure)
        x = net.step(x, batch(source(), statistics.source), net.start(x, fields)).pressure[0].numpy()
    net.float()
    expected = x * statistics.pressure.std[:, None, None] + statistics.pressure.mean[:, None, None]
    np.testing.assert_allclose(result[window], expected, rtol=0, atol=1e-10)


def test_whole_domain_equals_one_tile_of_its_size(make: Any) -> None:
    whole = run(make(tile="whole"))
    assert whole.shape == (3, 11, NY, NX)
    tiled = run(make())
    assert not np.allclose(whole, tiled, atol=1e-4)
    # four convolutions in a row reach four cells far in an hour, and the tile in the corner ends after its eighth cell
    np.testing.assert_allclose(whole[0][:, :4, :4], tiled[0][:, :4, :4], rtol=0, atol=1e-5)
    assert not np.allclose(whole[0][:, :4, 4:8], tiled[0][:, :4, 4:8], atol=1e-4)


def test_independent_tiles_drift_apart_and_averaged_ones_agree(make: Any) -> None:
    drifting, agreeing = make(), make(overlap="averaged")
    first, second = run(drifting), run(agreeing)
    np.testing.assert_array_equal(first[0], second[0])
    assert np.abs(first[2] - second[2]).max() > 1e-6
    for emulator, together in ((drifting, False), (agreeing, True)):
        x = emulator.tile_pressure()
        again = emulator.tiling.split(emulator.tiling.assemble(x))
        assert torch.allclose(again, x, rtol=0, atol=1e-6) is together


def test_result_does_not_depend_on_how_tiles_are_grouped(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = run(make())
    monkeypatch.setattr(emulator_module, "_BLOCK", 2)
    np.testing.assert_allclose(run(make()), reference, rtol=0, atol=1e-5)


def test_instances_are_independent(make: Any) -> None:
    alone = run(make())
    first, second = make(), make()
    second.start(head(5))
    for hour in range(3):
        np.testing.assert_array_equal(first.step(source(hour)), alone[hour])
        second.step(source(9))


def test_starting_again_forgets(make: Any) -> None:
    emulator = make()
    before = run(emulator)
    emulator.start(head())
    np.testing.assert_array_equal(run(emulator), before)


def test_single_precision_is_close_to_double(make: Any) -> None:
    np.testing.assert_allclose(run(make()), run(make(precision="float64")), rtol=0, atol=1e-4)


def test_precision_of_a_run_leaves_the_checkpoint_alone(make: Any, checkpoint: PredRNNCheckpoint) -> None:
    run(make(precision="float64"))
    assert {p.dtype for p in checkpoint.network.parameters()} == {torch.float32}


def test_set_head_changes_the_cells_named_and_no_other(make: Any) -> None:
    emulator = make()
    run(emulator)
    before = emulator.tile_pressure()
    changed = np.zeros((11, NY, NX), dtype=bool)
    changed[4, 12, 15] = True  # in four tiles: both axes overlap there
    emulator.set_head(np.full(changed.shape, 5.0), changed)
    difference = (emulator.tile_pressure() - before) != 0
    assert int(difference.sum()) == int(emulator.tiling.split(torch.from_numpy(changed)).sum()) == 4
    assert not np.array_equal(run(emulator), run(make(), 6)[3:])


def test_inactive_cells_do_not_matter(make: Any) -> None:
    mask = np.ones((NY, NX), dtype=bool)
    mask[:5, :7] = False
    results = []
    for filler in (np.nan, 1e6):
        emulator = make(mask)
        emulator.start(np.where(mask, head(), filler))
        for hour in range(3):
            result = emulator.step(np.where(mask, source(hour), filler))
        results.append(result[:, mask])
    np.testing.assert_array_equal(*results)
    assert np.isfinite(results[0]).all()


def test_threads_of_the_process_stay_as_they_are(make: Any) -> None:
    before = torch.get_num_threads()
    run(make(threads=before + 1), 1)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": 19}, "18 cells long.*shorter than a tile of 19"),
        ({"tile": 1}, "too short for a kernel"),
        ({"device": "abacus"}, "device: 'abacus'"),
        ({"device": "cuda:99"}, "cuda:99 does not exist"),
    ],
)
def test_impossible_options_are_refused(make: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(**options)


def test_xyconv_attention_takes_its_own_tile_only(make: Any) -> None:
    special = make_checkpoint(attention="xyconv", attention_side=8)
    run(make(checkpoint=special), 2)
    with pytest.raises(ConfigError, match="only tiles of 8 cells, not 6 x 6"):
        make(checkpoint=special, tile=6)


@pytest.mark.slow
@needs_compiler
def test_compiled_step_equals_the_eager_one_and_is_compiled_once(make: Any) -> None:
    """Rounding differs, by up to 5e-7 of the standard deviation in an hour."""
    compiled, eager = make(compile=True, tile=8), make(tile=8)
    # what construction did not compile would stop a run for seconds in its first hours, or after a restart
    with torch.compiler.set_stance("fail_on_recompile"):
        run(compiled)
        compiled.load_state_dict({name: array.values for name, array in compiled.state_dict().items()})
        run(compiled, 2)
    run(eager)
    run(eager, 2)
    difference = (compiled.tile_pressure() - eager.tile_pressure()).abs()
    assert 0.0 < difference.max() < 1e-5


def test_compiling_with_attention_is_refused(make: Any) -> None:
    with pytest.raises(ConfigError, match="not possible with attention"):
        make(checkpoint=make_checkpoint(attention="pool"), compile=True)


def test_compiling_without_a_compiler_is_refused(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute.shutil, "which", lambda _: None)
    with pytest.raises(ConfigError, match=r"needs a C\+\+ compiler"):
        make(compile=True)
