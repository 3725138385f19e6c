"""The documented session in pymt itself, beside the coupler's run of the same case."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import xarray as xr
import yaml
from click.testing import CliRunner
from pymt_cases import PLUGINS, ROOT, plugin, setup

from bmi_common.netcdf_file import netcdf_name
from rootzone.bmi_run import main

HOURS = 72  # the storm is on the third day

needs_pymt = pytest.mark.skipif(
    importlib.util.find_spec("pymt") is None, reason="pymt is not installed (conda-forge has it, PyPI has not)"
)


@pytest.fixture
def session() -> ModuleType:
    """The script of the guide."""
    spec = importlib.util.spec_from_file_location("pymt_session", ROOT / "docs/examples/pymt_session.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_the_coupler(folder: Path, groundwater: str, session: ModuleType) -> dict[str, np.ndarray]:
    """Hourly values of `bmi-run` for the case that the metadata set up; the flat grid last."""
    path = f"{plugin(groundwater).__module__}:{plugin(groundwater).__name__}"
    variables = {
        "land": [session.SOURCE, session.LATENT_HEAT],
        "groundwater": [session.HEAD, session.WATER_TABLE],
    }
    exchanges = [("groundwater", "land", taken) for taken in session.STATES.values()]  # all layers: the coupler cuts
    exchanges.append(("land", "groundwater", session.SOURCE))
    run = {
        "time": {"start": "2019-10-01T00:00", "end": f"2019-10-{1 + HOURS // 24:02d}T00:00", "step": "1h"},
        "components": {
            "land": {"class": "bmi_colm:BmiColm", "config": str(setup("Colm", folder / "land"))},
            "groundwater": {"class": path, "config": str(setup(groundwater, folder / "soil"))},
        },
        "order": ["land", "groundwater"],
        "exchanges": [{"from": f"{a}.{v}", "to": f"{b}.{v}"} for a, b, v in exchanges],
        "output": [
            {
                "file": "hourly.nc",
                "every": "1h",
                "method": "point",
                "precision": "double",
                "variables": [f"{c}.{v}" for c, names in variables.items() for v in names],
            }
        ],
    }
    (folder / "coupled.yaml").write_text(yaml.safe_dump(run))
    result = CliRunner().invoke(main, [str(folder / "coupled.yaml"), "--output", str(folder / "run")])
    assert result.exit_code == 0, result.output
    with xr.open_dataset(folder / "run" / "hourly.nc") as data:
        return {n: data[netcdf_name(n)].to_numpy().reshape(HOURS, -1) for names in variables.values() for n in names}


@needs_pymt
@pytest.mark.slow
@pytest.mark.parametrize("groundwater", ["ParflowSurrogate", "Richards"])
def test_the_session_gives_the_coupler_s_numbers(tmp_path: Path, groundwater: str, session: ModuleType) -> None:
    by_hand = session.couple(groundwater, HOURS)
    coupled = by_the_coupler(tmp_path, groundwater, session)
    for name, values in coupled.items():
        assert np.isfinite(values).any(), name
        np.testing.assert_array_equal(np.isfinite(by_hand[name]), np.isfinite(values), err_msg=name)
        np.testing.assert_allclose(by_hand[name], values, rtol=1e-12, atol=1e-12, err_msg=name)
    assert np.nanstd(coupled[session.HEAD][-1] - coupled[session.HEAD][0]) > 1e-6  # something has happened


@needs_pymt
def test_pymt_knows_all_models_and_has_no_complaint() -> None:
    from pymt.model_collection import ModelCollection

    models = ModelCollection()
    ours = [(name, error) for name, error in models.errors if name in PLUGINS]
    assert ours == []
    assert set(PLUGINS) <= set(models.keys())


@needs_pymt
def test_update_until_a_past_time_does_nothing_in_pymt(tmp_path: Path) -> None:
    import pymt.models

    model = pymt.models.Richards()
    model.initialize(*model.setup())
    model.set_value("soil_root-zone_water__net_volume_flux", np.zeros(model.grid_node_count(2)))
    model.update()
    head = model.get_value("soil_water__pressure_head")
    model.update_until(0.0)
    assert model.time == 3600.0
    np.testing.assert_array_equal(model.get_value("soil_water__pressure_head"), head)
    assert model.get_value("soil_water__pressure_head", units="cm")[0] != head[0] or np.isnan(head[0])
    assert model.var["soil_water__pressure_head"].units == "m"
    model.finalize()


def test_the_session_script_says_what_it_needs(session: ModuleType) -> None:
    if "pymt" in sys.modules or importlib.util.find_spec("pymt") is not None:
        pytest.skip("pymt is installed")
    with pytest.raises(ModuleNotFoundError, match="pymt"):
        session.couple()
