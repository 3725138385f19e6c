"""The benchmark for GPUs runs on a CPU, and says of each case what it found or why it is missing."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))  # beside it is what it shares with other benchmarks
    return importlib.import_module("gpu")


def test_the_quick_mode_measures_on_a_cpu_what_it_has_time_for_and_names_the_rest(
    gpu: ModuleType, tmp_path: Path
) -> None:
    file = tmp_path / "gpu.json"
    result = CliRunner().invoke(
        gpu.main, ["--device", "cpu", "--quick", "--minutes", "0.1", "--json", str(file)], catch_exceptions=False
    )
    assert (result.exit_code, "Not measured:" in result.output) == (0, True)
    found = json.loads(file.read_text())
    cpu, paper = gpu.torch.device("cpu"), gpu.Paper.made_up(gpu.QUICK.shape)
    cases = {
        "equality": gpu.equality_cases(paper, gpu.QUICK, cpu),
        "hour of PredRNN": gpu.predrnn_cases(paper, gpu.QUICK, cpu),
        "hour of the structured surrogate": gpu.structured_cases(gpu.QUICK, cpu),
        "training": gpu.training_cases(gpu.QUICK, cpu),
    }
    for part, names in cases.items():
        rows = [row["case"] for row in found["parts"][part]]
        missing = [
            name for reason, of in found["not_measured"].items() if reason.startswith(f"{part}, ") for name in of
        ]
        assert sorted(rows + missing) == sorted(names)
    known = {row["case"]: row for row in found["parts"]["equality"]}
    # rounding of single precision in fields of order one
    assert 0.0 < known["PredRNN: cpu in float32, CPU in float64"]["rms"] < 1e-5


def test_a_part_that_does_not_exist_is_named(gpu: ModuleType) -> None:
    result = CliRunner().invoke(gpu.main, ["--device", "cpu", "--quick", "--part", "games"])
    assert (result.exit_code, "'games'" in result.output) == (2, True)
