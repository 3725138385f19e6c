"""Without the extra `surrogate`: physics runs, and a surrogate is refused in one message."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CFG = Path(__file__).parents[2] / "cfg"
HOW = "pip install 'rootzone[surrogate]'"
BLOCKED = """
from importlib.machinery import PathFinder
find = PathFinder.find_spec
hidden = ("torch", "safetensors")
PathFinder.find_spec = classmethod(lambda cls, name, *where: None if name in hidden else find(name, *where))
"""


def without_pytorch(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python in which PyTorch cannot be imported."""
    return subprocess.run(
        [sys.executable, "-c", BLOCKED + code], cwd=folder, capture_output=True, text=True, check=False
    )


def command(module: str, folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    code = f"from {module} import main; main({[str(a) for a in arguments]!r})"
    return without_pytorch(code, folder)


@pytest.mark.slow
def test_physics_runs_and_is_evaluated(tmp_path: Path) -> None:
    settings = ["--set", "time.end=2019-10-01T02:00", "--set", "figures=false"]
    done = command("rootzone.bmi_run", tmp_path, CFG / "coupled-richards.yaml", "--output", "run", *settings)
    assert done.returncode == 0, done.stderr
    done = command("rootzone.bmi_evaluate", tmp_path, "run", "run")
    assert done.returncode == 0, done.stderr
    assert "water table: median error" in done.stdout


@pytest.mark.parametrize("class_name", ["BmiSurrogate", "BmiSurogate"])
def test_a_run_with_a_surrogate_is_refused_before_anything_is_computed(tmp_path: Path, class_name: str) -> None:
    setting = f"groundwater.class=bmi_surrogate:{class_name}"
    done = command("rootzone.bmi_run", tmp_path, CFG / "coupled.yaml", "--output", "run", "--set", setting)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("bmi-run: ")
    assert line.endswith(HOW)
    assert "components.groundwater.class" in line
    assert not (tmp_path / "run").exists()


def test_training_is_refused(tmp_path: Path) -> None:
    done = command("rootzone.bmi_train", tmp_path, CFG / "demo_training" / "train.yaml")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.endswith(HOW)


@pytest.mark.parametrize(
    "use",
    ["from bmi_surrogate import BmiSurrogate", "import bmi_surrogate.ngen", "import bmi_surrogate.training.train"],
)
def test_other_users_of_the_component_get_an_import_error_that_says_how(tmp_path: Path, use: str) -> None:
    done = without_pytorch(use, tmp_path)
    assert done.stderr.splitlines()[-1].startswith("ImportError")
    assert done.stderr.rstrip().endswith(HOW)


def test_the_checks_of_components_say_so_too(tmp_path: Path) -> None:
    code = "import bmi_conformance.subject as s\ntry: s.load_class('bmi_surrogate:BmiSurrogate')\n"
    done = without_pytorch(code + "except ValueError as error: print(error)", tmp_path)
    assert done.stdout.rstrip().endswith(HOW)
