"""A small basin for ParFlow's double."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import parflow_cases
import pytest
import yaml

from bmi_parflow import BmiParflow

LAYERS = [20.0, 1.1, 0.9, 0.55, 0.34, 0.2, 0.12, 0.075, 0.045, 0.028, 0.0175]
NY, NX = 4, 5
VARIABLE = "PARFLOW_DIR"

Start = Callable[..., BmiParflow]


def configuration(**changes: Any) -> dict[str, Any]:
    return {
        "domain": {
            "grid": {"nx": NX, "ny": NY, "dx": 1000.0, "dy": 800.0},
            "layers": LAYERS,
            "porosity": {"file": "fields.nc", "variable": "porosity"},
            "van_genuchten": {
                "alpha": {"file": "fields.nc", "variable": "alpha"},
                "n": {"file": "fields.nc", "variable": "n"},
                "residual_saturation": {"file": "fields.nc", "variable": "residual"},
                "maximum_saturation": {"file": "fields.nc", "variable": "maximum"},
            },
            "conductivity": {
                "x": {"file": "fields.nc", "variable": "kx", "units": "m h-1"},
                "y": {"file": "fields.nc", "variable": "ky", "units": "m h-1"},
                "z": {"file": "fields.nc", "variable": "kz", "units": "m h-1"},
            },
            "slope": {
                "x": {"file": "fields.nc", "variable": "slope_x"},
                "y": {"file": "fields.nc", "variable": "slope_y"},
            },
            "manning": {"file": "fields.nc", "variable": "manning", "units": "s m-1/3"},
        },
        "initial": {"water_table_depth": 1.5},
        "richards": {"passes": 2, "threads": 1},
        **changes,
    }


def masked(**changes: Any) -> dict[str, Any]:
    content = configuration(**changes)
    content["domain"]["mask"] = {"file": "fields.nc", "variable": "mask"}
    return content


def write_fields(path: Path) -> None:
    """Fields in which no two cells, layers or directions are alike, so that no mix-up goes unseen."""
    random = np.random.default_rng(3)
    shape = (len(LAYERS), NY, NX)
    mask = np.ones((NY, NX))
    mask[0, 0] = mask[2, 3] = mask[3, 4] = 0.0
    deep = {
        "porosity": (0.3, 0.5), "alpha": (1.0, 3.0), "n": (1.8, 2.6), "residual": (0.05, 0.15), "maximum": (0.9, 1.0),
        "kx": (0.01, 0.03), "ky": (0.03, 0.06), "kz": (0.005, 0.01), "storage": (0.0, 0.0),
    }  # fmt: skip
    fields = {name: random.uniform(*limits, size=shape) for name, limits in deep.items()}
    fields["storage"][:] = np.where(np.arange(len(LAYERS)) < 2, 1e-5, 1e-4)[:, None, None]
    flat = {"slope_x": (0.005, 0.02), "slope_y": (0.002, 0.01), "manning": (0.03, 0.08)}
    fields |= {name: random.uniform(*limits, size=shape[1:]) for name, limits in flat.items()}
    with netCDF4.Dataset(path, "w") as dataset:
        for name, size in zip("zyx", shape, strict=True):
            dataset.createDimension(name, size)
        for name, values in {**fields, "mask": mask}.items():
            dataset.createVariable(name, "f8", ("z", "y", "x")[3 - values.ndim :])[...] = values


@pytest.fixture(autouse=True)
def _scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the folders of failed calls, which are left for a look, among the files of the test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> parflow_cases.Double:
    """An installation of the double, named by PARFLOW_DIR."""
    installed = parflow_cases.install(tmp_path / "parflow")
    monkeypatch.setenv(VARIABLE, str(installed.home))
    return installed


@pytest.fixture
def write(tmp_path: Path) -> Callable[[dict[str, Any]], str]:
    write_fields(tmp_path / "fields.nc")

    def written(content: dict[str, Any]) -> str:
        file = tmp_path / "groundwater.yaml"
        file.write_text(yaml.safe_dump(content, sort_keys=False))
        return str(file)

    return written


@pytest.fixture
def start(write: Callable[[dict[str, Any]], str], double: parflow_cases.Double) -> Iterator[Start]:
    """Start a component on the small basin; finalized at the end."""
    started: list[BmiParflow] = []

    def begin(content: dict[str, Any] | None = None, **section: Any) -> BmiParflow:
        content = configuration() if content is None else content
        component = BmiParflow()
        component.initialize(write({**content, "parflow": section}))
        started.append(component)
        return component

    yield begin
    for component in started:
        component.finalize()


def rain(depth: float, uptake: float = 1e-5) -> np.ndarray:
    """Source of an hour with a depth [m] of rain, and transpiration from the layers below."""
    source = np.full((10, NY, NX), -uptake) * np.linspace(0.5, 1.5, NX)
    source[-1] = depth / LAYERS[-1] * np.linspace(1.0, 2.0, NX)
    return source
