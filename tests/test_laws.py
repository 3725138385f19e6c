"""The laws of land and groundwater: a sound pair keeps them, and each law sees the component that breaks it."""

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import netCDF4
import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result
from dropped_interrupts import dropping_within, interruptible
from law_cases import DAYS, write

from bmi_colm.forcing.names import AIR_TEMPERATURE, LONGWAVE, PRECIPITATION, SPECIFIC_HUMIDITY
from coupler.stepper import Stepper
from coupler.water_balance import Balance
from rootzone.bmi_laws import main
from rootzone.laws import LAWS, Finding, Laboratory, Status, laboratory
from rootzone.laws.laboratory import Series
from rootzone.laws.weather import Weather

RECORD = ("--record", f"{DAYS}d", "--repeats", "4")
BREAKERS = {
    "closure": ("groundwater", "Leaky", "closure"),
    "drought": ("groundwater", "Leaky", "drought"),
    "well": ("groundwater", "Thirsty", "well"),
    "largest-storm": ("groundwater", "Stopping", "largest storm"),
    "energy": ("land", "Cold", "longwave"),
    "calendar": ("land", "Dated", "calendar"),
}


def bmi_laws(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def found(folder: Path) -> dict[str, dict]:
    (run,) = json.loads((folder / "laws.json").read_text())["runs"].values()
    return {answer["law"]: answer for answers in run["laws"].values() for answer in answers}


@pytest.fixture
def labels(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Experiments that are made, by their labels."""
    made: list[str] = []
    step_all = Laboratory._step_all

    def noted(self: Laboratory, label: str, *arguments: Any) -> Series:
        made.append(label)
        return step_all(self, label, *arguments)

    monkeypatch.setattr(Laboratory, "_step_all", noted)
    return made


def test_what_looks_wrong_about_the_domain_is_told_first(tmp_path: Path) -> None:
    file = write(tmp_path)
    command = (file, "--record", "1d", "--repeats", "1", "--law", "calendar")
    assert "look at this" not in bmi_laws(*command).output
    with netCDF4.Dataset(tmp_path / "valley.nc", "a") as maps:
        maps["slope_x"][...] = np.where(np.arange(maps["slope_x"].shape[1]) < 1, -0.04, 0.0)
        maps["slope_y"][...] = 0.0
    said = bmi_laws(*command).output
    assert said.index("look at this") < said.index("calendar kept")
    assert "pits" in said


@pytest.mark.slow
def test_land_with_richards_keeps_every_law_that_four_days_can_show(tmp_path: Path) -> None:
    file = write(tmp_path)
    before = sorted(tmp_path.iterdir())
    result = bmi_laws(file, *RECORD, "--output", tmp_path / "laws")
    assert result.exit_code == 0, result.output
    answers = found(tmp_path / "laws")
    assert {law for law, a in answers.items() if a["status"] == "broken"} == set()
    assert {law for law, a in answers.items() if a["status"] == "not applicable"} == {"steady weather", "drift"}
    assert "storage does not settle" in answers["drift"]["words"]
    assert len(answers) == 16
    assert {*tmp_path.iterdir()} == {*before, tmp_path / "laws"}


@pytest.mark.slow
@pytest.mark.parametrize("law", BREAKERS)
def test_a_law_sees_the_component_that_breaks_it(tmp_path: Path, law: str) -> None:
    part, breaker, name = BREAKERS[law]
    file = write(tmp_path)
    content = yaml.safe_load(file.read_text())
    content["components"][part]["class"] = f"law_breakers:{breaker}"
    file.write_text(yaml.safe_dump(content))
    result = bmi_laws(file, *RECORD, "--law", law, "--output", tmp_path / "laws")
    assert result.exit_code == 1, result.output
    assert found(tmp_path / "laws")[name]["status"] == "broken"


def test_an_interrupt_before_the_first_law_is_put_says_that_nothing_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: Laboratory) -> Finding:
        raise KeyboardInterrupt

    monkeypatch.setitem(LAWS, "storm", interrupted)
    result = bmi_laws(write(tmp_path), "--record", "1d", "--law", "storm", "--output", tmp_path / "laws")
    assert (result.exit_code, "interrupted; nothing was written" in result.output) == (130, True), result.output
    assert not (tmp_path / "laws").exists()


def test_the_same_command_goes_on_after_the_last_law_that_was_put(
    tmp_path: Path, labels: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (write(tmp_path), "--record", "1d", "--repeats", "2", "--law", "storm", "--law", "drought")
    command += ("--output", tmp_path / "laws")
    whole = LAWS["drought"]

    def interrupted(_: Laboratory) -> Finding:
        raise KeyboardInterrupt

    monkeypatch.setitem(LAWS, "drought", interrupted)
    result = bmi_laws(*command)
    assert (result.exit_code, "the same command goes on" in result.output.replace("\n", " ")) == (130, True)
    assert {*found(tmp_path / "laws")} == {"storm"}
    monkeypatch.setitem(LAWS, "drought", whole)
    labels.clear()
    assert bmi_laws(*command).exit_code == 0
    assert labels == ["as it is", "no rain"]
    answers = found(tmp_path / "laws")
    assert [*answers] == ["storm", "drought"]
    labels.clear()
    again = bmi_laws(*command)
    assert (again.exit_code, labels, found(tmp_path / "laws")) == (0, [], answers)
    assert bmi_laws(*command, "--overwrite").exit_code == 0
    assert labels == ["as it is", "a storm more", "the record", "no rain"]
    assert found(tmp_path / "laws") == answers


@pytest.mark.parametrize(("of", "name"), [(laboratory, "prepare"), (Stepper, "step")])
def test_an_interrupt_that_a_library_drops_ends_the_command_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of: object, name: str
) -> None:
    command = (write(tmp_path), "--record", "1d", "--law", "storm", "--output", tmp_path / "laws")
    monkeypatch.setattr(of, name, dropping_within(getattr(of, name)))
    with interruptible():
        result = bmi_laws(*command)
    assert (result.exit_code, "interrupted" in result.output) == (130, True), result.output
    assert not (tmp_path / "laws" / "laws.json").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("record", "another record (1d, now 2d)"),
        ("repeats", "another repeats (2, now 3)"),
        ("setting", "another configuration"),
        ("weather", "another input files"),
        ("damage", "cannot be read"),
    ],
)
def test_laws_of_another_run_are_not_gone_on_with(tmp_path: Path, labels: list[str], change: str, words: str) -> None:
    file, folder = write(tmp_path), tmp_path / "laws"
    law = ("--law", "largest-storm", "--output", folder)
    assert bmi_laws(file, "--record", "1d", "--repeats", "2", *law).exit_code == 0
    settings: tuple[str, ...] = ()
    if change == "setting":
        settings = ("--set", "components.land.options.wilting_point=0.15")
    if change == "weather":
        weather = tmp_path / "weather.txt"
        weather.write_text(weather.read_text().replace("9.8", "9.7"))
    if change == "damage":
        (folder / "laws.json").write_text((folder / "laws.json").read_text()[:-20])
    before = (folder / "laws.json").read_text()
    labels.clear()
    lengths = ("--record", "2d" if change == "record" else "1d", "--repeats", "3" if change == "repeats" else "2")
    result = bmi_laws(file, *lengths, *law, *settings)
    told = result.output.replace("\n", " ")
    assert (result.exit_code, words in told, "--overwrite" in told) == (2, True, True), result.output
    assert ", another " not in told
    assert (labels, (folder / "laws.json").read_text()) == ([], before)


def test_laws_of_rain_are_not_applicable_where_none_falls(tmp_path: Path) -> None:
    result = bmi_laws(write(tmp_path, rain=0.0), *RECORD, "--law", "largest-storm", "--output", tmp_path / "laws")
    assert result.exit_code == 0, result.output
    answer = found(tmp_path / "laws")["largest storm"]
    assert (answer["status"], answer["measured"]) == ("not applicable", None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--law", "strom"), "--law: 'strom' is not a law; did you mean 'storm'?"),
        (("--record", "4 parsecs"), "--record"),
        (("--law", "gravity"), "--law: 'gravity' is not a law; known: energy, storm"),
        (("--record", "30min"), "--record 30min: is not made of ten or more steps of 1h"),
        (("--overwrite",), "--overwrite goes with --output"),
        (("--set", "time.stepp=1h"), "time.stepp"),
    ],
)
def test_bad_input_is_refused_before_anything_is_computed_or_written(tmp_path: Path, arguments, words) -> None:
    file = write(tmp_path)
    before = sorted(tmp_path.iterdir())
    result = bmi_laws(file, *arguments)
    assert (result.exit_code, words in result.output.replace("\n", " ")) == (2, True), result.output
    assert sorted(tmp_path.iterdir()) == before


def test_a_run_without_a_land_is_refused_with_what_its_components_lack(tmp_path: Path) -> None:
    file = write(tmp_path)
    content = yaml.safe_load(file.read_text())
    (tmp_path / "none.yaml").write_text("{domain: domain.yaml, recharge: 0.0, time_step: 1.0}")
    content["components"]["land"] = {"class": "bmi_common.prescribed:PrescribedSource", "config": "none.yaml"}
    file.write_text(yaml.safe_dump(content))
    result = bmi_laws(file, *RECORD)
    told = result.output.replace("\n", " ")
    assert (result.exit_code, "components: none of groundwater, land is a land with the eight" in told) == (2, True), (
        told
    )


def storm_law(without: list[float], with_it: list[float]) -> Finding:
    """Judge outflow [m3] hour by hour without a storm and with it."""

    def series(outflow: list[float]) -> Series:
        return Series(balances=[Balance(1.0, 1.0, o, 0.0, 0.0, 1.0) for o in outflow], prints=[b"same"] * len(outflow))

    experiments = {"the record": series(without), "a storm more": series(with_it)}
    record = SimpleNamespace(with_more_rain=lambda rain: None)
    steps, remembered = len(without), lambda label, weather: experiments[label]
    return LAWS["storm"](SimpleNamespace(steps=steps, step_seconds=3600.0, record=record, remembered=remembered))


def test_a_storm_that_soaks_in_without_any_outflow_keeps_its_law() -> None:
    finding = storm_law([0.0] * 10, [0.0] * 10)
    assert (finding.status, finding.measured) == (Status.KEPT, 0.0)


def test_a_wave_that_is_over_earlier_keeps_the_law_of_the_storm_and_water_that_stays_away_breaks_it() -> None:
    without = [0.0] * 6 + [1.0, 3.0, 2.0, 1.0]
    assert storm_law(without, [0.0] * 6 + [2.0, 4.0, 1.5, 0.5]).status is Status.KEPT
    finding = storm_law(without, [0.0] * 6 + [1.0, 2.0, 3.0, 4.0])
    assert (finding.status, finding.measured) == (Status.BROKEN, pytest.approx(0.1))


def antecedent_law(dry: float, wet: float) -> Finding:
    """Judge the outflow [m3] after a storm of 100 m3."""
    month, after, hours = 24 * 30, 240, 6

    def remembered(label: str, weather: object) -> Series:
        outflow = np.zeros(month + after)
        outflow[month + 1] = dry if label.startswith("dry") else wet
        rain = np.zeros(month + after)
        rain[month : month + hours] = 100.0 / hours
        balances = [Balance(1.0, 1.0, o, 0.0, 0.0, 1.0) for o in outflow]
        return Series(balances=balances, land={PRECIPITATION: list(rain)})

    part = SimpleNamespace(with_rain=lambda rain: None)
    laboratory = SimpleNamespace(
        steps=8760,
        step_seconds=3600.0,
        steps_of=lambda length: length // timedelta(hours=1),
        record=SimpleNamespace(part=lambda first, last: part),
        remembered=remembered,
    )
    return LAWS["antecedent"](laboratory)


def test_a_storm_that_makes_more_outflow_after_dry_weeks_breaks_its_law_and_a_drop_of_it_does_not() -> None:
    finding = antecedent_law(dry=20.0, wet=30.0)
    assert (finding.status, finding.measured) == (Status.KEPT, 0.0)
    assert "after 30d without rain beyond that after 30d of 5 mm a day" in finding.words
    assert "after wet ones 0.3 of it" in finding.words
    assert antecedent_law(dry=1e-5, wet=0.0).status is Status.KEPT
    finding = antecedent_law(dry=20.0, wet=19.0)
    assert (finding.status, finding.measured) == (Status.BROKEN, pytest.approx(0.01))


def test_warmer_air_keeps_its_relative_humidity_and_the_emissivity_of_its_sky() -> None:
    values = {
        AIR_TEMPERATURE: np.full((2, 1), 290.0),
        SPECIFIC_HUMIDITY: np.full((2, 1), 0.006),
        "atmosphere_bottom_air__pressure": np.full((2, 1), 9.5e4),
        LONGWAVE: np.full((2, 1), 330.0),
        PRECIPITATION: np.zeros((2, 1)),
    }
    warmer = Weather(values).warmer_by(3.0).values
    # by Magnus' formula, independently: e_s(293 K) / e_s(290 K)
    magnus = np.exp(17.62 * (293.0 - 273.15) / (243.12 + 293.0 - 273.15) - 17.62 * 16.85 / (243.12 + 16.85))
    np.testing.assert_allclose(warmer[SPECIFIC_HUMIDITY] / 0.006, magnus, rtol=2e-3)
    np.testing.assert_allclose(warmer[LONGWAVE], 330.0 * (293.0 / 290.0) ** 4, rtol=1e-12)
