"""A small basin, the double of a CoLM library, and what the double must return."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from bmi_colm import BmiColmLibrary
from bmi_colm import variables as names
from bmi_colm.forcing import names as forcing

NY, NX = 5, 7
LAYERS = [5.0, 2.0, 1.0, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.08, 0.05, 0.02]  # bottom first, two below the root zone
POROSITY = [0.30, 0.31, 0.32, 0.33, 0.34, 0.35, 0.36, 0.37, 0.38, 0.39, 0.40, 0.41]
MASK = np.ones((NY, NX), dtype=bool)
MASK[0, 0] = MASK[0, 3] = MASK[2, 5] = MASK[4, 6] = MASK[3, 0] = False
MASK[3:, 4:] = False  # blocks without any active cell
COVER = 1 + np.arange(NY * NX).reshape(NY, NX) % 17
LATITUDE = 40.0 + np.arange(NY)[:, None] * np.ones(NX)
LONGITUDE = -140.5 + np.arange(NX)[None, :] * np.ones((NY, 1))
SAND, CLAY, GRAVEL, CARBON, DENSITY = 42.0, 18.0, 5.0, 1.25, 1.4

CONFIG = """
start: 2020-06-01T12:00
domain:
  grid: {{nx: 7, ny: 5, dx: 1000.0, dy: 500.0}}
  layers: {layers}
  mask: {{file: basin.nc, variable: mask}}
  latitude: {{file: basin.nc, variable: latitude}}
  longitude: {{file: basin.nc, variable: longitude}}
  porosity: {porosity}
  van_genuchten: {{alpha: 1.0, n: 2.0, residual_saturation: 0.1}}
