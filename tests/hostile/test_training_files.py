"""``train.yaml`` of `bmi-train --check`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hostile.judge import judge, tries
from hostile.mutations import damaged_bytes, spoiled_trees
from hypothesis import given
from hypothesis import strategies as st
from training_cases import OPTIONS, write_basin, write_config
from training_stores import START, make_series, write_netcdf

from bmi_common.errors import RootzoneError
from bmi_surrogate.training.store import DESCRIPTION
from rootzone.bmi_train import main

MORE = {
    "seeds": [0, 1],
    "threads": 1,
    "compile": False,
    "optimiser": {
        "weight_decay": 0.0,
        "clip_norm": 1.0,
        "ema": 0.9,
        "schedule": {"shape": "cosine", "beta1": [0.8, 0.9]},
    },
}


def check(file: Path) -> None:
    """Run the command; its one message becomes the error that `judge` expects."""
    result = CliRunner().invoke(main, [str(file), "--check"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code:
        messages = [line for line in result.stderr.splitlines() if line.startswith("bmi-train: ")]
        assert len(messages) == 1, result.output
        raise RootzoneError(messages[0])


@pytest.fixture(scope="module")
def basin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A domain, a store, and a run that a store can be made of."""
    folder = tmp_path_factory.mktemp("basin")
    domain = write_basin(folder)
    write_netcdf(folder / "run.nc", domain, *make_series(domain, 40), start=START)
    return folder


@pytest.mark.parametrize("data", ["store", "run"])
@pytest.mark.parametrize("architecture", list(OPTIONS))
def test_the_good_training_is_accepted(basin: Path, architecture: str, data: str) -> None:
    assert judge(lambda: check(good(basin, architecture, data)), basin) == ""


SURROGATES = {
    "structured": {
        "architecture": "structured",
        "hidden": [8],
        "refinements": 1,
        "routing": 2,
        "sweeps": 1,
        "quiet": 0.1,
    },
    "predrnn": OPTIONS["predrnn"]
    | {"kernel": 3, "attention_window": 4, "static_features": 1, "loss": {"pressure": 1.0, "storage": 0.1}},
}


def good(basin: Path, architecture: str, data: str) -> Path:
    changes: dict[str, Any] = MORE | {"surrogate": SURROGATES[architecture]}
    if data == "run":
        changes["data"] = {"store": "made", "runs": ["run.nc"], "validation_hours": 12, "hours": 30}
    return write_config(basin, architecture, **changes)


@pytest.mark.fuzz
@pytest.mark.parametrize("data", ["store", "run"])
@pytest.mark.parametrize("architecture", list(OPTIONS))
def test_trainings_are_accepted_or_refused(basin: Path, architecture: str, data: str) -> None:
    file = good(basin, architecture, data)
    content = yaml.safe_load(file.read_text())

    @given(tree=spoiled_trees(content))
    @tries(15)
    def spoiled(tree: Any) -> None:
        file.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
        judge(lambda: check(file), basin)

    spoiled()


@given(data=st.data())
@tries(15)
def test_descriptions_of_stores(basin: Path, data: st.DataObject) -> None:
    file = good(basin, "structured", "store")
    store = basin / "store" / DESCRIPTION
    before = store.read_bytes()
    try:
        if data.draw(st.booleans()):
            store.write_bytes(data.draw(damaged_bytes(before)))
        else:
            store.write_text(yaml.safe_dump(data.draw(spoiled_trees(yaml.safe_load(before)))), encoding="utf-8")
        judge(lambda: check(file), basin)
    finally:
        store.write_bytes(before)


@given(data=st.data())
@tries(15)
def test_arrays_of_stores(basin: Path, tmp_path: Path, data: st.DataObject) -> None:
    shutil.rmtree(tmp_path / "store", ignore_errors=True)
    shutil.copytree(basin / "store", tmp_path / "store")
    array = data.draw(st.sampled_from(sorted((tmp_path / "store").glob("*.npy"))))
    array.write_bytes(data.draw(damaged_bytes(array.read_bytes(), head=200)))
    file = good(basin, "structured", "store")
    content = yaml.safe_load(file.read_text())
    content["data"]["store"] = str(tmp_path / "store")
    file.write_text(yaml.safe_dump(content))
    judge(lambda: check(file), tmp_path)
