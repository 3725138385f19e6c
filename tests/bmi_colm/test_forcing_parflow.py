"""ParFlow's PFB forcing."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parflow.tools.io import read_pfb, write_pfb
from pfb_weather import TYPICAL, write_weather

from bmi_colm.forcing import Forcing, ParflowForcing, names, open_forcing
from bmi_common import ConfigError

START = datetime(1998, 10, 1, 5)
HOUR = timedelta(hours=1)
SHAPE = (2, 3)


def write(folder: Path, variable: str, first: int, hours: int = 24, shape: tuple[int, int] = SHAPE) -> Path:
    return write_weather(folder, variable, first, hours, shape)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for variable in TYPICAL:
        for first in (1, 25, 49):
            write(tmp_path, variable, first)
    return tmp_path


def opened(folder: Path, hours: int | None = 72, **more: Any) -> Forcing:
    spec = ParflowForcing(type="parflow", directory=folder, start=START, **more.pop("spec", {}))
    end = None if hours is None else START + hours * HOUR
    return open_forcing(spec, **{"shape": SHAPE, "start": START, "end": end, **more})


def test_the_hour_is_the_z_index_counted_from_the_start(folder: Path) -> None:
    with opened(folder) as forcing:
        values = forcing.read(START + 30 * HOUR)
    expected = read_pfb(str(folder / "NLDAS.Temp.000025_to_000048.pfb"))[6]
    np.testing.assert_array_equal(values[names.AIR_TEMPERATURE], expected)
    assert values[names.AIR_TEMPERATURE].shape == SHAPE


def test_a_run_may_start_within_a_file(folder: Path) -> None:
    with opened(folder, start=START + 20 * HOUR) as forcing:
        values = forcing.read(START + 25 * HOUR)
    expected = read_pfb(str(folder / "NLDAS.VGRD.000025_to_000048.pfb"))[1]
    np.testing.assert_array_equal(values[names.WIND_Y], expected)


@pytest.mark.parametrize("check", ["all", "ends"])
def test_a_missing_file_is_named_before_the_run(folder: Path, check: str) -> None:
    missing = folder / "NLDAS.Press.000025_to_000048.pfb"
    missing.unlink()
    with pytest.raises(ConfigError, match=missing.name) as caught:
        opened(folder, spec={"check_values": check})
    assert "1998-10-02 05:00" in str(caught.value)
    assert "with gaps" in str(caught.value)


def test_a_run_beyond_the_files_names_the_next_file(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"NLDAS\.DSWR\.000073_to_000096\.pfb"):
        opened(folder, hours=73)


def test_a_run_before_hour_one_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="hour 1 of the files is 1998-10-01 05:00"):
        opened(folder, start=START - HOUR)


def test_a_gap_that_the_run_does_not_need_is_no_error(folder: Path) -> None:
    (folder / "NLDAS.Press.000049_to_000072.pfb").unlink()
    with opened(folder, hours=48) as forcing:
        assert forcing.read(START)[names.AIR_PRESSURE].shape == SHAPE


@pytest.mark.parametrize("wrong", [{"shape": (3, 2)}, {"shape": (2, 4)}])
def test_files_of_another_grid_are_refused(folder: Path, wrong: dict[str, Any]) -> None:
    file = write(folder, "SPFH", 25, **wrong)
    with pytest.raises(ConfigError, match=r"shape \(hours, ny, nx\)") as caught:
        opened(folder)
    assert str(file) in str(caught.value)


def test_fewer_layers_than_the_name_says_are_refused(folder: Path) -> None:
    file = folder / "NLDAS.SPFH.000025_to_000048.pfb"
    write_pfb(str(file), np.full((23, *SHAPE), 0.008), dist=False)
    with pytest.raises(ConfigError, match=r"\(23, 2, 3\).*\(24, 2, 3\)"):
        opened(folder)


def test_a_damaged_file_is_refused(folder: Path) -> None:
    file = folder / "NLDAS.SPFH.000025_to_000048.pfb"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(ConfigError, match=file.name):
        opened(folder)
    file.write_bytes(b"")
    with pytest.raises(ConfigError, match=file.name):
        opened(folder)


def test_a_value_that_is_not_finite_matters_in_active_cells_only(folder: Path) -> None:
    values = np.full((24, *SHAPE), 290.0)
    values[7, 1, 2] = np.nan
    file = folder / "NLDAS.Temp.000025_to_000048.pfb"
    write_pfb(str(file), values, dist=False)
    with pytest.raises(ConfigError, match=r"layer 7.*1 of 6 active cells, first \(row 1, column 2\)") as caught:
        opened(folder)
    assert "1998-10-02 12:00" in str(caught.value)
    mask = np.ones(SHAPE, dtype=bool)
    mask[1, 2] = False
    with opened(folder, mask=mask) as forcing:
        assert np.isnan(forcing.read(START + 31 * HOUR)[names.AIR_TEMPERATURE][1, 2])


def test_checking_a_sample_leaves_the_other_days_to_the_run(tmp_path: Path) -> None:
    for variable in TYPICAL:
        for day in range(8):
            write(tmp_path, variable, 1 + 24 * day)
    write_pfb(str(tmp_path / "NLDAS.Temp.000145_to_000168.pfb"), np.full((24, *SHAPE), np.nan), dist=False)
    with opened(tmp_path, hours=192, spec={"check_values": "ends"}) as forcing:
        forcing.read(START)
        with pytest.raises(ConfigError, match="not finite"):
            forcing.read(START + 6 * 24 * HOUR)
    with pytest.raises(ConfigError, match="not finite"):
        opened(tmp_path, hours=168, spec={"check_values": "ends"})  # now it is the last, and looked at


def test_files_may_hold_other_numbers_of_hours(tmp_path: Path) -> None:
    for variable in TYPICAL:
        for first in (1, 49):
            write(tmp_path, variable, first, hours=48)
    with opened(tmp_path, hours=96) as forcing:
        values = forcing.read(START + 60 * HOUR)
    expected = read_pfb(str(tmp_path / "NLDAS.Temp.000049_to_000096.pfb"))[12]
    np.testing.assert_array_equal(values[names.AIR_TEMPERATURE], expected)


def test_a_folder_without_such_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no files NLDAS\.<VAR>"):
        opened(tmp_path)


@pytest.mark.reference
@pytest.mark.filterwarnings("error::bmi_colm.forcing.ForcingWarning")
def test_little_washita_is_read_for_all_its_120_hours(reference: Path) -> None:
    folder = reference / "little_washita"
    with opened(folder, hours=120, shape=(41, 41)) as forcing:
        for hour in (0, 23, 24, 119):
            values = forcing.read(START + hour * HOUR)
            day, layer = divmod(hour, 24)
            name = f"NLDAS.DSWR.{24 * day + 1:06d}_to_{24 * day + 24:06d}.pfb"
            np.testing.assert_array_equal(values[names.SHORTWAVE], read_pfb(str(folder / name))[layer])
    with pytest.raises(ConfigError, match="000121_to_000144"):
        opened(folder, hours=121, shape=(41, 41))