land_cover: {{file: basin.nc, variable: cover}}
soil_texture: {{sand: 42.0, clay: 18.0, gravel: 5.0, organic_carbon: 1.25, bulk_density: 1.4}}
forcing: external
"""


@functools.cache
def compiled(source: str = "library_double.c") -> Path:
    """Compile a C file of bmi_colm, or C text, into a shared library."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler for the double of the library")
    folder = Path(tempfile.mkdtemp(prefix="library_double_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = Path(__file__).parents[1] / "bmi_colm" / source if source.endswith(".c") else folder / "text.c"
    if not source.endswith(".c"):
        file.write_text(source)
    target = folder / "libcolm.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(target), str(file), "-ldl", "-lm"]
    subprocess.run(command, check=True)
    return target


def write_basin(folder: Path) -> Path:
    """Write the fields of the basin; classes outside the mask are impossible and must not matter."""
    fields = {"mask": MASK.astype(float), "cover": np.where(MASK, COVER, 99).astype(float)}
    fields |= {"latitude": LATITUDE, "longitude": LONGITUDE}
    attributes = {"latitude": {"units": "degrees"}, "longitude": {"units": "degrees"}}
    xr.Dataset({n: (("y", "x"), f, attributes.get(n, {})) for n, f in fields.items()}).to_netcdf(folder / "basin.nc")
    return folder


def write_config(folder: Path, library: str = "", more: str = "", **replaced: str) -> Path:
    """Write the configuration; `library` completes its section."""
    if not (folder / "libcolm.so").exists():
        shutil.copy(compiled(), folder / "libcolm.so")
    text = CONFIG.format(layers=LAYERS, porosity=POROSITY)
    for old, new in replaced.items():
        text = "\n".join(f"{old}: {new}" if line.startswith(f"{old}:") else line for line in text.splitlines())
    options = "file: libcolm.so, snicar: unused" if "file:" not in library else ""
    section = ", ".join(filter(None, (options, library)))
    path = folder / "land.yaml"
    path.write_text(f"{text}\n{more}\nlibrary: {{{section}}}\n")
    return path


def started(folder: Path, library: str = "", more: str = "", **replaced: str) -> BmiColmLibrary:
    bmi = BmiColmLibrary()
    bmi.initialize(str(write_config(folder, library, more, **replaced)))
    return bmi


def weather(step: int) -> dict[str, np.ndarray]:
    """Something different in every cell and step."""
    cell = np.arange(NY * NX).reshape(NY, NX)
    return {
        forcing.SHORTWAVE: 300.0 + 10.0 * step + cell,
        forcing.LONGWAVE: 310.0 + step + 0.5 * cell,
        forcing.PRECIPITATION: 1.0e-4 * (step + 1) + 1.0e-6 * cell,
        forcing.AIR_TEMPERATURE: 290.0 + step + 0.1 * cell,
        forcing.WIND_X: 2.0 + 0.01 * cell,
        forcing.WIND_Y: -1.0 + 0.02 * cell,
        forcing.AIR_PRESSURE: 9.9e4 + cell,
        forcing.SPECIFIC_HUMIDITY: 0.009 + 1.0e-5 * cell,
    }


def soil_water(step: int) -> tuple[np.ndarray, np.ndarray]:
    """Pressure head [m] and saturation, bottom first."""
    layer, cell = np.arange(10)[:, None, None], np.arange(NY * NX).reshape(NY, NX)
    return -1.0 - 0.1 * layer - 0.01 * cell - step, 0.2 + 0.05 * layer + 0.005 * cell + 0.01 * step


def give(bmi: BmiColmLibrary, step: int) -> None:
    """Set all inputs, with NaN in cells that take no part."""
    head, saturation = soil_water(step)
    inputs = {names.PRESSURE_HEAD: head, names.SATURATION: saturation, **weather(step)}
    for name, values in inputs.items():
        bmi.set_value(name, np.where(MASK, values, np.nan))


def advance(bmi: BmiColmLibrary, steps: int, first: int = 0) -> None:
    for step in range(first, first + steps):
        give(bmi, step)
        bmi.update()


def outputs(bmi: BmiColmLibrary) -> dict[str, np.ndarray]:
    return {v.name: bmi.values[v.name].copy() for v in bmi.variables if not v.role.is_input}


def expected(step: int, snow_before: np.ndarray | float = 0.0) -> dict[str, np.ndarray]:
    """What the double returns at the end of `step`, by the formulas in its source."""
    w, (head, saturation) = weather(step), soil_water(step)
    rain = w[forcing.PRECIPITATION]
    source = 1e-6 * saturation + 1e-7 * head + 1e-5 * np.array(POROSITY[2:])[:, None, None]
    source[-1] += 3.6 * rain / LAYERS[-1]
    texture = np.repeat([GRAVEL, SAND, CLAY, 100.0 * CARBON, 100.0 * DENSITY], 8) @ np.arange(1, 41)
    outgoing = w[forcing.LONGWAVE] + 0.01 * w[forcing.AIR_TEMPERATURE]
    result = {
        names.NET_SOURCE: source,
        names.LATENT_HEAT: 0.1 * w[forcing.SHORTWAVE] + COVER + 1e-3 * LONGITUDE + 1e-3 * LATITUDE,
        names.SENSIBLE_HEAT: np.full((NY, NX), texture),
        names.GROUND_HEAT: w[forcing.WIND_X]
        + 10.0 * w[forcing.WIND_Y]
        + 1e-3 * w[forcing.AIR_PRESSURE]
        + 1e3 * w[forcing.SPECIFIC_HUMIDITY],
        names.EVAPOTRANSPIRATION: np.full((NY, NX), 1e-6 + 21e-9 + 1e-8 * 0.2 + 2e-8 * 1.0 + 4e-8 * 0.2),
        names.INFILTRATION: rain / 1000.0,
        names.SURFACE_TEMPERATURE: (outgoing / 5.67e-8) ** 0.25,
        names.OUTGOING_LONGWAVE: outgoing,
        names.TRANSPIRATION: np.full((NY, NX), 1e-6),
        names.CANOPY_EVAPORATION: np.full((NY, NX), 2e-6),
        names.SOIL_EVAPORATION: 1e-8 * w[forcing.AIR_TEMPERATURE],
        names.GROUND_TEMPERATURE: w[forcing.AIR_TEMPERATURE],
        names.SOIL_TEMPERATURE: w[forcing.AIR_TEMPERATURE] - np.arange(10)[::-1, None, None],
        names.SNOW_WATER: snow_before + sum(3.6 * weather(s)[forcing.PRECIPITATION] for s in range(step + 1)),
    }
    return {name: np.where(MASK, values, np.nan) for name, values in result.items()}
