"""Commands answer `--help` and `--version` without what takes long to import."""

import json
import os
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from rootzone.bmi_run import main as bmi_run

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
COMMANDS: dict[str, str] = tomllib.loads(PROJECT.read_text())["project"]["scripts"]
HEAVY = {
    "bmi_colm", "bmi_richards", "bmi_common.config", "coupler.config", "rootzone.parflow_import",
    "dask", "matplotlib", "netCDF4", "numpy", "pandas", "parflow", "pydantic", "scipy", "torch", "xarray",
}  # fmt: skip

ASKING = """
import json, sys
from {module} import {function} as command
try:
    command([{option!r}])
except SystemExit as end:
    assert not end.code, end.code
print(json.dumps(sorted(sys.modules)))
"""


def ask(command: str, option: str) -> tuple[str, set[str]]:
    """Return what a command says, and the modules that it has imported for it."""
    module, _, function = COMMANDS[command].partition(":")
    code = ASKING.format(module=module, function=function, option=option)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *said, modules = done.stdout.splitlines()
    return "\n".join(said), set(json.loads(modules))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_imports_nothing_heavy(command: str) -> None:
    said, modules = ask(command, "--help")
    assert "--version" in said
    assert modules & HEAVY == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_tells_the_version_of_the_package(command: str) -> None:
    said, modules = ask(command, "--version")
    assert said.endswith(f"version {version('rootzone')}")
    assert modules & HEAVY == set()


@pytest.mark.slow
def test_a_checked_run_of_physics_imports_neither_figures_nor_pytorch() -> None:
    run = PROJECT.parent / "cfg" / "coupled-richards.yaml"
    code = f"import sys; sys.argv = ['bmi-run', {str(run)!r}, '--check', '--set', 'time.end=2019-10-01T06:00']"
    code += """
from rootzone.bmi_run import main
try:
    main()
except SystemExit as end:
    assert not end.code
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *plan, modules = done.stdout.splitlines()
    assert plan[0].endswith("sound")
    assert set(modules.split()) & {"matplotlib", "pandas", "scipy.spatial", "torch", "xarray"} == set()


@pytest.mark.parametrize(("given", "there"), [(None, "passive"), ("active", "active")])
def test_threads_that_wait_sleep_unless_the_user_says_otherwise(
    given: str | None, there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "restored after the test")
    monkeypatch.delenv("OMP_WAIT_POLICY")
    if given is not None:
        monkeypatch.setenv("OMP_WAIT_POLICY", given)
    CliRunner().invoke(bmi_run, ["--version"])
    assert os.environ["OMP_WAIT_POLICY"] == there
