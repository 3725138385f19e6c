"""Maps, series and hydrographs of a run: what they show, in which units and colours."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection
from PIL import Image

from bmi_common import ConfigError, Domain, DomainConfig, load_config
from bmi_common.boundary_conditions import Boundary, outer_faces
from bmi_common.flow_order import build_network
from bmi_common.groundwater import DISCHARGE, PONDED_DEPTH, POROSITY, RUNOFF, SATURATION, WATER_TABLE_DEPTH
from coupler.animation_config import AnimationConfig
from coupler.config import load_run
from rootzone.figures import animation, figures_of
from rootzone.figures.animation import check_animation, film
from rootzone.figures.basin import Setting, domain_map
from rootzone.figures.geography import draw_outline, rivers_of
from rootzone.figures.map_panel import in_words
from rootzone.figures.quantities import RAIN, quantity

pytestmark = pytest.mark.slow

CFG = Path(__file__).parents[2] / "cfg"
LATENT_HEAT = "land_surface_air_heat~net~latent__energy_flux"
NX, NY = 5, 4
TIMES = np.datetime64("2020-01-01T00", "ns") + np.arange(1, 7) * np.timedelta64(1, "h")


def variable(values, name, units, long_name="something, said at length"):
    attributes = {"csdms_name": name, "units": units, "long_name": long_name, "cell_methods": "time: mean"}
    return (("time", "y", "x"), np.broadcast_to(values, (6, NY, NX)).astype(float), attributes)


def dataset(**variables):
    return xr.Dataset(
        variables,
        {"time": TIMES, "y": 500.0 + 1000.0 * np.arange(NY), "x": 500.0 + 1000.0 * np.arange(NX)},
    )


def pattern(low, high):
    return np.linspace(low, high, NX * NY).reshape(NY, NX)


def panels(figure):
    return {axes.get_title(loc="left"): axes for axes in figure.axes if axes.images}


@pytest.mark.parametrize(
    ("name", "units", "value", "by_day", "shown", "as_units"),
    [
        (RAIN, "kg m-2 s-1", 1.0e-3, False, 3.6, "mm h⁻¹"),
        (RAIN, "kg m-2 s-1", 1.0e-3, True, 86.4, "mm d⁻¹"),
        ("any", "m s-1", 1.0e-6, True, 86.4, "mm d⁻¹"),
        ("any", "m h-1", 1.0e-3, False, 1.0, "mm h⁻¹"),
        ("land_surface__temperature", "K", 273.15, True, 0.0, "°C"),
        (LATENT_HEAT, "W m-2", 7.0, True, 7.0, "W m⁻²"),
        ("any", "1", 0.5, True, 0.5, ""),
        (DISCHARGE, "m3 s-1", 2.0, False, 2.0, "m³ s⁻¹"),
    ],
)
def test_values_are_shown_in_units_that_people_read(name, units, value, by_day, shown, as_units):
    of = quantity(dataset(v=variable(value, name, units))["v"], by_day=by_day)
    np.testing.assert_allclose(of.values, shown, rtol=1e-12)
    assert of.units == as_units


def test_titles_are_the_fields_words_and_else_the_first_of_the_long_name():
    data = dataset(a=variable(1.0, WATER_TABLE_DEPTH, "m"), b=variable(1.0, "any", "m"))
    assert [quantity(data[n], by_day=True).title for n in "ab"] == ["water table depth", "something"]


def test_what_has_both_signs_has_colours_around_zero():
    data = dataset(
        signed=variable(pattern(-20.0, 60.0), "heat", "W m-2", "signed"),
        positive=variable(pattern(10.0, 60.0), "heat", "W m-2", "positive"),
    )
    images = {title: axes.images[0] for title, axes in panels(figures_of(data)["maps"]).items()}
    low, high = images["signed"].get_clim()
    assert low == -high
    assert images["positive"].get_clim()[0] > 0.0
    assert images["signed"].get_cmap().name != images["positive"].get_cmap().name


def test_arrows_of_a_colour_bar_say_that_values_lie_beyond_it():
    outlier = pattern(0.0, 1.0)
    outlier[0, 0] = 50.0
    steps = np.repeat([1.0, 2.0], NX * NY // 2).reshape(NY, NX)
    data = dataset(far=variable(outlier, PONDED_DEPTH, "m"), within=variable(steps, WATER_TABLE_DEPTH, "m"))
    found = panels(figures_of(data)["maps"])
    bars = {title: axes.images[0].colorbar.extend for title, axes in found.items()}
    assert bars == {"ponded water": "both", "water table depth": "neither"}


def test_a_field_that_is_the_same_everywhere_is_said_and_not_drawn():
    data = dataset(rain=variable(1.0e-4, RAIN, "kg m-2 s-1"), depth=variable(pattern(0.0, 2.0), WATER_TABLE_DEPTH, "m"))
    figure = figures_of(data)["maps"]
    assert list(panels(figure)) == ["water table depth"]
    assert "the same everywhere: precipitation 8.64 mm d⁻¹" in [text.get_text() for text in figure.texts]


def test_colour_bars_are_as_high_as_their_maps():
    figure = figures_of(dataset(depth=variable(pattern(0.0, 2.0), WATER_TABLE_DEPTH, "m")))["maps"]
    figure.canvas.draw()
    (axes,) = panels(figure).values()
    assert axes.images[0].colorbar.ax.get_window_extent().height == pytest.approx(axes.get_window_extent().height)


def test_the_outline_encloses_the_cells():
    there = np.zeros((NY, NX), dtype=bool)
    there[1:3, 1:3] = True
    there[1, 3] = True
    figure = figures_of(dataset(depth=variable(pattern(0.0, 2.0), WATER_TABLE_DEPTH, "m")))["maps"]
    (axes,) = panels(figure).values()
    before = len(axes.collections)
    draw_outline(axes, there, np.arange(NX) + 0.5, np.arange(NY) + 0.5)
    lines = axes.collections[before].get_segments()
    assert len(lines) == 10  # of five cells: the perimeter
    assert {tuple(np.unique(np.ptp(line, axis=0))) for line in lines} == {(0.0, 1.0)}
    assert np.concatenate(lines).min(0).tolist() == [1.0, 1.0]
    assert np.concatenate(lines).max(0).tolist() == [4.0, 3.0]


def test_rivers_lead_down_the_valley_and_grow():
    everywhere = np.ones((12, 9))
    to_column_4 = np.where(np.arange(9) < 4, -0.1, 0.1) * everywhere  # slopes of the east faces
    falls_southward = 0.01 * everywhere
    falls_southward[:, np.arange(9) != 4] = 0.0
    network = build_network(everywhere > 0.0, to_column_4, falls_southward, 1.0e-5 * everywhere, 1000.0, 1000.0)
    rivers = rivers_of(network, 9)
    valley = np.flatnonzero(rivers.begin[:, 1] == 4)
    assert (rivers.begin[valley, 0] - rivers.end[valley, 0] == 1).all()
    from_above = valley[np.argsort(-rivers.begin[valley, 0])]
    assert np.all(np.diff(rivers.share[from_above]) > 0.0)
    assert rivers.share[from_above[-1]] > 0.8  # the second row from the south
    assert rivers.share[rivers.begin[:, 1] != 4].max() < 0.1


def test_rain_hangs_from_above_over_the_series():
    data = dataset(
        depth=variable(pattern(0.0, 2.0), WATER_TABLE_DEPTH, "m", "water table depth below the land surface"),
        rain=variable(1.0e-3, RAIN, "kg m-2 s-1"),
    )
    rain, depth = figures_of(data)["series"].axes
    assert rain.get_title(loc="left") == "precipitation"
    assert [bar.get_height() for bar in rain.patches] == pytest.approx([3.6] * 6)
    assert rain.get_ylim()[1] == 0.0
    assert depth.yaxis_inverted()
    np.testing.assert_allclose(depth.lines[0].get_ydata(), 1.0)


def test_a_hydrograph_has_the_rain_and_the_duration_of_flows():
    data = dataset(rain=variable(1.0e-3, RAIN, "kg m-2 s-1"))
    flow = np.array([[1.0, 4.0, 2.0, 8.0, 3.0, 5.0]]).T
    data["discharge"] = (("time", "gauge"), flow, {"csdms_name": DISCHARGE, "units": "m3 s-1"})
    data = data.assign_coords(gauge_name=("gauge", ["mill"]))
    figure = figures_of(data)["hydrographs"]
    hydrograph, duration, rain = figure.axes
    assert hydrograph.get_title(loc="left") == "mill"
    np.testing.assert_array_equal(duration.lines[0].get_ydata(), [8.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    assert rain.get_ylabel() == "rain [mm h⁻¹]"
    assert not any(isinstance(c, LineCollection) for c in hydrograph.collections)


def test_saturation_is_shown_as_soil_moisture_where_the_porosity_is_known():
    data = dataset()
    layers = np.broadcast_to(pattern(0.2, 0.8), (6, 2, NY, NX))
    data["s"] = (("time", "z", "y", "x"), layers, {"csdms_name": SATURATION, "units": "1"})
    data["porosity"] = (("z", "y", "x"), np.full((2, NY, NX), 0.5), {"csdms_name": POROSITY, "units": "1"})
    data["layer_thickness"] = ("z", [1.0, 0.05])
    (axes,) = panels(figures_of(data)["maps"]).values()
    assert axes.get_title(loc="left") == "volumetric soil moisture, 0–5 cm below ground"
    np.testing.assert_allclose(axes.images[0].get_array(), 0.5 * pattern(0.2, 0.8))


def test_outflow_over_the_boundary_is_the_sum_of_the_cells():
    leaves = np.zeros((NY, NX))
    leaves[0, 1] = 2.0e-6
    data = dataset(out=variable(leaves * np.arange(6.0)[:, None, None], RUNOFF, "m s-1"))
    (axes,) = figures_of(data)["series"].axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 2.0 * np.arange(6.0))  # of a cell of 1 km2, in m3 s-1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "not defined"),
        ([0.5] * 4, "all cells 0.5"),
        ([0.5, 0.501], "all cells 0.5 to 0.501"),
        ([0.5] * 200 + [0.0], "98 % of the cells 0.5"),
        ([0.0, 0.3, 0.6, 1.0], ""),
    ],
)
def test_a_map_of_one_colour_says_its_values(values, words):
    assert in_words(np.array(values), (0.0, 1.0)) == words


def test_daily_rain_adds_up():
    data = dataset()
    ends = np.datetime64("2020-01-01T00", "ns") + np.arange(6, 54, 6) * np.timedelta64(1, "h")  # two days
    rate = np.repeat([1.0, 3.0], 4) / 3600.0
    data = xr.Dataset(
        {
            "rain": (("time",), rate, {"csdms_name": RAIN, "units": "kg m-2 s-1"}),
            "time_bounds": (("time", "bounds"), np.stack([ends - np.timedelta64(6, "h"), ends], axis=1)),
        },
        {"time": ends},
    )
    bars, total = figures_of(data)["rain"].axes
    assert [bar.get_height() for bar in bars.patches] == pytest.approx([24.0, 72.0])
    assert total.lines[0].get_ydata()[-1] == pytest.approx(96.0)


def test_the_map_of_the_domain_shows_its_boundaries_where_they_are():
    domain = Domain.load(load_config(CFG / "demo" / "domain.yaml", DomainConfig))
    faces = np.broadcast_to(outer_faces(domain.mask, "south"), domain.subsurface.shape)
    head = Boundary("south", faces, None, object())
    figure = domain_map(Setting(domain, [head], gauges={"outlet": (0, 27)}))
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"river", "outlet", "gauge", "head given", "no flow"} == set(labels)
    lines = next(c for c in figure.axes[0].collections if c.get_label() == "head given").get_segments()
    assert len(lines) == np.count_nonzero(faces[0])
    rows, columns = np.nonzero(faces[0])
    y, x = domain.surface.coordinates
    np.testing.assert_allclose(sorted(line[0][1] for line in lines), sorted((y[rows] - 0.5 * domain.dy) / 1000.0))
    np.testing.assert_allclose(sorted(line[0][0] for line in lines), sorted((x[columns] - 0.5 * domain.dx) / 1000.0))


def storm():
    """Ten days of hours with a storm on the sixth."""
    ends = np.datetime64("2020-01-01T00", "ns") + np.arange(1, 241) * np.timedelta64(1, "h")
    rain, depth = np.zeros((240, NY, NX)), pattern(0.0, 2.0) + np.linspace(0.0, 1.0, 240)[:, None, None]
    rain[130] = 1.0e-3
    return xr.Dataset(
        {
            "depth": (("time", "y", "x"), depth, {"csdms_name": WATER_TABLE_DEPTH, "units": "m"}),
            "rain": (("time", "y", "x"), rain, {"csdms_name": RAIN, "units": "kg m-2 s-1"}),
        },
        {"time": ends, "y": 500.0 + 1000.0 * np.arange(NY), "x": 500.0 + 1000.0 * np.arange(NX)},
    )


def test_a_film_has_a_frame_an_hour_of_its_period(tmp_path):
    spec = AnimationConfig(start=datetime(2020, 1, 1), end=datetime(2020, 1, 1, 5), frames_per_second=2)
    film(storm(), tmp_path / "film.gif", spec)
    with Image.open(tmp_path / "film.gif") as made:
        assert made.n_frames == 5
        assert made.info["duration"] == pytest.approx(1000.0 / spec.frames_per_second, abs=10.0)


def test_a_film_shows_a_day_before_the_most_rain_and_two_behind_it(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(animation, "_title", lambda title, time: shown.append(time) or title)
    monkeypatch.setattr(animation.PillowWriter, "grab_frame", lambda writer: None)
    monkeypatch.setattr(animation.PillowWriter, "finish", lambda writer: None)
    film(storm(), tmp_path / "film.gif", AnimationConfig())
    wettest = storm()["time"].values[130]
    expected = wettest + np.arange(-24, 49) * np.timedelta64(1, "h")
    np.testing.assert_array_equal(shown[1:], expected)  # the first is of the layout


@pytest.mark.parametrize(
    ("settings", "key", "words"),
    [
        (["animation=true", "output=[]"], "animation", "which no file"),
        (["animation={start: 2018-01-01}"], "animation.start", "is not in the time of the run"),
    ],
)
def test_a_film_that_the_run_could_not_have_is_refused(settings, key, words):
    with pytest.raises(ConfigError, match=words) as found:
        check_animation(load_run(CFG / "coupled-richards.yaml", settings).config)
    assert found.value.key == key
