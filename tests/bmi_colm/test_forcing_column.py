"""Column text forcing, and what all records share: dates, coverage, repetition, checks of values."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from bmi_colm.forcing import FORCING_NAMES, Forcing, ForcingConfig, ForcingWarning, names, open_forcing
from bmi_colm.forcing.elevation import GAS_CONSTANT_DRY_AIR, GRAVITY
from bmi_common import Config, ConfigError, load_config
from bmi_common.errors import InputNotice

START = datetime(2020, 1, 31, 22)
ROW = (400.0, 300.0, 1.0e-4, 290.0, 2.0, -1.0, 9.0e4, 0.008)
HOUR = timedelta(hours=1)


def rows(n: int) -> np.ndarray:
    """Hours that can be told apart: shortwave is the row's number."""
    table = np.tile(ROW, (n, 1))
    table[:, 0] = np.arange(n)
    return table


def write(path: Path, table: np.ndarray) -> Path:
    np.savetxt(path, table)
    return path


def spec(**content: Any) -> ForcingConfig:
    return TypeAdapter(ForcingConfig).validate_python({"type": "column", "start": START, **content})


def opened(of: ForcingConfig, start: datetime = START, end: datetime | None = None, **more: Any) -> Forcing:
    return open_forcing(of, **{"shape": (2, 3), "start": start, "end": end, **more})


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return write(tmp_path / "column.txt", rows(48))


def test_each_row_acts_in_its_own_hour_under_its_bmi_name(record: Path) -> None:
    with opened(spec(file=record)) as forcing:
        values = forcing.read(START + 5 * HOUR)
    assert set(values) == set(FORCING_NAMES)
    assert float(values[names.SHORTWAVE]) == 5.0
    assert float(values[names.LONGWAVE]) == ROW[1]
    assert float(values[names.PRECIPITATION]) == ROW[2]
    assert float(values[names.AIR_TEMPERATURE]) == ROW[3]
    assert float(values[names.WIND_X]) == ROW[4]
    assert float(values[names.WIND_Y]) == ROW[5]
    assert float(values[names.AIR_PRESSURE]) == ROW[6]
    assert float(values[names.SPECIFIC_HUMIDITY]) == ROW[7]


def test_values_cannot_be_changed_by_the_reader(record: Path) -> None:
    with opened(spec(file=record)) as forcing:
        values = forcing.read(START)
        with pytest.raises(ValueError, match="read-only"):
            values[names.SHORTWAVE][...] = 1.0


def test_hours_may_be_read_in_any_order(record: Path) -> None:
    with opened(spec(file=record)) as forcing:
        got = [float(forcing.read(START + n * HOUR)[names.SHORTWAVE]) for n in (40, 2, 25, 0)]
    assert got == [40.0, 2.0, 25.0, 0.0]


def test_times_with_a_zone_are_converted_to_utc(record: Path) -> None:
    eastern = timezone(timedelta(hours=-5))
    with opened(spec(file=record, start=START.replace(tzinfo=UTC))) as forcing:
        values = forcing.read((START + 3 * HOUR).replace(tzinfo=UTC).astimezone(eastern))
    assert float(values[names.SHORTWAVE]) == 3.0


def test_a_step_within_an_hour_reads_that_hour(record: Path) -> None:
    with opened(spec(file=record), end=START + 2 * HOUR, step=900.0) as forcing:
        assert float(forcing.read(START + timedelta(minutes=105))[names.SHORTWAVE]) == 1.0


@pytest.mark.parametrize("step", [7200.0, 1000.0, 0.0, -3600.0])
def test_a_step_that_does_not_divide_an_hour_is_refused(record: Path, step: float) -> None:
    with pytest.raises(ConfigError, match="whole number of steps"):
        opened(spec(file=record), step=step)


def test_a_run_that_starts_within_an_hour_is_refused(record: Path) -> None:
    with pytest.raises(ConfigError, match="reach over two hours"):
        opened(spec(file=record), start=START + timedelta(minutes=30))


def test_first_row_and_rows_choose_a_part(record: Path) -> None:
    with opened(spec(file=record, first_row=10, rows=2), end=START + 2 * HOUR) as forcing:
        assert float(forcing.read(START)[names.SHORTWAVE]) == 10.0
        with pytest.raises(ConfigError, match="record has 2 rows"):
            forcing.read(START + 2 * HOUR)


