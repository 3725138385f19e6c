"""The tutorial of docs/from_maps.md, followed."""

import importlib.util
from pathlib import Path

import domain_maps  # noqa: F401  (skips without the extra domain)
import pytest
import xarray as xr
from click.testing import CliRunner
from snippets import ROOT, snippets

from rootzone.bmi_domain import main as bmi_domain
from rootzone.bmi_run import main as bmi_run

MOST_LINES = 25


def call(command, *arguments: object) -> str:
    result = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def write_maps(folder: Path) -> None:
    script = ROOT / "docs" / "examples" / "made_up_maps.py"
    spec = importlib.util.spec_from_file_location("made_up_maps", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder.mkdir()
    module.write_maps(folder)
    module.write_weather(folder / "era5_land.nc")


@pytest.mark.slow
def test_the_tutorial_leads_to_a_run(tmp_path):
    text = next(s.text for s in snippets(ROOT / "docs" / "from_maps.md") if "pour_point" in s.text)
    assert len(text.splitlines()) <= MOST_LINES
    (tmp_path / "basin.yaml").write_text(text)
    write_maps(tmp_path / "maps")
    basin = tmp_path / "my-basin"
    said = call(bmi_domain, tmp_path / "basin.yaml", "--output", basin)
    assert "713 of 1216 columns" in said
    assert "1 outlet over the ground" in said
    assert "the weather is lifted above it" in said
    day = ("--set", "time.end=2019-10-02T00:00")  # of ten, whose weather every command reads
    refused = CliRunner().invoke(bmi_run, [str(basin / "coupled.yaml"), "--check", *day])
    assert "spin_up/spun_up/groundwater.nc" in refused.output  # the state that the spin-up writes
    call(bmi_run, basin / "spin_up.yaml", "--set", "spin_up={repeat: 2d, max: 1}", "--set", "figures=false")
    assert "sound" in call(bmi_run, basin / "coupled.yaml", "--check", *day)
    call(bmi_run, basin / "coupled.yaml", *day, "--set", "figures=false")
    with xr.open_dataset(basin / "run" / "daily.nc") as data:
        assert data["land_surface__temperature"].attrs["grid_mapping"] == "crs"
        assert 270.0 < float(data["land_surface__temperature"].mean()) < 310.0
        assert float(data["land_surface_water_evapotranspiration__mass_flux"].mean()) > 0.0
