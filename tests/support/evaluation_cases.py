"""Small runs made by hand, to be evaluated."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import netCDF4
import numpy as np
import yaml
from click.testing import CliRunner, Result
from matplotlib.figure import Figure

from bmi_common.groundwater import PRESSURE_HEAD as HEAD
from bmi_common.run_records import LATENT_HEAT
from rootzone.bmi_evaluate import main
from rootzone.evaluation.assessment import Assessment
from rootzone.evaluation.figures import all as all_figures
from rootzone.evaluation.figures.all import draw_baselines

LAYERS = [4.0] + [1.0] * 10
NY, NX = 2, 3
INACTIVE = (0, 1)
COLUMNS = NY * NX - 1
RAIN = "atmosphere_water_precipitation__mass_flux"
CENTRES = np.cumsum(LAYERS) - 0.5 * np.array(LAYERS)
TOP = sum(LAYERS)


def at_rest(depth: np.ndarray) -> np.ndarray:
    """Heads (hours, nz, ny, nx) of water at rest below a water table at these depths (hours, ny, nx)."""
    return (TOP - depth)[:, np.newaxis] - CENTRES[:, np.newaxis, np.newaxis]


@contextmanager
def drawing(figures: bool | set[str]) -> Iterator[None]:
    """Draw all figures, none, or those of these names; ``errors.png`` is empty without the name ``errors``."""

    def wanted(assessment: Assessment) -> Iterator[tuple[str, str, str, Callable[[], Figure]]]:
        return (figure for figure in every(assessment) if figure[0] in figures)

    every = all_figures._wanted
    if figures is True:
        yield
        return
    errors = draw_baselines if figures and "errors" in figures else lambda assessment, path: path.touch()
    with patch("rootzone.evaluation.writing.draw_baselines", errors):
        if figures:
            with patch.object(all_figures, "_wanted", wanted):
                yield
        else:
            with patch("rootzone.evaluation.writing.draw_all", return_value=[]):
                yield


@dataclass
class Years:
    """Runs of one basin in a folder."""

    folder: Path

    def __post_init__(self) -> None:
        domain = {
            "grid": {"nx": NX, "ny": NY, "dx": 100.0, "dy": 100.0},
            "layers": LAYERS,
            "root_zone": {"layers": 10},
            "mask": {"file": "mask.nc", "variable": "mask"},
            "porosity": 0.4,
            "van_genuchten": {"alpha": 1.0, "n": 2.0, "residual_saturation": 0.0},
            "specific_storage": 0.0,
        }
        with netCDF4.Dataset(self.folder / "mask.nc", "w") as data:
            data.createDimension("y", NY)
            data.createDimension("x", NX)
            mask = np.ones((NY, NX))
            mask[INACTIVE] = 0.0
            data.createVariable("mask", "f8", ("y", "x"))[:] = mask
        (self.folder / "domain.yaml").write_text(yaml.safe_dump(domain))
        groundwater = {"domain": "domain.yaml", "initial": {"water_table_depth": 2.0}}
        (self.folder / "groundwater.yaml").write_text(yaml.safe_dump(groundwater))

    def run(
        self,
        name: str,
        depth: np.ndarray,
        latent: np.ndarray,
        start: str = "2020-01-01",
        every: float = 1.0,
        x0: float = 50.0,
        without: str = "",
        hours: np.ndarray | None = None,
        rain: np.ndarray | None = None,
    ) -> Path:
        """Write a run with these water table depths and latent heat (hours, ny, nx), and its record."""
        run = self.folder / name
        run.mkdir()
        record = {
            "time": {"start": f"{start}T00:00", "end": "2030-01-01T00:00", "step": "1h"},
            "components": {
                n: {"class": "zoo:Bucket", "config": str(self.folder / "groundwater.yaml")}
                for n in ("land", "groundwater")
            },
            "order": ["land", "groundwater"],
            "output": [
                {"file": "head.nc", "every": "1h", "variables": [f"groundwater.{HEAD}"]},
                {"file": "fluxes.nc", "every": "1h", "variables": [f"land.{LATENT_HEAT}"]},
            ],
        }
        (run / "run.yaml").write_text(yaml.safe_dump(record))
        for file, variable, values, units in (
            ("head.nc", HEAD, at_rest(depth), "m"),
            ("fluxes.nc", LATENT_HEAT, latent, "W m-2"),
        ):
            values = np.array(values, dtype=float)
            values[..., INACTIVE[0], INACTIVE[1]] = np.nan
            with netCDF4.Dataset(run / file, "w") as data:
                for letter, size in zip("zyx", (len(LAYERS), *values.shape[-2:]), strict=True):
                    data.createDimension(letter, size)
                data.createDimension("time", None)
                data.createDimension("two", 2)
                time = data.createVariable("time", "f8", ("time",))
                time.setncatts({"units": f"hours since {start} 00:00:00", "bounds": "time_bounds"})
                time[:] = every * np.arange(1, len(values) + 1) if hours is None else hours
                data.createVariable("x", "f8", ("x",))[:] = x0 + 100.0 * np.arange(values.shape[-1])
                data.createVariable("y", "f8", ("y",))[:] = 50.0 + 100.0 * np.arange(values.shape[-2])
                bounds = data.createVariable("time_bounds", "f8", ("time", "two"))
                bounds[:] = np.stack([time[:] - every, time[:]], axis=1)
                if variable == without:
                    continue
                dimensions = ("time", "z", "y", "x") if values.ndim == 4 else ("time", "y", "x")
                made = data.createVariable("v", "f8", dimensions, fill_value=1e30)
                made.setncatts({"csdms_name": variable, "units": units})
                made[:] = np.ma.masked_invalid(values)
                if rain is not None and variable == LATENT_HEAT:
                    fell = data.createVariable("rain", "f8", ("time", "y", "x"))
                    fell.setncatts({"csdms_name": RAIN, "units": "kg m-2 s-1"})
                    fell[:] = np.broadcast_to(rain[:, None, None], values.shape) / 3600.0
        return run

    def evaluate(self, *arguments: object) -> Result:
        return CliRunner().invoke(main, [str(a) for a in arguments])

    def report(self, *arguments: object, figures: bool | set[str] = False) -> dict:
        """Evaluate into the folder ``report``, as a rule without figures or with few: each takes a second."""
        with drawing(figures):
            result = self.evaluate(*arguments, "--output", self.folder / "report", "--overwrite")
        assert result.exit_code == 0, (result.output, result.exception)
        return json.loads((self.folder / "report" / "report.json").read_text())

    def refuses(self, *words: str, arguments: tuple[object, ...]) -> None:
        result = self.evaluate(*arguments)
        assert result.exit_code == 2, result.output
        assert result.output.startswith("bmi-evaluate: ")
        assert "Traceback" not in result.output
        for word in words:
            assert word in result.output, result.output


def field(hours: int, value: float) -> np.ndarray:
    return np.full((hours, NY, NX), value)


def a_day(hours: int) -> np.ndarray:
    """Latent heat (hours, ny, nx) with a maximum a day."""
    wave = 100.0 + 50.0 * np.sin(2.0 * np.pi * np.arange(1, hours + 1) / 24.0)
    return np.broadcast_to(wave[:, None, None], (hours, NY, NX)).copy()