@pytest.mark.parametrize("part", [{"first_row": 48}, {"first_row": 40, "rows": 9}])
def test_rows_that_the_file_does_not_have_are_refused(record: Path, part: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="the file has 48 rows"):
        opened(spec(file=record, **part))


def test_a_record_that_ends_early_names_the_first_missing_hour(record: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        opened(spec(file=record), end=START + 50 * HOUR)
    message = str(caught.value)
    assert str(record) in message
    assert "2020-02-02 22:00" in message  # first hour without a row
    assert "and 1 more" in message
    assert "hours from 2020-01-31 22:00 to 2020-02-02 22:00" in message


def test_a_run_before_the_record_is_refused(record: Path) -> None:
    with pytest.raises(ConfigError, match="record starts at 2020-01-31 22:00"):
        opened(spec(file=record), start=START - HOUR, end=START + HOUR)


def test_an_end_before_the_start_is_refused(record: Path) -> None:
    with pytest.raises(ConfigError, match="before it starts"):
        opened(spec(file=record), end=START)


def test_cycle_repeats_whole_days_in_both_directions(record: Path) -> None:
    with opened(spec(file=record, cycle=True), end=START + 200 * HOUR) as forcing:
        assert float(forcing.read(START + 50 * HOUR)[names.SHORTWAVE]) == 2.0
        assert float(forcing.read(START - HOUR)[names.SHORTWAVE]) == 47.0


def test_cycle_of_part_of_a_day_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "column.txt", rows(30))
    with pytest.raises(ConfigError, match="30 hours are not whole days"):
        opened(spec(file=file, cycle=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3\n", "3 columns"),
        ("", "no rows"),
        ("# only a comment\n", "no rows"),
        ("1 2 3 4 5 6 7 x\n", "line 1: 'x' in column 8 is no number"),
        ("# shortwave …\n1 2 3 4 5 6 7 8\n\n1 2 3\n", "line 4: 3 columns"),
        ("400,5;300;0;290;2;1;90000;0,008\n", "line 1: decimal commas .400,5.*; write numbers with a decimal point"),
        ("400,5 300,0 0,0 290,0 2,0 1,0 90000,0 0,008\n", "line 1: decimal commas"),
        ("400,5,300,0,0,0,290,0,2,0,1,0,90000,0,0,008\n", "16 columns.*with decimal points"),
    ],
)
def test_a_file_that_is_no_table_of_eight_columns_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "column.txt"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        opened(spec(file=file))
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("separator", [" ", "\t", ";", ",", "; "])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_text_as_spreadsheets_and_loggers_write_it(tmp_path: Path, separator: str, encoding: str) -> None:
    file = tmp_path / "column.txt"
    lines = ["# Höhe 300 m, ° C", separator.join(["Rs", "Rl", "P", "T", "u", "v", "p", "q"])]
    lines += [separator.join(f"{v:g}" for v in row) + "  # a comment" for row in rows(24)]
    lines.insert(10, "")
    file.write_bytes("\r\n".join(lines).encode(encoding))
    with pytest.warns(InputNotice, match="line 2 holds no number and is passed over as a heading"):
        record = opened(spec(file=file))
    with record as forcing:
        for hour in (0, 9, 23):
            assert float(forcing.read(START + hour * HOUR)[names.SHORTWAVE]) == hour
            assert float(forcing.read(START + hour * HOUR)[names.SPECIFIC_HUMIDITY]) == 0.008


def test_a_missing_value_names_row_and_column(tmp_path: Path) -> None:
    table = rows(30)
    table[27, 3] = np.nan
    file = write(tmp_path / "column.txt", table)
    with pytest.raises(ConfigError, match=r"row 27 .*column 4 .*temperature.*2020-02-02 01:00"):
        opened(spec(file=file))


@pytest.mark.parametrize(("column", "value"), [(0, -5.0), (2, -1e-3), (6, -1.0), (7, -0.001)])
def test_impossible_negative_values_are_refused(tmp_path: Path, column: int, value: float) -> None:
    table = rows(24)
    table[3, column] = value
    with pytest.raises(ConfigError, match=r"row 3 .*negative values are impossible"):
        opened(spec(file=write(tmp_path / "column.txt", table)))


