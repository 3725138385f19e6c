"""All NetCDF files that a run writes while it steps."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bmi_common.owned_folder import OwnedFolder
from bmi_common.state_file import StateArray
from bmi_common.world import current
from coupler.append import FilePosition
from coupler.checkpoint import Checkpoint, understood
from coupler.component import Component
from coupler.config import BALANCE_FILE, CONTROL_FILE, RunConfig
from coupler.errors import RunFailed, writing
from coupler.output import OutputFile, SeriesFile
from coupler.water_balance import TERMS, Balance, term_values
from coupler.water_error import WaterError

log = logging.getLogger("rootzone")

_SUMS = "output_"
"""Before the numbers of file and variable: their names, joined, need not be unique."""


class RunFiles:
    """The NetCDF files of a run, written anew or continued behind a checkpoint.

    Parameters
    ----------
    folder : OwnedFolder
        The run's folder.
    config : RunConfig
        With the files that are wanted.
    components : mapping
        Initialized components.
    substeps : mapping
        Steps that each component makes in a coupling step.
    masks : mapping
        By component, its cells (ny, nx), outside which values are missing, or None.
    attributes : mapping
        Global attributes.
    with_balance : bool
        Whether the run has a water balance to write.
    control : mapping
        Meaning and units of what error control records, by name; empty without it.
    restart : Checkpoint or None
        Where to go on.
    """

    def __init__(
        self,
        folder: OwnedFolder,
        config: RunConfig,
        components: Mapping[str, Component],
        substeps: Mapping[str, int],
        masks: Mapping[str, NDArray[np.bool_] | None],
        attributes: Mapping[str, str],
        with_balance: bool,
        control: Mapping[str, tuple[str, str]],
        restart: Checkpoint | None,
    ) -> None:
        time = config.time
        positions = {} if restart is None else {n: FilePosition(**p) for n, p in restart.run["files"].items()}
        leads = current().leads
        for name in positions if leads else ():
            if not (folder.path / name).exists():
                log.warning("%s is gone; a new one begins with the coming record", folder.path / name)
        self.outputs: list[OutputFile] = []
        self.balance: SeriesFile | None = None
        self.control: SeriesFile | None = None

        def series(name: str, columns: Mapping[str, tuple[str, str, str]]) -> SeriesFile:
            with writing(folder.path / name):
                return SeriesFile(folder.path / name, columns, time.start, time.step, attributes, positions.get(name))

        try:
            for o in config.output:
                with writing(folder.path / o.file):
                    self.outputs.append(
                        OutputFile(
                            folder,
                            o,
                            components,
                            substeps,
                            masks,
                            time.start,
                            time.step,
                            attributes,
                            positions.get(o.file),
                        )
                    )
                if restart is not None:
                    with understood(restart.folder):
                        self.outputs[-1].load_state_dict(_sums(restart.buffers, len(self.outputs) - 1))
            if with_balance and leads:
                terms = {name: (meaning, "m3", "time: sum") for name, meaning in TERMS.items()}
                self.balance = series(BALANCE_FILE, terms)
            if control and leads:
                self.control = series(CONTROL_FILE, {n: (*c, "time: point") for n, c in control.items()})
        except BaseException:
            self.close()
            raise

    def add_substep(self, name: str) -> None:
        """Take the values of a component after one of its steps."""
        for file in self.outputs:
            file.add_substep(name)

    def add_step(self, balance: Balance | None, error: WaterError | None) -> None:
        """Note the end of a coupling step, its balance, and the water error of all steps until now."""
        for file in self.outputs:
            with writing(file.path):
                file.add_step()
        if self.balance is not None and balance is not None and error is not None:
            with writing(self.balance.path):
                self.balance.add(term_values(balance), error.attributes())

    def add_control(self, values: Mapping[str, float]) -> None:
        """Take what error control has found in the step."""
        if self.control is not None:
            with writing(self.control.path):
                self.control.add(values)

    @property
    def _series(self) -> list[SeriesFile]:
        return [file for file in (self.balance, self.control) if file is not None]

    def positions(self) -> dict[str, FilePosition]:
        """Write what is pending, and return how far each file has been written."""
        for file in self._series:
            with writing(file.path):
                file.flush()
        every: list[OutputFile | SeriesFile] = [*self.outputs, *self._series]
        return {file.path.name: file.position for file in every}

    def buffers(self) -> dict[str, StateArray]:
        """Return the sums of the records under way."""
        return {
            f"{_SUMS}{number}_{i}": array
            for number, file in enumerate(self.outputs)
            for i, array in enumerate(file.state_dict())
        }

    def __enter__(self) -> RunFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except RunFailed as failed:
            if error is None:
                raise
            log.warning("%s", failed)  # what ended the run comes first

    def close(self) -> None:
        """Close all files, also where one of them cannot be written.

        Raises
        ------
        RunFailed
            Naming the first file that could not be closed.
        """
        with ExitStack() as each:
            every: list[OutputFile | SeriesFile] = [*self.outputs, *self._series]
            for file in every:
                each.enter_context(writing(file.path))
                each.callback(file.close)


def _sums(buffers: Mapping[str, NDArray[Any]], number: int) -> list[NDArray[Any]]:
    """Of the record under way in the file of this number."""
    found: list[NDArray[Any]] = []
    while (name := f"{_SUMS}{number}_{len(found)}") in buffers:
        found.append(buffers[name])
    return found
