"""Stepping ParFlow through files: each call goes on from a pressure field for some hours under a constant source."""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bmi_common.domain import Domain
from bmi_common.errors import ConfigError, ModelError
from bmi_common.fields import read_pfb
from bmi_common.groundwater_config import Mode
from bmi_common.owned_folder import OwnedFolder, taken
from bmi_parflow import definition, process
from bmi_parflow.config import ParflowSection
from bmi_parflow.definition import RUN_NAME
from bmi_parflow.installation import Installation

Floats = NDArray[np.float64]

log = logging.getLogger(__name__)

_HOLDS = "ParFlow run"
"""What the record of a working directory says that it holds."""
_OUTPUTS = f"{RUN_NAME}.out."
"""Before the names of all that ParFlow writes."""

_LOG_ROW = re.compile(r"^\s*(\d{6,})\s+(\S+)\s+(\S+)\s+[a-z]\s", re.MULTILINE)
_TIME_TOLERANCE = 1.0e-6


@dataclass(frozen=True)
class Hours:
    """Result of a call.

    Attributes
    ----------
    head : ndarray, shape (nz, ny, nx)
        Pressure head [m] at the end; NaN in inactive cells.
    saturation : ndarray, shape (nz, ny, nx)
        Saturation [-] at the end; NaN in inactive cells.
    cut_from : (ndarray, ndarray), optional
        Head and saturation at the start of the last hour, where ParFlow cut its step in that hour.
    """

    head: Floats
    saturation: Floats
    cut_from: tuple[Floats, Floats] | None = None


