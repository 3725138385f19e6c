"""README and the tutorials, followed: every command is run as it is written, on run files of fewer hours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from short_runs import copy_cases, demo
from snippets import snippets

ROOT = Path(__file__).parents[1]
NOT_FOLLOWED = {
    ". .venv": "the environment of the tests is active",
    "pip install": "needs a network",
    "make ": "minutes; the recipes are run by other tests",
    "bmi-run --from-parflow run.pfidb --clm-vegetation": "the reader's own run of ParFlow-CLM",
}

pytestmark = pytest.mark.slow


def commands(page: Path) -> Iterator[str]:
    """Lines of the indented blocks of a page, those that go on in the next one joined."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        command = line.strip()
        if line.startswith("    ") and not any(command.startswith(start) for start in NOT_FOLLOWED):
            yield command


def follow(page: Path, folder: Path, periods: Mapping[str, tuple[str, str]]) -> str:
    """Run the commands of a page where the repository's files are, of these periods; return what they print."""
    copy_cases(folder, periods)
    if not (folder / "docs").exists():
        shutil.copytree(ROOT / "docs" / "examples", folder / "docs" / "examples")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "TMPDIR": str(folder),
    }
    printed = []
    for command in commands(page):
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        printed.append(done.stdout + done.stderr)
    return "".join(printed)


def test_the_commands_of_the_readme_run(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the surrogate needs PyTorch")
    # the page writes a checkpoint every day and goes on to the fifteenth
    follow(ROOT / "README.md", tmp_path, demo("2019-10-13T00:00", "2019-10-14T00:00"))
    for made in ("my-run/figures/domain.png", "physics/figures/hourly_maps.png", "report/report.html"):
        assert (tmp_path / made).is_file()
    assert "2019-10-15" in (tmp_path / "my-run" / "run.yaml").read_text(encoding="utf-8")


def test_a_run_of_parflow_is_imported_and_run(tmp_path: Path) -> None:
    printed = follow(ROOT / "docs" / "from_parflow.md", tmp_path, {})
    shown = next(s.text for s in snippets(ROOT / "docs" / "from_parflow.md") if "water balance" in s.text)
    assert shown.strip() in printed  # the page shows what a reader sees
    assert (tmp_path / "results" / "figures" / "hourly_series.png").is_file()


def test_a_surrogate_is_trained_and_judged(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="training needs PyTorch")
    page = ROOT / "docs" / "training.md"
    text = next(s.text for s in snippets(page) if "[run-of-five-days]" in s.text)
    for long, short in (("iterations: 12", "iterations: 2"), ("validation_hours: 24", "validation_hours: 6")):
        assert long in text
        text = text.replace(long, short)
    (tmp_path / "train.yaml").write_text(text, encoding="utf-8")
    training = {"demo_training/physics_years.yaml": ("2019-10-05T00:00", "2019-10-06T00:00")}
    follow(page, tmp_path, demo("2019-10-02T12:00", "2019-10-03T00:00") | training)
    for made in ("trained/best.safetensors", "trained/training.png", "report/report.html"):
        assert (tmp_path / made).is_file()


def test_a_component_is_written_run_and_checked(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    run = tmp_path / "docs" / "examples" / "coupled-linear-reservoir.yaml"
    run.write_text(run.read_text(encoding="utf-8").replace("2019-10-11", "2019-10-02"), encoding="utf-8")
    printed = follow(ROOT / "docs" / "add_component.md", tmp_path, {})
    assert "21 passed, 1 skipped" in printed
    assert (tmp_path / "reservoirs" / "hourly.nc").is_file()
