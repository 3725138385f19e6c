"""The command line ``pytest --bmi=package:Class --bmi-config=file``, as somebody with a model of his own uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conformance import zoo

from bmi_conformance.checks import CHECKS

RAIN = f"--bmi-input={zoo.RAIN}=1e-4"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a model in a module, its configuration and a test of its own."""
    (tmp_path / "pond.py").write_text(Path(zoo.__file__).read_text())
    (tmp_path / "pond.json").write_text(zoo.CONFIG)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_own.py").write_text("def test_own():\n    pass\n")
    return tmp_path


def run(folder: Path, *arguments: str, found: bool = False) -> tuple[int, str]:
    """Run pytest with the plugin named, or with all plugins that are `found` in the environment, which takes longer."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    named = () if found else ("-p", "bmi_conformance.plugin")
    if not found:
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *named, "-p", "no:cacheprovider", "-rsf", "--color=no", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_checks_run_without_test_paths(folder: Path) -> None:
    status, text = run(folder, "--bmi=pond:Reservoir", "--bmi-config=pond.json", RAIN, found=True)
    assert status == 0, text
    assert f"{len(CHECKS)} passed" in text


def test_a_faulty_component_fails_its_check_with_the_reason(folder: Path) -> None:
    status, text = run(folder, "--bmi=pond:Celsius", "--bmi-config=pond.json", RAIN, "--bmi-steps=2")
    assert status == 1
    assert f"1 failed, {len(CHECKS) - 1} passed" in text
    assert "possible_values: land_surface__temperature: [15.]" in text
    assert "Traceback" not in text


def test_what_is_left_out_is_skipped_with_the_reason(folder: Path) -> None:
    status, text = run(folder, "--bmi=pond:Frugal", "--bmi-config=pond.json", RAIN)
    assert status == 0
    assert f"{len(CHECKS) - 6} passed, 6 skipped" in text
    assert "the component has no save_state(path)" in text


def test_checks_are_chosen_by_their_name(folder: Path) -> None:
    status, text = run(folder, "--bmi=pond:Celsius", "--bmi-config=pond.json", "-k", "exact_times", RAIN)
    assert status == 0
    assert f"1 passed, {len(CHECKS) - 1} deselected" in text


def test_other_sessions_are_not_disturbed(folder: Path) -> None:
    status, text = run(folder, found=True)
    assert status == 0
    assert "1 passed" in text


def test_with_test_paths_these_run(folder: Path) -> None:
    (folder / "test_own.py").write_text(
        "def test_own(bmi_subject, bmi_report):\n"
        "    assert bmi_subject.steps == 5\n"
        "    assert bmi_report.result('counts').outcome.value == 'passed'\n"
    )
    given = ("--bmi=pond:Reservoir", "--bmi-config=pond.json", "--bmi-steps=5")
    assert run(folder, "test_own.py", *given)[0] == 0
    status, text = run(folder, "test_own.py")
    assert status == 0
    assert "no component is given; use --bmi=package:Class" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bmi=pond"], "'pond' is no class; write package:Class"),
        (["--bmi=lake:Reservoir"], "cannot import 'lake'"),
        (["--bmi=pond:Lake"], "'pond' has no class 'Lake'"),
        (["--bmi=pond:Reservoir", "--bmi-config=lake.json"], "lake.json does not exist"),
        (["--bmi=pond:Reservoir", "--bmi-input=rain"], "write NAME=VALUE"),
        (["--bmi=pond:Reservoir", "--bmi-input=rain=much"], "write NAME=VALUE"),
        (["--bmi=pond:Reservoir", "--bmi-steps=0"], "at least 1 step"),
    ],
)
def test_wrong_options_are_one_message(folder: Path, arguments: list[str], words: str) -> None:
    status, text = run(folder, *arguments)
    assert status == pytest.ExitCode.USAGE_ERROR
    assert words in text
    assert "Traceback" not in text
