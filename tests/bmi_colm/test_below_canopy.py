"""Weather that holds below a canopy, as that of ERA5-Land, drives forests, too."""

import numpy as np
import pytest
from land_basin import WEATHER, started, step

from bmi_colm.bmi import LiftedWeatherWarning
from bmi_colm.forcing.blending import Heights, Lifting
from bmi_common import ConfigError

STATION = {"wind": 10.0, "temperature": 2.0, "humidity": 2.0}


def test_weather_below_a_canopy_acts_as_the_same_weather_lifted_above_it(tmp_path):
    with pytest.warns(LiftedWeatherWarning, match=r"20 m.*wind from 10 to 30 m, temperature from 2 to 30 m"):
        low = started(tmp_path, land_cover=4, reference_height=STATION)
    high = started(tmp_path, land_cover=4, reference_height={"wind": 30.0, "temperature": 30.0, "humidity": 30.0})
    lifting = Lifting.above(20.0, Heights(**STATION))
    assert lifting is not None
    assert lifting.wind_factor == pytest.approx(np.log(30.0 / 0.03) / np.log(10.0 / 0.03))
    lifted = lifting({name: np.array(value) for name, value in WEATHER.items()})
    step(low, 5)
    step(high, 5, {name: float(value) for name, value in lifted.items()})
    for name in low.get_output_var_names():
        np.testing.assert_array_equal(low.values[name], high.values[name], err_msg=name)


def test_weather_above_all_canopies_stays(tmp_path):
    assert Lifting.above(1.0, Heights(**STATION)) is None
    assert Lifting.above(20.0, Heights(50.0, 40.0, 40.0)) is None


def test_what_is_taller_than_a_canopy_keeps_its_height():
    lifting = Lifting.above(20.0, Heights(50.0, 2.0, 2.0))
    assert lifting is not None
    assert lifting.wind_factor == 1.0
    assert lifting.lifted == Heights(50.0, 30.0, 30.0)


def test_it_can_be_refused(tmp_path):
    with pytest.raises(
        ConfigError, match=r"reference height of wind \(10 m\) must be above the tallest canopy \(20 m\)"
    ):
        started(tmp_path, land_cover=4, reference_height={**STATION, "below_canopy": "refuse"})
