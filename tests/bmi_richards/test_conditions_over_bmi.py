"""Surface, boundaries, barriers and sources as a user configures them and BMI shows them."""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import yaml

from bmi_common import ConfigError
from bmi_common import groundwater as names
from bmi_richards import BmiRichards

NY, NX, NZ = 3, 4, 11
LAYERS = [20.0, 1.1, 0.9, 0.55, 0.34, 0.2, 0.12, 0.075, 0.045, 0.028, 0.0175]
CYCLE = {"cycle": [{"hours": 2, "rate": 0.02}, {"hours": 3, "rate": -0.0001}]}
CONDITIONS: dict[str, Any] = {
    "surface": {"condition": "overland_flow", "flux": CYCLE},
    "boundaries": [
        {"side": "west", "head": {"cycle": [{"hours": 3, "rate": 22.5}, {"hours": 2, "rate": 20.0}]}},
        {"side": "east", "layers": [0, 1], "flux": -0.001},
        {"side": "bottom", "flux": 1.0e-5},
    ],
    "barriers": {"z": [1.0] * 3 + [0.1] * 8},
    "sources": [0.0] * 10 + [0.001],
}


def write(folder: Path, **changes: Any) -> str:
    content = {
        "domain": {
            "grid": {"nx": NX, "ny": NY, "dx": 500.0, "dy": 500.0},
            "layers": LAYERS,
            "porosity": 0.4,
            "van_genuchten": {"alpha": 2.0, "n": 2.2, "residual_saturation": 0.1},
            "conductivity": {"x": 0.02, "z": 0.01},
            "slope": {"x": 0.01, "y": 0.002},
            "slope_formulation": "original",
            "manning": 0.05,
        },
        "initial": {"water_table_depth": 1.5},
        **changes,
    }
    file = folder / "groundwater.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return str(file)


def start(folder: Path, **changes: Any) -> BmiRichards:
    model = BmiRichards()
    model.initialize(write(folder, **changes))
    return model


