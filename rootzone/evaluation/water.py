"""Water that the evaluated run has gained or lost without a cause, by its own ledger."""

from __future__ import annotations

from pathlib import Path

from bmi_common import ConfigError
from bmi_common.calendar import HOUR, Times
from bmi_common.netcdf_file import NetcdfFile
from bmi_common.netcdf_time import stamps
from coupler.config import BALANCE_FILE
from coupler.water_error import WaterError


def water_error(run: Path, times: Times) -> WaterError | None:
    """Sum the residuals that a run has booked from its first compared hour to its last; None where it has no ledger.

    Parameters
    ----------
    run : Path
        Folder of the run.
    times : ndarray of datetime64[s], shape (hours,)
        End of each compared hour.

    Raises
    ------
    ConfigError
        If the ledger cannot be read.
    """
    ledger = run / BALANCE_FILE
    if not ledger.is_file():
        return None
    with NetcdfFile(ledger) as file:
        lacking = [name for name in ("time", "residual", "turnover") if name not in file]
        if lacking:
            raise ConfigError(f"{ledger}: has no variable {lacking[0]}, which the ledger of a run has")
        ends = stamps(file, "time")
        inside = (ends > times[0] - HOUR) & (ends <= times[-1])
        residual, turnover = (file.values(name)[inside] for name in ("residual", "turnover"))
    return WaterError(float(residual.sum()), float(abs(residual).sum()), float(turnover.sum()))