def test_negative_round_off_becomes_zero(tmp_path: Path) -> None:
    table = rows(24)
    table[3, 0], table[3, 2] = -0.5, -1e-9
    with opened(spec(file=write(tmp_path / "column.txt", table))) as forcing:
        values = forcing.read(START + 3 * HOUR)
    assert float(values[names.SHORTWAVE]) == 0.0
    assert float(values[names.PRECIPITATION]) == 0.0


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (3, 17.0, "150 to 350 K are possible; this looks like degrees Celsius"),
        (3, 70.0, "degrees Fahrenheit"),
        (6, 900.0, "this looks like hPa"),
        (6, 90.0, "kPa"),
        (2, 3.0, "mm h-1"),
        (7, 0.6, "a relative humidity"),
        (7, 8.0, "g kg-1"),
        (7, 75.0, "relative humidity in percent"),
        (1, 1.1e6, "J m-2"),
        (0, 1.1e6, "J m-2"),
        (4, 110.0, "100 m s-1 are possible; this looks like km h-1"),
        (5, -9999.0, "-9999 looks like the code of a missing value"),
    ],
)
def test_values_of_other_units_are_refused_at_opening(tmp_path: Path, column: int, value: float, message: str) -> None:
    table = rows(72)
    table[:, column] = value
    with pytest.raises(
        ConfigError,
        match=rf"row 0 .*column {column + 1} .* in the hour from 2020-01-31 22:00: .*{message}",
    ):
        opened(spec(file=write(tmp_path / "column.txt", table)))


def test_one_impossible_hour_late_in_the_run_is_found_at_opening(tmp_path: Path) -> None:
    table = rows(200)
    table[177, 6] = 1.0e6
    with pytest.raises(ConfigError, match=r"row 177 .*1e\+06 Pa"):
        opened(spec(file=write(tmp_path / "column.txt", table)))


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [(2, 0.04, "0 to 0.03 expected"), (5, -75.0, "-60 to 60 expected"), (1, 0.0, "looks like shortwave radiation")],
)
def test_unlikely_magnitudes_cause_one_warning(tmp_path: Path, column: int, value: float, expected: str) -> None:
    table = rows(72)
    table[::20, column] = value
    with pytest.warns(ForcingWarning, match=expected) as caught:
        opened(spec(file=write(tmp_path / "column.txt", table)))
    assert len(caught) == 1


def test_a_mean_of_rain_that_no_place_has_causes_a_warning(tmp_path: Path) -> None:
    table = rows(1000)
    table[:, 2] = 0.001  # 31.5 m in a year, though no hour and no day is remarkable
    with pytest.warns(ForcingWarning, match="31536 mm in a year, more than the wettest place has"):
        opened(spec(file=write(tmp_path / "column.txt", table)))


@pytest.mark.filterwarnings("error::bmi_colm.forcing.ForcingWarning")
def test_a_monsoon_month_causes_no_warning(tmp_path: Path) -> None:
    table = rows(1000)
    table[:, 2] = 0.0005
    opened(spec(file=write(tmp_path / "column.txt", table))).close()


def test_a_day_of_rain_beyond_the_world_record_causes_a_warning(tmp_path: Path) -> None:
    table = rows(24)
    table[:, 2] = 0.025  # each hour alone is likely
    with pytest.warns(ForcingWarning, match="precipitation.* 2160 mm in a day"):
        opened(spec(file=write(tmp_path / "column.txt", table)))


def test_elevation_adjusts_temperature_and_pressure_and_nothing_at_the_reference(record: Path) -> None:
    elevation = np.array([[500.0, 1500.0, 2500.0]])
    lapse = spec(file=record, reference_elevation=500.0, lapse_rate=0.0065)
    with opened(lapse, shape=(1, 3), elevation=elevation) as forcing:
        values = forcing.read(START)
    temperature = np.asarray(ROW[3]) - 0.0065 * (elevation - 500.0)
    np.testing.assert_allclose(values[names.AIR_TEMPERATURE], temperature)
    exponent = GRAVITY / (GAS_CONSTANT_DRY_AIR * 0.0065)  # barometric formula of a linear profile
    np.testing.assert_allclose(values[names.AIR_PRESSURE], ROW[6] * (temperature / ROW[3]) ** exponent, rtol=1e-12)
    assert float(values[names.LONGWAVE]) == ROW[1]
    # 8 g/kg exceeds saturation at 277 K and 70 kPa, but not at 290 K and 90 kPa
    assert values[names.SPECIFIC_HUMIDITY][0, 0] == ROW[7]
    assert values[names.SPECIFIC_HUMIDITY][0, 2] < ROW[7]