def step(model: BmiRichards, rain: float = 0.0) -> None:
    source = np.zeros((model.get_value_ptr(names.NET_SOURCE).size // (NY * NX), NY, NX))
    source[-1] = rain / LAYERS[-1]
    model.set_value(names.NET_SOURCE, source.ravel())
    model.update()


def scalar(model: BmiRichards, name: str) -> float:
    return float(model.get_value_ptr(name)[0])


@pytest.mark.parametrize("mode", ["full", "free_drainage"])
def test_the_published_terms_explain_the_storage(tmp_path: Path, mode: str) -> None:
    changes = dict(CONDITIONS, richards={"mode": mode})
    if mode == "free_drainage":
        changes["boundaries"] = CONDITIONS["boundaries"][:2]
    model = start(tmp_path, **changes)
    for hour in range(12):
        before = scalar(model, names.STORAGE_VOLUME)
        step(model, 0.001)
        gained = sum(
            scalar(model, name)
            for name in (names.SOURCE_VOLUME, names.SURFACE_FLUX_VOLUME, names.BOUNDARY_INFLOW_VOLUME)
        )
        lost = sum(scalar(model, name) for name in (names.OUTFLOW_VOLUME, names.DRAINAGE_VOLUME, names.SEEPAGE_VOLUME))
        change = scalar(model, names.STORAGE_VOLUME) - before
        assert change == pytest.approx(gained - lost, abs=1e-10 * (abs(gained) + lost) + 1e-6)
        area = NY * NX * 500.0**2
        assert scalar(model, names.SURFACE_FLUX_VOLUME) == pytest.approx((0.02 if hour % 5 < 2 else -0.0001) * area)
        # the prescribed sources add to the land's
        assert scalar(model, names.PRESCRIBED_VOLUME) == pytest.approx(0.001 * LAYERS[-1] * area)
        assert scalar(model, names.SOURCE_VOLUME) == pytest.approx((0.001 + 0.001 * LAYERS[-1]) * area)


def test_a_restart_within_a_cycle_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole, first = start(tmp_path, **CONDITIONS), start(tmp_path, **CONDITIONS)
    for _ in range(4):
        step(whole)
        step(first)
    first.save_state(tmp_path / "state.nc")
    second = start(tmp_path, **CONDITIONS)
    second.load_state(tmp_path / "state.nc")
    for _ in range(4):
        step(whole)
        step(second)
    np.testing.assert_array_equal(second.get_value_ptr(names.PRESSURE_HEAD), whole.get_value_ptr(names.PRESSURE_HEAD))
    assert scalar(second, names.BOUNDARY_INFLOW_VOLUME) == scalar(whole, names.BOUNDARY_INFLOW_VOLUME)


def write_sources(path: Path, values: np.ndarray) -> None:
    with netCDF4.Dataset(path, "w") as file:
        for name, size in zip(("time", "z", "y", "x"), values.shape, strict=True):
            file.createDimension(name, size)
        variable = file.createVariable("source", "f8", ("time", "z", "y", "x"))
        variable.units = "h-1"
        variable[...] = values


def test_a_series_of_sources_acts_hour_by_hour_and_ends_the_run(tmp_path: Path) -> None:
    sources = np.zeros((3, NZ, NY, NX))
    sources[:, 0] = np.array([1e-4, 3e-4, 2e-4])[:, None, None]
    write_sources(tmp_path / "sources.nc", sources)
    model = start(tmp_path, sources={"file": "sources.nc", "variable": "source"})
    area = NY * NX * 500.0**2
    for hour in range(3):
        step(model)
        assert scalar(model, names.PRESCRIBED_VOLUME) == pytest.approx(sources[hour, 0, 0, 0] * LAYERS[0] * area)
    assert model.get_current_time() == model.get_end_time()


def test_a_series_with_a_hole_is_refused_before_the_run(tmp_path: Path) -> None:
    sources = np.zeros((3, NZ, NY, NX))
    sources[1, 4, 2, 3] = np.nan
    write_sources(tmp_path / "sources.nc", sources)
    with pytest.raises(ConfigError, match=r"sources: .*not finite in entry 1 at cell \(k=4, j=2, i=3\)"):
        start(tmp_path, sources={"file": "sources.nc", "variable": "source"})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"boundaries": [{"side": "west"}]}, r"boundaries\.0: give either flux .* or head"),
        ({"boundaries": [{"side": "west", "flux": 1.0, "head": 1.0}]}, r"boundaries\.0: give either flux"),
        ({"boundaries": [{"side": "up", "flux": 1.0}]}, r"boundaries\.0\.side"),
        (
            {"boundaries": [{"side": "west", "layers": [11], "flux": 0}]},
            r"boundaries\.0\.layers: .* layers 0 to 10, got 11",
        ),
        ({"boundaries": [{"side": "bottom", "layers": [0], "flux": 0}]}, "layers: without effect at the bottom"),
        ({"boundaries": [{"side": "top", "flux": 0}]}, r"boundaries\.0: the ground takes a head here; a flux"),
        (
            {"boundaries": [{"side": "top", "head": 20.0}]},
            r"boundaries\.0\.side: a head at the ground needs `surface: {condition: closed}`",
        ),
        ({"boundaries": [{"side": "west", "head": 2200.0e3}]}, r"boundaries\.0\.head: .*between"),
        ({"boundaries": [{"side": "west", "mask": 0.0, "flux": 0}]}, r"boundaries\.0\.mask: no active cell"),
        (
            {"boundaries": [{"side": "west", "flux": 0}, {"side": "west", "layers": [3], "head": 1.0}]},
            r"boundaries\.1: the west face of cell \(k=3, j=0, i=0\) belongs to boundary 0",
        ),
        ({"barriers": {"x": [1.0] * 5}}, r"barriers: x: 5 numbers given"),
        ({"barriers": {"x": -1.0}}, r"barriers\.x: a factor must be at least 0"),
        ({"sources": {"value": 0.0, "interval": 24.0}}, r"sources\.interval: without effect"),
        ({"surface": {"condition": "overland_diffusive"}}, r"surface\.condition"),
        ({"surface": {"flux": 200.0}}, r"surface\.flux: .*between -100 and 100"),
        (
            {"boundaries": [{"side": "bottom", "flux": 0}], "richards": {"mode": "free_drainage"}},
            r"boundaries\.0\.side: the bottom drains freely",
        ),
    ],
)
def test_a_mistake_is_one_message_with_its_key(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        start(tmp_path, **changes)
    assert len(caught.value.mistakes) == 1
    assert str(tmp_path / "groundwater.yaml") in str(caught.value)
