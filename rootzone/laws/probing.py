"""Put a run to the laws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from bmi_common.errors import ConfigError
from bmi_common.suggest import did_you_mean
from coupler.errors import RunFailed
from rootzone.laws import water_laws
from rootzone.laws.energy_laws import energy
from rootzone.laws.findings import Finding
from rootzone.laws.laboratory import ExperimentFailedError, Laboratory, Lengths, NotApplicableError

LAWS: dict[str, Callable[[Laboratory], Finding | list[Finding]]] = {
    "storm": water_laws.storm,
    "calendar": water_laws.calendar,
    "largest-storm": water_laws.largest_storm,
    "antecedent": water_laws.antecedent,
    "rain-or-snow": water_laws.rain_or_snow,
    "temperature": water_laws.temperature,
    "more-and-less-rain": water_laws.more_and_less_rain,
    "well": water_laws.well,
    "energy": energy,
    "drought": water_laws.drought,
    "steady-weather": water_laws.steady_weather,
    "closure": water_laws.closure,
    "drift": water_laws.drift,
}
"""By the names that ``bmi-laws --law`` takes; the cheap ones first."""


def probe(
    file: Path, settings: Sequence[str], lengths: Lengths, laws: Sequence[str], console: Console
) -> list[Finding]:
    """Run the experiments of some laws, all without any named.

    Raises
    ------
    ConfigError
        If the file, a setting, a length or the name of a law is refused; no experiment was made.
    RunFailed
        If the run fails under its own weather.
    """
    require_laws(laws)
    try:
        laboratory = Laboratory(file, settings, lengths, console)
    except ExperimentFailedError as error:
        raise RunFailed(str(error)) from error
    found: list[Finding] = []
    for name in laws or LAWS:
        try:
            answer = LAWS[name](laboratory)
        except NotApplicableError as error:
            answer = Finding.not_applicable(name.replace("-", " "), str(error))
        except ExperimentFailedError as error:
            answer = Finding.failed(name.replace("-", " "), str(error))
        found.extend(answer if isinstance(answer, list) else [answer])
    return found


def require_laws(names: Sequence[str]) -> None:
    """Refuse, with `ConfigError`, what is not the name of a law."""
    for name in names:
        if name not in LAWS:
            raise ConfigError(f"--law: {name!r} is not a law{did_you_mean(name, LAWS)}; there are {', '.join(LAWS)}")
