"""Write three years of hourly weather of a humid subtropical headwater to ``weather.nc``.

The record is synthetic and seeded: the same seed gives the same numbers. It is one series for the whole basin, as from
a tower that rises above the forest (wind at 50 m, temperature and humidity at 40 m). Hour ``t`` is the mean from ``t``
to ``t + 1 h``, all times UTC; the sun is highest at about 04:30 UTC.

Rain comes as storms of three kinds (fronts, afternoon convection, tropical storms) with a summer monsoon. Clouds follow
the storms, radiation follows clouds and sun, temperature follows season, air mass, clouds and time of day, and humidity
follows air mass and clouds. Each hydrological year is scaled to its own rainfall total.

Run ``python make_weather.py`` in this folder to write the file anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import ndtri

Series = NDArray[np.float64]

SEED = 20191001
LATITUDE, LONGITUDE = 24.5, 113.25  # degrees
ELEVATION = 380.0  # m, of the tower's foot
START = datetime(2019, 10, 1)
YEARS = (2019, 2020, 2021)  # hydrological years, named by the calendar year of their October
RAIN_OF_YEAR = (1350.0, 1700.0, 1500.0)  # mm
DRY_SPELLS = (  # no rain at all
    (datetime(2019, 11, 6), datetime(2019, 12, 22)),
    (datetime(2020, 10, 12), datetime(2020, 11, 22)),
    (datetime(2021, 12, 1), datetime(2022, 1, 24)),
    (datetime(2022, 8, 12), datetime(2022, 9, 4)),
)
LEAST_RAIN = 0.1  # mm in an hour; less counts as dry
COLDEST = 276.0  # K; keeps precipitation liquid: land models melt it completely above 275.16 K
LOWEST_SUN = 0.02  # cosine of the zenith angle below which an hour that begins has no shortwave

SOLAR_CONSTANT = 1361.0  # W m-2
STEFAN_BOLTZMANN = 5.670374e-8  # W m-2 K-4


@dataclass(frozen=True)
class StormKind:
    """Statistics of one kind of storm.

    Attributes
    ----------
    per_month
        Expected number of storms in each month, January first.
    duration
        Mean duration [h].
    intensity
        Mean rain rate [mm h-1] before the scaling of the year.
    afternoon
        True if storms begin between noon and evening, local solar time.
    """

    per_month: tuple[float, ...]
    duration: float
    intensity: float
    afternoon: bool = False


STORMS = (
    StormKind((3.0, 4.0, 6.0, 7.0, 7.0, 6.0, 2.0, 2.0, 2.0, 2.5, 2.5, 2.5), duration=9.0, intensity=1.3),
    StormKind((0, 0, 1.0, 5.0, 10.0, 13.0, 15.0, 14.0, 7.0, 1.0, 0, 0), 2.5, 4.5, afternoon=True),
    StormKind((0, 0, 0, 0, 0, 0.5, 0.9, 1.1, 0.8, 0.1, 0, 0), 26.0, 3.2),
)


class Clock:
    """Calendar quantities of every hour of the record, all of shape (hours,)."""

    def __init__(self) -> None:
        end = datetime(YEARS[-1] + 1, START.month, START.day)
        self.hours = int((end - START).total_seconds() // 3600)
        self.dates = [START + timedelta(hours=h) for h in range(self.hours)]
        self.month = np.array([date.month - 1 for date in self.dates])
        self.day_of_year = np.array([date.timetuple().tm_yday + date.hour / 24.0 for date in self.dates])
        self.hour = np.array([float(date.hour) for date in self.dates])
        self.local_hour = (self.hour + LONGITUDE / 15.0) % 24.0
        self.year = np.array([date.year - (date.month < START.month) for date in self.dates])

    def between(self, first: datetime, last: datetime) -> NDArray[np.bool_]:
        """Tell which hours lie in [first, last)."""
        return np.array([first <= date < last for date in self.dates])


class Chance:
    """Random numbers built from uniform ones only, whose sequence NumPy keeps from version to version."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def uniform(self, size: int) -> Series:
        """Draw from [0, 1)."""
        return self._generator.random(size)

    def normal(self, size: int) -> Series:
        """Draw from the standard normal distribution."""
        return np.asarray(ndtri(np.maximum(self._generator.random(size), 1e-12)))

    def red_noise(self, size: int, hours: float) -> Series:
        """Draw a normal process of unit variance whose memory decays with the given e-folding time [h]."""
        memory = np.exp(-1.0 / hours)
        innovation = self.normal(size) * np.sqrt(1.0 - memory**2)
        innovation[0] /= np.sqrt(1.0 - memory**2)
        return np.asarray(lfilter([1.0], [1.0, -memory], innovation))