class Simulation:
    """A domain in ParFlow's files, and the calls of ParFlow that advance it.

    Nothing is written before the first call. One instance at a time may use a working directory.

    Parameters
    ----------
    domain : Domain
    section : ParflowSection
    installation : Installation
    """

    def __init__(self, domain: Domain, section: ParflowSection, installation: Installation) -> None:
        self.domain = domain
        self.section = section
        self.installation = installation
        self._keys = definition.run_keys(domain, section.topology, section.solver)
        self._folder: Path | None = None
        self._owned: OwnedFolder | None = None
        self._release = ExitStack()
        self._remove_folder: weakref.finalize[..., Simulation] | None = None
        self._failed = False
        self._outcome = process.StepOutcome(None, "")

    @property
    def folder(self) -> Path | None:
        """Where ParFlow's files are; None before the first call."""
        return self._folder

    def advance(self, head: Floats, source: Floats, hour: int, hours: int = 1) -> Hours:
        """Go on from the start of `hour` for some hours.

        Parameters
        ----------
        head : ndarray, shape (nz, ny, nx)
            Pressure head [m] at the start.
        source : ndarray, shape (nz, ny, nx)
            Net source [h-1: volume per bulk volume] over these hours, into the soil positive.
        hour : int
            Hours since the start of the run.
        hours : int
            How many; ParFlow makes hourly steps.

        Raises
        ------
        ConfigError
            If the working directory cannot be used.
        ModelError
            If ParFlow cannot be started, fails, takes too long, or leaves no usable result. Its files are kept then.
        """
        folder = self._prepare_folder()
        self._own(_outputs(hour + 1, hour + hours))
        # of an earlier run in the same folder: a call that wrote nothing must not be taken for one that did
        _remove_outputs(folder, hour + 1, hour + hours)
        self._write(folder / definition.INITIAL, head)
        self._write(folder / definition.SOURCE, source)
        definition.write_definition(folder, {**self._keys, **definition.time_keys(hour, hours)})
        try:
            self._call(folder, hour, hours)
            self._adopt_outputs()
            result = self._result(folder, hour, hours)
        except ModelError:
            self._failed = True
            if self._remove_folder is not None:
                self._remove_folder.detach()
            raise
        if self.section.keep:
            self._own([f"source.{hour:05d}.pfb"])
            shutil.copyfile(folder / definition.SOURCE, folder / f"source.{hour:05d}.pfb")
        else:
            _remove_outputs(folder, hour, hour + hours)
        return result

    def close(self) -> None:
        """Remove what is not to be kept; after a failure everything is left for a look at it."""
        folder, self._folder = self._folder, None
        owned, self._owned = self._owned, None
        with self._release:
            if folder is None or self.section.keep or self._failed:
                return
            if self._remove_folder is not None:
                self._remove_folder()
            elif owned is not None:
                owned.clear()

    # ------------------------------------------------------------------ files

    def _prepare_folder(self) -> Path:
        if self._folder is not None:
            return self._folder
        given = self.section.working_directory
        try:
            if given is None:
                folder = Path(tempfile.mkdtemp(prefix="parflow-"))
                # also where nobody finalizes the component before Python ends
                self._remove_folder = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            else:
                folder = given.resolve()
                self._owned = self._release.enter_context(taken(folder, _HOLDS))
                self._owned.require_room(p.name for p in folder.glob(f"{_OUTPUTS}*"))
                self._own([*definition.input_files(self.domain), f"{RUN_NAME}.out.txt"])
            definition.write_inputs(folder, self.domain, self.section.mode is Mode.FULL, self.section.topology)
        except (OSError, ConfigError) as error:
            self._release.close()
            self._owned = None
            raise ConfigError(f"parflow.working_directory: {error}") from error
        self._folder = folder
        return folder

    def _own(self, names: Iterable[str]) -> None:
        if self._owned is not None:
            self._owned.own(*names)

    def _adopt_outputs(self) -> None:
        """Enter what else ParFlow has written: nothing of that name was there before."""
        if self._owned is not None:
            self._owned.adopt(p.name for p in self._owned.path.glob(f"{_OUTPUTS}*"))

    def _write(self, path: Path, values: Floats) -> None:
        filled = np.where(self.domain.mask, values, 0.0)
        definition.write_field(path, filled, self.domain, self.section.topology)

    # ------------------------------------------------------------------ calls

    def _call(self, folder: Path, hour: int, hours: int) -> None:
        environment = {"PARFLOW_DIR": str(self.installation.folder)}
        limit = self.section.timeout * hours
        try:
            outcome = self._outcome = process.call(
                [*self.installation.command, RUN_NAME], folder, folder / f"{RUN_NAME}.out.txt", limit, environment
            )
        except OSError as error:
            raise ModelError(f"ParFlow cannot be started: {error}") from error
        if outcome.code is None:
            raise self._error(
                f"took longer than {limit:g} s (`parflow.timeout` is for one hour) and was ended", hour, hours
            )
        if outcome.cause is not None:
            raise self._error(f"failed: {outcome.cause}", hour, hours)
        if outcome.code < 0:
            raise self._error(f"was ended by signal {-outcome.code}", hour, hours)
        if outcome.code != 0:
            raise self._error(f"ended with exit code {outcome.code}", hour, hours)

    def _result(self, folder: Path, hour: int, hours: int) -> Hours:
        end = hour + hours
        steps = _steps(folder / f"{RUN_NAME}.out.log")
        made = sum(time > hour + _TIME_TOLERANCE for time in steps)
        if made > hours:
            log.warning("ParFlow cut its step in %s: %d steps instead of %d", _describe(hour, hours), made, hours)
        cut = sum(time > end - 1 + _TIME_TOLERANCE for time in steps) > 1
        return Hours(*self._state(folder, end, hour, hours), self._state(folder, end - 1, hour, hours) if cut else None)

    def _state(self, folder: Path, number: int, hour: int, hours: int) -> tuple[Floats, Floats]:
        """Head and saturation that ParFlow wrote at the end of hour `number`."""
        fields = []
        for kind in ("press", "satur"):
            path = folder / _output(kind, number)
            try:
                values = read_pfb(path)
            except ConfigError as error:
                raise self._error(f"ended, but left no result: {error}", hour, hours) from None
            shape = self.domain.subsurface.shape
            if values.shape != shape:
                raise self._error(f"left {path.name} with the shape {values.shape}, not {shape}", hour, hours)
            if not np.isfinite(values[:, self.domain.mask]).all():
                raise self._error(f"left values in {path.name} that are not finite", hour, hours)
            fields.append(np.where(self.domain.mask, values, np.nan))
        return fields[0], fields[1]

    def _error(self, what: str, hour: int, hours: int) -> ModelError:
        return ModelError(
            f"ParFlow {what}, in {_describe(hour, hours)}. Its files are in {self._folder}; its last lines:\n"
            f"{self._outcome.tail}"
        )


def _outputs(first: int, last: int) -> list[str]:
    """Names of what ParFlow writes at the end of some hours, and its logs."""
    fields = [_output(kind, number) for number in range(first, last + 1) for kind in ("press", "satur")]
    return [*fields, *(f"{name}.dist" for name in fields), f"{_OUTPUTS}log", f"{_OUTPUTS}kinsol.log"]


def _remove_outputs(folder: Path, first: int, last: int) -> None:
    for name in _outputs(first, last):
        (folder / name).unlink(missing_ok=True)


def _output(kind: str, number: int) -> str:
    return f"{RUN_NAME}.out.{kind}.{number:05d}.pfb"


def _describe(hour: int, hours: int) -> str:
    return f"hour {hour + 1}" if hours == 1 else f"hours {hour + 1} to {hour + hours}"


def _steps(path: Path) -> list[float]:
    """Return the times [h] at which steps ended, as ParFlow's log tells; none where it tells nothing."""
    if not path.is_file():
        return []
    # the log has further tables of times after that of the steps
    return sorted({float(time) for _, time, _ in _LOG_ROW.findall(path.read_text(errors="replace"))})
