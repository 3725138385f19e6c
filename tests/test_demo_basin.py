"""The files of the demo basin: terrain that drains, weather that could happen, small enough for a repository."""

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import netCDF4
import numpy as np
import pytest
import xarray as xr
import yaml
from click.testing import CliRunner
from numpy.typing import NDArray

from bmi_common import Domain, load_config, water_table
from bmi_common.domain import DomainConfig
from bmi_common.flow_order import build_network
from rootzone.bmi_domain import main as bmi_domain

DEMO = Path(__file__).parents[1] / "cfg" / "demo"
SHAPE, NZ = (48, 64), 11
OUTLET = (1, 26)
WET = [4, 5, 6, 7, 8, 9]  # months
RAIN_OF_YEAR = {2019: 1350.0, 2020: 1700.0, 2021: 1500.0}  # mm, October to September

Cell = tuple[int, int]


def generator(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DEMO / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def domain() -> Domain:
    return Domain.load(load_config(DEMO / "domain.yaml", DomainConfig))


@pytest.fixture(scope="module")
def basin() -> xr.Dataset:
    with xr.open_dataset(DEMO / "domain.nc") as data:
        return data.load()


@pytest.fixture(scope="module")
def weather() -> xr.Dataset:
    with xr.open_dataset(DEMO / "weather.nc") as data:
        return data.load()


# ---------------------------------------------------------------------- terrain


def overland_receivers(domain: Domain) -> dict[Cell, list[Cell | None]]:
    """Cells that each active cell's ponded water runs to; None is the world outside.

    ParFlow's kinematic wave: a face belongs to the cell on its western or southern side and water leaves the side
    that its slope raises; the western and southern faces on the edge take the slope of the cell itself.
    """
    assert domain.slope_x is not None
    assert domain.slope_y is not None

    def active(cell: Cell) -> bool:
        return 0 <= cell[0] < SHAPE[0] and 0 <= cell[1] < SHAPE[1] and bool(domain.mask[cell])

    cells = [(int(j), int(i)) for j, i in np.argwhere(domain.mask)]
    receivers: dict[Cell, list[Cell | None]] = {cell: [] for cell in cells}
    for j, i in cells:
        for slope, upper, lower in (
            (domain.slope_x[j, i], (j, i + 1), (j, i - 1)),
            (domain.slope_y[j, i], (j + 1, i), (j - 1, i)),
        ):
            if slope < 0.0:
                receivers[j, i].append(upper if active(upper) else None)
            elif slope > 0.0 and active(upper):
                receivers[upper].append((j, i))
            if slope > 0.0 and not active(lower):
                receivers[j, i].append(None)
    return receivers


def test_overland_flow_leaves_the_basin_at_the_outlet_only(domain: Domain) -> None:
    receivers = overland_receivers(domain)
    assert [cell for cell, targets in receivers.items() if None in targets] == [OUTLET]
    assert receivers[OUTLET] == [None]


def test_overland_flow_of_every_cell_reaches_the_outlet_without_cycles(domain: Domain) -> None:
    receivers = overland_receivers(domain)
    assert len(receivers) == domain.mask.sum()
    # peel off cells that nothing flows into any more: what remains in a cycle is never peeled
    donors = dict.fromkeys(receivers, 0)
    for targets in receivers.values():
        for target in targets:
            if target is not None:
                donors[target] += 1
    peeled = [cell for cell, count in donors.items() if count == 0]
    for cell in peeled:
        for target in receivers[cell]:
            if target is not None:
                donors[target] -= 1
                if donors[target] == 0:
                    peeled.append(target)
    assert len(peeled) == len(receivers), "overland flow runs in circles"
    # without cycles, a cell misses the outlet only by way of a cell that keeps its water
    assert [cell for cell, targets in receivers.items() if not targets] == []


def test_the_richards_component_finds_the_same_network(domain: Domain) -> None:
    assert domain.slope_x is not None
    assert domain.slope_y is not None
    assert domain.manning is not None
    network = build_network(domain.mask, domain.slope_x, domain.slope_y, domain.manning / 3600.0, domain.dx, domain.dy)
    assert network.cycles == []
    outlet = OUTLET[0] * SHAPE[1] + OUTLET[1]
    assert network.cells[network.boundary > 0.0].tolist() == [outlet]
    assert network.outflow.min() > 0.0


def test_slopes_are_the_differences_of_elevation(domain: Domain) -> None:
    assert domain.slope_x is not None
    assert domain.slope_y is not None
    for slope, axis in ((domain.slope_x, 1), (domain.slope_y, 0)):
        upper = np.roll(domain.elevation, -1, axis=axis)
        inner = domain.mask & np.roll(domain.mask, -1, axis=axis)  # nothing wraps: the frame of the grid is inactive
        open_face = inner & (slope != 0.0)  # the others are closed, so that the rim is tight
        expected = (upper - domain.elevation)[open_face] / 1000.0
        np.testing.assert_allclose(slope[open_face], expected, rtol=0.0, atol=1e-12)
        assert (inner & ~open_face).sum() < 20
        # the outlet's own face takes the water of the ground above it
        assert set(zip(*np.nonzero(domain.mask & ~inner & (slope != 0.0)), strict=True)) <= {OUTLET}


def test_the_basin_is_hills_around_gentle_valleys(domain: Domain) -> None:
    elevation = domain.elevation[domain.mask]
    assert domain.mask.mean() > 0.7
    assert 300.0 < np.ptp(elevation) < 900.0
    assert elevation.min() == domain.elevation[OUTLET]
    assert domain.slope_x is not None
    assert domain.slope_y is not None
    steepest = np.maximum(abs(domain.slope_x), abs(domain.slope_y))[domain.mask]
    assert np.quantile(steepest, 0.1) < 0.005 < 0.02 < np.quantile(steepest, 0.9)
    assert steepest.max() < 0.2


# ----------------------------------------------------------------- soils, cover


PHYSICAL = {  # of active cells
    "porosity": (0.05, 0.55),
    "alpha": (0.2, 8.0),
    "n": (1.2, 3.0),
    "residual_saturation": (0.01, 0.3),
    "conductivity": (1e-3, 0.5),
    "vertical_conductivity": (1e-4, 0.5),
    "manning": (0.03, 0.5),
    "elevation": (50.0, 1500.0),
    "latitude": (24.2, 24.8),
    "longitude": (112.9, 113.6),
}


@pytest.mark.parametrize("name", PHYSICAL)
def test_fields_are_physical_where_cells_are_active(basin: xr.Dataset, name: str) -> None:
    values = basin[name].values[..., basin["mask"].values == 1]
    low, high = PHYSICAL[name]
    assert np.isfinite(values).all()
    assert low <= values.min()
    assert values.max() <= high
    assert np.ptp(values) > 0.0


def test_fields_have_units_and_shapes_of_the_domain(basin: xr.Dataset) -> None:
    assert basin.sizes == {"z": NZ, "y": SHAPE[0], "x": SHAPE[1]}
    for name, variable in basin.drop_vars("crs").data_vars.items():
        assert variable.attrs["units"], name
        assert variable.attrs["long_name"], name
        assert variable.attrs["grid_mapping"] == "crs", name
        assert variable.dims in (("y", "x"), ("z", "y", "x")), name
    np.testing.assert_allclose(np.diff(basin["x"]), 1000.0)
    np.testing.assert_allclose(np.diff(basin["y"]), 1000.0)


def test_vertical_conductivity_never_exceeds_horizontal(basin: xr.Dataset) -> None:
    active = basin["mask"].values == 1
    ratio = (basin["vertical_conductivity"] / basin["conductivity"]).values[:, active]
    assert ratio.max() <= 1.0 + 1e-12
    assert ratio[0].max() < 0.2  # the rock is layered


def test_land_covers_and_textures_are_classes_the_land_component_knows(basin: xr.Dataset) -> None:
    active = basin["mask"].values == 1
    cover = basin["land_cover"].values[active]
    assert set(np.unique(cover)) <= {*range(1, 11), 12, 14, 16}
    assert set(np.unique(basin["soil_texture"].values[active])) <= set(range(1, 13))
    assert 0.25 < np.mean(cover == 2) < 0.7  # evergreen broadleaf forest
    assert len(np.unique(cover)) >= 4


def test_valleys_are_farmed_and_hills_are_wooded(basin: xr.Dataset) -> None:
    active = basin["mask"].values == 1
    cover, elevation = basin["land_cover"].values[active], basin["elevation"].values[active]
    assert np.median(elevation[cover == 12]) < np.median(elevation[cover == 2])


@pytest.mark.parametrize("file", ["initial.nc", "steady_recharge.nc"])
def test_states_are_finite_in_active_cells_with_a_shallow_water_table(domain: Domain, file: str) -> None:
    with netCDF4.Dataset(DEMO / file) as data:
        (name,) = [n for n in data.variables if n.endswith("pressure_head")]
        assert data[name].units == "m"
        head = np.ma.filled(np.squeeze(data[name][:]), np.nan).astype(float)
    assert head.shape == (NZ, *SHAPE)
    assert np.isfinite(head[:, domain.mask]).all()
    depth = water_table.depth(head[:, domain.mask], domain.dz)
    assert np.median(depth) < 3.0
    assert depth.max() < 60.0
    assert head[:, domain.mask].min() > -200.0


# ---------------------------------------------------------------------- weather


NAMES = {
    "precipitation_flux": "kg m-2 s-1",
    "air_temperature": "K",
    "surface_air_pressure": "Pa",
    "specific_humidity": "1",
    "surface_downwelling_shortwave_flux_in_air": "W m-2",
    "surface_downwelling_longwave_flux_in_air": "W m-2",
    "eastward_wind": "m s-1",
    "northward_wind": "m s-1",
}


def saturation_humidity(temperature: NDArray[np.float64], pressure: NDArray[np.float64]) -> NDArray[np.float64]:
    """Saturation specific humidity over water (Tetens)."""
    vapour = 610.78 * np.exp(17.269 * (temperature - 273.16) / (temperature - 35.86))
    return 0.622 * vapour / (pressure - 0.378 * vapour)


def cosine_of_zenith(
    hours: NDArray[np.float64], latitude: NDArray[np.float64], longitude: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Berger's (1978) short form, as land models use it; `hours` since 1 January 00 UTC, angles in degrees."""
    day = 1.0 + hours / 24.0
    eccentricity, obliquity, perihelion = 0.01672393084, 0.409214646, 4.92251015
    mean = -0.032625366 + (day - 80.5) * 2.0 * np.pi / 365.0
    anomaly = mean - perihelion
    true = mean + eccentricity * (
        2.0 * np.sin(anomaly)
        + eccentricity
        * (1.25 * np.sin(2.0 * anomaly) + eccentricity * (13.0 / 12.0 * np.sin(3.0 * anomaly) - 0.25 * np.sin(anomaly)))
    )
    declination = np.arcsin(np.sin(obliquity) * np.sin(true))
    turn = day * 2.0 * np.pi + np.radians(longitude)
    cosine: NDArray[np.float64] = np.sin(np.radians(latitude)) * np.sin(declination) - np.cos(
        np.radians(latitude)
    ) * np.cos(declination) * np.cos(turn)
    return cosine


def test_the_record_has_every_hour_of_three_years_with_dates_and_bounds(weather: xr.Dataset) -> None:
    expected = np.arange(np.datetime64("2019-10-01T00"), np.datetime64("2022-10-01T00"), np.timedelta64(1, "h"))
    np.testing.assert_array_equal(weather["time"].values.astype("datetime64[h]"), expected)
    with netCDF4.Dataset(DEMO / "weather.nc") as file:
        assert file["time"].units == "hours since 2019-10-01 00:00:00"
        bounds, time = file[file["time"].bounds][:], file["time"][:]
        np.testing.assert_array_equal(bounds, np.stack([time, time + 1], axis=1))


@pytest.mark.parametrize("name", NAMES)
def test_variables_are_complete_and_self_describing(weather: xr.Dataset, name: str) -> None:
    variable = weather[name]
    assert variable.dims == ("time",)
    assert variable.dtype == np.float32
    assert variable.attrs["standard_name"] == name
    assert variable.attrs["units"] == NAMES[name]
    assert np.isfinite(variable).all()


def rain_of_hydrological_years(weather: xr.Dataset) -> dict[int, xr.DataArray]:
    """Hourly rain [mm] of each year that starts in October."""
    rain = weather["precipitation_flux"].astype(float) * 3600.0
    start_year = rain["time"].dt.year - (rain["time"].dt.month < 10)
    return {year: rain[(start_year == year).values] for year in RAIN_OF_YEAR}


@pytest.mark.parametrize("year", RAIN_OF_YEAR)
def test_annual_rain_is_as_stated_and_falls_in_summer(weather: xr.Dataset, year: int) -> None:
    rain = rain_of_hydrological_years(weather)[year]
    assert float(rain.sum()) == pytest.approx(RAIN_OF_YEAR[year], abs=1.0)
    summer = float(rain[rain["time"].dt.month.isin(WET).values].sum())
    assert summer > 0.75 * float(rain.sum())
    assert float(rain.max()) < 80.0  # mm in an hour
    assert 0.04 < float((rain > 0.0).mean()) < 0.2


@pytest.mark.parametrize("year", RAIN_OF_YEAR)
def test_every_year_has_several_weeks_without_rain(weather: xr.Dataset, year: int) -> None:
    wet = (rain_of_hydrological_years(weather)[year] > 0.0).values
    changes = np.flatnonzero(np.diff(np.r_[True, wet, True].astype(int)))
    longest = np.diff(changes).max() if changes.size else 0
    assert longest >= 28 * 24


def test_rain_persists_from_hour_to_hour(weather: xr.Dataset) -> None:
    wet = (weather["precipitation_flux"] > 0.0).values
    assert np.mean(wet[1:][wet[:-1]]) > 5.0 * wet.mean()


def test_the_three_years_differ(weather: xr.Dataset) -> None:
    daily = [rain.values[: 365 * 24].reshape(365, 24).sum(1) for rain in rain_of_hydrological_years(weather).values()]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.corrcoef(daily[one], daily[other])[0, 1]) < 0.4
        assert abs(daily[one].sum() - daily[other].sum()) > 50.0


def test_precipitation_is_always_rain(weather: xr.Dataset) -> None:
    wet = (weather["precipitation_flux"] > 0.0).values
    assert float(weather["air_temperature"][wet].min()) > 275.16


def test_air_is_never_supersaturated(weather: xr.Dataset) -> None:
    temperature = weather["air_temperature"].values.astype(float)
    pressure = weather["surface_air_pressure"].values.astype(float)
    humidity = weather["specific_humidity"].values
    assert humidity.min() > 0.0
    assert np.all(humidity <= saturation_humidity(temperature, pressure))


def test_no_sunshine_in_hours_that_begin_before_sunrise_anywhere_in_the_basin(
    weather: xr.Dataset, basin: xr.Dataset
) -> None:
    time = weather["time"].values
    hours = (time - time.astype("datetime64[Y]")) / np.timedelta64(1, "h")
    shortwave = weather["surface_downwelling_shortwave_flux_in_air"].values
    latitude, longitude = basin["latitude"].values, basin["longitude"].values
    for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)):  # no place between them has an earlier or a later sun
        sun = cosine_of_zenith(hours, latitude[corner], longitude[corner])
        assert np.all(shortwave[sun <= 0.0] == 0.0)
        assert np.all(shortwave[sun > 0.05] > 0.0)


