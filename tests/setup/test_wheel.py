"""The wheel away from the checkout: built, installed into a fresh environment without PyTorch, run."""

import os
import subprocess
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from bare_machine import environment, wheel_commands
from click.testing import CliRunner

from rootzone.bmi_run import main

CHECKOUT = Path(__file__).parents[2]
SIX_HOURS = ("--set", "time.end=2019-10-01T06:00", "--set", "figures=false")
PYTHON = Path(sys.executable)


def require_package_index(given: dict[str, str], folder: Path) -> None:
    """Skip without a network, but never in CI."""
    if os.environ.get("CI"):
        return
    probe = [
        PYTHON,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--retries=0",
        "--dest",
        folder / "probe",
        "bmipy",
    ]
    if subprocess.run(probe, env=given, capture_output=True, check=False).returncode:
        pytest.skip("no package index can be reached, which the requirements of the wheel come from")


@pytest.mark.slow
def test_the_wheel_runs_its_demo_in_a_fresh_environment_as_the_checkout_does(tmp_path: Path) -> None:
    pinned = str(CHECKOUT / "constraints.txt")
    given = environment(tmp_path / "home", PYTHON)
    given |= {"PIP_CONSTRAINT": pinned, "PIP_BUILD_CONSTRAINT": pinned, "OMP_NUM_THREADS": "1", "PIP_NO_COMPILE": "1"}
    require_package_index(given, tmp_path)
    # all levels, fully optimised, take the compiler minutes
    quickly = tuple(f"--config-settings=setup-args=-D{option}" for option in ("levels=v2", "optimization=0"))
    for command in wheel_commands(PYTHON, CHECKOUT, tmp_path, SIX_HOURS, quickly):
        done = subprocess.run(
            command.arguments, cwd=command.folder, env=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    run = [str(CHECKOUT / "cfg" / "coupled-richards.yaml"), "--output", str(tmp_path / "here"), *SIX_HOURS]
    assert CliRunner().invoke(main, run).exit_code == 0
    with (
        netCDF4.Dataset(tmp_path / "demo" / "physics" / "hourly.nc") as away,
        netCDF4.Dataset(tmp_path / "here" / "hourly.nc") as here,
    ):
        assert len(away["time"]) == 6
        for name in ("soil_water__pressure_head", "land_surface_air_heat_net_latent__energy_flux"):
            # other instructions of the processor round otherwise
            np.testing.assert_allclose(away[name][:].filled(0.0), here[name][:].filled(0.0), rtol=1e-5, atol=1e-5)

    refused = subprocess.run(
        [tmp_path / "env" / "bin" / "bmi-run", "cfg/coupled.yaml"],
        cwd=tmp_path / "demo", env=given, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 2
    assert refused.stderr.rstrip().endswith("pip install 'rootzone[surrogate]'")
