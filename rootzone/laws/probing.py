"""Put a run to a law."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bmi_common.errors import ConfigError
from bmi_common.suggest import did_you_mean
from rootzone.laws import water_laws
from rootzone.laws.energy_laws import energy
from rootzone.laws.findings import Finding
from rootzone.laws.laboratory import ExperimentFailedError, Laboratory, NotApplicableError

LAWS: dict[str, Callable[[Laboratory], Finding | list[Finding]]] = {
    "energy": energy,
    "storm": water_laws.storm,
    "calendar": water_laws.calendar,
    "largest-storm": water_laws.largest_storm,
    "antecedent": water_laws.antecedent,
    "rain-or-snow": water_laws.rain_or_snow,
    "temperature": water_laws.temperature,
    "more-and-less-rain": water_laws.more_and_less_rain,
    "well": water_laws.well,
    "drought": water_laws.drought,
    "steady-weather": water_laws.steady_weather,
    "closure": water_laws.closure,
    "drift": water_laws.drift,
}
"""By the names that ``bmi-laws --law`` takes; the cheap ones first. Others take over what `energy` has watched."""


def probe(law: str, laboratory: Laboratory) -> list[Finding]:
    """Run the experiments of one of `LAWS`.

    Raises
    ------
    RunFailed
        If the run fails under its own weather.
    """
    try:
        answer = LAWS[law](laboratory)
    except NotApplicableError as error:
        answer = Finding.not_applicable(law.replace("-", " "), str(error))
    except ExperimentFailedError as error:
        answer = Finding.failed(law.replace("-", " "), str(error))
    return answer if isinstance(answer, list) else [answer]


def require_laws(names: Sequence[str]) -> None:
    """Refuse, with `ConfigError`, what is not the name of a law."""
    for name in names:
        if name not in LAWS:
            raise ConfigError(f"--law: {name!r} is not a law{did_you_mean(name, LAWS)}")
