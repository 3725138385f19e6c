"""The run of the demo basin that is ready for a user's own ParFlow."""

from pathlib import Path

import parflow_cases
import pytest
from click.testing import CliRunner

from rootzone.bmi_run import main

from .conftest import VARIABLE

CFG = Path(__file__).parents[2] / "cfg"


def test_it_differs_from_that_with_richards_in_the_line_of_the_groundwater() -> None:
    lines = [(CFG / file).read_text().splitlines() for file in ("coupled-richards.yaml", "coupled-parflow.yaml")]
    differing = [(a, b) for a, b in zip(*lines, strict=True) if a != b]
    assert len(differing) == 1
    assert "bmi_richards:BmiRichards" in differing[0][0]
    assert "bmi_parflow:BmiParflow" in differing[0][1]


def test_without_parflow_it_is_refused_with_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    result = CliRunner().invoke(main, [str(CFG / "coupled-parflow.yaml"), "--check"])
    assert result.exit_code == 2
    messages = [line for line in result.output.splitlines() if line.startswith("bmi-run: ")]
    assert len(messages) == 1
    assert "groundwater: parflow: no ParFlow given" in messages[0]


def test_checking_it_writes_nothing(double: parflow_cases.Double, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [str(CFG / "coupled-parflow.yaml"), "--check"])
    assert result.exit_code == 0, result.output
    assert double.calls == []
    assert not list(tmp_path.glob("parflow-*"))


def test_two_hours_of_it_run_and_balance(double: parflow_cases.Double, tmp_path: Path) -> None:
    arguments = ["--set", "time.end=2019-10-01T02:00", "--set", "figures=false", "--output", str(tmp_path / "run")]
    result = CliRunner().invoke(main, [str(CFG / "coupled-parflow.yaml"), *arguments])
    assert result.exit_code == 0, result.output
    assert [(c.hour, c.hours) for c in double.calls] == [(0, 1), (1, 1)]
    assert not double.calls[0].domain.mask.all()
