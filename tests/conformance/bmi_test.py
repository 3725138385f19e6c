"""Running the public BMI conformance checker, ``bmi-test`` of bmi-tester, from pytest."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_TESTS = Path(__file__).resolve().parents[1]


def run_bmi_test(class_path: str, config_files: Sequence[Path], tmp_path: Path, timeout: float = 300.0) -> int:
    """Check a component class with ``bmi-test`` and return the number of checks that passed.

    Parameters
    ----------
    class_path : str
        ``package:Class``; modules of the folder ``tests`` can be named too.
    config_files : sequence of Path
        The configuration file first, then the files that it names by bare names. They are copied into one flat
        folder, because bmi-test cannot stage folders.
    tmp_path : Path
        Where to run.
    timeout : float
        Seconds after which the checker is stopped.

    Raises
    ------
    AssertionError
        If a check fails or none ran; the message holds the checker's report.
    """
    root = tmp_path / "bmi_test"
    root.mkdir()
    for file in config_files:
        if (root / file.name).exists():
            raise ValueError(f"bmi-test needs one flat folder, and two files are called {file.name}")
        shutil.copy2(file, root / file.name)
    # an empty ini file, so that pytest inside bmi-test does not take up the settings of this project
    settings = tmp_path / "bmi_test.ini"
    settings.write_text("[pytest]\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "BMITEST_"))}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # each costs its import, and it needs one
    environment["PYTEST_ADDOPTS"] = (
        f"-c '{settings}' -p pytest_dependency -p no:cacheprovider --tb=short -rfE --color=no"
    )
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(_TESTS), str(_TESTS / "support"), str(_TESTS.parent), environment.get("PYTHONPATH", "")]
    )
    config = config_files[0].name
    # bmi-test looks the configuration up from the working directory, but opens it in --root-dir: make them the same
    done = subprocess.run(
        [sys.executable, "-m", "bmi_tester", class_path, "--root-dir", str(root), "--config-file", config],
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    passed = sum(int(n) for n in re.findall(r"(\d+) passed", done.stdout))
    if done.returncode != 0 or passed == 0:
        raise AssertionError(f"bmi-test {class_path} failed (exit status {done.returncode}):\n{done.stdout}")
    return passed