def test_no_lapse_rate_is_the_isothermal_atmosphere(record: Path) -> None:
    elevation = np.array([[1000.0]])
    flat = spec(file=record, reference_elevation=0.0, lapse_rate=0.0)
    with opened(flat, shape=(1, 1), elevation=elevation) as forcing:
        pressure = forcing.read(START)[names.AIR_PRESSURE]
    np.testing.assert_allclose(
        pressure, ROW[6] * np.exp(-GRAVITY * 1000.0 / (GAS_CONSTANT_DRY_AIR * ROW[3])), rtol=1e-12
    )


def test_a_lapse_rate_needs_both_elevations(record: Path) -> None:
    with pytest.raises(ValidationError, match="go together"):
        spec(file=record, lapse_rate=0.0065)
    with pytest.raises(ConfigError, match="elevation of the domain"):
        opened(spec(file=record, lapse_rate=0.0065, reference_elevation=0.0))


def test_arrays_of_another_shape_than_the_domain_are_refused(record: Path) -> None:
    with pytest.raises(ConfigError, match="mask of the domain"):
        opened(spec(file=record), mask=np.ones((3, 3), dtype=bool))
    with pytest.raises(ConfigError, match="no cell is active"):
        opened(spec(file=record), mask=np.zeros((2, 3), dtype=bool))


def test_external_reads_nothing_and_may_be_written_as_one_word() -> None:
    of = TypeAdapter(ForcingConfig).validate_python("external")
    with open_forcing(of, shape=(2, 3), start=START, end=None) as forcing:
        assert dict(forcing.read(START)) == {}


def test_the_section_is_read_from_yaml_with_paths_relative_to_the_file(tmp_path: Path, record: Path) -> None:
    class Land(Config):
        forcing: ForcingConfig

    file = tmp_path / "colm.yaml"
    file.write_text("forcing:\n  type: column\n  file: column.txt\n  start: 2020-01-31T22:00\n")
    with opened(load_config(file, Land).forcing) as forcing:
        assert float(forcing.read(START)[names.LONGWAVE]) == ROW[1]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("type: colum", "external"),
        ("type: column\n  start: 2020-01-01\n  file: nowhere.txt", "no such file"),
        ("type: column\n  start: 2020-01-01\n  file: column.txt\n  cycles: true", "did you mean 'cycle'"),
    ],
)
def test_mistakes_in_the_section_name_file_and_line(tmp_path: Path, record: Path, lines: str, message: str) -> None:
    class Land(Config):
        forcing: ForcingConfig

    file = tmp_path / "colm.yaml"
    file.write_text(f"forcing:\n  {lines}\n")
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(file, Land)
    assert f"{file}:" in str(caught.value)


@pytest.mark.reference
@pytest.mark.filterwarnings("error::bmi_colm.forcing.ForcingWarning")
@pytest.mark.parametrize(
    ("file", "hours"),
    # the last row of conus2_1583h has no line end: 1584 rows in 1583 lines
    [("mountain_7762h.txt", 7762), ("conus2_1583h.txt", 1584), ("snow_site.txt", 6), ("humid_8760h.txt", 8760)],
)
def test_reference_columns_are_read_whole_without_warnings(reference: Path, file: str, hours: int) -> None:
    path = reference / "forcing_columns" / file
    with opened(spec(file=path), end=START + hours * HOUR) as forcing:
        last = forcing.read(START + (hours - 1) * HOUR)
    expected = [float(value) for value in path.read_text().splitlines()[-1].split()]
    assert float(last[names.AIR_TEMPERATURE]) == expected[3]
    with pytest.raises(ConfigError, match="no forcing for the hour"):
        opened(spec(file=path), end=START + (hours + 1) * HOUR)