def annual_cycle(clock: Clock, mean: float, amplitude: float, peak_day: float) -> Series:
    """Return a sine through the year with its maximum on the given day."""
    return mean + amplitude * np.cos(2.0 * np.pi * (clock.day_of_year - peak_day) / 365.25)


def smooth(series: Series, hours: int) -> Series:
    """Return the centred running mean over an odd or even number of hours, the ends repeated."""
    padded = np.pad(series, (hours // 2, hours - 1 - hours // 2), mode="edge")
    return np.convolve(padded, np.full(hours, 1.0 / hours), mode="valid")


def cosine_of_zenith(clock: Clock, offset: float) -> Series:
    """Return the cosine of the solar zenith angle ``offset`` hours after each hour begins (no equation of time)."""
    angle = 2.0 * np.pi * (clock.day_of_year - 1.0 + offset / 24.0) / 365.25
    declination = (  # Spencer (1971)
        0.006918
        - 0.399912 * np.cos(angle)
        + 0.070257 * np.sin(angle)
        - 0.006758 * np.cos(2 * angle)
        + 0.000907 * np.sin(2 * angle)
        - 0.002697 * np.cos(3 * angle)
        + 0.00148 * np.sin(3 * angle)
    )
    latitude = np.radians(LATITUDE)
    hour_angle = 2.0 * np.pi * (clock.hour + offset) / 24.0 + np.radians(LONGITUDE)
    return np.sin(latitude) * np.sin(declination) - np.cos(latitude) * np.cos(declination) * np.cos(
        hour_angle
    )


def make_rain(clock: Clock, chance: Chance) -> Series:
    """Return rain [mm h-1]: storms that arrive at random, last for hours and vary within."""
    rain = np.zeros(clock.hours)
    noise = np.exp(0.8 * chance.red_noise(clock.hours, 2.0) - 0.32)
    for kind in STORMS:
        rate = np.asarray(kind.per_month)[clock.month] / (30.4 * 24.0)
        if kind.afternoon:
            rate = rate * np.where((clock.local_hour >= 12.0) & (clock.local_hour < 20.0), 3.0, 0.0)
        arrivals = np.flatnonzero(chance.uniform(clock.hours) < rate)
        durations = np.maximum(1.0, -kind.duration * np.log(1.0 - chance.uniform(arrivals.size)))
        durations = np.minimum(durations, 3.0 * kind.duration).round().astype(int)
        peaks = -kind.intensity * np.log(1.0 - 0.98 * chance.uniform(arrivals.size))
        for first, length, peak in zip(arrivals, durations, peaks, strict=True):
            shape = np.sin(np.pi * (np.arange(length) + 0.5) / length) * np.pi / 2.0
            last = min(first + length, clock.hours)
            rain[first:last] += peak * shape[: last - first]
    rain *= noise
    for first_day, last_day in DRY_SPELLS:
        rain[clock.between(first_day, last_day)] = 0.0
    rain[rain < LEAST_RAIN] = 0.0
    for year, total in zip(YEARS, RAIN_OF_YEAR, strict=True):
        rain[clock.year == year] *= total / rain[clock.year == year].sum()
    rain[rain < LEAST_RAIN] = 0.0
    return rain


def make_cloud(clock: Clock, rain: Series, chance: Chance) -> Series:
    """Return the cloud fraction: overcast in and around storms, a slow random process elsewhere."""
    wandering = 0.8 * chance.red_noise(clock.hours, 40.0) + 0.4 * chance.red_noise(clock.hours, 4.0)
    for first_day, last_day in DRY_SPELLS:
        wandering[clock.between(first_day, last_day)] -= 0.6
    background = 1.0 / (1.0 + np.exp(-(annual_cycle(clock, -0.2, 0.35, 150.0) + 1.4 * wandering)))
    near_storm = np.clip(1.6 * smooth((rain > 0.0).astype(float), 9), 0.0, 1.0)
    cloud = background + (0.95 - background) * near_storm
    return np.where(rain > 0.0, np.maximum(cloud, 0.9), cloud)


def make_shortwave(clock: Clock, cloud: Series) -> Series:
    """Return shortwave [W m-2]: clear-sky transmission by air mass, reduced by clouds, nothing before sunrise."""
    clear = np.zeros(clock.hours)
    distance = 1.0 + 0.033 * np.cos(2.0 * np.pi * (clock.day_of_year - 3.0) / 365.25)
    parts = 12
    for part in range(parts):
        sun = np.maximum(cosine_of_zenith(clock, (part + 0.5) / parts), 0.0)
        air_mass = 1.0 / (sun + 0.15 * (93.885 - np.degrees(np.arccos(sun))) ** -1.253)  # Kasten (1965)
        clear += (
            1.1 * SOLAR_CONSTANT * distance * sun * 0.69 ** (air_mass**0.678) / parts
        )  # Meinel (1976), hazy air
    shortwave = clear * (1.0 - 0.75 * cloud**3.4)  # Kasten and Czeplak (1980)
    return np.where(cosine_of_zenith(clock, 0.0) > LOWEST_SUN, shortwave, 0.0)


def make_temperature(clock: Clock, rain: Series, cloud: Series, chance: Chance) -> Series:
    """Return air temperature [K]: season, air masses, a day that clouds flatten, a chill in storms."""
    season = annual_cycle(clock, 293.4, 8.6, 202.0)
    year_anomaly = np.array([0.3, -0.4, 0.2])[clock.year - YEARS[0]]
    air_mass = annual_cycle(clock, 2.2, 1.2, 15.0) * chance.red_noise(clock.hours, 60.0)
    swing = 4.8 * (1.0 - 0.65 * smooth(cloud, 24))
    day = swing * np.cos(2.0 * np.pi * (clock.local_hour - 14.8) / 24.0)
    chill = -1.6 * np.clip(smooth((rain > 0.0).astype(float), 5) * 1.5, 0.0, 1.0)
    temperature = season + year_anomaly + air_mass + day + chill
    return COLDEST + np.logaddexp(0.0, temperature - COLDEST)


def saturation_pressure(temperature: Series) -> Series:
    """Return the saturation vapour pressure over water [Pa] (Bolton, 1980)."""
    celsius = temperature - 273.15
    return 611.2 * np.exp(17.67 * celsius / (celsius + 243.5))


def make_vapour_pressure(
    clock: Clock, temperature: Series, cloud: Series, rain: Series, chance: Chance
) -> Series:
    """Return vapour pressure [Pa] from a dew point that follows the air mass; near saturation in rain, never above."""
    dryness = annual_cycle(clock, 5.0, 1.8, 350.0) * (1.45 - 0.9 * smooth(cloud, 24))
    dryness = dryness * np.exp(0.25 * chance.red_noise(clock.hours, 48.0))
    dew_point = smooth(temperature, 24) - np.maximum(dryness, 0.5)
    saturation = saturation_pressure(temperature)
    humidity = np.minimum(saturation_pressure(dew_point) / saturation, 0.97)
    return saturation * np.where(rain > 0.0, np.maximum(humidity, 0.9), humidity)


def make_longwave(temperature: Series, vapour_pressure: Series, cloud: Series) -> Series:
    """Return downwelling longwave [W m-2]: Brutsaert (1975) clear sky, raised by clouds up to a black body."""
    clear = 1.24 * (0.01 * vapour_pressure / temperature) ** (1.0 / 7.0)
    emissivity = clear + (0.985 - clear) * 0.8 * cloud**2
    return np.minimum(emissivity, 0.985) * STEFAN_BOLTZMANN * temperature**4


def make_pressure(clock: Clock, chance: Chance) -> Series:
    """Return surface pressure [Pa] at the tower: winter high, passing systems, the semidiurnal tide."""
    mean = 101325.0 * (1.0 - 2.25577e-5 * ELEVATION) ** 5.25588
    tide = 130.0 * np.cos(2.0 * np.pi * (clock.local_hour - 10.0) / 12.0)
    return annual_cycle(clock, mean, 750.0, 8.0) + 280.0 * chance.red_noise(clock.hours, 60.0) + tide


def make_wind(clock: Clock, rain: Series, chance: Chance) -> tuple[Series, Series]:
    """Return eastward and northward wind [m s-1]: winter from the north, summer from the south, brisker by day."""
    monsoon = annual_cycle(clock, -0.2, 1.5, 195.0)
    eastward = -0.5 + 1.3 * chance.red_noise(clock.hours, 18.0)
    northward = monsoon + 1.4 * chance.red_noise(clock.hours, 18.0)
    day = 1.0 + 0.3 * np.cos(2.0 * np.pi * (clock.local_hour - 15.0) / 24.0)
    gust = (
        day * (1.0 + 0.5 * np.clip(rain / 10.0, 0.0, 1.0)) * np.exp(0.2 * chance.red_noise(clock.hours, 3.0))
    )
    return 1.15 * gust * eastward, 1.15 * gust * northward


def make_weather(seed: int = SEED) -> dict[str, NDArray[np.float32]]:
    """Return the record.

    Parameters
    ----------
    seed
        Seed of the random numbers.

    Returns
    -------
    dict
        CF standard name to values of shape (hours,), single precision.
    """
    clock, chance = Clock(), Chance(seed)
    rain = make_rain(clock, chance)
    cloud = make_cloud(clock, rain, chance)
    temperature = make_temperature(clock, rain, cloud, chance)
    vapour = make_vapour_pressure(clock, temperature, cloud, rain, chance)
    pressure = make_pressure(clock, chance)
    eastward, northward = make_wind(clock, rain, chance)
    weather = {
        "precipitation_flux": rain / 3600.0,
        "air_temperature": temperature,
        "surface_air_pressure": pressure,
        "specific_humidity": 0.622 * vapour / (pressure - 0.378 * vapour),
        "surface_downwelling_shortwave_flux_in_air": make_shortwave(clock, cloud),
        "surface_downwelling_longwave_flux_in_air": make_longwave(temperature, vapour, cloud),
        "eastward_wind": eastward,
        "northward_wind": northward,
    }
    return {name: values.astype(np.float32) for name, values in weather.items()}


UNITS = {
    "precipitation_flux": "kg m-2 s-1",
    "air_temperature": "K",
    "surface_air_pressure": "Pa",
    "specific_humidity": "1",
    "surface_downwelling_shortwave_flux_in_air": "W m-2",
    "surface_downwelling_longwave_flux_in_air": "W m-2",
    "eastward_wind": "m s-1",
    "northward_wind": "m s-1",
}
HEIGHTS = {"eastward_wind": 50.0, "northward_wind": 50.0, "air_temperature": 40.0, "specific_humidity": 40.0}


def write(path: Path, weather: dict[str, NDArray[np.float32]], seed: int = SEED) -> None:
    """Write the record as a CF NetCDF file."""
    hours = weather["air_temperature"].size
    with netCDF4.Dataset(path, "w") as file:
        file.Conventions = "CF-1.10"
        file.title = "Synthetic hourly weather of a humid subtropical headwater"
        file.source = f"make_weather.py, seed {seed}"
        file.comment = "Invented: no station or reanalysis. One series for the whole basin, above the canopy."
        file.createDimension("time", hours)
        file.createDimension("bounds", 2)
        time = file.createVariable("time", "i4", ("time",), zlib=True)
        time.setncatts(
            {
                "standard_name": "time",
                "long_name": "start of the hour that the values are the mean of (UTC)",
                "units": f"hours since {START:%Y-%m-%d %H:%M:%S}",
                "calendar": "standard",
                "axis": "T",
                "bounds": "time_bounds",
            }
        )
        time[:] = np.arange(hours)
        bounds = file.createVariable("time_bounds", "i4", ("time", "bounds"), zlib=True)
        bounds[:] = np.arange(hours)[:, None] + np.array([0, 1])
        for name, value, units in (
            ("latitude", LATITUDE, "degrees_north"),
            ("longitude", LONGITUDE, "degrees_east"),
            ("elevation", ELEVATION, "m"),
        ):
            site = file.createVariable(name, "f8")
            site.setncatts(
                {"standard_name": "surface_altitude" if name == "elevation" else name, "units": units}
            )
            site[...] = value
        for name, values in weather.items():
            variable = file.createVariable(name, "f4", ("time",), zlib=True, complevel=9, shuffle=True)
            variable.setncatts(
                {
                    "standard_name": name,
                    "units": UNITS[name],
                    "cell_methods": "time: mean",
                    "coordinates": "latitude longitude",
                }
            )
            if name in HEIGHTS:
                variable.comment = f"{HEIGHTS[name]:.0f} m above ground"
            variable[:] = values


if __name__ == "__main__":
    write(Path(__file__).with_name("weather.nc"), make_weather())
