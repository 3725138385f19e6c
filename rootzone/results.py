"""What a run and an evaluation have left in their folders, for Python."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from bmi_common.errors import ConfigError
from bmi_common.groundwater import DISCHARGE
from bmi_common.netcdf_file import record_files
from coupler.config import BALANCE_FILE, CONTROL_FILE
from coupler.run_folder import LOG, MARKER, TIMING

if TYPE_CHECKING:  # what takes long to import is imported where it is used
    import xarray as xr
    from matplotlib.figure import Figure

    from rootzone.evaluation.writing import Findings


class RunResult(Mapping[str, "xr.Dataset"]):
    """A run's folder. Its NetCDF files and Zarr stores are datasets, by their names without the ending.

    They are read when they are used.
    ``result["hourly"]`` and ``result.hourly`` are the same. While a dataset is open, HDF5 lets nobody write its file:
    `close` them, or use the result in a ``with`` statement, before the run goes on; `rootzone.restart` closes those of
    the result that it is given.

    Parameters
    ----------
    folder : path
        The run's folder.

    Raises
    ------
    ConfigError
        If it does not hold a run.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).absolute()  # wherever the process goes
        if not (self.folder / MARKER).is_file():
            raise ConfigError(f"{self.folder}: is not the folder of a run: {MARKER} is not there")
        self._open: dict[str, xr.Dataset] = {}

    def __getitem__(self, name: str) -> xr.Dataset:
        if name not in self._open:
            from rootzone.datasets import open_dataset

            file = next((path for path in record_files(self.folder) if path.stem == name), None)
            if file is None:
                raise KeyError(f"{self.folder} has no {name}.nc or {name}.zarr; it has {self._names or 'neither'}")
            self._open[name] = open_dataset(file)
        return self._open[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({path.stem for path in record_files(self.folder)}))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getattr__(self, name: str) -> xr.Dataset:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(error.args[0]) from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        return f"<rootzone.RunResult {self.folder}: {self._names or 'no output file'}>"

    @property
    def _names(self) -> str:
        return ", ".join(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunResult) and self.folder.resolve() == other.folder.resolve()

    def __hash__(self) -> int:
        return hash(self.folder.resolve())

    @property
    def outputs(self) -> list[str]:
        """Names of the files that the configuration asked for: all but water balance and error control."""
        return [name for name in self if f"{name}.nc" not in (BALANCE_FILE, CONTROL_FILE)]

    @property
    def gauges(self) -> xr.DataArray:
        """Discharge (time, gauge) [m3 s-1 or as written], of the first file that has it; gauges have their names.

        ``result.gauges.sel(gauge="outlet")`` is one of them.
        """
        for name in self.outputs:
            for variable in self[name].data_vars.values():
                if variable.attrs.get("csdms_name") == DISCHARGE:
                    return _by_name(variable)
        raise ConfigError(f"{self.folder}: no file has {DISCHARGE}; write it, and give groundwater its `gauges:`")

    @property
    def log(self) -> str:
        """Text of the run's log."""
        return (self.folder / LOG).read_text(encoding="utf-8")

    @property
    def timing(self) -> dict[str, Any]:
        """Model hours, steps and wall seconds by part; the run must have come to its end."""
        found: dict[str, Any] = json.loads((self.folder / TIMING).read_text(encoding="utf-8"))
        return found

    def figures(self) -> dict[str, Figure]:
        """Draw what ``figures: true`` draws, by the names that it gives to files: ``hourly_maps``, ``domain``."""
        from rootzone.figures import figures_of, figures_of_run

        of_files = {f"{name}_{kind}": f for name in self.outputs for kind, f in figures_of(self[name]).items()}
        return of_files | figures_of_run(self.folder)

    def close(self) -> None:
        """Close the datasets; those that are asked for anew are opened anew."""
        for data in self._open.values():
            data.close()
        self._open.clear()

    def __enter__(self) -> RunResult:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _by_name(discharge: xr.DataArray) -> xr.DataArray:
    """Give the points their names as an index, in the place of the component's word for them."""
    (points,) = (d for d in discharge.dims if d != "time")
    own = [str(c) for c in discharge.coords if str(c).startswith(f"{points}_")]
    found = discharge.rename({points: "gauge"}).rename({c: c.removeprefix(f"{points}_") for c in own})
    return found.set_index(gauge="name") if "name" in found.coords else found


class Evaluation:
    """What an evaluation has found.

    Parameters
    ----------
    findings : Findings
        All of it.

    Attributes
    ----------
    assessment : Assessment or None
        The run beside its reference; None without one.
    observed : Comparison or None
        The run beside stations; None without any.
    files : list of Path
        What was written, the page first; empty without a folder.
    """

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.assessment = findings.assessment
        self.observed = findings.observed
        self.files = findings.files

    @property
    def met(self) -> bool | None:
        """Whether every criterion is met; None without a threshold or a bound to judge by."""
        return None if self.assessment is None else self.assessment.met

    @property
    def notes(self) -> list[str]:
        """What a reader must know: gaps, what was left out."""
        return self._findings.notes

    @property
    def summary(self) -> dict[str, Any]:
        """All numbers but series and maps, as in ``report.json``; NaN where there is none, {} without a reference."""
        from rootzone.evaluation.report.summary import summary

        return {} if self.assessment is None else summary(self.assessment)

    @property
    def stations(self) -> dict[str, Any]:
        """Scores, peaks and places by station, as in ``observations.json``; NaN where there is none."""
        from rootzone.evaluation.observations.report import summary

        found = [] if self.observed is None else summary(self.observed)["stations"]
        return {station["name"]: station for station in found}

    def __repr__(self) -> str:
        found = self._findings.tables
        if self.assessment is not None:
            found[0] = found[0].transposed()  # as report.md has it
        return "\n\n".join(f"{table.title}\n\n{table.markdown()}" for table in found)

    def _repr_markdown_(self) -> str:
        """Tables, for a notebook."""
        return repr(self)