def test_shortwave_stays_below_the_sun_above_the_air(weather: xr.Dataset) -> None:
    time = weather["time"].values
    hours = (time - time.astype("datetime64[Y]")) / np.timedelta64(1, "h")
    parts = [cosine_of_zenith(hours + part, np.array(24.5), np.array(113.25)) for part in np.linspace(0.0, 1.0, 13)]
    above = 1.035 * 1361.0 * np.mean(np.maximum(parts, 0.0), axis=0)
    assert np.all(weather["surface_downwelling_shortwave_flux_in_air"].values <= above)


def test_the_sun_is_highest_about_half_past_four_utc(weather: xr.Dataset) -> None:
    by_hour = weather["surface_downwelling_shortwave_flux_in_air"].groupby("time.hour").mean()
    assert int(np.argmax(by_hour.values)) == 4
    assert float(by_hour.sel(hour=16)) == 0.0
    warmest = int(np.argmax(weather["air_temperature"].groupby("time.hour").mean().values))
    assert warmest in (6, 7, 8)  # two to three hours after noon


RANGES: dict[str, tuple[float, float, float, float]] = {  # least, lowest mean, highest mean, greatest
    "air_temperature": (274.0, 291.0, 296.0, 313.0),
    "surface_air_pressure": (9.3e4, 9.6e4, 9.8e4, 1.0e5),
    "specific_humidity": (5e-4, 0.008, 0.016, 0.03),
    "surface_downwelling_shortwave_flux_in_air": (0.0, 130.0, 190.0, 1150.0),
    "surface_downwelling_longwave_flux_in_air": (200.0, 340.0, 400.0, 500.0),
    "eastward_wind": (-20.0, -2.0, 2.0, 20.0),
    "northward_wind": (-20.0, -2.0, 2.0, 20.0),
}


