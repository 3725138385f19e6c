"""README and the tutorials, followed: every command that costs less than half a minute is run as it is written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
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


def follow(page: Path, folder: Path) -> str:
    """Run the commands of a page in a folder that has what the repository has for them; return what they print."""
    for name in ("cfg", "docs/examples"):
        shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
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
    follow(ROOT / "README.md", tmp_path)
    for made in ("my-run/figures/domain.png", "physics/figures/hourly_maps.png", "report/report.html"):
        assert (tmp_path / made).is_file()
    assert "2019-10-15" in (tmp_path / "my-run" / "run.yaml").read_text(encoding="utf-8")


def test_a_run_of_parflow_is_imported_and_run(tmp_path: Path) -> None:
    printed = follow(ROOT / "docs" / "from_parflow.md", tmp_path)
    shown = next(s.text for s in snippets(ROOT / "docs" / "from_parflow.md") if "water balance" in s.text)
    assert shown.strip() in printed  # the page shows what a reader sees
    assert (tmp_path / "results" / "figures" / "hourly_series.png").is_file()


def test_a_surrogate_is_trained_and_judged(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="training needs PyTorch")
    page = ROOT / "docs" / "training.md"
    text = next(s.text for s in snippets(page) if "[five-days]" in s.text)
    (tmp_path / "train.yaml").write_text(text, encoding="utf-8")
    follow(page, tmp_path)
    for made in ("trained/best.safetensors", "trained/training.png", "report/report.html"):
        assert (tmp_path / made).is_file()


def test_a_component_is_written_run_and_checked(tmp_path: Path) -> None:
    printed = follow(ROOT / "docs" / "add_component.md", tmp_path)
    assert "21 passed, 1 skipped" in printed
    assert (tmp_path / "reservoirs" / "hourly.nc").is_file()
