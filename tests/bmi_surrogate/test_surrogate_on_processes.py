"""A PredRNN on several processes: heads, saturation and memory of one process, to the last bit."""

import sys
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
from mpi_runs import launch, needs_mpi
from surrogate_cases import make_checkpoint, save_published

from bmi_common import Domain
from bmi_common import groundwater as names
from bmi_surrogate import BmiSurrogate, save
from bmi_surrogate.predrnn import emulator as emulator_module
from bmi_surrogate.predrnn import statics as static_channels
from bmi_surrogate.predrnn.normalisation import moments_of_statics

COMPARED = (names.PRESSURE_HEAD, names.SATURATION, names.WATER_TABLE_DEPTH, names.RUNOFF)
TILES_TOGETHER = 2  # fewer than in earnest, so that a small domain has several such blocks
CLOSED = {"increments": "scaled", "state_features": True, "balance": "closed"}
CASES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"attention": "pool", "attention_window": 2}, {"overlap": "averaged"}),
    ({"hidden": (8, 8, 8)}, {}),
    ({}, {"tile": "whole", "statics_statistics": "domain"}),  # more processes than tiles
    (CLOSED, {}),
    ({**CLOSED, "base": "solve"}, {"overlap": "averaged"}),
]
"""Architecture of the network, and options of the surrogate."""


def steps(model: BmiSurrogate, hours: range) -> None:
    """Step; in the second hour somebody replaces the head of a few cells, in tiles of several processes."""
    part = model.part
    for hour in hours:
        random = np.random.default_rng(hour)
        shape = model.values[names.NET_SOURCE].shape[:1] + ((18, 21) if part is None else part.shape)
        source, lifted = random.normal(1e-4, 1e-2, shape), random.uniform(size=shape[1:]) < 0.1
        source[-1] += random.uniform(0.0, 2.0, shape[1:])  # [h-1], so that water stands on the ground
        if part is not None:
            source, lifted = part.cut(source), part.cut(lifted)
        if hour == 1:
            head = model.values[names.PRESSURE_HEAD]
            model.set_value(names.PRESSURE_HEAD, (head + 0.1 * lifted).ravel())
        model.set_value(names.NET_SOURCE, source.ravel())
        model.update()


def compare(file: Path) -> None:
    """Step the component whole and in parts, and in parts from the state of the whole; every process runs this."""
    from mpi4py import MPI

    from bmi_common.world import MpiWorld, among

    world = MpiWorld(MPI.COMM_WORLD)
    saved = {name: file.with_suffix(f".{name}.nc") for name in ("whole", "parts")}

    def made(model: BmiSurrogate) -> BmiSurrogate:
        model.initialize(str(file))
        return model

    def require_same(mine: BmiSurrogate) -> None:
        assert mine.part is not None
        for name in COMPARED:
            together = mine.part.whole(mine.values[name])
            assert whole is None or (together is not None and together.tobytes() == whole.values[name].tobytes()), name

    whole = made(BmiSurrogate()) if world.leads else None
    with among(world):
        mine = made(BmiSurrogate())
        for model in filter(None, (whole, mine)):
            steps(model, range(2))
        require_same(mine)
        assert mine.part is not None
        ponded = float(np.nanmax(mine.values[names.PONDED_DEPTH]))
        assert min(world.largest(float(mine.part.wave.max()), ponded)) > 0.0, "no water flows from part to part"
        mine.save_state(saved["parts"])
        if whole is not None:
            whole.save_state(saved["whole"])
            one, other = (netCDF4.Dataset(path) for path in saved.values())
            assert one.variables.keys() == other.variables.keys()
            for name, values in one.variables.items():
                if name not in (names.STORAGE_VOLUME, names.PONDED_VOLUME):  # sums, equal to rounding
                    assert np.array_equal(values[...], other[name][...], equal_nan=values.dtype.kind == "f"), name
        world.agree()
        again = made(BmiSurrogate())
        again.load_state(saved["whole"])
        for model in filter(None, (whole, again)):
            steps(model, range(2, 4))
        require_same(again)


@needs_mpi
@pytest.mark.slow
def test_a_predrnn_in_parts_is_that_of_one_process_to_the_last_bit(
    configuration: dict[str, Any], domain: Domain, write: Any, tmp_path: Path
) -> None:
    mask = np.random.default_rng(3).uniform(size=domain.mask.shape) > 0.1
    np.savez(tmp_path / "mask.npz", mask=mask.astype(float))
    configuration["domain"]["mask"] = {"file": str(tmp_path / "mask.npz"), "variable": "mask"}
    moments = moments_of_statics(static_channels.from_domain(domain), mask)
    files = []
    for architecture, options in CASES:
        checkpoint = make_checkpoint(moments, **architecture)
        if hasattr(checkpoint.network, "scale"):
            checkpoint.network.scale.data.fill_(0.7)  # at 0, as it is at first, attention adds nothing
        if "statics_statistics" in options:
            weights = save_published(checkpoint, tmp_path)
        else:
            weights = {"checkpoint": str(save(checkpoint, tmp_path / f"network_{len(files)}"))}
        section = {**configuration["surrogate"], **weights, **options}
        case = {**configuration, "surrogate": section, "initial": {"water_table_depth": 0.02}}
        files.append(write(case, f"case_{len(files)}.yaml"))
    launch(3, sys.executable, __file__, *files)


if __name__ == "__main__":
    emulator_module._BLOCK = TILES_TOGETHER
    for configuration in sys.argv[1:]:
        compare(Path(configuration))