@pytest.mark.parametrize("name", RANGES)
def test_values_suit_the_humid_subtropics(weather: xr.Dataset, name: str) -> None:
    least, lowest, highest, greatest = RANGES[name]
    values = weather[name].values.astype(float)
    assert least <= values.min()
    assert values.max() <= greatest
    assert lowest < values.mean() < highest


def test_longwave_is_less_than_that_of_a_black_body_and_more_under_cloud(weather: xr.Dataset) -> None:
    temperature = weather["air_temperature"].values.astype(float)
    emissivity = weather["surface_downwelling_longwave_flux_in_air"].values / (5.670374e-8 * temperature**4)
    assert 0.6 < emissivity.min() < emissivity.max() < 1.0
    wet = weather["precipitation_flux"].values > 0.0
    assert emissivity[wet].mean() > emissivity[~wet].mean() + 0.03


# ------------------------------------------------------------------- generators


def test_the_weather_generator_gives_the_stored_record(weather: xr.Dataset) -> None:
    made = generator("make_weather").make_weather()
    assert set(made) == set(NAMES)
    for name, values in made.items():
        # libm may round the last bit of single precision differently
        np.testing.assert_allclose(values, weather[name].values, rtol=1e-5, atol=1e-6, err_msg=name)


def test_another_seed_gives_other_weather(weather: xr.Dataset) -> None:
    module = generator("make_weather")
    rain = module.make_weather(module.SEED + 1)["precipitation_flux"]
    assert abs(np.corrcoef(rain, weather["precipitation_flux"])[0, 1]) < 0.5


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that bmi-domain makes of the demo's basin.yaml and newly invented maps."""
    pytest.importorskip("rasterio", reason="maps need the extra domain")
    pytest.importorskip("pyflwdir", reason="maps need the extra domain")
    folder = tmp_path_factory.mktemp("demo")
    generator("make_landscape").write_maps(folder / "maps")
    for name in ("basin.yaml", "weather.nc"):
        shutil.copy(DEMO / name, folder)
    result = CliRunner().invoke(bmi_domain, [str(folder / "basin.yaml"), "--output", str(folder / "built")])
    assert result.exit_code == 0, result.output
    assert "1 outlet over the ground" in result.output
    assert "look at this" not in result.output
    return folder / "built"


@pytest.mark.slow
def test_the_chain_from_maps_to_the_domain_gives_the_stored_basin(built: Path, basin: xr.Dataset) -> None:
    assert (built / "domain.yaml").read_bytes() == (DEMO / "domain.yaml").read_bytes()
    with xr.open_dataset(built / "domain.nc") as made:
        assert set(made.variables) == set(basin.variables)
        for name in basin.variables:
            # other releases of the libraries may round otherwise
            np.testing.assert_allclose(made[name], basin[name], rtol=1e-5, atol=1e-9, err_msg=str(name))


@pytest.mark.slow
def test_the_demo_reads_the_domain_as_the_built_runs_do(built: Path) -> None:
    made, kept = (yaml.safe_load((folder / "land.yaml").read_text()) for folder in (built, DEMO))
    assert made["forcing"].pop("file") == "../weather.nc"
    assert kept["forcing"].pop("file") == "weather.nc"
    assert made == kept
    made, kept = (yaml.safe_load((folder / "groundwater.yaml").read_text()) for folder in (built, DEMO))
    assert made["gauges"]["outlet"] == kept["gauges"]["outlet"]


def test_invented_ground_falls_to_the_outlet_within_the_divide() -> None:
    pytest.importorskip("pyflwdir", reason="maps need the extra domain")
    module = generator("make_landscape")
    module.STEPS = 5
    random = np.random.Generator(np.random.PCG64(7))
    mask = module.inside(module.draw_divide(random))
    elevation = module.evolve(mask, np.zeros(mask.shape), random)
    assert elevation[mask].min() == 0.0
    assert (elevation[mask] > 0.0).sum() == mask.sum() - 1


def test_the_files_are_small() -> None:
    sizes = {file.name: file.stat().st_size for file in DEMO.iterdir() if file.is_file()}
    assert sizes["weather.nc"] < 2_000_000
    assert sum(sizes.values()) < 5_000_000
